//! Time as an argument: a monotonic moment for deadlines, the same moment as wall clock for timestamps on the wire.

use std::time::{Duration, Instant};

/// The moment of a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Now {
    /// For deadlines.
    pub at: Instant,
    /// Seconds since 1970, with fractions: what the wire carries.
    pub unix_s: f64,
}

impl Now {
    /// The moment at which the wall clock will show `unix_s`; now when that has passed or is no number.
    pub(crate) fn when_unix(self, unix_s: f64) -> Instant {
        // A century bounds what a token can ask for; Instant arithmetic beyond it could overflow.
        const CENTURY_S: f64 = 3.2e9;
        let ahead = unix_s - self.unix_s;
        if ahead > 0.0 { self.at + Duration::from_secs_f64(ahead.min(CENTURY_S)) } else { self.at }
    }
}
