//! Messages that must leave this server, kept until they have.
//!
//! in:  messages written with the event they tell of; what became of an attempt
//! out: the next message of each lane, when it is due
//!
//! A lane is one endpoint and one room session; its messages leave in order, one at a time.

use std::sync::Arc;

use sqlx::{AnyConnection, AnyPool};
use tokio::sync::{Notify, oneshot};

use super::UnixMs;
use super::queue::{Entry, Queue, Report};

/// A message to be kept.
#[derive(Clone, Debug)]
pub(crate) struct NewMessage {
    /// The same in every attempt.
    pub(crate) message_id: String,
    /// Where to, in the words of whoever delivers it.
    pub(crate) endpoint: Arc<str>,
    pub(crate) body: Arc<str>,
}

/// A message that is due.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct OutboxMessage {
    pub(crate) id: i64,
    pub(crate) message_id: String,
    pub(crate) endpoint: String,
    pub(crate) room_session_id: String,
    /// Name of the event.
    pub(crate) event: String,
    pub(crate) body: String,
    pub(crate) created_at: UnixMs,
    /// Failed attempts so far.
    pub(crate) attempts: i64,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is there: the message goes.
    Delivered,
    /// Not now.
    Retry { at: UnixMs, error: String },
    /// Never; it stays to be looked at, and no longer holds up its lane.
    Dead { error: String },
}

/// The storage did not take it; the message will be due again.
#[derive(Debug, thiserror::Error)]
#[error("the storage is busy")]
pub(crate) struct Busy;

/// What delivers messages works with this.
#[derive(Clone)]
pub(crate) struct Outbox {
    pub(super) reader: AnyPool,
    pub(super) queue: Queue,
    /// Told by the writer after a commit that added messages.
    pub(super) added: Arc<Notify>,
}

impl Outbox {
    /// The first message of each lane whose time has come, the longest due first.
    pub(crate) async fn due(&self, now: UnixMs, limit: i64) -> sqlx::Result<Vec<OutboxMessage>> {
        sqlx::query_as(
            "SELECT id, message_id, endpoint, room_session_id, event, body, created_at, attempts FROM outbox \
             WHERE dead = 0 AND due_at <= $1 AND NOT EXISTS (SELECT 1 FROM outbox AS ahead \
             WHERE ahead.endpoint = outbox.endpoint AND ahead.room_session_id = outbox.room_session_id \
             AND ahead.dead = 0 AND ahead.id < outbox.id) ORDER BY due_at, id LIMIT $2",
        )
        .bind(now)
        .bind(limit)
        .fetch_all(&self.reader)
        .await
    }

    /// When the first message of any lane is due; `None` when there is none.
    pub(crate) async fn next_due(&self) -> sqlx::Result<Option<UnixMs>> {
        sqlx::query_scalar(
            "SELECT MIN(due_at) FROM outbox WHERE dead = 0 AND NOT EXISTS (SELECT 1 FROM outbox AS ahead \
             WHERE ahead.endpoint = outbox.endpoint AND ahead.room_session_id = outbox.room_session_id \
             AND ahead.dead = 0 AND ahead.id < outbox.id)",
        )
        .fetch_one(&self.reader)
        .await
    }

    /// Until messages were added since the last wait.
    pub(crate) async fn added(&self) {
        self.added.notified().await;
    }

    /// Writes down what became of an attempt; returns when that is committed.
    pub(crate) async fn settle(&self, id: i64, outcome: Outcome) -> Result<(), Busy> {
        let (done, committed) = oneshot::channel();
        self.queue.push(Entry::Settle { id, outcome, done });
        committed.await.map_err(|_| Busy)
    }
}

/// Keeps the messages of a report.
pub(super) async fn add(to: &mut AnyConnection, report: &Report, at: UnixMs) -> sqlx::Result<()> {
    for (id, message) in (report.first_message..).zip(&report.messages) {
        // A repetition of a commit whose answer was lost finds them there.
        sqlx::query(
            "INSERT INTO outbox (id, message_id, endpoint, room_session_id, event, body, created_at, attempts, \
             due_at, dead) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $7, 0) ON CONFLICT (id) DO NOTHING",
        )
        .bind(id)
        .bind(&*message.message_id)
        .bind(&*message.endpoint)
        .bind(report.session.id.as_str())
        .bind(report.event.kind.name())
        .bind(&*message.body)
        .bind(at)
        .execute(&mut *to)
        .await?;
    }
    Ok(())
}

/// Writes down what became of an attempt.
pub(super) async fn settle(to: &mut AnyConnection, id: i64, outcome: &Outcome) -> sqlx::Result<()> {
    let query = match outcome {
        Outcome::Delivered => sqlx::query("DELETE FROM outbox WHERE id = $1").bind(id),
        Outcome::Retry { at, error } => sqlx::query(
            "UPDATE outbox SET attempts = attempts + 1, due_at = $2, last_error = $3 WHERE id = $1",
        )
        .bind(id)
        .bind(*at)
        .bind(&**error),
        Outcome::Dead { error } => {
            sqlx::query("UPDATE outbox SET attempts = attempts + 1, dead = 1, last_error = $2 WHERE id = $1")
                .bind(id)
                .bind(&**error)
        }
    };
    query.execute(to).await.map(drop)
}

/// The id for the next message.
pub(super) async fn next_id(of: &mut AnyConnection) -> sqlx::Result<i64> {
    let last: Option<i64> = sqlx::query_scalar("SELECT MAX(id) FROM outbox").fetch_one(of).await?;
    Ok(last.unwrap_or(0) + 1)
}
