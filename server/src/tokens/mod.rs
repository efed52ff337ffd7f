//! Video room tokens: who may join which room, as what, and until when.
//!
//! in:  what a caller asks for; a token that came with `signalwire.connect`; the time
//! out: a signed token (a JWT with header `typ: "VRT"`); its claims, or why it is not accepted
//!
//! The browser SDK reads the header's `ch` (our WebSocket address) and the claim `r`; the rest is ours.

mod key;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use control_api::{JoinAs, MediaAllowed};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(crate) use key::Key;

/// What the header of a room token says it is; `JWT` would switch off the browser's reattach.
const TYPE: &str = "VRT";

/// Tolerance for `exp`: the token may come from another machine with the same key.
const CLOCK_SKEW: Duration = Duration::from_secs(30);

/// Longest token that is looked at; a full one with every permission has about 2 kB.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// What a token grants, without its dates and number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    /// Room name.
    #[serde(rename = "r")]
    pub(crate) room: String,
    /// Room's display name, when the token makes the room.
    #[serde(rename = "rdn", default, skip_serializing_if = "Option::is_none")]
    pub(crate) room_display_name: Option<String>,
    /// Name of the member.
    #[serde(rename = "u", default)]
    pub(crate) user: String,
    /// Permissions, in the order they were asked for.
    #[serde(rename = "s", default)]
    pub(crate) permissions: Vec<String>,
    /// Member or audience.
    #[serde(rename = "ja", default)]
    pub(crate) join_as: JoinAs,
    /// Kinds of media.
    #[serde(rename = "ma", default)]
    pub(crate) media_allowed: MediaAllowed,
    /// Make the room when it does not run.
    #[serde(rename = "acr", default = "yes")]
    pub(crate) auto_create_room: bool,
    /// Joining is refused before this, unix seconds.
    #[serde(rename = "jf", default, skip_serializing_if = "Option::is_none")]
    pub(crate) join_from: Option<u64>,
    /// Joining is refused after this, unix seconds.
    #[serde(rename = "ju", default, skip_serializing_if = "Option::is_none")]
    pub(crate) join_until: Option<u64>,
    /// Put out at this time, unix seconds.
    #[serde(rename = "rat", default, skip_serializing_if = "Option::is_none")]
    pub(crate) remove_at: Option<u64>,
    /// Put out so many seconds after joining.
    #[serde(rename = "rse", default, skip_serializing_if = "Option::is_none")]
    pub(crate) remove_after_s: Option<u64>,
    /// Everybody is put out when this member leaves.
    #[serde(rename = "erl", default)]
    pub(crate) end_room_session_on_leave: bool,
    /// The application's data of the member.
    #[serde(rename = "m", default, skip_serializing_if = "Map::is_empty")]
    pub(crate) meta: Map<String, Value>,
    /// The application's data of the room, when the token makes it.
    #[serde(rename = "rm", default, skip_serializing_if = "Map::is_empty")]
    pub(crate) room_meta: Map<String, Value>,
    /// Join with the microphone muted.
    #[serde(rename = "jam", default)]
    pub(crate) join_audio_muted: bool,
    /// Join with the camera muted.
    #[serde(rename = "jvm", default)]
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
            meta: Map::new(),
            room_meta: Map::new(),
            join_audio_muted: false,
            join_video_muted: false,
        }
    }
}

fn yes() -> bool {
    true
}

/// The payload of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// Issued at, unix seconds.
    pub(crate) iat: u64,
    /// Not accepted after this, unix seconds.
    pub(crate) exp: u64,
    /// The token's own number.
    pub(crate) jti: String,
    /// The project.
    pub(crate) sub: String,
    #[serde(flatten)]
    pub(crate) grant: Grant,
}

/// Why a token is not accepted; for logs, never told to the one who sent it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("token is too long")]
    TooLong,
    #[error("token is not valid: {0}")]
    Invalid(#[from] jsonwebtoken::errors::Error),
    #[error("token is of type {0:?}, not {TYPE}")]
    WrongType(Option<String>),
    #[error("token names no room")]
    NoRoom,
}

/// Makes and checks the tokens of one project with one key.
pub(crate) struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    project: String,
    ttl: Duration,
}

impl Tokens {
    pub(crate) fn new(key: &Key, project: &str, ttl: Duration) -> Self {
        // The algorithm is ours, never the token's: `alg: none` and key confusion end here.
        let mut validation = Validation::new(Algorithm::HS512);
        validation.leeway = CLOCK_SKEW.as_secs();
        validation.sub = Some(project.to_owned());
        validation.set_required_spec_claims(&["exp", "sub"]);
        Self {
            encoding: EncodingKey::from_secret(key.bytes()),
            decoding: DecodingKey::from_secret(key.bytes()),
            validation,
            project: project.to_owned(),
            ttl,
        }
    }

    /// A signed token. `ws_url` becomes `ch`, which SDKs prefer over their `host` option.
    pub(crate) fn mint(&self, grant: Grant, ws_url: Option<&str>, now: SystemTime) -> String {
        let iat = unix_seconds(now);
        let claims = Claims {
            iat,
            exp: iat + self.ttl.as_secs(),
            jti: uuid::Uuid::new_v4().to_string(),
            sub: self.project.clone(),
            grant,
        };
        let mut header = Header { typ: Some(TYPE.to_owned()), ..Header::new(Algorithm::HS512) };
        header.extras.extend(ws_url.map(|url| ("ch".to_owned(), url.to_owned())));
        jsonwebtoken::encode(&header, &claims, &self.encoding)
            .expect("plain strings and numbers are JSON, and HS512 takes any key")
    }

    /// The claims of a token that is ours, of this project and not expired.
    pub(crate) fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong);
        }
        let token = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation)?;
        match token.header.typ.as_deref() {
            Some(TYPE) if token.claims.grant.room.is_empty() => Err(TokenError::NoRoom),
            Some(TYPE) => Ok(token.claims),
            _ => Err(TokenError::WrongType(token.header.typ)),
        }
    }
}

/// Whole seconds since 1970; 0 for a clock before it.
pub(crate) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
