//! Who goes where in one fixed layout.
//!
//! in:  the slots of the layout, the guests in queue order, where they sat before, who has the floor
//! out: the layers, each with the source in it
//!
//! A function of its arguments and nothing else. Each step works on the slots and the guests that the former left:
//! full-screen requests, playbacks, requested slots, slots with an owner, screens and who belongs to them, the floor, then
//! the remaining slots from the queue.

use std::cmp::Reverse;

use crate::layer::{Fit, Layer, Pan};
use crate::plan::{Options, Plan};
use crate::position::Position;
use crate::queue::{Guest, Standing};
use crate::slots::{Holds, Slot};
use crate::source::{Millis, SourceKey, SourceKind};

/// Where the guests sat before.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Former<'a> {
    /// Nowhere: slots are dealt from the queue.
    Nobody,
    /// In another layout: its order is kept, without holes.
    Elsewhere(&'a [SourceKey]),
    /// In this layout: whoever may stay, stays.
    Here(&'a [Layer]),
}

/// Who has the floor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Floor {
    pub(crate) holder: SourceKey,
    /// A holder without a slot takes one from another: that one must have been shown since before this moment.
    pub(crate) takes_from_shown_before: Option<Millis>,
}

/// Fills the layout. `lead` is in the slot that follows the floor. `shown_since` tells since when a source has been in the picture.
pub(crate) fn place(
    slots: Vec<Slot>,
    options: Options,
    guests: &[Guest],
    former: Former<'_>,
    floor: Option<Floor>,
    lead: Option<SourceKey>,
    shown_since: impl Fn(SourceKey) -> Option<Millis>,
) -> Vec<Layer> {
    let mut table = Table::new(slots, guests);
    table.seat_full_screen_and_playbacks(former);
    table.honour_requests(|_| true);
    table.dismiss(SourceKind::Playback);
    table.seat_owners();
    table.seat_leaders(lead, options.duplicate_floor);
    match former {
        Former::Nobody => table.deal(&[], floor),
        Former::Elsewhere(seated) => table.deal(seated, floor),
        Former::Here(layers) => {
            if !options.duplicate_floor {
                table.swap(layers);
            }
            table.keep(layers);
            if options.compact {
                table.close_gaps();
            }
            table.fill(floor);
            if !options.duplicate_floor {
                table.give_way_to_former_leader(layers);
            }
            table.give_way_to_floor(floor, shown_since);
            table.give_way_by_standing(floor);
        }
    }
    table.into_layers()
}

/// Whether all members find a slot once the playbacks sit.
pub(crate) fn holds_all(plan: &Plan, options: Options, guests: &[Guest]) -> bool {
    let members = guests.iter().filter(|guest| guest.kind != SourceKind::Playback).count();
    let is_plain = |guest: &Guest| {
        guest.kind != SourceKind::Playback && guest.reservation.is_none() && guest.role.is_none()
    };
    if matches!(plan, Plan::Fixed(_)) && options == Options::default() && guests.iter().all(is_plain) {
        return plan.seats() >= members;
    }
    let mut table = Table::new(plan.slots(options), guests);
    table.seat_full_screen_and_playbacks(Former::Nobody);
    table.dismiss(SourceKind::Playback);
    table.seat_owners();
    let shows_another = |slot: &Slot| match slot.holds {
        // The floor is shown there a second time.
        Holds::Floor | Holds::Screen => !options.duplicate_floor,
        Holds::ScreenAlone => guests.iter().any(|guest| guest.kind == SourceKind::Screen),
        Holds::Queue
        | Holds::Playback
        | Holds::Sharer
        | Holds::Speaker
        | Holds::Nobody
        | Holds::Tagged(_) => slot.takes_from_queue(),
    };
    let free = table.places.iter().filter(|place| place.seat == Seat::Empty && shows_another(&place.slot));
    free.count() >= table.waiting.len()
}

/// The slots being filled, with the two layers that every layout has, and who has no seat yet.
struct Table<'a> {
    places: Vec<Place>,
    guests: &'a [Guest],
    waiting: Vec<&'a Guest>,
}

struct Place {
    slot: Slot,
    seat: Seat,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Seat {
    Empty,
    /// By request, by its role, or by a playback: nobody takes it away.
    Held(SourceKey),
    /// From the queue.
    Given(SourceKey),
}

impl Place {
    /// The queue may fill it.
    fn is_free(&self) -> bool {
        self.seat == Seat::Empty && self.slot.takes_from_queue()
    }

    fn occupant(&self) -> Option<SourceKey> {
        match self.seat {
            Seat::Held(source) | Seat::Given(source) => Some(source),
            Seat::Empty => None,
        }
    }
}

impl<'a> Table<'a> {
    fn new(slots: Vec<Slot>, guests: &'a [Guest]) -> Self {
        let places = slots.into_iter().map(|slot| Place { slot, seat: Seat::Empty }).collect();
        Self { places, guests, waiting: guests.iter().collect() }
    }

    fn seat_full_screen_and_playbacks(&mut self, former: Former<'_>) {
        self.honour_requests(|guest| guest.requested == Position::FullScreen);
        self.honour_requests(|guest| guest.kind == SourceKind::Playback);
        let unasked: Vec<_> =
            self.waiting.iter().copied().filter(|guest| guest.kind == SourceKind::Playback).collect();
        for guest in unasked {
            if let Some(index) = self.playback_place(guest.key, former) {
                self.seat(index, Seat::Held(guest.key));
            }
        }
    }

    /// Gives each of these guests the place it asks for; of two that ask for one, the later request wins.
    fn honour_requests(&mut self, whose: impl Fn(&Guest) -> bool) {
        let mut asking: Vec<_> = self.waiting.iter().copied().filter(|guest| whose(guest)).collect();
        asking.sort_by_key(|guest| Reverse((guest.asked, guest.key)));
        for guest in asking {
            let position = self.wanted_by(guest);
            let wanted = |p: &Place| p.slot.position == position && p.seat == Seat::Empty;
            if let Some(index) = self.places.iter().position(wanted) {
                self.seat(index, Seat::Held(guest.key));
            }
        }
    }

    /// Applications ask for `reserved-1` for a screen and expect the large picture. The place of screens is for nobody
    /// else.
    fn wanted_by(&self, guest: &Guest) -> Position {
        let has_screen = || self.places.iter().any(|place| place.slot.position == Position::Screen);
        match (guest.kind, guest.requested) {
            (SourceKind::Screen, Position::Reserved(1)) if has_screen() => Position::Screen,
            (SourceKind::Member | SourceKind::Playback, Position::Screen) => Position::Auto,
            (SourceKind::Member | SourceKind::Playback | SourceKind::Screen, requested) => requested,
        }
    }

    /// Slots with a tag or for a role go to whose they are.
    fn seat_owners(&mut self) {
        for index in 0..self.places.len() {
            let Some(place) = self.places.get(index).filter(|place| place.seat == Seat::Empty) else {
                continue;
            };
            let owner = self.waiting.iter().find(|guest| guest.owns(&place.slot)).map(|guest| guest.key);
            if let Some(owner) = owner {
                self.seat(index, Seat::Held(owner));
            }
        }
    }

    /// Fills the slots that follow the floor or a screen. `twice`: who is in the slot of the floor gets another.
    fn seat_leaders(&mut self, lead: Option<SourceKey>, twice: bool) {
        for index in 0..self.places.len() {
            let Some(place) = self.places.get(index).filter(|place| place.seat == Seat::Empty) else {
                continue;
            };
            let source = match place.slot.holds {
                Holds::Screen => self.newest_screen().or_else(|| self.leader(lead)),
                Holds::ScreenAlone => self.newest_screen(),
                Holds::Floor if place.slot.only => lead,
                Holds::Floor => self.leader(lead),
                Holds::Sharer => self.screen_shown().and_then(|screen| screen.parent),
                Holds::Speaker => lead.filter(|lead| self.screen_shown().is_some() && self.has_spoken(*lead)),
                Holds::Queue | Holds::Playback | Holds::Nobody | Holds::Tagged(_) => None,
            };
            let is_twice = twice && place.slot.holds == Holds::Floor;
            if let Some(source) = source.filter(|source| self.is_waiting(*source)) {
                self.seat(index, Seat::Held(source));
                if is_twice {
                    self.waiting = self.guests_waiting_with(source);
                }
            }
        }
    }

    /// Those who wait, and this one beside them, in the order of the queue.
    fn guests_waiting_with(&self, again: SourceKey) -> Vec<&'a Guest> {
        self.guests.iter().filter(|guest| guest.key == again || self.is_waiting(guest.key)).collect()
    }

    fn newest_screen(&self) -> Option<SourceKey> {
        let screens = self.waiting.iter().filter(|guest| guest.kind == SourceKind::Screen);
        screens.max_by_key(|guest| (guest.joined, guest.key)).map(|guest| guest.key)
    }

    /// The one who leads; sitting where it asked to, the first of the others.
    fn leader(&self, lead: Option<SourceKey>) -> Option<SourceKey> {
        lead.filter(|lead| self.is_waiting(*lead)).or_else(|| self.waiting.first().map(|guest| guest.key))
    }

    /// The screen in the place of screens.
    fn screen_shown(&self) -> Option<&'a Guest> {
        let place = self
            .places
            .iter()
            .find(|place| matches!(place.slot.holds, Holds::Screen | Holds::ScreenAlone))?;
        place
            .occupant()
            .and_then(|source| self.guest(source))
            .filter(|guest| guest.kind == SourceKind::Screen)
    }

    fn has_spoken(&self, source: SourceKey) -> bool {
        self.guest(source).is_some_and(|guest| guest.last_spoke.is_some())
    }

    /// Who had a leader's slot gets the one its follower comes from; nobody else moves.
    fn swap(&mut self, former: &[Layer]) {
        for (index, before) in former.iter().enumerate() {
            let Some(leader) = self.places.get(index).filter(|place| place.slot.holds == Holds::Floor) else {
                continue;
            };
            let (Some(old), Some(new)) = (before.source, leader.occupant()) else { continue };
            let Some(left) = former.iter().position(|layer| layer.source == Some(new)) else { continue };
            let is_free = self.places.get(left).is_some_and(Place::is_free);
            if is_free && self.is_waiting(old) {
                self.seat(left, Seat::Given(old));
            }
        }
    }

    /// A slot that follows playbacks, else the playback layer; for a further playback a standard slot that nobody asks for, best the one
    /// it had, else one that is really empty.
    fn playback_place(&self, playback: SourceKey, former: Former<'_>) -> Option<usize> {
        let follows = |p: &Place| p.slot.holds == Holds::Playback && p.seat == Seat::Empty;
        let is_playback_layer = |p: &Place| p.slot.position == Position::Playback && p.seat == Seat::Empty;
        let before = |index: usize| match former {
            Former::Here(layers) => layers.get(index).and_then(|layer| layer.source),
            Former::Nobody | Former::Elsewhere(_) => None,
        };
        let preference = |index: &usize| match before(*index) {
            Some(source) if source == playback => 0,
            Some(source) if self.is_waiting(source) => 2,
            Some(_) | None => 1,
        };
        let its_own = self.places.iter().position(follows);
        its_own.or_else(|| self.places.iter().position(is_playback_layer)).or_else(|| {
            self.free_standard().filter(|index| !self.is_requested_by_member(*index)).min_by_key(preference)
        })
    }

    fn is_requested_by_member(&self, index: usize) -> bool {
        self.places.get(index).is_some_and(|place| {
            let wants = |g: &&Guest| g.kind != SourceKind::Playback && g.requested == place.slot.position;
            self.waiting.iter().any(wants)
        })
    }

    /// Who stayed keeps the slot of before.
    fn keep(&mut self, former: &[Layer]) {
        for (index, layer) in former.iter().enumerate() {
            let is_free = self.places.get(index).is_some_and(Place::is_free);
            if let Some(source) = layer.source.filter(|source| is_free && self.is_waiting(*source)) {
                self.seat(index, Seat::Given(source));
            }
        }
    }

    /// Everybody who sits by the queue moves up into what is free before.
    fn close_gaps(&mut self) {
        let seated: Vec<SourceKey> = self.given().map(|(_, guest)| guest.key).collect();
        for place in &mut self.places {
            if matches!(place.seat, Seat::Given(_)) {
                place.seat = Seat::Empty;
            }
        }
        for (index, source) in self.free().into_iter().zip(seated) {
            self.seat(index, Seat::Given(source));
        }
    }

    /// Gives free slots to the first of the queue.
    fn fill(&mut self, floor: Option<Floor>) {
        let free = self.free();
        self.put_in_turn(free.len(), floor);
        self.seat_waiting(free);
    }

    /// Deals all free slots anew. Of those who find room, who sat in `former` comes first, in that order.
    fn deal(&mut self, former: &[SourceKey], floor: Option<Floor>) {
        let free = self.free();
        self.put_in_turn(free.len(), floor);
        self.waiting.truncate(free.len());
        let seat_before = |source| former.iter().rposition(|before| *before == source).unwrap_or(usize::MAX);
        self.waiting.sort_by_cached_key(|guest| seat_before(guest.key));
        self.seat_waiting(free);
    }

    /// Guests come in queue order; when there is not room for all, the floor holder and who was heard lately
    /// come earlier.
    fn put_in_turn(&mut self, room: usize, floor: Option<Floor>) {
        if self.waiting.len() > room {
            self.waiting.sort_by_key(|guest| (!holds(floor, guest.key), guest.turn_when_crowded()));
        }
    }

    fn seat_waiting(&mut self, free: Vec<usize>) {
        let first: Vec<_> = self.waiting.iter().map(|guest| guest.key).collect();
        for (index, source) in free.into_iter().zip(first) {
            self.seat(index, Seat::Given(source));
        }
    }

    /// A floor holder without a slot takes that of the guest who has been silent longest. Screens and raised hands
    /// stay.
    fn give_way_to_floor(&mut self, floor: Option<Floor>, shown_since: impl Fn(SourceKey) -> Option<Millis>) {
        let Some(Floor { holder, takes_from_shown_before: Some(limit) }) = floor else { return };
        if !self.is_waiting(holder) {
            return;
        }
        self.squeeze_in(holder, |guest| shown_since(guest.key).is_some_and(|since| since <= limit));
    }

    /// Who was in the large picture has just been listened to: pushed out of it by somebody who was not shown, it does not
    /// vanish.
    fn give_way_to_former_leader(&mut self, former: &[Layer]) {
        let leads =
            |index: usize| self.places.get(index).is_some_and(|place| place.slot.holds == Holds::Floor);
        let before = former.iter().enumerate().find(|(index, _)| leads(*index));
        if let Some(leader) =
            before.and_then(|(_, layer)| layer.source).filter(|source| self.is_waiting(*source))
        {
            self.squeeze_in(leader, |_| true);
        }
    }

    /// Gives the guest the slot of one who may leave.
    fn squeeze_in(&mut self, guest: SourceKey, may_leave: impl Fn(&Guest) -> bool) {
        let stays = |guest: &Guest| match guest.standing {
            Standing::Hand(_) | Standing::Screen => true,
            Standing::Video | Standing::MuteImage | Standing::Avatar => false,
        };
        let leaving = self.given().filter(|(_, seated)| !stays(seated) && may_leave(seated));
        if let Some((index, leaving)) = leaving.max_by_key(|(_, seated)| seated.reticence()) {
            self.seat(index, Seat::Given(guest));
            self.waiting.push(leaving);
            self.waiting.sort_by_key(|guest| guest.turn_when_crowded());
        }
    }

    /// A guest of a better standing takes the slot of one of a worse standing, if there is no other room.
    /// Comes after the floor: whoever had to leave for that may have to get another's slot.
    fn give_way_by_standing(&mut self, floor: Option<Floor>) {
        for guest in self.waiting.clone() {
            let worst = self
                .given()
                .filter(|(_, seated)| !holds(floor, seated.key) && seated.standing > guest.standing)
                .max_by_key(|(_, seated)| (seated.standing, seated.reticence()));
            if let Some((index, _)) = worst {
                self.seat(index, Seat::Given(guest.key));
            }
        }
    }

    fn dismiss(&mut self, kind: SourceKind) {
        self.waiting.retain(|guest| guest.kind != kind);
    }

    fn seat(&mut self, index: usize, seat: Seat) {
        let Some(place) = self.places.get_mut(index) else { return };
        place.seat = seat;
        if let Seat::Held(source) | Seat::Given(source) = seat {
            self.waiting.retain(|guest| guest.key != source);
        }
    }

    fn is_waiting(&self, source: SourceKey) -> bool {
        self.waiting.iter().any(|guest| guest.key == source)
    }

    fn free_standard(&self) -> impl Iterator<Item = usize> {
        let is_free = |place: &Place| place.is_free() && place.slot.is_standard();
        self.places.iter().enumerate().filter(move |(_, place)| is_free(place)).map(|(index, _)| index)
    }

    /// What the queue may fill, ordinary slots first.
    fn free(&self) -> Vec<usize> {
        let others =
            self.places.iter().enumerate().filter(|(_, place)| place.is_free() && !place.slot.is_standard());
        self.free_standard().chain(others.map(|(index, _)| index)).collect()
    }

    /// The seats that came from the queue, with who sits there.
    fn given(&self) -> impl Iterator<Item = (usize, &'a Guest)> {
        self.places.iter().enumerate().filter_map(|(index, place)| match place.seat {
            Seat::Given(source) => Some((index, self.guest(source)?)),
            Seat::Held(_) | Seat::Empty => None,
        })
    }

    fn guest(&self, source: SourceKey) -> Option<&'a Guest> {
        self.guests.iter().find(|guest| guest.key == source)
    }

    fn into_layers(self) -> Vec<Layer> {
        let is_covered = self.places.last().is_some_and(|full_screen| full_screen.seat != Seat::Empty);
        // Where slots lie on each other their own order counts, else that of the list; the two layers are above all.
        let top = self.places.iter().map(|place| place.slot.z).max().unwrap_or(0);
        let lies_flat = self.places.iter().all(|place| place.slot.z == 0);
        let z = |n: u16, slot: &Slot| match (lies_flat, slot.position) {
            (true, _) => i16::try_from(n).unwrap_or(i16::MAX),
            (_, Position::Playback) => top + 1,
            (_, Position::FullScreen) => top + 2,
            (_, _) => slot.z,
        };
        let layer = |(n, place): (u16, &Place)| {
            let source = place.occupant();
            let occupant = source.and_then(|source| self.guest(source));
            Layer {
                index: n,
                z: z(n, &place.slot),
                rect: place.slot.rect,
                position: place.slot.position,
                source,
                fit: occupant.map_or(place.slot.fit, |guest| match guest.kind {
                    SourceKind::Member => place.slot.fit,
                    // What is to be read is not cropped.
                    SourceKind::Screen | SourceKind::Playback => Fit::Contain,
                }),
                reservation: place.slot.reservation(),
                border: place.slot.border,
                pan: place.slot.pan.map(|pan| match pan {
                    Pan::At(from) => from,
                    Pan::Auto => place.slot.rect.heard_from(),
                }),
                playing_file: occupant.is_some_and(|guest| guest.kind == SourceKind::Playback),
                visible: !is_covered || place.slot.position == Position::FullScreen,
            }
        };
        (0..).zip(&self.places).map(layer).collect()
    }
}

fn holds(floor: Option<Floor>, source: SourceKey) -> bool {
    floor.is_some_and(|floor| floor.holder == source)
}
