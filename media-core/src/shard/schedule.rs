//! When each room wants to be woken.
//!
//! in:  each room's deadline, as often as it may have changed
//! out: the next deadline of all, the rooms that are due
//!
//! A deadline that is put off costs nothing: the room is woken at the former one, finds nothing due and is noted anew.
//! One that comes nearer is noted beside the former, which is recognised by its time when it is reached. So what stays
//! as it is, as with most packets, costs one comparison, and a thousand rooms cost no more than one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use rustc_hash::FxHashMap;

use crate::units::RoomKey;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    heap: BinaryHeap<Reverse<(Instant, RoomKey)>>,
    /// The entry of each room that counts.
    noted: FxHashMap<RoomKey, Instant>,
}

impl Schedule {
    /// The next time that something may be due.
    pub(super) fn next(&mut self) -> Option<Instant> {
        self.drop_former();
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// The room's deadline is this now.
    pub(super) fn set(&mut self, room: RoomKey, deadline: Option<Instant>) {
        let Some(at) = deadline else { return self.remove(room) };
        match self.noted.get_mut(&room) {
            Some(noted) if *noted <= at => return,
            Some(noted) => *noted = at,
            None => {
                self.noted.insert(room, at);
            }
        }
        self.heap.push(Reverse((at, room)));
    }

    /// The room wants nothing, or is no more.
    pub(super) fn remove(&mut self, room: RoomKey) {
        self.noted.remove(&room);
    }

    /// A room whose noted time has come. Its deadline is to be set again.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<RoomKey> {
        self.drop_former();
        let Reverse((_, room)) = *self.heap.peek().filter(|Reverse((at, _))| *at <= now)?;
        self.heap.pop();
        self.noted.remove(&room);
        Some(room)
    }

    /// Drops entries in front that no longer count.
    fn drop_former(&mut self) {
        while let Some(Reverse((at, room))) = self.heap.peek()
            && self.noted.get(room) != Some(at)
        {
            self.heap.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const A: RoomKey = RoomKey(1);
    const B: RoomKey = RoomKey(2);

    #[test]
    fn rooms_are_woken_at_their_deadlines_however_these_move() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut schedule = Schedule::default();
        assert_eq!(schedule.next(), None);
        schedule.set(A, Some(at(20)));
        schedule.set(B, Some(at(15)));
        schedule.set(B, None);
        schedule.set(A, Some(at(50)));
        assert_eq!(schedule.next(), Some(at(20)), "put off: looked at once too early");
        schedule.set(B, Some(at(10)));
        assert_eq!(schedule.next(), Some(at(10)), "brought forward");
        assert_eq!(schedule.take_due(at(9)), None);
        assert_eq!(schedule.take_due(at(10)), Some(B));
        assert_eq!(schedule.take_due(at(10)), None);
        schedule.set(B, Some(at(40)));
        assert_eq!(schedule.take_due(at(35)), Some(A));
        assert_eq!(schedule.take_due(at(35)), None, "B is due at 40");
        schedule.remove(B);
        assert_eq!(schedule.take_due(at(90)), None);
        assert_eq!(schedule.next(), None);
    }

    #[test]
    fn a_deadline_that_stays_is_noted_once() {
        let start = Instant::now();
        let mut schedule = Schedule::default();
        for _ in 0..1000 {
            schedule.set(A, Some(start));
            schedule.set(A, Some(start + Duration::from_secs(1)));
        }
        assert_eq!(schedule.heap.len(), 1);
    }
}
