//! The spatial layers of a stream, as a viewer may have them: each with all below it.
//!
//! in:  what its packets tell
//! out: how many layers there are, how large each is, which flow, and what each takes with those below
//!
//! A stream that is not layered has one.

use std::time::Instant;

use layouts::Size;

use super::meter::Meter;
use super::source::FLOWS_FOR;
use crate::bandwidth::allocate::EncodingRates;
use crate::rtp::{Layering, PayloadInfo, dependency, vp9};

/// More are not told apart: no browser sends more than three.
const MAX_LAYERS: u8 = 4;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ladder {
    rungs: Vec<Rung>,
    /// As the stream has told.
    told: u8,
}

#[derive(Debug, Default)]
struct Rung {
    size: Option<Size>,
    last: Option<Instant>,
    meter: Meter,
}

impl Ladder {
    /// A packet of so many bytes.
    pub(super) fn note(&mut self, now: Instant, info: &PayloadInfo, layering: &Layering, bytes: usize) {
        match layering {
            Layering::Plain => self.told = 1,
            Layering::Vp9(descriptor) => {
                if let Some(structure) = &descriptor.structure {
                    self.tell_vp9(structure);
                }
            }
            Layering::Av1(descriptor, _) => {
                if let Some(structure) = &descriptor.structure {
                    self.tell_av1(structure);
                }
            }
        }
        let rung = self.rung(info.spatial_id);
        rung.last = Some(now);
        rung.meter.count(now, info.temporal_id, bytes);
    }

    fn tell_vp9(&mut self, structure: &vp9::Structure) {
        self.told = structure.spatial_layers.min(MAX_LAYERS);
        for (spatial, size) in (0..self.told).zip(structure.sizes) {
            let rung = self.rung(spatial);
            rung.size = size.or(rung.size);
        }
    }

    fn tell_av1(&mut self, structure: &dependency::Structure) {
        self.told = (structure.highest_layer().0 + 1).min(MAX_LAYERS);
        for spatial in 0..self.told {
            let rung = self.rung(spatial);
            rung.size = structure.size_of(spatial).or(rung.size);
        }
    }

    fn rung(&mut self, spatial: u8) -> &mut Rung {
        let at = usize::from(spatial.min(MAX_LAYERS - 1));
        if self.rungs.len() <= at {
            self.rungs.resize_with(at + 1, Rung::default);
        }
        // The list has just been made long enough.
        self.rungs.get_mut(at).expect("a rung for each layer")
    }

    /// How many layers the stream has; 1 before it has told.
    pub(super) fn count(&self) -> u8 {
        self.told.max(1)
    }

    /// Pixels of a layer, when they were told.
    pub(super) fn size(&self, spatial: u8) -> Option<Size> {
        self.rungs.get(usize::from(spatial))?.size
    }

    /// Packets of the layer come.
    pub(super) fn flows(&self, now: Instant, spatial: u8) -> bool {
        let last = self.rungs.get(usize::from(spatial)).and_then(|rung| rung.last);
        last.is_some_and(|last| now.saturating_duration_since(last) < FLOWS_FOR)
    }

    /// What the layer takes with those below, by temporal id, headers left out; nothing before that is known.
    pub(super) fn rates(&self, spatial: u8) -> EncodingRates {
        let rungs = self.rungs.iter().take(usize::from(spatial) + 1);
        rungs.fold(EncodingRates::default(), |below, rung| below.plus(&rung.meter.rates()))
    }
}
