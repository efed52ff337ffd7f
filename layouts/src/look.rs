//! How a room's canvas looks, beside who is where.

use crate::layer::Rgb;

/// Longest change of arrangements in milliseconds.
pub const MAX_FADE_MS: u16 = 500;
/// Widest border in pixels.
pub const MAX_BORDER: u8 = 50;

/// What a room draws in its layers besides pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Pixels of border inside slots whose layout says nothing of it, up to [`MAX_BORDER`].
    pub border: u8,
    /// Of every border.
    pub border_color: Rgb,
    /// What is written and marked on tiles.
    pub overlays: Overlays,
    /// Who mutes its camera without an image for that is shown by its last picture, dimmed.
    pub mute_snapshot: bool,
    /// Beside a picture that does not fill its slot is the same picture, blurred, in place of black.
    pub blur_bars: bool,
    /// A new arrangement comes over the old one in so many milliseconds, up to [`MAX_FADE_MS`].
    pub fade_ms: u16,
}

/// What is drawn over the pictures of members. Clients that draw the same themselves want it off.
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own, in any combination")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlays {
    /// The name, in a strip or below the initials.
    pub name: bool,
    /// A frame around who talks.
    pub talking: bool,
    /// A hand while it is raised.
    pub hand: bool,
    /// A mark when no picture has come for three seconds.
    pub frozen: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            border: 0,
            border_color: Rgb(0x2a, 0x2e, 0x38),
            overlays: Overlays::default(),
            mute_snapshot: false,
            blur_bars: false,
            fade_ms: 0,
        }
    }
}

impl Default for Overlays {
    fn default() -> Self {
        Self { name: true, talking: true, hand: true, frozen: true }
    }
}

impl Look {
    /// Of a slot whose layout says that much of its border.
    #[must_use]
    pub fn border_of(&self, slot: Option<u8>) -> u8 {
        slot.unwrap_or(self.border).min(MAX_BORDER)
    }
}
