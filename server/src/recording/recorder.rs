//! The thread of one recording: takes what the room gives until it is stopped, then finishes the file.
//!
//! in:  its mailbox
//! out: parts, each by a child of its own; news for the room; the finished file
//!
//! A child that dies, or takes nothing, is followed by another, which writes the next part from a key frame on: what is
//! missing between them is told.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use control_api::{RecordingEvent, RecordingId};
use media_core::room::Recorded;
use tokio::sync::mpsc;

use super::child::{ChildError, PartWriter};
use super::feed::{Inbox, Mail};
use super::finish::finish;
use super::keeper::{Keeper, is_full};
use super::muxer::{Muxer, PictureFormat};
use super::record::{self, Process, Reason, Record, Status};
use super::{Shared, child};
use crate::storage::UnixMs;

/// Children of one recording that may die before it is given up. A disk that is full is found at once.
const DEATHS_MAX: u32 = 5;

/// Why a recording did not begin.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotBegun {
    #[error(transparent)]
    Child(#[from] ChildError),
    #[error("there is too little free space for recordings")]
    DiskFull,
    #[error("recordings cannot be stored: {0}")]
    Folder(#[from] std::io::Error),
}

/// See the module.
pub(super) struct Recorder {
    shared: Arc<Shared>,
    record: Record,
    inbox: Inbox,
    news: mpsc::Sender<RecordingEvent>,
    format: PictureFormat,
    muxer: Muxer,
    writer: PartWriter,
    keeper: Keeper,
    /// Of parts that are done.
    written: Duration,
    /// When the last thing was written that the part before has, while the next one has nothing.
    cut_at: Option<Instant>,
    last_at: Option<Instant>,
}

/// Runs a recording from its beginning to its finished file.
pub(super) fn run(
    shared: Arc<Shared>,
    record: Record,
    format: PictureFormat,
    inbox: Inbox,
    news: mpsc::Sender<RecordingEvent>,
) {
    let id = RecordingId::new(record.id.as_str());
    match begin(Arc::clone(&shared), record, format, inbox, news.clone()) {
        Ok(mut recorder) => {
            // The room may be over: then its stop is in the mailbox.
            let _ = news.blocking_send(RecordingEvent::Started { id });
            shared.metrics.recordings_active.inc();
            let reason = recorder.record();
            shared.metrics.recordings_active.dec();
            recorder.end(reason);
        }
        Err(error) => {
            tracing::warn!(%error, "a recording did not begin");
            shared.metrics.recording_failures.with_label_values(&["start"]).inc();
            let _ = news.blocking_send(RecordingEvent::Failed { id, why: error.to_string() });
        }
    }
}

fn begin(
    shared: Arc<Shared>,
    mut record: Record,
    format: PictureFormat,
    inbox: Inbox,
    news: mpsc::Sender<RecordingEvent>,
) -> Result<Recorder, NotBegun> {
    child::find(&shared.rules.ffmpeg)?;
    if is_full(&shared.folder, shared.rules.min_free) {
        return Err(NotBegun::DiskFull);
    }
    record.parts = 1;
    let (part, log) = (shared.folder.part(&record.id, 1), shared.folder.log(&record.id));
    let keeper = Keeper::start(shared.folder.clone(), shared.rules.min_free, Arc::clone(&shared.metrics))?;
    let writer = PartWriter::start(&shared.rules.ffmpeg, &part, &log)?;
    record.writer = Process::of(writer.id());
    if let Err(error) = shared.folder.save(&record) {
        // Nobody would ever find its file.
        writer.kill();
        record::remove(&part)?;
        return Err(error.into());
    }
    shared.shelf.put(record.clone());
    keeper.look_after(part);
    tracing::info!(id = record.id, room = record.room_name, "recording begins");
    let muxer = Muxer::new(format);
    let (written, cut_at, last_at) = (Duration::ZERO, None, None);
    Ok(Recorder { shared, record, inbox, news, format, muxer, writer, keeper, written, cut_at, last_at })
}

impl Recorder {
    /// Until it ends; says why.
    fn record(&mut self) -> Reason {
        loop {
            let Some(mail) = self.inbox.next() else { return Reason::Stopped };
            match mail {
                Mail::Stop => return Reason::Stopped,
                Mail::Pause => {
                    self.muxer.pause();
                    self.show(Status::Paused);
                }
                Mail::Resume(at) => {
                    self.muxer.resume(at);
                    self.show(Status::Recording);
                }
                Mail::PicturesLost => self.muxer.pictures_lost(),
                Mail::Piece(piece) => {
                    if let Err(reason) = self.take(&piece) {
                        return reason;
                    }
                }
            }
            if self.keeper.is_full() {
                return Reason::DiskFull;
            }
        }
    }

    fn take(&mut self, piece: &Recorded) -> Result<(), Reason> {
        let bytes = self.muxer.take(piece);
        if bytes.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.writer.write(bytes) {
            tracing::warn!(id = self.record.id, %error, "what writes a recording has ended");
            return self.next_part();
        }
        self.last_at = Some(piece.at);
        if let Some(cut_at) = self.cut_at.take() {
            let missing = piece.at.saturating_duration_since(cut_at);
            let id = RecordingId::new(self.record.id.as_str());
            // The room is told while it takes news; when it is over nobody asks.
            let _ = self.news.try_send(RecordingEvent::Gap { id, missing });
        }
        Ok(())
    }

    /// After a death: another child, from the next key frame on.
    fn next_part(&mut self) -> Result<(), Reason> {
        if is_full(&self.shared.folder, self.shared.rules.min_free) {
            return Err(Reason::DiskFull);
        }
        if self.record.parts > DEATHS_MAX {
            return Err(Reason::Crash);
        }
        self.record.parts += 1;
        self.shared.metrics.recording_restarts.inc();
        let part = self.part();
        let log = self.shared.folder.log(&self.record.id);
        let next = PartWriter::start(&self.shared.rules.ffmpeg, &part, &log).map_err(|error| {
            tracing::error!(id = self.record.id, %error, "a recording cannot go on");
            Reason::Error
        })?;
        std::mem::replace(&mut self.writer, next).kill();
        self.written += self.muxer.written();
        self.muxer = Muxer::new(self.format);
        self.cut_at = self.cut_at.or(self.last_at);
        self.record.writer = Process::of(self.writer.id());
        self.shared.keep(&self.record);
        self.keeper.look_after(part);
        Ok(())
    }

    fn part(&self) -> PathBuf {
        self.shared.folder.part(&self.record.id, self.record.parts)
    }

    fn show(&mut self, status: Status) {
        self.record.status = status;
        self.record.updated_at = UnixMs::now().0;
        self.shared.shelf.put(self.record.clone());
    }

    fn end(self, reason: Reason) {
        let Self { shared, mut record, news, muxer, writer, keeper, written, .. } = self;
        if reason != Reason::Stopped {
            shared.metrics.recording_failures.with_label_values(&[reason.name()]).inc();
            let id = RecordingId::new(record.id.as_str());
            let _ = news.blocking_send(RecordingEvent::Ended { id, why: reason.wire() });
        }
        let now = UnixMs::now().0;
        let written = written + muxer.written();
        record.status = Status::Processing;
        record.reason = Some(reason);
        record.finished_at = Some(now);
        record.updated_at = now;
        record.duration_ms = Some(u64::try_from(written.as_millis()).unwrap_or(u64::MAX));
        shared.keep(&record);
        // How much of what it was given is in the file is seen there.
        let all_is_well = writer.finish();
        drop(keeper);
        finish(&shared, &mut record, all_is_well.then_some(written));
    }
}
