//! When the codec workers have too much to do, and when they have time again.
//!
//! in:  how long work waited, and how busy the workers were, window by window
//! out: what is to be left out
//!
//! ```text
//!            two windows in which work waited too long        calm for a while
//!   Shed n ────────────────────────────────────────► n + 1 ─────────────────────► n
//! ```
//!
//! What is taken back must not be given up again at once: when that happens, calm has to last twice as long the next time.

use std::time::{Duration, Instant};

use crate::room::Shed;

/// Work that waits longer than this on average is late: half a frame at 20 frames a second.
const LATE: Duration = Duration::from_millis(25);
/// … and so little that there is time left.
const PROMPT: Duration = Duration::from_millis(6);
/// Windows in a row, so that one burst of joins is no overload.
const LATE_WINDOWS: u8 = 2;
/// Workers less busy than this, in percent, could bear more.
const HAS_TIME_BELOW: u8 = 65;
/// Calm lasts so long before anything is taken back …
const HOLD: Duration = Duration::from_secs(3);
/// … and this long at most, when that was too much.
const HOLD_MAX: Duration = Duration::from_secs(48);
/// What was taken back and is borne for so long was right.
const PROVEN: Duration = Duration::from_secs(10);

/// What happened in a window.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// How long decoding, composing and encoding waited for a worker, on average.
    pub waited: Duration,
    /// How much of their time the workers were busy.
    pub busy_percent: u8,
}

/// See the module.
#[derive(Debug)]
pub struct Overload {
    shed: Shed,
    late_windows: u8,
    calm_since: Option<Instant>,
    hold: Duration,
    taken_back_at: Option<Instant>,
}

impl Default for Overload {
    fn default() -> Self {
        Self { shed: Shed::Nothing, late_windows: 0, calm_since: None, hold: HOLD, taken_back_at: None }
    }
}

impl Overload {
    /// What is left out now.
    #[must_use]
    pub fn shed(&self) -> Shed {
        self.shed
    }

    /// A window is over.
    pub fn observe(&mut self, now: Instant, window: Window) {
        let since_taken_back = self.taken_back_at.map(|at| now.saturating_duration_since(at));
        if window.waited > LATE {
            self.calm_since = None;
            self.late_windows += 1;
            if self.late_windows >= LATE_WINDOWS {
                self.late_windows = 0;
                self.shed = self.shed.more();
                if since_taken_back.is_some_and(|since| since < PROVEN) {
                    self.hold = (self.hold * 2).min(HOLD_MAX);
                }
                self.taken_back_at = None;
            }
            return;
        }
        self.late_windows = 0;
        if since_taken_back.is_some_and(|since| since >= PROVEN) {
            self.hold = HOLD;
        }
        if window.waited > PROMPT || window.busy_percent >= HAS_TIME_BELOW || self.shed == Shed::Nothing {
            self.calm_since = None;
            return;
        }
        let since = *self.calm_since.get_or_insert(now);
        if now.saturating_duration_since(since) >= self.hold {
            self.calm_since = None;
            self.shed = self.shed.less();
            self.taken_back_at = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_millis(500);
    const LATE_ONE: Window = Window { waited: Duration::from_millis(40), busy_percent: 100 };
    const CALM: Window = Window { waited: Duration::from_millis(1), busy_percent: 40 };
    const BETWEEN: Window = Window { waited: Duration::from_millis(10), busy_percent: 80 };

    /// Levels after each window.
    fn levels(overload: &mut Overload, now: &mut Instant, window: Window, count: usize) -> Vec<u8> {
        let mut step = || {
            *now += WINDOW;
            overload.observe(*now, window);
            overload.shed().level()
        };
        (0..count).map(|_| step()).collect()
    }

    #[test]
    fn one_thing_after_the_other_is_left_out_and_taken_back() {
        let (mut it, mut now) = (Overload::default(), Instant::now());
        assert_eq!(levels(&mut it, &mut now, LATE_ONE, 1), [0]);
        assert_eq!(levels(&mut it, &mut now, CALM, 1), [0], "a burst");
        assert_eq!(levels(&mut it, &mut now, LATE_ONE, 10), [0, 1, 1, 2, 2, 3, 3, 4, 4, 4]);
        assert_eq!(levels(&mut it, &mut now, BETWEEN, 100), [4; 100], "no calm");
        assert_eq!(levels(&mut it, &mut now, CALM, 7), [4, 4, 4, 4, 4, 4, 3]);
        assert_eq!(levels(&mut it, &mut now, CALM, 21).last(), Some(&0));
    }

    #[test]
    fn what_was_taken_back_too_early_is_tried_again_later_each_time() {
        let (mut it, mut now) = (Overload::default(), Instant::now());
        levels(&mut it, &mut now, LATE_ONE, 2);
        let mut waits = Vec::new();
        for _ in 0..6 {
            let mut calm = 0;
            while it.shed() == Shed::Previews {
                levels(&mut it, &mut now, CALM, 1);
                calm += 1;
            }
            waits.push(calm);
            levels(&mut it, &mut now, LATE_ONE, 2);
        }
        assert_eq!(waits, [7, 13, 25, 49, 97, 97]);
        // Borne for a while: it begins anew.
        levels(&mut it, &mut now, CALM, 200);
        levels(&mut it, &mut now, LATE_ONE, 2);
        assert_eq!(levels(&mut it, &mut now, CALM, 7).last(), Some(&0));
    }
}
