//! What a machine that is too small leaves out, in this order.
//!
//! ```text
//!   Nothing ─► Previews ─► SmallRenditions ─► HalfRate ─► QuarterRate
//! ```
//!
//! Sound is never left out, and no key frame is: a viewer without one sees nothing at all.

/// What is left out, each with all before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shed {
    /// The machine is large enough.
    #[default]
    Nothing,
    /// Pictures of rooms for lists.
    Previews,
    /// Two of three pictures of small renditions.
    SmallRenditions,
    /// Every second frame of canvases.
    HalfRate,
    /// Three of four frames of canvases.
    QuarterRate,
}

impl Shed {
    /// All, in order.
    pub const ALL: [Self; 5] =
        [Self::Nothing, Self::Previews, Self::SmallRenditions, Self::HalfRate, Self::QuarterRate];

    /// Its place in that order.
    #[must_use]
    pub fn level(self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::Previews => 1,
            Self::SmallRenditions => 2,
            Self::HalfRate => 3,
            Self::QuarterRate => 4,
        }
    }

    /// The one at this place; what is beyond the last is the last.
    #[must_use]
    pub fn at(level: u8) -> Self {
        Self::ALL.get(usize::from(level)).copied().unwrap_or(Self::QuarterRate)
    }

    /// One more thing is left out.
    #[must_use]
    pub fn more(self) -> Self {
        Self::at(self.level() + 1)
    }

    /// One thing less is.
    #[must_use]
    pub fn less(self) -> Self {
        Self::at(self.level().saturating_sub(1))
    }

    /// Of so many frames of a canvas one is drawn.
    pub(crate) fn frames_per_drawn(self) -> u64 {
        match self {
            Self::Nothing | Self::Previews | Self::SmallRenditions => 1,
            Self::HalfRate => 2,
            Self::QuarterRate => 4,
        }
    }

    /// Of so many pictures of a small rendition one is encoded.
    pub(crate) fn small_pictures_per_encoded(self) -> u64 {
        if self >= Self::SmallRenditions { 3 } else { 1 }
    }
}
