//! Keeps what somebody made louder within full scale, without delay.
//!
//! in:  one frame of a voice or a mix at the volume that was chosen, any level
//! out: the same frame, within ±0.95
//!
//! The gain falls within 5 ms when a frame is too loud, and comes back by 6 dB per second. What still sticks out in
//! those 5 ms is bent, not cut. It must not delay, because volumes come and go while a listener's sound goes on; the sum
//! of all, which is always limited, has a [`Limiter`](super::limiter::Limiter) that looks ahead.

use super::opus::Frame;

/// Peaks are held here.
const CEILING: f32 = 0.85;

/// And never go beyond this (−0.5 dBFS).
const MOST: f32 = 0.944;

/// Samples in which the gain falls: 5 ms.
const ATTACK: f32 = 240.0;

/// Growth of the gain per frame while nothing is too loud.
const RELEASE: f32 = 1.014;

/// The guard of one fader.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    gain: f32,
}

impl Default for Guard {
    fn default() -> Self {
        Self { gain: 1.0 }
    }
}

impl Guard {
    /// One that already holds these channels, made louder by `factor`.
    pub(super) fn fit(frames: &[Frame], factor: f32) -> Self {
        Self { gain: (CEILING / (peak(frames) * factor).max(CEILING)).min(1.0) }
    }

    /// What samples are multiplied with at the end of the last frame.
    pub(super) fn gain(&self) -> f32 {
        self.gain
    }

    /// Takes the channels of one frame.
    pub(super) fn apply(&mut self, frames: &mut [Frame]) {
        let peak = peak(frames);
        let wanted = (CEILING / peak.max(CEILING)).min(self.gain * RELEASE);
        if wanted >= 1.0 && self.gain >= 1.0 {
            return;
        }
        let step = (wanted - self.gain) / ATTACK;
        for frame in frames {
            let mut gain = self.gain;
            for sample in frame {
                gain = if step < 0.0 { (gain + step).max(wanted) } else { (gain + step).min(wanted) };
                *sample = bend(*sample * gain);
            }
        }
        self.gain = wanted;
    }
}

fn peak(frames: &[Frame]) -> f32 {
    frames.iter().flatten().fold(0.0_f32, |peak, sample| peak.max(sample.abs()))
}

/// Straight up to the ceiling, then ever flatter towards the most; both pieces meet with the same slope.
pub(super) fn bend(sample: f32) -> f32 {
    let over = sample.abs() - CEILING;
    if over <= 0.0 {
        return sample;
    }
    let room = MOST - CEILING;
    (CEILING + room * over / (over + room)).copysign(sample)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(amplitude: f32, from: usize) -> Frame {
        std::array::from_fn(|n| {
            amplitude * ((from + n) as f32 / 48_000.0 * 300.0 * std::f32::consts::TAU).sin()
        })
    }

    #[test]
    fn leaves_ordinary_levels_untouched() {
        let mut guard = Guard::default();
        let mut frame = tone(0.85, 0);
        guard.apply(std::slice::from_mut(&mut frame));
        assert_eq!(frame, tone(0.85, 0));
    }

    #[test]
    fn holds_any_sum_below_full_scale_without_steps() {
        let mut guard = Guard::default();
        let mut sound = Vec::new();
        for (index, amplitude) in [0.5, 4.0, 4.0, 50.0, 50.0, 0.5, 0.5, 2.0].into_iter().enumerate() {
            let mut frame = tone(amplitude, index * 960);
            guard.apply(std::slice::from_mut(&mut frame));
            sound.extend_from_slice(&frame);
        }
        assert!(sound.iter().all(|sample| sample.abs() <= MOST));
        // 300 Hz at full scale moves by 0.04 per sample; where 0.5 becomes 50 the input itself moves faster.
        let settled = &sound[2 * 960..3 * 960];
        assert!(settled.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 0.045));
    }

    #[test]
    fn comes_back_after_loudness() {
        let mut guard = Guard::default();
        guard.apply(&mut [tone(9.0, 0)]);
        assert!(guard.gain < 0.11);
        (0..200).for_each(|index| guard.apply(&mut [tone(0.3, index * 960)]));
        assert!(guard.gain >= 1.0);
    }
}
