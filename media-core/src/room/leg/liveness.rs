//! Whether anybody is still at the other end of a leg.
//!
//! in:  when the last authenticated packet came
//! out: each change of [`Liveness`], once

use std::time::{Duration, Instant};

use crate::room::Liveness;

/// The picture becomes a stand-in.
const STALE: Duration = Duration::from_secs(5);
/// The member leaves if it has no socket either.
const SILENT: Duration = Duration::from_secs(15);
/// The leg is ended even with a socket.
const GONE: Duration = Duration::from_secs(30);

/// Remembers what was told last.
pub(crate) struct Watch {
    told: Liveness,
}

impl Default for Watch {
    fn default() -> Self {
        Self { told: Liveness::Alive }
    }
}

impl Watch {
    pub(crate) fn now(&self) -> Liveness {
        self.told
    }

    /// The new state, if it is another than before.
    pub(crate) fn update(&mut self, now: Instant, heard: Instant) -> Option<Liveness> {
        let liveness = match now.saturating_duration_since(heard) {
            silence if silence >= GONE => Liveness::Gone,
            silence if silence >= SILENT => Liveness::Silent,
            silence if silence >= STALE => Liveness::Stale,
            _ => Liveness::Alive,
        };
        (std::mem::replace(&mut self.told, liveness) != liveness).then_some(liveness)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_of_silence_is_told_once() {
        let heard = Instant::now();
        let mut watch = Watch::default();
        let told: Vec<(u64, Liveness)> =
            (0..40).filter_map(|s| Some((s, watch.update(heard + Duration::from_secs(s), heard)?))).collect();
        assert_eq!(told, [(5, Liveness::Stale), (15, Liveness::Silent), (30, Liveness::Gone)]);
        let later = heard + Duration::from_secs(41);
        assert_eq!(watch.update(later, later), Some(Liveness::Alive));
        assert_eq!(watch.update(later, later), None);
    }
}
