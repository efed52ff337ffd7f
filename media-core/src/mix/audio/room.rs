//! The mix of one room, on its own clock of 20 ms.
//!
//! in:  members' packets, who listens, ticks
//! out: one packet per listener and tick, who talks, what is heard when
//!
//! ```text
//!   member ─► frame ─┐                  ┌─► shared rendition ──────────► all who are silent
//!   member ─► frame ─┼─► total ─────────┤
//!   member ─► frame ─┘        − own ────┴─► own rendition of a member ─► its legs, while it is heard
//! ```
//!
//! So the cost is one decode per member who sends and one encode per member who is heard, plus one.
//!
//! A listener who leaves a rendition that stays as it is forks it: the new encoder goes on from the very state the
//! listener's decoder follows. One who comes back to a rendition others follow finds an encoder that has been fed the
//! same for 100 ms, and one frame without prediction.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use super::activity::Sensitivity;
use super::fader::Volume;
use super::member::Member;
use super::opus::{FRAME, Frame};
use super::playout::Arrival;
use super::rendition::Rendition;
use super::{AudioCounters, AudioOutput};
use crate::units::{ClockRate, LegKey, MediaTime, MemberKey, RoomKey};

/// Ticks between two reports of what is heard: 100 ms.
const PLAYING_TICKS: u64 = 5;

/// The audio of one room.
pub(super) struct Room {
    key: RoomKey,
    members: BTreeMap<MemberKey, Seat>,
    listeners: BTreeMap<LegKey, Listener>,
    shared: Rendition,
    own: BTreeMap<MemberKey, Rendition>,
    ticks: u64,
}

struct Seat {
    member: Member,
    /// Those whose parent this is, in the order of their keys.
    children: Vec<MemberKey>,
    /// As last told.
    talking: bool,
}

struct Listener {
    /// Whose voice is left out, with that of its children.
    member: Option<MemberKey>,
    hears: Option<Hears>,
}

/// Which rendition a listener follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Hears {
    /// The mix without this member and its children. First in order, so that forks are taken before the shared rendition changes.
    AllBut(MemberKey),
    /// The mix of all.
    All,
}

/// A listener who changes rendition.
#[derive(Clone, Copy, Debug)]
struct Move {
    to: Hears,
    from: Option<Hears>,
}

impl Room {
    pub(super) fn new(key: RoomKey) -> Self {
        Self {
            key,
            members: BTreeMap::new(),
            listeners: BTreeMap::new(),
            shared: Rendition::new(),
            own: BTreeMap::new(),
            ticks: 0,
        }
    }

    /// A second time for the same member is ignored, except that a member on its way out comes back afresh.
    pub(super) fn add_member(&mut self, member: MemberKey, parent: Option<MemberKey>, muted: bool) {
        let seat = || Seat { member: Member::new(muted), children: Vec::new(), talking: false };
        let known = self.members.entry(member).or_insert_with(seat);
        if known.member.is_leaving() {
            known.member = Member::new(muted);
        }
        if let Some(parent) = parent.and_then(|parent| self.members.get_mut(&parent))
            && let Err(at) = parent.children.binary_search(&member)
        {
            parent.children.insert(at, member);
        }
    }

    pub(super) fn remove_member(&mut self, member: MemberKey) {
        if let Some(seat) = self.members.get_mut(&member) {
            seat.member.leave();
        }
    }

    pub(super) fn set_muted(&mut self, member: MemberKey, muted: bool) {
        if let Some(seat) = self.members.get_mut(&member) {
            seat.member.set_muted(muted);
        }
    }

    pub(super) fn set_input_volume(&mut self, member: MemberKey, volume: Volume) {
        if let Some(seat) = self.members.get_mut(&member) {
            seat.member.set_volume(volume);
        }
    }

    pub(super) fn set_input_sensitivity(&mut self, member: MemberKey, sensitivity: Sensitivity) {
        if let Some(seat) = self.members.get_mut(&member) {
            seat.member.set_sensitivity(sensitivity);
        }
    }

    pub(super) fn add_listener(&mut self, leg: LegKey, member: Option<MemberKey>) {
        let hears = self.listeners.get(&leg).and_then(|listener| listener.hears);
        self.listeners.insert(leg, Listener { member, hears });
    }

    pub(super) fn remove_listener(&mut self, leg: LegKey) {
        if self.listeners.remove(&leg).is_some() {
            self.seat_listeners(&[]);
        }
    }

    pub(super) fn accept(&mut self, member: MemberKey, packet: Arrival, counters: &mut AudioCounters) {
        match self.members.get_mut(&member) {
            Some(seat) => seat.member.accept(packet, counters),
            None => counters.unknown += 1,
        }
    }

    /// The clock jumped over this many ticks.
    pub(super) fn skip(&mut self, ticks: u64) {
        self.ticks += ticks;
    }

    /// Makes the 20 ms that begin `at`, which is `now` in ticks of 48 kHz.
    pub(super) fn tick(
        &mut self,
        at: Instant,
        now: i64,
        counters: &mut AudioCounters,
        out: &mut VecDeque<AudioOutput>,
    ) {
        self.forget_who_has_left();
        for seat in self.members.values_mut() {
            seat.member.render(now, counters);
        }
        self.report(at, out);
        self.move_listeners();
        self.send(at, counters, out);
        self.ticks += 1;
    }

    fn forget_who_has_left(&mut self) {
        let before = self.members.len();
        self.members.retain(|_, seat| !seat.member.has_left());
        if self.members.len() == before {
            return;
        }
        let here: BTreeSet<MemberKey> = self.members.keys().copied().collect();
        for seat in self.members.values_mut() {
            seat.children.retain(|child| here.contains(child));
        }
    }

    fn report(&mut self, at: Instant, out: &mut VecDeque<AudioOutput>) {
        for (&member, seat) in &mut self.members {
            let talking = seat.member.is_talking();
            if talking != seat.talking {
                seat.talking = talking;
                out.push_back(AudioOutput::Talking { room: self.key, member, talking });
            }
            if self.ticks.is_multiple_of(PLAYING_TICKS)
                && let Some(ticks) = seat.member.heard().and_then(|heard| u64::try_from(heard).ok())
            {
                let timestamp = MediaTime { ticks, rate: ClockRate::OPUS };
                out.push_back(AudioOutput::Playing { room: self.key, member, timestamp, at });
            }
        }
    }

    /// Brings every listener to the rendition it must hear now.
    fn move_listeners(&mut self) {
        let mut moves = Vec::new();
        for listener in self.listeners.values_mut() {
            let own =
                |member: &MemberKey| family(&self.members, *member).any(|seat| seat.member.needs_own_mix());
            let to = listener.member.filter(own).map_or(Hears::All, Hears::AllBut);
            if listener.hears != Some(to) {
                moves.push(Move { to, from: listener.hears.replace(to) });
            }
        }
        if !moves.is_empty() {
            moves.sort_unstable_by_key(|moved| moved.to);
            self.seat_listeners(&moves);
        }
    }

    /// Makes and drops renditions so that each has exactly the listeners that hear it.
    fn seat_listeners(&mut self, moves: &[Move]) {
        let mut made: BTreeMap<Hears, Option<Hears>> = BTreeMap::new();
        for &Move { to, from } in moves {
            match made.get(&to) {
                // Its decoder has followed the very encoder that was forked.
                Some(origin) if *origin == from => {}
                None if !self.is_followed(to) => {
                    self.make(to, from);
                    made.insert(to, from);
                }
                Some(_) | None => self.join(to),
            }
        }
        let shared: Vec<LegKey> = self.followers(Hears::All).collect();
        self.shared.set_legs(&shared);
        let mut own = std::mem::take(&mut self.own);
        own.retain(|&member, rendition| {
            let legs: Vec<LegKey> = self.followers(Hears::AllBut(member)).collect();
            rendition.set_legs(&legs);
            !legs.is_empty()
        });
        self.own = own;
    }

    /// A rendition for listeners who have followed `from` until now.
    fn make(&mut self, which: Hears, from: Option<Hears>) {
        let rendition =
            from.and_then(|from| self.rendition(from)).map_or_else(Rendition::new, Rendition::fork);
        match which {
            Hears::AllBut(member) => drop(self.own.insert(member, rendition)),
            Hears::All => self.shared = rendition,
        }
    }

    /// Whether somebody hears this rendition and stays.
    fn is_followed(&self, which: Hears) -> bool {
        let stays =
            |leg: &LegKey| self.listeners.get(leg).is_some_and(|listener| listener.hears == Some(which));
        self.rendition(which).is_some_and(|rendition| rendition.legs().iter().any(stays))
    }

    fn followers(&self, which: Hears) -> impl Iterator<Item = LegKey> {
        let follows =
            move |(&leg, listener): (&LegKey, &Listener)| (listener.hears == Some(which)).then_some(leg);
        self.listeners.iter().filter_map(follows)
    }

    fn rendition(&self, which: Hears) -> Option<&Rendition> {
        match which {
            Hears::AllBut(member) => self.own.get(&member),
            Hears::All => Some(&self.shared),
        }
    }

    /// What is left is exactly silent when nobody else is heard, because then the sum is made of the same frames in the
    /// same order.
    fn without_family(&self, total: &Frame, member: MemberKey) -> Frame {
        let mut own: Frame = [0.0; FRAME];
        for seat in family(&self.members, member).filter(|seat| seat.member.is_heard()) {
            add(&mut own, seat.member.frame());
        }
        let mut rest = *total;
        for (sum, sample) in rest.iter_mut().zip(&own) {
            *sum -= sample;
        }
        rest
    }

    fn join(&mut self, which: Hears) {
        match which {
            Hears::AllBut(member) => self.own.get_mut(&member).into_iter().for_each(Rendition::join),
            Hears::All => self.shared.join(),
        }
    }

    fn send(&mut self, at: Instant, counters: &mut AudioCounters, out: &mut VecDeque<AudioOutput>) {
        if self.listeners.is_empty() {
            return;
        }
        let mut total: Frame = [0.0; FRAME];
        for seat in self.members.values().filter(|seat| seat.member.is_heard()) {
            add(&mut total, seat.member.frame());
        }
        let timestamp = MediaTime { ticks: self.ticks * FRAME as u64, rate: ClockRate::OPUS };
        let mut packet = |rendition: &mut Rendition, mix: Frame| {
            let listeners = rendition.legs().clone();
            let payload = rendition.encode(mix, counters);
            out.push_back(AudioOutput::Packet { room: self.key, listeners, timestamp, payload, at });
        };
        if !self.shared.legs().is_empty() {
            packet(&mut self.shared, total);
        }
        let mut own = std::mem::take(&mut self.own);
        for (member, rendition) in &mut own {
            packet(rendition, self.without_family(&total, *member));
        }
        self.own = own;
    }
}

/// A member and its children; in the order of the mix, because parents come first.
fn family(members: &BTreeMap<MemberKey, Seat>, parent: MemberKey) -> impl Iterator<Item = &Seat> {
    let parent = members.get(&parent);
    let children = parent.into_iter().flat_map(|seat| &seat.children);
    parent.into_iter().chain(children.filter_map(|child| members.get(child)))
}

fn add(total: &mut Frame, frame: &Frame) {
    for (sum, sample) in total.iter_mut().zip(frame) {
        *sum += sample;
    }
}
