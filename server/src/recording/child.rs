//! `ffmpeg` as a child process: it makes AAC and MP4 of what comes through a pipe, and finished files of its own.
//!
//! in:  Matroska; parts of a recording
//! out: a file that can be played up to the last second whenever it ends; one finished file
//!
//! Confined: no environment, no descriptor of ours but the pipe, a process group of its own, no network protocol, names of
//! files that we made. There is no parent-death signal, and nobody else holds the end of the pipe that we write to: when
//! this process is killed the child reads the end of its input, and finishes its file.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::record::Process;

/// A child that takes nothing for so long is as good as dead.
const STALL: Duration = Duration::from_secs(10);

/// How long it has to finish its file after the end of its input.
const FINISH_TIME: Duration = Duration::from_secs(20);

/// How long a finished file may take: a day of 2 Mbit/s is 22 GB.
const REMUX_TIME: Duration = Duration::from_secs(30 * 60);

/// Pause between looking whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Of its log we tell so much.
const LOG_TOLD: usize = 400;

/// Why there is no child.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChildError {
    #[error(
        "recording needs the program ffmpeg, and {0:?} is not there: install it, or set recording.ffmpeg"
    )]
    Missing(PathBuf),
    #[error("the program ffmpeg could not be started: {0}")]
    Start(io::Error),
}

/// Where the program is: a path, or a name to be looked for in `PATH`.
pub(super) fn find(program: &Path) -> Result<PathBuf, ChildError> {
    let missing = || ChildError::Missing(program.to_owned());
    if program.components().count() > 1 {
        return program.is_file().then(|| program.to_owned()).ok_or_else(missing);
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut known = std::env::split_paths(&folders).map(|folder| folder.join(program));
    known.find(|path| path.is_file()).ok_or_else(missing)
}

/// One that writes a part.
pub(super) struct PartWriter {
    child: Child,
    /// `None` once its end has been told.
    pipe: Option<ChildStdin>,
    log: PathBuf,
}

impl PartWriter {
    /// Starts one. Nothing is in `part` before the first bytes come.
    pub(super) fn start(program: &Path, part: &Path, log: &Path) -> Result<Self, ChildError> {
        let program = find(program)?;
        let mut command = confined(&program, log).map_err(ChildError::Start)?;
        // Small probes: everything is told by the head of the stream.
        command.args(["-protocol_whitelist", "pipe", "-probesize", "32768", "-analyzeduration", "0"]);
        command.args(["-f", "matroska", "-i", "pipe:0", "-map", "0:v", "-map", "0:a"]);
        command.args(["-c:v", "copy", "-c:a", "aac", "-b:a", "96k"]);
        // Fragments by duration: of a file that ends without warning at most the last second is missing.
        command.args(["-movflags", "empty_moov+default_base_moof", "-frag_duration", "1000000"]);
        command.args(["-flush_packets", "1", "-f", "mp4"]).arg(file_url(part));
        let mut child = command.stdin(Stdio::piped()).spawn().map_err(ChildError::Start)?;
        let pipe = child.stdin.take();
        if let Some(pipe) = &pipe {
            let flags = fcntl_getfl(pipe).map_err(|error| ChildError::Start(error.into()))?;
            fcntl_setfl(pipe, flags | OFlags::NONBLOCK).map_err(|error| ChildError::Start(error.into()))?;
        }
        Ok(Self { child, pipe, log: log.to_owned() })
    }

    /// Process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes all of it, unless the child has ended or takes nothing.
    pub(super) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let Some(pipe) = &mut self.pipe else { return Err(io::ErrorKind::BrokenPipe.into()) };
        while !bytes.is_empty() {
            match pipe.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait_for_room(pipe)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Tells it that nothing more comes, and waits until it has finished its file; whether it said that all is well.
    pub(super) fn finish(mut self) -> bool {
        self.pipe = None;
        let done = wait(&mut self.child, FINISH_TIME);
        tell(&self.log, done);
        done
    }

    /// Ends what no longer works.
    pub(super) fn kill(mut self) {
        self.pipe = None;
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        tell(&self.log, false);
    }
}

fn wait_for_room(pipe: &ChildStdin) -> io::Result<()> {
    let mut waited = [PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::OUT)];
    let patience = Timespec { tv_sec: i64::try_from(STALL.as_secs()).unwrap_or(i64::MAX), tv_nsec: 0 };
    match poll(&mut waited, Some(&patience)) {
        Ok(0) => Err(io::ErrorKind::TimedOut.into()),
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Makes one file, which players can begin before they have all of it, of the parts. A file is written there in any case.
pub(super) fn join(
    program: &Path,
    parts: &[PathBuf],
    list: &Path,
    to: &Path,
    log: &Path,
) -> io::Result<bool> {
    let program = find(program).map_err(io::Error::other)?;
    let mut command = confined(&program, log)?;
    command.args(["-protocol_whitelist", "file"]);
    match parts {
        [part] => {
            command.arg("-i").arg(file_url(part));
        }
        _ => {
            let lines = parts.iter().filter_map(|part| part.file_name()?.to_str());
            // Our names need no quotes inside.
            let lines: String = lines.map(|name| format!("file '{name}'\n")).collect();
            std::fs::write(list, lines)?;
            command.args(["-f", "concat", "-i"]).arg(file_url(list));
        }
    }
    command.args(["-map", "0:v", "-map", "0:a", "-c", "copy", "-movflags", "+faststart", "-f", "mp4"]);
    let mut child = command.arg(file_url(to)).stdin(Stdio::null()).spawn()?;
    let done = wait(&mut child, REMUX_TIME);
    if !done {
        // It may have ended already.
        let _ = child.kill();
        let _ = child.wait();
    }
    tell(log, done);
    Ok(done)
}

fn confined(program: &Path, log: &Path) -> io::Result<Command> {
    let mut command = Command::new(program);
    command.env_clear().process_group(0).stdout(Stdio::null()).stderr(File::create(log)?);
    command.args(["-hide_banner", "-nostdin", "-v", "error", "-y"]);
    Ok(command)
}

/// A name that cannot be taken for an option or another protocol.
fn file_url(path: &Path) -> std::ffi::OsString {
    let mut url = std::ffi::OsString::from("file:");
    url.push::<&OsStr>(path.as_ref());
    url
}

/// Whether it ended well in time.
fn wait(child: &mut Child, patience: Duration) -> bool {
    let begin = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if begin.elapsed() < patience => std::thread::sleep(LOOK_EVERY),
            Ok(None) | Err(_) => {
                // It may have ended in this moment.
                let _ = child.kill();
                let _ = child.wait();
                return false;
            }
        }
    }
}

/// Its log is ours when something is wrong; otherwise nobody wants it.
fn tell(log: &Path, done: bool) {
    if !done {
        let text = std::fs::read(log).unwrap_or_default();
        let last = text.get(text.len().saturating_sub(LOG_TOLD)..).unwrap_or_default();
        tracing::warn!(said = %String::from_utf8_lossy(last).trim(), "ffmpeg ended with an error");
    }
    // A log that stays does no harm.
    let _ = std::fs::remove_file(log);
}

/// A child of the process before this one finishes its file by itself; one that does not is ended.
pub(super) fn wait_for_orphan(writer: Process) {
    let begin = Instant::now();
    while writer.is_running() {
        if begin.elapsed() > FINISH_TIME {
            tracing::warn!(pid = writer.pid, "ended an ffmpeg that went on without us");
            if let Some(pid) = i32::try_from(writer.pid).ok().and_then(rustix::process::Pid::from_raw) {
                // It may have ended in this moment.
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
            return;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
