//! How many listen, and for how long audience alone keeps a room.
//!
//! `video.room.audience_count` goes out at most once per second when the number changes, and every 30 s.
//!
//! Audience may come before the first member, and stays for a while after the last: a page that is opened early waits
//! in the room, and a host who comes back within a minute finds everybody. A room in which somebody is only on the way
//! to be a member is not without members.

use std::time::{Duration, Instant};

use super::RoomSession;
use super::participant::{Participant, Role};
use crate::clock::Now;
use crate::event::EventKind;
use crate::wire::room::AudienceCountBody;

/// A crowd comes in at once: it is counted once.
const SETTLES_IN: Duration = Duration::from_secs(1);
/// Whoever missed a change hears the number again.
const REPEATED_EVERY: Duration = Duration::from_secs(30);
/// How early audience may come.
const BEFORE_THE_FIRST_MEMBER: Duration = Duration::from_secs(3600);
/// How long it stays when the last member has left.
const AFTER_THE_LAST_MEMBER: Duration = Duration::from_secs(60);

/// What clients know of the number, and when they hear of it next.
#[derive(Debug, Default)]
pub(super) struct AudienceCount {
    told: usize,
    changed: Option<Instant>,
    repeat: Option<Instant>,
    /// Somebody has been a member.
    had_members: bool,
    /// Nobody is: the room ends then.
    alone: Option<Instant>,
}

impl AudienceCount {
    /// The room has begun.
    pub(super) fn begin(&mut self, now: Now) {
        self.repeat = Some(now.at + REPEATED_EVERY);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        [self.changed, self.repeat, self.alone].into_iter().flatten().min()
    }
}

impl RoomSession {
    pub(super) fn audience_count(&self) -> usize {
        self.participants.iter().filter(|person| person.is_in() && person.role == Role::Audience).count()
    }

    /// Somebody became audience, or is it no longer.
    pub(super) fn audience_changed(&mut self, now: Now) {
        self.audience.changed.get_or_insert(now.at + SETTLES_IN);
    }

    pub(super) fn on_audience_time(&mut self, now: Now) {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now.at);
        let changed = is_due(self.audience.changed);
        if changed {
            self.audience.changed = None;
        }
        let total = self.audience_count();
        if is_due(self.audience.repeat) || (changed && total != self.audience.told) {
            self.audience.told = total;
            self.audience.repeat = Some(now.at + REPEATED_EVERY);
            let to = self.all();
            self.emit(now, to, EventKind::AudienceCount, None, AudienceCountBody { total });
        }
    }

    /// Whether audience has been alone for too long.
    pub(super) fn is_without_members_for_long(&mut self, now: Now) -> bool {
        let mut members = self.participants.iter().filter(|person| person.role == Role::Member).peekable();
        let has_members = members.peek().is_some();
        self.audience.had_members |= members.any(Participant::is_in);
        if has_members || self.participants.iter().any(Participant::becomes_member) {
            self.audience.alone = None;
            return false;
        }
        let grace = if self.audience.had_members { AFTER_THE_LAST_MEMBER } else { BEFORE_THE_FIRST_MEMBER };
        *self.audience.alone.get_or_insert(now.at + grace) <= now.at
    }
}
