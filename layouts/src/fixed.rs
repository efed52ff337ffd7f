//! A layout of the catalogue that always has the same slots.
//!
//! in:  a shape
//! out: its slots on the grid, with who may fill each

use crate::grid::{GRID, GridRect};
use crate::layer::Fit;
use crate::position::Position;
use crate::slots::{Holds, Slot};

/// (x, y, w, h) of a slot, 360 to the canvas.
type Rect = (u16, u16, u16, u16);

/// A layout of the catalogue that always has the same slots.
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
    /// So many slots in the fewest columns that are no fewer than the rows, without empty rows, centred.
    Tight(u16),
    /// So many slots that fill a canvas higher than wide.
    Portrait(u16),
    /// Slots `standard-1` and on.
    Standard(&'static [Rect]),
    /// Slots of several kinds.
    Mixed(&'static [Slot]),
}

/// Columns and rows of a canvas higher than wide, with how many it is for at most.
const PORTRAIT: [(u16, u16, u16); 12] = [
    (1, 1, 1),
    (2, 1, 2),
    (3, 1, 3),
    (4, 2, 2),
    (6, 2, 3),
    (8, 2, 4),
    (12, 3, 4),
    (15, 3, 5),
    (18, 3, 6),
    (24, 4, 6),
    (28, 4, 7),
    (32, 4, 8),
];

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

    /// `grid-tight` for 1 to 225, in this order.
    pub(crate) const fn tight() -> [Self; 225] {
        numbered(Self { name: "grid-tight", shape: Shape::Tight(1), fit: Fit::Contain })
    }

    /// `grid-responsive-mobile` for 1 to 32 on a canvas higher than wide, in this order.
    pub(crate) const fn portrait() -> [Self; 32] {
        numbered(Self { name: "grid-responsive-mobile", shape: Shape::Portrait(1), fit: Fit::Cover })
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
            Shape::Tight(count) => numbered(tight(count)),
            Shape::Portrait(count) => numbered(portrait(count)),
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
            Shape::Tight(count) | Shape::Portrait(count) => usize::from(count),
            Shape::Standard(rects) => rects.len(),
            Shape::Mixed(slots) => slots.iter().filter(|slot| slot.seats_members()).count(),
        }
    }
}

/// The same for 1, 2, 3 and on.
#[allow(clippy::indexing_slicing, reason = "when it is compiled")]
const fn numbered<const N: usize>(first: Fixed) -> [Fixed; N] {
    let mut all = [first; N];
    let mut n: u16 = 1;
    while (n as usize) < N {
        let shape = match first.shape {
            Shape::Tight(_) => Shape::Tight(n + 1),
            Shape::Portrait(_) => Shape::Portrait(n + 1),
            Shape::Uniform(_) | Shape::Highlight { .. } | Shape::Standard(_) | Shape::Mixed(_) => first.shape,
        };
        all[n as usize] = Fixed { shape, ..first };
        n += 1;
    }
    all
}

/// Row by row from the top left, with column and row.
fn cells(side: u16) -> impl Iterator<Item = ((u16, u16), GridRect)> {
    let step = GRID / side;
    let cell = move |x, y| ((x, y), GridRect { x: x * step, y: y * step, w: step, h: step });
    (0..side).flat_map(move |y| (0..side).map(move |x| cell(x, y)))
}

fn tight(count: u16) -> Vec<GridRect> {
    let columns = match (1..).find(|side| side * side >= count).unwrap_or(1) {
        // The grid holds neither 11 nor 13 columns exactly.
        side @ (11 | 13) => side + 1,
        side => side,
    };
    let rows = count.div_ceil(columns);
    let side = GRID / columns;
    let top = (columns - rows) * side / 2;
    let cell = |n: u16| {
        let (row, column) = (n / columns, n % columns);
        let in_row = if row + 1 == rows { count - row * columns } else { columns };
        GridRect { x: (columns - in_row) * side / 2 + column * side, y: top + row * side, w: side, h: side }
    };
    (0..count).map(cell).collect()
}

/// Rows are full from the top, as long as one is left for each row below; a row that is not full is widened.
fn portrait(count: u16) -> Vec<GridRect> {
    let (_, columns, rows) = PORTRAIT.into_iter().find(|(most, ..)| count <= *most).unwrap_or((32, 4, 8));
    let height = GRID / rows;
    let mut left = count;
    let mut rects = Vec::new();
    for row in 0..rows {
        let in_row = columns.min(left - (rows - row - 1));
        let width = GRID / in_row;
        rects.extend((0..in_row).map(|n| GridRect { x: n * width, y: row * height, w: width, h: height }));
        left -= in_row;
    }
    rects
}
