//! PATCH and DELETE of a call, by its secret URL.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::endpoint::body;
use super::refusal::Refusal;
use super::{FRAGMENT, headers};
use crate::app::App;
use crate::wiring::{Fragment, Patched};

/// Its name in metrics: of an unknown call nobody knows how it came.
const PROTOCOL: &str = "session";

/// Candidates or an ICE restart, RFC 9725 §4.3.
pub(super) async fn patch(
    State(app): State<Arc<App>>,
    Path(call): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    patched(&app, &call, request).await.map_err(|refusal| refusal.counted(&app, PROTOCOL))
}

/// The end.
pub(super) async fn end(State(app): State<Arc<App>>, Path(call): Path<String>) -> Result<Response, Refusal> {
    match app.http_calls.end(&call) {
        true => Ok(StatusCode::OK.into_response()),
        false => Err(Refusal::NoCall.counted(&app, PROTOCOL)),
    }
}

async fn patched(app: &App, call: &str, request: Request) -> Result<Response, Refusal> {
    let call = app.http_calls.find(call).ok_or(Refusal::NoCall)?;
    if !headers::is_of_type(request.headers(), FRAGMENT) {
        return Err(Refusal::NoFragment);
    }
    let condition = headers::condition(request.headers()).ok_or(Refusal::NoCondition)?;
    let fragment = Fragment::parse(&body(request).await?).map_err(Refusal::Malformed)?;
    Ok(match call.patch(condition, fragment).await.ok_or(Refusal::NoCall)?? {
        Patched::Trickled => StatusCode::NO_CONTENT.into_response(),
        Patched::Restarted { fragment, tag } => {
            let headers = [(header::ETAG, tag), (header::CONTENT_TYPE, FRAGMENT.to_owned())];
            (StatusCode::OK, headers, fragment).into_response()
        }
    })
}
