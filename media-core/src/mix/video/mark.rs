//! Small marks in the upper right corner of a tile: a raised hand, a muted camera, a picture that stands
//! still.
//!
//! in:  which mark, how large
//! out: an RGBA drawing

use layouts::Size;
use tiny_skia::{LineCap, Path, PathBuilder, Pixmap, Stroke, Transform};

use super::LayerStyle;
use super::stand_in::{WHITE, blank, draw_camera_off, fill, paint};
use crate::codec::Rgb;

/// What a mark says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Mark {
    Hand,
    Muted,
    Frozen,
}

const HAND: Rgb = Rgb(214, 140, 20);
const FROZEN: Rgb = Rgb(70, 108, 160);

/// The marks of a layer, from the corner inwards.
pub(super) fn marks(style: &LayerStyle) -> impl Iterator<Item = Mark> {
    [(style.hand, Mark::Hand), (style.muted, Mark::Muted), (style.frozen, Mark::Frozen)]
        .into_iter()
        .filter_map(|(on, mark)| on.then_some(mark))
}

/// Pixels of a side in a slot: an eighth of its height, 16 to 64; `None` where it would hide what it marks.
pub(super) fn side(slot: Size) -> Option<u32> {
    let side = (slot.height / 8).clamp(16, 64).next_multiple_of(2);
    (slot.height >= 2 * side && slot.width >= 3 * side).then_some(side)
}

/// A disc with a sign, on a square.
pub(super) fn draw(mark: Mark, side: u32) -> Pixmap {
    let mut pixmap = blank(Size { width: side, height: side });
    #[allow(clippy::cast_precision_loss, reason = "at most 64")]
    let radius = side as f32 / 2.0;
    let color = match mark {
        Mark::Hand => HAND,
        Mark::Frozen => FROZEN,
        Mark::Muted => {
            draw_camera_off(&mut pixmap, (radius, radius), radius / 1.14);
            return pixmap;
        }
    };
    fill(&mut pixmap, PathBuilder::from_circle(radius, radius, radius), &paint(WHITE, 1.0));
    fill(&mut pixmap, PathBuilder::from_circle(radius, radius, radius * 0.92), &paint(color, 1.0));
    // The signs are drawn in a circle of radius 1 around 0.
    let place = Transform::from_scale(radius, radius).post_translate(radius, radius);
    match mark {
        Mark::Hand => draw_hand(&mut pixmap, place),
        Mark::Frozen => draw_flake(&mut pixmap, place),
        Mark::Muted => {}
    }
    pixmap
}

fn draw_hand(pixmap: &mut Pixmap, place: Transform) {
    let fingers = [
        ((-0.25, 0.20), (-0.29, -0.32)),
        ((-0.08, 0.10), (-0.09, -0.56)),
        ((0.09, 0.10), (0.11, -0.54)),
        ((0.26, 0.20), (0.31, -0.34)),
    ];
    let thumb = ((-0.20, 0.46), (-0.50, 0.12));
    stroke(pixmap, &fingers, 0.14, place);
    stroke(pixmap, &[thumb], 0.16, place);
    stroke(
        pixmap,
        &[((-0.14, 0.22), (-0.08, 0.46)), ((0.14, 0.22), (0.08, 0.46)), ((0.0, 0.2), (0.0, 0.48))],
        0.36,
        place,
    );
}

/// Six arms with a fork each.
fn draw_flake(pixmap: &mut Pixmap, place: Transform) {
    for turn in [0.0, 60.0, 120.0, 180.0, 240.0, 300.0] {
        let place = Transform::from_rotate(turn).post_concat(place);
        let arm = [((0.0, 0.0), (0.0, -0.66)), ((0.0, -0.36), (0.17, -0.54)), ((0.0, -0.36), (-0.17, -0.54))];
        stroke(pixmap, &arm, 0.1, place);
    }
}

type Point = (f32, f32);

fn stroke(pixmap: &mut Pixmap, lines: &[(Point, Point)], width: f32, place: Transform) {
    let stroke = Stroke { width, line_cap: LineCap::Round, ..Stroke::default() };
    for path in lines.iter().filter_map(line) {
        pixmap.stroke_path(&path, &paint(WHITE, 1.0), &stroke, place, None);
    }
}

fn line((from, to): &(Point, Point)) -> Option<Path> {
    let mut path = PathBuilder::new();
    path.move_to(from.0, from.1);
    path.line_to(to.0, to.1);
    path.finish()
}
