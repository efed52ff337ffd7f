//! 20 ms of a mix, in one channel or in two.
//!
//! in:  frames of members, and from where each is heard
//! out: their sum
//!
//! ```text
//!   left   −1 ┄┄┄┄┄┄ 0 ┄┄┄┄┄┄ 1  right        gains are cosine and sine of an eighth to a quarter turn: wherever
//!   gains  1, 0    .7, .7    0, 1             somebody sits, it is as loud (equal power)
//! ```
//!
//! Who moves is carried over within a fraction of a second, sample by sample, so that nothing clicks.

use super::opus::{FRAME, Frame};

/// Of a mix, or of what a listener decodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Channels {
    Mono,
    Stereo,
}

impl Channels {
    pub(super) fn count(self) -> usize {
        match self {
            Self::Mono => 1,
            Self::Stereo => 2,
        }
    }
}

/// See the module.
#[derive(Clone)]
pub(super) struct Mix {
    channels: Channels,
    /// Left and right; in one channel the first alone.
    frames: [Frame; 2],
}

impl Mix {
    pub(super) fn silent(channels: Channels) -> Self {
        Self { channels, frames: [[0.0; FRAME]; 2] }
    }

    pub(super) fn channels(&self) -> Channels {
        self.channels
    }

    pub(super) fn frames(&self) -> &[Frame] {
        self.frames.get(..self.channels.count()).unwrap_or_default()
    }

    pub(super) fn frames_mut(&mut self) -> &mut [Frame] {
        self.frames.get_mut(..self.channels.count()).unwrap_or_default()
    }

    pub(super) fn is_silent(&self) -> bool {
        self.frames().iter().flatten().all(|sample| *sample == 0.0)
    }

    /// Adds a frame heard from where `panner` has it.
    pub(super) fn add(&mut self, frame: &Frame, panner: &Panner) {
        match self.channels {
            Channels::Mono => {
                let [first, _] = &mut self.frames;
                first.iter_mut().zip(frame).for_each(|(sum, sample)| *sum += sample);
            }
            Channels::Stereo => panner.add(frame, &mut self.frames),
        }
    }

    /// Takes away what has been added in the same way: of a sum made of it alone nothing is left.
    pub(super) fn without(&self, own: &Self) -> Self {
        let mut rest = self.clone();
        for (sum, own) in rest.frames_mut().iter_mut().zip(own.frames()) {
            sum.iter_mut().zip(own).for_each(|(sum, sample)| *sum -= sample);
        }
        rest
    }
}

/// From one side to the other in 40 frames (0.8 s): a seat away in a fifth of it.
const STEP: f32 = 2.0 / 40.0;

/// From where somebody is heard.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Panner {
    /// At the beginning and at the end of this frame; −1 … 1.
    from: f32,
    to: f32,
    target: f32,
}

impl Panner {
    /// In thousandths.
    pub(super) fn set(&mut self, place: i16) {
        self.target = f32::from(place.clamp(-1000, 1000)) / 1000.0;
    }

    /// The next frame. While nobody hears it, it is there at once.
    pub(super) fn turn(&mut self, is_heard: bool) {
        self.from = self.to;
        if is_heard {
            self.to += (self.target - self.to).clamp(-STEP, STEP);
        } else {
            (self.from, self.to) = (self.target, self.target);
        }
    }

    fn add(&self, frame: &Frame, sums: &mut [Frame; 2]) {
        let (from, to) = (gains(self.from), gains(self.to));
        for ((sum, from), to) in sums.iter_mut().zip(from).zip(to) {
            let step = (to - from) / FRAME as f32;
            // Counted anew for each sample: steps that are summed up would end beside where the next frame begins.
            for (n, (sum, sample)) in (0_u16..).zip(sum.iter_mut().zip(frame)) {
                *sum += sample * (from + step * f32::from(n));
            }
        }
    }
}

fn gains(place: f32) -> [f32; 2] {
    let (sine, cosine) = ((place + 1.0) * std::f32::consts::FRAC_PI_4).sin_cos();
    [cosine.max(0.0), sine]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panner(place: i16) -> Panner {
        let mut panner = Panner::default();
        panner.set(place);
        panner.turn(false);
        panner
    }

    fn heard(frame: &Frame, panner: &Panner) -> [f32; 2] {
        let mut mix = Mix::silent(Channels::Stereo);
        mix.add(frame, panner);
        [0, 1].map(|side| mix.frames[side][FRAME - 1])
    }

    #[test]
    fn wherever_somebody_sits_it_is_as_loud() {
        for (place, expected) in
            [(-1000, [1.0, 0.0]), (0, [0.5_f32.sqrt(); 2]), (1000, [0.0, 1.0]), (9000, [0.0, 1.0])]
        {
            let found = heard(&[1.0; FRAME], &panner(place));
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{place}: {found:?}");
        }
        for place in -10..=10 {
            let [left, right] = heard(&[1.0; FRAME], &panner(place * 100));
            assert!((left * left + right * right - 1.0).abs() < 1e-5, "{place}");
        }
    }

    #[test]
    fn who_moves_is_carried_over_without_a_step() {
        let mut panner = panner(-1000);
        panner.set(1000);
        let mut sound = Vec::new();
        for _ in 0..50 {
            panner.turn(true);
            let mut mix = Mix::silent(Channels::Stereo);
            mix.add(&[1.0; FRAME], &panner);
            sound.extend_from_slice(&mix.frames[1]);
        }
        // But for the last bits of a float.
        assert!(sound.windows(2).all(|pair| (-1e-6..2e-4).contains(&(pair[1] - pair[0]))));
        assert!(sound[0] < 0.01 && sound[40 * FRAME] > 0.999);
    }

    #[test]
    fn of_a_mix_of_one_nothing_is_left_without_it() {
        let frame: Frame = std::array::from_fn(|n| (n as f32 * 0.01).sin());
        for channels in [Channels::Mono, Channels::Stereo] {
            let mut mix = Mix::silent(channels);
            mix.add(&frame, &panner(-300));
            assert!(!mix.is_silent());
            assert!(mix.without(&mix).is_silent());
        }
    }
}
