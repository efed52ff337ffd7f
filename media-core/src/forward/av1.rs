//! Which frames of a layered AV1 stream a viewer gets, and their dependency descriptors. AV1 RTP payload format, appendix A.
//!
//! in:  the wanted quality; descriptors in the order of their sequence numbers
//! out: drop, or forward, with the marker and the descriptor as they go on
//!
//! A viewer gets one *decode target*: every frame that says it is part of it. To another target one goes where the frame
//! says so and all it refers to was forwarded; to one whose frames are all in the present one, between any two frames.
//!
//! What is forwarded is described anew: which decode targets are still whole, and, when a slot goes over to another
//! stream, frame numbers and template ids that go on where the last stream's ended.

use std::sync::Arc;

use super::Layers;
use crate::rtp::dependency::{Descriptor, Indication, Structure, Targets};

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is of no use to this viewer: its number is to be closed up.
    Drop,
    /// It goes on.
    Forward {
        /// The marker bit: the last packet of its temporal unit.
        marker: bool,
        /// For [`Rewriter::write`]: the decode targets that are whole. `None`: all, and nothing needs to be said.
        active: Option<Targets>,
    },
}

/// The choice for one viewer.
#[derive(Clone, Debug)]
pub struct Selector {
    wanted: Layers,
    /// The decode target that is forwarded; `None` until a key frame.
    target: Option<usize>,
    forwarded: Window,
    /// The frame that is going by, and whether it is forwarded.
    frame: Option<(u16, bool)>,
    /// Targets were cut since the last key frame.
    is_restricted: bool,
}

impl Selector {
    /// For a viewer who has nothing of the stream yet.
    #[must_use]
    pub fn new(wanted: Layers) -> Self {
        Self { wanted, target: None, forwarded: Window::default(), frame: None, is_restricted: false }
    }

    /// Another quality, as soon as the stream allows it.
    pub fn want(&mut self, wanted: Layers) {
        self.wanted = wanted;
    }

    /// The decode target that is forwarded. `None`: nothing before a key frame.
    #[must_use]
    pub fn target(&self) -> Option<usize> {
        self.target
    }

    /// Decides on the next packet; `structure` is the one its descriptor leans on.
    pub fn decide(&mut self, structure: &Structure, packet: &Descriptor, marker: bool) -> Decision {
        let number = packet.frame_number;
        let passes = match self.frame {
            Some((going_by, passes)) if going_by == number => passes,
            Some(_) | None => self.begin_frame(structure, packet),
        };
        self.frame = Some((number, passes));
        let Some(target) = self.target.filter(|_| passes) else { return Decision::Drop };
        self.is_restricted |= structure.layer_of(target) != structure.highest_layer();
        self.forward(structure, packet, target, marker)
    }

    /// What becomes of a packet that comes late or goes out again: by the target in force, which stays.
    #[must_use]
    pub fn judge(&self, structure: &Structure, packet: &Descriptor, marker: bool) -> Decision {
        let Some(target) = self.target.filter(|target| is_part(packet, *target)) else {
            return Decision::Drop;
        };
        self.forward(structure, packet, target, marker)
    }

    /// The same for one that comes late for the first time: frames that refer to it find it.
    pub fn catch_up(&mut self, structure: &Structure, packet: &Descriptor, marker: bool) -> Decision {
        let decision = self.judge(structure, packet, marker);
        if decision != Decision::Drop {
            self.forwarded.note(packet.frame_number, true);
        }
        decision
    }

    fn forward(&self, structure: &Structure, packet: &Descriptor, target: usize, marker: bool) -> Decision {
        let (spatial, temporal) = structure.layer_of(target);
        let ends_unit = packet.ends_frame && packet.frame.spatial_id == spatial;
        let active = self.is_restricted.then(|| within(structure, Layers { spatial, temporal }));
        Decision::Forward { marker: marker || ends_unit, active }
    }

    /// Takes up another target where that is possible; says whether the frame is part of the one in force.
    fn begin_frame(&mut self, structure: &Structure, packet: &Descriptor) -> bool {
        let best = best_target(structure, self.wanted);
        if packet.is_key_frame() {
            self.forwarded = Window::default();
            self.target = best;
            self.is_restricted = false;
        } else if let (Some(current), Some(best)) = (self.target, best)
            && current != best
        {
            let is_decodable = || self.forwarded.has_all_of(packet);
            let allowed = packet.frame.indications.at(best) == Some(Indication::Switch) && is_decodable();
            if allowed || is_part_of(structure, best, current) {
                self.target = Some(best);
            }
        }
        let passes = self.target.is_some_and(|target| is_part(packet, target));
        self.forwarded.note(packet.frame_number, passes);
        passes
    }
}

/// The frame is part of a decode target.
fn is_part(packet: &Descriptor, target: usize) -> bool {
    packet.frame.indications.at(target).is_some_and(|indication| indication != Indication::NotPresent)
}

/// The highest target within the wanted quality; the lowest there is when none is.
fn best_target(structure: &Structure, wanted: Layers) -> Option<usize> {
    let targets =
        || (0..usize::from(structure.decode_targets)).map(|target| (structure.layer_of(target), target));
    let fitting = targets().filter(|((spatial, temporal), _)| wanted.include(*spatial, *temporal)).max();
    fitting.or_else(|| targets().min()).map(|(_, target)| target)
}

/// Targets that are whole when these layers are forwarded.
fn within(structure: &Structure, layers: Layers) -> Targets {
    let whole = (0..usize::from(structure.decode_targets)).filter(|target| {
        let (spatial, temporal) = structure.layer_of(*target);
        layers.include(spatial, temporal)
    });
    Targets::of(whole)
}

/// Whether all frames of the one target are in the other as well, by every template.
fn is_part_of(structure: &Structure, one: usize, other: usize) -> bool {
    let has = |indication: Option<Indication>| indication.is_some_and(|i| i != Indication::NotPresent);
    structure
        .templates
        .iter()
        .all(|template| !has(template.indications.at(one)) || has(template.indications.at(other)))
}

/// The frames of the last [`Self::LEN`] that have been decided on, and which of them were forwarded.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    newest: Option<u16>,
    /// Bit n: the frame n before the newest.
    bits: u128,
}

impl Window {
    const LEN: u16 = 128;

    /// The frame has been decided on.
    fn note(&mut self, number: u16, is_forwarded: bool) {
        let bit = u128::from(is_forwarded);
        let Some(newest) = self.newest else {
            *self = Self { newest: Some(number), bits: bit };
            return;
        };
        let ahead = number.wrapping_sub(newest);
        if ahead < 1 << 15 {
            self.bits = self.bits.checked_shl(ahead.into()).unwrap_or(0) | bit;
            self.newest = Some(number);
        } else {
            let behind = newest.wrapping_sub(number);
            self.bits |= bit.checked_shl(behind.into()).unwrap_or(0);
        }
    }

    fn has(&self, number: u16) -> bool {
        let Some(behind) = self.newest.map(|newest| newest.wrapping_sub(number)) else { return false };
        // What is ahead has been overtaken, and is still to be decided on.
        behind >= 1 << 15 || behind < Self::LEN && self.bits >> behind & 1 == 1
    }

    fn has_all_of(&self, packet: &Descriptor) -> bool {
        let references = packet.frame.references.as_slice();
        references.iter().all(|diff| self.has(packet.frame_number.wrapping_sub(*diff)))
    }
}

/// Descriptors of one slot, which shows one stream after another as one.
#[derive(Clone, Debug, Default)]
pub struct Rewriter {
    /// Added to frame numbers.
    frames: u16,
    /// Added to template ids.
    templates: u8,
    /// The stream's structure with ids as they go out.
    structure: Option<Arc<Structure>>,
    last_frame: Option<u16>,
}

impl Rewriter {
    /// A stream begins, or its next coded video sequence, with this key frame. When it is another stream than before, its
    /// frames are numbered on from the last one's, and its templates stand behind the last one's.
    pub fn begin(&mut self, structure: &Structure, first_frame: u16, is_other_stream: bool) {
        if is_other_stream {
            self.frames = match self.last_frame {
                Some(last) => last.wrapping_add(1).wrapping_sub(first_frame),
                None => 0,
            };
            self.templates = match &self.structure {
                Some(before) => end_of(before).wrapping_sub(structure.template_id_offset) & 0x3f,
                None => 0,
            };
        }
        let template_id_offset = structure.template_id_offset.wrapping_add(self.templates) & 0x3f;
        self.structure = Some(Arc::new(Structure { template_id_offset, ..structure.clone() }));
    }

    /// Appends the descriptor as it goes out. `false`: nothing was appended, the packet goes on without.
    pub fn write(&mut self, packet: &Descriptor, active: Option<Targets>, out: &mut Vec<u8>) -> bool {
        let Some(structure) = &self.structure else { return false };
        let frame_number = packet.frame_number.wrapping_add(self.frames);
        let told = Descriptor {
            template_id: packet.template_id.wrapping_add(self.templates) & 0x3f,
            frame_number,
            structure: packet.structure.as_ref().map(|_| Arc::clone(structure)),
            active: both(active, packet.active),
            ..*packet
        };
        let newest = self.last_frame.is_none_or(|last| frame_number.wrapping_sub(last) < 1 << 15);
        if newest {
            self.last_frame = Some(frame_number);
        }
        told.write(Some(structure), out)
    }
}

/// What the viewer gets of what the sender sends.
fn both(ours: Option<Targets>, senders: Option<Targets>) -> Option<Targets> {
    match (ours, senders) {
        (Some(Targets(ours)), Some(Targets(senders))) => Some(Targets(ours & senders)),
        (one, other) => one.or(other),
    }
}

/// The id behind the last template.
fn end_of(structure: &Structure) -> u8 {
    // At most 64 templates.
    let count = u8::try_from(structure.templates.len()).unwrap_or(64);
    structure.template_id_offset.wrapping_add(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::dependency::{Frame, Tracker};

    fn template(layer: (u8, u8), symbols: &str, references: &[u16], chains: [u8; 2]) -> Frame {
        let one = |symbol| match symbol {
            'D' => Indication::Discardable,
            'S' => Indication::Switch,
            'R' => Indication::Required,
            _ => Indication::NotPresent,
        };
        Frame {
            spatial_id: layer.0,
            temporal_id: layer.1,
            indications: symbols.chars().map(one).collect(),
            references: references.iter().copied().collect(),
            chains: chains.into_iter().collect(),
        }
    }

    /// Two spatial, two temporal layers; targets in the order (0, 0), (0, 1), (1, 0), (1, 1).
    fn structure(template_id_offset: u8) -> Structure {
        Structure {
            template_id_offset,
            decode_targets: 4,
            templates: vec![
                template((0, 0), "SSSS", &[], [0, 0]),
                template((0, 0), "SSRR", &[4], [4, 3]),
                template((0, 1), "-D-R", &[2], [2, 1]),
                template((1, 0), "--SS", &[1], [1, 1]),
                template((1, 0), "--RR", &[4, 1], [1, 1]),
                template((1, 1), "---D", &[2, 1], [3, 2]),
            ],
            protected_by: [0, 0, 1, 1].into_iter().collect(),
            chains: 2,
            resolutions: [].into_iter().collect(),
        }
    }

    /// Frame `n` of the stream: S0T0, S1T0, S0T1, S1T1 and again; with `key`, the first two begin a sequence.
    fn packet(structure: &Structure, first: u16, n: u16, key: bool) -> Descriptor {
        let index = match (n % 4, key) {
            (0, true) => 0,
            (0, false) => 1,
            (1, true) => 3,
            (1, false) => 4,
            (2, _) => 2,
            _ => 5,
        };
        Descriptor {
            begins_frame: true,
            ends_frame: true,
            template_id: structure.template_id_offset.wrapping_add(u8::try_from(index).unwrap()) & 0x3f,
            frame_number: first.wrapping_add(n),
            structure: (n.is_multiple_of(4) && key).then(|| Arc::new(structure.clone())),
            active: None,
            frame: structure.templates[index],
        }
    }

    /// What passes of frames, as text: numbers, `m` behind those with the marker.
    fn passed(selector: &mut Selector, frames: std::ops::Range<u16>) -> String {
        let structure = structure(0);
        let mut out = Vec::new();
        for n in frames {
            let decision = selector.decide(&structure, &packet(&structure, 65_530, n, n < 2), n % 2 == 1);
            if let Decision::Forward { marker, .. } = decision {
                out.push(format!("{n}{}", if marker { "m" } else { "" }));
            }
        }
        out.join(" ")
    }

    const fn layers(spatial: u8, temporal: u8) -> Layers {
        Layers { spatial, temporal }
    }

    #[test]
    fn a_viewer_gets_the_frames_of_one_decode_target() {
        for (wanted, target, expected) in [
            (layers(0, 0), 0, "0m 4m 8m"),
            (layers(0, 1), 1, "0m 2m 4m 6m 8m"),
            (layers(1, 0), 2, "0 1m 4 5m 8 9m"),
            (Layers::ALL, 3, "0 1m 2 3m 4 5m 6 7m 8 9m"),
        ] {
            let mut selector = Selector::new(wanted);
            assert_eq!(passed(&mut selector, 0..10), expected);
            assert_eq!(selector.target(), Some(target));
        }
        assert_eq!(passed(&mut Selector::new(Layers::ALL), 2..10), "", "nothing before a key frame");
    }

    #[test]
    fn down_between_any_frames_and_up_where_the_frame_allows_it() {
        let mut selector = Selector::new(Layers::ALL);
        assert_eq!(passed(&mut selector, 0..6), "0 1m 2 3m 4 5m");
        selector.want(layers(0, 0));
        assert_eq!(passed(&mut selector, 6..10), "8m");
        selector.want(layers(0, 1));
        assert_eq!(
            passed(&mut selector, 10..15),
            "12m 14m",
            "10 allows nothing, 12 is a switch to that target"
        );
        selector.want(Layers::ALL);
        assert_eq!(passed(&mut selector, 15..22), "16m 18m 20m", "only a key frame brings the upper layer");
        assert_eq!(passed(&mut selector, 0..2), "0 1m");
    }

    #[test]
    fn nobody_goes_up_onto_frames_that_were_not_forwarded() {
        let structure = structure(0);
        let mut selector = Selector::new(layers(0, 0));
        assert_eq!(passed(&mut selector, 0..8), "0m 4m");
        selector.want(layers(0, 1));
        let mut switch = packet(&structure, 65_530, 8, false);
        switch.frame.references = [2].into_iter().collect(); // frame 6, of the temporal layer that was cut
        assert_eq!(
            selector.decide(&structure, &switch, false),
            Decision::Forward { marker: true, active: Some(Targets(1)) }
        );
        assert_eq!(selector.target(), Some(0));
    }

    #[test]
    fn the_targets_that_are_whole_are_told_as_long_as_any_was_cut() {
        let structure = structure(0);
        let mut selector = Selector::new(Layers::ALL);
        let mut active = |n: u16, key: bool, wanted: Layers| {
            selector.want(wanted);
            match selector.decide(&structure, &packet(&structure, 7, n, key), false) {
                Decision::Forward { active, .. } => active,
                Decision::Drop => panic!("frame {n} is wanted"),
            }
        };
        assert_eq!(active(0, true, Layers::ALL), None);
        assert_eq!(active(4, false, layers(0, 1)), Some(Targets(0b0011)));
        assert_eq!(active(6, false, layers(0, 1)), Some(Targets(0b0011)));
        assert_eq!(active(8, false, layers(0, 0)), Some(Targets(0b0001)));
        assert_eq!(active(12, true, Layers::ALL), None, "a new structure means all");
    }

    #[test]
    fn streams_in_one_slot_read_as_one() {
        let mut rewriter = Rewriter::default();
        let mut tracker = Tracker::default();
        let mut read = |rewriter: &mut Rewriter, packet: &Descriptor, active| {
            let mut out = Vec::new();
            assert!(rewriter.write(packet, active, &mut out));
            tracker.read(&out).map(|(descriptor, _)| descriptor).unwrap()
        };
        let (one, other) = (structure(60), structure(61));
        rewriter.begin(&one, 65_534, true);
        for n in 0..4 {
            let sent = packet(&one, 65_534, n, true);
            assert_eq!(read(&mut rewriter, &sent, None), sent, "the first stream stays as it is");
        }
        // The other stream's ids would have been taken for those of the first.
        rewriter.begin(&other, 500, true);
        let key = read(&mut rewriter, &packet(&other, 500, 0, true), Some(Targets(3)));
        assert_eq!((key.frame_number, key.active), (2, Some(Targets(3))));
        assert_eq!(key.structure.as_ref().map(|s| s.template_id_offset), Some(2), "behind 60 + 6");
        assert!(key.is_key_frame());
        let delta = read(&mut rewriter, &packet(&other, 500, 4, false), None);
        assert_eq!((delta.frame_number, delta.frame), (6, other.templates[1]));
        // Its next sequence goes on.
        rewriter.begin(&structure(7), 508, false);
        let next = read(&mut rewriter, &packet(&structure(7), 508, 0, true), None);
        assert_eq!(next.frame_number, 10);
    }

    #[test]
    fn what_the_sender_left_out_stays_out() {
        assert_eq!(both(Some(Targets(0b011)), Some(Targets(0b110))), Some(Targets(0b010)));
        assert_eq!(both(None, Some(Targets(1))), Some(Targets(1)));
        assert_eq!(both(None, None), None);
    }

    #[test]
    fn the_window_remembers_across_the_wrap_and_forgets() {
        let mut window = Window::default();
        window.note(65_535, true);
        window.note(1, true);
        window.note(0, true);
        assert!(window.has(65_535) && window.has(0) && window.has(1) && !window.has(65_534));
        assert!(window.has(2), "it is still to come");
        window.note(3, false);
        assert!(!window.has(2) && !window.has(3), "it has been overtaken, or was left out");
        window.note(200, true);
        assert!(window.has(200) && !window.has(1));
    }
}
