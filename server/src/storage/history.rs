//! The history of room sessions, read off their events.
//!
//! in:  every event of a room session
//! out: rows of the session, its members' stays and its events
//!
//! A room only hands its event over; reading it and writing rows is the writer's work.

use std::sync::Arc;

use control_api::{Event, EventKind, ProjectId, RoomId, RoomSessionId};
use serde::Deserialize;
use serde_json::Value;
use sqlx::AnyConnection;

use super::queue::{Entry, Queue, Report};
use super::{NewMessage, UnixMs};

/// What does not change while a room session runs.
#[derive(Debug)]
pub(crate) struct SessionInfo {
    pub(crate) id: RoomSessionId,
    pub(crate) project: ProjectId,
    pub(crate) room_id: RoomId,
    pub(crate) name: Arc<str>,
    pub(crate) display_name: Arc<str>,
    /// The room's settings as the session begins: a JSON object, as REST shows them.
    pub(crate) settings: String,
}

/// What a room reports to. When it is dropped, the room session is over.
pub(crate) struct RoomHistory {
    session: Arc<SessionInfo>,
    queue: Queue,
}

impl RoomHistory {
    pub(super) fn new(session: SessionInfo, queue: Queue) -> Self {
        Self { session: Arc::new(session), queue }
    }

    /// Takes an event, and the messages that must be kept with it. Never waits.
    pub(crate) fn event(&self, event: &Arc<Event>, messages: Vec<NewMessage>) {
        if is_kept(event.kind) || !messages.is_empty() {
            self.queue.push(Entry::Event(Report {
                session: Arc::clone(&self.session),
                event: Arc::clone(event),
                messages,
                first_message: 0,
            }));
        }
    }
}

/// What is for one connection, who speaks when, and a number that comes every half minute are not history.
fn is_kept(kind: EventKind) -> bool {
    !matches!(kind, EventKind::RoomSubscribed | EventKind::MemberTalking | EventKind::AudienceCount)
}

/// An event as the writer reads it.
#[derive(Deserialize)]
struct Envelope {
    timestamp: f64,
    params: Value,
}

#[derive(Deserialize)]
struct RoomState {
    layout_name: String,
    locked: bool,
    prioritize_handraise: bool,
}

#[derive(Deserialize)]
struct MemberState {
    id: String,
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

/// An event, read.
pub(super) struct Line<'a> {
    session: &'a SessionInfo,
    event: &'a Event,
    pub(super) at: UnixMs,
    params: Value,
}

impl<'a> Line<'a> {
    /// `None` when it is not what `control-api` writes.
    pub(super) fn read(report: &'a Report) -> Option<Self> {
        let envelope: Envelope = serde_json::from_str(&report.event.params).ok()?;
        Some(Self {
            session: &report.session,
            event: &report.event,
            at: UnixMs::from_seconds(envelope.timestamp),
            params: envelope.params,
        })
    }

    /// Writes what the event changes. `is_new`: its session may not have a row yet; `is_listed`: the event gets one.
    pub(super) async fn store(
        &self,
        to: &mut AnyConnection,
        is_new: bool,
        is_listed: bool,
    ) -> sqlx::Result<()> {
        if is_new {
            self.begin_session(to).await?;
        }
        #[allow(clippy::wildcard_enum_match_arm, reason = "all others change no row; they are listed")]
        match self.event.kind {
            EventKind::RoomUpdated => self.update_session(to).await?,
            EventKind::MemberJoined => self.begin_stay(to).await?,
            EventKind::MemberLeft => self.end_stay(to).await?,
            EventKind::RoomEnded => end_session(to, self.session.id.as_str(), self.at).await?,
            _ => {}
        }
        if is_listed && is_kept(self.event.kind) {
            self.list(to).await?;
        }
        Ok(())
    }

    async fn begin_session(&self, to: &mut AnyConnection) -> sqlx::Result<()> {
        let session = self.session;
        let state = self.room_state();
        sqlx::query(
            "INSERT INTO room_sessions (id, project, room_id, name, display_name, settings, layout, locked, \
             prioritize_handraise, start_time, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) \
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(session.id.as_str())
        .bind(session.project.as_str())
        .bind(session.room_id.as_str())
        .bind(storable(&session.name))
        .bind(storable(&session.display_name))
        .bind(&*session.settings)
        .bind(state.as_ref().map_or("", |state| &state.layout_name))
        .bind(i64::from(state.as_ref().is_some_and(|state| state.locked)))
        .bind(i64::from(state.as_ref().is_some_and(|state| state.prioritize_handraise)))
        .bind(self.at)
        .execute(to)
        .await
        .map(drop)
    }

    async fn update_session(&self, to: &mut AnyConnection) -> sqlx::Result<()> {
        let Some(state) = self.room_state() else { return Ok(()) };
        sqlx::query(
            "UPDATE room_sessions SET layout = $2, locked = $3, prioritize_handraise = $4, updated_at = $5 \
             WHERE id = $1",
        )
        .bind(self.session.id.as_str())
        .bind(&*state.layout_name)
        .bind(i64::from(state.locked))
        .bind(i64::from(state.prioritize_handraise))
        .bind(self.at)
        .execute(to)
        .await
        .map(drop)
    }

    fn room_state(&self) -> Option<RoomState> {
        RoomState::deserialize(self.params.get("room_session")?).ok()
    }

    async fn begin_stay(&self, to: &mut AnyConnection) -> sqlx::Result<()> {
        let Some(member) = self.member() else { return Ok(()) };
        sqlx::query(
            "INSERT INTO room_session_members (room_session_id, stay, member_id, name, kind, join_time) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (room_session_id, stay) DO NOTHING",
        )
        .bind(self.session.id.as_str())
        .bind(self.number())
        .bind(&*member.id)
        .bind(storable(&member.name))
        .bind(&*member.kind)
        .bind(self.at)
        .execute(to)
        .await
        .map(drop)
    }

    async fn end_stay(&self, to: &mut AnyConnection) -> sqlx::Result<()> {
        let Some(member) = self.member() else { return Ok(()) };
        sqlx::query(
            "UPDATE room_session_members SET leave_time = $3 \
             WHERE room_session_id = $1 AND member_id = $2 AND leave_time IS NULL",
        )
        .bind(self.session.id.as_str())
        .bind(&*member.id)
        .bind(self.at)
        .execute(to)
        .await
        .map(drop)
    }

    fn member(&self) -> Option<MemberState> {
        MemberState::deserialize(self.params.get("member")?).ok()
    }

    async fn list(&self, to: &mut AnyConnection) -> sqlx::Result<()> {
        sqlx::query(
            "INSERT INTO room_session_events (room_session_id, number, name, level, member_id, payload, created_at) \
             VALUES ($1, $2, $3, 'info', $4, $5, $6) ON CONFLICT (room_session_id, number) DO NOTHING",
        )
        .bind(self.session.id.as_str())
        .bind(self.number())
        .bind(self.event.kind.name())
        .bind(self.event.member.as_ref().map(|member| member.as_str().to_owned()))
        .bind(payload(&self.params).to_string())
        .bind(self.at)
        .execute(to)
        .await
        .map(drop)
    }

    fn number(&self) -> i64 {
        i64::try_from(self.event.number).unwrap_or(i64::MAX)
    }
}

/// A session is over, and so is every stay in it that still runs.
pub(super) async fn end_session(to: &mut AnyConnection, id: &str, at: UnixMs) -> sqlx::Result<()> {
    sqlx::query("UPDATE room_sessions SET end_time = $2, updated_at = $2 WHERE id = $1 AND end_time IS NULL")
        .bind(id)
        .bind(at)
        .execute(&mut *to)
        .await?;
    sqlx::query(
        "UPDATE room_session_members SET leave_time = $2 WHERE room_session_id = $1 AND leave_time IS NULL",
    )
    .bind(id)
    .bind(at)
    .execute(to)
    .await
    .map(drop)
}

/// The event without what grows with the room and is told by other events (who is there, where the pictures are), and
/// without what lets somebody in.
fn payload(params: &Value) -> Value {
    let mut short = params.clone();
    let Some(fields) = short.as_object_mut() else { return short };
    for gone in ["room", "authorization"] {
        fields.remove(gone);
    }
    let inner = [
        ("room_session", ["members", "recordings", "playbacks", "streams"].as_slice()),
        ("layout", &["layers"]),
    ];
    for (name, lists) in inner {
        if let Some(object) = fields.get_mut(name).and_then(Value::as_object_mut) {
            lists.iter().for_each(|list| drop(object.remove(*list)));
        }
    }
    short
}

/// PostgreSQL stores every character but U+0000.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
