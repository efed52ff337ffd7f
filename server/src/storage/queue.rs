//! The way from rooms to the writer: a queue that nobody waits at.
//!
//! in:  what rooms report, what happened to messages
//! out: the same in order, or a count of what found no place
//!
//! What when full, from the least to the most important:
//!
//! | entry | finds no place when |
//! |---|---|
//! | any other event, with its messages | [`ROWS`] entries or [`BYTES`] wait |
//! | who came and went, beginning and end, with their messages; what became of a message | [`ROWS`] + [`RESERVE`] entries or [`NEEDED_BYTES`] wait |
//!
//! From [`ROWS`] on the queue is *pressed*, and commands that would make messages are answered *busy*: what still comes
//! is what happens by itself, at most a departure of everybody and the end of every room, which the reserve holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use control_api::{Event, EventKind};
use tokio::sync::{mpsc, oneshot};

use super::history::SessionInfo;
use super::outbox::{NewMessage, Outcome};
use crate::http::Metrics;

/// Some seconds of the busiest server.
pub(super) const ROWS: usize = 10_000;

/// Departures of all that 4096 connections can be, and the ends of their rooms, twice over.
const RESERVE: usize = 20_000;

/// Of events' text that waits.
const BYTES: usize = 64 << 20;

/// The same with what the reserve holds.
const NEEDED_BYTES: usize = 4 * BYTES;

/// What the writer is given.
#[derive(Debug)]
pub(super) enum Entry {
    Event(Report),
    Settle { id: i64, outcome: Outcome, done: oneshot::Sender<()> },
}

/// One event of a room session.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) session: Arc<SessionInfo>,
    pub(super) event: Arc<Event>,
    pub(super) messages: Vec<NewMessage>,
    /// Given by the writer when it takes the report: the id of its first message; the others follow.
    pub(super) first_message: i64,
}

impl Report {
    /// Without it the history would be wrong, not only shorter.
    fn is_needed(&self) -> bool {
        matches!(
            self.event.kind,
            EventKind::RoomStarted | EventKind::RoomEnded | EventKind::MemberJoined | EventKind::MemberLeft
        )
    }
}

impl Entry {
    fn bytes(&self) -> usize {
        match self {
            Self::Event(report) => {
                let bodies = report.messages.iter().map(|message| message.body.len());
                report.event.params.len() + bodies.sum::<usize>()
            }
            Self::Settle { .. } => 0,
        }
    }

    fn is_needed(&self) -> bool {
        match self {
            Self::Event(report) => report.is_needed(),
            Self::Settle { .. } => true,
        }
    }

    /// How its loss is counted.
    fn label(&self) -> &'static str {
        match self {
            Self::Settle { .. } => "needed",
            Self::Event(report) if report.is_needed() => "needed",
            Self::Event(report) if !report.messages.is_empty() => "message",
            Self::Event(_) => "event",
        }
    }
}

/// Makes both ends.
pub(super) fn queue(metrics: Arc<Metrics>) -> (Queue, Inbox) {
    let (sender, receiver) = mpsc::channel(ROWS + RESERVE);
    let load = Arc::new(Load::default());
    let queue = Queue { sender, load: Arc::clone(&load), metrics: Arc::clone(&metrics) };
    (queue, Inbox { receiver, load, metrics })
}

#[derive(Debug, Default)]
struct Load {
    bytes: AtomicUsize,
    /// Rows were dropped since the queue was last empty.
    dropping: AtomicBool,
}

/// Where entries go in.
#[derive(Clone)]
pub(super) struct Queue {
    sender: mpsc::Sender<Entry>,
    load: Arc<Load>,
    metrics: Arc<Metrics>,
}

impl Queue {
    /// Takes the entry if there is place for one of its importance; else counts it.
    pub(super) fn push(&self, entry: Entry) {
        let (bytes, needed, label) = (entry.bytes(), entry.is_needed(), entry.label());
        let bound = if needed { NEEDED_BYTES } else { BYTES };
        let too_long = bytes > 0 && self.load.bytes.load(Ordering::Relaxed) + bytes > bound;
        if too_long || (self.is_pressed() && !needed) {
            return self.drop_one(label);
        }
        self.load.bytes.fetch_add(bytes, Ordering::Relaxed);
        if self.sender.try_send(entry).is_err() {
            self.load.bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.drop_one(label);
        }
        self.metrics.storage_queue.set(i64::try_from(self.waiting()).unwrap_or(i64::MAX));
    }

    /// So much waits that nothing should be done that makes more.
    pub(super) fn is_pressed(&self) -> bool {
        self.waiting() >= ROWS
    }

    fn waiting(&self) -> usize {
        self.sender.max_capacity() - self.sender.capacity()
    }

    fn drop_one(&self, kind: &str) {
        self.metrics.storage_dropped.with_label_values(&[kind]).inc();
        if !self.load.dropping.swap(true, Ordering::Relaxed) {
            tracing::warn!("history is incomplete from now: the database is slower than what happens");
        }
    }
}

/// Where the writer takes them out.
pub(super) struct Inbox {
    receiver: mpsc::Receiver<Entry>,
    load: Arc<Load>,
    metrics: Arc<Metrics>,
}

impl Inbox {
    /// Waits for entries and adds up to `limit`; adds none when no more can come.
    pub(super) async fn take(&mut self, into: &mut Vec<Entry>, limit: usize) {
        let known = into.len();
        self.receiver.recv_many(into, limit).await;
        self.took(into.get(known..).unwrap_or_default());
    }

    /// Adds what is there, until there are `limit`.
    pub(super) fn take_waiting(&mut self, into: &mut Vec<Entry>, limit: usize) {
        let known = into.len();
        while into.len() < limit {
            match self.receiver.try_recv() {
                Ok(entry) => into.push(entry),
                Err(_) => break,
            }
        }
        self.took(into.get(known..).unwrap_or_default());
    }

    fn took(&self, entries: &[Entry]) {
        let bytes = entries.iter().map(Entry::bytes).sum();
        self.load.bytes.fetch_sub(bytes, Ordering::Relaxed);
        let waiting = self.receiver.len();
        self.metrics.storage_queue.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        if waiting == 0 && self.load.dropping.swap(false, Ordering::Relaxed) {
            tracing::info!("history is complete again");
        }
    }

    /// Takes no more from outside; what waits can still be taken.
    pub(super) fn close(&mut self) {
        self.receiver.close();
    }

    pub(super) fn waiting(&self) -> usize {
        self.receiver.len()
    }
}
