//! `/previews/<room session>.jpg`: a small picture of a running room, behind a link of REST or of events.
//!
//! in:  a link that is signed and not expired
//! out: JPEG

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::recordings::Signed;
use crate::app::App;
use crate::storage::UnixMs;
use crate::wiring::preview;

pub(super) async fn picture(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(signed): Query<Signed>,
) -> Response {
    let now = u64::try_from(UnixMs::now().0 / 1000).unwrap_or(0);
    let session = name.strip_suffix(".jpg").unwrap_or_default();
    let picture = if app.preview_links.is_good(session, signed.expires, &signed.signature, now) {
        preview(&app, session).await
    } else {
        None
    };
    match picture {
        Some(jpeg) => {
            let headers = [
                (header::CONTENT_TYPE, "image/jpeg"),
                (header::CACHE_CONTROL, "private, max-age=2"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ];
            (headers, jpeg).into_response()
        }
        None => (StatusCode::NOT_FOUND, "not found\n").into_response(),
    }
}
