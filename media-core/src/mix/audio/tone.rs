//! The tones when somebody comes or leaves.
//!
//! in:  who wants one played
//! out: its samples, added to the mix
//!
//! ```text
//!   entry   ▁▁▃▃  D5 then A5        exit   ▃▃▁▁  A5 then D5        0.2 s each, −20 dBFS, dying away
//! ```
//!
//! They never pile up: a tone that has begun within the last second is not begun again, and of two different ones the
//! second waits for the first. So twenty who come at once sound like one.

use super::opus::{FRAME, Frame, RATE};

/// A short tone in the mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Somebody came.
    Entry,
    /// Somebody left.
    Exit,
}

/// Frequency of the lower note (D5), Hz; easily told from voices, and harsh to nobody.
const LOW: f32 = 587.33;

/// A fifth above it.
const HIGH: f32 = 880.0;

/// Samples of one note: 0.2 s.
const NOTE: usize = 10 * FRAME;

/// Samples in which a note rises from nothing, and falls to nothing at its end: 10 ms.
const EDGE: f32 = 480.0;

/// The loudest sample: −20 dBFS, below speech.
const PEAK: f32 = 0.1;

/// Share of the octave above, which makes the note a bell rather than a test tone.
const OCTAVE: f32 = 0.15;

/// A note falls to 1/e in so many samples: 0.15 s.
const DECAY: f32 = 7200.0;

/// Ticks (1 s) in which the same tone is not begun twice.
const REST: u64 = 50;

/// The tones of one room.
#[derive(Debug, Default)]
pub(super) struct Tones {
    sounding: Option<Sounding>,
    waiting: Option<Tone>,
    /// When the last one began.
    entry: Option<u64>,
    exit: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Sounding {
    tone: Tone,
    /// The next sample.
    at: usize,
}

impl Tones {
    /// Begins a tone with the next frame, or after the one that sounds, unless it was heard a moment ago.
    pub(super) fn play(&mut self, tone: Tone, tick: u64) {
        let began = match tone {
            Tone::Entry => &mut self.entry,
            Tone::Exit => &mut self.exit,
        };
        if began.is_some_and(|began| tick < began + REST) {
            return;
        }
        *began = Some(tick);
        match self.sounding {
            None => self.sounding = Some(Sounding { tone, at: 0 }),
            Some(_) => self.waiting = Some(tone),
        }
    }

    /// Nobody listens.
    pub(super) fn stop(&mut self) {
        self.sounding = None;
        self.waiting = None;
    }

    /// Adds the next 20 ms of what sounds.
    pub(super) fn add_to(&mut self, frame: &mut Frame) {
        let Some(Sounding { tone, at }) = self.sounding else { return };
        for (n, sample) in (at..).zip(frame) {
            *sample += tone.sample(n);
        }
        let at = at + FRAME;
        self.sounding = if at < 2 * NOTE {
            Some(Sounding { tone, at })
        } else {
            self.waiting.take().map(|tone| Sounding { tone, at: 0 })
        };
    }
}

impl Tone {
    fn sample(self, n: usize) -> f32 {
        let hz = match (self, n < NOTE) {
            (Self::Entry, true) | (Self::Exit, false) => LOW,
            (Self::Entry, false) | (Self::Exit, true) => HIGH,
        };
        let (n, left) = ((n % NOTE) as f32, (NOTE - n % NOTE) as f32);
        let angle = n * hz / RATE as f32 * std::f32::consts::TAU;
        let wave = (1.0 - OCTAVE) * angle.sin() + OCTAVE * (2.0 * angle).sin();
        PEAK * wave * (-n / DECAY).exp() * (n / EDGE).min(left / EDGE).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When which tone begins, asked for at these ticks.
    fn begins(asked: &[(u64, Tone)]) -> Vec<(u64, Tone)> {
        let mut tones = Tones::default();
        let mut began = Vec::new();
        for tick in 0..300 {
            asked.iter().filter(|(at, _)| *at == tick).for_each(|(_, tone)| tones.play(*tone, tick));
            if let Some(Sounding { tone, at: 0 }) = tones.sounding {
                began.push((tick, tone));
            }
            let mut frame = [0.0; FRAME];
            tones.add_to(&mut frame);
            assert!(frame.iter().all(|sample| sample.abs() <= PEAK), "two at once would be louder");
        }
        began
    }

    #[test]
    fn tones_never_pile_up() {
        use Tone::{Entry, Exit};
        let check = |name: &str, asked: &[(u64, Tone)], expected: &[(u64, Tone)]| {
            assert_eq!(begins(asked), expected, "{name}");
        };
        check("one", &[(5, Entry)], &[(5, Entry)]);
        check("twenty at once", &[(5, Entry); 20], &[(5, Entry)]);
        let crowd: Vec<_> = (0..200).map(|tick| (tick, Entry)).collect();
        check("four seconds of coming", &crowd, &[(0, Entry), (50, Entry), (100, Entry), (150, Entry)]);
        check("one comes as one leaves", &[(5, Entry), (5, Exit)], &[(5, Entry), (25, Exit)]);
        let turns = [(5, Exit), (6, Entry), (7, Exit), (8, Entry)];
        check("in turns", &turns, &[(5, Exit), (25, Entry)]);
        check("after a second", &[(5, Exit), (55, Exit)], &[(5, Exit), (55, Exit)]);
    }

    #[test]
    fn a_tone_that_nobody_hears_is_over() {
        let mut tones = Tones::default();
        tones.play(Tone::Entry, 0);
        tones.play(Tone::Exit, 0);
        tones.stop();
        let mut frame = [0.0; FRAME];
        tones.add_to(&mut frame);
        assert_eq!(frame, [0.0; FRAME]);
    }
}
