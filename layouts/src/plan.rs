//! What is filled: the slots of one layout, with what that layout says about placement.

use std::sync::Arc;

use crate::defined::Defined;
use crate::fixed::Fixed;
use crate::grid::GridRect;
use crate::position::Position;
use crate::slots::{Holds, Slot};

/// One arrangement of slots that a layout may choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    Fixed(Fixed),
    /// A defined layout that is no group.
    Defined(Arc<Defined>),
}

/// Where placement departs from its usual ways: by the room, or by a layout that somebody defined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Who comes after a slot that is left moves up, instead of leaving it to the next newcomer.
    pub compact: bool,
    /// In `highlight-1-responsive` one member alone stays in the large slot, instead of filling the canvas.
    pub solo_stays: bool,
    /// The place of screens stays empty without a screen, instead of showing the floor.
    pub screen_alone: bool,
    /// Who is in the slot of the floor keeps an ordinary slot as well.
    pub duplicate_floor: bool,
}

/// How a room departs from the usual placement on its canvas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Members without video leave the canvas.
    pub video_required: bool,
    /// The rest.
    pub options: Options,
}

impl Options {
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            compact: self.compact || other.compact,
            solo_stays: self.solo_stays || other.solo_stays,
            screen_alone: self.screen_alone || other.screen_alone,
            duplicate_floor: self.duplicate_floor || other.duplicate_floor,
        }
    }
}

impl Plan {
    /// The slots in order, then the two layers that every layout has.
    pub(crate) fn slots(&self, options: Options) -> Vec<Slot> {
        let (mut slots, playback) = match self {
            Self::Fixed(layout) => (layout.slots(), GridRect::WHOLE),
            Self::Defined(layout) => (layout.slots().to_vec(), layout.playback()),
        };
        if options.screen_alone {
            for slot in slots.iter_mut().filter(|slot| slot.holds == Holds::Screen) {
                slot.holds = Holds::ScreenAlone;
            }
        }
        slots.extend(Slot::above_all(playback));
        slots
    }

    pub(crate) fn options(&self) -> Options {
        match self {
            Self::Fixed(_) => Options::default(),
            Self::Defined(layout) => layout.options(),
        }
    }

    /// How many members it shows at most when nobody asks for anything.
    pub(crate) fn seats(&self) -> usize {
        match self {
            Self::Fixed(layout) => layout.seats(),
            Self::Defined(layout) => layout.slots().iter().filter(|slot| slot.seats_members()).count(),
        }
    }

    pub(crate) fn has(&self, is_meant: impl Fn(&Slot) -> bool) -> bool {
        match self {
            Self::Fixed(layout) => layout.slots().iter().any(is_meant),
            Self::Defined(layout) => layout.slots().iter().any(is_meant),
        }
    }

    /// Whether screens have a slot of their own.
    pub(crate) fn has_screen(&self) -> bool {
        self.has(|slot| matches!(slot.holds, Holds::Screen | Holds::ScreenAlone))
    }

    /// Whether there is a slot of that name among its own.
    pub(crate) fn has_position(&self, position: Position) -> bool {
        self.has(|slot| slot.position == position)
    }
}
