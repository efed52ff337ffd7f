//! Looks after the file that a child writes: what it holds is on the disk, and the disk has room.
//!
//! in:  the file's name; the passing of time
//! out: `fdatasync` every four seconds, bytes for the metric, an alarm when the disk is full
//!
//! A thread of its own, because a slow disk may hold it up for long: neither the recorder nor a room waits for it.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};

use super::record::Folder;
use crate::http::Metrics;

/// Between two looks at the disk.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Looks from one `fdatasync` to the next.
const SYNC_LOOKS: u32 = 4;

/// Less is full, whatever is configured: what is known of recordings must find place.
const FULL: u64 = 1 << 20;

/// Ends when it is dropped.
pub(super) struct Keeper {
    parts: Sender<PathBuf>,
    is_full: Arc<AtomicBool>,
}

impl Keeper {
    pub(super) fn start(folder: Folder, min_free: u64, metrics: Arc<Metrics>) -> std::io::Result<Self> {
        let (parts, inbox) = unbounded();
        let is_full = Arc::new(AtomicBool::new(false));
        let alarm = Arc::clone(&is_full);
        std::thread::Builder::new()
            .name("recording-disk".to_owned())
            .spawn(move || run(&inbox, &folder, min_free, &alarm, &metrics))?;
        Ok(Self { parts, is_full })
    }

    /// Another part is written from now on.
    pub(super) fn look_after(&self, part: PathBuf) {
        let _ = self.parts.send(part);
    }

    pub(super) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }
}

/// Whether there is no place for a recording. A disk that does not say is taken for one with place.
pub(super) fn is_full(folder: &Folder, min_free: u64) -> bool {
    folder.free().is_ok_and(|free| free < min_free.max(FULL))
}

fn run(parts: &Receiver<PathBuf>, folder: &Folder, min_free: u64, alarm: &AtomicBool, metrics: &Metrics) {
    let mut kept: Option<Kept> = None;
    let mut looks = 0_u32;
    loop {
        match parts.recv_timeout(LOOK_EVERY) {
            Ok(path) => kept = Some(Kept { path, file: None, size: 0 }),
            Err(RecvTimeoutError::Timeout) => {
                looks = looks.wrapping_add(1);
                if is_full(folder, min_free) {
                    alarm.store(true, Ordering::Relaxed);
                }
                if let Some(kept) = &mut kept {
                    kept.look(folder, metrics, looks.is_multiple_of(SYNC_LOOKS));
                }
            }
            Err(RecvTimeoutError::Disconnected) => {
                if let Some(kept) = &mut kept {
                    kept.look(folder, metrics, false);
                }
                return;
            }
        }
    }
}

/// A part that is written.
struct Kept {
    path: PathBuf,
    file: Option<File>,
    size: u64,
}

impl Kept {
    fn look(&mut self, folder: &Folder, metrics: &Metrics, sync: bool) {
        if self.file.is_none() {
            // Not there before the first key frame.
            let Ok(file) = File::open(&self.path) else { return };
            self.file = Some(file);
            if let Err(error) = folder.sync() {
                tracing::warn!(%error, "the folder of recordings cannot be synced");
            }
        }
        let Some(file) = &self.file else { return };
        if let Ok(size) = file.metadata().map(|known| known.len()) {
            metrics.recording_bytes.inc_by(size.saturating_sub(self.size));
            self.size = size;
        }
        if sync && let Err(error) = file.sync_data() {
            tracing::warn!(%error, "a recording cannot be synced");
        }
    }
}
