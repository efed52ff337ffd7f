//! What runs along the edges of a layer: its border, and the frame of one who talks.
//!
//! in:  the slot on the canvas, what its layer wants
//! out: the rectangle that remains inside the border; the edges filled
//!
//! All edges are even, because chroma begins at even pixels. Nothing is kept: an edge is four fills.

use layouts::{PixelRect, Size};

use super::LayerStyle;
use crate::codec::yuv::ViewMut;
use crate::codec::{Picture, Rgb, Yuv};

/// Of the frame around who talks: seen on faces as on slides, and unlike any mark.
const TALKING: Rgb = Rgb(64, 200, 110);

/// How opaque the black over a dimmed picture is.
const DIMMED: u8 = 150;

/// What remains of a slot inside its border.
pub(super) fn inside(slot: Size, style: &LayerStyle) -> PixelRect {
    let border = style.border.map_or(0, |border| u32::from(border.width).next_multiple_of(2));
    let most = slot.width.min(slot.height) / 8 * 2;
    shrunk(slot, border.min(most))
}

/// Draws the border around `inner`, and the frame over it.
pub(super) fn draw(slot: &mut ViewMut<'_>, inner: PixelRect, style: &LayerStyle) {
    if let Some(border) = style.border {
        fill_around(slot, inner, border.color.into());
    }
    if style.talking {
        let frame = shrunk(slot.size(), thickness(slot.size()));
        fill_around(slot, frame, TALKING.into());
    }
}

/// Darkens what is there: it is not what is now.
pub(super) fn dim(slot: &mut ViewMut<'_>) {
    let black = Picture::filled(slot.size(), Yuv::BLACK);
    let pixels = slot.size().width as usize * slot.size().height as usize;
    slot.blend(&black.view(), &vec![DIMMED; pixels]);
}

/// Of the frame: 2 % of the slot's height, from 2 to 8 pixels.
fn thickness(slot: Size) -> u32 {
    (slot.height / 50).clamp(2, 8).next_multiple_of(2)
}

fn shrunk(slot: Size, by: u32) -> PixelRect {
    let side = |side: u32| side.saturating_sub(2 * by);
    PixelRect { x: by, y: by, width: side(slot.width), height: side(slot.height) }
}

/// The bars of a slot around a rectangle inside it.
pub(super) fn fill_around(slot: &mut ViewMut<'_>, inner: PixelRect, color: Yuv) {
    let Size { width, height } = slot.size();
    let (right, bottom) = (inner.x + inner.width, inner.y + inner.height);
    let bars = [
        PixelRect { x: 0, y: 0, width, height: inner.y },
        PixelRect { x: 0, y: bottom, width, height: height.saturating_sub(bottom) },
        PixelRect { x: 0, y: inner.y, width: inner.x, height: inner.height },
        PixelRect { x: right, y: inner.y, width: width.saturating_sub(right), height: inner.height },
    ];
    for bar in bars {
        if let Some(mut bar) = slot.crop(bar) {
            bar.fill(color);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mix::video::Border;

    #[test]
    fn borders_are_even_and_leave_half_of_the_shorter_side() {
        let check = |width: u8, (w, h): (u32, u32), expected: (u32, u32, u32)| {
            let border = Some(Border { width, color: Rgb(0, 0, 0) });
            let style = LayerStyle { border, ..LayerStyle::default() };
            let inner = inside(Size { width: w, height: h }, &style);
            assert_eq!((inner.x, inner.width, inner.height), expected, "{width} of {w}x{h}");
            assert_eq!(inner.x, inner.y);
        };
        check(0, (426, 240), (0, 426, 240));
        check(1, (426, 240), (2, 422, 236));
        check(4, (426, 240), (4, 418, 232));
        check(50, (84, 48), (12, 60, 24));
        check(50, (4, 4), (0, 4, 4));
    }
}
