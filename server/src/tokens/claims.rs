//! What a token says.
//!
//! in:  the JSON of a payload, once its signature is known to be good
//! out: [`Claims`] whose every field means something
//!
//! The browser SDK reads `r`; the names of the hosted product's other claims are kept, the rest are ours.

use control_api::{JoinAs, MediaAllowed};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::TokenError;

/// Longest name of a member; REST grants no longer ones.
const MAX_NAME: usize = 100;

/// Longest display name of a room, likewise.
const MAX_DISPLAY_NAME: usize = 200;

/// What a token grants, without its dates and number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    /// Room name.
    pub(crate) room: String,
    /// Room's display name, when the token makes the room.
    pub(crate) room_display_name: Option<String>,
    /// Name of the member.
    pub(crate) user: String,
    /// Permissions, in the order they were asked for.
    pub(crate) permissions: Vec<String>,
    /// Member or audience.
    pub(crate) join_as: JoinAs,
    /// Kinds of media.
    pub(crate) media_allowed: MediaAllowed,
    /// Make the room when it does not run.
    pub(crate) auto_create_room: bool,
    /// Joining is refused before this, unix seconds.
    pub(crate) join_from: Option<u64>,
    /// Joining is refused after this, unix seconds.
    pub(crate) join_until: Option<u64>,
    /// Put out at this time, unix seconds.
    pub(crate) remove_at: Option<u64>,
    /// Put out so many seconds after joining.
    pub(crate) remove_after_s: Option<u64>,
    /// Everybody is put out when this member leaves.
    pub(crate) end_room_session_on_leave: bool,
    /// A room that it makes has small pictures of itself.
    pub(crate) enable_room_previews: bool,
    /// The application's data of the member.
    pub(crate) meta: Map<String, Value>,
    /// The application's data of the room, when the token makes it.
    pub(crate) room_meta: Map<String, Value>,
    /// Join with the microphone muted.
    pub(crate) join_audio_muted: bool,
    /// Join with the camera muted.
    pub(crate) join_video_muted: bool,
}

impl Grant {
    /// What the least token gives: the room is made when needed, nothing is muted.
    pub(crate) fn new(room: String, user: String, permissions: Vec<String>) -> Self {
        Self {
            room,
            room_display_name: None,
            user,
            permissions,
            join_as: JoinAs::Member,
            media_allowed: MediaAllowed::All,
            auto_create_room: true,
            join_from: None,
            join_until: None,
            remove_at: None,
            remove_after_s: None,
            end_room_session_on_leave: false,
            enable_room_previews: false,
            meta: Map::new(),
            room_meta: Map::new(),
            join_audio_muted: false,
            join_video_muted: false,
        }
    }
}

/// The content of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claims {
    /// Issued at, unix seconds.
    pub(crate) issued_at: u64,
    /// Not accepted before this, unix seconds.
    pub(crate) not_before: Option<u64>,
    /// Not accepted after this, unix seconds.
    pub(crate) expires_at: u64,
    /// The token's own number.
    pub(crate) id: String,
    pub(crate) project: String,
    pub(crate) grant: Grant,
}

/// [`Claims`] as they are written. One flat struct: so a claim that is there twice is an error, and one of a wrong type is
/// named.
#[derive(Serialize, Deserialize)]
struct Payload {
    iat: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<u64>,
    exp: u64,
    #[serde(default)]
    jti: String,
    sub: String,
    r: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rdn: Option<String>,
    #[serde(default)]
    u: String,
    #[serde(default)]
    s: Vec<String>,
    #[serde(default)]
    ja: JoinAs,
    #[serde(default)]
    ma: MediaAllowed,
    #[serde(default = "yes")]
    acr: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jf: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ju: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rat: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rse: Option<u64>,
    #[serde(default)]
    erl: bool,
    #[serde(default)]
    erp: bool,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    m: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    rm: Map<String, Value>,
    #[serde(default)]
    jam: bool,
    #[serde(default)]
    jvm: bool,
}

fn yes() -> bool {
    true
}

impl Claims {
    /// Reads a payload; `leeway_s` is the tolerance for clocks that disagree.
    pub(super) fn parse(payload: &[u8], now: u64, leeway_s: u64) -> Result<Self, TokenError> {
        let mut reader = serde_json::Deserializer::from_slice(payload);
        let payload: Payload = serde_path_to_error::deserialize(&mut reader)
            .map_err(|error| TokenError::Claim(error.path().to_string(), error.into_inner()))?;
        reader.end().map_err(|error| TokenError::Claim(".".to_owned(), error))?;
        let claims = Self::from(payload);
        claims.are_timely(now, leeway_s)?;
        match claims.grant.misnamed() {
            Some(claim) => Err(TokenError::Name(claim)),
            None => Ok(claims),
        }
    }

    fn are_timely(&self, now: u64, leeway_s: u64) -> Result<(), TokenError> {
        let latest = now.saturating_add(leeway_s);
        if self.expires_at <= self.issued_at {
            Err(TokenError::Dates("exp is not after iat"))
        } else if self.expires_at.saturating_add(leeway_s) <= now {
            Err(TokenError::Dates("it has expired"))
        } else if self.issued_at > latest {
            Err(TokenError::Dates("iat is in the future"))
        } else if self.not_before.is_some_and(|from| from > latest) {
            Err(TokenError::Dates("nbf is in the future"))
        } else {
            Ok(())
        }
    }

    pub(super) fn to_payload(&self) -> impl Serialize + use<> {
        Payload::from(self.clone())
    }
}

impl Grant {
    /// The claim that is no name, as REST understands names: tokens may come from elsewhere with the same key.
    pub(crate) fn misnamed(&self) -> Option<&'static str> {
        let is_name =
            |name: &str, max: usize| name.chars().count() <= max && !name.chars().any(char::is_control);
        if crate::http::check_room_name(&self.room).is_err() {
            Some("r")
        } else if !is_name(&self.user, MAX_NAME) {
            Some("u")
        } else if !self.room_display_name.as_deref().is_none_or(|name| is_name(name, MAX_DISPLAY_NAME)) {
            Some("rdn")
        } else {
            None
        }
    }
}

impl From<Payload> for Claims {
    fn from(payload: Payload) -> Self {
        let Payload { iat, nbf, exp, jti, sub, .. } = payload;
        let grant = Grant {
            room: payload.r,
            room_display_name: payload.rdn,
            user: payload.u,
            permissions: payload.s,
            join_as: payload.ja,
            media_allowed: payload.ma,
            auto_create_room: payload.acr,
            join_from: payload.jf,
            join_until: payload.ju,
            remove_at: payload.rat,
            remove_after_s: payload.rse,
            end_room_session_on_leave: payload.erl,
            enable_room_previews: payload.erp,
            meta: payload.m,
            room_meta: payload.rm,
            join_audio_muted: payload.jam,
            join_video_muted: payload.jvm,
        };
        Self { issued_at: iat, not_before: nbf, expires_at: exp, id: jti, project: sub, grant }
    }
}

impl From<Claims> for Payload {
    fn from(claims: Claims) -> Self {
        let Claims { issued_at, not_before, expires_at, id, project, grant } = claims;
        Self {
            iat: issued_at,
            nbf: not_before,
            exp: expires_at,
            jti: id,
            sub: project,
            r: grant.room,
            rdn: grant.room_display_name,
            u: grant.user,
            s: grant.permissions,
            ja: grant.join_as,
            ma: grant.media_allowed,
            acr: grant.auto_create_room,
            jf: grant.join_from,
            ju: grant.join_until,
            rat: grant.remove_at,
            rse: grant.remove_after_s,
            erl: grant.end_room_session_on_leave,
            erp: grant.enable_room_previews,
            m: grant.meta,
            rm: grant.room_meta,
            jam: grant.join_audio_muted,
            jvm: grant.join_video_muted,
        }
    }
}
