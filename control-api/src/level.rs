//! Levels of sound as the wire counts them.

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error};

use crate::wire::number::Number;

/// How much louder or softer than it came, in steps of the wire: −50 … 50, 0 changes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Volume(i8);

/// How soft a sound may be to count as speech, in steps of the wire: from 0, nothing does, to 100, everything does; 30
/// unless somebody chose.
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

impl<'de> Deserialize<'de> for Volume {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Number::deserialize(deserializer)?;
        let volume = number.within(-50..=50).and_then(Self::new);
        volume.ok_or_else(|| D::Error::custom("a volume is a number from -50 to 50"))
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

impl<'de> Deserialize<'de> for Sensitivity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Number::deserialize(deserializer)?;
        let value = number.within(0..=100).and_then(|value| u8::try_from(value).ok()).and_then(Self::new);
        value.ok_or_else(|| D::Error::custom("a sensitivity is a number from 0 to 100"))
    }
}
