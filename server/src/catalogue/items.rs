//! What is stored by REST: rooms, conferences with their tokens, streams, layouts.

use control_api::{MemberAction, Permission};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::settings::Settings;
use crate::random;
use crate::storage::UnixMs;

/// When something was made and last changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dates {
    pub(crate) created: UnixMs,
    pub(crate) updated: UnixMs,
}

impl Dates {
    pub(crate) fn now() -> Self {
        let now = UnixMs::now();
        Self { created: now, updated: now }
    }

    pub(crate) fn changed(self) -> Self {
        Self { updated: UnixMs::now().max(self.updated), ..self }
    }
}

/// A room that exists whether it runs or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) dates: Dates,
    pub(crate) body: RoomBody,
}

/// What of a room can change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RoomBody {
    pub(crate) description: Option<String>,
    pub(crate) settings: Settings,
}

/// A room with a ready-made page, and tokens to enter it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conference {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) dates: Dates,
    pub(crate) body: ConferenceBody,
}

/// What of a conference can change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ConferenceBody {
    pub(crate) description: Option<String>,
    pub(crate) settings: Settings,
    pub(crate) size: ConferenceSize,
    pub(crate) enable_chat: bool,
    pub(crate) dark: Theme,
    pub(crate) light: Theme,
}

/// How many it is for; sets `max_members`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ConferenceSize {
    Small,
    #[default]
    Medium,
    Large,
}

/// Colours of its page, `#RRGGBB`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Theme {
    pub(crate) primary: String,
    pub(crate) background: String,
    pub(crate) foreground: String,
    pub(crate) success: String,
    pub(crate) negative: String,
}

/// What opens a conference: not a room token, but a secret that stands for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConferenceToken {
    pub(crate) id: Uuid,
    pub(crate) conference: Uuid,
    pub(crate) created: UnixMs,
    pub(crate) role: Role,
    /// `vpt_…`; REST shows it, so it is kept as it is.
    pub(crate) secret: String,
}

/// Who comes with a conference token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// May do everything.
    Moderator,
    /// May do what a room token allows that asks for nothing, and raise a hand.
    Guest,
}

/// Where a room is streamed to whenever it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    pub(crate) id: Uuid,
    /// The room's or the conference's.
    pub(crate) owner: Uuid,
    pub(crate) url: String,
    pub(crate) dates: Dates,
}

/// A layout that every room offers. Its name is what it is known by.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ProjectLayout {
    pub(crate) name: String,
    /// As it was sent.
    pub(crate) definition: Value,
    pub(crate) dates: Dates,
}

impl Default for ConferenceBody {
    fn default() -> Self {
        Self {
            description: None,
            settings: Settings::default(),
            size: ConferenceSize::default(),
            enable_chat: true,
            dark: Theme::default(),
            light: Theme::default(),
        }
    }
}

impl ConferenceSize {
    pub(crate) const ALL: [Self; 3] = [Self::Small, Self::Medium, Self::Large];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
        }
    }

    pub(crate) fn max_members(self) -> u32 {
        match self {
            Self::Small => 10,
            Self::Medium => 50,
            Self::Large => 300,
        }
    }
}

impl Default for Theme {
    fn default() -> Self {
        let colour = |text: &str| text.to_owned();
        Self {
            primary: colour("#044EF4"),
            background: colour("#FFFFFF"),
            foreground: colour("#1D2127"),
            success: colour("#17BB58"),
            negative: colour("#F42C50"),
        }
    }
}

impl Role {
    pub(crate) const ALL: [Self; 2] = [Self::Moderator, Self::Guest];

    /// Of the token, and of who comes with it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Moderator => "Moderator",
            Self::Guest => "Guest",
        }
    }

    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Names of its permissions.
    pub(crate) fn scopes(self) -> Vec<String> {
        let guest = [Permission::Own(MemberAction::RaiseHand), Permission::Own(MemberAction::LowerHand)];
        match self {
            Self::Moderator => Permission::all().map(|permission| permission.to_string()).collect(),
            Self::Guest => Permission::DEFAULT.iter().chain(&guest).map(ToString::to_string).collect(),
        }
    }
}

/// What every secret of a conference token begins with.
const SECRET_PREFIX: &str = "vpt_";

/// Random bytes of it.
const SECRET_BYTES: usize = 16;

impl ConferenceToken {
    pub(crate) fn new(conference: &Conference, role: Role) -> Self {
        let (id, created) = (Uuid::new_v4(), conference.dates.created);
        Self { id, conference: conference.id, created, role, secret: Self::new_secret() }
    }

    /// No room token begins so: those are JWTs.
    pub(crate) fn looks_like(token: &str) -> bool {
        token.starts_with(SECRET_PREFIX)
    }

    /// With another secret.
    pub(crate) fn reset(&self) -> Self {
        Self { secret: Self::new_secret(), ..self.clone() }
    }

    fn new_secret() -> String {
        format!("{SECRET_PREFIX}{}", random::hex(&random::bytes::<SECRET_BYTES>()))
    }
}
