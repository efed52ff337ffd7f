//! The layouts this build knows.
//!
//! in:  a name, or how many sources there are to show
//! out: a layout, and its slots on the grid
//!
//! A layout is a row of [`CATALOGUE`]; the rows stand in the order in which a room offers them.

use crate::grid::{GRID, GridRect};
use crate::position::Position;

/// A layout of the catalogue, by its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LayoutId(u16);

/// A layout that always has the same slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fixed {
    name: &'static str,
    shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// N × N equal slots.
    Uniform(u16),
    /// Slots `standard-1` and on as (x, y, w, h), 360 to the canvas.
    Table(&'static [(u16, u16, u16, u16)]),
}

enum Row {
    Fixed(Fixed),
    /// The smallest of these that holds everybody; in ascending order.
    Responsive(&'static str, &'static [Fixed]),
}

static CATALOGUE: [Row; 13] = [
    Row::Responsive("grid-responsive", &GRID_GROUP),
    Row::Fixed(ONE),
    Row::Fixed(TWO_BESIDE),
    Row::Fixed(uniform("2x2", 2)),
    Row::Fixed(FIVE_OF_A_DIE),
    Row::Fixed(uniform("3x3", 3)),
    Row::Fixed(uniform("4x4", 4)),
    Row::Fixed(uniform("5x5", 5)),
    Row::Fixed(uniform("6x6", 6)),
    Row::Fixed(uniform("8x8", 8)),
    Row::Fixed(uniform("10x10", 10)),
    Row::Fixed(uniform("15x15", 15)),
    Row::Fixed(ONE_OVER_TWO),
];

const GRID_GROUP: [Fixed; 11] = [
    ONE,
    TWO_BESIDE,
    ONE_OVER_TWO,
    uniform("2x2", 2),
    uniform("3x3", 3),
    uniform("4x4", 4),
    uniform("5x5", 5),
    uniform("6x6", 6),
    uniform("8x8", 8),
    uniform("10x10", 10),
    uniform("15x15", 15),
];

const ONE: Fixed = uniform("1x1", 1);
const TWO_BESIDE: Fixed = table("2x1", &[(0, 90, 180, 180), (180, 90, 180, 180)]);
const ONE_OVER_TWO: Fixed = table("1x1+2x1", &[(90, 0, 180, 180), (0, 180, 180, 180), (180, 180, 180, 180)]);
/// An X on a 3 × 3 grid; the background shows through the four other cells.
const FIVE_OF_A_DIE: Fixed = table(
    "5up",
    &[(0, 0, 120, 120), (240, 0, 120, 120), (120, 120, 120, 120), (0, 240, 120, 120), (240, 240, 120, 120)],
);

const fn uniform(name: &'static str, side: u16) -> Fixed {
    Fixed { name, shape: Shape::Uniform(side) }
}

const fn table(name: &'static str, slots: &'static [(u16, u16, u16, u16)]) -> Fixed {
    Fixed { name, shape: Shape::Table(slots) }
}

/// A rectangle of a layout with its public name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) position: Position,
    pub(crate) rect: GridRect,
}

impl LayoutId {
    /// The default of a room: `grid-responsive`.
    pub const GRID_RESPONSIVE: Self = Self(0);

    /// Public name; also the `id` and `name` of `layout.changed`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.row() {
            Row::Fixed(layout) => layout.name,
            Row::Responsive(name, _) => name,
        }
    }

    /// The layout of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::available().find(|layout| layout.name() == name)
    }

    /// All layouts a room offers, in the order `list_available_layouts` gives them.
    pub fn available() -> impl Iterator<Item = Self> {
        (0..).zip(&CATALOGUE).map(|(index, _)| Self(index))
    }

    /// The fixed layouts this one chooses from, at least one, in ascending order.
    pub(crate) fn choices(self) -> &'static [Fixed] {
        match self.row() {
            Row::Fixed(layout) => std::slice::from_ref(layout),
            Row::Responsive(_, group) => group,
        }
    }

    fn row(self) -> &'static Row {
        CATALOGUE.get(usize::from(self.0)).expect("a LayoutId is made from an index of the catalogue only")
    }
}

impl Fixed {
    pub(crate) fn slot_count(self) -> usize {
        match self.shape {
            Shape::Uniform(side) => usize::from(side) * usize::from(side),
            Shape::Table(rects) => rects.len(),
        }
    }

    /// The slots in order.
    pub(crate) fn slots(self) -> Vec<Slot> {
        let rects: Vec<_> = match self.shape {
            Shape::Uniform(side) => cells(side).collect(),
            Shape::Table(rects) => rects.iter().copied().map(GridRect::from_table).collect(),
        };
        (1..).zip(rects).map(|(n, rect)| Slot { position: Position::Standard(n), rect }).collect()
    }
}

/// Row by row from the top left.
fn cells(side: u16) -> impl Iterator<Item = GridRect> {
    let step = GRID / side;
    let cell = move |x, y| GridRect { x: x * step, y: y * step, w: step, h: step };
    (0..side).flat_map(move |y| (0..side).map(move |x| cell(x, y)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{Size, TABLE_UNIT};
    use proptest::prelude::*;

    fn fixed_layouts() -> impl Iterator<Item = Fixed> {
        LayoutId::available().filter(|layout| *layout != LayoutId::GRID_RESPONSIVE).map(only)
    }

    fn only(layout: LayoutId) -> Fixed {
        let [fixed] = layout.choices() else { panic!("{} is no fixed layout", layout.name()) };
        *fixed
    }

    fn named(name: &str) -> Fixed {
        only(LayoutId::by_name(name).unwrap())
    }

    fn check_slots(name: &str, expected: &[(u16, u16, u16, u16)]) {
        let slots = named(name).slots();
        let found: Vec<_> = slots
            .iter()
            .map(|s| (s.rect.x, s.rect.y, s.rect.w, s.rect.h))
            .map(|(x, y, w, h)| (x / TABLE_UNIT, y / TABLE_UNIT, w / TABLE_UNIT, h / TABLE_UNIT))
            .collect();
        assert_eq!(found, expected, "{name}");
        let names: Vec<_> = slots.iter().map(|s| s.position).collect();
        let in_order: Vec<_> = (1..).take(expected.len()).map(Position::Standard).collect();
        assert_eq!(names, in_order, "{name}");
    }

    #[test]
    fn small_layouts_as_written_out() {
        check_slots("1x1", &[(0, 0, 360, 360)]);
        check_slots("2x1", &[(0, 90, 180, 180), (180, 90, 180, 180)]);
        check_slots("1x1+2x1", &[(90, 0, 180, 180), (0, 180, 180, 180), (180, 180, 180, 180)]);
        check_slots("2x2", &[(0, 0, 180, 180), (180, 0, 180, 180), (0, 180, 180, 180), (180, 180, 180, 180)]);
        check_slots(
            "5up",
            &[
                (0, 0, 120, 120),
                (240, 0, 120, 120),
                (120, 120, 120, 120),
                (0, 240, 120, 120),
                (240, 240, 120, 120),
            ],
        );
        check_slots(
            "3x3",
            &[
                (0, 0, 120, 120),
                (120, 0, 120, 120),
                (240, 0, 120, 120),
                (0, 120, 120, 120),
                (120, 120, 120, 120),
                (240, 120, 120, 120),
                (0, 240, 120, 120),
                (120, 240, 120, 120),
                (240, 240, 120, 120),
            ],
        );
    }

    #[test]
    fn uniform_grids_have_the_published_slot_sizes() {
        for (name, side, width, height) in [
            ("1x1", 1, 1280, 720),
            ("2x2", 2, 640, 360),
            ("3x3", 3, 426, 240),
            ("4x4", 4, 320, 180),
            ("5x5", 5, 256, 144),
            ("6x6", 6, 212, 120),
            ("8x8", 8, 160, 90),
            ("10x10", 10, 128, 72),
            ("15x15", 15, 84, 48),
        ] {
            let slots = named(name).slots();
            assert_eq!(slots.len(), side * side, "{name}");
            assert!(slots.iter().all(|s| usize::from(s.rect.w) * side == usize::from(GRID)), "{name}");
            let first = slots[0].rect.pixels(Size { width: 1280, height: 720 });
            assert_eq!((first.width, first.height), (width, height), "{name}");
        }
        let centre = named("5x5").slots()[12];
        assert_eq!(centre.position, Position::Standard(13));
        assert_eq!((centre.rect.x, centre.rect.y), (144 * TABLE_UNIT, 144 * TABLE_UNIT));
    }

    #[test]
    fn offered_in_the_published_order() {
        let names: Vec<_> = LayoutId::available().map(LayoutId::name).collect();
        let expected = "grid-responsive 1x1 2x1 2x2 5up 3x3 4x4 5x5 6x6 8x8 10x10 15x15 1x1+2x1";
        assert_eq!(names.join(" "), expected);
        for layout in LayoutId::available() {
            assert_eq!(LayoutId::by_name(layout.name()), Some(layout));
        }
        for unknown in ["", "2X2", "grid", "grid-responsive ", "screen-share"] {
            assert_eq!(LayoutId::by_name(unknown), None, "{unknown:?}");
        }
    }

    #[test]
    fn a_group_ascends() {
        let group = LayoutId::GRID_RESPONSIVE.choices();
        let names: Vec<_> = group.iter().map(|l| l.name).collect();
        assert_eq!(names.join(" "), "1x1 2x1 1x1+2x1 2x2 3x3 4x4 5x5 6x6 8x8 10x10 15x15");
        assert!(group.is_sorted_by_key(|l| l.slot_count()));
        assert!(fixed_layouts().all(|l| l.slot_count() == l.slots().len()));
    }

    #[test]
    fn slots_are_inside_and_apart() {
        for layout in fixed_layouts() {
            let slots = layout.slots();
            for (n, Slot { rect: a, .. }) in slots.iter().enumerate() {
                assert!(a.w > 0 && a.h > 0 && a.x + a.w <= GRID && a.y + a.h <= GRID, "{}", layout.name);
                for Slot { rect: b, .. } in &slots[n + 1..] {
                    let apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
                    assert!(apart, "{}: {a:?} and {b:?}", layout.name);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn on_any_canvas_edges_are_even_shared_and_inside(width in 180_u32..=3840, height in 180_u32..=3840) {
            let canvas = Size { width, height };
            for layout in fixed_layouts() {
                let slots = layout.slots();
                for Slot { rect: a, .. } in &slots {
                    let p = a.pixels(canvas);
                    prop_assert!((p.x | p.y | p.width | p.height) % 2 == 0);
                    prop_assert!(p.width > 0 && p.height > 0);
                    prop_assert!(p.x + p.width <= width && p.y + p.height <= height);
                    if a.x + a.w == GRID {
                        prop_assert_eq!(p.x + p.width, width - width % 2);
                    }
                    let right = slots.iter().find(|s| s.rect.x == a.x + a.w && s.rect.y == a.y);
                    if let Some(right) = right {
                        prop_assert_eq!(p.x + p.width, right.rect.pixels(canvas).x);
                    }
                    let below = slots.iter().find(|s| s.rect.y == a.y + a.h && s.rect.x == a.x);
                    if let Some(below) = below {
                        prop_assert_eq!(p.y + p.height, below.rect.pixels(canvas).y);
                    }
                }
            }
        }
    }
}
