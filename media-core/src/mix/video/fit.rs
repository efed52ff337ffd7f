//! How a picture fills a slot.
//!
//! in:  the picture's size, the slot's size, how to fit
//! out: the part of the picture to show, and the rectangle inside the slot to show it on

use layouts::{Fit, PixelRect, Size};

/// What to show where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fitted {
    /// Part of the picture; its corner is even.
    pub(super) crop: PixelRect,
    /// Where in the slot; all four numbers are even in a slot of even size.
    pub(super) inner: PixelRect,
}

/// Fits a picture. In a slot of the turned size, fits the picture as it is before its turn.
pub(super) fn fit(picture: Size, slot: Size, how: Fit) -> Fitted {
    if covers(picture, slot, how) {
        // The largest part of the picture that has the slot's shape.
        Fitted { crop: centred(picture, inscribed(slot, picture)), inner: whole(slot) }
    } else {
        Fitted { crop: whole(picture), inner: centred(slot, inscribed(picture, slot)) }
    }
}

/// Percent of the picture that must remain for `Auto` to cover.
const AUTO_KEEPS: u64 = 85;

fn covers(picture: Size, slot: Size, how: Fit) -> bool {
    match how {
        Fit::Contain => false,
        Fit::Cover => true,
        Fit::Auto => {
            // The part that remains is the ratio of the two shapes, the smaller over the larger.
            let a = u64::from(picture.width) * u64::from(slot.height);
            let b = u64::from(slot.width) * u64::from(picture.height);
            a.min(b) * 100 >= a.max(b) * AUTO_KEEPS
        }
    }
}

/// The largest even size of the shape of `shape` inside `outer`. A bar of two pixels would be rounding, not shape:
/// then the whole side is taken.
fn inscribed(shape: Size, outer: Size) -> Size {
    let (sw, sh) = (u64::from(shape.width.max(1)), u64::from(shape.height.max(1)));
    let (ow, oh) = (u64::from(outer.width), u64::from(outer.height));
    if sw * oh >= sh * ow {
        Size { width: outer.width, height: side(sh * ow, sw, outer.height) }
    } else {
        Size { width: side(sw * oh, sh, outer.width), height: outer.height }
    }
}

/// `numerator / denominator` to the nearest even number, at least 2, at most `limit` and never just below it.
fn side(numerator: u64, denominator: u64, limit: u32) -> u32 {
    let even = (numerator + denominator) / (2 * denominator) * 2;
    match u32::try_from(even) {
        Ok(even) if even.saturating_add(2) < limit => even.max(2),
        _ => limit,
    }
}

/// In the middle, to the lower even pixel.
pub(super) fn centred(outer: Size, inner: Size) -> PixelRect {
    let start = |outer: u32, inner: u32| outer.saturating_sub(inner) / 4 * 2;
    PixelRect {
        x: start(outer.width, inner.width),
        y: start(outer.height, inner.height),
        width: inner.width.min(outer.width),
        height: inner.height.min(outer.height),
    }
}

fn whole(Size { width, height }: Size) -> PixelRect {
    PixelRect { x: 0, y: 0, width, height }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn size((width, height): (u32, u32)) -> Size {
        Size { width, height }
    }

    fn rect((x, y, width, height): (u32, u32, u32, u32)) -> PixelRect {
        PixelRect { x, y, width, height }
    }

    #[test]
    fn pictures_fit_as_the_table_says() {
        use Fit::{Auto, Contain, Cover};
        let check = |picture, slot, how, crop, inner| {
            let expected = Fitted { crop: rect(crop), inner: rect(inner) };
            assert_eq!(fit(size(picture), size(slot), how), expected, "{picture:?} in {slot:?} {how:?}");
        };
        // The same shape: everything, everywhere.
        check((640, 360), (640, 360), Contain, (0, 0, 640, 360), (0, 0, 640, 360));
        check((640, 360), (320, 180), Cover, (0, 0, 640, 360), (0, 0, 320, 180));
        // 3x3 on 720p is 426x240: a bar of less than two pixels is no bar.
        check((640, 360), (426, 240), Contain, (0, 0, 640, 360), (0, 0, 426, 240));
        check((640, 360), (428, 240), Contain, (0, 0, 640, 360), (0, 0, 428, 240));
        // 4:3 in 16:9.
        check((640, 480), (640, 360), Contain, (0, 0, 640, 480), (80, 0, 480, 360));
        check((640, 480), (640, 360), Cover, (0, 60, 640, 360), (0, 0, 640, 360));
        check((640, 480), (640, 360), Auto, (0, 0, 640, 480), (80, 0, 480, 360));
        // 16:10 in 16:9 loses 10 %: covered.
        check((640, 400), (640, 360), Auto, (0, 20, 640, 360), (0, 0, 640, 360));
        // Portrait in landscape, and the other way round.
        check((360, 640), (640, 360), Contain, (0, 0, 360, 640), (218, 0, 202, 360));
        check((1280, 720), (404, 720), Cover, (438, 0, 404, 720), (0, 0, 404, 720));
        // Exactly 15 % lost, and a little more.
        check((1000, 850), (1000, 1000), Auto, (74, 0, 850, 850), (0, 0, 1000, 1000));
        check((1000, 848), (1000, 1000), Auto, (0, 0, 1000, 848), (0, 76, 1000, 848));
        // Odd pictures are shown whole.
        check((641, 361), (640, 360), Contain, (0, 0, 641, 361), (0, 0, 640, 360));
    }

    proptest! {
        #[test]
        fn the_result_is_inside_even_and_of_the_right_shape(
            (pw, ph) in (16_u32..2000, 16_u32..2000),
            (sw, sh) in (1_u32..1000, 1_u32..1000),
            how in prop_oneof![Just(Fit::Contain), Just(Fit::Cover), Just(Fit::Auto)],
        ) {
            let (picture, slot) = (size((pw, ph)), size((2 * sw, 2 * sh)));
            let Fitted { crop, inner } = fit(picture, slot, how);
            prop_assert!(crop.width > 0 && crop.height > 0 && inner.width > 0 && inner.height > 0);
            prop_assert!(crop.x + crop.width <= pw && crop.y + crop.height <= ph);
            prop_assert!(inner.x + inner.width <= 2 * sw && inner.y + inner.height <= 2 * sh);
            prop_assert!(crop.x % 2 == 0 && crop.y % 2 == 0);
            prop_assert!([inner.x, inner.y, inner.width, inner.height].iter().all(|n| n % 2 == 0));
            // Centred: the two margins differ by what evenness costs.
            let margins = |start: u32, len: u32, outer: u32| (outer - len - start).abs_diff(start) <= 3;
            prop_assert!(margins(inner.x, inner.width, 2 * sw) && margins(inner.y, inner.height, 2 * sh));
            prop_assert!(margins(crop.x, crop.width, pw) && margins(crop.y, crop.height, ph));
            // The shape is kept up to the two pixels that rounding may take, on whichever side was rounded.
            let off = (f64::from(crop.width) / f64::from(crop.height))
                / (f64::from(inner.width) / f64::from(inner.height));
            let least = [crop.width, crop.height, inner.width, inner.height].into_iter().min().unwrap_or(1);
            let slack = 1.0 + 3.0 / f64::from(least);
            prop_assert!(off < slack && off > 1.0 / slack || least <= 3, "{crop:?} on {inner:?}");
        }
    }
}
