//! The layouts there are: those of this build, by name, and those that somebody defined.
//!
//! in:  a name, how many sources there are to show
//! out: a layout, and the plans it chooses from
//!
//! A layout of this build is a row of [`CATALOGUE`]; the rows stand in the order in which a room offers them.

use std::sync::Arc;

use crate::defined::Defined;
use crate::fixed::Fixed;
use crate::grid::Size;
use crate::layer::Rgb;
use crate::plan::{Options, Plan};
use crate::tables::{
    EIGHT_BY_EIGHT, EIGHT_ZOOM, FIFTEEN_BY_FIFTEEN, FIVE_BY_FIVE, FIVE_OF_A_DIE, FIVE_ZOOM, FOUR_BY_FOUR,
    FULL_SCREEN, HIGHLIGHT_5, HIGHLIGHT_7, HIGHLIGHT_9, HIGHLIGHT_16, HIGHLIGHT_27, HIGHLIGHT_48, ONE,
    ONE_BELOW_ONE, ONE_OVER_TWO, OVERLAPS, PRESENTER_DUAL_HORIZONTAL, PRESENTER_DUAL_VERTICAL,
    PRESENTER_LARGE_BOTTOM_RIGHT, PRESENTER_LARGE_TOP_RIGHT, PRESENTER_SMALL_BOTTOM_RIGHT,
    PRESENTER_SMALL_TOP_RIGHT, PRESENTER_ZOOM, SCREEN_SHARE, SEVEN_ZOOM, SIX_BY_SIX, SIX_ZOOM, TEN_BY_TEN,
    THREE_BY_THREE, THREE_UP_4, THREE_UP_9, THREE_ZOOM, TWO_BESIDE, TWO_BY_TWO, TWO_UP_BOTTOM, TWO_UP_MIDDLE,
    TWO_UP_TOP, TWO_ZOOM,
};

/// A layout, as cheap to copy as a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayoutId(Handle);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Handle {
    /// By its place in the rows.
    BuiltIn(u16),
    Defined(Arc<Defined>),
}

enum Row {
    Fixed(Fixed),
    /// The smallest of these that holds everybody; in ascending order.
    Group(&'static str, &'static [Fixed]),
    /// The first of these is for one member alone, unless the room wants the large picture to keep its place.
    Highlight(&'static str, &'static [Fixed]),
    /// A group for canvases higher than wide, another for the rest.
    Oriented(&'static str, &'static [Fixed], &'static [Fixed]),
}

static CATALOGUE: [Row; 48] = [
    Row::Group("grid-responsive", &GRID_RESPONSIVE),
    Row::Oriented("grid-responsive-mobile", &MOBILE_PORTRAIT, &MOBILE_LANDSCAPE),
    Row::Highlight("highlight-1-responsive", &HIGHLIGHT_1_RESPONSIVE),
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
    Row::Fixed(PRESENTER_SMALL_TOP_RIGHT),
    Row::Fixed(PRESENTER_SMALL_BOTTOM_RIGHT),
    Row::Fixed(PRESENTER_LARGE_TOP_RIGHT),
    Row::Fixed(PRESENTER_LARGE_BOTTOM_RIGHT),
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
    Row::Group("grid-tight", &GRID_TIGHT),
    Row::Group("grid", &GRID_GROUP),
    Row::Group("grid-zoom", &GRID_ZOOM),
    Row::Group("1up_top_left_plus", &ONE_UP_PLUS),
    Row::Group("3up_plus", &THREE_UP_PLUS),
];

/// Names that mean a layout of the catalogue and are not offered; `layout.changed` reports the name that was set.
static ALIASES: [Row; 13] = [
    Row::Fixed(HIGHLIGHT_5.alias("1up_top_left+5")),
    Row::Fixed(HIGHLIGHT_7.alias("1up_top_left+7")),
    Row::Fixed(HIGHLIGHT_9.alias("1up_top_left+9")),
    Row::Fixed(HIGHLIGHT_27.alias("1up-top-left24")),
    Row::Fixed(HIGHLIGHT_48.alias("1up-top-left32")),
    Row::Group("group:grid-responsive", &GRID_RESPONSIVE),
    Row::Oriented("group:grid-responsive-mobile", &MOBILE_PORTRAIT, &MOBILE_LANDSCAPE),
    Row::Highlight("group:highlight-1-responsive", &HIGHLIGHT_1_RESPONSIVE),
    Row::Group("group:grid-tight", &GRID_TIGHT),
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

static MOBILE_PORTRAIT: [Fixed; 32] = Fixed::portrait();

/// On a canvas that is wider than high.
static MOBILE_LANDSCAPE: [Fixed; 11] = [
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

static GRID_TIGHT: [Fixed; 225] = Fixed::tight();

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

impl LayoutId {
    /// The default of a room: `grid-responsive`.
    pub const GRID_RESPONSIVE: Self = Self(Handle::BuiltIn(0));

    pub(crate) fn of_defined(layout: Defined) -> Self {
        Self(Handle::Defined(Arc::new(layout)))
    }

    /// Public name; also the `id` and `name` of `layout.changed`.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.0 {
            Handle::BuiltIn(index) => row(*index).name(),
            Handle::Defined(layout) => layout.name(),
        }
    }

    /// The layout of this build with that name, also one that is not offered.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        (0..).zip(rows()).find(|(_, row)| row.name() == name).map(|(index, _)| Self(Handle::BuiltIn(index)))
    }

    /// All layouts of this build that a room offers, in the order `list_available_layouts` gives them.
    pub fn available() -> impl Iterator<Item = Self> {
        (0..).zip(&CATALOGUE).map(|(index, _)| Self(Handle::BuiltIn(index)))
    }

    /// What somebody defined, as it was written; nothing of a layout of this build.
    #[must_use]
    pub fn definition(&self) -> Option<&serde_json::Value> {
        match &self.0 {
            Handle::BuiltIn(_) => None,
            Handle::Defined(layout) => Some(layout.source()),
        }
    }

    /// What shows where no slot is, if the layout says so.
    #[must_use]
    pub fn background(&self) -> Option<Rgb> {
        match &self.0 {
            Handle::BuiltIn(_) => None,
            Handle::Defined(layout) => layout.background(),
        }
    }

    /// Images it names for the canvas.
    #[must_use]
    pub fn images(&self) -> crate::defined::Grounds {
        match &self.0 {
            Handle::BuiltIn(_) => crate::defined::Grounds::default(),
            Handle::Defined(layout) => layout.images().clone(),
        }
    }

    /// The canvas it was drawn for, if it says so: width to height.
    #[must_use]
    pub fn aspect(&self) -> Option<(u32, u32)> {
        match &self.0 {
            Handle::BuiltIn(_) => None,
            Handle::Defined(layout) => layout.aspect(),
        }
    }

    /// The plans this one chooses from on such a canvas, at least one, in ascending order.
    pub(crate) fn plans(&self, canvas: Size, options: Options) -> Vec<Plan> {
        let layout = match &self.0 {
            Handle::BuiltIn(index) => row(*index),
            Handle::Defined(layout) => return Defined::plans(layout),
        };
        let fixed = match layout {
            Row::Fixed(layout) => std::slice::from_ref(layout),
            Row::Group(_, group) => group,
            Row::Highlight(_, [_, others @ ..]) if options.solo_stays => others,
            Row::Highlight(_, group) => group,
            Row::Oriented(_, portrait, _) if canvas.height > canvas.width => portrait,
            Row::Oriented(_, _, landscape) => landscape,
        };
        fixed.iter().copied().map(Plan::Fixed).collect()
    }

    /// The layout stands for itself alone: no group.
    pub(crate) fn only_plan(&self) -> Option<Plan> {
        match &self.0 {
            Handle::BuiltIn(index) => match row(*index) {
                Row::Fixed(layout) => Some(Plan::Fixed(*layout)),
                Row::Group(..) | Row::Highlight(..) | Row::Oriented(..) => None,
            },
            Handle::Defined(layout) => Defined::only_plan(layout),
        }
    }
}

fn row(index: u16) -> &'static Row {
    rows().nth(usize::from(index)).expect("made from an index of the rows only")
}

fn rows() -> impl Iterator<Item = &'static Row> {
    CATALOGUE.iter().chain(&ALIASES)
}

impl Row {
    fn name(&self) -> &'static str {
        match self {
            Self::Fixed(layout) => layout.name,
            Self::Group(name, _) | Self::Highlight(name, _) | Self::Oriented(name, ..) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LANDSCAPE: Size = Size { width: 1280, height: 720 };
    const PORTRAIT: Size = Size { width: 720, height: 1280 };

    fn plans(name: &str, canvas: Size) -> Vec<Plan> {
        LayoutId::by_name(name).unwrap().plans(canvas, Options::default())
    }

    #[test]
    fn offered_in_the_published_order() {
        let names: Vec<_> = LayoutId::available().map(|layout| layout.name().to_owned()).collect();
        let expected = "grid-responsive grid-responsive-mobile highlight-1-responsive 1x1 2x1 2x2 5up 3x3 4x4 5x5 \
            6x6 8x8 10x10 15x15 1x1+2x1 full-screen screen-share presenter-dual-horizontal 1up-top-left-5 \
            1up-top-left-7 1up-top-left-9 1up-top-left-16 1up-top-left-27 1up-top-left-48 presenter-dual-vertical \
            presenter-overlap-small-top-right presenter-overlap-small-bot-right presenter-overlap-large-top-right \
            presenter-overlap-large-bot-right overlaps 1x2 2up_top+8 2up_middle+8 2up_bottom+8 3up+4 3up+9 2x1-zoom \
            3x1-zoom 5-grid-zoom 3x2-zoom 7-grid-zoom 4x2-zoom 2x1-presenter-zoom grid-tight grid grid-zoom \
            1up_top_left_plus 3up_plus";
        assert_eq!(names.join(" "), expected);
        for layout in LayoutId::available() {
            assert_eq!(LayoutId::by_name(layout.name()), Some(layout));
        }
        for unknown in ["", "2X2", "grid-responsive ", "group:2x2", "group:group:grid", "1up_top_left+6"] {
            assert_eq!(LayoutId::by_name(unknown), None, "{unknown:?}");
        }
    }

    #[test]
    fn another_name_means_the_same_slots_and_is_reported() {
        let same = |name: &str, other: &str| {
            assert_eq!(LayoutId::by_name(name).unwrap().name(), name);
            for canvas in [LANDSCAPE, PORTRAIT] {
                let slots = |name| {
                    plans(name, canvas).iter().map(|plan| plan.slots(Options::default())).collect::<Vec<_>>()
                };
                assert_eq!(slots(name), slots(other), "{name} and {other}");
            }
        };
        same("1up_top_left+5", "1up-top-left-5");
        same("1up_top_left+7", "1up-top-left-7");
        same("1up_top_left+9", "1up-top-left-9");
        same("1up-top-left24", "1up-top-left-27");
        same("1up-top-left32", "1up-top-left-48");
        let groups = LayoutId::available().filter(|layout| layout.only_plan().is_none());
        assert_eq!(groups.inspect(|g| same(&format!("group:{}", g.name()), g.name())).count(), 8);
    }

    #[test]
    fn groups_choose_from_the_layouts_as_written() {
        let check = |group: &str, expected: &str| {
            let plans = plans(group, LANDSCAPE);
            let names: Vec<_> = plans
                .iter()
                .map(|plan| match plan {
                    Plan::Fixed(layout) => layout.name,
                    Plan::Defined(_) => panic!("not of this build"),
                })
                .collect();
            assert_eq!(names.join(" "), expected, "{group}");
        };
        let responsive = "1x1 2x1 1x1+2x1 2x2 3x3 4x4 5x5 6x6 8x8 10x10 15x15";
        check("grid-responsive", responsive);
        check("grid-responsive-mobile", responsive);
        check(
            "highlight-1-responsive",
            "full-screen 1up-top-left-5 1up-top-left-7 1up-top-left-9 1up-top-left-16 1up-top-left-27 1up-top-left-48",
        );
        check("grid", "1x1 2x1 1x1+2x1 2x2 3x3 4x4 5x5 6x6 8x8");
        check("grid-zoom", "1x1 2x1-zoom 3x1-zoom 2x2 5-grid-zoom 3x2-zoom 7-grid-zoom 4x2-zoom 3x3");
        check("1up_top_left_plus", "1up-top-left-5 1up-top-left-7 1up-top-left-9");
        check("3up_plus", "3up+4 3up+9");
    }

    #[test]
    fn plans_ascend_and_know_how_many_they_seat() {
        for layout in LayoutId::available() {
            for canvas in [LANDSCAPE, PORTRAIT] {
                let plans = layout.plans(canvas, Options::default());
                assert!(plans.is_sorted_by_key(Plan::seats), "{}", layout.name());
                for plan in plans {
                    let slots = plan.slots(Options::default());
                    assert_eq!(plan.seats(), slots.iter().filter(|slot| slot.seats_members()).count());
                }
            }
        }
    }

    #[test]
    fn one_member_alone_may_stay_in_the_large_slot() {
        let stays = Options { solo_stays: true, ..Options::default() };
        let layout = LayoutId::by_name("highlight-1-responsive").unwrap();
        assert_eq!(layout.plans(LANDSCAPE, stays).first().unwrap().seats(), 6);
        assert_eq!(LayoutId::GRID_RESPONSIVE.plans(LANDSCAPE, stays).first().unwrap().seats(), 1);
    }
}
