//! A spatial and a temporal quality of a layered stream.

/// Up to here, and everything below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layers {
    /// Highest spatial id.
    pub spatial: u8,
    /// Highest temporal id.
    pub temporal: u8,
}

impl Layers {
    /// All there is.
    pub const ALL: Self = Self { spatial: u8::MAX, temporal: u8::MAX };
    /// The lowest quality.
    pub const LOWEST: Self = Self { spatial: 0, temporal: 0 };

    /// Whether a frame of these ids is among them.
    #[must_use]
    pub fn include(self, spatial_id: u8, temporal_id: u8) -> bool {
        spatial_id <= self.spatial && temporal_id <= self.temporal
    }
}
