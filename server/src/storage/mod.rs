//! What outlives the process: rooms, the history of their sessions, messages on their way out.
//!
//! in:  events of rooms, resources of REST
//! out: rows that answer REST, messages that are due
//!
//! ```text
//!   room tasks ──try──► queue ──► writer: one transaction per ≤ 50 ms ──► database ◄── readers: REST, delivery
//! ```
//!
//! A SQLite file or PostgreSQL, by the same statements and the same migrations. Rooms never wait for it: what they
//! report goes into a bounded queue, or is counted as lost (see [`queue`]). One database belongs to one server.

mod database;
mod query;
mod time;

mod history;
mod outbox;
pub(crate) mod sessions;

mod conferences;
mod project_layouts;
mod rooms;
mod streams;

mod heartbeat;
mod queue;
mod retention;
mod running;
mod writer;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use sqlx::{Any, AnyPool, Transaction};
use tokio::sync::watch;
use tokio::time::timeout;

pub(crate) use database::{Place, StorageError};
pub(crate) use history::{RoomHistory, SessionInfo};
pub(crate) use outbox::{Lane, NewMessage, Outbox, OutboxMessage, Outcome};
pub(crate) use query::{Cursor, Page, Slice, Turn};
pub(crate) use time::UnixMs;

use crate::http::Metrics;
use database::Database;
use queue::Queue;
use writer::Writer;

/// Readers beside the writer: REST is asked by few at a time.
const READERS: u32 = 8;

/// Writers of resources beside the writer of history.
const WRITERS: u32 = 2;

/// The open database. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Storage {
    database: Database,
    readers: AnyPool,
    writers: AnyPool,
    queue: Queue,
    /// Changed by the writer after a commit that added messages.
    added: Arc<watch::Sender<()>>,
    /// Received by the writer alone, so its receivers are gone when the writer has ended.
    closing: Arc<watch::Sender<()>>,
}

impl Storage {
    /// Opens the database, makes it and brings its tables up to date where needed, ends what a crash cut off, and starts
    /// the writer.
    pub(crate) async fn open(place: Place, metrics: Arc<Metrics>) -> Result<Self, StorageError> {
        let database = Database::open(place).await?;
        let (ended, next_message) = take_over(&database).await.map_err(|source| database.error(source))?;
        tracing::info!(database = %database.place(), "storage is open");
        if ended > 0 {
            tracing::warn!(sessions = ended, "ended what the last run of the server left open");
        }
        let (queue, inbox) = queue::queue(Arc::clone(&metrics));
        let (closing, close) = watch::channel(());
        let added = Arc::new(watch::Sender::new(()));
        let writer = Writer::new(database.clone(), inbox, close, Arc::clone(&added), metrics, next_message);
        tokio::spawn(writer.run());
        Ok(Self {
            readers: database.pool(READERS),
            writers: database.pool(WRITERS),
            database,
            queue,
            added,
            closing: Arc::new(closing),
        })
    }

    /// Writes what was reported until now, and takes no more. Gives up after `patience`: the next start then ends what is
    /// still open.
    pub(crate) async fn close(&self, patience: Duration) {
        self.closing.send_replace(());
        if timeout(patience, self.closing.closed()).await.is_err() {
            tracing::warn!("the history of the last moments is not written");
        }
    }

    /// Deletes history so long after it ended, from now on.
    pub(crate) fn keep_for(&self, time: Duration) {
        tokio::spawn(retention::run(self.clone(), time));
    }

    /// For queries.
    pub(crate) fn reader(&self) -> &AnyPool {
        &self.readers
    }

    /// A transaction that writes a resource. On SQLite one such transaction runs at a time: keep it short, and wait in
    /// it for nothing else.
    pub(crate) async fn begin(&self) -> sqlx::Result<Transaction<'static, Any>> {
        self.writers.begin_with(self.database.begin()).await
    }

    /// What a room session reports to.
    pub(crate) fn room(&self, session: SessionInfo) -> RoomHistory {
        RoomHistory::new(session, self.queue.clone())
    }

    /// So much waits to be written that a command which makes messages should be answered *busy*.
    pub(crate) fn is_pressed(&self) -> bool {
        self.queue.is_pressed()
    }

    /// Messages on their way out.
    pub(crate) fn outbox(&self) -> Outbox {
        Outbox::new(self.clone())
    }
}

/// What must be done before the writer begins.
async fn take_over(database: &Database) -> sqlx::Result<(usize, i64)> {
    let mut connection = database.connect().await?;
    let ended = heartbeat::end_cut_off(&mut connection, database.begin()).await?;
    let next_message = outbox::next_id(&mut connection).await?;
    Ok((ended, next_message))
}
