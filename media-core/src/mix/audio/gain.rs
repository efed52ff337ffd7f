//! Makes microphones about equally loud, slowly.
//!
//! in:  frames of one microphone, whether it talks
//! out: the same, nearer to the level of speech
//!
//! Only speech is measured: the gain neither rises in pauses nor makes a quiet room loud. It changes by so little per
//! frame that nobody hears it move, and what it makes too loud is held by a [`Guard`].

use super::guard::Guard;
use super::opus::{FRAME, Frame};

/// Speech as telephones have it (ITU-T P.56: −26 dBov), root mean square.
const TARGET: f32 = 0.05;

/// Nobody is made louder, or quieter, by more than 12 dB.
const MOST: f32 = 4.0;
const LEAST: f32 = 0.25;

/// By the frame: 3 dB a second up, 10 dB a second down.
const RISES: f32 = 1.007;
const FALLS: f32 = 0.977;

/// Share of a frame in the mean power of speech: a second.
const LEARNS: f32 = 0.02;

/// What is below this share of the mean power (−13 dB) is between two syllables.
const SPOKEN: f32 = 0.05;

/// The automatic gain of one microphone.
#[derive(Debug)]
pub(super) struct AutomaticGain {
    /// Of its speech.
    power: Option<f32>,
    gain: f32,
    guard: Guard,
}

impl Default for AutomaticGain {
    fn default() -> Self {
        Self { power: None, gain: 1.0, guard: Guard::default() }
    }
}

impl AutomaticGain {
    pub(super) fn apply(&mut self, frame: &mut Frame, talks: bool) {
        if talks {
            self.learn(frame);
        }
        let wanted = self.power.map_or(1.0, |power| (TARGET / power.sqrt()).clamp(LEAST, MOST));
        let to = wanted.clamp(self.gain * FALLS, self.gain * RISES);
        let step = (to - self.gain) / FRAME as f32;
        for sample in frame.iter_mut() {
            self.gain += step;
            *sample *= self.gain;
        }
        self.gain = to;
        if to > 1.0 {
            self.guard.apply(std::slice::from_mut(frame));
        }
    }

    fn learn(&mut self, frame: &Frame) {
        let power = frame.iter().map(|sample| sample * sample).sum::<f32>() / FRAME as f32;
        self.power = Some(match self.power {
            None => power.max(f32::MIN_POSITIVE),
            Some(mean) if power > mean * SPOKEN => mean + (power - mean) * LEARNS,
            Some(mean) => mean,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(amplitude: f32, index: usize) -> Frame {
        std::array::from_fn(|n| amplitude * ((index * FRAME + n) as f32 * 0.05).sin())
    }

    #[test]
    fn speech_comes_to_the_target_within_bounds_and_pauses_change_nothing() {
        // A sine's root mean square is 0.7 of its amplitude.
        for (amplitude, expected) in [(0.0707, 1.0), (0.0354, 2.0), (0.3, 0.236), (0.002, 4.0), (0.9, 0.25)] {
            let mut gain = AutomaticGain::default();
            (0..600).for_each(|index| gain.apply(&mut tone(amplitude, index), true));
            let expected: f32 = expected;
            assert!((gain.gain / expected.max(LEAST) - 1.0).abs() < 0.05, "{amplitude}: {}", gain.gain);
            let before = gain.gain;
            (0..600).for_each(|index| gain.apply(&mut tone(0.0001, index), false));
            assert_eq!(gain.gain, before);
        }
    }

    #[test]
    fn the_gain_moves_by_less_than_one_hears() {
        let mut gain = AutomaticGain::default();
        for index in 0..200 {
            let before = gain.gain;
            gain.apply(&mut tone(if index < 100 { 0.01 } else { 0.5 }, index), true);
            assert!((0.97..1.01).contains(&(gain.gain / before)));
        }
    }
}
