//! What of a layered stream one viewer gets, and as what.
//!
//! in:  packets of the stream that flows with what they tell of its layers; the wanted quality
//! out: which of them go on, with which marker bit and dependency descriptor
//!
//! ```text
//!   VP9, and AV1 with a descriptor ──► Selector ──► left out │ Passing { marker, descriptor }
//!   everything else ──────────────────────────────────────────► as it came
//! ```
//!
//! What comes late, and what is sent again, is judged by the quality in force and changes nothing. AV1 is cut only for
//! viewers who read descriptors: without one a decoder has to be given the whole.

use std::sync::Arc;

use super::{Layers, MediaPacket, av1, vp9};
use crate::rtp::Layering;
use crate::rtp::dependency::{Descriptor, Structure, Targets};
use crate::units::{SeqNo, VideoCodec};

/// How a packet goes on; by default as one with nothing in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Passing<'a> {
    /// Last packet of its picture, for this viewer.
    pub(super) marker: bool,
    /// Its dependency descriptor.
    pub(super) dependency: Option<&'a [u8]>,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut<'a> {
    Passes(Passing<'a>),
    /// It is of no use to this viewer.
    LeftOut,
    /// Nobody can tell before what it leans on has come: until then it counts as lost.
    Unknown,
}

impl Passing<'_> {
    /// As it came.
    pub(super) fn whole(packet: &MediaPacket) -> Self {
        Self { marker: packet.marker, dependency: None }
    }
}

/// The choice for one slot.
#[derive(Clone, Debug)]
pub(super) struct Cutter {
    wanted: Layers,
    selector: Selector,
    /// The viewer reads descriptors.
    describes: bool,
    /// Of AV1: what has been decided on.
    highest: Option<SeqNo>,
    rewriter: av1::Rewriter,
    /// The structure of the stream that flows.
    structure: Option<Arc<Structure>>,
    /// The descriptor of one packet at a time.
    described: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Selector {
    Whole,
    Vp9(vp9::Selector),
    Av1(av1::Selector),
}

impl Cutter {
    pub(super) fn new(describes: bool) -> Self {
        Self {
            wanted: Layers::ALL,
            selector: Selector::Whole,
            describes,
            highest: None,
            rewriter: av1::Rewriter::default(),
            structure: None,
            described: Vec::new(),
        }
    }

    /// Another quality, as soon as the stream allows it.
    pub(super) fn want(&mut self, wanted: Layers) {
        self.wanted = wanted;
        match &mut self.selector {
            Selector::Whole => {}
            Selector::Vp9(selector) => selector.want(wanted),
            Selector::Av1(selector) => selector.want(wanted),
        }
    }

    pub(super) fn wanted(&self) -> Layers {
        self.wanted
    }

    /// What flows. `None`: nothing, or a stream that is not cut here.
    pub(super) fn current(&self) -> Option<Layers> {
        match &self.selector {
            Selector::Whole => None,
            Selector::Vp9(selector) => selector.current(),
            Selector::Av1(selector) => {
                let (spatial, temporal) = self.structure.as_ref()?.layer_of(selector.target()?);
                Some(Layers { spatial, temporal })
            }
        }
    }

    /// The stream is one that is not cut here.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.selector, Selector::Whole)
    }

    /// Another stream begins with this packet of a key frame.
    pub(super) fn begin(&mut self, layering: &Layering) {
        self.highest = None;
        self.structure = None;
        self.selector = match layering {
            Layering::Plain => Selector::Whole,
            Layering::Vp9(_) => Selector::Vp9(vp9::Selector::new(self.wanted)),
            Layering::Av1(..) if !self.describes => Selector::Whole,
            Layering::Av1(descriptor, structure) => {
                self.rewriter.begin(structure, descriptor.frame_number, true);
                self.structure = Some(Arc::clone(structure));
                Selector::Av1(av1::Selector::new(self.wanted))
            }
        };
    }

    /// What becomes of a packet that has come.
    pub(super) fn pass(&mut self, packet: &MediaPacket, layering: &Layering) -> Cut<'_> {
        let passing = match (&mut self.selector, layering) {
            (Selector::Vp9(selector), Layering::Vp9(descriptor)) => {
                vp9_passing(selector.decide(packet.timestamp.wire(), packet.marker, descriptor))
            }
            (Selector::Av1(selector), Layering::Av1(descriptor, structure)) => {
                let decision = if self.highest.is_some_and(|highest| packet.seq < highest) {
                    selector.catch_up(structure, descriptor, packet.marker)
                } else {
                    self.highest = Some(packet.seq);
                    if descriptor.structure.is_some() && self.structure.as_ref() != Some(structure) {
                        self.rewriter.begin(structure, descriptor.frame_number, false);
                        self.structure = Some(Arc::clone(structure));
                    }
                    selector.decide(structure, descriptor, packet.marker)
                };
                self.av1_passing(decision, descriptor)
            }
            (Selector::Av1(_), Layering::Plain) if packet.dependency.is_some() => return Cut::Unknown,
            // The publisher has changed its codec without a key frame of which the slot could begin anew, or has stopped
            // to tell: what cannot be judged is not held back.
            (Selector::Whole | Selector::Vp9(_) | Selector::Av1(_), _) => Some(Passing::whole(packet)),
        };
        passing.map_or(Cut::LeftOut, Cut::Passes)
    }

    /// How a packet that is kept goes on once more; `sent`: the marker bit it had before. `None`: it is of no use.
    pub(super) fn again(&mut self, packet: &MediaPacket, sent: Option<bool>) -> Option<Passing<'_>> {
        match &self.selector {
            Selector::Whole => Some(Passing::whole(packet)),
            Selector::Vp9(selector) => match (sent, packet.layering(VideoCodec::Vp9)) {
                (None, Layering::Vp9(descriptor)) => {
                    vp9_passing(selector.judge(packet.timestamp.wire(), packet.marker, &descriptor))
                }
                (sent, _) => Some(Passing { marker: sent.unwrap_or(packet.marker), dependency: None }),
            },
            Selector::Av1(selector) => {
                let layering = packet.dependency.as_ref().and_then(|it| it.read(self.structure.as_ref()));
                let Some(Layering::Av1(descriptor, structure)) = layering else {
                    return Some(Passing::whole(packet));
                };
                let decision = selector.judge(&structure, &descriptor, packet.marker);
                match (sent, decision) {
                    // What was sent stays what it was, whatever is in force now.
                    (Some(marker), av1::Decision::Forward { active, .. }) => {
                        self.av1_passing(av1::Decision::Forward { marker, active }, &descriptor)
                    }
                    (Some(marker), av1::Decision::Drop) => {
                        self.av1_passing(av1::Decision::Forward { marker, active: None }, &descriptor)
                    }
                    (None, decision) => self.av1_passing(decision, &descriptor),
                }
            }
        }
    }

    fn av1_passing(&mut self, decision: av1::Decision, descriptor: &Descriptor) -> Option<Passing<'_>> {
        let (marker, active): (bool, Option<Targets>) = match decision {
            av1::Decision::Drop => return None,
            av1::Decision::Forward { marker, active } => (marker, active),
        };
        self.described.clear();
        let told = self.rewriter.write(descriptor, active, &mut self.described);
        Some(Passing { marker, dependency: told.then_some(&self.described) })
    }
}

fn vp9_passing(decision: vp9::Decision) -> Option<Passing<'static>> {
    match decision {
        vp9::Decision::Drop => None,
        vp9::Decision::Forward { marker } => Some(Passing { marker, dependency: None }),
    }
}
