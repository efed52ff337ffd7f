//! What a leg receives: the composed picture, or streams of their own for a client that draws by itself.
//!
//! in:  `dialogParams.receive` of an invite or `updateMedia`
//! out: a [`LegReceive`], or the name of the field that is wrong
//!
//! Every field is looked at and none is unknown: a client that misspells one would else receive something other than it
//! draws, and never learn why.

use serde_json::{Map, Value};

use crate::ids::MemberId;

/// Video slots of who does not say: the 3×3 grid.
const VIDEO_SLOTS: u8 = 9;
const MAX_VIDEO_SLOTS: u8 = 25;
/// Sound slots of who does not say: rarely do more than three speak at once.
const AUDIO_SLOTS: u8 = 3;
const MAX_AUDIO_SLOTS: u8 = 8;

/// What a leg receives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LegReceive {
    /// The composed picture and the mix.
    #[default]
    Canvas,
    /// The streams of members, for a client that draws the layout itself.
    Tiles {
        /// 1 to 25: recvonly video sections of its offer.
        video_slots: u8,
        /// How it hears the room.
        audio: TileAudio,
    },
    /// One member alone.
    Member(MemberId),
}

/// How a tile leg hears the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TileAudio {
    /// The mix without its own voice.
    Mix,
    /// So many top speakers, 1 to 8, each as a stream of its own.
    Slots(u8),
}

impl LegReceive {
    /// As a client writes it; else what is wrong, beginning with the field.
    pub(crate) fn read(value: &Value) -> Result<Self, String> {
        let fields = value.as_object().ok_or("receive must be an object")?;
        match fields.get("mode").and_then(Value::as_str) {
            Some("canvas") => {
                known(fields, &["mode"])?;
                Ok(Self::Canvas)
            }
            Some("tiles") => {
                known(fields, &["mode", "video_slots", "audio", "audio_slots"])?;
                let video_slots = number(fields, "video_slots", VIDEO_SLOTS, MAX_VIDEO_SLOTS)?;
                let audio_slots = number(fields, "audio_slots", AUDIO_SLOTS, MAX_AUDIO_SLOTS)?;
                let audio = match fields.get("audio").map(Value::as_str) {
                    None | Some(Some("mix")) => TileAudio::Mix,
                    Some(Some("slots")) => TileAudio::Slots(audio_slots),
                    Some(_) => return Err("receive.audio must be \"mix\" or \"slots\"".to_owned()),
                };
                Ok(Self::Tiles { video_slots, audio })
            }
            _ => Err("receive.mode must be \"canvas\" or \"tiles\"".to_owned()),
        }
    }

    pub(crate) fn is_tiles(&self) -> bool {
        matches!(self, Self::Tiles { .. })
    }
}

fn known(fields: &Map<String, Value>, names: &[&str]) -> Result<(), String> {
    match fields.keys().find(|name| !names.contains(&name.as_str())) {
        Some(name) => Err(format!("receive.{} is not known", name.chars().take(32).collect::<String>())),
        None => Ok(()),
    }
}

fn number(fields: &Map<String, Value>, name: &str, default: u8, most: u8) -> Result<u8, String> {
    let Some(value) = fields.get(name) else { return Ok(default) };
    let number = value.as_u64().and_then(|number| u8::try_from(number).ok());
    number
        .filter(|number| (1..=most).contains(number))
        .ok_or_else(|| format!("receive.{name} must be a whole number from 1 to {most}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tiles(video_slots: u8, audio: TileAudio) -> LegReceive {
        LegReceive::Tiles { video_slots, audio }
    }

    #[test]
    fn what_clients_may_write() {
        for (value, expected) in [
            (json!({"mode": "canvas"}), LegReceive::Canvas),
            (json!({"mode": "tiles"}), tiles(9, TileAudio::Mix)),
            (json!({"mode": "tiles", "video_slots": 1, "audio": "mix"}), tiles(1, TileAudio::Mix)),
            (json!({"mode": "tiles", "video_slots": 25, "audio": "slots"}), tiles(25, TileAudio::Slots(3))),
            (json!({"mode": "tiles", "audio": "slots", "audio_slots": 8}), tiles(9, TileAudio::Slots(8))),
            (json!({"mode": "tiles", "audio": "slots", "audio_slots": 1}), tiles(9, TileAudio::Slots(1))),
            (json!({"mode": "tiles", "audio": "mix", "audio_slots": 3}), tiles(9, TileAudio::Mix)),
        ] {
            assert_eq!(LegReceive::read(&value), Ok(expected), "{value}");
        }
    }

    #[test]
    fn anything_else_names_its_field() {
        for (value, field) in [
            (json!([]), "receive"),
            (json!("tiles"), "receive"),
            (json!({}), "receive.mode"),
            (json!({"mode": null}), "receive.mode"),
            (json!({"mode": "Tiles"}), "receive.mode"),
            (json!({"mode": "member"}), "receive.mode"),
            (json!({"mode": "canvas", "video_slots": 9}), "receive.video_slots"),
            (json!({"mode": "tiles", "video_slots": 0}), "receive.video_slots"),
            (json!({"mode": "tiles", "video_slots": 26}), "receive.video_slots"),
            (json!({"mode": "tiles", "video_slots": 265}), "receive.video_slots"),
            (json!({"mode": "tiles", "video_slots": -1}), "receive.video_slots"),
            (json!({"mode": "tiles", "video_slots": 1.5}), "receive.video_slots"),
            (json!({"mode": "tiles", "video_slots": "9"}), "receive.video_slots"),
            (json!({"mode": "tiles", "video_slots": null}), "receive.video_slots"),
            (json!({"mode": "tiles", "audio": "slot"}), "receive.audio"),
            (json!({"mode": "tiles", "audio": 3}), "receive.audio"),
            (json!({"mode": "tiles", "audio": null}), "receive.audio"),
            (json!({"mode": "tiles", "audio": "slots", "audio_slots": 0}), "receive.audio_slots"),
            (json!({"mode": "tiles", "audio": "slots", "audio_slots": 9}), "receive.audio_slots"),
            (json!({"mode": "tiles", "audio": "mix", "audio_slots": 99}), "receive.audio_slots"),
            (json!({"mode": "tiles", "slots": 9}), "receive.slots"),
        ] {
            let wrong = LegReceive::read(&value).expect_err(&value.to_string());
            let named = wrong.split_whitespace().next();
            assert_eq!(named, Some(field), "{value}: {wrong}");
        }
    }
}
