//! Drawn pictures, made once and kept.
//!
//! in:  text and the size of the slot
//! out: tiles that fill a slot, and banners to blend over it
//!
//! What is kept is bounded in bytes; when it is full, what was used longest ago goes and is drawn again when needed.

use std::sync::Arc;

use layouts::Size;
use rustc_hash::FxHashMap;
use tiny_skia::Pixmap;

use super::fonts::Fonts;
use super::image::Image;
use super::mark::{self, Mark};
use super::name::drawable;
use super::stand_in::{self, StandIn};
use crate::codec::yuv::View;
use crate::codec::{Picture, Rgb, Yuv};

/// Bytes of pixels kept: the tiles of several full 720p canvases.
const KEPT_BYTES: usize = 16 << 20;

/// A drawn picture with its opacity.
#[derive(Debug)]
pub(super) struct Sprite {
    picture: Picture,
    /// One byte per pixel, rows without gaps.
    alpha: Vec<u8>,
}

impl Sprite {
    pub(super) fn size(&self) -> Size {
        self.picture.size()
    }

    pub(super) fn view(&self) -> View<'_> {
        self.picture.view()
    }

    pub(super) fn alpha(&self) -> &[u8] {
        &self.alpha
    }

    fn bytes(&self) -> usize {
        let Size { width, height } = self.picture.size();
        self.alpha.len() + width as usize * height as usize * 3 / 2
    }
}

/// What a sprite shows, in full: equal keys look equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Tile {
        kind: StandIn,
        name: String,
        caption: bool,
        slot: Size,
    },
    Banner {
        text: String,
        slot: Size,
    },
    Mark {
        mark: Mark,
        side: u32,
    },
    /// By its number: no other image has it.
    Still {
        image: u64,
        slot: Size,
    },
}

#[derive(Debug)]
struct Kept {
    sprite: Arc<Sprite>,
    used: u64,
}

/// All sprites of a canvas.
#[derive(Debug)]
pub(super) struct Sprites {
    fonts: Fonts,
    kept: FxHashMap<Key, Kept>,
    bytes: usize,
    uses: u64,
}

impl Sprites {
    pub(super) fn new(fonts: Fonts) -> Self {
        Self { fonts, kept: FxHashMap::default(), bytes: 0, uses: 0 }
    }

    pub(super) fn fonts(&self) -> Fonts {
        self.fonts.clone()
    }

    /// Fills the slot of a member whose video is muted.
    pub(super) fn mute_image(&mut self, name: &str, slot: Size, caption: bool) -> Arc<Sprite> {
        self.take(Key::Tile { kind: StandIn::MuteImage, name: drawable(name), caption, slot })
    }

    /// Fills the slot of a member without video.
    pub(super) fn avatar(&mut self, name: &str, slot: Size, caption: bool) -> Arc<Sprite> {
        self.take(Key::Tile { kind: StandIn::Avatar, name: drawable(name), caption, slot })
    }

    /// The strip at the lower left; `None` when there is nothing to show or no room.
    pub(super) fn banner(&mut self, text: &str, slot: Size) -> Option<Arc<Sprite>> {
        let text = drawable(text);
        if !self.fonts.shows(&text) || !stand_in::has_room_for_banner(slot) {
            return None;
        }
        Some(self.take(Key::Banner { text, slot }))
    }

    /// Fills a slot with an image.
    pub(super) fn still(&mut self, image: &Image, slot: Size) -> Arc<Sprite> {
        let key = Key::Still { image: image.number(), slot };
        self.take_or(key, |_, _| {
            let picture = image.covering_over(slot, stand_in::TILE);
            Sprite { picture, alpha: Vec::new() }
        })
    }

    /// A mark of so many pixels a side.
    pub(super) fn mark(&mut self, mark: Mark, side: u32) -> Arc<Sprite> {
        self.take(Key::Mark { mark, side })
    }

    fn take(&mut self, key: Key) -> Arc<Sprite> {
        self.take_or(key, |sprites, key| sprite_of(&sprites.paint(key)))
    }

    /// What is kept, else what `make` draws.
    fn take_or(&mut self, key: Key, make: impl FnOnce(&Self, &Key) -> Sprite) -> Arc<Sprite> {
        self.uses += 1;
        if let Some(kept) = self.kept.get_mut(&key) {
            kept.used = self.uses;
            return Arc::clone(&kept.sprite);
        }
        let sprite = Arc::new(make(self, &key));
        self.bytes += sprite.bytes();
        self.kept.insert(key, Kept { sprite: Arc::clone(&sprite), used: self.uses });
        while self.bytes > KEPT_BYTES && self.kept.len() > 1 {
            self.drop_oldest();
        }
        sprite
    }

    fn paint(&self, key: &Key) -> Pixmap {
        match key {
            Key::Tile { kind, name, caption, slot } => {
                stand_in::tile(&self.fonts, *kind, name, *caption, *slot)
            }
            Key::Banner { text, slot } => stand_in::banner(&self.fonts, text, *slot),
            Key::Mark { mark, side } => mark::draw(*mark, *side),
            // Made of the image, which is not in its key.
            Key::Still { slot, .. } => stand_in::blank(*slot),
        }
    }

    fn drop_oldest(&mut self) {
        let oldest = self.kept.iter().min_by_key(|(_, kept)| kept.used).map(|(key, _)| key.clone());
        if let Some(kept) = oldest.and_then(|key| self.kept.remove(&key)) {
            self.bytes = self.bytes.saturating_sub(kept.sprite.bytes());
        }
    }
}

/// From the drawing's premultiplied RGB to the canvas' space, opacity apart.
fn sprite_of(pixmap: &Pixmap) -> Sprite {
    let size = Size { width: pixmap.width(), height: pixmap.height() };
    let (columns, rows) = (size.width as usize, size.height as usize);
    let alpha: Vec<u8> = pixmap.pixels().iter().map(|pixel| pixel.alpha()).collect();
    let luma: Vec<u8> = pixmap
        .pixels()
        .iter()
        .map(|pixel| {
            let color = pixel.demultiply();
            Yuv::from(Rgb(color.red(), color.green(), color.blue())).y
        })
        .collect();
    let (mut u, mut v) = (Vec::new(), Vec::new());
    for row in (0..rows).step_by(2) {
        for column in (0..columns).step_by(2) {
            let color = Yuv::from(mean_of_four(pixmap, column, row));
            u.push(color.u);
            v.push(color.v);
        }
    }
    let picture = Picture::from_planes(size, &luma, &u, &v).expect("planes were made for this size");
    Sprite { picture, alpha }
}

/// The colour of up to four pixels, each counting as much as it is opaque.
fn mean_of_four(pixmap: &Pixmap, column: usize, row: usize) -> Rgb {
    let (mut sums, mut opacity) = ([0_u32; 3], 0_u32);
    for y in [row, row + 1] {
        for x in [column, column + 1] {
            let inside = x < pixmap.width() as usize;
            let pixel = pixmap.pixels().get(y * pixmap.width() as usize + x).filter(|_| inside);
            if let Some(pixel) = pixel {
                opacity += u32::from(pixel.alpha());
                let parts = [pixel.red(), pixel.green(), pixel.blue()];
                sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += u32::from(part));
            }
        }
    }
    let [r, g, b] =
        sums.map(|sum| u8::try_from((sum * 255).checked_div(opacity).unwrap_or(0)).unwrap_or(255));
    Rgb(r, g, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_drawn_once_and_what_is_kept_is_bounded() {
        let mut sprites = Sprites::new(Fonts::default());
        let slot = Size { width: 640, height: 360 };
        let first = sprites.mute_image("Ada", slot, false);
        assert!(Arc::ptr_eq(&first, &sprites.mute_image(" Ada\u{0} ", slot, false)));
        assert!(!Arc::ptr_eq(&first, &sprites.avatar("Ada", slot, false)));
        for number in 0..60 {
            sprites.avatar(&format!("member {number}"), slot, true);
            assert!(sprites.bytes <= KEPT_BYTES);
        }
        assert_eq!(sprites.bytes, sprites.kept.values().map(|kept| kept.sprite.bytes()).sum::<usize>());
        assert!(!Arc::ptr_eq(&first, &sprites.mute_image("Ada", slot, false)), "the oldest went");
    }
}
