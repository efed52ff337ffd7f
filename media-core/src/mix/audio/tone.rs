//! The tones when somebody comes or leaves.

/// A short tone in the mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Somebody came.
    Entry,
    /// Somebody left.
    Exit,
}
