//! Which packets of a layered VP9 stream a viewer gets. RFC 9628 §4.2.
//!
//! in:  the wanted quality; descriptors as their packets come
//! out: drop, or forward, and whether this is now the last packet of its picture
//!
//! ```text
//!   spatial 2 │ ▒ ▒ ▒ ▒      down: from the next picture on, for nothing below refers to what is above
//!   spatial 1 │ █ █ █ █ m    up, temporal: after a frame that says so (U), for the pictures that follow
//!   spatial 0 │ █ █ █ █      up, spatial: at frames that need no earlier picture (P = 0)
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
    /// Where earlier pictures were cut, the latest last: packets of them may come late.
    earlier: [Option<(u32, Layers)>; EARLIER],
}

/// Half a second: what comes later than that comes too late.
const EARLIER: usize = 16;

#[derive(Clone, Copy, Debug, Default)]
struct Picture {
    timestamp: Option<u32>,
    /// Spatial layers that may join in it; what is wanted may change while it goes by.
    limit: u8,
    /// The spatial layer at whose end it ends for this viewer.
    top: u8,
    /// Layers of which a packet has told that they need no earlier picture, and those that do; bit by layer.
    fresh: u8,
    leaning: u8,
}

impl Selector {
    /// For a viewer who has nothing of the stream yet.
    #[must_use]
    pub fn new(wanted: Layers) -> Self {
        Self {
            wanted,
            current: None,
            picture: Picture::default(),
            next_temporal: 0,
            layers: u8::MAX,
            earlier: [None; EARLIER],
        }
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

    /// Decides on a packet that has come. Those of one picture may come in any order; of an earlier picture than the last, it
    /// is judged.
    pub fn decide(&mut self, timestamp: u32, marker: bool, packet: &Descriptor) -> Decision {
        let is_other = self.picture.timestamp != Some(timestamp);
        if is_other && self.picture.timestamp.is_some_and(|last| timestamp.wrapping_sub(last) >= 1 << 31) {
            return self.judge(timestamp, marker, packet);
        }
        if is_other {
            self.begin_picture(timestamp);
        }
        if packet.keyframe {
            self.begin_key_picture(packet);
        }
        let spatial_id = packet.spatial_id();
        let layer = bit(spatial_id);
        *(if packet.inter_picture { &mut self.picture.leaning } else { &mut self.picture.fresh }) |= layer;
        if !self.lets_in(packet) {
            return Decision::Drop;
        }
        self.picture.top = self.picture.top.max(spatial_id);
        if packet.layer.is_none_or(|layer| layer.switching_up_point) {
            self.next_temporal = u8::MAX;
        }
        Decision::Forward { marker: marker || packet.ends_frame && spatial_id == self.picture.top }
    }

    /// What becomes of a packet that comes late or goes out again: by the quality in force, which stays.
    #[must_use]
    pub fn judge(&self, timestamp: u32, marker: bool, packet: &Descriptor) -> Decision {
        let Some(current) = self.current else { return Decision::Drop };
        let (spatial_id, temporal_id) = (packet.spatial_id(), packet.temporal_id());
        let (passes, top) = if self.picture.timestamp == Some(timestamp) {
            (self.lets_in(packet), self.picture.top)
        } else {
            let known = self.earlier.iter().rev().flatten().find(|(at, _)| *at == timestamp);
            let layers = known.map_or(current, |(_, layers)| *layers);
            (layers.include(spatial_id, temporal_id), layers.spatial)
        };
        match passes {
            true => Decision::Forward { marker: marker || packet.ends_frame && spatial_id == top },
            false => Decision::Drop,
        }
    }

    /// Whether the viewer gets it as a part of the picture that is going by.
    fn lets_in(&self, packet: &Descriptor) -> bool {
        let Some(current) = self.current else { return false };
        let (spatial_id, temporal_id) = (packet.spatial_id(), packet.temporal_id());
        if temporal_id > current.temporal || spatial_id > self.picture.limit {
            return false;
        }
        // A layer joins when neither it nor any between needs pictures that were cut.
        let below = bit(spatial_id).wrapping_sub(1) & !bit(current.spatial).wrapping_shl(1).wrapping_sub(1);
        spatial_id <= current.spatial || !packet.inter_picture && self.picture.leaning & below == 0
    }

    /// The whole of a key picture is wanted, up to a layer.
    fn begin_key_picture(&mut self, packet: &Descriptor) {
        if let Some(structure) = packet.structure {
            self.layers = structure.spatial_layers;
        }
        let top = self.wanted.spatial.min(self.layers.saturating_sub(1));
        (self.picture.limit, self.picture.top) = (top, top);
        self.current = Some(Layers { spatial: top, temporal: self.wanted.temporal });
        self.next_temporal = u8::MAX;
    }

    /// Qualities change between pictures alone, so that each is whole or cut at one layer.
    fn begin_picture(&mut self, timestamp: u32) {
        let (fresh, limit) = (self.picture.fresh, self.picture.limit);
        if let (Some(at), Some(current)) = (self.picture.timestamp, self.current) {
            self.earlier.rotate_left(1);
            let cut = Layers { spatial: self.picture.top, temporal: current.temporal };
            self.earlier.last_mut().into_iter().for_each(|last| *last = Some((at, cut)));
        }
        self.picture = Picture { timestamp: Some(timestamp), ..Picture::default() };
        let Some(current) = &mut self.current else { return };
        while current.spatial < limit && fresh & bit(current.spatial + 1) != 0 {
            current.spatial += 1;
        }
        current.spatial = current.spatial.min(self.wanted.spatial);
        current.temporal = current.temporal.max(self.next_temporal).min(self.wanted.temporal);
        self.next_temporal = current.temporal;
        (self.picture.limit, self.picture.top) = (self.wanted.spatial, current.spatial);
    }
}

/// Of a layer; nothing for one beyond the eighth.
fn bit(spatial_id: u8) -> u8 {
    1_u8.checked_shl(spatial_id.into()).unwrap_or(0)
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

    /// A packet of one layer of a key picture, or of another.
    fn packet(spatial_id: u8, inter: bool, key: bool) -> Descriptor {
        let (mut packet, _) = parse(&[0x8c, 1, if inter { 0x86 } else { 0x82 }, 0]).unwrap();
        packet.inter_picture = inter;
        packet.keyframe = key && spatial_id == 0;
        packet.layer =
            Some(Layer { temporal_id: 0, spatial_id, switching_up_point: true, inter_layer: spatial_id > 0 });
        packet
    }

    #[test]
    fn layers_of_a_key_picture_join_in_any_order() {
        let mut selector = Selector::new(layers(0, 9));
        assert_eq!(passed(&mut selector, &key(1, 3)), "0m");
        selector.want(layers(2, 9));
        for spatial_id in [2, 1, 0] {
            let decision = selector.decide(2, spatial_id == 2, &packet(spatial_id, false, true));
            assert_eq!(decision, Decision::Forward { marker: spatial_id == 2 }, "{spatial_id}");
        }
        assert_eq!(passed(&mut selector, &delta(3, 0, true, 3)), "0 1 2m");
    }

    #[test]
    fn a_layer_that_leans_on_what_was_cut_keeps_those_above_out() {
        let mut selector = Selector::new(layers(0, 9));
        assert_eq!(passed(&mut selector, &key(1, 3)), "0m");
        selector.want(layers(2, 9));
        let mut decide = |spatial_id, inter| selector.decide(2, false, &packet(spatial_id, inter, false));
        assert_eq!(decide(1, true), Decision::Drop);
        assert_eq!(decide(2, false), Decision::Drop);
        assert_ne!(decide(0, true), Decision::Drop);
        assert_eq!(passed(&mut selector, &delta(3, 0, true, 3)), "0m");
    }

    #[test]
    fn what_comes_late_is_cut_as_its_picture_was() {
        let mut selector = Selector::new(layers(2, 9));
        assert_eq!(passed(&mut selector, &key(10, 3)), "0 1 2m");
        assert_eq!(passed(&mut selector, &delta(11, 0, true, 3)), "0 1 2m");
        selector.want(layers(0, 9));
        assert_eq!(passed(&mut selector, &delta(12, 0, true, 3)), "0m");
        let late = packet(2, true, false);
        assert_eq!(selector.decide(11, true, &late), Decision::Forward { marker: true });
        assert_eq!(selector.judge(12, true, &late), Decision::Drop);
        assert_eq!(selector.judge(3, true, &late), Decision::Drop, "of long ago: by what is in force");
        assert_eq!(passed(&mut selector, &delta(13, 0, true, 3)), "0m");
    }
}
