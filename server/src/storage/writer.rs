//! The one task that writes history and messages: many rows in one transaction.
//!
//! in:  entries of the queue, the passing of time
//! out: commits; who waits for one is told after it
//!
//! The first entry waits at most [`GATHER`] for others, so a commit comes within 50 ms of what it holds. While the
//! database cannot be written the writer keeps its batch and tries again; the queue fills meanwhile. A row that can
//! never be stored is found by halving the batch, and left out.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::{AnyConnection, Connection};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::database::{Database, Fault, fault};
use super::history::end_session;
use super::queue::{Entry, Inbox};
use super::running::Running;
use super::{UnixMs, heartbeat, outbox};
use crate::http::Metrics;

/// How long the first row of a transaction waits for others; the rest of 50 ms is for the commit itself.
const GATHER: Duration = Duration::from_millis(25);

/// Rows of one transaction: at 0.1 ms each it holds nobody up.
const BATCH: usize = 500;

/// How exactly the end of a session is known that a crash cut off.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// Longest a transaction may take on PostgreSQL, which may be gone without a word.
const COMMIT_TIME: Duration = Duration::from_secs(10);

/// Pauses between attempts, doubled from the first to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

pub(super) struct Writer {
    pub(super) database: Database,
    pub(super) connection: Option<AnyConnection>,
    pub(super) inbox: Inbox,
    pub(super) closing: watch::Receiver<()>,
    pub(super) added: Arc<watch::Sender<()>>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) next_message: i64,
    running: Running,
    is_down: bool,
}

impl Writer {
    pub(super) fn new(
        database: Database,
        inbox: Inbox,
        closing: watch::Receiver<()>,
        added: Arc<watch::Sender<()>>,
        metrics: Arc<Metrics>,
        next_message: i64,
    ) -> Self {
        metrics.storage_up.set(1);
        Self {
            database,
            connection: None,
            inbox,
            closing,
            added,
            metrics,
            next_message,
            running: Running::default(),
            is_down: false,
        }
    }

    /// Until it is told to close and has written all that was reported before.
    pub(super) async fn run(mut self) {
        let mut beat = interval(HEARTBEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::new();
        let mut closing = false;
        loop {
            tokio::select! {
                biased;
                _ = self.closing.changed(), if !closing => {
                    closing = true;
                    self.inbox.close();
                    continue;
                }
                () = self.inbox.take(&mut batch, BATCH) => {
                    if batch.is_empty() {
                        break;
                    }
                    if !closing {
                        sleep(GATHER).await;
                    }
                    self.inbox.take_waiting(&mut batch, BATCH);
                }
                _ = beat.tick() => {
                    if self.running.is_empty() {
                        continue;
                    }
                }
            }
            self.number_messages(&mut batch);
            self.store(&batch).await;
            self.committed(batch.drain(..));
        }
        // Rooms that did not end in time end with the process. If that cannot be written, the next start does it.
        self.running.give_up();
        if !self.running.is_empty()
            && let Err(error) = self.commit(&[]).await
        {
            tracing::warn!(%error, "sessions stay open until the next start");
        }
        if let Some(connection) = self.connection.take() {
            let _ = connection.close().await;
        }
    }

    fn number_messages(&mut self, batch: &mut [Entry]) {
        for entry in batch {
            if let Entry::Event(report) = entry {
                report.first_message = self.next_message;
                self.next_message += i64::try_from(report.messages.len()).unwrap_or(0);
            }
        }
    }

    /// Writes all entries but those that can never be stored, however long the database takes to come back.
    async fn store(&mut self, batch: &[Entry]) {
        let mut parts = vec![batch];
        let mut pause = PAUSES.0;
        while let Some(part) = parts.pop() {
            match self.commit(part).await {
                Ok(()) => {
                    self.is_up();
                    pause = PAUSES.0;
                }
                Err(error) if fault(&error) == Fault::Row && part.len() > 1 => {
                    self.connection = None;
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
                Err(error) if fault(&error) == Fault::Row => {
                    self.connection = None;
                    self.metrics.storage_dropped.with_label_values(&["unstorable"]).inc();
                    tracing::error!(%error, "a row of history cannot be stored");
                }
                Err(error) => {
                    self.connection = None;
                    self.went_down(&error);
                    parts.push(part);
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
        }
    }

    async fn commit(&mut self, part: &[Entry]) -> sqlx::Result<()> {
        let begin = Instant::now();
        let committed = if self.database.is_file() {
            // Not given up half-way: SQLite's thread would go on by itself. How long it waits for a lock is bounded.
            self.transact(part).await
        } else {
            timeout(COMMIT_TIME, self.transact(part)).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
        };
        self.metrics.storage_commit_seconds.observe(begin.elapsed().as_secs_f64());
        committed
    }

    async fn transact(&mut self, part: &[Entry]) -> sqlx::Result<()> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.database.connect_writer().await?,
        };
        let mut transaction = connection.begin_with(self.database.begin()).await?;
        let mut begun = HashSet::new();
        for entry in part {
            match entry {
                Entry::Event(report) => self.running.write(&mut transaction, report, &mut begun).await?,
                Entry::Settle { id, outcome, .. } => outbox::settle(&mut transaction, *id, outcome).await?,
            }
        }
        let now = UnixMs::now();
        let gone = self.running.gone();
        for id in &gone {
            end_session(&mut transaction, id.as_str(), now).await?;
        }
        heartbeat::write(&mut transaction, now).await?;
        transaction.commit().await?;
        self.running.forget(&gone);
        self.connection = Some(connection);
        Ok(())
    }

    /// What was written is known, and who waited for it is told.
    fn committed(&mut self, entries: impl Iterator<Item = Entry>) {
        let mut messages = false;
        for entry in entries {
            match entry {
                Entry::Event(report) => {
                    messages |= !report.messages.is_empty();
                    self.running.remember(&report);
                }
                // Nobody waits any more: the message is due again, and settled again.
                Entry::Settle { done, .. } => drop(done.send(())),
            }
        }
        if messages {
            self.added.send_replace(());
        }
    }

    fn is_up(&mut self) {
        if std::mem::take(&mut self.is_down) {
            self.metrics.storage_up.set(1);
            tracing::info!("the database can be written again");
        }
    }

    fn went_down(&mut self, error: &sqlx::Error) {
        if !std::mem::replace(&mut self.is_down, true) {
            self.metrics.storage_up.set(0);
            tracing::error!(%error, waiting = self.inbox.waiting(), "the database cannot be written; rooms go on");
        }
    }
}
