//! When a shard asks others for help, and when it lets them go.
//!
//! in:  how long each turn took; how busy the others are
//! out: who begins to help, who ends
//!
//! ```text
//!            busier than `above` for a window, somebody has time
//!   alone ──────────────────────────────────────────────────────► helped
//!      ▲                                                            │
//!      └── less than half of that for two seconds, or the helper is full itself
//! ```
//!
//! A turn's time counts, not its CPU time: a shard that waits for a core is late as well.

use std::time::{Duration, Instant};

/// Over which the share of time is taken: some pictures, so that one burst is not yet a load.
const WINDOW: Duration = Duration::from_millis(200);
/// A helper may be busy with its own for this part of its time when it begins, in percent …
const HELPS_BELOW: u8 = 50;
/// … and is no help beyond this.
const FULL: u8 = 90;
/// Quiet for so long before a helper is let go.
const QUIET: Duration = Duration::from_secs(2);
/// So long after a helper was full itself nobody is asked again.
const REST: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub(super) struct Load {
    /// Percent of time; nobody is asked up to this.
    above: u8,
    window_began: Instant,
    busy: Duration,
    total: Duration,
    quiet_since: Option<Instant>,
    rests_until: Option<Instant>,
}

/// What a shard does about its load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// This one helps, too.
    Begin(usize),
    /// This one helps no more.
    End(usize),
}

impl Load {
    pub(super) fn new(now: Instant, above: u8) -> Self {
        Self {
            above,
            window_began: now,
            busy: Duration::ZERO,
            total: Duration::ZERO,
            quiet_since: None,
            rests_until: None,
        }
    }

    /// A turn is over; gives how busy the shard was, in percent, when a window is.
    pub(super) fn after_turn(&mut self, began: Instant, ended: Instant) -> Option<u8> {
        let spent = ended.saturating_duration_since(began);
        self.busy += spent;
        self.total += spent;
        let window = ended.saturating_duration_since(self.window_began);
        if window < WINDOW {
            return None;
        }
        let percent = self.busy.as_nanos() * 100 / window.as_nanos().max(1);
        self.window_began = ended;
        self.busy = Duration::ZERO;
        Some(u8::try_from(percent).unwrap_or(100).min(100))
    }

    /// Time of all turns.
    pub(super) fn total(&self) -> Duration {
        self.total
    }

    /// A window is over: `mine` percent busy here, `others` there, of whom the `active` help.
    pub(super) fn advise(
        &mut self,
        now: Instant,
        mine: u8,
        others: impl Fn(usize) -> u8,
        count: usize,
        active: &[usize],
    ) -> Option<Change> {
        if let Some(full) = active.iter().copied().find(|helper| others(*helper) >= FULL && mine < FULL) {
            self.rests_until = Some(now + REST);
            return Some(Change::End(full));
        }
        if mine > self.above {
            self.quiet_since = None;
            if self.rests_until.is_some_and(|until| now < until) {
                return None;
            }
            let idle = (0..count).filter(|helper| !active.contains(helper) && others(*helper) < HELPS_BELOW);
            return idle.min_by_key(|helper| others(*helper)).map(Change::Begin);
        }
        if mine >= self.above / 2 {
            self.quiet_since = None;
            return None;
        }
        let quiet_since = *self.quiet_since.get_or_insert(now);
        if now.saturating_duration_since(quiet_since) < QUIET {
            return None;
        }
        // One at a time: each one less is more work here.
        self.quiet_since = None;
        active.last().copied().map(Change::End)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_share_of_a_window_is_taken() {
        let start = Instant::now();
        let mut load = Load::new(start, 60);
        // 7 of 10 ms, each time.
        let windows: Vec<u8> = (0..40)
            .filter_map(|turn| load.after_turn(start + 10 * MS * turn, start + 10 * MS * turn + 7 * MS))
            .collect();
        assert_eq!(windows.len(), 1, "the second window is not over yet");
        assert!((69..=71).contains(&windows[0]), "{windows:?}");
        assert_eq!(load.total(), 280 * MS);
    }

    #[test]
    fn help_begins_one_by_one_and_ends_after_a_while_of_quiet() {
        let mut now = Instant::now();
        let mut load = Load::new(now, 60);
        let mut active: Vec<usize> = Vec::new();
        let mut step = |mine: u8, others: [u8; 3]| {
            now += WINDOW;
            let change = load.advise(now, mine, |helper| others[helper], 3, &active);
            match change {
                Some(Change::Begin(helper)) => active.push(helper),
                Some(Change::End(helper)) => active.retain(|active| *active != helper),
                None => {}
            }
            change
        };
        assert_eq!(step(60, [0, 0, 0]), None, "not above");
        assert_eq!(step(61, [40, 20, 55]), Some(Change::Begin(1)), "who has most time");
        assert_eq!(step(80, [40, 45, 55]), Some(Change::Begin(0)));
        assert_eq!(step(99, [60, 60, 55]), None, "nobody else has time");
        assert_eq!(step(40, [60, 60, 55]), None, "between");
        let ended: Vec<_> = (0..40).filter_map(|_| step(10, [10, 10, 10])).collect();
        assert_eq!(ended, [Change::End(0), Change::End(1)]);
    }

    #[test]
    fn a_helper_that_is_full_itself_is_let_go_and_not_asked_at_once() {
        let now = Instant::now();
        let mut load = Load::new(now, 60);
        assert_eq!(load.advise(now, 70, |_| 95, 1, &[0]), Some(Change::End(0)));
        assert_eq!(load.advise(now + WINDOW, 70, |_| 10, 1, &[]), None);
        assert_eq!(load.advise(now + REST, 70, |_| 10, 1, &[]), Some(Change::Begin(0)));
        // When both are full it is no worse there than here.
        assert_eq!(load.advise(now + REST, 95, |_| 95, 1, &[0]), None);
    }

    #[test]
    fn above_nothing_everybody_helps_and_above_all_nobody() {
        let now = Instant::now();
        assert_eq!(Load::new(now, 0).advise(now, 1, |_| 0, 1, &[]), Some(Change::Begin(0)));
        assert_eq!(Load::new(now, 0).advise(now + 2 * QUIET, 0, |_| 0, 1, &[0]), None);
        assert_eq!(Load::new(now, 100).advise(now, 100, |_| 0, 1, &[]), None);
    }
}
