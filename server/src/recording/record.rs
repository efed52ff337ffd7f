//! What is known of a recording, in a file beside it: with the files alone everything can be listed and finished.
//!
//! in:  changes
//! out: `<id>.json`, written whole or not at all; names of the other files
//!
//! | file | what |
//! |---|---|
//! | `<id>.mp4` | finished |
//! | `<id>.part1.mp4` … | while it is written, and until it is finished |
//! | `<id>.draft.mp4`, `<id>.list`, `<id>.log` | while it is being finished |

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use control_api::RecordingEnd;
use serde::{Deserialize, Serialize};

use crate::storage::{Cursor, UnixMs};

/// A record is a few hundred bytes.
const MAX_RECORD: u64 = 64 * 1024;

/// One recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) room_session_id: String,
    pub(crate) room_id: String,
    pub(crate) room_name: String,
    pub(crate) status: Status,
    /// Milliseconds since 1970, as the others.
    pub(crate) started_at: i64,
    pub(crate) finished_at: Option<i64>,
    pub(crate) updated_at: i64,
    pub(crate) duration_ms: Option<u64>,
    /// Bytes of the finished file.
    pub(crate) size: Option<u64>,
    pub(crate) reason: Option<Reason>,
    /// How many parts have been begun.
    pub(crate) parts: u32,
    /// Who writes the last one.
    pub(crate) writer: Option<Process>,
}

/// `status`, as REST has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Recording,
    Paused,
    /// It has ended, its file is being finished.
    Processing,
    Completed,
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Paused => "paused",
            Self::Processing => "processing",
            Self::Completed => "completed",
        }
    }
}

/// Why it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    Stopped,
    DiskFull,
    Crash,
    Error,
}

impl Reason {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::DiskFull => "disk_full",
            Self::Crash => "crash",
            Self::Error => "error",
        }
    }

    /// In words of the wire.
    pub(crate) fn wire(self) -> RecordingEnd {
        match self {
            Self::Stopped => RecordingEnd::Stopped,
            Self::DiskFull => RecordingEnd::DiskFull,
            Self::Crash => RecordingEnd::Crash,
            Self::Error => RecordingEnd::Error,
        }
    }
}

/// A process that can be told from a later one with its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// In ticks since the machine's start.
    pub(crate) started: u64,
}

impl Process {
    /// The one that has this number now.
    pub(super) fn of(pid: u32) -> Option<Self> {
        // proc(5): the name in parentheses may hold anything; `starttime` is field 22.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, after_name) = stat.rsplit_once(')')?;
        let mut fields = after_name.split_whitespace();
        let state = fields.next()?;
        let started = fields.nth(18)?.parse().ok()?;
        (state != "Z").then_some(Self { pid, started })
    }

    pub(super) fn is_running(self) -> bool {
        Self::of(self.pid) == Some(self)
    }
}

impl Record {
    pub(crate) fn cursor(&self) -> Cursor {
        Cursor { at: UnixMs(self.started_at), id: self.id.clone() }
    }
}

/// Where recordings are.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Makes it when it is missing.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    #[cfg(test)]
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn finished(&self, id: &str) -> PathBuf {
        self.0.join(format!("{id}.mp4"))
    }

    pub(super) fn part(&self, id: &str, number: u32) -> PathBuf {
        self.0.join(format!("{id}.part{number}.mp4"))
    }

    pub(super) fn draft(&self, id: &str) -> PathBuf {
        self.0.join(format!("{id}.draft.mp4"))
    }

    pub(super) fn list(&self, id: &str) -> PathBuf {
        self.0.join(format!("{id}.list"))
    }

    pub(super) fn log(&self, id: &str) -> PathBuf {
        self.0.join(format!("{id}.log"))
    }

    fn record(&self, id: &str) -> PathBuf {
        self.0.join(format!("{id}.json"))
    }

    /// Names made here survive a power cut from now on.
    pub(super) fn sync(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }

    /// Bytes that are free for us.
    pub(super) fn free(&self) -> io::Result<u64> {
        let room = rustix::fs::statvfs(&self.0)?;
        Ok(room.f_bavail.saturating_mul(room.f_frsize))
    }

    /// Writes a record in the place of the one before.
    pub(super) fn save(&self, record: &Record) -> io::Result<()> {
        let draft = self.0.join(format!("{}.json.new", record.id));
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(&serde_json::to_vec(record)?)?;
        file.sync_all()?;
        fs::rename(&draft, self.record(&record.id))?;
        self.sync()
    }

    /// Every record there is. What is none is left alone, and told.
    pub(super) fn load(&self) -> io::Result<Vec<Record>> {
        let mut records = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let path = entry?.path();
            if path.extension().is_some_and(|kind| kind == "json") {
                match read(&path) {
                    Ok(record) => records.push(record),
                    Err(error) => {
                        tracing::warn!(path = %path.display(), %error, "not a record of a recording")
                    }
                }
            }
        }
        Ok(records)
    }

    /// All files of a recording.
    pub(super) fn delete(&self, record: &Record) -> io::Result<()> {
        let id = &record.id;
        let parts = (1..=record.parts).map(|number| self.part(id, number));
        let others = [self.draft(id), self.list(id), self.log(id), self.finished(id)];
        // The record goes last: what is left of a deletion that failed can be deleted again.
        for path in parts.chain(others).chain([self.record(id)]) {
            remove(&path)?;
        }
        self.sync()
    }
}

/// Something that need not be there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn read(path: &Path) -> io::Result<Record> {
    if fs::metadata(path)?.len() > MAX_RECORD {
        return Err(io::Error::other("too long"));
    }
    let record: Record = serde_json::from_slice(&fs::read(path)?)?;
    // Names of files are made of it.
    let is_ours =
        uuid::Uuid::try_parse(&record.id).is_ok() && path.file_stem().is_some_and(|stem| *stem == *record.id);
    if is_ours { Ok(record) } else { Err(io::Error::other("its name is another")) }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn record(id: u128, started_at: i64, status: Status) -> Record {
        Record {
            id: uuid::Uuid::from_u128(id).to_string(),
            room_session_id: "session".into(),
            room_id: "room".into(),
            room_name: "lounge".into(),
            status,
            started_at,
            finished_at: None,
            updated_at: started_at,
            duration_ms: None,
            size: None,
            reason: None,
            parts: 1,
            writer: None,
        }
    }

    #[test]
    fn records_are_found_again_and_others_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path().join("recordings")).unwrap();
        let mut one = record(1, 1000, Status::Recording);
        folder.save(&one).unwrap();
        one.status = Status::Processing;
        one.writer = Process::of(std::process::id());
        folder.save(&one).unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("x.json"), "{}").unwrap();
        fs::copy(path(&format!("{}.json", one.id)), path(&format!("{}.json", uuid::Uuid::from_u128(2))))
            .unwrap();
        assert_eq!(folder.load().unwrap(), [one.clone()]);
        fs::write(folder.finished(&one.id), "film").unwrap();
        fs::write(folder.part(&one.id, 1), "film").unwrap();
        folder.delete(&one).unwrap();
        folder.delete(&one).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "what is not of it stays");
    }

    #[test]
    fn a_process_is_told_from_its_successor() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let known = Process::of(child.id()).unwrap();
        assert!(known.is_running());
        assert!(!Process { started: known.started + 1, ..known }.is_running());
        child.kill().unwrap();
        // Dead, though nobody has asked for its end yet.
        while known.is_running() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert_eq!(Process::of(child.id()), None);
    }
}
