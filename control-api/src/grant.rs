//! What a verified credential lets its holder do. The shell verifies; this crate believes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;

use crate::ids::ProjectId;
use crate::permission::{MemberAction, Permission, PermissionSet, RoomAction};

/// Who speaks in a session.
#[allow(clippy::large_enum_variant, reason = "one per session, behind an Arc")]
#[derive(Clone, Debug, PartialEq)]
pub enum Authority {
    /// A browser with a video room token: one room, one name, the listed permissions.
    Room(RoomGrant),
    /// A server of the project: everything in every room of it.
    Project(ProjectGrant),
}

/// The claims of a verified room token.
#[derive(Clone, Debug, PartialEq)]
pub struct RoomGrant {
    /// Whose room.
    pub project: ProjectId,
    /// Which room: payload `r`.
    pub room_name: Arc<str>,
    /// Shown in place of the name; the name itself when absent.
    pub room_display_name: Option<Arc<str>>,
    /// Payload `u`.
    pub user_name: Arc<str>,
    /// The permission list, same names and order as in the token: it comes back as `room.scopes`.
    pub scopes: Vec<String>,
    /// Member or audience.
    pub join_as: JoinAs,
    /// Kinds of media.
    pub media_allowed: MediaAllowed,
    /// Starts with the microphone muted.
    pub join_audio_muted: bool,
    /// Starts with the camera muted.
    pub join_video_muted: bool,
    /// No join before, unix seconds.
    pub join_from: Option<f64>,
    /// No join from then on, unix seconds.
    pub join_until: Option<f64>,
    /// Put out at that time, unix seconds.
    pub remove_at: Option<f64>,
    /// Put out so many seconds after joining.
    pub remove_after_s: Option<f64>,
    /// When this member leaves, everybody does.
    pub end_room_session_on_leave: bool,
    /// A room that this token makes has small pictures of itself.
    pub enable_room_previews: bool,
    /// Joining makes the room if there is none.
    pub auto_create_room: bool,
    /// The application's data of the member.
    pub meta: Map<String, Value>,
    /// The application's data of the room.
    pub room_meta: Map<String, Value>,
    /// End of the token, unix seconds.
    pub expires_at: Option<f64>,
}

/// A verified project with its API token.
#[derive(Clone, Debug, PartialEq)]
pub struct ProjectGrant {
    /// Which.
    pub project: ProjectId,
}

/// Token option `join_as`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinAs {
    /// Seen and heard.
    #[default]
    Member,
    /// Sees and hears.
    Audience,
}

/// Token option `media_allowed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MediaAllowed {
    /// Audio and video.
    #[default]
    All,
    /// No video either way.
    AudioOnly,
    /// No audio either way.
    VideoOnly,
}

/// What a promotion or demotion makes of a grant. It belongs to the session: neither a page loaded anew nor a fresh token
/// changes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Member or audience.
    pub join_as: JoinAs,
    /// Kinds of media.
    pub media_allowed: MediaAllowed,
    /// The permissions given; without, those of the token.
    pub scopes: Option<Vec<String>>,
    /// Starts with the microphone muted.
    pub join_audio_muted: bool,
    /// Starts with the camera muted.
    pub join_video_muted: bool,
    /// In place of the token's.
    pub meta: Option<Map<String, Value>>,
}

impl RoomGrant {
    /// This grant after a promotion or demotion. Whose token lists no permission, as audience's may, gets the usual ones.
    pub(crate) fn with(&self, standing: &Standing) -> Self {
        let usual = || Permission::DEFAULT.iter().map(ToString::to_string).collect();
        let own = || if self.scopes.is_empty() { usual() } else { self.scopes.clone() };
        Self {
            join_as: standing.join_as,
            media_allowed: standing.media_allowed,
            scopes: standing.scopes.clone().unwrap_or_else(own),
            join_audio_muted: standing.join_audio_muted,
            join_video_muted: standing.join_video_muted,
            meta: standing.meta.clone().unwrap_or_else(|| self.meta.clone()),
            ..self.clone()
        }
    }

    /// A grant with the defaults of a token request that names only project, room and user.
    #[must_use]
    pub fn new(project: ProjectId, room_name: impl Into<Arc<str>>, user_name: impl Into<Arc<str>>) -> Self {
        Self {
            project,
            room_name: room_name.into(),
            room_display_name: None,
            user_name: user_name.into(),
            scopes: Permission::DEFAULT.iter().map(ToString::to_string).collect(),
            join_as: JoinAs::Member,
            media_allowed: MediaAllowed::All,
            join_audio_muted: false,
            join_video_muted: false,
            join_from: None,
            join_until: None,
            remove_at: None,
            remove_after_s: None,
            end_room_session_on_leave: false,
            enable_room_previews: false,
            auto_create_room: true,
            meta: Map::new(),
            room_meta: Map::new(),
            expires_at: None,
        }
    }

    /// The room's name for people.
    #[must_use]
    pub fn display_name(&self) -> &Arc<str> {
        self.room_display_name.as_ref().unwrap_or(&self.room_name)
    }

    /// What the scopes allow; names nobody knows allow nothing, and audience may do nothing.
    #[must_use]
    pub fn permissions(&self) -> PermissionSet {
        match self.join_as {
            JoinAs::Member => self.scopes.iter().filter_map(|name| Permission::by_name(name)).collect(),
            JoinAs::Audience => PermissionSet::default(),
        }
    }

    /// Whether a new member may come in at that time.
    #[must_use]
    pub fn may_join_at(&self, unix_s: f64) -> bool {
        self.join_from.is_none_or(|from| unix_s >= from)
            && self.join_until.is_none_or(|until| unix_s < until)
            && self.remove_at.is_none_or(|end| unix_s < end)
            && self.expires_at.is_none_or(|end| unix_s < end)
    }
}

impl Authority {
    /// The tenant.
    #[must_use]
    pub fn project(&self) -> &ProjectId {
        match self {
            Self::Room(grant) => &grant.project,
            Self::Project(grant) => &grant.project,
        }
    }

    /// Whether a session of `self` may go on with `other`: same project, and for a room token same room and name.
    /// The shell asks this before it hands an existing session to a new socket.
    #[must_use]
    pub fn is_same_party(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Room(a), Self::Room(b)) => {
                a.project == b.project && a.room_name == b.room_name && a.user_name == b.user_name
            }
            (Self::Project(a), Self::Project(b)) => a.project == b.project,
            (Self::Room(_), Self::Project(_)) | (Self::Project(_), Self::Room(_)) => false,
        }
    }

    /// Whether `action` may be done to oneself or to somebody else.
    pub(crate) fn allows(&self, action: MemberAction, is_self: bool) -> bool {
        match self {
            Self::Room(grant) => grant.permissions().allows(action, is_self),
            Self::Project(_) => true,
        }
    }

    /// Whether `action` may be done to the room.
    pub(crate) fn allows_room(&self, action: RoomAction) -> bool {
        match self {
            Self::Room(grant) => grant.permissions().has(Permission::Room(action)),
            Self::Project(_) => true,
        }
    }
}
