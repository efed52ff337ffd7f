//! Moments as they are stored.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970, UTC: what JavaScript counts in, and exact in every database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
#[sqlx(transparent)]
pub(crate) struct UnixMs(pub(crate) i64);

impl UnixMs {
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
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
