//! The layouts this build knows.
//!
//! in:  a name, or how many sources there are to show
//! out: a layout, and its slots on the grid
//!
//! A layout is a row of [`CATALOGUE`]; the rows stand in the order in which a room offers them.

use crate::grid::GridRect;
use crate::slots::{Fixed, Holds, Slot};

/// A layout of the catalogue, by its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LayoutId(u16);

enum Row {
    Fixed(Fixed),
    /// The smallest of these that holds everybody; in ascending order.
    Group(&'static str, &'static [Fixed]),
}

static CATALOGUE: [Row; 47] = [
    Row::Group("grid-responsive", &GRID_RESPONSIVE),
    Row::Group("grid-responsive-mobile", &GRID_RESPONSIVE_MOBILE),
    Row::Group("highlight-1-responsive", &HIGHLIGHT_1_RESPONSIVE),
    Row::Fixed(ONE),
    Row::Fixed(TWO_BESIDE),
    Row::Fixed(TWO_BY_TWO),
    Row::Fixed(FIVE_OF_A_DIE),
    Row::Fixed(THREE_BY_THREE),
    Row::Fixed(FOUR_BY_FOUR),
    Row::Fixed(FIVE_BY_FIVE),
    Row::Fixed(SIX_BY_SIX),
    Row::Fixed(EIGHT_BY_EIGHT),
    Row::Fixed(TEN_BY_TEN),
    Row::Fixed(FIFTEEN_BY_FIFTEEN),
    Row::Fixed(ONE_OVER_TWO),
    Row::Fixed(FULL_SCREEN),
    Row::Fixed(SCREEN_SHARE),
    Row::Fixed(PRESENTER_DUAL_HORIZONTAL),
    Row::Fixed(HIGHLIGHT_5),
    Row::Fixed(HIGHLIGHT_7),
    Row::Fixed(HIGHLIGHT_9),
    Row::Fixed(HIGHLIGHT_16),
    Row::Fixed(HIGHLIGHT_27),
    Row::Fixed(HIGHLIGHT_48),
    Row::Fixed(PRESENTER_DUAL_VERTICAL),
    Row::Fixed(presenter_overlap("presenter-overlap-small-top-right", &SMALL_TOP_RIGHT)),
    Row::Fixed(presenter_overlap("presenter-overlap-small-bot-right", &SMALL_BOTTOM_RIGHT)),
    Row::Fixed(presenter_overlap("presenter-overlap-large-top-right", &LARGE_TOP_RIGHT)),
    Row::Fixed(presenter_overlap("presenter-overlap-large-bot-right", &LARGE_BOTTOM_RIGHT)),
    Row::Fixed(OVERLAPS),
    Row::Fixed(ONE_BELOW_ONE),
    Row::Fixed(TWO_UP_TOP),
    Row::Fixed(TWO_UP_MIDDLE),
    Row::Fixed(TWO_UP_BOTTOM),
    Row::Fixed(THREE_UP_4),
    Row::Fixed(THREE_UP_9),
    Row::Fixed(TWO_ZOOM),
    Row::Fixed(THREE_ZOOM),
    Row::Fixed(FIVE_ZOOM),
    Row::Fixed(SIX_ZOOM),
    Row::Fixed(SEVEN_ZOOM),
    Row::Fixed(EIGHT_ZOOM),
    Row::Fixed(PRESENTER_ZOOM),
    Row::Group("grid", &GRID_GROUP),
    Row::Group("grid-zoom", &GRID_ZOOM),
    Row::Group("1up_top_left_plus", &ONE_UP_PLUS),
    Row::Group("3up_plus", &THREE_UP_PLUS),
];

/// Names that mean a layout of the catalogue and are not offered: what `layout.changed` reports is the name that was set.
static ALIASES: [Row; 9] = [
    Row::Fixed(HIGHLIGHT_5.alias("1up_top_left+5")),
    Row::Fixed(HIGHLIGHT_7.alias("1up_top_left+7")),
    Row::Fixed(HIGHLIGHT_9.alias("1up_top_left+9")),
    Row::Fixed(HIGHLIGHT_27.alias("1up-top-left24")),
    Row::Fixed(HIGHLIGHT_48.alias("1up-top-left32")),
    Row::Group("group:1up_top_left_plus", &ONE_UP_PLUS),
    Row::Group("group:grid", &GRID_GROUP),
    Row::Group("group:grid-zoom", &GRID_ZOOM),
    Row::Group("group:3up_plus", &THREE_UP_PLUS),
];

static GRID_RESPONSIVE: [Fixed; 11] = [
    ONE,
    TWO_BESIDE,
    ONE_OVER_TWO,
    TWO_BY_TWO,
    THREE_BY_THREE,
    FOUR_BY_FOUR,
    FIVE_BY_FIVE,
    SIX_BY_SIX,
    EIGHT_BY_EIGHT,
    TEN_BY_TEN,
    FIFTEEN_BY_FIFTEEN,
];

/// As on a canvas that is wider than high.
static GRID_RESPONSIVE_MOBILE: [Fixed; 11] = [
    ONE.covered(),
    TWO_BESIDE.covered(),
    ONE_OVER_TWO.covered(),
    TWO_BY_TWO.covered(),
    THREE_BY_THREE.covered(),
    FOUR_BY_FOUR.covered(),
    FIVE_BY_FIVE.covered(),
    SIX_BY_SIX.covered(),
    EIGHT_BY_EIGHT.covered(),
    TEN_BY_TEN.covered(),
    FIFTEEN_BY_FIFTEEN.covered(),
];

static HIGHLIGHT_1_RESPONSIVE: [Fixed; 7] =
    [FULL_SCREEN, HIGHLIGHT_5, HIGHLIGHT_7, HIGHLIGHT_9, HIGHLIGHT_16, HIGHLIGHT_27, HIGHLIGHT_48];

static GRID_GROUP: [Fixed; 9] = [
    ONE,
    TWO_BESIDE,
    ONE_OVER_TWO,
    TWO_BY_TWO,
    THREE_BY_THREE,
    FOUR_BY_FOUR,
    FIVE_BY_FIVE,
    SIX_BY_SIX,
    EIGHT_BY_EIGHT,
];

static GRID_ZOOM: [Fixed; 9] =
    [ONE, TWO_ZOOM, THREE_ZOOM, TWO_BY_TWO, FIVE_ZOOM, SIX_ZOOM, SEVEN_ZOOM, EIGHT_ZOOM, THREE_BY_THREE];

static ONE_UP_PLUS: [Fixed; 3] = [HIGHLIGHT_5, HIGHLIGHT_7, HIGHLIGHT_9];
static THREE_UP_PLUS: [Fixed; 2] = [THREE_UP_4, THREE_UP_9];

const ONE: Fixed = Fixed::uniform("1x1", 1);
const TWO_BY_TWO: Fixed = Fixed::uniform("2x2", 2);
const THREE_BY_THREE: Fixed = Fixed::uniform("3x3", 3);
const FOUR_BY_FOUR: Fixed = Fixed::uniform("4x4", 4);
const FIVE_BY_FIVE: Fixed = Fixed::uniform("5x5", 5);
const SIX_BY_SIX: Fixed = Fixed::uniform("6x6", 6);
const EIGHT_BY_EIGHT: Fixed = Fixed::uniform("8x8", 8);
const TEN_BY_TEN: Fixed = Fixed::uniform("10x10", 10);
const FIFTEEN_BY_FIFTEEN: Fixed = Fixed::uniform("15x15", 15);
const TWO_BESIDE: Fixed = Fixed::standard("2x1", &[(0, 90, 180, 180), (180, 90, 180, 180)]);
const ONE_BELOW_ONE: Fixed = Fixed::standard("1x2", &[(90, 0, 180, 180), (90, 180, 180, 180)]);
const ONE_OVER_TWO: Fixed =
    Fixed::standard("1x1+2x1", &[(90, 0, 180, 180), (0, 180, 180, 180), (180, 180, 180, 180)]);
/// An X on a 3 × 3 grid; the background shows through the four other cells.
const FIVE_OF_A_DIE: Fixed = Fixed::standard(
    "5up",
    &[(0, 0, 120, 120), (240, 0, 120, 120), (120, 120, 120, 120), (0, 240, 120, 120), (240, 240, 120, 120)],
);
const FULL_SCREEN: Fixed = Fixed::mixed("full-screen", &[Slot::reserved(1, WHOLE, Holds::Floor)]);

const HIGHLIGHT_5: Fixed = Fixed::highlight("1up-top-left-5", 3, 2);
const HIGHLIGHT_7: Fixed = Fixed::highlight("1up-top-left-7", 4, 3);
const HIGHLIGHT_9: Fixed = Fixed::highlight("1up-top-left-9", 5, 4);
const HIGHLIGHT_16: Fixed = Fixed::highlight("1up-top-left-16", 5, 3);
const HIGHLIGHT_27: Fixed = Fixed::highlight("1up-top-left-27", 6, 3);
const HIGHLIGHT_48: Fixed = Fixed::highlight("1up-top-left-48", 8, 4);

const WHOLE: (u16, u16, u16, u16) = (0, 0, 360, 360);

/// The large corners are for who asks for them.
const SCREEN_SHARE: Fixed = Fixed::mixed(
    "screen-share",
    &[
        Slot::screen(WHOLE),
        Slot::reserved(5, (240, 0, 120, 120), Holds::Nobody).over(1),
        Slot::reserved(6, (0, 0, 120, 120), Holds::Nobody).over(1),
        Slot::reserved(7, (240, 240, 120, 120), Holds::Nobody).over(1),
        Slot::reserved(8, (0, 240, 120, 120), Holds::Nobody).over(1),
        Slot::reserved(1, (300, 0, 60, 60), Holds::Sharer).over(2),
        Slot::reserved(2, (0, 0, 60, 60), Holds::Nobody).over(2),
        Slot::reserved(3, (300, 300, 60, 60), Holds::Speaker).over(2),
        Slot::reserved(4, (0, 300, 60, 60), Holds::Nobody).over(2),
    ],
);
const PRESENTER_DUAL_HORIZONTAL: Fixed = Fixed::mixed(
    "presenter-dual-horizontal",
    &[Slot::screen((0, 90, 180, 180)), Slot::reserved(1, (180, 90, 180, 180), Holds::Sharer)],
);
const PRESENTER_DUAL_VERTICAL: Fixed = Fixed::mixed(
    "presenter-dual-vertical",
    &[Slot::screen((90, 0, 180, 180)), Slot::reserved(1, (90, 180, 180, 180), Holds::Sharer)],
);
const SMALL_TOP_RIGHT: [Slot; 2] = presenter_over_screen((300, 0, 60, 60));
const SMALL_BOTTOM_RIGHT: [Slot; 2] = presenter_over_screen((300, 300, 60, 60));
const LARGE_TOP_RIGHT: [Slot; 2] = presenter_over_screen((180, 0, 180, 180));
const LARGE_BOTTOM_RIGHT: [Slot; 2] = presenter_over_screen((180, 180, 180, 180));

const fn presenter_over_screen(presenter: (u16, u16, u16, u16)) -> [Slot; 2] {
    [Slot::screen(WHOLE), Slot::reserved(1, presenter, Holds::Sharer).over(1)]
}

const fn presenter_overlap(name: &'static str, slots: &'static [Slot]) -> Fixed {
    Fixed::mixed(name, slots)
}

const OVERLAPS: Fixed = Fixed::mixed(
    "overlaps",
    &[
        Slot::screen(WHOLE),
        small(1, 300, 300, 60).over(1),
        small(2, 240, 300, 60).over(1),
        small(3, 180, 300, 60).over(1),
        small(4, 120, 300, 60).over(1),
        small(5, 60, 300, 60).over(1),
        small(6, 0, 300, 60).over(1),
    ],
);

/// A square slot from the queue.
const fn small(number: u16, x: u16, y: u16, side: u16) -> Slot {
    Slot::standard(number, GridRect::from_table((x, y, side, side)))
}

const fn two_up(large: u16, first: u16, second: u16) -> [Slot; 10] {
    [
        Slot::reserved(1, (0, large, 180, 180), Holds::Floor),
        Slot::reserved(2, (180, large, 180, 180), Holds::Tagged("secondary")),
        small(1, 0, first, 90),
        small(2, 90, first, 90),
        small(3, 180, first, 90),
        small(4, 270, first, 90),
        small(5, 0, second, 90),
        small(6, 90, second, 90),
        small(7, 180, second, 90),
        small(8, 270, second, 90),
    ]
}

const TWO_UP_TOP: Fixed = Fixed::mixed("2up_top+8", &const { two_up(0, 180, 270) });
const TWO_UP_MIDDLE: Fixed = Fixed::mixed("2up_middle+8", &const { two_up(90, 0, 270) });
const TWO_UP_BOTTOM: Fixed = Fixed::mixed("2up_bottom+8", &const { two_up(180, 0, 90) });

const THREE_UP_1: Slot = Slot::reserved(1, (0, 0, 180, 180), Holds::Floor);
const THREE_UP_2: Slot = Slot::reserved(2, (180, 0, 180, 180), Holds::Tagged("secondary"));
const THREE_UP_3: Slot = Slot::reserved(3, (0, 180, 180, 180), Holds::Tagged("third"));
const THREE_UP_4: Fixed = Fixed::mixed(
    "3up+4",
    &[
        THREE_UP_1,
        THREE_UP_2,
        THREE_UP_3,
        small(1, 180, 180, 90),
        small(2, 270, 180, 90),
        small(3, 180, 270, 90),
        small(4, 270, 270, 90),
    ],
);
const THREE_UP_9: Fixed = Fixed::mixed(
    "3up+9",
    &[
        THREE_UP_1,
        THREE_UP_2,
        THREE_UP_3,
        small(1, 180, 180, 60),
        small(2, 240, 180, 60),
        small(3, 300, 180, 60),
        small(4, 180, 240, 60),
        small(5, 240, 240, 60),
        small(6, 300, 240, 60),
        small(7, 180, 300, 60),
        small(8, 240, 300, 60),
        small(9, 300, 300, 60),
    ],
);

const TWO_ZOOM: Fixed = Fixed::standard("2x1-zoom", &[(0, 0, 180, 360), (180, 0, 180, 360)]).covered();
const THREE_ZOOM: Fixed =
    Fixed::standard("3x1-zoom", &[(0, 0, 120, 360), (120, 0, 120, 360), (240, 0, 120, 360)]).covered();
const FIVE_ZOOM: Fixed = Fixed::standard(
    "5-grid-zoom",
    &[(0, 0, 180, 180), (180, 0, 180, 180), (0, 180, 120, 180), (120, 180, 120, 180), (240, 180, 120, 180)],
)
.covered();
const SIX_ZOOM: Fixed = Fixed::standard(
    "3x2-zoom",
    &[
        (0, 0, 120, 180),
        (120, 0, 120, 180),
        (240, 0, 120, 180),
        (0, 180, 120, 180),
        (120, 180, 120, 180),
        (240, 180, 120, 180),
    ],
)
.covered();
const SEVEN_ZOOM: Fixed = Fixed::standard(
    "7-grid-zoom",
    &[
        (0, 0, 120, 180),
        (120, 0, 120, 180),
        (240, 0, 120, 180),
        (0, 180, 90, 180),
        (90, 180, 90, 180),
        (180, 180, 90, 180),
        (270, 180, 90, 180),
    ],
)
.covered();
const EIGHT_ZOOM: Fixed = Fixed::standard(
    "4x2-zoom",
    &[
        (0, 0, 90, 180),
        (90, 0, 90, 180),
        (180, 0, 90, 180),
        (270, 0, 90, 180),
        (0, 180, 90, 180),
        (90, 180, 90, 180),
        (180, 180, 90, 180),
        (270, 180, 90, 180),
    ],
)
.covered();
const PRESENTER_ZOOM: Fixed = Fixed::mixed(
    "2x1-presenter-zoom",
    &[
        Slot::reserved(1, (0, 0, 180, 360), Holds::Floor),
        Slot::reserved(2, (180, 0, 180, 360), Holds::Tagged("presenter")),
    ],
)
.covered();

impl LayoutId {
    /// The default of a room: `grid-responsive`.
    pub const GRID_RESPONSIVE: Self = Self(0);

    /// Public name; also the `id` and `name` of `layout.changed`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name()
    }

    /// The layout of that name, also one that is not offered.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        (0..).zip(rows()).find(|(_, row)| row.name() == name).map(|(index, _)| Self(index))
    }

    /// All layouts a room offers, in the order `list_available_layouts` gives them.
    pub fn available() -> impl Iterator<Item = Self> {
        (0..).zip(&CATALOGUE).map(|(index, _)| Self(index))
    }

    /// The fixed layouts this one chooses from, at least one, in ascending order.
    pub(crate) fn choices(self) -> &'static [Fixed] {
        match self.row() {
            Row::Fixed(layout) => std::slice::from_ref(layout),
            Row::Group(_, group) => group,
        }
    }

    /// Whether screens have a slot of their own there.
    pub(crate) fn has_screen(self) -> bool {
        self.choices().iter().any(|choice| choice.has_screen())
    }

    fn row(self) -> &'static Row {
        rows().nth(usize::from(self.0)).expect("a LayoutId is made from an index of the rows only")
    }
}

fn rows() -> impl Iterator<Item = &'static Row> {
    CATALOGUE.iter().chain(&ALIASES)
}

impl Row {
    fn name(&self) -> &'static str {
        match self {
            Self::Fixed(layout) => layout.name,
            Self::Group(name, _) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::{GRID, Size, TABLE_UNIT};
    use crate::position::Position;
    use proptest::prelude::*;

    fn fixed_layouts() -> impl Iterator<Item = Fixed> {
        LayoutId::available().filter_map(|layout| match layout.row() {
            Row::Fixed(layout) => Some(*layout),
            Row::Group(..) => None,
        })
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
        let expected = "grid-responsive grid-responsive-mobile highlight-1-responsive 1x1 2x1 2x2 5up 3x3 4x4 5x5 \
            6x6 8x8 10x10 15x15 1x1+2x1 full-screen screen-share presenter-dual-horizontal 1up-top-left-5";
        assert_eq!(names[..19].join(" "), expected);
        for layout in LayoutId::available() {
            assert_eq!(LayoutId::by_name(layout.name()), Some(layout));
        }
        for unknown in ["", "2X2", "grid-responsive ", "group:2x2", "1up_top_left+6"] {
            assert_eq!(LayoutId::by_name(unknown), None, "{unknown:?}");
        }
    }

    #[test]
    fn a_group_ascends() {
        let group = LayoutId::GRID_RESPONSIVE.choices();
        let names: Vec<_> = group.iter().map(|l| l.name).collect();
        assert_eq!(names.join(" "), "1x1 2x1 1x1+2x1 2x2 3x3 4x4 5x5 6x6 8x8 10x10 15x15");
        for layout in LayoutId::available() {
            assert!(layout.choices().is_sorted_by_key(|l| l.seats()), "{}", layout.name());
        }
        let seats = |layout: Fixed| layout.slots().iter().filter(|slot| slot.seats_members()).count();
        assert!(fixed_layouts().all(|layout| layout.seats() == seats(layout)));
    }

    #[test]
    fn slots_are_inside_and_apart() {
        for layout in fixed_layouts() {
            let slots = layout.slots();
            for (n, Slot { rect: a, .. }) in slots.iter().enumerate() {
                assert!(a.w > 0 && a.h > 0 && a.x + a.w <= GRID && a.y + a.h <= GRID, "{}", layout.name);
                for Slot { rect: b, .. } in slots[n + 1..].iter().filter(|other| other.z == slots[n].z) {
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
