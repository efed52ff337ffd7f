//! Who is in the large picture.
//!
//! in:  who may be shown, who has the floor since when
//! out: the one a slot that follows the floor shows, and when that may change by itself
//!
//! The floor passes with every remark; the large picture must not. A speaker gets it after a second of holding the floor,
//! and not before the one who is there has been there for two. A screen share has it as long as it lasts, unless the
//! layout has a place for screens. Who asks for the first reserved slot where the layout has none is looked at as long as
//! it asks: the floor by hand.

use crate::plan::Plan;
use crate::position::Position;
use crate::queue::{Guest, Standing};
use crate::source::{Millis, SourceKey, SourceKind};

/// How long a speaker holds the floor before the large picture is of him.
const FOLLOWS_AFTER_MS: u64 = 1000;
/// How long somebody is in the large picture at least.
const STAYS_AT_LEAST_MS: u64 = 2000;

/// Where the floor is looked at, in layouts that follow it.
const LARGE: Position = Position::Reserved(1);

/// Remembers who is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lead {
    holder: Option<Holder>,
    moves_at: Option<Millis>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Holder {
    key: SourceKey,
    since: Millis,
    /// By a raised hand: when it is lowered, who spoke all the while does not take the place.
    by_hand: bool,
}

impl Lead {
    /// Who is to be in the large picture.
    pub(crate) fn follow(
        &mut self,
        now: Millis,
        guests: &[Guest],
        floor: Option<(SourceKey, Millis)>,
        plan: &Plan,
    ) -> Option<SourceKey> {
        let (next, moves_at) = self.next(now, guests, floor, plan);
        self.moves_at = moves_at;
        self.holder = next.map(|(key, by_hand)| match self.holder {
            Some(holder) if holder.key == key => holder,
            Some(_) | None => Holder { key, since: now, by_hand },
        });
        self.holder.map(|holder| holder.key)
    }

    /// When a challenger takes the place unless something happens.
    pub(crate) fn moves_at(&self) -> Option<Millis> {
        self.moves_at
    }

    fn next(
        &self,
        now: Millis,
        guests: &[Guest],
        floor: Option<(SourceKey, Millis)>,
        plan: &Plan,
    ) -> (Option<(SourceKey, bool)>, Option<Millis>) {
        let screens_lead = !plan.has_screen();
        let screens = guests.iter().filter(|guest| screens_lead && guest.kind == SourceKind::Screen);
        if let Some(screen) = screens.max_by_key(|guest| (guest.joined, guest.key)) {
            return (Some((screen.key, false)), None);
        }
        // Who has a slot of its own stays there.
        let members = || {
            guests
                .iter()
                .filter(|guest| guest.kind == SourceKind::Member && !plan.has(|slot| guest.owns(slot)))
        };
        let by_hand = members().filter(|guest| guest.requested == LARGE);
        if let Some(chosen) = by_hand.max_by_key(|guest| guest.asked).filter(|_| !plan.has_position(LARGE)) {
            return (Some((chosen.key, false)), None);
        }
        let is_here = |key| members().any(|guest| guest.key == key);
        let hand = members().find_map(|guest| match guest.standing {
            Standing::Hand(since) => Some((guest.key, since)),
            Standing::Screen | Standing::Video | Standing::MuteImage | Standing::Avatar => None,
        });
        let wanted = hand.or(floor.filter(|(key, _)| is_here(*key)));
        let Some(holder) = self.holder.filter(|holder| is_here(holder.key)) else {
            let last_speaker = || members().filter(|g| g.last_spoke.is_some()).max_by_key(|g| g.last_spoke);
            let heir = || last_speaker().or_else(|| members().next()).map(|guest| guest.key);
            return (wanted.map(|(key, _)| key).or_else(heir).map(|key| (key, hand.is_some())), None);
        };
        let stays = (Some((holder.key, holder.by_hand)), None);
        match wanted {
            Some((key, since)) if key != holder.key => {
                if holder.by_hand && hand.is_none() && since <= holder.since {
                    return stays;
                }
                let at = since.plus(FOLLOWS_AFTER_MS).max(holder.since.plus(STAYS_AT_LEAST_MS));
                if at <= now { (Some((key, hand.is_some())), None) } else { (stays.0, Some(at)) }
            }
            Some(_) | None => stays,
        }
    }
}
