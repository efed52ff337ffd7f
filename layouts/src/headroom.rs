//! How long a responsive layout stays larger than the sources need.
//!
//! in:  the layout needed now, by its rank in its group
//! out: the rank to show
//!
//! Growing happens at once. Shrinking waits until the smaller layout has been enough for 2 s, so that one flapping
//! connection does not make the picture jump: what is shown is the largest need of the last 2 s, but never more than
//! was shown before.

use std::collections::VecDeque;

use crate::source::Millis;

/// How long a count must have fallen before the layout shrinks.
const SHRINK_AFTER_MS: u64 = 2000;

/// The needs of the last 2 s that no later one reaches: ranks fall and times grow towards the back,
/// so there are never more than there are layouts in the group. The last is the present need.
#[derive(Clone, Debug, Default)]
pub(crate) struct Headroom {
    needs: VecDeque<Need>,
}

#[derive(Clone, Copy, Debug)]
struct Need {
    rank: usize,
    /// The last moment at which it was needed.
    until: Millis,
}

impl Headroom {
    /// Notes what is needed from `now` on; `shown` is the rank shown at present, if any of this group is.
    pub(crate) fn rank(&mut self, now: Millis, needed: usize, shown: Option<usize>) -> usize {
        if let Some(present) = self.needs.back_mut() {
            present.until = now;
        }
        while self.needs.back().is_some_and(|need| need.rank <= needed) {
            self.needs.pop_back();
        }
        self.needs.push_back(Need { rank: needed, until: now });
        while self.shrinks_at().is_some_and(|then| then <= now) {
            self.needs.pop_front();
        }
        let held = self.needs.front().map_or(needed, |need| need.rank);
        shown.map_or(needed, |shown| needed.max(held.min(shown)))
    }

    /// When the present size ends unless a new need arises.
    pub(crate) fn shrinks_at(&self) -> Option<Millis> {
        match (self.needs.front(), self.needs.len()) {
            (Some(largest), 2..) => Some(largest.until.plus(SHRINK_AFTER_MS)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each step is (time, needed, rank to be shown then).
    fn check(steps: &[(u64, usize, usize)]) {
        let mut headroom = Headroom::default();
        let mut shown = None;
        for &(now, needed, expected) in steps {
            let rank = headroom.rank(Millis(now), needed, shown);
            assert_eq!(rank, expected, "at {now} of {steps:?}");
            shown = Some(rank);
        }
    }

    #[test]
    fn grows_at_once_and_shrinks_after_two_seconds() {
        check(&[(0, 1, 1), (10, 3, 3), (20, 2, 3), (2019, 2, 3), (2020, 2, 2), (9000, 2, 2)]);
    }

    #[test]
    fn a_count_that_comes_back_starts_the_wait_anew() {
        check(&[
            (0, 3, 3),
            (100, 2, 3),
            (2050, 3, 3),
            (2099, 2, 3),
            (2100, 2, 3),
            (4098, 2, 3),
            (4099, 2, 2),
        ]);
    }

    #[test]
    fn each_fall_has_its_own_wait() {
        check(&[(0, 4, 4), (100, 3, 4), (1100, 1, 4), (2100, 1, 3), (3099, 1, 3), (3100, 1, 1)]);
    }

    #[test]
    fn a_need_that_was_never_shown_is_not_held() {
        let mut headroom = Headroom::default();
        assert_eq!(headroom.rank(Millis(0), 1, None), 1);
        assert_eq!(headroom.rank(Millis(10), 2, Some(1)), 2);
        assert_eq!(headroom.rank(Millis(60), 1, Some(1)), 1);
    }
}
