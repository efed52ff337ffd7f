//! How a room's canvas looks: as REST and the configuration write it.

use layouts::{MAX_BORDER, Rgb};
use serde::{Deserialize, Deserializer, Serialize};

/// What a room draws besides pictures. What is left out has its default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Look {
    /// Pixels inside slots whose layout says nothing of it.
    #[serde(deserialize_with = "border")]
    pub(crate) border: u8,
    pub(crate) border_color: Color,
    pub(crate) overlays: Overlays,
}

/// What is drawn over the pictures of members.
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own, in any combination")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Overlays {
    pub(crate) name: bool,
    pub(crate) talking: bool,
    pub(crate) hand: bool,
    pub(crate) frozen: bool,
}

/// `#rrggbb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Color(Rgb);

impl TryFrom<String> for Color {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digits =
            text.strip_prefix('#').filter(|d| d.len() == 6 && d.bytes().all(|b| b.is_ascii_hexdigit()));
        let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let [_, red, green, blue] =
            number.ok_or_else(|| "a colour must be #rrggbb".to_owned())?.to_be_bytes();
        Ok(Self(Rgb(red, green, blue)))
    }
}

impl From<Color> for String {
    fn from(Color(Rgb(red, green, blue)): Color) -> Self {
        format!("#{red:02x}{green:02x}{blue:02x}")
    }
}

impl Default for Look {
    fn default() -> Self {
        let layouts::Look { border, border_color, overlays } = layouts::Look::default();
        let layouts::Overlays { name, talking, hand, frozen } = overlays;
        let overlays = Overlays { name, talking, hand, frozen };
        Self { border, border_color: Color(border_color), overlays }
    }
}

impl Default for Overlays {
    fn default() -> Self {
        Look::default().overlays
    }
}

impl Look {
    /// What the canvas is told.
    pub(super) fn act(&self) -> layouts::Look {
        let Overlays { name, talking, hand, frozen } = self.overlays;
        layouts::Look {
            border: self.border,
            border_color: self.border_color.0,
            overlays: layouts::Overlays { name, talking, hand, frozen },
        }
    }
}

fn border<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let border = u8::deserialize(deserializer)?;
    if border > MAX_BORDER {
        return Err(serde::de::Error::custom(format!("a border is at most {MAX_BORDER} pixels")));
    }
    Ok(border)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_look_is_read_with_its_bounds_and_written_as_it_was() {
        let read = |value: Value| serde_json::from_value::<Look>(value);
        assert_eq!(read(json!({})).unwrap(), Look::default());
        assert_eq!(Look::default().act(), layouts::Look::default());
        let whole = json!({
            "border": 50, "border_color": "#0a0b0c",
            "overlays": {"name": false, "talking": false, "hand": true, "frozen": false},
        });
        let look = read(whole.clone()).unwrap();
        assert_eq!(look.act().border_color, Rgb(10, 11, 12));
        assert_eq!(serde_json::to_value(&look).unwrap(), whole);
        for wrong in [
            json!({"border": 51}),
            json!({"border": -1}),
            json!({"border_color": "red"}),
            json!({"border_color": "#12345ä"}),
            json!({"overlays": {"hands": true}}),
            json!({"overlays": {"hand": 1}}),
            json!({"frame": 1}),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
