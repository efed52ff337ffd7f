//! `/logs`: one entry per room session, as bookkeepers see it.
//!
//! in:  dates, pages
//! out: what ran when; it costs nothing

use std::sync::Arc;

use axum::extract::{OriginalUri, Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::query::Query;
use super::reply::{Answer, reply};
use super::room_sessions::find;
use super::values::date_of;
use crate::app::App;
use crate::catalogue::{Opening, Origin};
use crate::storage::UnixMs;
use crate::storage::sessions::{self, SessionFilter, StoredSession};

/// A day, in which there are no leap seconds.
const DAY_S: u64 = 24 * 3600;

pub(super) async fn list(State(app): State<Arc<App>>, OriginalUri(uri): OriginalUri) -> Answer {
    let query = Query::of(&uri);
    // Nothing is kept of what was deleted.
    query.flag("include_deleted")?;
    let on = query.moment("created_on")?.map(|on| on - on % DAY_S);
    let from = [query.moment("created_after")?, on].into_iter().flatten().max();
    let before = [query.moment("created_before")?, on.map(|on| on + DAY_S)].into_iter().flatten().min();
    let filter =
        SessionFilter { from: from.map(moment), before: before.map(moment), ..SessionFilter::default() };
    let paging = query.paging()?;
    let page = sessions::list(app.storage.reader(), &app.config.project.id, &filter, &paging.slice).await?;
    let wire = |session: &StoredSession| wire(&app, session);
    Ok(paging.render(&app.public_url.http(), &query, &page, StoredSession::cursor, wire))
}

pub(super) async fn read_one(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    Ok(reply(StatusCode::OK, &wire(&app, &find(&app, &id).await?)))
}

fn moment(seconds: u64) -> UnixMs {
    UnixMs(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000))
}

/// The entry of a session has its id.
fn wire(app: &App, session: &StoredSession) -> Value {
    json!({
        "id": session.id,
        "source": "realtime_api",
        "type": match Opening::of(&session.settings).origin {
            Origin::Conference => "video_conference_session",
            Origin::Room | Origin::Token => "video_room_session",
        },
        "url": format!("{}/api/video/room_sessions/{}", app.public_url.http(), session.id),
        "room_name": session.name,
        "status": session.status().name(),
        "locked": session.locked,
        "started_at": date_of(session.start_time),
        "ended_at": session.end_time.map(date_of),
        "charge": 0.0,
        "created_at": date_of(session.start_time),
        "charge_details": [],
    })
}
