//! What lies behind all layers and over them: images of the room, each scaled once for its canvas.
//!
//! in:  the scene, rectangles whose layers were drawn anew
//! out: the background where no layer is; the foreground over what was drawn
//!
//! The foreground is blended over pixels that have just been drawn, and each of them once: over what it already lies on it
//! would become denser with every frame.

use std::sync::Arc;

use layouts::{PixelRect, Size};

use super::image::{Image, seen};
use super::{Grounds, Scene};
use crate::codec::yuv::ViewMut;
use crate::codec::{Picture, Rgb};

/// The images of a scene, in the size of its canvas.
#[derive(Debug, Default)]
pub(super) struct Ground {
    size: Option<Size>,
    background: Option<Background>,
    foreground: Option<Foreground>,
}

/// Over the colour that shows where it is transparent.
#[derive(Debug)]
struct Background {
    of: Arc<Image>,
    over: Rgb,
    picture: Picture,
}

#[derive(Debug)]
struct Foreground {
    of: Arc<Image>,
    colors: Picture,
    /// One byte per pixel of the canvas, rows without gaps.
    opacity: Vec<u8>,
    /// Outside of it there is nothing.
    seen: Option<PixelRect>,
    /// Rows of a part of it.
    part: Vec<u8>,
}

impl Ground {
    /// Follows what the scene wants.
    pub(super) fn prepare(&mut self, scene: &Scene, size: Size) {
        let Grounds { background, foreground } = &scene.grounds;
        if self.size != Some(size) {
            *self = Self { size: Some(size), ..Self::default() };
        }
        let over = scene.background;
        let is_there = self.background.as_ref().map(|it| (&it.of, it.over));
        if is_there != background.as_ref().map(|image| (image, over)) {
            self.background = background.as_ref().map(|image| {
                let picture = image.covering_over(size, over);
                Background { of: Arc::clone(image), over, picture }
            });
        }
        if self.foreground.as_ref().map(|it| &it.of) != foreground.as_ref() {
            self.foreground = foreground.as_ref().map(|image| Foreground::new(image, size));
        }
    }

    /// Fills a rectangle of the canvas, whose part `part` is, with what is behind all layers.
    pub(super) fn draw_behind(&self, part: &mut ViewMut<'_>, rect: PixelRect, scene: &Scene) {
        match self.background.as_ref().and_then(|it| it.picture.view().crop(rect)) {
            Some(behind) => part.copy_from(&behind),
            None => part.fill(scene.background.into()),
        }
    }

    /// Blends what is over all layers over rectangles that were just drawn.
    pub(super) fn draw_over(&mut self, canvas: &mut ViewMut<'_>, drawn: impl Iterator<Item = PixelRect>) {
        let Some(foreground) = &mut self.foreground else { return };
        let Some(seen) = foreground.seen else { return };
        let parts: Vec<PixelRect> = drawn.filter_map(|rect| common(rect, seen)).collect();
        for rect in disjoint(&parts) {
            foreground.blend(canvas, rect);
        }
    }
}

impl Foreground {
    fn new(image: &Arc<Image>, size: Size) -> Self {
        let (colors, opacity) = image.covering(size);
        let pixels = size.width as usize * size.height as usize;
        let opacity = opacity.unwrap_or_else(|| vec![255; pixels]);
        let seen = seen(&opacity, size);
        Self { of: Arc::clone(image), colors, opacity, seen, part: Vec::new() }
    }

    fn blend(&mut self, canvas: &mut ViewMut<'_>, rect: PixelRect) {
        let (width, columns) = (self.colors.size().width as usize, rect.width as usize);
        let rows = self.opacity.chunks_exact(width).skip(rect.y as usize).take(rect.height as usize);
        let from = rect.x as usize;
        self.part.clear();
        self.part.extend(rows.filter_map(|row| row.get(from..from + columns)).flatten());
        if let (Some(mut part), Some(over)) = (canvas.crop(rect), self.colors.view().crop(rect)) {
            part.blend(&over, &self.part);
        }
    }
}

/// The same pixels, none twice.
fn disjoint(rects: &[PixelRect]) -> Vec<PixelRect> {
    let mut apart: Vec<PixelRect> = Vec::with_capacity(rects.len());
    for rect in rects {
        let mut rest = vec![*rect];
        for taken in &apart {
            rest = rest.into_iter().flat_map(|part| without(part, *taken)).collect();
        }
        apart.extend(rest);
    }
    apart
}

fn common(a: PixelRect, b: PixelRect) -> Option<PixelRect> {
    let (x, y) = (a.x.max(b.x), a.y.max(b.y));
    let right = (a.x + a.width).min(b.x + b.width);
    let bottom = (a.y + a.height).min(b.y + b.height);
    (right > x && bottom > y).then(|| PixelRect { x, y, width: right - x, height: bottom - y })
}

/// What of a rectangle lies outside another: above, below, left and right of it.
fn without(rect: PixelRect, hole: PixelRect) -> Vec<PixelRect> {
    let Some(hole) = common(rect, hole) else { return vec![rect] };
    let (right, bottom) = (rect.x + rect.width, rect.y + rect.height);
    let (hole_right, hole_bottom) = (hole.x + hole.width, hole.y + hole.height);
    let parts = [
        PixelRect { height: hole.y - rect.y, ..rect },
        PixelRect { y: hole_bottom, height: bottom - hole_bottom, ..rect },
        PixelRect { y: hole.y, height: hole.height, width: hole.x - rect.x, ..rect },
        PixelRect { x: hole_right, y: hole.y, width: right - hole_right, height: hole.height },
    ];
    parts.into_iter().filter(|part| part.width > 0 && part.height > 0).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_pixel_is_there_once(rects in prop::collection::vec((0_u32..12, 0_u32..12, 1_u32..9, 1_u32..9), 0..9)) {
            let rects: Vec<PixelRect> =
                rects.into_iter().map(|(x, y, width, height)| PixelRect { x, y, width, height }).collect();
            let count = |rects: &[PixelRect], x: u32, y: u32| {
                let has = |it: &&PixelRect| {
                    (it.x..it.x + it.width).contains(&x) && (it.y..it.y + it.height).contains(&y)
                };
                rects.iter().filter(has).count()
            };
            let apart = disjoint(&rects);
            for (x, y) in (0..24).flat_map(|x| (0..24).map(move |y| (x, y))) {
                prop_assert_eq!(count(&apart, x, y), count(&rects, x, y).min(1), "{} {}", x, y);
            }
        }
    }
}
