//! `member`, in events and in `video.members.get`.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::ids::{MemberId, RoomId, RoomSessionId};
use crate::level::{Sensitivity, Volume};

/// A member as clients see it. Every field always present: SDKs do not check.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Member {
    /// Who.
    pub id: MemberId,
    /// Where; the realtime member object takes its session from here.
    pub room_session_id: RoomSessionId,
    /// Where.
    pub room_id: RoomId,
    /// Name.
    pub name: String,
    /// What kind.
    #[serde(rename = "type")]
    pub kind: MemberKind,
    /// The member a screen or device belongs to; empty for members.
    pub parent_id: String,
    /// Asked for.
    pub requested_position: String,
    /// Given.
    pub current_position: String,
    /// In the picture.
    pub visible: bool,
    /// Microphone.
    pub audio_muted: bool,
    /// Camera.
    pub video_muted: bool,
    /// Hears nothing.
    pub deaf: bool,
    /// Away for a while.
    pub on_hold: bool,
    /// Hand up.
    pub handraised: bool,
    /// −50 … 50.
    pub input_volume: Volume,
    /// −50 … 50.
    pub output_volume: Volume,
    /// 0 … 100.
    pub input_sensitivity: Sensitivity,
    /// The application's data.
    pub meta: Map<String, Value>,
    /// Speaking.
    pub talking: bool,
    /// What changed; only in `video.member.updated`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated: Option<Vec<&'static str>>,
}

/// `type` of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberKind {
    /// A person.
    Member,
    /// A screen share of a member.
    Screen,
    /// A further camera or microphone of a member.
    Device,
}

/// `member` of `video.member.talking`.
#[derive(Clone, Debug, Serialize)]
pub struct Talking {
    /// Who.
    pub id: MemberId,
    /// Where.
    pub room_session_id: RoomSessionId,
    /// Where.
    pub room_id: RoomId,
    /// Began or stopped.
    pub talking: bool,
}
