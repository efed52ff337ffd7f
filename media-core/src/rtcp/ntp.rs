//! NTP timestamps, RFC 3550 §4.
//!
//! in:  one pair of local time and wall-clock time, given by whoever may read clocks
//! out: NTP time of any instant, round trips

use std::time::{Duration, Instant};

/// Seconds from 1900 to 1970.
const UNIX_EPOCH: u64 = 2_208_988_800;

/// Seconds since 1900 in 32.32 fixed point; wraps in 2036, so only differences count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// The middle 32 bits: what a report block echoes, in units of 1/65536 s.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "the middle 32 bits are meant")]
    pub fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

/// Tells NTP time without reading a clock.
#[derive(Clone, Copy, Debug)]
pub struct NtpClock {
    at: Instant,
    ntp: u64,
}

impl NtpClock {
    /// `now` is `since_unix_epoch` on the wall clock. One clock serves all senders of a process, so that their
    /// reports agree (lip sync), and it does not follow later steps of the wall clock.
    #[must_use]
    pub fn new(now: Instant, since_unix_epoch: Duration) -> Self {
        let seconds = since_unix_epoch.as_secs().wrapping_add(UNIX_EPOCH);
        Self { at: now, ntp: (seconds << 32).wrapping_add(fraction(since_unix_epoch.subsec_nanos())) }
    }

    /// NTP time of an instant, also of one before the clock was made.
    #[must_use]
    pub fn at(&self, instant: Instant) -> NtpTime {
        let after = fixed(instant.saturating_duration_since(self.at));
        let before = fixed(self.at.saturating_duration_since(instant));
        NtpTime(self.ntp.wrapping_add(after).wrapping_sub(before))
    }
}

/// A duration in 16.16 fixed point as in report blocks.
#[allow(clippy::cast_possible_truncation, reason = "wraps after 18 hours, which no report block spans")]
pub(crate) fn short(duration: Duration) -> u32 {
    (fixed(duration) >> 16) as u32
}

/// The duration of 16.16 fixed point seconds.
pub(crate) fn from_short(units: u32) -> Duration {
    Duration::from_nanos((u64::from(units) * 1_000_000_000) >> 16)
}

fn fixed(duration: Duration) -> u64 {
    (duration.as_secs() << 32).wrapping_add(fraction(duration.subsec_nanos()))
}

fn fraction(nanos: u32) -> u64 {
    (u64::from(nanos) << 32) / 1_000_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_time_in_both_directions() {
        let now = Instant::now();
        let clock = NtpClock::new(now, Duration::from_secs(10));
        assert_eq!(clock.at(now).0, (UNIX_EPOCH + 10) << 32);
        assert_eq!(clock.at(now + Duration::from_millis(1500)).0, ((UNIX_EPOCH + 11) << 32) + (1 << 31));
        assert_eq!(clock.at(now - Duration::from_millis(500)).0, ((UNIX_EPOCH + 9) << 32) + (1 << 31));
        assert_eq!(NtpTime(0x1234_5678_9abc_def0).middle(), 0x5678_9abc);
    }

    #[test]
    fn short_format() {
        assert_eq!(short(Duration::from_millis(500)), 0x8000);
        assert_eq!(from_short(0x0001_8000), Duration::from_millis(1500));
        assert_eq!(from_short(u32::MAX).as_secs(), 65535);
    }
}
