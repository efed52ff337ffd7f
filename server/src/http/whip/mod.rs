//! WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep): one HTTP request makes a call, another ends it.
//!
//! in:  offers as `application/sdp` with a room token as Bearer; ICE fragments and ends by a call's secret URL
//! out: answers with the call's URL; refusals that say what was wrong
//!
//! | path | POST | PATCH | DELETE |
//! |---|---|---|---|
//! | `/whip/{room}` | publishes as a member | – | – |
//! | `/whep/{room}` | plays the canvas and the mix | – | – |
//! | `/whep/{room}/{member}` | plays one member alone | – | – |
//! | `/webrtc/sessions/{call}` | – | candidates, ICE restart | ends it |
//!
//! The last one asks for no token: its 256 random bits are one, and a token may be over long before its call is.
//! Pages of any allowed origin may use all of them: there are no cookies, so there is nothing that a page could borrow.

mod call;
mod endpoint;
mod headers;
mod refusal;
mod sharing;

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderValue;
use axum::middleware;
use axum::routing::{delete, post};

use crate::app::App;
use refusal::Refusal;

/// RFC 9725 §4.2.
const SDP: &str = "application/sdp";

/// RFC 8840 §9.2.
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

const ENDPOINT_METHODS: HeaderValue = HeaderValue::from_static("OPTIONS, POST");

const CALL_METHODS: HeaderValue = HeaderValue::from_static("DELETE, OPTIONS, PATCH");

/// Everything that is there.
pub(super) fn router() -> Router<Arc<App>> {
    let not_here = || async { Refusal::Method(ENDPOINT_METHODS) };
    Router::new()
        .route("/whip/{room}", post(endpoint::publish).options(sharing::endpoint).fallback(not_here))
        .route(
            "/whep/{room}/{member}",
            post(endpoint::play_member).options(sharing::endpoint).fallback(not_here),
        )
        .route("/whep/{room}", post(endpoint::play).options(sharing::endpoint).fallback(not_here))
        .route(
            "/webrtc/sessions/{call}",
            delete(call::end)
                .patch(call::patch)
                .options(sharing::call)
                .fallback(async || Refusal::Method(CALL_METHODS)),
        )
        .layer(middleware::from_fn(sharing::share))
}
