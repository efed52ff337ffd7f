//! Which pages may talk to us, and what our own may do.
//!
//! in:  requests with an `Origin`; responses
//! out: 403 for origins that are not allowed; responses with what keeps a page from being turned against its user

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::App;

/// What the room page needs: its own files, the socket named by a token's `ch`, and nothing else.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' ws: wss:; \
     media-src 'self' blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

/// A year, as browsers' preload lists ask for at least.
const STRICT_TRANSPORT_SECURITY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Refuses origins that are not in `http.allowed_origins`, once anything is.
pub(super) async fn allow(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN);
    if origin.is_some_and(|origin| !is_allowed(&app.config.allowed_origins, origin)) {
        tracing::debug!(?origin, "origin refused");
        return (StatusCode::FORBIDDEN, "origin not allowed\n").into_response();
    }
    next.run(request).await
}

fn is_allowed(allowed: &[String], origin: &HeaderValue) -> bool {
    allowed.is_empty() || allowed.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes())
}

/// Puts the headers on that browsers obey.
pub(super) async fn protect(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // On loopback it would turn every other server of this machine's localhost to https, for a year.
    if app.tls.is_some() && !app.config.listen.ip().is_loopback() {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT_SECURITY);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_allows_what_is_in_it_and_an_empty_one_everything() {
        let list = ["https://app.example".to_owned()];
        for (allowed, origin, expected) in [
            (&list[..], "https://app.example", true),
            (&list[..], "https://app.example.evil", false),
            (&list[..], "http://app.example", false),
            (&list[..], "null", false),
            (&[], "https://anything", true),
        ] {
            assert_eq!(is_allowed(allowed, &HeaderValue::from_static(origin)), expected, "{origin}");
        }
    }
}
