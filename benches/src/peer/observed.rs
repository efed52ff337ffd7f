//! What a peer has seen and heard.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use media_core::codec::{Picture, Rgb};

/// Samples of one second, what is kept of the sound.
const SECOND: usize = 48_000;

/// When something was so for the first time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Milestones {
    /// ICE has a pair on every transport.
    pub ice: Option<Instant>,
    /// DTLS is done on every transport.
    pub connected: Option<Instant>,
    /// The first whole audio or video frame.
    pub media: Option<Instant>,
    /// The first decoded picture.
    pub picture: Option<Instant>,
    /// The first picture with one's own colour in the middle.
    pub oneself: Option<Instant>,
}

/// What a peer has seen and heard so far.
#[derive(Clone, Default)]
pub struct Observed {
    /// First times.
    pub first: Milestones,
    /// The last picture.
    pub picture: Option<Arc<Picture>>,
    /// Decoded pictures.
    pub pictures: u64,
    /// Whole video frames, decoded or not.
    pub video_frames: u64,
    /// Audio packets.
    pub audio_packets: u64,
    /// The last second of sound, 48 kHz mono, decoded.
    pub sound: VecDeque<i16>,
    /// Why it ended, if it did.
    pub ended: Option<String>,
}

impl Observed {
    /// Notes that `what` is so at `now`, if it never was before.
    pub(super) fn note(slot: &mut Option<Instant>, now: Instant) {
        slot.get_or_insert(now);
    }

    pub(super) fn hear(&mut self, samples: &[i16]) {
        self.sound.extend(samples);
        let excess = self.sound.len().saturating_sub(SECOND);
        self.sound.drain(..excess);
    }

    /// The colour at a place of the last picture, given in thousandths of its width and height.
    #[must_use]
    pub fn colour_at(&self, x: u32, y: u32) -> Option<Rgb> {
        let picture = self.picture.as_ref()?;
        let size = picture.size();
        picture.pixel(size.width * x / 1000, size.height * y / 1000).map(Rgb::from)
    }

    /// Power of a tone in the last second, in dB against a full-scale sine; Goertzel's algorithm.
    #[must_use]
    pub fn tone_db(&self, hertz: f64) -> f64 {
        let count = f64::from(u32::try_from(self.sound.len()).unwrap_or(u32::MAX)).max(1.0);
        let coefficient = 2.0 * (std::f64::consts::TAU * hertz / 48_000.0).cos();
        let (s1, s2) = self
            .sound
            .iter()
            .fold((0.0, 0.0), |(s1, s2), sample| (f64::from(*sample) / 32_768.0 + coefficient * s1 - s2, s1));
        let power = s1 * s1 + s2 * s2 - coefficient * s1 * s2;
        10.0 * (4.0 * power / (count * count)).max(1e-12).log10()
    }
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed")
            .field("first", &self.first)
            .field("picture", &self.picture)
            .field("pictures", &self.pictures)
            .field("video_frames", &self.video_frames)
            .field("audio_packets", &self.audio_packets)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_told_from_another() {
        let mut observed = Observed::default();
        #[allow(clippy::cast_possible_truncation, reason = "half of full scale fits")]
        let samples: Vec<i16> = (0..60_000)
            .map(|n| (f64::from(n) * 440.0 * std::f64::consts::TAU / 48_000.0).sin() * 16_384.0)
            .map(|sample| sample as i16)
            .collect();
        observed.hear(&samples);
        assert_eq!(observed.sound.len(), SECOND);
        assert!((observed.tone_db(440.0) + 6.02).abs() < 0.1, "{}", observed.tone_db(440.0));
        assert!(observed.tone_db(1000.0) < -60.0, "{}", observed.tone_db(1000.0));
    }
}
