//! A recorder of the canvas, as a consumer of one rendition.
//!
//! in:  that a recorder begins and ends; finished encodes
//! out: demand for key frames and for a rate; access units from a key frame on
//!
//! It reads H.264 in full size, which is encoded for it when nobody watches that. A file must be playable from many
//! places, so it has a key frame every two seconds, which its viewers get along with it.

use std::time::{Duration, Instant};

use super::Canvas;
use crate::codec::Encoded;
use crate::room::job::canvas_bitrate;
use crate::room::key_demand::Demand;
use crate::room::recorded::{Recorded, RecordedMedia};
use crate::room::watching::{RenditionKey, SizeClass};
use crate::units::{Bitrate, VideoCodec};

/// From one key frame to the next.
const KEY_EVERY: Duration = Duration::from_secs(2);
/// What a recorder's least rate is said for.
const SAID_FOR: (u32, u32) = (1280, 720);

/// What there is to know of it.
pub(super) struct Recorder {
    least: Bitrate,
    /// It has nothing from before: what was being drawn then is not its first picture.
    since: Instant,
    /// When the last key frame was captured: it has nothing before the first.
    key_at: Option<Instant>,
}

impl Recorder {
    /// What a recorder reads.
    pub(super) const READS: RenditionKey = RenditionKey { codec: VideoCodec::H264, size: SizeClass::Full };

    /// The rendition is encoded at no lower rate.
    pub(super) fn least(&self) -> Bitrate {
        self.least
    }

    /// Whether the frame captured then is to be a key frame.
    pub(super) fn wants_key(&self, captured: Instant) -> bool {
        captured >= self.since
            && self.key_at.is_none_or(|at| captured.saturating_duration_since(at) >= KEY_EVERY)
    }

    /// What the recorder gets of an encode.
    pub(super) fn take(&mut self, captured: Instant, encoded: &Encoded) -> Option<Recorded> {
        if captured < self.since {
            return None;
        }
        if encoded.keyframe {
            self.key_at = Some(captured);
        }
        self.key_at?;
        let media = RecordedMedia::Picture { keyframe: encoded.keyframe, data: encoded.data.clone() };
        Some(Recorded { at: captured, media })
    }
}

impl Canvas {
    /// A recorder begins; `least` is for 720p. A second one takes the place of the first.
    pub(crate) fn record(&mut self, now: Instant, least: Bitrate) {
        let most = |width, height| u128::from(canvas_bitrate(width, height).0.max(1));
        let scaled =
            u128::from(least.0) * most(self.size.width, self.size.height) / most(SAID_FOR.0, SAID_FOR.1);
        let least = Bitrate(u64::try_from(scaled).unwrap_or(least.0));
        self.change.stop();
        self.recorder = Some(Recorder { least, since: now, key_at: None });
        let _ = self.begin(now, Recorder::READS, Demand::Newcomer);
        self.set_rates();
    }

    /// It has ended.
    pub(crate) fn unrecord(&mut self) {
        if self.recorder.take().is_some() {
            self.end_unused(Recorder::READS.codec);
            self.set_rates();
        }
    }
}
