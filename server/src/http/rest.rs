//! REST: room tokens, for the project and for the demo page.
//!
//! in:  `POST /api/video/room_tokens` with Basic `project:api_token`; `POST /demo/tokens`
//! out: `{"token": …}`, or 401, or 422 naming the attribute
//!
//! An attribute that is not built yet is refused unless it says what happens anyway: a token never promises what
//! the server does not do.

mod attributes;

use std::sync::Arc;
use std::time::SystemTime;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use control_api::{Permission, RoomAction};
use serde_json::json;

use crate::app::App;
use crate::tokens::Grant;
use attributes::{Attributes, Invalid};

/// What the demo page's own buttons need beside the usual permissions for oneself.
const DEMO_PERMISSIONS: [Permission; 3] = [
    Permission::Room(RoomAction::ListAvailableLayouts),
    Permission::Room(RoomAction::SetLayout),
    Permission::Room(RoomAction::SetPosition),
];

/// Longest name of a room or a member.
const MAX_NAME: usize = 100;

/// Longest application data, as JSON text.
const MAX_META: usize = 2000;

pub(super) async fn room_tokens(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Response {
    if !is_project(&app, &headers) {
        return unauthorized();
    }
    let grant = match Attributes::parse(&body).and_then(grant) {
        Ok(grant) => grant,
        Err(invalid) => return invalid.into_response(),
    };
    tracing::debug!(room = grant.room, user = grant.user, "room token made");
    token(&app, grant)
}

/// Tokens for anybody; the route is there only when `demo.enabled`.
pub(super) async fn demo_tokens(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let grant = Attributes::parse(&body).and_then(|mut attributes| {
        let room = room_name(&mut attributes, "room")?;
        let name = attributes.text("name", MAX_NAME)?.filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| Invalid::new("name", "Name must be present"))?;
        attributes.finish()?;
        let permissions = Permission::DEFAULT.iter().chain(&DEMO_PERMISSIONS).map(ToString::to_string);
        Ok(Grant::new(room, name, permissions.collect()))
    });
    match grant {
        Ok(grant) => token(&app, grant),
        Err(invalid) => invalid.into_response(),
    }
}

/// Everything else below `/api/`.
pub(super) async fn unknown(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    if is_project(&app, &headers) {
        return (StatusCode::NOT_FOUND, Json(json!({}))).into_response();
    }
    unauthorized()
}

fn token(app: &App, grant: Grant) -> Response {
    app.metrics.room_tokens.inc();
    Json(json!({"token": app.tokens.mint(grant, Some(&app.public_url.ws()), SystemTime::now())}))
        .into_response()
}

fn unauthorized() -> Response {
    let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"signalbox\"")];
    (StatusCode::UNAUTHORIZED, challenge, Json(json!({}))).into_response()
}

/// Basic credentials, RFC 7617.
fn is_project(app: &App, headers: &HeaderMap) -> bool {
    let credentials = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
        .and_then(|(_, encoded)| STANDARD.decode(encoded.trim()).ok())
        .and_then(|decoded| String::from_utf8(decoded).ok());
    credentials
        .as_deref()
        .and_then(|credentials| credentials.split_once(':'))
        .is_some_and(|(project, api_token)| app.config.project.accepts(project, api_token))
}

/// What a room token request grants.
fn grant(mut attributes: Attributes) -> Result<Grant, Invalid> {
    let room = room_name(&mut attributes, "room_name")?;
    let user = attributes.text("user_name", MAX_NAME)?.unwrap_or_default();
    let permissions = match attributes.texts("permissions")? {
        Some(names) => permissions(names).map_err(|message| Invalid::new("permissions", message))?,
        None => Permission::DEFAULT.iter().map(ToString::to_string).collect(),
    };
    let grant = Grant {
        room_display_name: attributes.text("room_display_name", MAX_NAME)?,
        join_as: attributes.word("join_as")?.unwrap_or_default(),
        media_allowed: attributes.word("media_allowed")?.unwrap_or_default(),
        auto_create_room: attributes.flag("auto_create_room")?.unwrap_or(true),
        join_from: attributes.moment("join_from")?,
        join_until: attributes.moment("join_until")?,
        remove_at: attributes.moment("remove_at")?,
        remove_after_s: attributes.whole("remove_after_seconds_elapsed")?,
        end_room_session_on_leave: attributes.flag("end_room_session_on_leave")?.unwrap_or(false),
        meta: attributes.object("meta", MAX_META)?.unwrap_or_default(),
        room_meta: attributes.object("room_meta", MAX_META)?.unwrap_or_default(),
        join_audio_muted: attributes.flag("join_audio_muted")?.unwrap_or(false),
        join_video_muted: attributes.flag("join_video_muted")?.unwrap_or(false),
        ..Grant::new(room, user, permissions)
    };
    not_built(&mut attributes)?;
    attributes.finish()?;
    Ok(grant)
}

/// Takes what does nothing as long as it has its default, and refuses the rest.
fn not_built(attributes: &mut Attributes) -> Result<(), Invalid> {
    for name in ["enable_room_previews", "sync_audio_video"] {
        attributes.only(name, &json!(false))?;
    }
    Ok(())
}

fn room_name(attributes: &mut Attributes, attribute: &'static str) -> Result<String, Invalid> {
    let name = attributes.text(attribute, MAX_NAME)?.unwrap_or_default();
    check_room_name(&name).map_err(|message| Invalid::new(attribute, message))?;
    Ok(name)
}

pub(crate) fn check_room_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("Room name must be present".to_owned());
    }
    if name.len() > MAX_NAME || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
        return Err(format!(
            "Room name must have at most {MAX_NAME} letters, digits, hyphens and underscores"
        ));
    }
    Ok(())
}

/// The names as they came, once all are known to mean something.
pub(crate) fn permissions(names: Vec<String>) -> Result<Vec<String>, String> {
    match names.iter().find(|name| Permission::by_name(name).is_none()) {
        Some(unknown) => Err(format!("{unknown:?} is not a permission")),
        None => Ok(names),
    }
}

#[cfg(test)]
mod tests;
