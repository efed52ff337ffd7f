//! The one TCP port: pages, REST, metrics, and WebSockets on any path.
//!
//! in:  TCP connections
//! out: responses; WebSockets handed to [`socket`]
//!
//! Every connection is bounded: their number, the time to send a request head, the time and size of a body.

mod handshake;
mod listener;
mod metrics;
mod origin;
mod pages;
mod previews;
mod recordings;
mod rest;
mod socket;
mod whip;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Request, State, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::app::App;

pub(crate) use handshake::Handshakes;
pub(crate) use listener::Port;
pub(crate) use metrics::Metrics;
pub(crate) use rest::{check_room_name, permissions};

/// A request and its answer, body included, take no longer.
const REQUEST_TIME: Duration = Duration::from_secs(10);

/// The largest request is a room with every field, some 50 kB when each character is escaped.
const MAX_BODY_BYTES: usize = 64 * 1024;

pub(crate) fn router(app: Arc<App>) -> Router {
    let mut router = health().nest("/api", rest::router(&app)).merge(whip::router());
    router = router.route("/recordings/{file}", get(recordings::file));
    router = router.route("/previews/{file}", get(previews::picture));
    if app.config.metrics_listen.is_none() {
        router = router.route("/metrics", get(metrics::scrape));
    }
    if app.config.demo {
        router = router.merge(rest::demo_router());
    }
    router
        .fallback(pages::page)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn(in_time))
        // Outside the routes, because SDKs open their socket on whatever path the application's `host` has.
        .layer(middleware::from_fn_with_state(Arc::clone(&app), upgrade))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), origin::allow))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), origin::protect))
        .with_state(app)
}

/// What a metrics port of its own serves.
pub(crate) fn metrics_router(app: Arc<App>) -> Router {
    health().route("/metrics", get(metrics::scrape)).layer(middleware::from_fn(in_time)).with_state(app)
}

fn health() -> Router<Arc<App>> {
    Router::new().route("/livez", get(|| async { "ok\n" })).route("/readyz", get(ready))
}

async fn ready(State(app): State<Arc<App>>) -> Response {
    if app.shutdown.is_draining() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response();
    }
    "ready\n".into_response()
}

async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST_TIME, next.run(request)).await {
        Ok(response) => response,
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}

async fn upgrade(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let wanted =
        request.headers().get("upgrade").is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"));
    if !wanted {
        return next.run(request).await;
    }
    let (mut parts, _body) = request.into_parts();
    let permit = parts.extensions.remove::<listener::Permit>();
    match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => socket::limits(upgrade).on_upgrade(move |web_socket| async move {
            socket::run(&app, web_socket).await;
            drop(permit);
        }),
        Err(rejection) => rejection.into_response(),
    }
}
