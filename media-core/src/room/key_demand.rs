//! When a rendition makes a key frame: only on demand, and many demands make one.
//!
//! in:  "somebody needs a key frame", "a key frame was made", how many legs watch
//! out: whether the next frame is to be one
//!
//! Who begins to watch is served as soon as a young key frame could not have served; who has lost something must let the
//! others be, when they are many.

use std::time::{Duration, Instant};

/// A key frame this young serves a new demand by being sent again from the cache.
pub(crate) const CACHED_MAX_AGE: Duration = Duration::from_millis(500);
/// Legs from which on one leg's losses must not spend everybody's bit rate.
const MANY_LEGS: usize = 9;
const GAP_FEW: Duration = CACHED_MAX_AGE;
const GAP_MANY: Duration = Duration::from_secs(2);

/// So many legs that a key frame for one of them is too dear for the others.
pub(crate) fn is_many(legs: usize) -> bool {
    legs >= MANY_LEGS
}

/// Demands of all legs of one rendition.
#[derive(Debug, Default)]
pub(crate) struct KeyDemand {
    wanted: Option<Demand>,
    made_at: Option<Instant>,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Demand {
    /// A viewer who lost more than can be mended.
    Loss,
    /// A viewer who has seen nothing yet.
    Newcomer,
    /// A viewer whose picture came from elsewhere and has ended there: it stands still until the key frame.
    Returning,
}

impl KeyDemand {
    pub(crate) fn want(&mut self, demand: Demand) {
        self.wanted = self.wanted.max(Some(demand));
    }

    /// Whether the frame taken now is to be a key frame.
    pub(crate) fn is_due(&self, now: Instant, legs: usize) -> bool {
        let gap = match self.wanted {
            None => return false,
            Some(Demand::Loss) if is_many(legs) => GAP_MANY,
            Some(Demand::Loss | Demand::Newcomer) => GAP_FEW,
            Some(Demand::Returning) => Duration::ZERO,
        };
        self.made_at.is_none_or(|at| now.saturating_duration_since(at) >= gap)
    }

    pub(crate) fn made(&mut self, now: Instant) {
        self.wanted = None;
        self.made_at = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_demands_make_one_key_frame_per_gap() {
        use Demand::{Loss, Newcomer};
        for (legs, who, gap) in [
            (1, Loss, GAP_FEW),
            (8, Loss, GAP_FEW),
            (9, Loss, GAP_MANY),
            (400, Loss, GAP_MANY),
            (400, Newcomer, GAP_FEW),
        ] {
            let start = Instant::now();
            let mut demand = KeyDemand::default();
            assert!(!demand.is_due(start, legs), "nobody asked");
            let mut made = Vec::new();
            for ms in (0..6000).step_by(33) {
                let now = start + Duration::from_millis(ms);
                demand.want(who);
                demand.want(Loss);
                if demand.is_due(now, legs) {
                    demand.made(now);
                    made.push(now);
                }
            }
            assert!(made.windows(2).all(|pair| pair[1] - pair[0] >= gap), "{legs} legs");
            assert!(made.len() >= usize::try_from(6000 / (gap.as_millis() + 33)).unwrap(), "{legs} legs");
        }
    }
}
