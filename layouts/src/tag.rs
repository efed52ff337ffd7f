//! A short word that ties sources to slots: a reservation, or a role.

use std::fmt;
use std::str::FromStr;

/// Longest tag in bytes.
const MAX: usize = 32;

/// A reservation or the name of a role. Kept in place, so that slots and layers are plain values.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag {
    bytes: [u8; MAX],
    length: u8,
}

/// Slots with these are a source's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    /// Slots with this reservation.
    pub reservation: Option<Tag>,
    /// Slots for this role.
    pub role: Option<Tag>,
}

/// Says that a text is no tag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {MAX} letters, digits or one of . _ + -")]
pub struct NoTag;

impl Tag {
    /// Of a word of the catalogue.
    #[allow(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "of a constant, when it is compiled"
    )]
    pub(crate) const fn of(word: &'static str) -> Self {
        let from = word.as_bytes();
        let mut bytes = [0; MAX];
        let mut at = 0;
        while at < from.len() {
            bytes[at] = from[at];
            at += 1;
        }
        Self { bytes, length: at as u8 }
    }

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let word = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        std::str::from_utf8(word).expect("a tag is made of ASCII alone")
    }
}

impl FromStr for Tag {
    type Err = NoTag;

    fn from_str(text: &str) -> Result<Self, NoTag> {
        let is_plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(&b));
        let length = u8::try_from(text.len()).map_err(|_| NoTag)?;
        let mut bytes = [0; MAX];
        let room = bytes.get_mut(..text.len()).filter(|room| is_plain && !room.is_empty()).ok_or(NoTag)?;
        room.copy_from_slice(text.as_bytes());
        Ok(Self { bytes, length })
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_plain_words_are_tags() {
        for word in ["a", "secondary", "Room.2_b+c-d", &"x".repeat(32)] {
            assert_eq!(word.parse::<Tag>().unwrap().as_str(), word);
        }
        for text in ["", "two words", "ä", "a/b", "\"", &"x".repeat(33), &"x".repeat(10_000)] {
            assert_eq!(text.parse::<Tag>(), Err(NoTag), "{text:?}");
        }
        assert_eq!(Tag::of("third"), "third".parse().unwrap());
    }
}
