//! How a room's canvas looks: as REST and the configuration write it.

use std::fmt;

use layouts::{MAX_BORDER, MAX_FADE_MS, Rgb, is_image_name};
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
    /// Images of this server, by their names.
    pub(crate) background: Option<ImageName>,
    pub(crate) foreground: Option<ImageName>,
    pub(crate) mute_image: Option<ImageName>,
    /// Without an image, a muted camera is shown by its last picture.
    pub(crate) mute_snapshot: bool,
    /// Blurred bars in place of black ones.
    pub(crate) blur_bars: bool,
    /// Milliseconds in which one arrangement comes over another.
    #[serde(deserialize_with = "fade_ms")]
    pub(crate) fade_ms: u16,
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

/// Name of an image, which may be given later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct ImageName(String);

impl TryFrom<String> for ImageName {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        if is_image_name(&name) {
            Ok(Self(name))
        } else {
            Err("an image's name is 1 to 64 of a-z, 0-9, _ and -")
        }
    }
}

impl From<ImageName> for String {
    fn from(ImageName(name): ImageName) -> Self {
        name
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
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
        let layouts::Look { border, border_color, overlays, mute_snapshot, blur_bars, fade_ms } =
            layouts::Look::default();
        let layouts::Overlays { name, talking, hand, frozen } = overlays;
        let overlays = Overlays { name, talking, hand, frozen };
        let (background, foreground, mute_image) = (None, None, None);
        Self {
            border,
            border_color: Color(border_color),
            overlays,
            background,
            foreground,
            mute_image,
            mute_snapshot,
            blur_bars,
            fade_ms,
        }
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
            mute_snapshot: self.mute_snapshot,
            blur_bars: self.blur_bars,
            fade_ms: self.fade_ms,
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

fn fade_ms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let fade_ms = u16::deserialize(deserializer)?;
    if fade_ms > MAX_FADE_MS {
        return Err(serde::de::Error::custom(format!("a change takes at most {MAX_FADE_MS} ms")));
    }
    Ok(fade_ms)
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
            "background": "sea", "foreground": null, "mute_image": "mute-1", "mute_snapshot": true,
            "blur_bars": true, "fade_ms": 500,
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
            json!({"background": "#102030"}),
            json!({"mute_image": "../secret"}),
            json!({"fade_ms": 501}),
            json!({"frame": 1}),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
