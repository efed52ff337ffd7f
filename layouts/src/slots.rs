//! A layout that always has the same slots.
//!
//! in:  a row of the catalogue
//! out: its slots on the grid, with who may fill each

use crate::grid::{GRID, GridRect};
use crate::layer::Fit;
use crate::position::Position;

/// (x, y, w, h) of a slot, 360 to the canvas.
type Rect = (u16, u16, u16, u16);

/// A layout that always has the same slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fixed {
    pub(crate) name: &'static str,
    shape: Shape,
    fit: Fit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// N × N equal slots.
    Uniform(u16),
    /// N × N cells, of which a square at the top left, so many cells wide, is one slot for the floor.
    Highlight { cells: u16, large: u16 },
    /// Slots `standard-1` and on.
    Standard(&'static [Rect]),
    /// Slots of several kinds.
    Mixed(&'static [Slot]),
}

/// A rectangle of a layout with its public name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) position: Position,
    pub(crate) rect: GridRect,
    /// 0, or how far it lies above the others.
    pub(crate) z: i16,
    pub(crate) fit: Fit,
    pub(crate) holds: Holds,
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
    /// The member whose screen is shown; beside the screen, where the slot would be a hole otherwise, also the queue.
    Sharer,
    /// The floor while a screen is shown.
    Speaker,
    /// Nobody.
    Nobody,
    /// Nobody: it is kept for sources with this tag.
    Tagged(&'static str),
}

impl Fixed {
    pub(crate) const fn uniform(name: &'static str, side: u16) -> Self {
        Self { name, shape: Shape::Uniform(side), fit: Fit::Contain }
    }

    pub(crate) const fn highlight(name: &'static str, cells: u16, large: u16) -> Self {
        Self { name, shape: Shape::Highlight { cells, large }, fit: Fit::Contain }
    }

    pub(crate) const fn standard(name: &'static str, slots: &'static [Rect]) -> Self {
        Self { name, shape: Shape::Standard(slots), fit: Fit::Contain }
    }

    pub(crate) const fn mixed(name: &'static str, slots: &'static [Slot]) -> Self {
        Self { name, shape: Shape::Mixed(slots), fit: Fit::Contain }
    }

    /// The same slots under another name.
    pub(crate) const fn alias(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// The same slots, filled to their edges.
    pub(crate) const fn covered(self) -> Self {
        Self { fit: Fit::Cover, ..self }
    }

    /// The slots in order.
    pub(crate) fn slots(self) -> Vec<Slot> {
        let numbered =
            |rects: Vec<GridRect>| (1..).zip(rects).map(|(n, rect)| Slot::standard(n, rect)).collect();
        let mut slots: Vec<Slot> = match self.shape {
            Shape::Uniform(side) => numbered(cells(side).map(|(_, rect)| rect).collect()),
            Shape::Standard(rects) => numbered(rects.iter().copied().map(GridRect::from_table).collect()),
            Shape::Mixed(slots) => slots.to_vec(),
            Shape::Highlight { cells: side, large } => {
                let width = GRID / side * large;
                let whole = Slot {
                    position: Position::Reserved(1),
                    holds: Holds::Floor,
                    ..Slot::standard(1, GridRect { x: 0, y: 0, w: width, h: width })
                };
                let beside = cells(side).filter(|((x, y), _)| *x >= large || *y >= large);
                let small: Vec<Slot> = numbered(beside.map(|(_, rect)| rect).collect());
                std::iter::once(whole).chain(small).collect()
            }
        };
        for slot in &mut slots {
            slot.fit = self.fit;
        }
        slots
    }

    /// How many members it shows when nobody asks for anything.
    pub(crate) fn seats(self) -> usize {
        match self.shape {
            Shape::Uniform(side) => usize::from(side) * usize::from(side),
            Shape::Highlight { cells, large } => {
                usize::from(cells) * usize::from(cells) - usize::from(large) * usize::from(large) + 1
            }
            Shape::Standard(rects) => rects.len(),
            Shape::Mixed(slots) => slots.iter().filter(|slot| slot.seats_members()).count(),
        }
    }

    /// Whether screens have a slot of their own.
    pub(crate) fn has_screen(self) -> bool {
        matches!(self.shape, Shape::Mixed(slots) if slots.iter().any(|slot| slot.holds == Holds::Screen))
    }
}

/// Row by row from the top left, with column and row.
fn cells(side: u16) -> impl Iterator<Item = ((u16, u16), GridRect)> {
    let step = GRID / side;
    let cell = move |x, y| ((x, y), GridRect { x: x * step, y: y * step, w: step, h: step });
    (0..side).flat_map(move |y| (0..side).map(move |x| cell(x, y)))
}

impl Slot {
    const fn new(position: Position, rect: GridRect, holds: Holds) -> Self {
        Self { position, rect, z: 0, fit: Fit::Contain, holds }
    }

    pub(crate) const fn standard(number: u16, rect: GridRect) -> Self {
        Self::new(Position::Standard(number), rect, Holds::Queue)
    }

    pub(crate) const fn reserved(number: u16, rect: Rect, holds: Holds) -> Self {
        Self::new(Position::Reserved(number), GridRect::from_table(rect), holds)
    }

    pub(crate) const fn screen(rect: Rect) -> Self {
        Self::new(Position::Screen, GridRect::from_table(rect), Holds::Screen)
    }

    /// A layer over the whole canvas that nobody gets without asking.
    pub(crate) const fn above_all(position: Position) -> Self {
        Self::new(position, GridRect::WHOLE, Holds::Nobody)
    }

    /// Drawn so far above the others.
    pub(crate) const fn over(self, z: i16) -> Self {
        Self { z, ..self }
    }

    /// Whoever is next in the queue may sit here.
    pub(crate) fn takes_from_queue(&self) -> bool {
        match self.holds {
            Holds::Queue => true,
            Holds::Sharer => self.z == 0,
            Holds::Floor | Holds::Screen | Holds::Speaker | Holds::Nobody | Holds::Tagged(_) => false,
        }
    }

    /// Somebody sits here as long as there are enough members.
    pub(crate) fn seats_members(&self) -> bool {
        self.takes_from_queue() || matches!(self.holds, Holds::Floor | Holds::Screen)
    }

    pub(crate) fn reservation(&self) -> Option<&'static str> {
        match self.holds {
            Holds::Tagged(tag) => Some(tag),
            Holds::Queue | Holds::Floor | Holds::Screen | Holds::Sharer | Holds::Speaker | Holds::Nobody => {
                None
            }
        }
    }
}
