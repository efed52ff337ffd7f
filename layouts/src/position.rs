//! Public names of the places in a picture.
//!
//! in:  text of an application
//! out: a [`Position`], or what was wrong with the text

use std::fmt;
use std::str::FromStr;

/// Highest number a position may carry: no layout has more slots.
const HIGHEST: u16 = 256;

/// Where a source asks to sit, or sits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Position {
    /// The engine decides.
    #[default]
    Auto,
    /// `standard-N`, from 1.
    Standard(u16),
    /// `reserved-N`, from 1.
    Reserved(u16),
    /// Not in the picture.
    OffCanvas,
    /// The place of a screen share, in layouts that have one.
    Screen,
    /// The playback layer.
    Playback,
    /// The whole canvas, above everything.
    FullScreen,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Standard(n) => write!(f, "standard-{n}"),
            Self::Reserved(n) => write!(f, "reserved-{n}"),
            Self::OffCanvas => f.write_str("off-canvas"),
            Self::Screen => f.write_str("screen"),
            Self::Playback => f.write_str("playback"),
            Self::FullScreen => f.write_str("full-screen"),
        }
    }
}

/// Says which text is no position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a position")]
pub struct UnknownPosition(pub String);

impl FromStr for Position {
    type Err = UnknownPosition;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbered = |prefix| text.strip_prefix(prefix).and_then(number);
        match text {
            "auto" => Ok(Self::Auto),
            "off-canvas" => Ok(Self::OffCanvas),
            "screen" => Ok(Self::Screen),
            "playback" => Ok(Self::Playback),
            "full-screen" => Ok(Self::FullScreen),
            _ => numbered("standard-")
                .map(Self::Standard)
                .or_else(|| numbered("reserved-").map(Self::Reserved))
                .ok_or_else(|| UnknownPosition(text.chars().take(64).collect())),
        }
    }
}

/// A slot number in plain decimal. 0 means slot 1: published examples count from either.
fn number(digits: &str) -> Option<u16> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    let n: u16 = digits.parse().ok().filter(|_| plain)?;
    (n <= HIGHEST).then_some(n.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: Option<Position>) {
        assert_eq!(text.parse().ok(), expected, "{text:?}");
    }

    #[test]
    fn names_of_the_wire() {
        check("auto", Some(Position::Auto));
        check("standard-1", Some(Position::Standard(1)));
        check("standard-0", Some(Position::Standard(1)));
        check("standard-256", Some(Position::Standard(256)));
        check("reserved-0", Some(Position::Reserved(1)));
        check("reserved-12", Some(Position::Reserved(12)));
        check("off-canvas", Some(Position::OffCanvas));
        check("screen", Some(Position::Screen));
        check("playback", Some(Position::Playback));
        check("full-screen", Some(Position::FullScreen));
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "Auto",
            " auto",
            "standard",
            "standard-",
            "standard-257",
            "standard-99999999999999999999",
            "standard--1",
            "standard-+1",
            "standard-01",
            "standard-1 ",
            "standard-1.0",
            "standard-١",
            "reserved-x",
            "fullscreen",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn a_refusal_does_not_carry_a_long_text_on() {
        let UnknownPosition(kept) = "x".repeat(10_000).parse::<Position>().unwrap_err();
        assert_eq!(kept.len(), 64);
    }

    proptest! {
        #[test]
        fn display_is_read_back(n in 1..=HIGHEST, kind in 0..7) {
            let position = match kind {
                0 => Position::Standard(n),
                1 => Position::Reserved(n),
                2 => Position::Auto,
                3 => Position::OffCanvas,
                4 => Position::Playback,
                5 => Position::Screen,
                _ => Position::FullScreen,
            };
            prop_assert_eq!(position.to_string().parse(), Ok(position));
        }
    }
}
