//! When a rendition makes a key frame: only on demand, and many demands make one.
//!
//! in:  "somebody needs a key frame", "a key frame was made", how many legs watch
//! out: whether the next frame is to be one

use std::time::{Duration, Instant};

/// A key frame this young serves a new demand by being sent again from the cache.
pub(crate) const CACHED_MAX_AGE: Duration = Duration::from_millis(500);
/// Legs from which on one leg's losses must not spend everybody's bit rate.
const MANY_LEGS: usize = 9;
const GAP_FEW: Duration = CACHED_MAX_AGE;
const GAP_MANY: Duration = Duration::from_secs(2);

/// Demands of all legs of one rendition.
#[derive(Debug, Default)]
pub(crate) struct KeyDemand {
    wanted: bool,
    made_at: Option<Instant>,
}

impl KeyDemand {
    pub(crate) fn want(&mut self) {
        self.wanted = true;
    }

    /// Whether the frame taken now is to be a key frame.
    pub(crate) fn is_due(&self, now: Instant, legs: usize) -> bool {
        let gap = if legs >= MANY_LEGS { GAP_MANY } else { GAP_FEW };
        self.wanted && self.made_at.is_none_or(|at| now.saturating_duration_since(at) >= gap)
    }

    pub(crate) fn made(&mut self, now: Instant) {
        self.wanted = false;
        self.made_at = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_demands_make_one_key_frame_per_gap() {
        for (legs, gap) in [(1, GAP_FEW), (8, GAP_FEW), (9, GAP_MANY), (400, GAP_MANY)] {
            let start = Instant::now();
            let mut demand = KeyDemand::default();
            assert!(!demand.is_due(start, legs), "nobody asked");
            let mut made = Vec::new();
            for ms in (0..6000).step_by(33) {
                let now = start + Duration::from_millis(ms);
                demand.want();
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
