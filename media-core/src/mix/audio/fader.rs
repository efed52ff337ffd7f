//! How loud something is: a volume that may change at any time without a click.
//!
//! in:  frames, the volume wanted
//! out: the same frames at that volume
//!
//! ```text
//!   volume  −50      −40  …  −20 … −6 … −1   0   +1 …  +6 … +20  …  +50
//!   gain    silence  −40 dB  −20   −6   −1   as  +1    +6   +20     +50 dB
//!                                            it came
//! ```
//!
//! A step is 1 dB, the smallest change one notices: so equal ways on a slider sound equally large. A change takes one
//! frame; what is made too loud for full scale is limited here, before it is added to others, who must not become
//! quieter for it.

use super::guard::{self, Guard};
use super::opus::{FRAME, Frame};

/// Steps of 1 dB within −50 … 50; −50 is silence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Volume(i8);

impl Volume {
    /// Nothing is heard.
    pub const SILENT: Self = Self(Self::LOWEST);

    const LOWEST: i8 = -50;

    const HIGHEST: i8 = 50;

    /// The volume nearest to this many steps.
    #[must_use]
    pub fn saturating(steps: i8) -> Self {
        Self(steps.clamp(Self::LOWEST, Self::HIGHEST))
    }

    /// Whether nothing is heard.
    pub(super) fn is_silent(self) -> bool {
        self == Self::SILENT
    }

    /// Factor for samples; exactly 1 at 0.
    pub(super) fn gain(self) -> f32 {
        match self.0 {
            0 => 1.0,
            Self::LOWEST => 0.0,
            steps => 10_f32.powf(f32::from(steps) / 20.0),
        }
    }
}

/// One fader.
#[derive(Clone, Debug)]
pub(super) struct Fader {
    volume: Volume,
    /// Wanted.
    gain: f32,
    /// At the end of the last frame.
    reached: f32,
    /// Of what is made louder than it came.
    guard: Guard,
}

impl Fader {
    pub(super) fn at(volume: Volume) -> Self {
        let gain = volume.gain();
        Self { volume, gain, reached: gain, guard: Guard::default() }
    }

    /// From the next frame on.
    pub(super) fn set(&mut self, volume: Volume) {
        self.volume = volume;
        self.gain = volume.gain();
    }

    pub(super) fn volume(&self) -> Volume {
        self.volume
    }

    /// What frames are multiplied with, if that makes them louder.
    pub(super) fn boost(&self) -> f32 {
        self.gain.max(1.0)
    }

    /// Takes the channels of one frame. At volume 0 they stay as they are, bit for bit.
    pub(super) fn apply(&mut self, frames: &mut [Frame]) {
        if self.reached == self.gain {
            self.hold(frames);
        } else {
            self.slide(frames);
        }
    }

    /// Nobody can hear this frame: the volume is there at once.
    pub(super) fn rest(&mut self) {
        self.reached = self.gain;
        self.guard = Guard::default();
    }

    fn hold(&mut self, frames: &mut [Frame]) {
        if self.gain == 1.0 {
            return;
        }
        frames.iter_mut().flatten().for_each(|sample| *sample *= self.gain);
        if self.gain > 1.0 {
            self.guard.apply(frames);
        }
    }

    /// Straight from what was heard to what this frame bears.
    fn slide(&mut self, frames: &mut [Frame]) {
        let from = self.reached * self.guard.gain();
        self.guard = if self.gain > 1.0 { Guard::fit(frames, self.gain) } else { Guard::default() };
        let step = (self.gain * self.guard.gain() - from) / FRAME as f32;
        for frame in frames {
            let mut at = from;
            for sample in frame {
                at += step;
                *sample = guard::bend(*sample * at);
            }
        }
        self.reached = self.gain;
    }
}
