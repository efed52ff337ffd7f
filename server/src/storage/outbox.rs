//! Messages that must leave this server, kept until they have.
//!
//! in:  messages written with the event they tell of; what became of an attempt
//! out: the lanes of an endpoint and when they are due, the messages of a lane
//!
//! A lane is one endpoint and one room session; its messages leave in order, one at a time.

use std::future::Future;
use std::sync::Arc;

use sqlx::{AnyConnection, AnyPool};
use tokio::sync::{oneshot, watch};

use super::query::Query;
use super::queue::{Entry, Report};
use super::{Storage, UnixMs};

/// A message to be kept.
#[derive(Clone, Debug)]
pub(crate) struct NewMessage {
    /// The same in every attempt.
    pub(crate) message_id: String,
    /// Where to, in the words of whoever delivers it.
    pub(crate) endpoint: Arc<str>,
    pub(crate) body: Arc<str>,
}

/// A room session's messages to one endpoint.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Lane {
    pub(crate) room_session_id: String,
    /// When its first message is.
    pub(crate) due_at: UnixMs,
}

/// A message that waits.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct OutboxMessage {
    pub(crate) id: i64,
    pub(crate) message_id: String,
    pub(crate) body: String,
    pub(crate) created_at: UnixMs,
    /// Failed attempts so far.
    pub(crate) attempts: i64,
}

/// What all lanes of all endpoints hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Waiting {
    pub(crate) messages: i64,
    /// When the first of them was written.
    pub(crate) oldest: Option<UnixMs>,
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
    storage: Storage,
}

impl Outbox {
    pub(super) fn new(storage: Storage) -> Self {
        Self { storage }
    }

    fn reader(&self) -> &AnyPool {
        self.storage.reader()
    }

    /// Lanes of an endpoint, the longest due first, those that are not due yet at the end.
    pub(crate) async fn lanes(&self, endpoint: &str, limit: i64) -> sqlx::Result<Vec<Lane>> {
        sqlx::query_as(
            "SELECT room_session_id, due_at FROM outbox WHERE id IN (SELECT MIN(id) FROM outbox \
             WHERE endpoint = $1 AND dead = 0 GROUP BY room_session_id) ORDER BY due_at, id LIMIT $2",
        )
        .bind(endpoint)
        .bind(limit)
        .fetch_all(self.reader())
        .await
    }

    /// The first messages of a lane, in their order.
    pub(crate) async fn lane(
        &self,
        endpoint: &str,
        room_session_id: &str,
        limit: i64,
    ) -> sqlx::Result<Vec<OutboxMessage>> {
        sqlx::query_as(
            "SELECT id, message_id, body, created_at, attempts FROM outbox \
             WHERE endpoint = $1 AND room_session_id = $2 AND dead = 0 ORDER BY id LIMIT $3",
        )
        .bind(endpoint)
        .bind(room_session_id)
        .bind(limit)
        .fetch_all(self.reader())
        .await
    }

    /// Changes with every commit that adds messages.
    pub(crate) fn added(&self) -> watch::Receiver<()> {
        self.storage.added.subscribe()
    }

    /// Writes down what became of an attempt, in the order of the calls; the future waits for the commit.
    pub(crate) fn settle(
        &self,
        id: i64,
        outcome: Outcome,
    ) -> impl Future<Output = Result<(), Busy>> + Send + use<> {
        let (done, committed) = oneshot::channel();
        self.storage.queue.push(Entry::Settle { id, outcome, done });
        async { committed.await.map_err(|_| Busy) }
    }

    /// What is on its way.
    pub(crate) async fn waiting(&self) -> sqlx::Result<Waiting> {
        sqlx::query_as(
            "SELECT COUNT(*) AS messages, (SELECT created_at FROM outbox WHERE dead = 0 ORDER BY id LIMIT 1) \
             AS oldest FROM outbox WHERE dead = 0",
        )
        .fetch_one(self.reader())
        .await
    }

    /// Gives up what is for other endpoints than these; gives how many messages.
    pub(crate) async fn give_up_others(&self, endpoints: &[Arc<str>]) -> sqlx::Result<u64> {
        let mut others =
            Query::new("UPDATE outbox SET dead = 1, last_error = 'no such endpoint' WHERE dead = 0");
        for endpoint in endpoints {
            others = others.add(" AND endpoint <> ").value(endpoint.to_string());
        }
        let mut transaction = self.storage.begin().await?;
        let given_up = others.execute(&mut transaction).await?;
        transaction.commit().await?;
        Ok(given_up)
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
