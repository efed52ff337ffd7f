//! One encoding of the canvas: its encoder, and what leads from there to its viewers.

use std::time::Instant;

use layouts::Size;

use crate::codec::EncoderConfig;
use crate::forward::{PacketCache, Packetizer};
use crate::room::job::EncoderSlot;
use crate::room::key_demand::KeyDemand;
use crate::room::shedding::Shed;
use crate::room::watching::RenditionKey;
use crate::units::Bitrate;

/// Where a codec is: here, or inside a job.
pub(super) enum Place<T> {
    Home(T),
    Away,
}

impl<T> Place<T> {
    pub(super) fn take(&mut self) -> Option<T> {
        match std::mem::replace(self, Self::Away) {
            Self::Home(it) => Some(it),
            Self::Away => None,
        }
    }
}

/// One encoding of the canvas; a publisher to all its viewers.
pub(super) struct Rendition {
    pub(super) number: u64,
    pub(super) encoder: Place<EncoderSlot>,
    pub(super) packetizer: Packetizer,
    pub(super) cache: PacketCache,
    pub(super) demand: KeyDemand,
    pub(super) rate: Bitrate,
    /// When the last viewer left it.
    pub(super) unwatched_since: Option<Instant>,
    /// Frames since the last one that was encoded.
    rested: u64,
}

impl Rendition {
    pub(super) fn new(number: u64, key: RenditionKey, full: Size, fps: u32) -> Self {
        let (size, rate) = (key.size.size(full), key.size.most(full));
        let config = EncoderConfig { codec: key.codec, size, fps, bitrate: rate };
        Self {
            number,
            encoder: Place::Home(EncoderSlot::new(number, config)),
            packetizer: Packetizer::new(key.codec),
            cache: PacketCache::default(),
            demand: KeyDemand::default(),
            rate,
            unwatched_since: None,
            rested: 0,
        }
    }

    /// A frame of the canvas is there; whether this rendition leaves it out, small as it is.
    pub(super) fn rests(&mut self, shed: Shed) -> bool {
        self.rested += 1;
        let rests = self.rested < shed.small_pictures_per_encoded();
        if !rests {
            self.rested = 0;
        }
        rests
    }
}
