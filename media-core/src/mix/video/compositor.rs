//! Draws scenes on canvases, the least that gives the whole picture.
//!
//! in:  a scene per canvas frame
//! out: the canvas, shared; the same `Arc` as before when nothing changed
//!
//! An encoder may still read the last canvas while the next is drawn, so there are a few of them, and each remembers
//! the scene that stands on it: whichever is free is brought up to date from there.

use std::sync::Arc;

use layouts::{PixelRect, Size};

use super::blur;
use super::diff;
use super::edge;
use super::fade::Fade;
use super::fit::{centred, fit};
use super::fonts::Fonts;
use super::ground::Ground;
use super::mark;
use super::sprite::Sprites;
use super::{Content, Grounds, LayerStyle, Scene, SceneLayer};
use crate::codec::yuv::ViewMut;
use crate::codec::{Picture, PicturePool, Rotation, Yuv};

/// Canvases kept for drawing again. More may be alive; those are freed by whoever holds them.
const CANVASES: usize = 4;

/// How much the last [`Compositor::compose`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Layers drawn.
    pub layers_drawn: usize,
    /// Whether the picture differs from the one returned before it.
    pub changed: bool,
}

/// One canvas and what is needed to draw it.
#[derive(Debug)]
pub struct Compositor {
    size: Size,
    /// Latest last.
    canvases: Vec<Canvas>,
    pen: Pen,
    work: Work,
    /// What was given last is an arrangement that fades, not the canvas.
    faded: bool,
}

#[derive(Debug)]
struct Canvas {
    picture: Arc<Picture>,
    scene: Scene,
}

/// What drawing a layer needs besides the canvas.
#[derive(Debug)]
struct Pen {
    sprites: Sprites,
    ground: Ground,
    /// Pictures scaled before they are turned.
    turning: PicturePool,
    /// Canvases while one fades into another.
    fading: PicturePool,
}

impl Compositor {
    /// An empty canvas. A side of 0 becomes 1. One that takes the place of another has changed, before it draws.
    #[must_use]
    pub fn new(size: Size) -> Self {
        Self::with_fonts(size, Fonts::default())
    }

    /// The same; names are written in these.
    #[must_use]
    pub fn with_fonts(size: Size, fonts: Fonts) -> Self {
        let size = Size { width: size.width.max(1), height: size.height.max(1) };
        let pen = Pen {
            sprites: Sprites::new(fonts),
            ground: Ground::default(),
            turning: PicturePool::new(1),
            fading: PicturePool::new(3),
        };
        Self { size, canvases: Vec::new(), pen, work: Work { layers_drawn: 0, changed: true }, faded: false }
    }

    /// Pixels of the canvas.
    #[must_use]
    pub fn size(&self) -> Size {
        self.size
    }

    /// What names are written in.
    pub(crate) fn fonts(&self) -> Fonts {
        self.pen.sprites.fonts()
    }

    /// The canvas while an arrangement changes.
    pub fn fade(&mut self, canvas: &Picture, fade: &Fade) -> Arc<Picture> {
        // Another picture with every frame, and so is the bare canvas behind the last of them.
        self.work.changed = true;
        self.faded = true;
        fade.over(&mut self.pen.fading, canvas)
    }

    /// How much the last picture took.
    #[must_use]
    pub fn work(&self) -> Work {
        self.work
    }

    /// Draws the scene. Gives the same picture, untouched, when the scene is the same.
    pub fn compose(&mut self, scene: &Scene) -> Arc<Picture> {
        let scene = self.inside(scene);
        if let Some(latest) = self.canvases.last()
            && latest.scene == scene
        {
            self.work = Work { layers_drawn: 0, changed: std::mem::take(&mut self.faded) };
            return Arc::clone(&latest.picture);
        }
        self.faded = false;
        let mut canvas = self.free_canvas(&scene);
        let plan = diff::plan(&canvas.scene, &scene, canvas.picture.bounds());
        let picture = Arc::get_mut(&mut canvas.picture).expect("a free canvas has no other holder");
        let mut view = picture.view_mut();
        self.pen.ground.prepare(&scene, self.size);
        for rect in &plan.background {
            if let Some(mut part) = view.crop(*rect) {
                self.pen.ground.draw_behind(&mut part, *rect, &scene);
            }
        }
        for layer in plan.layers.iter().filter_map(|index| scene.layers.get(*index)) {
            if let Some(mut part) = view.crop(layer.rect) {
                self.pen.draw(&mut part, layer);
            }
        }
        let layers = plan.layers.iter().filter_map(|index| scene.layers.get(*index)).map(|layer| layer.rect);
        self.pen.ground.draw_over(&mut view, plan.background.iter().copied().chain(layers));
        self.work = Work { layers_drawn: plan.layers.len(), changed: true };
        canvas.scene = scene;
        let picture = Arc::clone(&canvas.picture);
        self.canvases.push(canvas);
        if self.canvases.len() > CANVASES {
            self.canvases.remove(0);
        }
        picture
    }

    /// The latest canvas nobody reads any more, else a new one.
    fn free_canvas(&mut self, scene: &Scene) -> Canvas {
        let free = self.canvases.iter_mut().rposition(|canvas| Arc::get_mut(&mut canvas.picture).is_some());
        match free {
            Some(index) => self.canvases.remove(index),
            None => Canvas {
                picture: Arc::new(Picture::filled(self.size, scene.background)),
                scene: Scene {
                    background: scene.background,
                    grounds: Grounds::default(),
                    layers: Vec::new(),
                },
            },
        }
    }

    /// The scene with rectangles inside the canvas and on even pixels, where chroma begins.
    fn inside(&self, scene: &Scene) -> Scene {
        let layers = scene.layers.iter().map(|layer| {
            let (x, width) = clip(layer.rect.x, layer.rect.width, self.size.width);
            let (y, height) = clip(layer.rect.y, layer.rect.height, self.size.height);
            SceneLayer { rect: PixelRect { x, y, width, height }, ..layer.clone() }
        });
        Scene { background: scene.background, grounds: scene.grounds.clone(), layers: layers.collect() }
    }
}

/// Both edges to the even pixel at or before them, within `limit`.
fn clip(start: u32, len: u32, limit: u32) -> (u32, u32) {
    let even = |edge: u32| edge.min(limit) / 2 * 2;
    let (from, to) = (even(start), even(start.saturating_add(len)));
    (from, to.saturating_sub(from))
}

impl Pen {
    /// Sets every pixel of the slot.
    fn draw(&mut self, slot: &mut ViewMut<'_>, layer: &SceneLayer) {
        let inner = edge::inside(slot.size(), &layer.style);
        let Some(mut filled) = slot.crop(inner) else { return };
        let caption = layer.banner.is_none() && !layer.style.nameless;
        match &layer.content {
            Content::Picture { picture, rotation } => {
                self.draw_picture(&mut filled, layer, picture, *rotation);
            }
            Content::Still { image } => {
                let tile = self.sprites.still(image, filled.size());
                filled.copy_from(&tile.view());
            }
            Content::MuteImage { name } => {
                let tile = self.sprites.mute_image(name, filled.size(), caption);
                filled.copy_from(&tile.view());
            }
            Content::Avatar { name } => {
                let tile = self.sprites.avatar(name, filled.size(), caption);
                filled.copy_from(&tile.view());
            }
            Content::Empty => return,
        }
        if layer.style.dimmed {
            edge::dim(&mut filled);
        }
        edge::draw(slot, inner, &layer.style);
        let Some(mut filled) = slot.crop(inner) else { return };
        if let Some(text) = &layer.banner {
            self.draw_banner(&mut filled, text);
        }
        self.draw_marks(&mut filled, &layer.style);
    }

    fn draw_picture(
        &mut self,
        slot: &mut ViewMut<'_>,
        layer: &SceneLayer,
        picture: &Picture,
        rotation: Rotation,
    ) {
        // Fitted before the turn: the slot is turned back instead (sizes turn back as they turn).
        let fitted = fit(picture.size(), rotation.turned(slot.size()), layer.fit);
        let upright = Size { width: fitted.inner.width, height: fitted.inner.height };
        let inner = centred(slot.size(), rotation.turned(upright));
        if (Size { width: inner.width, height: inner.height }) != slot.size() {
            if layer.style.blur_bars {
                blur::fill(slot, picture, rotation);
            } else {
                edge::fill_around(slot, inner, Yuv::BLACK);
            }
        }
        let (Some(source), Some(mut target)) = (picture.view().crop(fitted.crop), slot.crop(inner)) else {
            return;
        };
        match rotation {
            Rotation::None => target.scale_from(&source),
            // Scaled first: the turn then moves no more pixels than are shown.
            Rotation::Quarter | Rotation::Half | Rotation::ThreeQuarters => {
                let scaled = self.turning.draw(upright, |upright| upright.scale_from(&source));
                target.rotate_from(&scaled.view(), rotation);
            }
        }
    }

    fn draw_banner(&mut self, slot: &mut ViewMut<'_>, text: &str) {
        let slot_size = slot.size();
        let Some(banner) = self.sprites.banner(text, slot_size) else { return };
        let Size { width, height } = banner.size();
        let rect = PixelRect { x: 0, y: slot_size.height.saturating_sub(height), width, height };
        if let Some(mut place) = slot.crop(rect) {
            place.blend(&banner.view(), banner.alpha());
        }
    }

    /// Beside each other, from the upper right corner.
    fn draw_marks(&mut self, slot: &mut ViewMut<'_>, style: &LayerStyle) {
        let Size { width, .. } = slot.size();
        let Some(side) = mark::side(slot.size()) else { return };
        let step = (side + side / 4).next_multiple_of(2);
        let gap = (side / 4).next_multiple_of(2);
        for (place, mark) in (1..).zip(mark::marks(style)) {
            let x = (width / 2 * 2).saturating_sub(step * place);
            let sprite = self.sprites.mark(mark, side);
            if let Some(mut corner) = slot.crop(PixelRect { x, y: gap, width: side, height: side }) {
                corner.blend(&sprite.view(), sprite.alpha());
            }
        }
    }
}

const fn assert_send<T: Send>() {}
const _: () = assert_send::<Compositor>();
const _: () = assert_send::<Scene>();
