//! Who talks, and who is heard at all.
//!
//! in:  a source's frames
//! out: talking or not (for people), in the mix or not (for the mixer)
//!
//!   level │          ▁▂▇█▇▅▃▂▁
//!         │ far  ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄  one frame above, the second of a voice: talks
//!         │ speech ┄┄┄┄┄┄┄┄┄┄┄┄┄┄  five of ten above: talks; 40 below: does not
//!         │ audible┄┄┄┄┄┄┄┄┄┄┄┄┄┄  above: mixed; 3 s below: left out, and shares the encode of all who are silent
//!         │ floor ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁
//!
//! The thresholds follow the sensitivity somebody chose and the noise of the room around the source, within bounds, so
//! that a loud fan is not speech and a steady tone is not noise.
//!
//! Keys and cups are loud for less than 10 ms and have no pitch: talking is judged by the quieter half of a frame, and
//! begins only with a voiced sound, unless whispers are to count. What is heard is judged by the level alone, so that no
//! consonant is missing.

use super::SoundKind;
use super::floor;
use super::opus::{FRAME, Frame};
use super::pitch;
use super::sensitivity::{Ear, Sensitivity};

/// Frames above the threshold, of the last [`RECENT`], that begin talking.
const START: u32 = 5;

/// Frames looked at for the beginning.
const RECENT: u32 = 10;

/// Frames (800 ms) below the threshold that end talking.
const STOP: u32 = 40;

/// One frame this much above the threshold (16 dB) is enough to begin, when it goes on with a voice.
const FAR: f32 = 6.3;

/// Voiced frames among the recent ones without which only a keen ear takes a sound for speech.
const VOICED: u32 = 3;

/// The quieter half of a voiced frame is no quieter than this share of the whole: a thump dies away faster.
const STEADY: f32 = 0.5;

/// The mix takes part from this share of the speech threshold on (−10 dB).
const AUDIBLE: f32 = 0.316;

/// A program takes part from here on (−90 dBFS): what 16 bits hold is all heard, what a codec makes of silence is not.
const PROGRAM: f32 = 3.2e-5;

/// What announces itself below this share of that (−6 dB) need not be decoded …
const UNHEARD: f32 = 0.5;

/// … once the source has been left out for so many frames.
const RESTED: u32 = 8;

/// How loud a voice was falls by 9 dB per second, slower than between two syllables.
const FORGETS: f32 = 0.98;

/// The mean absolute sample of noise, as a share of its root mean square.
const MEAN_OF_NOISE: f32 = 0.8;

/// Frames (3 s) below the audible threshold before a source is left out of the mix again.
const HANG: u32 = 150;

/// The noise estimate falls at once and rises by 1.7 dB per second.
const FLOOR_RISE: f32 = 1.004;

/// The activity of one source.
#[derive(Debug)]
pub(super) struct Activity {
    sound: SoundKind,
    ear: Ear,
    floor: f32,
    /// The last frames, newest in the lowest bit: above the threshold or not.
    above: u32,
    /// Likewise: above, and voiced.
    voiced: u32,
    speech: Speech,
    hearing: Hearing,
    /// As the floor counts.
    smoothed: f32,
    /// The loudest of the last seconds, as far as it is not forgotten.
    loudest: f32,
    /// Others are louder, and too many: what there is to hear is not heard.
    left_out: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speech {
    Silent,
    Talking { frames_below: u32 },
}

/// Whether a source is in the mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hearing {
    /// Heard, for this many frames at least.
    Audible { frames_left: u32 },
    /// Left out since this many frames.
    Inaudible { frames: u32 },
}

/// How loud a frame is.
#[derive(Clone, Copy, Debug)]
struct Loudness {
    /// Root mean square.
    level: f32,
    /// Mean absolute sample.
    mean: f32,
    /// Of the quieter half: a voice is in both, a click in one.
    sustained: f32,
}

impl Loudness {
    fn of(frame: &Frame) -> Self {
        let power = |half: &[f32]| half.iter().map(|sample| sample * sample).sum::<f32>();
        let (first, second) = frame.split_at(FRAME / 2);
        let (first, second) = (power(first), power(second));
        let root = |power: f32, samples: usize| (power / samples as f32).sqrt();
        let mean = frame.iter().map(|sample| sample.abs()).sum::<f32>() / FRAME as f32;
        Self { level: root(first + second, FRAME), mean, sustained: root(first.min(second), FRAME / 2) }
    }
}

impl Activity {
    pub(super) fn new(sound: SoundKind) -> Self {
        Self {
            sound,
            ear: Ear::new(sound, Sensitivity::default()),
            floor: 0.0,
            above: 0,
            voiced: 0,
            speech: Speech::Silent,
            hearing: Hearing::Inaudible { frames: u32::MAX },
            smoothed: 0.0,
            loudest: 0.0,
            left_out: false,
        }
    }

    pub(super) fn set_sensitivity(&mut self, sensitivity: Sensitivity) {
        self.ear = Ear::new(self.sound, sensitivity);
    }

    /// From now on levels are this much higher, those of the noise, too.
    pub(super) fn louder(&mut self, factor: f32) {
        self.floor *= factor;
    }

    /// Below this nobody has heard the source for a while, nor will.
    pub(super) fn unheard(&self) -> Option<f32> {
        match self.hearing {
            Hearing::Inaudible { frames } if frames >= RESTED => Some(match self.ear {
                Ear::Voice(speech) => speech.over(self.floor) * AUDIBLE * UNHEARD,
                Ear::Program => PROGRAM * UNHEARD,
                Ear::Closed => f32::INFINITY,
            }),
            Hearing::Audible { .. } | Hearing::Inaudible { .. } => None,
        }
    }

    /// Learns that the next frame, which was not decoded, is no louder than this.
    pub(super) fn rest(&mut self, level: f32) {
        self.update(Loudness { level, mean: level * MEAN_OF_NOISE, sustained: level }, || false);
    }

    /// Learns of the next frame, which is made louder by `boost`.
    pub(super) fn hear(&mut self, frame: &Frame, boost: f32) {
        let Loudness { level, mean, sustained } = Loudness::of(frame);
        let loudness = Loudness { level: level * boost, mean: mean * boost, sustained: sustained * boost };
        self.update(loudness, || pitch::is_voiced(frame));
    }

    fn update(&mut self, loudness: Loudness, is_voiced: impl FnOnce() -> bool) {
        let Loudness { level, mean, sustained } = loudness;
        self.smoothed = floor::smooth(self.smoothed, mean);
        self.loudest = level.max(self.loudest * FORGETS);
        match self.ear {
            Ear::Voice(speech) => {
                let threshold = speech.over(self.floor);
                self.floor = level.min(self.floor * FLOOR_RISE).max(speech.quiet());
                // Who talks already is not asked for a voice again.
                let is_voiced = || speech.takes_whispers() || self.speech != Speech::Silent || is_voiced();
                let voiced = sustained > threshold.max(STEADY * level) && is_voiced();
                self.judge_speech(sustained, threshold, voiced);
                self.judge_hearing(level > threshold * AUDIBLE);
            }
            Ear::Program => self.judge_hearing(level > PROGRAM),
            Ear::Closed => self.silence(),
        }
    }

    fn judge_speech(&mut self, level: f32, threshold: f32, voiced: bool) {
        let above = level > threshold;
        self.above = (self.above << 1) | u32::from(above);
        self.voiced = (self.voiced << 1) | u32::from(voiced);
        let recent = |frames: u32| (frames & ((1 << RECENT) - 1)).count_ones();
        let steady = recent(self.above) >= START && recent(self.voiced) >= VOICED;
        self.speech = match self.speech {
            Speech::Silent if steady || (self.voiced & 0b11 == 0b11 && level > threshold * FAR) => {
                Speech::Talking { frames_below: 0 }
            }
            Speech::Silent => Speech::Silent,
            Speech::Talking { .. } if above => Speech::Talking { frames_below: 0 },
            Speech::Talking { frames_below } if frames_below + 1 >= STOP => Speech::Silent,
            Speech::Talking { frames_below } => Speech::Talking { frames_below: frames_below + 1 },
        };
    }

    fn judge_hearing(&mut self, audible: bool) {
        self.hearing = match self.hearing {
            Hearing::Audible { .. } if self.left_out => Hearing::Inaudible { frames: 0 },
            _ if audible && !self.left_out => Hearing::Audible { frames_left: HANG },
            Hearing::Audible { frames_left: 0 } => Hearing::Inaudible { frames: 0 },
            Hearing::Audible { frames_left } => Hearing::Audible { frames_left: frames_left - 1 },
            Hearing::Inaudible { frames } => Hearing::Inaudible { frames: frames.saturating_add(1) },
        };
    }

    /// The source was silenced: it neither talks nor is heard from now on.
    pub(super) fn silence(&mut self) {
        self.loudest = 0.0;
        self.smoothed = floor::smooth(self.smoothed, 0.0);
        (self.above, self.voiced) = (0, 0);
        self.speech = Speech::Silent;
        self.hearing = match self.hearing {
            Hearing::Audible { .. } => Hearing::Inaudible { frames: 0 },
            Hearing::Inaudible { frames } => Hearing::Inaudible { frames: frames.saturating_add(1) },
        };
    }

    /// How loud a microphone is that could be heard.
    pub(super) fn voice(&self) -> Option<f32> {
        match self.ear {
            Ear::Voice(speech) => Some(self.loudest)
                .filter(|level| self.is_audible() || *level > speech.over(self.floor) * AUDIBLE),
            Ear::Program | Ear::Closed => None,
        }
    }

    /// How loud a microphone is that may have the floor.
    pub(super) fn claim(&self) -> Option<f32> {
        match self.sound {
            SoundKind::Voice => Some(self.smoothed),
            SoundKind::Program => None,
        }
    }

    /// Whether it is in the mix.
    pub(super) fn is_audible(&self) -> bool {
        matches!(self.hearing, Hearing::Audible { .. })
    }

    /// From the next frame on the source is heard, or not, whatever it sounds like. It may still talk.
    pub(super) fn leave_out(&mut self, left_out: bool) {
        self.left_out = left_out;
    }

    pub(super) fn is_left_out(&self) -> bool {
        self.left_out
    }

    pub(super) fn is_talking(&self) -> bool {
        matches!(self.speech, Speech::Talking { .. })
    }

    pub(super) fn hearing(&self) -> Hearing {
        self.hearing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: f32 = 0.0001;
    const SPOKEN: f32 = 0.01;
    const LOUD: f32 = 0.1;

    fn voice(activity: &mut Activity, level: f32) {
        activity.update(Loudness { level, mean: level, sustained: level }, || true);
    }

    /// Levels as (level, frames); expected: frames after which talking began and ended.
    fn check(levels: &[(f32, usize)], began: Option<usize>, ended: Option<usize>) {
        let mut activity = Activity::new(SoundKind::Voice);
        let (mut from, mut to) = (None, None);
        let frames = levels.iter().flat_map(|&(level, frames)| std::iter::repeat_n(level, frames));
        for (index, level) in frames.enumerate() {
            voice(&mut activity, level);
            match activity.is_talking() {
                true if from.is_none() => from = Some(index + 1),
                false if from.is_some() && to.is_none() => to = Some(index + 1),
                _ => {}
            }
        }
        assert_eq!((from, to), (began, ended), "{levels:?}");
    }

    #[test]
    fn talking_begins_and_ends_by_the_table() {
        check(&[(QUIET, 200)], None, None);
        check(&[(QUIET, 50), (SPOKEN, 4), (QUIET, 50)], None, None);
        check(&[(QUIET, 50), (SPOKEN, 5), (QUIET, 39)], Some(55), None);
        check(&[(QUIET, 50), (SPOKEN, 5), (QUIET, 40)], Some(55), Some(95));
        check(&[(QUIET, 50), (SPOKEN, 3), (QUIET, 5), (SPOKEN, 2), (QUIET, 5)], Some(60), None);
        check(&[(QUIET, 50), (SPOKEN, 3), (QUIET, 6), (SPOKEN, 2), (QUIET, 5)], None, None);
        check(&[(QUIET, 50), (LOUD, 1), (QUIET, 40)], None, None);
        check(&[(QUIET, 50), (SPOKEN, 1), (LOUD, 1), (QUIET, 40)], Some(52), Some(92));
        check(&[(QUIET, 50), (SPOKEN, 9), (QUIET, 39), (SPOKEN, 1), (QUIET, 39)], Some(55), None);
    }

    #[test]
    fn a_steady_tone_is_sound_however_long_and_a_fan_is_not() {
        let mut tone = Activity::new(SoundKind::Voice);
        (0..3000).for_each(|_| voice(&mut tone, LOUD));
        assert!(tone.is_talking());
        let mut fan = Activity::new(SoundKind::Voice);
        (0..3000).for_each(|_| voice(&mut fan, 0.005));
        assert!(!fan.is_talking(), "steady noise of −46 dBFS is learnt");
    }

    #[test]
    fn a_fan_is_learnt_soon_after_total_silence() {
        let mut activity = Activity::new(SoundKind::Voice);
        (0..500).for_each(|_| voice(&mut activity, 0.0));
        (0..250).for_each(|_| voice(&mut activity, 0.005));
        assert!(!activity.is_talking());
    }

    #[test]
    fn a_source_is_heard_at_once_and_left_out_after_three_seconds() {
        let mut activity = Activity::new(SoundKind::Voice);
        (0..50).for_each(|_| voice(&mut activity, QUIET));
        assert!(matches!(activity.hearing(), Hearing::Inaudible { .. }));
        voice(&mut activity, 0.002);
        assert!(matches!(activity.hearing(), Hearing::Audible { .. }));
        assert!(!activity.is_talking());
        (0..150).for_each(|_| voice(&mut activity, QUIET));
        assert!(matches!(activity.hearing(), Hearing::Audible { .. }));
        voice(&mut activity, QUIET);
        assert_eq!(activity.hearing(), Hearing::Inaudible { frames: 0 });
    }

    #[test]
    fn only_a_keen_ear_takes_what_has_no_voice_for_speech() {
        let talks = |sensitivity: u8, sustained: f32, voiced: bool| {
            let mut activity = Activity::new(SoundKind::Voice);
            activity.set_sensitivity(Sensitivity::saturating(sensitivity));
            (0..50).for_each(|_| voice(&mut activity, QUIET));
            (0..20).for_each(|_| activity.update(Loudness { level: LOUD, mean: LOUD, sustained }, || voiced));
            activity.is_talking()
        };
        assert!(talks(30, LOUD, true) && !talks(30, LOUD, false) && talks(100, LOUD, false));
        assert!(!talks(30, QUIET, true) && !talks(100, QUIET, false), "clicks are not sustained");
    }
}
