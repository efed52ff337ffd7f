//! How fast a client may ask.
//!
//! in:  requests, time
//! out: whether each is worth a look
//!
//! A request can become an event for everybody in the room, so its price is not its sender's alone. Beyond the pace it
//! is answered with an error at once and nobody else hears of it.

use std::time::{Duration, Instant};

use crate::grant::Authority;

/// A page that joins sends some dozens, then a few for each press of a button.
const MEMBER_EVERY: Duration = Duration::from_millis(20);

/// A server of the project works for many rooms.
const SERVER_EVERY: Duration = Duration::from_millis(1);

/// Requests at once after a pause, as time at the pace: 200 of a member, 4000 of a server.
const BURST: Duration = Duration::from_secs(4);

/// A token bucket, kept as the moment at which it will be full again.
#[derive(Debug)]
pub(super) struct Pace {
    every: Duration,
    full_at: Option<Instant>,
}

impl Pace {
    pub(super) fn of(authority: &Authority) -> Self {
        let every = match authority {
            Authority::Room(_) => MEMBER_EVERY,
            Authority::Project(_) => SERVER_EVERY,
        };
        Self { every, full_at: None }
    }

    /// Whether there is room for one more; takes it when so.
    pub(super) fn admits(&mut self, now: Instant) -> bool {
        let next = self.full_at.map_or(now, |full_at| full_at.max(now)) + self.every;
        let admitted = next <= now + BURST;
        if admitted {
            self.full_at = Some(next);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::{ProjectGrant, RoomGrant};
    use crate::ids::ProjectId;

    fn admitted(pace: &mut Pace, now: Instant, tries: u32) -> u32 {
        (0..tries).map(|_| u32::from(pace.admits(now))).sum()
    }

    #[test]
    fn a_burst_then_the_pace() {
        let member = Authority::Room(RoomGrant::new(ProjectId::new("p"), "room", "Alice"));
        let server = Authority::Project(ProjectGrant { project: ProjectId::new("p") });
        for (authority, burst, per_s) in [(member, 200, 50), (server, 4000, 1000)] {
            let mut pace = Pace::of(&authority);
            let start = Instant::now();
            assert_eq!(admitted(&mut pace, start, 10_000), burst);
            assert_eq!(admitted(&mut pace, start + Duration::from_secs(1), 10_000), per_s);
            assert_eq!(admitted(&mut pace, start + Duration::from_secs(2), per_s / 2), per_s / 2);
            // However long the pause, no more than the burst.
            assert_eq!(admitted(&mut pace, start + Duration::from_secs(3600), 10_000), burst);
        }
    }
}
