//! From the parts of a recording that has ended to its file.
//!
//! in:  parts that nobody writes any more
//! out: one file that players can begin before they have all of it; where that cannot be made, the parts as they are
//!
//! Whenever this is cut off, the next start does it again from the parts: they go last.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::record::{Reason, Record, Status, remove};
use super::{Shared, child, mp4};
use crate::storage::UnixMs;

/// The finished file may be longer or shorter by so much than what was written: sound is padded to whole frames.
const TOLERANCE: Duration = Duration::from_secs(1);

/// Makes the file and says what has become of it. `written`: how long it should be, if that is known.
pub(super) fn finish(shared: &Arc<Shared>, record: &mut Record, written: Option<Duration>) {
    let done = make(shared, record, written).unwrap_or_else(|error| {
        tracing::error!(id = record.id, %error, "a recording could not be finished");
        None
    });
    record.status = Status::Completed;
    record.writer = None;
    record.size = Some(done.as_ref().map_or(0, |done| done.size));
    record.duration_ms = done.map(|done| ms(done.duration)).or(record.duration_ms).or(written.map(ms));
    if record.size == Some(0) {
        record.duration_ms = Some(0);
        shared.metrics.recording_failures.with_label_values(&["empty"]).inc();
    }
    record.updated_at = UnixMs::now().0;
    shared.keep(record);
    tracing::info!(
        id = record.id,
        size = record.size,
        duration_ms = record.duration_ms,
        "recording completed"
    );
}

/// What there is now.
struct Done {
    size: u64,
    duration: Duration,
}

fn make(shared: &Arc<Shared>, record: &Record, written: Option<Duration>) -> io::Result<Option<Done>> {
    let folder = &shared.folder;
    let finished = folder.finished(&record.id);
    let parts: Vec<PathBuf> = (1..=record.parts)
        .map(|number| folder.part(&record.id, number))
        .filter(|part| fs::metadata(part).is_ok_and(|known| known.len() > 0))
        .collect();
    let Some(first) = parts.first() else {
        // Cut off when all was done but for saying so, or nothing was ever written.
        return Ok(mp4::look(&finished)
            .ok()
            .flatten()
            .map(|it| Done { size: it.size, duration: it.duration }));
    };
    // One at a time: many rooms may end together.
    let turn = shared.finishing();
    let remade = remake(shared, record, &parts, written);
    drop(turn);
    let done = match remade {
        Ok(done) => {
            fs::rename(folder.draft(&record.id), &finished)?;
            folder.sync()?;
            parts.iter().try_for_each(|part| remove(part))?;
            done
        }
        Err(why) => {
            tracing::warn!(id = record.id, why, "a recording stays as it was written");
            shared.metrics.recording_failures.with_label_values(&["remux"]).inc();
            let size = fs::metadata(first)?.len();
            // Further parts stay beside it under their own names.
            fs::rename(first, &finished)?;
            Done { size, duration: written.unwrap_or_default() }
        }
    };
    for left in [folder.draft(&record.id), folder.list(&record.id), folder.log(&record.id)] {
        remove(&left)?;
    }
    folder.sync()?;
    Ok(Some(done))
}

/// Writes the draft of the finished file.
fn remake(
    shared: &Arc<Shared>,
    record: &Record,
    parts: &[PathBuf],
    written: Option<Duration>,
) -> Result<Done, String> {
    let folder = &shared.folder;
    let draft = folder.draft(&record.id);
    let size: u64 = parts.iter().filter_map(|part| fs::metadata(part).ok()).map(|known| known.len()).sum();
    if folder.free().is_ok_and(|free| free < size + size / 8) {
        return Err("there is no place for a second file".to_owned());
    }
    let (list, log) = (folder.list(&record.id), folder.log(&record.id));
    let told = |error: io::Error| error.to_string();
    if !child::join(&shared.rules.ffmpeg, parts, &list, &draft, &log).map_err(told)? {
        return Err("ffmpeg could not make it anew".to_owned());
    }
    let made = mp4::look(&draft).map_err(told)?.ok_or("what ffmpeg made is no whole file")?;
    if !made.is_fast_start || made.duration.is_zero() {
        return Err(format!("what ffmpeg made is not right: {made:?}"));
    }
    if written.is_some_and(|written| made.duration.abs_diff(written) > TOLERANCE * record.parts.max(1)) {
        return Err(format!("what ffmpeg made is {:?} long, not {written:?}", made.duration));
    }
    File::open(&draft).and_then(|file| file.sync_all()).map_err(told)?;
    Ok(Done { size: made.size, duration: made.duration })
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What the last run of the server left: its child may still be writing.
pub(super) fn recover(shared: &Arc<Shared>, mut record: Record) {
    if let Some(writer) = record.writer {
        child::wait_for_orphan(writer);
    }
    let parts = (1..=record.parts).rev().map(|number| shared.folder.part(&record.id, number));
    let last = parts.filter_map(|part| fs::metadata(part).ok()?.modified().ok()).next();
    let ended = last.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let ended = ended.and_then(|since| i64::try_from(since.as_millis()).ok());
    record.finished_at = record.finished_at.or(ended).or(Some(record.updated_at));
    record.reason = record.reason.or(Some(Reason::Crash));
    finish(shared, &mut record, None);
}
