//! Recordings: one rendition of a room's canvas and its whole mix in a file that can be played whatever happens.
//!
//! in:  pieces of a room (from its shard thread), orders of the room, what an earlier run left behind
//! out: files in `<data-dir>/recordings`, news for the room, lists and links for REST
//!
//! ```text
//!  shard thread ──Feed──► recorder thread: Muxer ──pipe, Matroska──► ffmpeg ──► <id>.partN.mp4 ──finish──► <id>.mp4
//!       never waits            one per recording                     child         keeper: fdatasync
//! ```
//!
//! Rooms wait for none of this. `record` is what is known of a recording, in a file beside it, and `shelf` all of it in
//! memory: the files alone are the truth, and what was cut off is finished at the next start.

mod avc;
mod child;
mod feed;
mod finish;
mod keeper;
mod matroska;
mod mp4;
mod muxer;
mod record;
mod recorder;
mod shelf;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use control_api::{RecordingEvent, RecordingId};
use media_core::units::Bitrate;
use tokio::sync::mpsc;

pub(crate) use feed::Feed;
use feed::{Mail, Mailbox};
pub(crate) use muxer::PictureFormat;
use record::Folder;
pub(crate) use record::{Reason, Record, Status};
use shelf::Shelf;

use crate::http::Metrics;
use crate::links::{Behind, Links};
use crate::secret_file::{self, SecretError};
use crate::storage::{Cursor, Page, Slice, UnixMs};

/// News that wait for a room: a few per recording.
pub(crate) const NEWS: usize = 64;

/// How recordings are made.
#[derive(Clone, Debug)]
pub(crate) struct RecordingRules {
    /// A path, or a name to be looked for in `PATH`.
    pub(crate) ffmpeg: PathBuf,
    /// Of a canvas of 720p.
    pub(crate) min_bitrate: Bitrate,
    /// With less free space none begins, and those that run end.
    pub(crate) min_free: u64,
}

/// Why recordings cannot be kept at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("recordings in {path}: {source}")]
    Folder { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Secret(#[from] SecretError),
}

/// What a recording is of.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) room_session_id: String,
    pub(crate) room_id: String,
    pub(crate) room_name: String,
    pub(crate) format: PictureFormat,
}

/// All recordings of the server.
pub(crate) struct Recordings {
    shared: Arc<Shared>,
    links: Links,
}

struct Shared {
    folder: Folder,
    rules: RecordingRules,
    shelf: Shelf,
    metrics: Arc<Metrics>,
    /// Held while a file is being finished.
    turn: Mutex<()>,
    running: Running,
}

impl Shared {
    /// What is known of it now, in memory and on the disk.
    fn keep(&self, record: &Record) {
        if let Err(error) = self.folder.save(record) {
            tracing::error!(id = record.id, %error, "what is known of a recording cannot be stored");
        }
        self.shelf.put(record.clone());
    }

    fn finishing(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Threads that record or finish.
#[derive(Default)]
struct Running {
    count: Mutex<usize>,
    changed: Condvar,
}

/// One of them.
struct Run(Arc<Shared>);

impl Run {
    fn new(shared: Arc<Shared>) -> Self {
        *shared.running.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Self(shared)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        *self.0.running.count.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.running.changed.notify_all();
    }
}

/// A recording that runs, for its room. Dropped, it stops.
pub(crate) struct Control(Mailbox);

impl Control {
    pub(crate) fn pause(&self) {
        self.0.order(Mail::Pause);
    }

    pub(crate) fn resume(&self) {
        self.0.order(Mail::Resume(Instant::now()));
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.0.order(Mail::Stop);
    }
}

impl Recordings {
    /// Finds what there is, and begins to finish what the last run left.
    pub(crate) fn open(
        data_dir: &Path,
        rules: RecordingRules,
        metrics: Arc<Metrics>,
    ) -> Result<Self, OpenError> {
        let path = data_dir.join("recordings");
        let told = |source| OpenError::Folder { path: path.clone(), source };
        let folder = Folder::open(path.clone()).map_err(told)?;
        let links =
            Links::new(&secret_file::open_or_make(&data_dir.join("recordings.key"))?, Behind::Recording);
        let records = folder.load().map_err(told)?;
        let shared = Arc::new(Shared {
            folder,
            rules,
            shelf: Shelf::default(),
            metrics,
            turn: Mutex::default(),
            running: Running::default(),
        });
        let mut left = Vec::new();
        for mut record in records {
            if record.status != Status::Completed {
                record.status = Status::Processing;
                left.push(record.clone());
            }
            shared.shelf.put(record);
        }
        if !left.is_empty() {
            tracing::info!(count = left.len(), "finishing recordings that the last run left");
            let run = Run::new(Arc::clone(&shared));
            let recovering = move || left.into_iter().for_each(|record| finish::recover(&run.0, record));
            std::thread::Builder::new().name("recordings".to_owned()).spawn(recovering).map_err(told)?;
        }
        Ok(Self { shared, links })
    }

    /// At least this rate is to be encoded for recordings.
    pub(crate) fn min_bitrate(&self) -> Bitrate {
        self.shared.rules.min_bitrate
    }

    /// Begins one in a thread of its own, which tells what becomes of it.
    pub(crate) fn begin(
        &self,
        id: &RecordingId,
        subject: Subject,
        news: mpsc::Sender<RecordingEvent>,
    ) -> (Feed, Control) {
        let (mailbox, inbox) = feed::mailbox();
        let now = UnixMs::now().0;
        let record = Record {
            id: id.to_string(),
            room_session_id: subject.room_session_id,
            room_id: subject.room_id,
            room_name: subject.room_name,
            status: Status::Recording,
            started_at: now,
            finished_at: None,
            updated_at: now,
            duration_ms: None,
            size: None,
            reason: None,
            parts: 0,
            writer: None,
        };
        let run = Run::new(Arc::clone(&self.shared));
        let (told, format) = (news.clone(), subject.format);
        let recording = move || recorder::run(Arc::clone(&run.0), record, format, inbox, news);
        if let Err(error) = std::thread::Builder::new().name("recording".to_owned()).spawn(recording) {
            let why = format!("a thread for the recording could not be started: {error}");
            // A mailbox that is new has place.
            let _ = told.try_send(RecordingEvent::Failed { id: id.clone(), why });
        }
        (Feed::new(mailbox.clone(), Arc::clone(&self.shared.metrics)), Control(mailbox))
    }

    /// A part of the list, newest first, of one room session or of all.
    pub(crate) fn list(&self, session: Option<&str>, slice: &Slice<Cursor>) -> Page<Record> {
        self.shared.shelf.list(session, slice)
    }

    pub(crate) fn find(&self, id: &str) -> Option<Record> {
        self.shared.shelf.find(id)
    }

    /// Path and query of a link that is good until `expires`, unix seconds.
    pub(crate) fn link(&self, id: &str, expires: u64) -> String {
        self.links.path(id, expires)
    }

    /// The file behind a link, if that is ours and good at `now`, unix seconds.
    pub(crate) fn linked(&self, id: &str, expires: u64, signature: &str, now: u64) -> Option<PathBuf> {
        let record = self.find(id).filter(|_| self.links.is_good(id, expires, signature, now))?;
        (record.status == Status::Completed).then(|| self.shared.folder.finished(&record.id))
    }

    /// Deletes one that is completed, for ever. It waits for the disk.
    pub(crate) fn delete(&self, record: &Record) -> io::Result<()> {
        self.shared.folder.delete(record)?;
        self.shared.shelf.take(&record.id);
        Ok(())
    }

    /// Waits until all that have been stopped are finished. What takes longer than `patience` is finished at the next start.
    pub(crate) fn close(&self, patience: Duration) {
        let running = &self.shared.running;
        let count = running.count.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = running.changed.wait_timeout_while(count, patience, |count| *count > 0);
        if waited.unwrap_or_else(PoisonError::into_inner).1.timed_out() {
            tracing::warn!("recordings are not finished yet; the next start does it");
        }
    }
}
