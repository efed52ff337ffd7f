//! Params and results of room methods. `room_session_id` and `member_id` are not here: they have found the room and the
//! member before the rest is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::member::Member;
use super::number::Number;
use super::room::RoomSession;
use crate::grant::MediaAllowed;
use crate::level::{Sensitivity, Volume};

/// Params of methods that say everything by their name.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct NoParams {}

/// Params of methods that may be about all members at once.
#[derive(Clone, Debug, Deserialize)]
pub struct MemberParams {
    /// Whom; `all` is everybody.
    pub member_id: String,
}

/// `video.set_layout`.
#[derive(Clone, Debug, Deserialize)]
pub struct SetLayoutParams {
    /// Layout.
    pub name: String,
    /// Places asked for in the same step, by member.
    pub positions: Option<BTreeMap<String, String>>,
}

/// `video.set_position`.
#[derive(Clone, Debug, Deserialize)]
pub struct SetPositionParams {
    /// Places asked for, by member.
    pub positions: BTreeMap<String, String>,
}

/// `video.member.set_position`.
#[derive(Clone, Debug, Deserialize)]
pub struct MemberSetPositionParams {
    /// Where to.
    pub position: String,
}

/// `video.member.promote`.
#[derive(Clone, Debug, Deserialize)]
pub struct PromoteParams {
    /// Whom.
    pub member_id: String,
    /// Kinds of media; all, if absent.
    pub media_allowed: Option<MediaAllowed>,
    /// Starts with the microphone muted.
    pub join_audio_muted: Option<bool>,
    /// Starts with the camera muted.
    pub join_video_muted: Option<bool>,
    /// What it may do; what its token says, if absent.
    pub permissions: Option<Vec<String>>,
    /// The application's data, in place of the token's.
    pub meta: Option<Map<String, Value>>,
}

/// `video.member.demote`.
#[derive(Clone, Debug, Deserialize)]
pub struct DemoteParams {
    /// Whom.
    pub member_id: String,
    /// Kinds of media; all, if absent.
    pub media_allowed: Option<MediaAllowed>,
}

/// `video.prioritize_handraise`.
#[derive(Clone, Debug, Deserialize)]
pub struct PrioritizeHandraiseParams {
    /// On or off; absent means the other one.
    pub enable: Option<bool>,
}

/// `video.member.set_input_volume` and `video.member.set_output_volume`.
#[derive(Clone, Debug, Deserialize)]
pub struct VolumeParams {
    /// How loud.
    pub volume: Volume,
}

/// `video.member.set_input_sensitivity`.
#[derive(Clone, Debug, Deserialize)]
pub struct SensitivityParams {
    /// How sensitive.
    pub value: Sensitivity,
}

/// `set_meta` and `update_meta`.
#[derive(Clone, Debug, Deserialize)]
pub struct MetaParams {
    /// The application's data.
    pub meta: Map<String, Value>,
}

/// `delete_meta`.
#[derive(Clone, Debug, Deserialize)]
pub struct DeleteMetaParams {
    /// Which of it.
    pub keys: Vec<String>,
}

/// What is done to one recording.
#[derive(Clone, Debug, Deserialize)]
pub struct RecordingParams {
    /// Which.
    pub recording_id: String,
}

/// `video.playback.start`.
#[derive(Clone, Debug, Deserialize)]
pub struct PlaybackStartParams {
    /// What to play.
    pub url: String,
    /// How loud.
    pub volume: Option<Volume>,
    /// Who sits where meanwhile; `self` is the playback.
    pub positions: Option<BTreeMap<String, String>>,
    /// Layout meanwhile.
    pub layout: Option<String>,
    /// Where to begin, in milliseconds. SDKs of 3.0 spell it their own way.
    #[serde(alias = "seekPosition")]
    pub seek_position: Option<Number>,
}

/// What is done to one playback.
#[derive(Clone, Debug, Deserialize)]
pub struct PlaybackParams {
    /// Which.
    pub playback_id: String,
}

/// `video.playback.set_volume`.
#[derive(Clone, Debug, Deserialize)]
pub struct PlaybackVolumeParams {
    /// Which.
    pub playback_id: String,
    /// How loud.
    pub volume: Volume,
}

/// `video.playback.seek_absolute` and `video.playback.seek_relative`.
#[derive(Clone, Debug, Deserialize)]
pub struct PlaybackSeekParams {
    /// Which.
    pub playback_id: String,
    /// Where to, or how far, in milliseconds.
    pub position: Number,
}

/// `video.stream.start`.
#[derive(Clone, Debug, Deserialize)]
pub struct StreamStartParams {
    /// Where to.
    pub url: String,
}

/// What is done to one stream.
#[derive(Clone, Debug, Deserialize)]
pub struct StreamParams {
    /// Which.
    pub stream_id: String,
}

/// Result of methods that only do.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Done {}

/// `video.members.get`.
#[derive(Clone, Debug, Serialize)]
pub struct MembersResult {
    /// Everybody.
    pub members: Vec<Member>,
}

/// `video.list_available_layouts`.
#[derive(Clone, Debug, Serialize)]
pub struct LayoutsResult {
    /// Names.
    pub layouts: Vec<String>,
}

/// `video.layout.preview`, an extension of ours.
#[derive(Clone, Debug, Deserialize)]
pub struct LayoutPreviewParams {
    /// A layout that there is …
    pub name: Option<String>,
    /// … or one that is not kept.
    pub definition: Option<serde_json::Value>,
    /// So many members; without, those who are here.
    pub members: Option<u32>,
}

/// Result of `video.layout.preview`.
#[derive(Clone, Debug, Serialize)]
pub struct LayoutPreviewResult {
    /// What would be.
    pub layout: Previewed,
}

/// A layout that is not in force.
#[derive(Clone, Debug, Serialize)]
pub struct Previewed {
    /// Layout id.
    pub id: String,
    /// The same.
    pub name: String,
    /// As `video.layout.changed` tells them; members of a mere number are called 1, 2, 3 and on.
    pub layers: Vec<super::layout::Layer>,
}

/// `video.room.get`.
#[derive(Clone, Debug, Serialize)]
pub struct RoomResult {
    /// The session.
    pub room: Arc<RoomSession>,
}

/// `get_meta`.
#[derive(Clone, Debug, Serialize)]
pub struct MetaResult {
    /// The application's data.
    pub meta: Map<String, Value>,
}

/// `video.prioritize_handraise`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PrioritizeHandraiseResult {
    /// How it is now.
    pub prioritize_handraise: bool,
}

/// `video.playback.list`.
#[derive(Clone, Debug, Serialize)]
pub struct PlaybacksResult {
    /// Running ones.
    pub playbacks: Vec<Value>,
}

/// `video.stream.list`.
#[derive(Clone, Debug, Serialize)]
pub struct StreamsResult {
    /// Running ones.
    pub streams: Vec<Value>,
}
