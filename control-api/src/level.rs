//! Levels of sound as the wire counts them.

use serde::Serialize;

/// How much louder or softer than it came, in steps of the wire: −50 … 50, 0 changes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Volume(i8);

/// How much sound it takes to count as speech: 0 … 100, 30 unless somebody chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Sensitivity(u8);

impl Volume {
    /// Steps within −50 … 50.
    #[must_use]
    pub const fn new(steps: i8) -> Option<Self> {
        if -50 <= steps && steps <= 50 { Some(Self(steps)) } else { None }
    }

    /// −50 … 50.
    #[must_use]
    pub const fn steps(self) -> i8 {
        self.0
    }
}

impl Sensitivity {
    /// A value within 0 … 100.
    #[must_use]
    pub const fn new(value: u8) -> Option<Self> {
        if value <= 100 { Some(Self(value)) } else { None }
    }

    /// 0 … 100.
    #[must_use]
    pub const fn value(self) -> u8 {
        self.0
    }
}

impl Default for Sensitivity {
    fn default() -> Self {
        Self(30)
    }
}
