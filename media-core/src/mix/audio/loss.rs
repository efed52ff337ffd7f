//! How much redundancy an encode carries: for the worst of those who hear it.
//!
//! in:  what each listener reports to have lost
//! out: the loss an encoder is to expect, in steps of 5 %
//!
//! More is followed at once. Less is believed after ten seconds, because losses come in bursts and reports are rare.

use super::opus::EXPECTED_LOSS_PERCENT;

/// More redundancy than for this costs all listeners more than it helps the worst one.
const MOST: u8 = 20;

/// An encoder is not told of less.
const STEP: u8 = 5;

/// Ticks (10 s) for which a loss counts.
const REMEMBERED: u64 = 500;

/// What one listener loses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loss {
    percent: u8,
    until: u64,
}

impl Loss {
    /// Nothing is known yet.
    pub(super) fn unknown() -> Self {
        Self { percent: EXPECTED_LOSS_PERCENT, until: 0 }
    }

    /// A report has come.
    pub(super) fn report(&mut self, percent: u8, tick: u64) {
        if percent >= self.percent || tick >= self.until {
            *self = Self { percent, until: tick + REMEMBERED };
        }
    }

    /// What redundancy is to be made for.
    pub(super) fn expected(self) -> u8 {
        self.percent.min(MOST).next_multiple_of(STEP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_followed_at_once_and_less_after_ten_seconds() {
        let mut loss = Loss::unknown();
        assert_eq!(loss.expected(), 10);
        loss.report(0, 1);
        assert_eq!(loss.expected(), 0);
        loss.report(1, 2);
        assert_eq!(loss.expected(), 5);
        loss.report(60, 3);
        assert_eq!(loss.expected(), 20);
        loss.report(2, 502);
        assert_eq!(loss.expected(), 20);
        loss.report(2, 503);
        assert_eq!(loss.expected(), 5);
    }
}
