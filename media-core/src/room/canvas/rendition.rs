//! One encoding of the canvas: its encoder, and what leads from there to its viewers.
//!
//! ```text
//!               the canvas shows something else, or rate control left the picture out
//!            ┌───────────────────────────────────────────────────────────────────────┐
//!            ▼                                                                       │
//!   every frame is encoded ── its viewers have all of it, well coded ──► one in 100 ms is
//! ```

use std::time::{Duration, Instant};

use layouts::Size;

use crate::codec::EncoderConfig;
use crate::forward::{PacketCache, Packetizer};
use crate::room::job::EncoderSlot;
use crate::room::key_demand::KeyDemand;
use crate::room::shedding::Shed;
use crate::room::watching::RenditionKey;
use crate::units::Bitrate;

/// What has settled is encoded this often all the same: a picture that costs nearly nothing, by which a receiver knows that
/// the stream lives, and measures its path.
const SETTLED_EVERY: Duration = Duration::from_millis(100);
/// A picture is refined by being coded so often at least: rate control needs that long to notice that there is little to do.
const REFINED: u32 = 15;

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
    /// Pictures that were made of what the canvas shows now; `None` when its viewers do not have it.
    refined: Option<u32>,
    /// The encoder does not say that it has more to give.
    settled: bool,
    /// The moment that the last frame shows that was encoded.
    encoded_at: Option<Instant>,
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
            refined: None,
            settled: true,
            encoded_at: None,
        }
    }

    /// The canvas shows something else.
    pub(super) fn on_changed(&mut self) {
        self.refined = None;
    }

    /// The frame of this moment, which shows nothing new, is not worth encoding.
    pub(super) fn is_settled(&self, captured: Instant) -> bool {
        let refined = self.refined.is_some_and(|times| times >= REFINED && self.settled);
        let recent = self.encoded_at.is_some_and(|at| captured.saturating_duration_since(at) < SETTLED_EVERY);
        refined && recent
    }

    /// The frame of this moment goes to the encoder.
    pub(super) fn on_encode(&mut self, captured: Instant) {
        self.encoded_at = Some(captured);
        // As if it had arrived: what changes meanwhile says otherwise.
        self.refined = Some(self.refined.map_or(0, |times| times.saturating_add(1)));
    }

    /// It came back. A picture that rate control left out, or that was lost, is not what viewers have.
    pub(super) fn on_encoded(&mut self, encoder: EncoderSlot, came: bool) {
        self.settled = encoder.is_settled().unwrap_or(true);
        self.encoder = Place::Home(encoder);
        if !came {
            self.refined = None;
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
