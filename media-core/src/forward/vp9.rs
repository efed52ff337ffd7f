//! Which packets of a layered VP9 stream a viewer gets. RFC 9628 §4.2.
//!
//! in:  the wanted quality; descriptors in the order of their sequence numbers
//! out: drop, or forward, and whether this is now the last packet of its picture
//!
//! ```text
//!   spatial 2 │ ▒ ▒ ▒ ▒      down: from the next picture on, for nothing below refers to what is above
//!   spatial 1 │ █ █ █ █ m    up, temporal: after a frame that says so (U), for the pictures that follow
//!   spatial 0 │ █ █ █ █      up, spatial: by one layer at a frame that needs no earlier picture (P = 0)
//!                       └ the marker moves here from the layer that is cut
//! ```
//!
//! All layers below the wanted one are forwarded, also where the stream would do without some of them between key
//! pictures: nothing in a packet tells that they will never be needed again.

use super::Layers;
use crate::rtp::vp9::Descriptor;

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is of no use to this viewer: its number is to be closed up.
    Drop,
    /// It goes on with this marker bit.
    Forward {
        /// The last packet of its picture.
        marker: bool,
    },
}

/// The choice for one viewer.
#[derive(Clone, Debug)]
pub struct Selector {
    wanted: Layers,
    /// What pictures are cut to; `None` until a key picture has begun.
    current: Option<Layers>,
    /// The picture that is going by.
    picture: Picture,
    /// The temporal layers that pictures after this one may have.
    next_temporal: u8,
    /// Spatial layers, as the last key picture told.
    layers: u8,
}

#[derive(Clone, Copy, Debug, Default)]
struct Picture {
    timestamp: Option<u32>,
    /// Spatial layers that may join in it; what is wanted may change while it goes by.
    limit: u8,
    /// The spatial layer at whose end it ends for this viewer.
    top: u8,
}

impl Selector {
    /// For a viewer who has nothing of the stream yet.
    #[must_use]
    pub fn new(wanted: Layers) -> Self {
        Self { wanted, current: None, picture: Picture::default(), next_temporal: 0, layers: u8::MAX }
    }

    /// Another quality, as soon as the stream allows it.
    pub fn want(&mut self, wanted: Layers) {
        self.wanted = wanted;
    }

    /// What the viewer gets now. `None`: nothing before a key picture.
    #[must_use]
    pub fn current(&self) -> Option<Layers> {
        self.current
    }

    /// Decides on the next packet.
    pub fn decide(&mut self, timestamp: u32, marker: bool, packet: &Descriptor) -> Decision {
        if packet.keyframe {
            self.begin_key_picture(timestamp, packet);
        } else if self.picture.timestamp != Some(timestamp) {
            self.begin_picture(timestamp);
        }
        let Some(current) = self.current else { return Decision::Drop };
        let (spatial_id, temporal_id) = (packet.spatial_id(), packet.temporal_id());
        if temporal_id > current.temporal || spatial_id > self.picture.limit {
            return Decision::Drop;
        }
        if spatial_id > current.spatial {
            // One layer at a time: onto the one directly below, which has just gone by.
            if spatial_id != current.spatial + 1 || packet.inter_picture || !packet.begins_frame {
                return Decision::Drop;
            }
            self.current = Some(Layers { spatial: spatial_id, ..current });
            self.picture.top = self.picture.top.max(spatial_id);
        }
        if packet.layer.is_none_or(|layer| layer.switching_up_point) {
            self.next_temporal = u8::MAX;
        }
        Decision::Forward { marker: marker || packet.ends_frame && spatial_id == self.picture.top }
    }

    /// The lowest layer begins; upper ones join as they come by, each without P.
    fn begin_key_picture(&mut self, timestamp: u32, packet: &Descriptor) {
        if let Some(structure) = packet.structure {
            self.layers = structure.spatial_layers;
        }
        let top = self.wanted.spatial.min(self.layers.saturating_sub(1));
        self.picture = Picture { timestamp: Some(timestamp), limit: top, top };
        self.current = Some(Layers { spatial: 0, temporal: self.wanted.temporal });
        self.next_temporal = u8::MAX;
    }

    /// Qualities go down between pictures alone, so that each is whole or cut at one layer.
    fn begin_picture(&mut self, timestamp: u32) {
        let Some(current) = &mut self.current else { return };
        current.spatial = current.spatial.min(self.wanted.spatial);
        current.temporal = current.temporal.max(self.next_temporal).min(self.wanted.temporal);
        self.next_temporal = current.temporal;
        self.picture =
            Picture { timestamp: Some(timestamp), limit: self.wanted.spatial, top: current.spatial };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::vp9::{Layer, parse};

    /// One packet for each frame of a picture: `P` for each layer, a temporal layer, whether one may go up after it.
    struct Sent {
        timestamp: u32,
        temporal_id: u8,
        up: bool,
        inter: Vec<bool>,
    }

    fn key(timestamp: u32, layers: usize) -> Sent {
        Sent { timestamp, temporal_id: 0, up: true, inter: vec![false; layers] }
    }

    fn delta(timestamp: u32, temporal_id: u8, up: bool, layers: usize) -> Sent {
        Sent { timestamp, temporal_id, up, inter: vec![true; layers] }
    }

    /// What passes of a picture, as text: spatial ids, `m` behind the one with the marker.
    fn passed(selector: &mut Selector, sent: &Sent) -> String {
        let layers = sent.inter.len();
        let mut out = Vec::new();
        for (spatial_id, inter) in sent.inter.iter().enumerate() {
            // A key frame's head, or another's; then the descriptor is made what it has to be.
            let (mut packet, _) = parse(&[0x8c, 1, if *inter { 0x86 } else { 0x82 }, 0]).unwrap();
            packet.inter_picture = *inter;
            packet.keyframe &= spatial_id == 0;
            packet.layer = Some(Layer {
                temporal_id: sent.temporal_id,
                spatial_id: spatial_id.try_into().unwrap(),
                switching_up_point: sent.up,
                inter_layer: spatial_id > 0,
            });
            packet.structure = packet.keyframe.then(|| crate::rtp::vp9::Structure {
                spatial_layers: layers.try_into().unwrap(),
                sizes: [None; 8],
                pictures_in_group: 0,
            });
            match selector.decide(sent.timestamp, spatial_id + 1 == layers, &packet) {
                Decision::Drop => {}
                Decision::Forward { marker } => {
                    out.push(format!("{spatial_id}{}", if marker { "m" } else { "" }))
                }
            }
        }
        out.join(" ")
    }

    const fn layers(spatial: u8, temporal: u8) -> Layers {
        Layers { spatial, temporal }
    }

    #[test]
    fn the_marker_moves_to_the_last_layer_that_is_left() {
        for (wanted, expected) in [(0, "0m"), (1, "0 1m"), (2, "0 1 2m"), (9, "0 1 2m")] {
            let mut selector = Selector::new(layers(wanted, 9));
            assert_eq!(passed(&mut selector, &delta(0, 0, true, 3)), "", "nothing before a key picture");
            assert_eq!(passed(&mut selector, &key(1, 3)), expected);
            assert_eq!(passed(&mut selector, &delta(2, 0, true, 3)), expected);
        }
    }

    #[test]
    fn spatial_layers_go_down_at_once_and_up_where_no_earlier_picture_is_needed() {
        let mut selector = Selector::new(layers(2, 9));
        assert_eq!(passed(&mut selector, &key(1, 3)), "0 1 2m");
        selector.want(layers(0, 9));
        assert_eq!(passed(&mut selector, &delta(2, 0, true, 3)), "0m");
        selector.want(layers(2, 9));
        assert_eq!(
            passed(&mut selector, &delta(3, 0, true, 3)),
            "0m",
            "layer 1 needs pictures that were cut"
        );
        let fresh = Sent { inter: vec![true, false, true], ..delta(4, 0, true, 3) };
        assert_eq!(
            passed(&mut selector, &fresh),
            "0m 1m",
            "the first picture of the layer comes behind the marker"
        );
        assert_eq!(passed(&mut selector, &delta(5, 0, true, 3)), "0 1m");
        assert_eq!(passed(&mut selector, &key(6, 3)), "0 1 2m");
    }

    #[test]
    fn a_wish_in_the_middle_of_a_picture_waits_for_its_end() {
        let mut selector = Selector::new(layers(1, 9));
        passed(&mut selector, &key(1, 2));
        let whole = delta(2, 0, true, 2);
        let lower = Sent { inter: vec![true], ..delta(2, 0, true, 1) };
        assert_eq!(passed(&mut selector, &lower), "0m");
        selector.want(layers(0, 9));
        assert_eq!(passed(&mut selector, &whole), "0 1m", "the same picture");
        assert_eq!(passed(&mut selector, &Sent { timestamp: 3, ..whole }), "0m");
    }

    #[test]
    fn temporal_layers_go_down_at_once_and_up_behind_a_switching_point() {
        let mut selector = Selector::new(layers(0, 2));
        assert_eq!(passed(&mut selector, &key(1, 1)), "0m");
        assert_eq!(passed(&mut selector, &delta(2, 2, false, 1)), "0m");
        selector.want(layers(0, 0));
        assert_eq!(passed(&mut selector, &delta(3, 1, false, 1)), "");
        selector.want(layers(0, 2));
        assert_eq!(passed(&mut selector, &delta(4, 2, false, 1)), "", "no switching point went by");
        assert_eq!(passed(&mut selector, &delta(5, 0, false, 1)), "0m");
        assert_eq!(passed(&mut selector, &delta(6, 1, false, 1)), "");
        assert_eq!(passed(&mut selector, &delta(7, 0, true, 1)), "0m");
        assert_eq!(passed(&mut selector, &delta(8, 2, false, 1)), "0m");
    }

    #[test]
    fn a_stream_without_layers_passes_whole() {
        let mut selector = Selector::new(Layers::LOWEST);
        let (packet, _) = parse(&[0x8c, 1, 0x82, 0]).unwrap();
        assert_eq!(selector.decide(1, true, &packet), Decision::Forward { marker: true });
    }
}
