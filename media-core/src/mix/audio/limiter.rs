//! Keeps a sum of voices within full scale without distortion one could hear.
//!
//! in:  one frame of the mix, any level
//! out: the same frame, within ±1
//!
//! The gain falls within 5 ms when a frame is too loud, and comes back by 6 dB per second. What still sticks out in
//! those 5 ms is bent, not cut.

use super::opus::Frame;

/// Peaks are held here.
const CEILING: f32 = 0.9;

/// Samples in which the gain falls: 5 ms.
const ATTACK: f32 = 240.0;

/// Growth of the gain per frame while nothing is too loud.
const RELEASE: f32 = 1.014;

/// The limiter of one mix.
#[derive(Clone, Debug)]
pub(super) struct Limiter {
    gain: f32,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { gain: 1.0 }
    }
}

impl Limiter {
    /// One that already holds this frame, made louder by `factor`.
    pub(super) fn fit(frame: &Frame, factor: f32) -> Self {
        Self { gain: (CEILING / (peak(frame) * factor).max(CEILING)).min(1.0) }
    }

    /// What samples are multiplied with at the end of the last frame.
    pub(super) fn gain(&self) -> f32 {
        self.gain
    }

    pub(super) fn apply(&mut self, frame: &mut Frame) {
        let peak = peak(frame);
        let wanted = (CEILING / peak.max(CEILING)).min(self.gain * RELEASE);
        if wanted >= 1.0 && self.gain >= 1.0 {
            return;
        }
        let step = (wanted - self.gain) / ATTACK;
        for sample in frame {
            self.gain =
                if step < 0.0 { (self.gain + step).max(wanted) } else { (self.gain + step).min(wanted) };
            *sample = bend(*sample * self.gain);
        }
        self.gain = wanted;
    }
}

fn peak(frame: &Frame) -> f32 {
    frame.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()))
}

/// Straight up to the ceiling, then ever flatter towards 1; both pieces meet with the same slope.
pub(super) fn bend(sample: f32) -> f32 {
    let over = sample.abs() - CEILING;
    if over <= 0.0 {
        return sample;
    }
    let room = 1.0 - CEILING;
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
        let mut limiter = Limiter::default();
        let mut frame = tone(0.9, 0);
        limiter.apply(&mut frame);
        assert_eq!(frame, tone(0.9, 0));
    }

    #[test]
    fn holds_any_sum_below_full_scale_without_steps() {
        let mut limiter = Limiter::default();
        let mut sound = Vec::new();
        for (index, amplitude) in [0.5, 4.0, 4.0, 50.0, 50.0, 0.5, 0.5, 2.0].into_iter().enumerate() {
            let mut frame = tone(amplitude, index * 960);
            limiter.apply(&mut frame);
            sound.extend_from_slice(&frame);
        }
        assert!(sound.iter().all(|sample| sample.abs() <= 1.0));
        // 300 Hz at full scale moves by 0.04 per sample; where 0.5 becomes 50 the input itself moves faster.
        let settled = &sound[2 * 960..3 * 960];
        assert!(settled.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 0.045));
    }

    #[test]
    fn comes_back_after_loudness() {
        let mut limiter = Limiter::default();
        limiter.apply(&mut tone(9.0, 0));
        assert!(limiter.gain < 0.11);
        (0..200).for_each(|index| limiter.apply(&mut tone(0.3, index * 960)));
        assert!(limiter.gain >= 1.0);
    }
}
