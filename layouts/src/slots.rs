//! A rectangle of a layout, and who may sit there.

use crate::grid::GridRect;
use crate::layer::{Fit, Pan};
use crate::position::Position;
use crate::tag::Tag;

/// A rectangle of a layout with its public name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) position: Position,
    pub(crate) rect: GridRect,
    /// 0, or how far it lies above the others.
    pub(crate) z: i16,
    pub(crate) fit: Fit,
    pub(crate) holds: Holds,
    /// Nobody but whom it follows.
    pub(crate) only: bool,
    /// Whoever has this role comes before all others.
    pub(crate) role: Option<Tag>,
    /// Lies over others: what waits in the queue does not cover them unasked.
    pub(crate) overlay: bool,
    /// Pixels inside the slot; without, what the room says.
    pub(crate) border: Option<u8>,
    pub(crate) pan: Option<Pan>,
}

/// Who sits in a slot for which nobody has asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Whoever is next in the queue.
    Queue,
    /// The one we look at now.
    Floor,
    /// The newest screen share; without any, the floor.
    Screen,
    /// The newest screen share; without any, nobody.
    ScreenAlone,
    /// A playback that asks for no other place.
    Playback,
    /// The member whose screen is shown; beside the screen, where the slot would be a hole otherwise, also the queue.
    Sharer,
    /// The floor while a screen is shown.
    Speaker,
    /// Nobody.
    Nobody,
    /// Nobody: it is kept for sources with this tag.
    Tagged(Tag),
}

impl Slot {
    pub(crate) const fn new(position: Position, rect: GridRect, holds: Holds) -> Self {
        Self {
            position,
            rect,
            z: 0,
            fit: Fit::Contain,
            holds,
            only: false,
            role: None,
            overlay: false,
            border: None,
            pan: None,
        }
    }

    pub(crate) const fn standard(number: u16, rect: GridRect) -> Self {
        Self::new(Position::Standard(number), rect, Holds::Queue)
    }

    pub(crate) const fn reserved(number: u16, rect: (u16, u16, u16, u16), holds: Holds) -> Self {
        Self::new(Position::Reserved(number), GridRect::from_table(rect), holds)
    }

    pub(crate) const fn screen(rect: (u16, u16, u16, u16)) -> Self {
        Self { only: true, ..Self::new(Position::Screen, GridRect::from_table(rect), Holds::Screen) }
    }

    /// The layer of playbacks, and that of the whole canvas: above all, and nobody gets them without asking.
    pub(crate) const fn above_all(playback: GridRect) -> [Self; 2] {
        [
            Self::new(Position::Playback, playback, Holds::Nobody),
            Self::new(Position::FullScreen, GridRect::WHOLE, Holds::Nobody),
        ]
    }

    /// Drawn over the others, so far above.
    pub(crate) const fn over(self, z: i16) -> Self {
        Self { z, overlay: true, ..self }
    }

    pub(crate) const fn is_standard(&self) -> bool {
        matches!(self.position, Position::Standard(_))
    }

    /// Whoever is next in the queue may sit here.
    pub(crate) fn takes_from_queue(&self) -> bool {
        let covers_unasked = self.overlay && !self.is_standard();
        match self.holds {
            Holds::Queue | Holds::Sharer | Holds::Playback => !self.only && !covers_unasked,
            Holds::Floor
            | Holds::Screen
            | Holds::ScreenAlone
            | Holds::Speaker
            | Holds::Nobody
            | Holds::Tagged(_) => false,
        }
    }

    /// Somebody sits here as long as there are enough members.
    pub(crate) fn seats_members(&self) -> bool {
        self.takes_from_queue() || matches!(self.holds, Holds::Floor | Holds::Screen)
    }

    pub(crate) fn reservation(&self) -> Option<Tag> {
        match self.holds {
            Holds::Tagged(tag) => Some(tag),
            Holds::Queue
            | Holds::Floor
            | Holds::Screen
            | Holds::ScreenAlone
            | Holds::Playback
            | Holds::Sharer
            | Holds::Speaker
            | Holds::Nobody => None,
        }
    }
}
