//! Moments as they are stored.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970, UTC: what JavaScript counts in, and exact in every database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
#[sqlx(transparent)]
pub(crate) struct UnixMs(pub(crate) i64);

impl UnixMs {
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// How long until then; nothing when it has passed.
    pub(crate) fn until(self, then: Self) -> Duration {
        Duration::from_millis(u64::try_from(then.0.saturating_sub(self.0)).unwrap_or(0))
    }

    pub(crate) fn after(self, pause: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX)))
    }

    /// From what events carry.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "a float saturates, and milliseconds fit until year 287396"
    )]
    pub(crate) fn from_seconds(unix_s: f64) -> Self {
        Self((unix_s * 1000.0).round() as i64)
    }
}
