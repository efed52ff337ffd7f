//! `/room_recordings`: none yet, so lists are empty and nothing is found.
//!
//! in:  the URL
//! out: empty lists; 404

use std::sync::Arc;

use axum::extract::{OriginalUri, Path, State};
use axum::http::Uri;
use serde_json::Value;

use super::query::Query;
use super::reply::{Answer, Refusal};
use super::room_sessions;
use crate::app::App;
use crate::storage::{Cursor, Page};

pub(super) async fn list(State(app): State<Arc<App>>, OriginalUri(uri): OriginalUri) -> Answer {
    none(&app, &uri)
}

pub(super) async fn of_session(
    State(app): State<Arc<App>>,
    Path(session): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Answer {
    room_sessions::find(&app, &session).await?;
    none(&app, &uri)
}

pub(super) async fn read_one(Path(_): Path<String>, OriginalUri(uri): OriginalUri) -> Answer {
    Query::of(&uri).number("media_ttl", 1_u32)?;
    Err(Refusal::NotFound)
}

pub(super) async fn delete(Path(_): Path<String>) -> Answer {
    Err(Refusal::NotFound)
}

pub(super) async fn events(Path(_): Path<String>) -> Answer {
    Err(Refusal::NotFound)
}

/// An empty list, once the parameters are right.
fn none(app: &App, uri: &Uri) -> Answer {
    let query = Query::of(uri);
    query.number("media_ttl", 1_u32)?;
    let paging = query.paging::<Cursor>()?;
    let page = Page { rows: Vec::<Cursor>::new(), is_preceded: false, is_followed: false };
    Ok(paging.render(&app.public_url.http(), &query, &page, Cursor::clone, |_| Value::Null))
}
