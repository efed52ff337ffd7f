//! What placement gives: layers, each a slot and maybe the source in it.

use crate::catalogue::LayoutId;
use crate::grid::{GridRect, PixelRect, Size};
use crate::position::Position;
use crate::source::SourceKey;
use crate::tag::Tag;

/// How a picture fills a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fit {
    /// Entirely inside, bars around.
    Contain,
    /// Fills, excess cropped.
    Cover,
    /// `Cover` if at most 15 % would be lost, else `Contain`.
    Auto,
}

/// A colour, red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rgb(pub u8, pub u8, pub u8);

/// From where a listener of the stereo mix hears who sits in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pan {
    /// From where the slot is.
    Auto,
    /// From −1000, left, to 1000, right.
    At(i16),
}

/// A slot after placement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Slot order, from 0; `playback` and `full-screen` last.
    pub index: u16,
    /// Drawing order, larger is above.
    pub z: i16,
    /// Where.
    pub rect: GridRect,
    /// Name of the slot.
    pub position: Position,
    /// Who, if occupied.
    pub source: Option<SourceKey>,
    /// How the picture is fitted.
    pub fit: Fit,
    /// Tag that owns the slot.
    pub reservation: Option<Tag>,
    /// Pixels of border inside the slot; without, what the room says.
    pub border: Option<u8>,
    /// From where it is heard in stereo, −1000 to 1000; without, from wherever the room says.
    pub pan: Option<i16>,
    /// Occupied by a playback.
    pub playing_file: bool,
    /// False when fully covered by a `full-screen` occupant.
    pub visible: bool,
}

impl Layer {
    /// `(x, y, width, height)` in per cent of the canvas, rounded to 4 decimals, as the wire reports them.
    #[must_use]
    pub fn percent(&self) -> (f64, f64, f64, f64) {
        self.rect.percent()
    }

    /// From where who is there is heard in stereo, −1000, left, to 1000, right: as the layout says, else from where the
    /// slot is.
    #[must_use]
    pub fn heard_from(&self) -> i16 {
        self.pan.unwrap_or_else(|| self.rect.heard_from())
    }

    /// The rectangle on a canvas of that many pixels.
    #[must_use]
    pub fn pixels(&self, canvas: Size) -> PixelRect {
        self.rect.pixels(canvas)
    }
}

/// The arrangement of a canvas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Grows by one with every change.
    pub version: u64,
    /// The layout as it was set (a responsive one keeps its name).
    pub layout: LayoutId,
    /// Slots in order, then `playback`, then `full-screen`.
    pub layers: Vec<Layer>,
}
