//! When a message that failed is tried again, and when it is given up.
//!
//! in:  failures so far, age, what the receiver asked for, a random number
//! out: a pause, or the end
//!
//! | failure | 1 | 2 | 3 | 4 | 5 | 6 | 7 and more |
//! |---|---|---|---|---|---|---|---|
//! | pause with `first_retry_ms = 5000` | 5 s | 15 s | 45 s | 2 min | 7 min | 20 min | 1 h |
//!
//! Each pause is shortened by up to a quarter at random, so that messages which failed together do not return together.

use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::endpoint::Patience;

/// Longest pause; also the longest that a receiver can ask for.
const LONGEST: Duration = Duration::from_secs(3600);

/// The pause after so many failures, the last one included; `None`: no more. `random` is evenly spread over all values.
pub(super) fn pause(
    patience: Patience,
    failures: u32,
    age: Duration,
    asked: Option<Duration>,
    random: u16,
) -> Option<Duration> {
    if age >= patience.whole {
        return None;
    }
    let factor = 3_u32.saturating_pow(failures.saturating_sub(1));
    let grown = patience.first.saturating_mul(factor).min(LONGEST);
    let shortened = grown - grown / 4 * u32::from(random) / (u32::from(u16::MAX));
    Some(shortened.max(asked.unwrap_or_default().min(LONGEST)))
}

/// `Retry-After`: seconds or a moment (RFC 9110 §10.2.3). `None` when it says nothing.
pub(super) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let moment = SystemTime::from(OffsetDateTime::parse(value.trim(), &Rfc2822).ok()?);
    Some(moment.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience =
        Patience { first: Duration::from_secs(5), whole: Duration::from_secs(24 * 3600) };

    fn seconds(failures: u32, random: u16) -> u64 {
        pause(PATIENCE, failures, Duration::ZERO, None, random).unwrap().as_secs()
    }

    #[test]
    fn pauses_grow_up_to_an_hour() {
        let pauses: Vec<u64> = [1, 2, 3, 4, 5, 6, 7, 8, 100, u32::MAX].map(|n| seconds(n, 0)).into();
        assert_eq!(pauses, [5, 15, 45, 135, 405, 1215, 3600, 3600, 3600, 3600]);
        assert_eq!((seconds(7, u16::MAX), seconds(7, u16::MAX / 2)), (2700, 3150));
    }

    #[test]
    fn a_receiver_may_ask_for_more_and_never_for_less() {
        let asked =
            |s| pause(PATIENCE, 2, Duration::ZERO, Some(Duration::from_secs(s)), 0).unwrap().as_secs();
        assert_eq!((asked(0), asked(60), asked(1_000_000)), (15, 60, 3600));
    }

    #[test]
    fn an_old_message_is_given_up() {
        assert_eq!(pause(PATIENCE, 3, PATIENCE.whole, None, 0), None);
        assert!(pause(PATIENCE, 3, PATIENCE.whole - Duration::from_secs(1), None, 0).is_some());
    }

    #[test]
    fn retry_after_in_both_forms() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (value, expected) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:49:27 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, now), expected.map(Duration::from_secs), "{value}");
        }
    }
}
