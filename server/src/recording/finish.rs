//! From the parts of a recording that has ended to its file.
//!
//! in:  parts that nobody writes any more
//! out: one file that players can begin before they have all of it; where that cannot be made, the parts as they are
//!
//! Whenever this is cut off, the next start does it again from the parts: they go last. A file under the final name is
//! never replaced: it was whole before the first part went.

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
    let seen = done.and_then(|done| done.duration);
    record.duration_ms = seen.map(ms).or(record.duration_ms).or(written.map(ms));
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
    /// As the file says; one that is as it was written does not say.
    duration: Option<Duration>,
}

fn make(shared: &Arc<Shared>, record: &Record, written: Option<Duration>) -> io::Result<Option<Done>> {
    let folder = &shared.folder;
    let finished = folder.finished(&record.id);
    if let Some(done) = made_before(shared, record)? {
        return Ok(Some(done));
    }
    let parts: Vec<PathBuf> = (1..=record.parts)
        .map(|number| folder.part(&record.id, number))
        .filter(|part| fs::metadata(part).is_ok_and(|known| known.len() > 0))
        .collect();
    // Nothing was ever written.
    let Some(first) = parts.first() else { return Ok(None) };
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
            Done { size, duration: None }
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
    Ok(Done { size: made.size, duration: Some(made.duration) })
}

/// Cut off when the file had its name already, but not all parts were gone, or nobody had said so.
fn made_before(shared: &Arc<Shared>, record: &Record) -> io::Result<Option<Done>> {
    let folder = &shared.folder;
    let finished = folder.finished(&record.id);
    let size = match fs::metadata(&finished) {
        Ok(known) => known.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let made = mp4::look(&finished)?.filter(|made| made.is_fast_start && !made.duration.is_zero());
    if made.is_some() {
        // All parts are in it. One that is as it was written has the others beside it, and they stay.
        (1..=record.parts).try_for_each(|number| remove(&folder.part(&record.id, number)))?;
        folder.sync()?;
    }
    Ok(Some(Done { size, duration: made.map(|made| made.duration) }))
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use media_core::units::Bitrate;

    use super::super::record::Folder;
    use super::super::record::tests::record;
    use super::super::shelf::Shelf;
    use super::super::{RecordingRules, Running};
    use super::*;
    use crate::http::Metrics;

    /// With a program that is not there: nothing can be made anew.
    fn shared(dir: &tempfile::TempDir) -> Arc<Shared> {
        let ffmpeg = dir.path().join("none");
        Arc::new(Shared {
            folder: Folder::open(dir.path().join("recordings")).unwrap(),
            rules: RecordingRules { ffmpeg, min_bitrate: Bitrate(1), min_free: 0 },
            shelf: Shelf::default(),
            metrics: Arc::new(Metrics::new().unwrap()),
            turn: Mutex::default(),
            running: Running::default(),
        })
    }

    fn film(scale: u32, length: u32) -> Vec<u8> {
        let boxed = |kind: &[u8; 4], body: &[u8]| {
            let length = u32::try_from(body.len() + 8).unwrap();
            [&length.to_be_bytes()[..], kind, body].concat()
        };
        let mvhd = [&[0; 12][..], &scale.to_be_bytes(), &length.to_be_bytes(), &[0; 80]].concat();
        [boxed(b"moov", &boxed(b"mvhd", &mvhd)), boxed(b"mdat", &[1; 100])].concat()
    }

    #[test]
    fn a_file_that_has_its_name_is_not_made_again_of_the_parts_that_are_left() {
        let dir = tempfile::tempdir().unwrap();
        let shared = shared(&dir);
        let mut cut = record(1, 1000, Status::Processing);
        cut.parts = 3;
        let whole = film(1000, 60_000);
        fs::write(shared.folder.finished(&cut.id), &whole).unwrap();
        fs::write(shared.folder.part(&cut.id, 3), film(1000, 5000)).unwrap();
        recover(&shared, cut.clone());
        assert_eq!(fs::read(shared.folder.finished(&cut.id)).unwrap(), whole);
        assert!(!shared.folder.part(&cut.id, 3).exists());
        let known = shared.shelf.find(&cut.id).unwrap();
        assert_eq!((known.status, known.duration_ms), (Status::Completed, Some(60_000)));
    }

    #[test]
    fn what_cannot_be_made_anew_stays_with_all_its_parts_and_its_duration() {
        let dir = tempfile::tempdir().unwrap();
        let shared = shared(&dir);
        let mut ended = record(1, 1000, Status::Processing);
        (ended.parts, ended.duration_ms) = (2, Some(9000));
        // Fragments say nothing of the whole.
        for number in [1, 2] {
            fs::write(shared.folder.part(&ended.id, number), film(1000, 0)).unwrap();
        }
        for _ in 0..2 {
            recover(&shared, ended.clone());
            assert!(shared.folder.finished(&ended.id).exists());
            assert!(shared.folder.part(&ended.id, 2).exists());
            let known = shared.shelf.find(&ended.id).unwrap();
            assert_eq!((known.status, known.duration_ms), (Status::Completed, Some(9000)));
        }
    }
}
