//! Keeps a sum of voices within full scale without distortion one could hear.
//!
//! in:  one frame of the mix, any level
//! out: the same, 2.5 ms later, its true peak at the ceiling
//!
//! ```text
//!   blocks of 2.5 ms   │ held │ next │      each bears so much gain that its true peak stays below the ceiling
//!   gain           ────┐      │
//!                      └──────┴─────        straight from what was reached to what held and next both bear
//! ```
//!
//! The gain is down before the peak comes, so nothing is bent; it comes back by 6 dB per second, so slowly that a
//! steady sound keeps its shape. Peaks are measured between samples, too: what a converter makes of them is what is
//! heard. The ceiling leaves Opus its room, which does not give back the wave it got. ITU-R BS.1770-4, annex 2.

use super::opus::{FRAME, Frame};

/// Samples by which the mix is delayed: 2.5 ms.
pub(super) const LOOK_AHEAD: usize = 120;

/// True peaks are held here (−2.5 dBFS): decoders overshoot by 1 dB on speech and by 2 dB on noise.
const CEILING: f32 = 0.75;

/// Samples below this are not looked between: a wave rises there by 3 dB, hardly ever by 6.
const CERTAIN: f32 = CEILING / 2.0;

/// Growth of the gain per block while nothing is too loud: 6 dB per second.
const RELEASE: f32 = 1.001_73;

/// Samples that an interpolated one is made of.
const TAPS: usize = 12;

/// Interpolates at an eighth and three eighths between samples; the same backwards, at five and seven eighths.
const BETWEEN: [[f32; TAPS]; 2] = [
    [
        0.001_708_984_4,
        0.010_986_328,
        -0.019_653_32,
        0.033_203_125,
        -0.059_448_242,
        0.137_329_1,
        0.972_167_97,
        -0.102_294_92,
        0.047_607_422,
        -0.026_611_328,
        0.014_892_578,
        -0.008_300_781,
    ],
    [
        -0.029_174_805,
        0.029_296_875,
        -0.051_757_812,
        0.089_111_33,
        -0.166_503_9,
        0.465_087_9,
        0.779_785_16,
        -0.200_317_38,
        0.101_562_5,
        -0.058_227_54,
        0.033_081_055,
        -0.018_920_898,
    ],
];

/// The limiter of one mix. Both channels of a stereo one have the same gain, or voices would move.
#[derive(Clone, Debug)]
pub(super) struct Limiter {
    /// What has come and is not out yet; in one channel the first alone.
    held: [[f32; LOOK_AHEAD]; 2],
    /// The gain it bears.
    bears: f32,
    /// The gain at its beginning.
    gain: f32,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { held: [[0.0; LOOK_AHEAD]; 2], bears: 1.0, gain: 1.0 }
    }
}

impl Limiter {
    /// Takes the channels of one mix.
    pub(super) fn apply(&mut self, frames: &mut [Frame]) {
        (0..FRAME / LOOK_AHEAD).for_each(|at| self.turn(frames, at));
    }

    /// Silence has come: what follows it has no level it must keep.
    pub(super) fn rest(&mut self) {
        *self = Self::default();
    }

    /// Gives the blocks that are held for those that come, at this place of the frames.
    fn turn(&mut self, frames: &mut [Frame], at: usize) {
        let blocks = frames.iter_mut().filter_map(|frame| frame.as_chunks_mut::<LOOK_AHEAD>().0.get_mut(at));
        let mut peak = f32::MIN_POSITIVE;
        for (held, block) in self.held.iter_mut().zip(blocks) {
            peak = peak.max(true_peak(held, block));
            std::mem::swap(held, block);
        }
        let next = (CEILING / peak).min(1.0);
        let wanted = next.min(self.bears).min(self.gain * RELEASE);
        if wanted < 1.0 || self.gain < 1.0 {
            let step = (wanted - self.gain) / LOOK_AHEAD as f32;
            let blocks =
                frames.iter_mut().filter_map(|frame| frame.as_chunks_mut::<LOOK_AHEAD>().0.get_mut(at));
            for (n, sample) in blocks.flat_map(|block| (0_u16..).zip(block)) {
                *sample *= self.gain + step * f32::from(n);
            }
        }
        self.gain = wanted;
        self.bears = next;
    }
}

/// Of the block that follows what is held; never zero.
fn true_peak(held: &[f32; LOOK_AHEAD], block: &[f32; LOOK_AHEAD]) -> f32 {
    let peak = block.iter().fold(f32::MIN_POSITIVE, |peak, sample| peak.max(sample.abs()));
    if peak < CERTAIN {
        return peak;
    }
    let mut wave = [0.0; LOOK_AHEAD + TAPS - 1];
    let before = held.iter().skip(LOOK_AHEAD + 1 - TAPS);
    wave.iter_mut().zip(before.chain(block)).for_each(|(to, from)| *to = *from);
    let windows = || wave.windows(TAPS).filter_map(|window| window.first_chunk::<TAPS>());
    windows().fold(peak, |peak, window| BETWEEN.iter().fold(peak, |peak, taps| peak.max(reach(window, taps))))
}

/// The larger of the two waves that these taps find, forwards and backwards.
fn reach(window: &[f32; TAPS], taps: &[f32; TAPS]) -> f32 {
    let sum = |other: f32, (sample, tap): (&f32, &f32)| other + sample * tap;
    let forwards = window.iter().zip(taps).fold(0.0, sum);
    let backwards = window.iter().rev().zip(taps).fold(0.0, sum);
    f32::max(f32::abs(forwards), f32::abs(backwards))
}

const _: () = assert!(FRAME.is_multiple_of(LOOK_AHEAD));

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(amplitude: f32, hz: f32, from: usize) -> Frame {
        std::array::from_fn(|n| amplitude * ((from + n) as f32 / 48_000.0 * hz * std::f32::consts::TAU).sin())
    }

    /// What comes out for these frames.
    fn limited(frames: impl Iterator<Item = Frame>) -> Vec<f32> {
        let mut limiter = Limiter::default();
        frames
            .flat_map(|mut frame| {
                limiter.apply(std::slice::from_mut(&mut frame));
                frame
            })
            .collect()
    }

    /// The largest value of the wave through these samples, at sixteen places between each two of them.
    fn true_peak(pcm: &[f32]) -> f32 {
        let between = |window: &[f32], shift: f32| -> f32 {
            let middle = (window.len() / 2 - 1) as f32 + shift;
            let sinc = |x: f32| {
                if x.abs() < 1e-6 {
                    1.0
                } else {
                    (x * std::f32::consts::PI).sin() / (x * std::f32::consts::PI)
                }
            };
            let hann = |x: f32| 0.5 + 0.5 * (x / 17.0 * std::f32::consts::PI).cos();
            window
                .iter()
                .enumerate()
                .map(|(n, sample)| sample * sinc(n as f32 - middle) * hann(n as f32 - middle))
                .sum()
        };
        pcm.windows(32)
            .flat_map(|window| (0..16_u8).map(move |n| between(window, f32::from(n) / 16.0).abs()))
            .fold(0.0, f32::max)
    }

    #[test]
    fn ordinary_levels_pass_untouched() {
        let out = limited((0..3).map(|index| tone(0.7, 300.0, index * FRAME)));
        let sent: Vec<f32> = (0..3).flat_map(|index| tone(0.7, 300.0, index * FRAME)).collect();
        assert_eq!(out[LOOK_AHEAD..], sent[..sent.len() - LOOK_AHEAD]);
    }

    #[test]
    fn the_true_peak_of_any_sum_stays_below_the_ceiling() {
        // −3 dBFS each: 20 at once, one after another, and between samples, where a quarter of the rate hides 3 dB.
        let sum = |index: usize, hz: &dyn Fn(u16) -> f32, voices: u16| -> Frame {
            let tones: Vec<Frame> = (0..voices).map(|n| tone(0.708, hz(n), index * FRAME)).collect();
            std::array::from_fn(|n| tones.iter().map(|tone| tone[n]).sum())
        };
        let twenty = limited((0..50).map(|index| sum(index, &|n| 110.0 + 37.0 * f32::from(n), 20)));
        let growing =
            limited((0..60_u16).map(|index| sum(index.into(), &|n| 300.0 + 71.0 * f32::from(n), index / 3)));
        let high = limited((0..50).map(|index| sum(index, &|n| 11_900.0 + 13.0 * f32::from(n), 3)));
        let bursts = limited((0..50).map(|index| {
            if index % 7 == 3 { tone(9.0, 2000.0, 7) } else { tone(0.1, 500.0, index * FRAME) }
        }));
        for (name, pcm) in [("twenty", twenty), ("growing", growing), ("high", high)] {
            let peak = true_peak(&pcm);
            assert!((0.5..CEILING * 1.02).contains(&peak), "{name}: {peak}");
        }
        // A cut edge of 39 dB, whose wave begins before it.
        assert!(true_peak(&bursts) < 0.85, "{}", true_peak(&bursts));
    }

    /// What is not the tone itself, as a share of it.
    fn distortion(pcm: &[f32], hz: f32) -> f32 {
        let turn = |n: usize| (n as f32 / 48_000.0 * hz * std::f32::consts::TAU).sin_cos();
        let (mut sin, mut cos) = (0.0, 0.0);
        for (n, sample) in pcm.iter().enumerate() {
            let (s, c) = turn(n);
            sin += 2.0 * sample * s / pcm.len() as f32;
            cos += 2.0 * sample * c / pcm.len() as f32;
        }
        let rest: f32 = pcm
            .iter()
            .enumerate()
            .map(|(n, sample)| {
                let (s, c) = turn(n);
                (sample - sin * s - cos * c).powi(2)
            })
            .sum();
        (2.0 * rest / pcm.len() as f32).sqrt() / sin.hypot(cos)
    }

    #[test]
    fn a_tone_that_is_too_loud_stays_a_tone() {
        for hz in [100.0, 250.0, 1000.0, 5000.0] {
            for amplitude in [0.708, 1.0, 4.0] {
                let pcm = limited((0..100).map(|index| tone(amplitude, hz, index * FRAME)));
                let found = distortion(&pcm[50 * FRAME..], hz);
                assert!(found < 0.01, "{hz} Hz at {amplitude}: {found}");
            }
        }
    }

    #[test]
    fn comes_back_after_loudness() {
        let mut limiter = Limiter::default();
        limiter.apply(&mut [tone(9.0, 300.0, 0)]);
        assert!(limiter.gain < 0.11);
        (0..200).for_each(|index| limiter.apply(&mut [tone(0.3, 300.0, index * FRAME)]));
        assert!(limiter.gain >= 1.0);
    }
}
