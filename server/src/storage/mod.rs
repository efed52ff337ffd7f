//! What outlives the process: rooms, the history of their sessions, messages on their way out.
//!
//! in:  events of rooms, resources of REST
//! out: rows that answer REST, messages that are due
//!
//! ```text
//!   room tasks ──try──► queue ──► writer: one transaction per ≤ 50 ms ──► database ◄── readers: REST
//! ```
//!
//! A SQLite file or PostgreSQL, by the same statements and the same migrations. Rooms never wait for it: what they
//! report goes into a bounded queue.

mod database;
mod query;
mod time;

use sqlx::{Any, AnyPool, Transaction};

pub(crate) use database::{Place, StorageError};
#[allow(unused_imports, reason = "its callers land after it")]
pub(crate) use query::{Cursor, Query};
pub(crate) use time::UnixMs;

use database::Database;

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
}

impl Storage {
    /// Opens the database; makes it and brings its tables up to date where needed.
    pub(crate) async fn open(place: Place) -> Result<Self, StorageError> {
        let database = Database::open(place).await?;
        tracing::info!(database = %database.place(), "storage is open");
        Ok(Self { readers: database.pool(READERS), writers: database.pool(WRITERS), database })
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
}
