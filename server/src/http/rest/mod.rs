//! REST: the Video API of the hosted service, for servers of the project, and tokens for the demo page.
//!
//! in:  requests below `/api/video` with Basic `project:api_token`, RFC 7617; `POST /demo/tokens`
//! out: JSON; a refusal says in one answer all that is wrong
//!
//! | file | what it is |
//! |---|---|
//! | `room_tokens`, `rooms`, `conferences`, `streams`, `room_sessions`, `room_recordings`, `project_layouts`, `images`, `logs` | one resource each |
//! | `settings` | attributes that rooms and conferences share |
//! | `attributes`, `values`, `query`, `reply` | how a request is read and an answer is written |
//!
//! It is for servers, so it tells browsers of other origins nothing (no CORS).

mod attributes;
mod query;
mod reply;
mod settings;
mod values;

mod conferences;
mod images;
mod logs;
mod project_layouts;
mod room_recordings;
mod room_sessions;
mod room_tokens;
mod rooms;
mod streams;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::app::App;
use crate::images::MAX_BYTES;
use reply::Refusal;

pub(crate) use room_tokens::permissions;
pub(crate) use values::check_room_name;

/// Everything below `/api`.
pub(super) fn router(app: &Arc<App>) -> Router<Arc<App>> {
    let video = Router::new()
        .route("/room_tokens", post(room_tokens::create))
        .route("/rooms", get(rooms::list).post(rooms::create))
        .route("/rooms/{room}", get(rooms::read_one).put(rooms::update).delete(rooms::delete))
        .route("/rooms/{room}/streams", get(streams::of_room).post(streams::create_for_room))
        .route("/conferences", get(conferences::list).post(conferences::create))
        .route(
            "/conferences/{conference}",
            get(conferences::read_one).put(conferences::update).delete(conferences::delete),
        )
        .route("/conferences/{conference}/conference_tokens", get(conferences::tokens))
        .route(
            "/conferences/{conference}/streams",
            get(streams::of_conference).post(streams::create_for_conference),
        )
        .route("/conference_tokens/{token}", get(conferences::token))
        .route("/conference_tokens/{token}/reset", post(conferences::reset_token))
        .route("/streams/{stream}", get(streams::read_one).put(streams::update).delete(streams::delete))
        .route("/room_sessions", get(room_sessions::list))
        .route("/room_sessions/{session}", get(room_sessions::read_one))
        .route("/room_sessions/{session}/members", get(room_sessions::members))
        .route("/room_sessions/{session}/events", get(room_sessions::events))
        .route("/room_sessions/{session}/recordings", get(room_recordings::of_session))
        .route("/room_recordings", get(room_recordings::list))
        .route("/room_recordings/{recording}", get(room_recordings::read_one).delete(room_recordings::delete))
        .route("/room_recordings/{recording}/events", get(room_recordings::events))
        .route("/layouts", get(project_layouts::list).post(project_layouts::create))
        .route(
            "/layouts/{layout}",
            get(project_layouts::read_one).put(project_layouts::update).delete(project_layouts::delete),
        )
        .route("/images", get(images::list))
        .route(
            "/images/{image}",
            get(images::read_one)
                .put(images::put)
                .delete(images::delete)
                .layer(DefaultBodyLimit::max(MAX_BYTES)),
        )
        .route("/logs", get(logs::list))
        .route("/logs/{log}", get(logs::read_one));
    Router::new()
        .nest("/video", video)
        .fallback(async || Refusal::NotFound)
        .method_not_allowed_fallback(async || Refusal::NotAllowed)
        .layer(middleware::map_response(in_one_shape))
        .layer(middleware::from_fn_with_state(Arc::clone(app), authenticate))
}

/// Tokens for anybody; there only when `demo.enabled`.
pub(super) fn demo_router() -> Router<Arc<App>> {
    Router::new().route("/demo/tokens", post(room_tokens::demo))
}

/// Before everything else: who is not of the project does not learn what is there.
async fn authenticate(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if is_project(&app, request.headers()) {
        return next.run(request).await;
    }
    Refusal::Unauthorized.into_response()
}

/// Gives what the framework refuses by itself the shape of our refusals.
async fn in_one_shape(response: Response) -> Response {
    if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Refusal::TooLarge.into_response();
    }
    response
}

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
