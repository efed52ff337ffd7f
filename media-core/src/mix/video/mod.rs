//! The composed picture: a scene in, a canvas out.
//!
//! in:  a [`Scene`]: layers in drawing order, each with a picture or a stand-in, in rectangles of the canvas
//! out: one [`Picture`] of the canvas' size, and how much work it took
//!
//! The [`Compositor`] remembers what stands on its canvases and draws only what differs.

mod blur;
mod compositor;
mod diff;
mod edge;
mod fade;
mod fit;
mod fonts;
mod ground;
mod image;
mod mark;
mod name;
mod sprite;
mod stand_in;
mod text;

use std::sync::Arc;

use layouts::{Fit, PixelRect};

use crate::codec::{Picture, Rgb, Rotation};

pub use compositor::{Compositor, Work};
pub use fade::Fade;
pub use fonts::{FontFile, Fonts};
pub(crate) use fonts::{SCRIPTS, scripts_of};
pub use image::Image;

/// What a canvas shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// Shown where no layer is.
    pub background: Rgb,
    /// Images behind and over all layers.
    pub grounds: Grounds,
    /// In drawing order: a later one covers an earlier one.
    pub layers: Vec<SceneLayer>,
}

/// Images of a whole canvas, which they cover.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grounds {
    /// Shown where no layer is.
    pub background: Option<Arc<Image>>,
    /// Over everything, as opaque as it is.
    pub foreground: Option<Arc<Image>>,
}

/// One rectangle of the canvas and what fills it.
#[derive(Clone, Debug, PartialEq)]
pub struct SceneLayer {
    /// Where; what lies outside the canvas is cut, odd edges move to the even pixel before.
    pub rect: PixelRect,
    /// How a picture fills it.
    pub fit: Fit,
    /// What fills it.
    pub content: Content,
    /// Text of the strip at the lower left; any text, of which the part that can be shown is shown.
    pub banner: Option<Arc<str>>,
    /// What is drawn beside.
    pub style: LayerStyle,
}

/// What is drawn in a layer beside what fills it and its banner: in this order, and nothing of it on an empty one.
#[allow(clippy::struct_excessive_bools, reason = "each is a mark of its own, in any combination")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayerStyle {
    /// Around what fills the layer, which becomes smaller by it.
    pub border: Option<Border>,
    /// A frame along the edge: this one talks.
    pub talking: bool,
    /// A raised hand.
    pub hand: bool,
    /// The picture is an old one.
    pub frozen: bool,
    /// The camera is muted: said by a mark, where the content does not say it.
    pub muted: bool,
    /// Beside a picture that does not fill the layer is the same one, blurred; black without.
    pub blur_bars: bool,
    /// What fills the layer is darkened.
    pub dimmed: bool,
    /// A stand-in has no name below its initials.
    pub nameless: bool,
}

/// A border inside a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Border {
    /// Pixels on each side; odd ones take one more, and a quarter of the shorter side is the most there is.
    pub width: u8,
    /// Its colour.
    pub color: Rgb,
}

/// What fills a layer.
#[derive(Clone, Debug)]
pub enum Content {
    /// A picture, turned as its sender asks. The same `Arc` is the same picture and is not drawn again.
    Picture {
        /// What to show.
        picture: Arc<Picture>,
        /// How it is turned before it is fitted.
        rotation: Rotation,
    },
    /// An image in the place of a picture, which it covers.
    Still {
        /// Which.
        image: Arc<Image>,
    },
    /// The member has muted its video.
    MuteImage {
        /// Whose initials.
        name: Arc<str>,
    },
    /// The member sends no video.
    Avatar {
        /// Whose initials.
        name: Arc<str>,
    },
    /// Nothing: what is below shows through, and no banner is drawn.
    Empty,
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Picture { picture: a, rotation: turned_a },
                Self::Picture { picture: b, rotation: turned_b },
            ) => Arc::ptr_eq(a, b) && turned_a == turned_b,
            (Self::MuteImage { name: a }, Self::MuteImage { name: b })
            | (Self::Avatar { name: a }, Self::Avatar { name: b }) => a == b,
            (Self::Still { image: a }, Self::Still { image: b }) => a == b,
            (Self::Empty, Self::Empty) => true,
            (
                Self::Picture { .. }
                | Self::Still { .. }
                | Self::MuteImage { .. }
                | Self::Avatar { .. }
                | Self::Empty,
                _,
            ) => false,
        }
    }
}
