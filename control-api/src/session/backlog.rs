//! What a session would have been told while it had no socket.
//!
//! Holds [`CAPACITY`] parcels. A newer `layout.changed` or `member.talking` takes the place of the older one about the
//! same: only the last matters. When full, the oldest parcel goes that carries a change of state only; if there is none, the oldest
//! of all. So calls are answered and ended, and rooms begin and end, as long as the space lasts.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::event::{Event, EventKind};

/// Enough for 60 s of a lively room of 20.
pub(super) const CAPACITY: usize = 256;

/// One event to deliver.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Parcel {
    /// Of a room.
    Room(Arc<Event>),
    /// Params of an event to this session alone.
    Own(String),
}

#[derive(Debug, Default)]
pub(super) struct Backlog {
    parcels: VecDeque<Parcel>,
}

impl Backlog {
    pub(super) fn push(&mut self, parcel: Parcel) {
        if let Parcel::Room(event) = &parcel {
            self.parcels.retain(|older| !outdates(event, older));
        }
        if self.parcels.len() >= CAPACITY {
            let victim = self.parcels.iter().position(Parcel::is_expendable).unwrap_or(0);
            self.parcels.remove(victim);
        }
        self.parcels.push_back(parcel);
    }

    pub(super) fn take(&mut self) -> VecDeque<Parcel> {
        std::mem::take(&mut self.parcels)
    }
}

/// Whether the older parcel says nothing any more once `event` is known.
fn outdates(event: &Event, older: &Parcel) -> bool {
    let replaceable = matches!(event.kind, EventKind::LayoutChanged | EventKind::MemberTalking);
    match older {
        Parcel::Room(older) => {
            replaceable
                && older.kind == event.kind
                && older.channel == event.channel
                && older.member == event.member
        }
        Parcel::Own(_) => false,
    }
}

impl Parcel {
    fn is_expendable(&self) -> bool {
        match self {
            Self::Room(event) => event.kind.is_change_of_state(),
            Self::Own(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u64, kind: EventKind) -> Parcel {
        let (channel, params) = ("EC_1".into(), "{}".into());
        Parcel::Room(Arc::new(Event { number, kind, channel, member: None, params }))
    }

    fn numbers(backlog: &mut Backlog) -> Vec<u64> {
        let number = |parcel| match parcel {
            Parcel::Room(event) => event.number,
            Parcel::Own(_) => 0,
        };
        backlog.take().into_iter().map(number).collect()
    }

    #[test]
    fn only_the_last_layout_is_kept() {
        let mut backlog = Backlog::default();
        for (number, kind) in
            [(1, EventKind::LayoutChanged), (2, EventKind::MemberJoined), (3, EventKind::LayoutChanged)]
        {
            backlog.push(event(number, kind));
        }
        assert_eq!(numbers(&mut backlog), [2, 3]);
    }

    #[test]
    fn when_full_the_oldest_change_goes_and_calls_stay() {
        let mut backlog = Backlog::default();
        backlog.push(Parcel::Own("verto.answer".into()));
        backlog.push(event(1, EventKind::RoomStarted));
        for number in 2..1000 {
            backlog.push(event(number, EventKind::MemberUpdated));
        }
        let kept = numbers(&mut backlog);
        assert_eq!(kept.len(), CAPACITY);
        assert_eq!(kept[..3], [0, 1, 1000 - 254]);
        assert_eq!(kept.last(), Some(&999));
    }

    #[test]
    fn it_is_bounded_even_if_nothing_is_expendable() {
        let mut backlog = Backlog::default();
        for _ in 0..1000 {
            backlog.push(Parcel::Own(String::new()));
        }
        assert_eq!(numbers(&mut backlog).len(), CAPACITY);
    }
}
