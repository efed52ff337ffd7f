//! `room_session` and its twin `room`, and the envelope of events.

use serde::Serialize;
use serde_json::{Map, Value};

use super::connect::Authorization;
use super::member::Member;
use super::recording::Recording;
use crate::ids::{MemberId, ProjectId, RoomId, RoomSessionId};

/// A room session as clients see it. Booleans are never missing: SDKs compare with `true` and `false`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RoomSession {
    /// Of the session.
    pub id: RoomSessionId,
    /// The same: where the twin `room` has it.
    pub room_session_id: RoomSessionId,
    /// Of the room.
    pub room_id: RoomId,
    /// What to subscribe to.
    pub event_channel: String,
    /// Room name.
    pub name: String,
    /// For people.
    pub display_name: String,
    /// Layout as it was set.
    pub layout_name: String,
    /// Being recorded.
    pub recording: bool,
    /// Being streamed.
    pub streaming: bool,
    /// Nobody comes in.
    pub locked: bool,
    /// Muted cameras leave the canvas.
    pub hide_video_muted: bool,
    /// Raised hands first.
    pub prioritize_handraise: bool,
    /// Small moving picture of the room.
    pub preview_url: Option<String>,
    /// The application's data.
    pub meta: Map<String, Value>,
    /// Listeners.
    pub audience_count: usize,
    /// Everybody.
    pub members: Vec<Member>,
    /// Running ones.
    pub recordings: Vec<Recording>,
    /// Running ones.
    pub playbacks: Vec<Value>,
    /// Running ones.
    pub streams: Vec<Value>,
    /// What changed; only in `video.room.updated`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated: Option<Vec<&'static str>>,
}

/// The `params` of `signalwire.event`.
#[derive(Clone, Debug, Serialize)]
pub struct EventParams<'a, P> {
    /// Name.
    pub event_type: &'a str,
    /// Whose.
    pub event_channel: &'a str,
    /// Unix seconds.
    pub timestamp: f64,
    /// Tenant.
    pub project_id: &'a ProjectId,
    /// Which server; browsers echo it in calls about a leg.
    pub node_id: &'a str,
    /// The event itself.
    pub params: P,
}

/// Fields every room event has, before its own.
#[derive(Clone, Debug, Serialize)]
pub struct RoomEvent<'a, P> {
    /// Where.
    pub room_id: &'a RoomId,
    /// Where.
    pub room_session_id: &'a RoomSessionId,
    /// What.
    #[serde(flatten)]
    pub body: P,
}

/// `video.room.started`, `updated`, `ended`: both objects, same content.
#[derive(Clone, Debug, Serialize)]
pub struct RoomBody<'a> {
    /// For current SDKs.
    pub room_session: &'a RoomSession,
    /// For older ones.
    pub room: &'a RoomSession,
}

/// `video.room.subscribed`.
#[derive(Clone, Debug, Serialize)]
pub struct SubscribedBody<'a> {
    /// For current SDKs.
    pub room_session: &'a RoomSession,
    /// For older ones.
    pub room: &'a RoomSession,
    /// The leg that joined; empty for realtime.
    pub call_id: &'a str,
    /// The member that joined; empty for realtime.
    pub member_id: &'a str,
}

/// `video.member.*`.
#[derive(Clone, Debug, Serialize)]
pub struct MemberBody<M> {
    /// Whom it is about.
    pub member: M,
}

/// `video.member.promoted`, `demoted`.
#[derive(Clone, Debug, Serialize)]
pub struct RoleBody<'a> {
    /// Who.
    pub member_id: &'a MemberId,
    /// What it may do from now on: the whole block, as at connect.
    pub authorization: Authorization,
}

/// `video.room.audience_count`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct AudienceCountBody {
    /// Listeners.
    pub total: usize,
}

/// `video.layout.changed`.
#[derive(Clone, Debug, Serialize)]
pub struct LayoutBody {
    /// The arrangement.
    pub layout: super::layout::Layout,
}
