//! What is drawn, not filmed: the tile of a member without picture, and the name banner.
//!
//! in:  cleaned text, the size of the slot
//! out: RGBA drawings; tiles are opaque and fill the slot

use layouts::Size;
use tiny_skia::{
    Color, FillRule, Paint, Path, PathBuilder, Pixmap, PremultipliedColorU8, Rect, Stroke, Transform,
};

use super::fonts::Fonts;
use super::name::initials;
use super::text::Line;
use crate::codec::Rgb;

/// Why there is no picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum StandIn {
    MuteImage,
    Avatar,
}

pub(super) const TILE: Rgb = Rgb(32, 36, 46);
pub(super) const WHITE: Rgb = Rgb(255, 255, 255);
const MUTED: Rgb = Rgb(196, 60, 60);
/// Discs: calm, and dark enough for white letters.
const DISCS: [Rgb; 8] = [
    Rgb(66, 99, 142),
    Rgb(58, 118, 108),
    Rgb(122, 88, 146),
    Rgb(146, 94, 62),
    Rgb(84, 118, 66),
    Rgb(146, 74, 98),
    Rgb(72, 92, 160),
    Rgb(112, 104, 58),
];
/// Of the strip behind a name.
const BANNER_OPACITY: f32 = 0.6;

/// Pixels of a banner's text: 6 % of the slot, 10 to 48.
#[allow(clippy::cast_precision_loss, reason = "canvas sizes are exact in f32")]
fn text_height(slot: Size) -> f32 {
    (slot.height as f32 * 0.06).clamp(10.0, 48.0)
}

/// A strip takes at most half of the slot's height, and shows at least a letter and an ellipsis.
pub(super) fn has_room_for_banner(slot: Size) -> bool {
    let text = text_height(slot);
    let (width, height) = dimensions(slot);
    height >= 4.0 * text && width >= 4.0 * text
}

/// The strip with a name, as wide as the name needs; even in both directions.
pub(super) fn banner(fonts: &Fonts, text: &str, slot: Size) -> Pixmap {
    let em = text_height(slot);
    let (slot_width, _) = dimensions(slot);
    let padding = em * 0.75;
    let line = fonts.line(text, em, slot_width - 2.0 * padding);
    let size = Size {
        width: even(line.width + 2.0 * padding).min(slot.width / 2 * 2),
        height: even(2.0 * em).min(slot.height / 2 * 2),
    };
    let mut pixmap = blank(size);
    let (width, height) = dimensions(size);
    let corner = em * 0.5;
    let mut strip = PathBuilder::new();
    strip.move_to(0.0, 0.0);
    strip.line_to(width - corner, 0.0);
    strip.quad_to(width, 0.0, width, corner);
    strip.line_to(width, height);
    strip.line_to(0.0, height);
    strip.close();
    fill(&mut pixmap, strip.finish(), &paint(Rgb(0, 0, 0), BANNER_OPACITY));
    write(&mut pixmap, fonts, &line, (padding, (height - line.height) / 2.0));
    pixmap
}

/// The tile: a disc with initials, a mark when the video is muted, the name below unless a banner shows it.
pub(super) fn tile(fonts: &Fonts, kind: StandIn, name: &str, caption: bool, slot: Size) -> Pixmap {
    let mut pixmap = blank(slot);
    let Rgb(r, g, b) = TILE;
    pixmap.fill(Color::from_rgba8(r, g, b, 255));
    let (width, height) = dimensions(slot);
    let centre = (width / 2.0, height / 2.0);
    let radius = width.min(height) * 0.24;
    fill(&mut pixmap, PathBuilder::from_circle(centre.0, centre.1, radius), &paint(disc_of(name), 1.0));
    let letters = initials(name);
    if letters.is_empty() || !fonts.has_all(&letters) {
        draw_person(&mut pixmap, centre, radius);
    } else {
        let line = fonts.line(&letters, radius * 1.05, radius * 2.0);
        let corner = (centre.0 - line.width / 2.0, centre.1 - line.height / 2.0);
        write(&mut pixmap, fonts, &line, corner);
    }
    match kind {
        StandIn::MuteImage => {
            let offset = radius * 0.76;
            draw_camera_off(&mut pixmap, (centre.0 + offset, centre.1 + offset), radius * 0.34);
        }
        StandIn::Avatar => {}
    }
    if caption && has_room_for_banner(slot) {
        let em = text_height(slot);
        let line = fonts.line(name, em, width - 2.0 * em);
        write(&mut pixmap, fonts, &line, (centre.0 - line.width / 2.0, centre.1 + radius * 1.35));
    }
    pixmap
}

/// The same name has the same colour in every room.
fn disc_of(name: &str) -> Rgb {
    let sum = name.bytes().fold(7_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
    let [first, ..] = DISCS;
    DISCS.get(usize::from(sum) % DISCS.len()).copied().unwrap_or(first)
}

/// Head and shoulders, for names without letters we can draw.
fn draw_person(pixmap: &mut Pixmap, (x, y): (f32, f32), radius: f32) {
    let white = paint(WHITE, 1.0);
    fill(pixmap, PathBuilder::from_circle(x, y - radius * 0.28, radius * 0.28), &white);
    let (left, right, base, top) =
        (x - radius * 0.52, x + radius * 0.52, y + radius * 0.56, y + radius * 0.06);
    let mut shoulders = PathBuilder::new();
    shoulders.move_to(left, base);
    shoulders.cubic_to(left, top, right, top, right, base);
    shoulders.close();
    fill(pixmap, shoulders.finish(), &white);
}

/// A small crossed camera.
pub(super) fn draw_camera_off(pixmap: &mut Pixmap, (x, y): (f32, f32), radius: f32) {
    fill(pixmap, PathBuilder::from_circle(x, y, radius * 1.14), &paint(TILE, 1.0));
    fill(pixmap, PathBuilder::from_circle(x, y, radius), &paint(MUTED, 1.0));
    let white = paint(WHITE, 1.0);
    let body = Rect::from_xywh(x - radius * 0.52, y - radius * 0.3, radius * 0.66, radius * 0.6);
    fill(pixmap, body.map(PathBuilder::from_rect), &white);
    let mut lens = PathBuilder::new();
    lens.move_to(x + radius * 0.2, y);
    lens.line_to(x + radius * 0.54, y - radius * 0.28);
    lens.line_to(x + radius * 0.54, y + radius * 0.28);
    lens.close();
    fill(pixmap, lens.finish(), &white);
    let mut slash = PathBuilder::new();
    slash.move_to(x - radius * 0.56, y - radius * 0.56);
    slash.line_to(x + radius * 0.56, y + radius * 0.56);
    if let Some(slash) = slash.finish() {
        for (color, width) in [(MUTED, 0.32), (WHITE, 0.13)] {
            let stroke = Stroke { width: radius * width, ..Stroke::default() };
            pixmap.stroke_path(&slash, &paint(color, 1.0), &stroke, Transform::identity(), None);
        }
    }
}

fn write(pixmap: &mut Pixmap, fonts: &Fonts, line: &Line, at: (f32, f32)) {
    let (width, height) = (pixmap.width(), pixmap.height());
    let pixels = pixmap.pixels_mut();
    fonts.draw(line, at, |x, y, coverage| {
        let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { return };
        if x < width
            && y < height
            && let Some(pixel) = pixels.get_mut((y * width + x) as usize)
        {
            *pixel = white_over(*pixel, coverage);
        }
    });
}

/// White of some opacity over a premultiplied pixel.
fn white_over(under: PremultipliedColorU8, coverage: f32) -> PremultipliedColorU8 {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a mean of two bytes, and the cast saturates"
    )]
    let over = |part: u8| (f32::from(part) * (1.0 - coverage) + 255.0 * coverage).round() as u8;
    let (r, g, b, a) = (over(under.red()), over(under.green()), over(under.blue()), over(under.alpha()));
    PremultipliedColorU8::from_rgba(r, g, b, a).unwrap_or(under)
}

pub(super) fn fill(pixmap: &mut Pixmap, path: Option<Path>, paint: &Paint<'_>) {
    if let Some(path) = path {
        pixmap.fill_path(&path, paint, FillRule::Winding, Transform::identity(), None);
    }
}

pub(super) fn paint(Rgb(r, g, b): Rgb, opacity: f32) -> Paint<'static> {
    let mut color = Color::from_rgba8(r, g, b, 255);
    color.set_alpha(opacity);
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    paint.set_color(color);
    paint
}

pub(super) fn blank(size: Size) -> Pixmap {
    Pixmap::new(size.width.max(1), size.height.max(1))
        .expect("slots are inside a canvas, far below the limit")
}

#[allow(clippy::cast_precision_loss, reason = "canvas sizes are exact in f32")]
fn dimensions(size: Size) -> (f32, f32) {
    (size.width as f32, size.height as f32)
}

/// Up to the next even number, at least 2.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float-to-int cast saturates")]
fn even(pixels: f32) -> u32 {
    ((pixels / 2.0).ceil() as u32).max(1).saturating_mul(2)
}
