//! `signalwire.connect`, `signalwire.reauthenticate`, `signalwire.subscribe`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::grant::{JoinAs, MediaAllowed, RoomGrant};

/// Params of `signalwire.connect`; what is not here (`version`, `contexts`) does not matter.
#[derive(Clone, Debug, Deserialize)]
pub struct ConnectParams {
    /// Who.
    pub authentication: Authentication,
    /// Which SDK, for the log.
    pub agent: Option<String>,
    /// The client will acknowledge events.
    pub event_acks: Option<bool>,
    /// The session to go on with.
    pub protocol: Option<String>,
    /// What the server gave the page to prove it.
    pub authorization_state: Option<String>,
}

/// Credentials: either the token, or the pair.
#[derive(Clone, Debug, Deserialize)]
pub struct Authentication {
    /// Browser: video room token. It may come with `project` (reauthenticate).
    pub jwt_token: Option<String>,
    /// Server: project id.
    pub project: Option<String>,
    /// Server: API token.
    pub token: Option<String>,
}

/// Params of `signalwire.reauthenticate`.
#[derive(Clone, Debug, Deserialize)]
pub struct ReauthenticateParams {
    /// The new token.
    pub authentication: Authentication,
}

/// Params of `signalwire.subscribe`.
#[derive(Clone, Debug, Deserialize)]
pub struct SubscribeParams {
    /// `video.rooms`, or a session's `event_channel`.
    pub event_channel: String,
    /// Names of events, the client's own ones among them.
    #[serde(default)]
    pub events: Vec<String>,
    /// Send `video.room.subscribed` at first.
    #[serde(default)]
    pub get_initial_state: bool,
}

/// Result of connect and reauthenticate.
#[derive(Clone, Debug, Serialize)]
pub struct ConnectResult {
    /// `<uuid>@<node>`.
    pub identity: String,
    /// Name of the session.
    pub protocol: String,
    /// What the client may do.
    pub authorization: Authorization,
    /// Empty unless TURN works: with any server here the SDK insists on reflexive candidates.
    pub ice_servers: Vec<IceServer>,
}

/// An RTCIceServer object with a working TURN server in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IceServer {
    /// `turn:` and `turns:` URLs.
    pub urls: Vec<String>,
    /// Whose allocation it will be, and until when.
    pub username: String,
    /// What proves it.
    pub credential: String,
}

/// The `authorization` block.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Authorization {
    /// Of a room token.
    Video(Box<VideoAuthorization>),
    /// Of a project.
    Project(ProjectAuthorization),
}

/// `authorization` of a realtime session.
#[derive(Clone, Debug, Serialize)]
pub struct ProjectAuthorization {
    /// Which project.
    pub project: String,
    /// Always `["video"]`.
    pub scopes: [&'static str; 1],
    /// Second part of `protocol`.
    pub signature: String,
    /// Never.
    pub expires_at: Option<f64>,
}

/// `authorization` of a room token.
#[derive(Clone, Debug, Serialize)]
pub struct VideoAuthorization {
    /// Always `video`: otherwise the browser skips its permission logic.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Which project.
    pub project: String,
    /// The same; echoed by reauthenticate.
    pub project_id: String,
    /// The project again: there are no spaces here.
    pub space_id: String,
    /// Always `["video"]`.
    pub scopes: [&'static str; 1],
    /// Of the session.
    pub scope_id: String,
    /// Of the session.
    pub resource: String,
    /// Member or audience.
    pub join_as: JoinAs,
    /// Name.
    pub user_name: String,
    /// Token option.
    pub join_from: Option<f64>,
    /// Token option.
    pub join_until: Option<f64>,
    /// Token option.
    pub remove_at: Option<f64>,
    /// Token option.
    pub remove_after_seconds_elapsed: Option<f64>,
    /// Token option.
    pub end_room_session_on_leave: bool,
    /// Token option.
    pub auto_create_room: bool,
    /// Token option.
    pub media_allowed: MediaAllowed,
    /// `both`, `receive` or `none`.
    pub audio_allowed: Allowed,
    /// `both`, `receive` or `none`.
    pub video_allowed: Allowed,
    /// The member's.
    pub meta: Map<String, Value>,
    /// What it may do there.
    pub room: RoomAuthorization,
    /// Second part of `protocol`.
    pub signature: String,
    /// End of the token, unix seconds; absent means no expiry logic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
}

/// `authorization.room`.
#[derive(Clone, Debug, Serialize)]
pub struct RoomAuthorization {
    /// Room name.
    pub name: String,
    /// For people.
    pub display_name: String,
    /// The token's permissions; empty for audience.
    pub scopes: Vec<String>,
    /// The room's.
    pub meta: Map<String, Value>,
    /// Token option.
    pub join_audio_muted: bool,
    /// Token option.
    pub join_video_muted: bool,
}

/// Directions of one kind of media.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Allowed {
    /// Send and receive.
    Both,
    /// Receive only.
    Receive,
    /// Send only: legs that came by WHIP. No `authorization` says so.
    Send,
    /// Neither.
    None,
}

impl VideoAuthorization {
    /// The block of a grant; `signature` and `session` (a UUID) name the session.
    #[must_use]
    pub fn of(grant: &RoomGrant, signature: &str, session: &str) -> Self {
        let (audio_allowed, video_allowed) = allowed(grant.join_as, grant.media_allowed);
        Self {
            kind: "video",
            project: grant.project.to_string(),
            project_id: grant.project.to_string(),
            space_id: grant.project.to_string(),
            scopes: ["video"],
            scope_id: session.to_owned(),
            resource: session.to_owned(),
            join_as: grant.join_as,
            user_name: grant.user_name.to_string(),
            join_from: grant.join_from,
            join_until: grant.join_until,
            remove_at: grant.remove_at,
            remove_after_seconds_elapsed: grant.remove_after_s,
            end_room_session_on_leave: grant.end_room_session_on_leave,
            auto_create_room: grant.auto_create_room,
            media_allowed: grant.media_allowed,
            audio_allowed,
            video_allowed,
            meta: grant.meta.clone(),
            room: RoomAuthorization {
                name: grant.room_name.to_string(),
                display_name: grant.display_name().to_string(),
                scopes: match grant.join_as {
                    JoinAs::Member => grant.scopes.clone(),
                    JoinAs::Audience => Vec::new(),
                },
                meta: grant.room_meta.clone(),
                join_audio_muted: grant.join_audio_muted,
                join_video_muted: grant.join_video_muted,
            },
            signature: signature.to_owned(),
            expires_at: grant.expires_at.map(whole_seconds),
        }
    }
}

impl Allowed {
    /// Whether the client may send.
    #[must_use]
    pub fn sends(self) -> bool {
        matches!(self, Self::Both | Self::Send)
    }

    /// Whether the client may receive.
    #[must_use]
    pub fn receives(self) -> bool {
        matches!(self, Self::Both | Self::Receive)
    }

    /// Of both directions, those that are allowed here and wanted.
    pub(crate) fn limited(self, sends: bool, receives: bool) -> Self {
        match (self.sends() && sends, self.receives() && receives) {
            (true, true) => Self::Both,
            (true, false) => Self::Send,
            (false, true) => Self::Receive,
            (false, false) => Self::None,
        }
    }
}

/// Audio and video of a kind of participant.
pub(crate) fn allowed(join_as: JoinAs, media: MediaAllowed) -> (Allowed, Allowed) {
    let most = match join_as {
        JoinAs::Member => Allowed::Both,
        JoinAs::Audience => Allowed::Receive,
    };
    match media {
        MediaAllowed::All => (most, most),
        MediaAllowed::AudioOnly => (most, Allowed::None),
        MediaAllowed::VideoOnly => (Allowed::None, most),
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates: far dates become the farthest"
)]
fn whole_seconds(unix_s: f64) -> u64 {
    unix_s.max(0.0) as u64
}
