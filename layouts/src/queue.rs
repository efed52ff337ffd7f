//! Who may be shown, and who comes before whom.
//!
//! in:  the sources as the caller describes them, the room's rules, the time
//! out: the guests: sources that may be shown, first in the queue first

use std::cmp::Reverse;

use crate::position::Position;
use crate::slots::Slot;
use crate::source::{Millis, Showing, Source, SourceKey, SourceKind};
use crate::stage::StageInput;
use crate::tag::Tag;

/// Classes of the queue, first come first. When room is short, the last give way first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// Raised its hand then, where the room puts hands first.
    Hand(Millis),
    Screen,
    Video,
    MuteImage,
    Avatar,
}

/// How long a source has been silent, coarsely: who spoke a moment before whom shall not decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Silence {
    Seconds,
    Minute,
    Long,
}

/// A source that may be shown.
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    pub(crate) key: SourceKey,
    pub(crate) kind: SourceKind,
    pub(crate) parent: Option<SourceKey>,
    pub(crate) requested: Position,
    pub(crate) asked: u64,
    pub(crate) joined: u64,
    pub(crate) standing: Standing,
    pub(crate) silence: Silence,
    pub(crate) last_spoke: Option<Millis>,
    pub(crate) reservation: Option<Tag>,
    pub(crate) role: Option<Tag>,
}

impl Guest {
    /// A slot that is its own, by reservation or role.
    pub(crate) fn owns(&self, slot: &Slot) -> bool {
        let by_tag = slot.reservation().is_some_and(|tag| self.reservation == Some(tag));
        let by_role = slot.role.is_some_and(|role| self.role == Some(role));
        by_tag || by_role
    }

    /// Order of the queue as long as there is room for all.
    pub(crate) fn turn(&self) -> impl Ord + use<> {
        (self.standing, self.joined, self.key)
    }

    /// Order of the queue when there are more guests than slots.
    pub(crate) fn turn_when_crowded(&self) -> impl Ord + use<> {
        (self.standing, self.silence, self.joined, self.key)
    }

    /// The largest gives way first among those of one standing: silent longest, then the last to join.
    pub(crate) fn reticence(&self) -> impl Ord + use<> {
        (Reverse(self.last_spoke), self.joined, self.key)
    }
}

/// The sources that may be shown, in the order of the queue, whatever their order in `input`.
/// `hand` tells whose hand counts as raised, and since when.
pub(crate) fn guests(
    now: Millis,
    input: &StageInput<'_>,
    hand: impl Fn(&Source) -> Option<Millis>,
) -> Vec<Guest> {
    let mut guests: Vec<Guest> = input
        .sources
        .iter()
        .filter(|source| is_showable(source, input))
        .map(|source| Guest {
            key: source.key,
            kind: source.kind,
            parent: source.parent,
            requested: source.requested,
            asked: source.asked,
            joined: source.joined,
            standing: standing(source, hand(source).filter(|_| input.prioritize_handraise)),
            silence: silence(now, source.last_spoke),
            last_spoke: source.last_spoke,
            reservation: source.reservation,
            role: source.role,
        })
        .collect();
    guests.sort_by_key(Guest::turn);
    guests
}

fn is_showable(source: &Source, input: &StageInput<'_>) -> bool {
    let hidden_by_rule = match source.showing {
        Showing::Video => false,
        Showing::MuteImage => input.hide_video_muted,
        Showing::Avatar => input.video_required,
    };
    !source.on_hold && source.requested != Position::OffCanvas && !hidden_by_rule
}

fn standing(source: &Source, hand: Option<Millis>) -> Standing {
    match (hand, source.kind, source.showing) {
        (Some(since), _, _) => Standing::Hand(since),
        (None, SourceKind::Screen, _) => Standing::Screen,
        (None, SourceKind::Member | SourceKind::Playback, Showing::Video) => Standing::Video,
        (None, SourceKind::Member | SourceKind::Playback, Showing::MuteImage) => Standing::MuteImage,
        (None, SourceKind::Member | SourceKind::Playback, Showing::Avatar) => Standing::Avatar,
    }
}

fn silence(now: Millis, last_spoke: Option<Millis>) -> Silence {
    match last_spoke.map(|then| now.0.saturating_sub(then.0)) {
        Some(0..10_000) => Silence::Seconds,
        Some(10_000..60_000) => Silence::Minute,
        Some(_) | None => Silence::Long,
    }
}
