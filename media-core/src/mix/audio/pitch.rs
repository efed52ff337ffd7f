//! Whether a frame has a pitch, as voices have and clicks have not.
//!
//! in:  one frame
//! out: whether its wave comes again after some time between two periods of voices
//!
//! ```text
//!   wave at 8 kHz  │ first half, unmoved ─────── │
//!                       │ the same, later by 2.5 … 12.5 ms │      alike at the best of these?
//! ```
//!
//! Measured only while nobody knows whether a loud sound is speech.

use super::opus::Frame;

/// Samples of 48 kHz that make one of 8 kHz; a pitch is far below.
const COARSE: usize = 6;

/// Compared: 7.5 ms.
const WINDOW: usize = 60;

/// 2.5 ms: the period of a child's voice.
const SHORTEST: usize = 20;

/// 12.5 ms: the period of the deepest voices.
const LONGEST: usize = 100;

/// A voice is more alike than this from one period to the next, noise is not.
const ALIKE: f32 = 0.6;

/// From one period to the next a voice keeps this share of its power, what was struck loses more.
const LASTS: f32 = 0.5;

/// Less than this in the window (−80 dBFS) is what is left of rounding.
const FAINT: f32 = 6e-7;

/// Whether the frame has a pitch.
pub(super) fn is_voiced(frame: &Frame) -> bool {
    let mut wave = [0.0; WINDOW + LONGEST];
    let (chunks, _) = frame.as_chunks::<COARSE>();
    for (to, from) in wave.iter_mut().zip(chunks) {
        *to = from.iter().sum::<f32>() / COARSE as f32;
    }
    // The hum of mains and the steps of a room are no pitch.
    let mean = wave.iter().sum::<f32>() / wave.len() as f32;
    wave.iter_mut().for_each(|sample| *sample -= mean);
    let Some(first) = wave.first_chunk::<WINDOW>() else { return false };
    let own = energy(first);
    if own < FAINT {
        return false;
    }
    (SHORTEST..=LONGEST).any(|lag| {
        let Some(later) = wave.get(lag..lag + WINDOW) else { return false };
        let (common, other) = (first.iter().zip(later).map(|(a, b)| a * b).sum::<f32>(), energy(later));
        common > ALIKE * (own * other).sqrt() && other > LASTS * own
    })
}

fn energy(wave: &[f32]) -> f32 {
    wave.iter().map(|sample| sample * sample).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(seed: &mut u32) -> f32 {
        *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (*seed >> 8) as f32 / 8_388_608.0 - 1.0
    }

    #[test]
    fn voices_have_a_pitch() {
        let mut seed = 7;
        for hz in [85.0, 110.0, 147.0, 220.0, 330.0] {
            let frame: Frame = std::array::from_fn(|n| {
                let at = n as f32 / 48_000.0 * hz * std::f32::consts::TAU;
                let wave: f32 = (1..12_u16).map(|k| (at * f32::from(k)).cos() / f32::from(k)).sum();
                0.1 * wave + 0.02 * share(&mut seed)
            });
            assert!(is_voiced(&frame), "{hz} Hz");
        }
    }

    #[test]
    fn noise_clicks_and_silence_have_none() {
        let mut seed = 1;
        let found = (0..1000).filter(|_| is_voiced(&std::array::from_fn(|_| share(&mut seed)))).count();
        assert!(found < 20, "{found} of 1000 frames of noise");
        let click: Frame = std::array::from_fn(|n| {
            if n < 300 { 0.0 } else { share(&mut seed) * (-((n - 300) as f32) / 150.0).exp() }
        });
        assert!(!is_voiced(&click));
        assert!(!is_voiced(&[0.0; 960]) && !is_voiced(&[0.3; 960]));
    }
}
