//! The slots of every layout of the catalogue that has a name of its own.

use crate::fixed::Fixed;
use crate::grid::GridRect;
use crate::slots::{Holds, Slot};
use crate::tag::Tag;

pub(crate) const ONE: Fixed = Fixed::uniform("1x1", 1);
pub(crate) const TWO_BY_TWO: Fixed = Fixed::uniform("2x2", 2);
pub(crate) const THREE_BY_THREE: Fixed = Fixed::uniform("3x3", 3);
pub(crate) const FOUR_BY_FOUR: Fixed = Fixed::uniform("4x4", 4);
pub(crate) const FIVE_BY_FIVE: Fixed = Fixed::uniform("5x5", 5);
pub(crate) const SIX_BY_SIX: Fixed = Fixed::uniform("6x6", 6);
pub(crate) const EIGHT_BY_EIGHT: Fixed = Fixed::uniform("8x8", 8);
pub(crate) const TEN_BY_TEN: Fixed = Fixed::uniform("10x10", 10);
pub(crate) const FIFTEEN_BY_FIFTEEN: Fixed = Fixed::uniform("15x15", 15);
pub(crate) const TWO_BESIDE: Fixed = Fixed::standard("2x1", &[(0, 90, 180, 180), (180, 90, 180, 180)]);
pub(crate) const ONE_BELOW_ONE: Fixed = Fixed::standard("1x2", &[(90, 0, 180, 180), (90, 180, 180, 180)]);
pub(crate) const ONE_OVER_TWO: Fixed =
    Fixed::standard("1x1+2x1", &[(90, 0, 180, 180), (0, 180, 180, 180), (180, 180, 180, 180)]);
/// An X on a 3 × 3 grid; the background shows through the four other cells.
pub(crate) const FIVE_OF_A_DIE: Fixed = Fixed::standard(
    "5up",
    &[(0, 0, 120, 120), (240, 0, 120, 120), (120, 120, 120, 120), (0, 240, 120, 120), (240, 240, 120, 120)],
);
pub(crate) const FULL_SCREEN: Fixed = Fixed::mixed("full-screen", &[Slot::reserved(1, WHOLE, Holds::Floor)]);

pub(crate) const HIGHLIGHT_5: Fixed = Fixed::highlight("1up-top-left-5", 3, 2);
pub(crate) const HIGHLIGHT_7: Fixed = Fixed::highlight("1up-top-left-7", 4, 3);
pub(crate) const HIGHLIGHT_9: Fixed = Fixed::highlight("1up-top-left-9", 5, 4);
pub(crate) const HIGHLIGHT_16: Fixed = Fixed::highlight("1up-top-left-16", 5, 3);
pub(crate) const HIGHLIGHT_27: Fixed = Fixed::highlight("1up-top-left-27", 6, 3);
pub(crate) const HIGHLIGHT_48: Fixed = Fixed::highlight("1up-top-left-48", 8, 4);

const WHOLE: (u16, u16, u16, u16) = (0, 0, 360, 360);

/// The large corners are for who asks for them.
pub(crate) const SCREEN_SHARE: Fixed = Fixed::mixed(
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
pub(crate) const PRESENTER_DUAL_HORIZONTAL: Fixed = Fixed::mixed(
    "presenter-dual-horizontal",
    &[Slot::screen((0, 90, 180, 180)), Slot::reserved(1, (180, 90, 180, 180), Holds::Sharer)],
);
pub(crate) const PRESENTER_DUAL_VERTICAL: Fixed = Fixed::mixed(
    "presenter-dual-vertical",
    &[Slot::screen((90, 0, 180, 180)), Slot::reserved(1, (90, 180, 180, 180), Holds::Sharer)],
);
pub(crate) const PRESENTER_SMALL_TOP_RIGHT: Fixed =
    Fixed::mixed("presenter-overlap-small-top-right", &const { presenter_over_screen((300, 0, 60, 60)) });
pub(crate) const PRESENTER_SMALL_BOTTOM_RIGHT: Fixed =
    Fixed::mixed("presenter-overlap-small-bot-right", &const { presenter_over_screen((300, 300, 60, 60)) });
pub(crate) const PRESENTER_LARGE_TOP_RIGHT: Fixed =
    Fixed::mixed("presenter-overlap-large-top-right", &const { presenter_over_screen((180, 0, 180, 180)) });
pub(crate) const PRESENTER_LARGE_BOTTOM_RIGHT: Fixed =
    Fixed::mixed("presenter-overlap-large-bot-right", &const { presenter_over_screen((180, 180, 180, 180)) });

const fn presenter_over_screen(presenter: (u16, u16, u16, u16)) -> [Slot; 2] {
    [Slot::screen(WHOLE), Slot::reserved(1, presenter, Holds::Sharer).over(1)]
}

pub(crate) const OVERLAPS: Fixed = Fixed::mixed(
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
        Slot::reserved(2, (180, large, 180, 180), Holds::Tagged(Tag::of("secondary"))),
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

pub(crate) const TWO_UP_TOP: Fixed = Fixed::mixed("2up_top+8", &const { two_up(0, 180, 270) });
pub(crate) const TWO_UP_MIDDLE: Fixed = Fixed::mixed("2up_middle+8", &const { two_up(90, 0, 270) });
pub(crate) const TWO_UP_BOTTOM: Fixed = Fixed::mixed("2up_bottom+8", &const { two_up(180, 0, 90) });

const THREE_UP_1: Slot = Slot::reserved(1, (0, 0, 180, 180), Holds::Floor);
const THREE_UP_2: Slot = Slot::reserved(2, (180, 0, 180, 180), Holds::Tagged(Tag::of("secondary")));
const THREE_UP_3: Slot = Slot::reserved(3, (0, 180, 180, 180), Holds::Tagged(Tag::of("third")));
pub(crate) const THREE_UP_4: Fixed = Fixed::mixed(
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
pub(crate) const THREE_UP_9: Fixed = Fixed::mixed(
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

pub(crate) const TWO_ZOOM: Fixed =
    Fixed::standard("2x1-zoom", &[(0, 0, 180, 360), (180, 0, 180, 360)]).covered();
pub(crate) const THREE_ZOOM: Fixed =
    Fixed::standard("3x1-zoom", &[(0, 0, 120, 360), (120, 0, 120, 360), (240, 0, 120, 360)]).covered();
pub(crate) const FIVE_ZOOM: Fixed = Fixed::standard(
    "5-grid-zoom",
    &[(0, 0, 180, 180), (180, 0, 180, 180), (0, 180, 120, 180), (120, 180, 120, 180), (240, 180, 120, 180)],
)
.covered();
pub(crate) const SIX_ZOOM: Fixed = Fixed::standard(
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
pub(crate) const SEVEN_ZOOM: Fixed = Fixed::standard(
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
pub(crate) const EIGHT_ZOOM: Fixed = Fixed::standard(
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
pub(crate) const PRESENTER_ZOOM: Fixed = Fixed::mixed(
    "2x1-presenter-zoom",
    &[
        Slot::reserved(1, (0, 0, 180, 360), Holds::Floor),
        Slot::reserved(2, (180, 0, 180, 360), Holds::Tagged(Tag::of("presenter"))),
    ],
)
.covered();
