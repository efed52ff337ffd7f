//! How a room is set up: what REST stores, what a room session begins with, what its history tells.

use control_api::RoomSettings;
use layouts::{LayoutId, Options, Rules, Size, define_what_can_be};
use media_core::units::{VideoCodec, VideoCodecs};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::look::Look;
use super::sound::Sound;
use crate::config::RoomDefaults;

/// Of a stored room or conference, or of a room that a token made.
///
/// Kept as JSON: what a later version adds gets its default, what an earlier one does not know is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    /// For people; the room's name when nobody said otherwise.
    pub(crate) display_name: Option<String>,
    /// The next one is refused.
    pub(crate) max_members: u32,
    pub(crate) quality: Quality,
    /// Pictures a second.
    pub(crate) fps: u32,
    /// No join before, unix seconds.
    pub(crate) join_from: Option<u64>,
    /// No join from then on, unix seconds.
    pub(crate) join_until: Option<u64>,
    /// Everybody is put out at that time, unix seconds.
    pub(crate) remove_at: Option<u64>,
    /// Everybody is put out so many seconds after joining.
    pub(crate) remove_after_s: Option<u64>,
    /// Name of the layout to begin with; one that no longer exists counts as the default.
    pub(crate) layout: String,
    /// Definitions of layouts of its own.
    pub(crate) layouts: Vec<Value>,
    /// A recording starts with the session.
    pub(crate) record_on_start: bool,
    /// Everybody hears when a member comes or goes.
    pub(crate) tone_on_entry_and_exit: bool,
    /// Cameras are off at the door: by the room.
    pub(crate) room_join_video_off: bool,
    /// Cameras are off at the door: by each member.
    pub(crate) user_join_video_off: bool,
    /// A small moving picture of the room is made.
    pub(crate) enable_room_previews: bool,
    /// Accepted for applications of the hosted service; sound and picture are always in step here.
    pub(crate) sync_audio_video: Option<bool>,
    /// The application's data.
    pub(crate) meta: Map<String, Value>,
    /// Raised hands come first from the beginning.
    pub(crate) prioritize_handraise: bool,
    /// Members without video leave the canvas.
    pub(crate) video_required_for_canvas: bool,
    pub(crate) placement: Placement,
    pub(crate) look: Look,
    pub(crate) sound: Sound,
    /// What members may send and get.
    #[serde(with = "codec_names")]
    pub(crate) video_codecs: VideoCodecs,
}

/// What a room session began with: its history tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Opening {
    #[serde(default)]
    pub(crate) origin: Origin,
    #[serde(flatten)]
    pub(crate) settings: Settings,
}

/// What a room session is a run of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Origin {
    /// A room that is stored.
    Room,
    /// A conference.
    Conference,
    /// A room that lives as long as somebody is in it.
    #[default]
    Token,
}

impl Opening {
    /// As history keeps it.
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("names, numbers and text are JSON")
    }

    /// What history kept; what cannot be read, of another version, counts as the default.
    pub(crate) fn of(kept: &Map<String, Value>) -> Self {
        serde_json::from_value(Value::Object(kept.clone())).unwrap_or_default()
    }
}

/// Where placement departs from its usual ways, by names of our own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Placement {
    /// Who comes after a slot that is left moves up.
    pub(crate) compact: bool,
    /// One member alone stays in the large slot of `highlight-1-responsive`.
    pub(crate) solo_stays: bool,
    /// The place of screens stays empty without a screen.
    pub(crate) screen_alone: bool,
}

impl Placement {
    fn options(self) -> Options {
        let Self { compact, solo_stays, screen_alone } = self;
        Options { compact, solo_stays, screen_alone, ..Options::default() }
    }
}

/// Size of the canvas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Quality {
    #[default]
    #[serde(rename = "720p")]
    P720,
    #[serde(rename = "1080p")]
    P1080,
}

impl Quality {
    pub(crate) const ALL: [Self; 2] = [Self::P720, Self::P1080];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::P720 => "720p",
            Self::P1080 => "1080p",
        }
    }

    pub(crate) fn canvas(self) -> Size {
        match self {
            Self::P720 => Size { width: 1280, height: 720 },
            Self::P1080 => Size { width: 1920, height: 1080 },
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            display_name: None,
            max_members: 20,
            quality: Quality::P720,
            fps: 20,
            join_from: None,
            join_until: None,
            remove_at: None,
            remove_after_s: None,
            layout: LayoutId::GRID_RESPONSIVE.name().to_owned(),
            layouts: Vec::new(),
            record_on_start: false,
            tone_on_entry_and_exit: false,
            room_join_video_off: false,
            user_join_video_off: false,
            enable_room_previews: false,
            sync_audio_video: None,
            meta: Map::new(),
            prioritize_handraise: false,
            video_required_for_canvas: false,
            placement: Placement::default(),
            look: Look::default(),
            sound: Sound::default(),
            video_codecs: VideoCodecs::default(),
        }
    }
}

impl Settings {
    /// Of a room that nobody stored: what the configuration says. Its canvas may have any size; the nearer name counts.
    pub(crate) fn of_defaults(defaults: &RoomDefaults) -> Self {
        let large = defaults.canvas.height > Quality::P720.canvas().height;
        Self {
            max_members: u32::try_from(defaults.max_members).unwrap_or(u32::MAX),
            quality: if large { Quality::P1080 } else { Quality::P720 },
            fps: defaults.fps,
            video_codecs: defaults.video_codecs,
            look: defaults.look.clone(),
            sound: defaults.sound,
            ..Self::default()
        }
    }

    /// Its own layouts, then those of the project that none of its own has the name of.
    pub(crate) fn layouts(&self, project: &[LayoutId]) -> Vec<LayoutId> {
        let mut layouts = define_what_can_be(&self.layouts, project);
        let is_hidden = |layout: &&LayoutId| layouts.iter().any(|own| own.name() == layout.name());
        let shown: Vec<LayoutId> = project.iter().filter(|layout| !is_hidden(layout)).cloned().collect();
        layouts.extend(shown);
        layouts
    }

    /// What the room session needs to know. `project`: the layouts that all its rooms offer.
    pub(crate) fn act(&self, canvas: Size, project: &[LayoutId]) -> RoomSettings {
        let layouts = self.layouts(project);
        RoomSettings {
            layout: LayoutId::find(&self.layout, &layouts).unwrap_or(LayoutId::GRID_RESPONSIVE),
            layouts,
            canvas,
            max_members: self.max_members as usize,
            meta: self.meta.clone(),
            join_from: self.join_from.map(seconds),
            join_until: self.join_until.map(seconds),
            remove_at: self.remove_at.map(seconds),
            remove_after_s: self.remove_after_s.map(seconds),
            // One turns off what the room shows at the door, the other what a member sends. Here a member who
            // comes without its camera is both at once, and its own unmute ends both.
            join_video_off: self.room_join_video_off || self.user_join_video_off,
            tone_on_entry_and_exit: self.tone_on_entry_and_exit,
            prioritize_handraise: self.prioritize_handraise,
            record_on_start: self.record_on_start,
            rules: Rules {
                video_required: self.video_required_for_canvas,
                options: self.placement.options(),
            },
            look: self.look.act(),
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "seconds are exact for 285 million years")]
fn seconds(whole: u64) -> f64 {
    whole as f64
}

/// Codecs by their names, the most wanted first; says what is wrong with the list.
pub(crate) fn video_codecs<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<VideoCodecs, String> {
    let known = || VideoCodec::ALL.map(VideoCodec::name).join(", ");
    let mut codecs = Vec::new();
    for name in names {
        let codec = VideoCodec::by_name(name).ok_or_else(|| format!("{name:?} is not one of {}", known()))?;
        if codecs.contains(&codec) {
            return Err(format!("{name} is there twice"));
        }
        codecs.push(codec);
    }
    if codecs.iter().any(|codec| codec.is_encoded_here()) {
        Ok(codecs.into_iter().collect())
    } else {
        Err("needs h264 or vp8: the composed picture is encoded in one of them".to_owned())
    }
}

/// Codecs are kept by their names; a list that cannot be used becomes the default.
mod codec_names {
    use media_core::units::VideoCodecs;
    use serde::{Deserialize, Deserializer, Serializer};

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
    pub(super) fn serialize<S: Serializer>(codecs: &VideoCodecs, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(codecs.iter().map(|codec| codec.name()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<VideoCodecs, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        Ok(super::video_codecs(names.iter().map(String::as_str)).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_kept_comes_back() {
        let settings = Settings {
            display_name: Some("Lounge".into()),
            quality: Quality::P1080,
            fps: 30,
            join_from: Some(7),
            layout: "3x3".into(),
            video_codecs: video_codecs(["vp8", "vp9"]).unwrap(),
            meta: json!({"a": [1]}).as_object().unwrap().clone(),
            ..Settings::default()
        };
        let text = serde_json::to_string(&settings).unwrap();
        assert!(text.contains(r#""quality":"1080p""#) && text.contains(r#""layout":"3x3""#), "{text}");
        assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), settings);
    }

    #[test]
    fn history_keeps_what_a_session_began_with() {
        let opening = Opening { origin: Origin::Conference, settings: Settings::default() };
        let text = opening.to_json();
        assert!(text.contains(r#""origin":"conference""#), "{text}");
        assert_eq!(Opening::of(&serde_json::from_str(&text).unwrap()), opening);
        let unreadable = json!({"max_members": "many"});
        for kept in [json!({}), unreadable] {
            assert_eq!(Opening::of(kept.as_object().unwrap()), Opening::default());
        }
    }

    #[test]
    fn other_versions_are_read() {
        let read = |value: Value| serde_json::from_value::<Settings>(value).unwrap();
        assert_eq!(read(json!({})), Settings::default());
        assert_eq!(read(json!({"of_tomorrow": 1})), Settings::default());
        assert_eq!(read(json!({"video_codecs": ["vp8", "of_tomorrow"]})), Settings::default());
    }

    #[test]
    fn own_layouts_come_first_and_a_name_that_means_nothing_is_the_default() {
        let slots = json!([{"position": "standard-1", "x": 0, "y": 0, "w": 180, "h": 180}]);
        let news = json!({"name": "news", "slots": slots});
        let project = layouts::define_all(
            &[
                json!({"name": "news", "title": "of all", "slots": slots}),
                json!({"name": "talk", "slots": slots}),
            ],
            &[],
        )
        .unwrap();
        let unreadable = json!({"name": "old", "slots": 7});
        let act = |layout: &str| {
            let layouts = vec![unreadable.clone(), news.clone()];
            let settings = Settings { layout: layout.into(), layouts, ..Settings::default() };
            settings.act(Quality::P720.canvas(), &project)
        };
        let settings = act("news");
        assert_eq!(settings.layout.definition(), Some(&news), "its own, not that of all");
        let names: Vec<_> = settings.layouts.iter().map(LayoutId::name).collect();
        assert_eq!(names, ["news", "talk"]);
        assert_eq!(act("talk").layout, project[1]);
        assert_eq!(act("gone").layout, LayoutId::GRID_RESPONSIVE);
    }

    #[test]
    fn a_list_of_codecs_can_be_used_or_says_why_not() {
        let check = |names: &[&str], expected: Result<&[VideoCodec], &str>| {
            let got = video_codecs(names.iter().copied()).map(|codecs| codecs.iter().collect::<Vec<_>>());
            assert_eq!(got.as_deref().map_err(String::as_str), expected, "{names:?}");
        };
        check(&["h264", "vp8"], Ok(&[VideoCodec::H264, VideoCodec::Vp8]));
        check(&["av1", "vp8", "vp9"], Ok(&[VideoCodec::Av1, VideoCodec::Vp8, VideoCodec::Vp9]));
        check(&["vp8", "vp8"], Err("vp8 is there twice"));
        check(&["h265"], Err("\"h265\" is not one of h264, vp8, vp9, av1"));
        for none in [&[][..], &["av1", "vp9"]] {
            check(none, Err("needs h264 or vp8: the composed picture is encoded in one of them"));
        }
    }

    #[test]
    fn either_rule_turns_cameras_off() {
        for (room, user) in [(false, false), (true, false), (false, true), (true, true)] {
            let settings =
                Settings { room_join_video_off: room, user_join_video_off: user, ..Settings::default() };
            assert_eq!(settings.act(Quality::P720.canvas(), &[]).join_video_off, room || user);
        }
    }

    #[test]
    fn a_room_of_the_configuration_is_named_by_its_nearest_quality() {
        for (height, quality) in [(360, Quality::P720), (720, Quality::P720), (1080, Quality::P1080)] {
            let canvas = Size { width: height * 16 / 9, height };
            let video_codecs = [VideoCodec::Vp8, VideoCodec::Av1].into_iter().collect();
            let look = serde_json::from_value::<Look>(json!({"border": 4})).unwrap();
            let sound = Sound { stereo: true, ..Sound::default() };
            let defaults =
                RoomDefaults { canvas, fps: 25, max_members: 300, video_codecs, look: look.clone(), sound };
            let settings = Settings::of_defaults(&defaults);
            assert_eq!((settings.video_codecs, &settings.look), (video_codecs, &look));
            assert_eq!(settings.sound, sound);
            assert_eq!((settings.quality, settings.fps, settings.max_members), (quality, 25, 300));
        }
    }
}
