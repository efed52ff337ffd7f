//! Servers under measurement: started fresh, asked for their metrics, their processor time read.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// Project and API token of the servers that are started.
pub const DEV_TOKEN: (&str, &str) = ("dev", "dev-token-of-the-benches");

/// Processor time by thread name.
pub type ThreadTimes = BTreeMap<String, Duration>;

/// A process that ends with its value, and its data with it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    folder: PathBuf,
}

impl Process {
    /// Starts a command that keeps its data in `folder`.
    ///
    /// # Errors
    /// When there is no such program.
    pub fn start(mut command: Command, folder: PathBuf) -> io::Result<Self> {
        Ok(Self { child: command.stdin(Stdio::null()).spawn()?, folder })
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Processor time so far, by thread name. Threads that have ended are not in it.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn thread_times(&self) -> io::Result<ThreadTimes> {
        let mut times = ThreadTimes::new();
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let task = task?.path();
            // The first number is nanoseconds on a processor; a thread may end between two reads.
            let Ok(schedule) = fs::read_to_string(task.join("schedstat")) else { continue };
            let on_cpu = schedule.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0);
            let name = fs::read_to_string(task.join("comm")).unwrap_or_default();
            let name = name.trim().trim_end_matches(|c: char| c.is_ascii_digit() || c == '-').to_owned();
            *times.entry(name).or_default() += Duration::from_nanos(on_cpu);
        }
        Ok(times)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A running `signalbox serve --dev`.
#[derive(Debug)]
pub struct Signalbox {
    /// Its process.
    pub process: Process,
    address: String,
    /// Kept open: a server that cannot print its lines would be told so.
    _output: BufReader<ChildStdout>,
}

impl Signalbox {
    /// Starts the program on ports of the system's choice, bundling or not.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(program: &Path, bundle: bool) -> io::Result<Self> {
        let folder = scratch("signalbox")?;
        let mut command = Command::new(program);
        command
            .args(["serve", "--dev", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&folder)
            .env("SIGNALBOX__MEDIA__BUNDLE", bundle.to_string())
            .env("SIGNALBOX__ROOM__MAX_MEMBERS", "300")
            .env("SIGNALBOX_DEV_TOKEN", DEV_TOKEN.1)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped());
        let mut process = Process::start(command, folder)?;
        let output = process.child.stdout.take().ok_or_else(|| io::Error::other("no standard output"))?;
        let mut output = BufReader::new(output);
        let mut line = String::new();
        output.read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on http://");
        let address = address.ok_or_else(|| io::Error::other(format!("it said {line:?}")))?.to_owned();
        Ok(Self { process, address, _output: output })
    }

    /// Its data.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.process.folder
    }

    /// Address for HTTP.
    #[must_use]
    pub fn http(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Address for SDKs.
    #[must_use]
    pub fn ws(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// The metrics without labels.
    ///
    /// # Errors
    /// When the server is gone.
    pub async fn metrics(&self) -> Result<BTreeMap<String, f64>, reqwest::Error> {
        let text = reqwest::get(format!("{}/metrics", self.http())).await?.text().await?;
        let values = text.lines().filter_map(|line| {
            let (name, value) = line.split_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Ok(values.collect())
    }
}

/// A fresh folder for one run.
///
/// # Errors
/// When there is no room for it.
pub fn scratch(name: &str) -> io::Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("{name}-{}", uuid::Uuid::new_v4()));
    fs::create_dir_all(&folder)?;
    Ok(folder)
}
