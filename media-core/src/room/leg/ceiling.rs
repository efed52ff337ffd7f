//! How much a camera is asked to send at the most, where only canvases show it (REMB).
//!
//! in:  what the place it is shown in deserves; time
//! out: the ceiling, when it is to be told
//!
//! More is asked for at once, less after a while: a layout that is changed back finds the camera as it was. There is no
//! acknowledgement, so what is in force is told again and again.

use std::time::{Duration, Instant};

use crate::units::Bitrate;

/// Less has been enough for so long before it is asked for.
const LINGER: Duration = Duration::from_secs(3);
/// What is in force is told this often.
const AGAIN: Duration = Duration::from_secs(1);
/// As much as you like.
const NONE: Bitrate = Bitrate::kbps(100_000);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ceiling {
    /// `None` until there was one.
    rate: Option<Bitrate>,
    less_since: Option<Instant>,
    told_at: Option<Instant>,
}

impl Ceiling {
    /// What is enough from now on; `None`: whatever it can.
    pub(super) fn set(&mut self, now: Instant, enough: Option<Bitrate>) {
        let current = self.rate.unwrap_or(NONE);
        let enough = enough.unwrap_or(NONE);
        if enough >= current {
            self.less_since = None;
        }
        let mut lingered = || now.saturating_duration_since(*self.less_since.get_or_insert(now)) >= LINGER;
        if enough > current || (enough < current && lingered()) {
            *self = Self { rate: Some(enough), ..Self::default() };
        }
    }

    /// What is to be told now, if anything.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Bitrate> {
        let rate = self.rate?;
        let is_due = self.told_at.is_none_or(|at| now.saturating_duration_since(at) >= AGAIN);
        if is_due {
            self.told_at = Some(now);
        }
        is_due.then_some(rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_at_once_and_less_after_a_while() {
        let start = Instant::now();
        let mut ceiling = Ceiling::default();
        let mut told = Vec::new();
        for tenth in 0..120_u32 {
            let now = start + Duration::from_millis(100) * tenth;
            let enough = match tenth {
                0..10 => None,
                // A glance at another layout.
                30..35 => Some(900),
                10..60 => Some(500),
                60..80 => Some(900),
                _ => None,
            };
            ceiling.set(now, enough.map(Bitrate::kbps));
            told.extend(ceiling.poll(now).map(|rate| (tenth, rate.0 / 1000)));
        }
        let free = NONE.0 / 1000;
        assert_eq!(
            told,
            [(40, 500), (50, 500), (60, 900), (70, 900), (80, free), (90, free), (100, free), (110, free)]
        );
    }
}
