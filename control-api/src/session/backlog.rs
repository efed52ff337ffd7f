//! What a session would have been told while it had no socket.
//!
//! Up to [`RELAXED`] parcels everything is kept as it happened, but that a newer `layout.changed`, `member.talking` or
//! `audience_count` takes the place of the older one about the same. From there on each newcomer first takes out what it
//! makes obsolete: what is left says how things are, and no longer how they came to be so. `updated` of what it takes out
//! goes over to it, so that clients report every property that has changed. What the page of one leg is told alone is a state:
//! of each kind only the latest is kept.
//!
//! A room of 300 cannot fill it then. A server that follows many rooms can, up to [`CAPACITY`]: the oldest parcel
//! goes that carries a change of state only; if there is none, the oldest of all. So calls are answered and ended, and
//! rooms begin and end, as long as the space lasts.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;

use crate::event::{Event, EventKind};
use crate::session::LegEvent;

/// Enough for 60 s of a lively room of 20.
const RELAXED: usize = 256;

/// A room of 300 that has been replaced by 300 others: who left, who came, how each is and speaks.
pub(super) const CAPACITY: usize = 2048;

/// One event to deliver.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Parcel {
    /// Of a room.
    Room(Arc<Event>),
    /// Of one leg.
    Leg(LegEvent),
    /// Params of an event to this session alone.
    Own(String),
    /// The same, of one that must not come twice: another socket gets a new one, or the page asks anew.
    Once(String),
}

#[derive(Debug, Default)]
pub(super) struct Backlog {
    parcels: VecDeque<Parcel>,
}

/// What a newer event means for an older parcel.
enum Fate {
    /// It still says something.
    Stays,
    /// It says nothing any more.
    Goes,
    /// It is said by the newer one, if that takes over what the older one calls `updated`.
    Merges,
}

impl Backlog {
    pub(super) fn push(&mut self, parcel: Parcel) {
        let parcel = match parcel {
            Parcel::Room(event) => Parcel::Room(self.absorb(event)),
            Parcel::Leg(event) => {
                self.forget_older(&event);
                Parcel::Leg(event)
            }
            Parcel::Own(_) | Parcel::Once(_) => parcel,
        };
        if self.parcels.len() >= CAPACITY {
            let victim = self.parcels.iter().position(Parcel::is_expendable).unwrap_or(0);
            self.parcels.remove(victim);
        }
        self.parcels.push_back(parcel);
    }

    pub(super) fn take(&mut self) -> VecDeque<Parcel> {
        std::mem::take(&mut self.parcels)
    }

    /// The newer says all that the older said.
    fn forget_older(&mut self, event: &LegEvent) {
        self.parcels.retain(|parcel| match parcel {
            Parcel::Leg(older) => older.kind != event.kind || older.call != event.call,
            Parcel::Room(_) | Parcel::Own(_) | Parcel::Once(_) => true,
        });
    }

    /// Takes out what `event` makes obsolete. Gives what is to be said instead.
    fn absorb(&mut self, event: Arc<Event>) -> Arc<Event> {
        let crowded = self.parcels.len() >= RELAXED;
        let mut merged: Vec<Arc<Event>> = Vec::new();
        self.parcels.retain(|parcel| {
            let Parcel::Room(older) = parcel else { return true };
            match fate(older, &event, crowded) {
                Fate::Stays => true,
                Fate::Goes => false,
                Fate::Merges => {
                    merged.push(Arc::clone(older));
                    false
                }
            }
        });
        merged.iter().rev().fold(event, |newer, older| with_updated_of(older, newer))
    }
}

fn fate(older: &Event, newer: &Event, crowded: bool) -> Fate {
    use EventKind as Kind;
    if older.channel != newer.channel {
        return Fate::Stays;
    }
    let same = older.kind == newer.kind && older.member == newer.member;
    match newer.kind {
        Kind::LayoutChanged | Kind::MemberTalking | Kind::AudienceCount if same => Fate::Goes,
        Kind::MemberUpdated | Kind::RoomUpdated if same && crowded => Fate::Merges,
        // Who left is not as it was, nor speaks, nor has to come first: the client may know it from elsewhere, so that it
        // left is said in any case.
        Kind::MemberLeft | Kind::MemberJoined if crowded && older.member == newer.member => {
            match older.kind {
                Kind::MemberUpdated | Kind::MemberTalking => Fate::Goes,
                Kind::MemberJoined | Kind::MemberLeft if newer.kind == Kind::MemberLeft => Fate::Goes,
                Kind::MemberJoined
                | Kind::MemberLeft
                | Kind::RoomStarted
                | Kind::RoomUpdated
                | Kind::RoomEnded
                | Kind::RoomSubscribed
                | Kind::LayoutChanged
                | Kind::AudienceCount
                | Kind::RecordingStarted
                | Kind::RecordingUpdated
                | Kind::RecordingEnded => Fate::Stays,
            }
        }
        Kind::RoomEnded if crowded && older.kind.is_change_of_state() => Fate::Goes,
        Kind::LayoutChanged
        | Kind::MemberTalking
        | Kind::AudienceCount
        | Kind::MemberUpdated
        | Kind::RoomUpdated
        | Kind::MemberLeft
        | Kind::MemberJoined
        | Kind::RoomEnded
        | Kind::RoomStarted
        | Kind::RoomSubscribed
        | Kind::RecordingStarted
        | Kind::RecordingUpdated
        | Kind::RecordingEnded => Fate::Stays,
    }
}

/// Where the params of an event have their `updated`.
const UPDATED: [&str; 3] = ["/params/member/updated", "/params/room/updated", "/params/room_session/updated"];

/// The newer event, which also calls updated what the older one did.
fn with_updated_of(older: &Event, newer: Arc<Event>) -> Arc<Event> {
    let read = |event: &Event| serde_json::from_str::<Value>(&event.params).ok();
    let (Some(before), Some(mut now)) = (read(older), read(&newer)) else { return newer };
    for place in UPDATED {
        let names = before.pointer(place).and_then(Value::as_array);
        let known = now.pointer_mut(place).and_then(Value::as_array_mut);
        for (known, name) in known.into_iter().flat_map(|known| names.map(|names| (known, names))) {
            let mut all = name.clone();
            all.extend(known.drain(..).filter(|newer| !name.contains(newer)));
            *known = all;
        }
    }
    Arc::new(Event { params: now.to_string().into(), ..(*newer).clone() })
}

impl Parcel {
    fn is_expendable(&self) -> bool {
        match self {
            Self::Room(event) => event.kind.is_change_of_state(),
            Self::Leg(_) => true,
            Self::Own(_) | Self::Once(_) => false,
        }
    }

    /// Whether the next socket gets it when the client has not acknowledged it. SDKs do not look for copies, which only
    /// an acknowledgement lost on the way can cause: good-byes, roles and first states are missed worse than had
    /// twice; that a room began or ended is not, and a call does not bear a second answer.
    pub(super) fn comes_again(&self) -> bool {
        match self {
            Self::Room(event) => event.kind.is_change_of_state() || event.kind == EventKind::RoomSubscribed,
            Self::Leg(_) | Self::Own(_) => true,
            Self::Once(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ids::{CallId, MemberId};
    use crate::session::LegEventKind;

    fn event(number: u64, kind: EventKind) -> Parcel {
        about(number, kind, None, json!({}))
    }

    fn about(number: u64, kind: EventKind, member: Option<u64>, params: Value) -> Parcel {
        let params = json!({"params": params}).to_string().into();
        let member = member.map(|n| MemberId::new(n.to_string()));
        Parcel::Room(Arc::new(Event { number, kind, channel: "EC_1".into(), member, params }))
    }

    fn numbers(backlog: &mut Backlog) -> Vec<u64> {
        let number = |parcel| match parcel {
            Parcel::Room(event) => event.number,
            Parcel::Leg(_) | Parcel::Own(_) | Parcel::Once(_) => 0,
        };
        backlog.take().into_iter().map(number).collect()
    }

    /// So full that only what matters is kept.
    fn crowded() -> Backlog {
        let mut backlog = Backlog::default();
        (0..RELAXED).for_each(|_| backlog.push(Parcel::Own("filler".into())));
        backlog
    }

    fn kept(mut backlog: Backlog) -> Vec<u64> {
        numbers(&mut backlog).into_iter().filter(|number| *number != 0).collect()
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
    fn of_a_leg_only_the_last_state_is_kept() {
        let mut backlog = Backlog::default();
        let leg = |kind, call, params: &str| {
            Parcel::Leg(LegEvent { kind, call: CallId::new(call), params: params.into() })
        };
        let (tiles, wanted) = (LegEventKind::TilesChanged, LegEventKind::EncodingsWanted);
        let story = [(tiles, "a", "1"), (wanted, "a", "2"), (tiles, "b", "3"), (tiles, "a", "4")];
        for (kind, call, params) in story {
            backlog.push(leg(kind, call, params));
        }
        assert_eq!(backlog.take(), [leg(wanted, "a", "2"), leg(tiles, "b", "3"), leg(tiles, "a", "4")]);
    }

    #[test]
    fn what_a_newcomer_makes_obsolete() {
        use EventKind::{MemberJoined, MemberLeft, MemberTalking, MemberUpdated, RoomEnded, RoomStarted};
        for (story, expected) in [
            (&[(MemberUpdated, 1), (MemberUpdated, 2), (MemberUpdated, 1)][..], &[2, 3][..]),
            (&[(MemberUpdated, 1), (MemberTalking, 1), (MemberLeft, 1)], &[3]),
            (&[(MemberLeft, 1), (MemberJoined, 1), (MemberUpdated, 1)], &[1, 2, 3]),
            (&[(MemberLeft, 1), (MemberJoined, 1), (MemberLeft, 1)], &[3]),
            (&[(MemberJoined, 1), (MemberUpdated, 1), (MemberLeft, 1), (MemberJoined, 2)], &[3, 4]),
            (&[(RoomStarted, 0), (MemberJoined, 1), (RoomEnded, 0)], &[1, 3]),
        ] {
            let mut backlog = crowded();
            for ((kind, member), number) in story.iter().zip(1..) {
                backlog.push(about(number, *kind, Some(*member).filter(|n| *n != 0), json!({})));
            }
            assert_eq!(kept(backlog), expected, "{story:?}");
        }
    }

    #[test]
    fn the_newer_tells_all_that_was_updated() {
        let mut backlog = crowded();
        for (number, names) in [(1, json!(["deaf", "audio_muted"])), (2, json!(["audio_muted", "visible"]))] {
            let params = json!({"member": {"id": "1", "n": number, "updated": names}});
            backlog.push(about(number, EventKind::MemberUpdated, Some(1), params));
        }
        let Some(Parcel::Room(event)) = backlog.take().pop_back() else { panic!() };
        let params: Value = serde_json::from_str(&event.params).unwrap();
        let expected = json!({"id": "1", "n": 2, "updated": ["deaf", "audio_muted", "visible"]});
        assert_eq!(params["params"]["member"], expected);
    }

    #[test]
    fn when_full_the_oldest_change_goes_and_calls_stay() {
        let mut backlog = Backlog::default();
        backlog.push(Parcel::Own("verto.answer".into()));
        backlog.push(event(1, EventKind::RoomStarted));
        let last = 2 * CAPACITY as u64;
        for number in 2..=last {
            backlog.push(about(number, EventKind::MemberUpdated, Some(number), json!({})));
        }
        let kept = numbers(&mut backlog);
        assert_eq!(kept.len(), CAPACITY);
        assert_eq!(kept[..3], [0, 1, last - CAPACITY as u64 + 3]);
        assert_eq!(kept.last(), Some(&last));
    }

    #[test]
    fn it_is_bounded_even_if_nothing_is_expendable() {
        let mut backlog = Backlog::default();
        for _ in 0..2 * CAPACITY {
            backlog.push(Parcel::Own(String::new()));
        }
        assert_eq!(numbers(&mut backlog).len(), CAPACITY);
    }
}
