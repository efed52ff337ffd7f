//! How little sound of a microphone counts as speech.
//!
//! in:  the sensitivity somebody chose
//! out: where speech begins, over the noise of the room around the source
//!
//! ```text
//!   sensitivity   0        1 …  10  …  20  …  30  …  50  …  75  …  100
//!   at least      never   −21  −30   −40    −50    −56   −63.5   −71 dBFS
//!   at most       never    −5  −14   −24    −34    −34   −34     −34 dBFS
//!   over noise    never    39   30    20     10      8.3   6.1     4 dB
//! ```
//!
//! At the default, speech at arm's length is never missed. Below it each step asks for 1 dB more, so that a loud room
//! can be kept out; above it quiet voices count, from 60 on whispers too, but never all noise. The mix takes part 10 dB below these thresholds; at
//! 0 the source is not heard at all.

use super::SoundKind;

/// At the default sensitivity speech is this much above the noise (10 dB) …
const OVER_NOISE: f32 = 3.2;

/// … and within these bounds (−50 and −34 dBFS).
const SPEECH: std::ops::RangeInclusive<f32> = 0.003..=0.02;

/// Below the default, each step asks for so much more (dB) …
const DEAFER: f32 = 1.0;

/// … and above, for so much less, so that 100 hears a whisper (−71 dBFS) …
const KEENER: f32 = 0.3;

/// … that stands out from the noise, in the end by 4 dB. What may be noise at all stays as it was.
const KEENER_OVER_NOISE: f32 = 6.0 / 70.0;

/// From this sensitivity on a whisper, which has no pitch, is speech.
const WHISPERS: u8 = 60;

/// How little sound counts as speech: 0 … 100, 30 unless somebody chose. At 0 nothing does, and nothing is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sensitivity(u8);

impl Default for Sensitivity {
    fn default() -> Self {
        Self(30)
    }
}

impl Sensitivity {
    /// The sensitivity nearest to this.
    #[must_use]
    pub fn saturating(value: u8) -> Self {
        Self(value.min(100))
    }

    fn threshold(self) -> Threshold {
        let steps = f32::from(self.0) - f32::from(Self::default().0);
        let (least, most) = (*SPEECH.start(), *SPEECH.end());
        if steps < 0.0 {
            let shift = factor(-steps * DEAFER);
            Threshold {
                over_noise: OVER_NOISE * shift,
                least: least * shift,
                most: most * shift,
                whispers: false,
            }
        } else {
            let (over_noise, least) =
                (OVER_NOISE * factor(-steps * KEENER_OVER_NOISE), least * factor(-steps * KEENER));
            Threshold { over_noise, least, most, whispers: self.0 >= WHISPERS }
        }
    }
}

fn factor(db: f32) -> f32 {
    10_f32.powf(db / 20.0)
}

/// What is listened for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ear {
    /// Speech, and the sounds that go with it.
    Voice(Threshold),
    /// Any sound; none of it is speech.
    Program,
    /// Nothing.
    Closed,
}

impl Ear {
    pub(super) fn new(sound: SoundKind, sensitivity: Sensitivity) -> Self {
        match sound {
            SoundKind::Voice | SoundKind::Program if sensitivity.0 == 0 => Self::Closed,
            SoundKind::Voice => Self::Voice(sensitivity.threshold()),
            SoundKind::Program => Self::Program,
        }
    }
}

/// Where speech begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Threshold {
    over_noise: f32,
    least: f32,
    most: f32,
    whispers: bool,
}

impl Threshold {
    /// Noise below this makes no difference, nor should it take long to learn of louder noise after total silence.
    pub(super) fn quiet(self) -> f32 {
        self.least / self.over_noise
    }

    /// Sounds without a pitch count, too.
    pub(super) fn takes_whispers(self) -> bool {
        self.whispers
    }

    /// Over noise of this level.
    pub(super) fn over(self, noise: f32) -> f32 {
        (noise * self.over_noise).clamp(self.least, self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speech_begins_where_the_table_says() {
        let check = |value: u8, least: f32, most: f32, over: f32| {
            let threshold = Sensitivity::saturating(value).threshold();
            let db = |level: f32| 20.0 * level.log10();
            let found = [db(threshold.over(0.0)), db(threshold.over(1.0)), db(threshold.over_noise)];
            for (found, expected) in found.into_iter().zip([least, most, over]) {
                assert!((found - expected).abs() < 0.6, "{value}: {found} instead of {expected}");
            }
        };
        check(1, -21.0, -5.0, 39.0);
        check(10, -30.0, -14.0, 30.0);
        check(20, -40.0, -24.0, 20.0);
        check(30, -50.0, -34.0, 10.0);
        check(50, -56.0, -34.0, 8.3);
        check(75, -63.5, -34.0, 6.1);
        check(100, -71.0, -34.0, 4.0);
        check(255, -71.0, -34.0, 4.0);
    }

    #[test]
    fn at_zero_nothing_is_listened_for() {
        let nil = Sensitivity::saturating(0);
        assert!(matches!(Ear::new(SoundKind::Voice, nil), Ear::Closed));
        assert!(matches!(Ear::new(SoundKind::Program, nil), Ear::Closed));
    }
}
