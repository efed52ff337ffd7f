//! What browsers may let pages of other origins do here: the CORS protocol of the Fetch standard, §3.2.
//!
//! in:  requests with an `Origin` that `http.allowed_origins` has let pass
//! out: the same leave for the page, and what the URLs take
//!
//! Credentials of the browser (cookies) are never asked for: the leave is without them.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{CALL_METHODS, ENDPOINT_METHODS, FRAGMENT, SDP};

const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static("Authorization, Content-Type, If-Match");

const RESPONSE_HEADERS: HeaderValue = HeaderValue::from_static(
    "Accept-Patch, Accept-Post, ETag, Link, Location, Retry-After, WWW-Authenticate",
);

/// Browsers ask again after a day; none remembers it for longer.
const REMEMBERED_S: HeaderValue = HeaderValue::from_static("86400");

/// Every response tells which page may read it.
pub(super) async fn share(request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    // What is told of a call is for its client alone.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
    }
    response
}

/// OPTIONS of `/whip` and `/whep`.
pub(super) async fn endpoint() -> Response {
    options(ENDPOINT_METHODS, HeaderName::from_static("accept-post"), SDP)
}

/// OPTIONS of a call.
pub(super) async fn call() -> Response {
    options(CALL_METHODS, HeaderName::from_static("accept-patch"), FRAGMENT)
}

fn options(methods: HeaderValue, accept: HeaderName, media_type: &'static str) -> Response {
    let headers = [
        (header::ALLOW, methods.clone()),
        (accept, HeaderValue::from_static(media_type)),
        (header::ACCESS_CONTROL_ALLOW_METHODS, methods),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, REMEMBERED_S),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}
