//! `/room_recordings`: recordings of every room session, with links to their files.
//!
//! in:  pages, how long links are to be good
//! out: what is known of them; a deletion takes the files along

use std::sync::Arc;

use axum::extract::{OriginalUri, Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::query::Query;
use super::reply::{Answer, Refusal, reply};
use super::room_sessions;
use super::settings::joined;
use super::values::date_of;
use crate::app::App;
use crate::recording::{Reason, Record, Status};
use crate::storage::UnixMs;
use crate::storage::sessions::{self, StoredEvent};

/// How long a link is good when nobody says.
const MEDIA_TTL_S: u32 = 900;

pub(super) async fn list(State(app): State<Arc<App>>, OriginalUri(uri): OriginalUri) -> Answer {
    page(&app, &uri, None)
}

pub(super) async fn of_session(
    State(app): State<Arc<App>>,
    Path(session): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Answer {
    room_sessions::find(&app, &session).await?;
    page(&app, &uri, Some(&session))
}

pub(super) async fn read_one(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Answer {
    let expires = expiry(&Query::of(&uri))?;
    let record = app.recordings.find(&id).ok_or(Refusal::NotFound)?;
    Ok(reply(StatusCode::OK, &wire(&app, &record, expires)))
}

pub(super) async fn delete(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    let record = app.recordings.find(&id).ok_or(Refusal::NotFound)?;
    if record.status != Status::Completed {
        return Err(Refusal::invalid("status", "A recording that is not completed cannot be deleted"));
    }
    let deleting = tokio::task::spawn_blocking(move || app.recordings.delete(&record)).await;
    match deleting {
        Ok(Ok(())) => Ok(StatusCode::NO_CONTENT.into_response()),
        Ok(Err(error)) => {
            tracing::error!(%error, id, "a recording cannot be deleted");
            Err(Refusal::Unavailable)
        }
        Err(_) => Err(Refusal::Unavailable),
    }
}

pub(super) async fn events(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Answer {
    let record = app.recordings.find(&id).ok_or(Refusal::NotFound)?;
    let session = room_sessions::find(&app, &record.room_session_id).await?;
    let query = Query::of(&uri);
    let paging = query.paging()?;
    let reader = app.storage.reader();
    let page = sessions::events_of_recording(reader, &session.id, &record.id, &paging.slice).await?;
    let wire = |event: &StoredEvent| {
        let wire = room_sessions::event_wire(&app.config.project.id, &session, event);
        joined([wire, json!({"room_recording_id": record.id})])
    };
    Ok(paging.render(&app.public_url.http(), &query, &page, |event| event.number, wire))
}

fn page(app: &App, uri: &Uri, session: Option<&str>) -> Answer {
    let query = Query::of(uri);
    let expires = expiry(&query)?;
    let paging = query.paging()?;
    let page = app.recordings.list(session, &paging.slice);
    let wire = |record: &Record| wire(app, record, expires);
    Ok(paging.render(&app.public_url.http(), &query, &page, Record::cursor, wire))
}

/// When links of this answer expire, unix seconds.
fn expiry(query: &Query) -> Result<u64, Refusal> {
    let ttl_s = query.number("media_ttl", 1_u32)?.unwrap_or(MEDIA_TTL_S);
    Ok(u64::try_from(UnixMs::now().0 / 1000).unwrap_or(0) + u64::from(ttl_s))
}

fn wire(app: &App, record: &Record, expires: u64) -> Value {
    let has_file = record.status == Status::Completed && record.size.is_some_and(|size| size > 0);
    let uri =
        has_file.then(|| format!("{}{}", app.public_url.http(), app.recordings.link(&record.id, expires)));
    let date = |ms: i64| date_of(UnixMs(ms));
    json!({
        "id": record.id,
        "room_session_id": record.room_session_id,
        "status": record.status.name(),
        "started_at": date(record.started_at),
        "finished_at": record.finished_at.map(date),
        "duration": record.duration_ms.map(|ms| (ms + 500) / 1000),
        "size_in_bytes": record.size,
        "format": "video/mp4",
        "cost_in_dollars": 0.0,
        "uri": uri,
        "created_at": date(record.started_at),
        "updated_at": date(record.updated_at),
        // Ours.
        "room_name": record.room_name,
        "reason": record.reason.map(Reason::name),
    })
}
