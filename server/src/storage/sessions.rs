//! What REST reads of room sessions: lists page by page, one by its id.
//!
//! in:  filters, a place in a list
//! out: rows in an order that stays: sessions newest first, what is in them in the order it happened

use serde_json::{Map, Value};
use sqlx::any::AnyRow;
use sqlx::{AnyPool, FromRow, Row};

use super::UnixMs;
use super::query::{Cursor, Page, Query, Slice, Turn};

/// A room session as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredSession {
    pub(crate) id: String,
    pub(crate) room_id: String,
    pub(crate) name: String,
    pub(crate) display_name: String,
    /// The room's settings when the session began.
    pub(crate) settings: Map<String, Value>,
    pub(crate) layout: String,
    pub(crate) locked: bool,
    pub(crate) prioritize_handraise: bool,
    pub(crate) start_time: UnixMs,
    /// `None` while it is in progress.
    pub(crate) end_time: Option<UnixMs>,
    pub(crate) updated_at: UnixMs,
}

/// One stay of a member.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub(crate) struct StoredMember {
    pub(crate) room_session_id: String,
    /// Orders the stays; its cursor.
    pub(crate) stay: i64,
    pub(crate) member_id: String,
    pub(crate) name: String,
    /// `member`, `screen` or `device`.
    pub(crate) kind: String,
    pub(crate) join_time: UnixMs,
    /// `None` while there.
    pub(crate) leave_time: Option<UnixMs>,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub(crate) struct StoredEvent {
    pub(crate) room_session_id: String,
    /// Its place in the session's order; its cursor.
    pub(crate) number: i64,
    /// Such as `video.member.joined`.
    pub(crate) name: String,
    pub(crate) level: String,
    pub(crate) member_id: Option<String>,
    /// A JSON object.
    pub(crate) payload: String,
    pub(crate) created_at: UnixMs,
}

/// `status` of a room session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionStatus {
    InProgress,
    Completed,
}

/// Which sessions of a project.
#[derive(Clone, Debug, Default)]
pub(crate) struct SessionFilter {
    pub(crate) room_id: Option<String>,
    pub(crate) room_name: Option<String>,
    /// Somewhere in the name.
    pub(crate) room_name_part: Option<String>,
    /// Began then or later.
    pub(crate) from: Option<UnixMs>,
    /// Began earlier.
    pub(crate) before: Option<UnixMs>,
    pub(crate) status: Option<SessionStatus>,
}

impl SessionStatus {
    /// As on the wire.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::InProgress => "in-progress",
            Self::Completed => "completed",
        }
    }

    pub(crate) fn by_name(name: &str) -> Option<Self> {
        [Self::InProgress, Self::Completed].into_iter().find(|status| status.name() == name)
    }
}

impl StoredSession {
    pub(crate) fn status(&self) -> SessionStatus {
        match self.end_time {
            None => SessionStatus::InProgress,
            Some(_) => SessionStatus::Completed,
        }
    }

    pub(crate) fn cursor(&self) -> Cursor {
        Cursor { at: self.start_time, id: self.id.clone() }
    }
}

impl FromRow<'_, AnyRow> for StoredSession {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        let flag = |name: &str| row.try_get::<i64, _>(name).map(|value| value != 0);
        let settings: String = row.try_get("settings")?;
        Ok(Self {
            id: row.try_get("id")?,
            room_id: row.try_get("room_id")?,
            name: row.try_get("name")?,
            display_name: row.try_get("display_name")?,
            settings: serde_json::from_str(&settings).unwrap_or_default(),
            layout: row.try_get("layout")?,
            locked: flag("locked")?,
            prioritize_handraise: flag("prioritize_handraise")?,
            start_time: row.try_get("start_time")?,
            end_time: row.try_get("end_time")?,
            updated_at: row.try_get("updated_at")?,
        })
    }
}

/// Sessions of a project, newest first.
pub(crate) async fn list(
    reader: &AnyPool,
    project: &str,
    filter: &SessionFilter,
    slice: &Slice<Cursor>,
) -> sqlx::Result<Page<StoredSession>> {
    let mut query = Query::new("SELECT * FROM room_sessions WHERE project = ").value(project);
    if let Some(id) = &filter.room_id {
        query = query.add(" AND room_id = ").value(id.as_str());
    }
    if let Some(name) = &filter.room_name {
        query = query.add(" AND name = ").value(name.as_str());
    }
    if let Some(part) = &filter.room_name_part {
        // What both databases do alike, capitals and wildcards included.
        query = query.add(" AND REPLACE(name, ").value(part.as_str()).add(", '') <> name");
    }
    if let Some(from) = filter.from {
        query = query.add(" AND start_time >= ").value(from);
    }
    if let Some(before) = filter.before {
        query = query.add(" AND start_time < ").value(before);
    }
    query = match filter.status {
        None => query,
        Some(SessionStatus::InProgress) => query.add(" AND end_time IS NULL"),
        Some(SessionStatus::Completed) => query.add(" AND end_time IS NOT NULL"),
    };
    query = match &slice.turn {
        Turn::First => query,
        Turn::After(Cursor { at, id }) => {
            query.add(" AND (start_time, id) < (").value(*at).add(", ").value(id.as_str()).add(")")
        }
        Turn::Before(Cursor { at, id }) => {
            query.add(" AND (start_time, id) > (").value(*at).add(", ").value(id.as_str()).add(")")
        }
    };
    let order = match slice.turn {
        Turn::First | Turn::After(_) => " ORDER BY start_time DESC, id DESC",
        Turn::Before(_) => " ORDER BY start_time, id",
    };
    slice.page(query.add(order), reader).await
}

/// One session of a project.
pub(crate) async fn find(reader: &AnyPool, project: &str, id: &str) -> sqlx::Result<Option<StoredSession>> {
    sqlx::query_as("SELECT * FROM room_sessions WHERE project = $1 AND id = $2")
        .bind(project)
        .bind(id)
        .fetch_optional(reader)
        .await
}

/// Members that were there, in the order they came; a cursor is the stay. Screens and devices belong to theirs.
pub(crate) async fn members(
    reader: &AnyPool,
    session: &str,
    slice: &Slice<i64>,
) -> sqlx::Result<Page<StoredMember>> {
    let query = Query::new("SELECT * FROM room_session_members WHERE kind = 'member' AND room_session_id = ")
        .value(session);
    slice.page(in_order(query, slice, "stay"), reader).await
}

/// What happened, in order; a cursor is the number.
pub(crate) async fn events(
    reader: &AnyPool,
    session: &str,
    slice: &Slice<i64>,
) -> sqlx::Result<Page<StoredEvent>> {
    let query = Query::new("SELECT * FROM room_session_events WHERE room_session_id = ").value(session);
    slice.page(in_order(query, slice, "number"), reader).await
}

/// What happened to one recording, in order; a cursor is the number.
pub(crate) async fn events_of_recording(
    reader: &AnyPool,
    session: &str,
    recording: &str,
    slice: &Slice<i64>,
) -> sqlx::Result<Page<StoredEvent>> {
    let query = Query::new("SELECT * FROM room_session_events WHERE room_session_id = ")
        .value(session)
        .add(" AND name LIKE 'video.recording.%' AND REPLACE(payload, ")
        .value(recording)
        .add(", '') <> payload");
    slice.page(in_order(query, slice, "number"), reader).await
}

/// The part of a list that is ordered by one column.
fn in_order(query: Query, slice: &Slice<i64>, column: &'static str) -> Query {
    let (query, order) = match slice.turn {
        Turn::First => (query, ""),
        Turn::After(last) => (query.add(" AND ").add(column).add(" > ").value(last), ""),
        Turn::Before(first) => (query.add(" AND ").add(column).add(" < ").value(first), " DESC"),
    };
    query.add(" ORDER BY ").add(column).add(order)
}
