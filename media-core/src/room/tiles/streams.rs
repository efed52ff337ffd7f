//! Encodings of a camera, whether they are streams of their own or layers of one.
//!
//! in:  what sources know of their streams
//! out: the candidates for a viewer; for each the stream it is, and the layer up to which that is sent
//!
//! ```text
//!   simulcast   encoding 0, 1, 2 ──► stream 0, 1, 2, each whole
//!   layered     encoding 0, 1, 2 ──► stream 0 up to layer 0, 1, 2
//! ```

use std::time::Instant;

use super::choice::Candidate;
use crate::bandwidth::allocate::EncodingRates;
use crate::forward::{Layers, Slot, Source, SourceId};
use crate::room::Room;
use crate::room::leg::Leg;
use crate::units::{EncodingIndex, LegKey};

/// The one stream of a camera that is not simulcast.
const ONLY: EncodingIndex = EncodingIndex(0);

/// What is sent of a camera for one of its encodings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stream {
    pub(super) id: SourceId,
    /// Up to this spatial layer; `None` where it has no layers to choose from.
    pub(super) spatial: Option<u8>,
}

impl Room {
    /// The encodings of a camera that a viewer can decode.
    pub(super) fn candidates(&self, now: Instant, leg: LegKey, viewer: Option<&Leg>) -> Vec<Candidate> {
        let readable =
            |source: &Source| source.codec().is_none_or(|codec| viewer.is_none_or(|leg| leg.knows(codec)));
        if let Some(source) = self.layered(leg) {
            let layer = |spatial: u8| Candidate {
                encoding: EncodingIndex(spatial),
                height: source.layer_size(spatial).map(|size| size.height),
                flows: source.layer_flows(now, spatial),
            };
            return if readable(source) { (0..source.layers()).map(layer).collect() } else { Vec::new() };
        }
        let count = self.legs.get(&leg).map_or(0, |leg| leg.camera().encodings());
        let stream = |index: u8| {
            let encoding = EncodingIndex(index);
            let source = self.sources.get(&SourceId { leg, encoding }).filter(|source| readable(source))?;
            let height = source.size().map(|size| size.height);
            Some(Candidate { encoding, height, flows: source.flows(now) })
        };
        (0..count).filter_map(stream).collect()
    }

    /// The encoding in whose stream an encoding comes: of a layered camera all come in one.
    pub(in crate::room) fn stream_with(&self, leg: LegKey, encoding: EncodingIndex) -> EncodingIndex {
        self.stream_of(leg, encoding).id.encoding
    }

    /// What is sent for an encoding of a camera.
    pub(super) fn stream_of(&self, leg: LegKey, encoding: EncodingIndex) -> Stream {
        match self.layered(leg) {
            Some(_) => Stream { id: SourceId { leg, encoding: ONLY }, spatial: Some(encoding.0) },
            None => Stream { id: SourceId { leg, encoding }, spatial: None },
        }
    }

    /// What an encoding takes, as far as that is known.
    pub(in crate::room) fn rates_of(&self, leg: LegKey, encoding: EncodingIndex) -> EncodingRates {
        let Stream { id, spatial } = self.stream_of(leg, encoding);
        self.sources
            .get(&id)
            .map(|source| source.rates(spatial.unwrap_or(Layers::ALL.spatial)))
            .unwrap_or_default()
    }

    /// The encoding that a slot is to show in the end, with the leg whose it is.
    pub(super) fn chosen(&self, slot: &Slot) -> Option<(LegKey, EncodingIndex)> {
        let id = slot.chosen()?;
        let top = self.layered(id.leg).map(|source| source.layers() - 1);
        let layer = top.map(|top| EncodingIndex(slot.limits().spatial.min(top)));
        Some((id.leg, layer.unwrap_or(id.encoding)))
    }

    /// The encoding that flows in a slot.
    pub(super) fn flowing(&self, slot: &Slot) -> Option<EncodingIndex> {
        let id = slot.current()?;
        let Some(source) = self.layered(id.leg) else { return Some(id.encoding) };
        // A viewer whose stream cannot be cut has all of them.
        let top = source.layers() - 1;
        Some(EncodingIndex(slot.layers().map_or(top, |layers| layers.spatial.min(top))))
    }

    /// The stream of a camera, when it has layers.
    fn layered(&self, leg: LegKey) -> Option<&Source> {
        let is_single = self.legs.get(&leg).is_some_and(|leg| leg.camera().encodings() == 1);
        let source = self.sources.get(&SourceId { leg, encoding: ONLY }).filter(|_| is_single);
        source.filter(|source| source.layers() > 1)
    }
}
