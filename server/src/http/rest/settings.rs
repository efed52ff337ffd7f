//! The attributes that rooms and conferences share: how they are read, how they are shown.

use layouts::{LayoutId, define_all};
use media_core::units::{VideoCodec, VideoCodecs};
use serde_json::{Value, json};

use super::attributes::Attributes;
use super::values::{MAX_DISPLAY_NAME, date, flag, layout, line, meta, moment, one_of, stay, text, whole};
use crate::catalogue::{Look, Placement, Quality, Settings, Sound, video_codecs};

/// Longest description.
const MAX_DESCRIPTION: usize = 3000;

/// Most members of a room.
const MAX_MEMBERS: u64 = 300;

pub(super) fn describe(attributes: &mut Attributes, description: &mut Option<String>) {
    attributes.set_optional("description", description, text(MAX_DESCRIPTION));
}

/// What only rooms have.
pub(super) fn limit(attributes: &mut Attributes, to: &mut Settings) {
    let default = Settings::default();
    let mut max_members = u64::from(to.max_members);
    attributes.set("max_members", &mut max_members, default.max_members.into(), whole(1..=MAX_MEMBERS));
    to.max_members = u32::try_from(max_members).unwrap_or(default.max_members);
    attributes.set_optional("remove_at", &mut to.remove_at, moment);
    attributes.set_optional("remove_after_seconds_elapsed", &mut to.remove_after_s, stay);
    attributes.set_optional("sync_audio_video", &mut to.sync_audio_video, flag);
    attributes.set("prioritize_handraise", &mut to.prioritize_handraise, default.prioritize_handraise, flag);
}

/// What rooms and conferences have.
pub(super) fn read(attributes: &mut Attributes, to: &mut Settings, project: &[LayoutId]) {
    let default = Settings::default();
    attributes.set_optional("display_name", &mut to.display_name, line(MAX_DISPLAY_NAME));
    attributes.set("quality", &mut to.quality, default.quality, one_of(Quality::ALL, Quality::name));
    attributes.set("fps", &mut to.fps, default.fps, fps);
    attributes.set_optional("join_from", &mut to.join_from, moment);
    attributes.set_optional("join_until", &mut to.join_until, moment);
    attributes.set("layouts", &mut to.layouts, default.layouts, |value| definitions(value, project));
    let layouts = to.layouts(project);
    attributes.set("layout", &mut to.layout, default.layout, |value| layout(&value, &layouts));
    attributes.set("meta", &mut to.meta, default.meta, meta);
    attributes.set("placement", &mut to.placement, default.placement, placement);
    attributes.set("look", &mut to.look, default.look, look);
    attributes.set("sound", &mut to.sound, default.sound, sound);
    attributes.set("video_codecs", &mut to.video_codecs, default.video_codecs, codecs);
    for (name, place) in [
        ("video_required_for_canvas", &mut to.video_required_for_canvas),
        ("record_on_start", &mut to.record_on_start),
        ("tone_on_entry_and_exit", &mut to.tone_on_entry_and_exit),
        ("room_join_video_off", &mut to.room_join_video_off),
        ("user_join_video_off", &mut to.user_join_video_off),
        ("enable_room_previews", &mut to.enable_room_previews),
    ] {
        attributes.set(name, place, false, flag);
    }
    attributes.check_window(to.join_from, to.join_until);
}

fn definitions(value: Value, project: &[LayoutId]) -> Result<Vec<Value>, String> {
    let Value::Array(definitions) = value else { return Err("must be a list of layouts".to_owned()) };
    define_all(&definitions, project).map_err(|refusal| format!("are refused: {refusal}"))?;
    Ok(definitions)
}

fn placement(value: Value) -> Result<Placement, String> {
    serde_json::from_value(value).map_err(|error| format!("must be an object of flags: {error}"))
}

fn sound(value: Value) -> Result<Sound, String> {
    serde_json::from_value(value).map_err(|error| format!("must be an object of flags: {error}"))
}

fn look(value: Value) -> Result<Look, String> {
    serde_json::from_value(value).map_err(|error| format!("must be what a look may have: {error}"))
}

fn codecs(value: Value) -> Result<VideoCodecs, String> {
    let Value::Array(names) = value else { return Err("must be a list of codecs".to_owned()) };
    let names: Option<Vec<&str>> = names.iter().map(Value::as_str).collect();
    video_codecs(names.ok_or("must be a list of names")?)
        .map_err(|reason| format!("must be usable: {reason}"))
}

fn fps(value: Value) -> Result<u32, String> {
    match value.as_u64() {
        Some(20) => Ok(20),
        Some(30) => Ok(30),
        Some(_) | None => Err("must be 20 or 30".to_owned()),
    }
}

/// What rooms, conferences and sessions show of it. `name` is shown for people when nothing else is.
pub(super) fn show(settings: &Settings, name: &str) -> Value {
    json!({
        "display_name": settings.display_name.as_deref().unwrap_or(name),
        "quality": settings.quality.name(),
        "fps": settings.fps,
        "join_from": date(settings.join_from),
        "join_until": date(settings.join_until),
        "layout": settings.layout,
        "video_codecs": settings.video_codecs.iter().map(VideoCodec::name).collect::<Vec<_>>(),
        "record_on_start": settings.record_on_start,
        "tone_on_entry_and_exit": settings.tone_on_entry_and_exit,
        "room_join_video_off": settings.room_join_video_off,
        "user_join_video_off": settings.user_join_video_off,
        "enable_room_previews": settings.enable_room_previews,
    })
}

/// What only rooms and sessions show.
pub(super) fn show_limits(settings: &Settings) -> Value {
    json!({
        "max_members": settings.max_members,
        "remove_at": date(settings.remove_at),
        "remove_after_seconds_elapsed": settings.remove_after_s,
        "sync_audio_video": settings.sync_audio_video,
        "prioritize_handraise": settings.prioritize_handraise,
    })
}

/// One object of the fields of several.
pub(super) fn joined(objects: impl IntoIterator<Item = Value>) -> Value {
    let fields = objects.into_iter().filter_map(|object| match object {
        Value::Object(fields) => Some(fields),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    });
    Value::Object(fields.flatten().collect())
}
