//! A PostgreSQL of the tests' own: started when a test first asks, stopped when the last one is done, also when it
//! panics or the process is killed.
//!
//! It listens on a socket in a temporary folder, on no port, and writes nothing to disk in earnest.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fs::File;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

/// Longest wait for it to begin or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whom it runs as when the tests run as root, whom it refuses.
const USER: &str = "postgres";

/// A running server. Databases on it vanish with it.
pub(crate) struct Postgres {
    folder: tempfile::TempDir,
    programs: PathBuf,
    child: Mutex<Option<Child>>,
    databases: AtomicU32,
    /// Where it also listens, with TLS.
    port: Option<u16>,
}

impl Postgres {
    /// The one that the tests of this process share.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());
        // A test that panicked while it started one left none.
        let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(running) = shared.upgrade() {
            return running;
        }
        let started = Arc::new(Self::start());
        *shared = Arc::downgrade(&started);
        started
    }

    /// One for a test that stops it.
    pub(crate) fn start() -> Self {
        let postgres = Self::made(None);
        postgres.resume();
        postgres
    }

    /// One that is also at a port of this machine, where it shows this certificate (PEM).
    pub(crate) fn start_with_tls(certificate: &str, key: &str) -> Self {
        // Free a moment ago; whoever takes it meanwhile makes the start fail, not the test pass.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let postgres = Self::made(Some(free));
        for (name, content) in [("server.crt", certificate), ("server.key", key)] {
            let path = postgres.data().join(name);
            std::fs::write(&path, content).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
            give_to_user(&path);
        }
        postgres.resume();
        postgres
    }

    /// With a folder of its own, not yet running.
    fn made(port: Option<u16>) -> Self {
        let folder = tempfile::Builder::new().prefix("signalbox-pg-").tempdir().unwrap();
        let postgres = Self {
            programs: programs(),
            folder,
            child: Mutex::new(None),
            databases: AtomicU32::new(0),
            port,
        };
        std::fs::set_permissions(postgres.folder.path(), PermissionsExt::from_mode(0o700)).unwrap();
        give_to_user(postgres.folder.path());
        let log = postgres.log();
        let done = postgres
            .as_user("initdb")
            .args([
                "--no-sync",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--username=signalbox",
                "-D",
            ])
            .arg(postgres.data())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .status()
            .unwrap();
        assert!(done.success(), "initdb failed: {}", postgres.said());
        postgres
    }

    /// Makes a database and gives its URL.
    pub(crate) fn database(&self) -> String {
        let name = self.new_database();
        format!("postgres://signalbox@localhost/{name}?host={}", self.folder.path().display())
    }

    /// Makes a database and gives its URL at the port.
    pub(crate) fn database_at_port(&self) -> String {
        format!("postgres://signalbox@localhost:{}/{}", self.port.unwrap(), self.new_database())
    }

    fn new_database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let done =
            self.as_user("psql").args(self.psql("postgres")).arg(format!("CREATE DATABASE {name}")).output();
        let done = done.unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        name
    }

    /// Stops it, as a fault would: without a word to its clients.
    pub(crate) fn halt(&self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            let _ = Command::new("kill").args(["-QUIT", &child.id().to_string()]).status();
            let _ = child.wait();
        }
    }

    /// Starts it, again after [`Self::halt`], with what it had.
    pub(crate) fn resume(&self) {
        let log = self.log();
        let mut command = self.as_user("postgres");
        command
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(self.folder.path())
            .args(["-F", "-c", "max_connections=200"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        match self.port {
            None => command.args(["-c", "listen_addresses="]),
            Some(port) => {
                command.args(["-c", "ssl=on", "-c", "listen_addresses=127.0.0.1", "-p", &port.to_string()])
            }
        };
        // The kernel ends it with the thread that started it, so that must be one that lives as long as the process.
        let (started, child) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            started.send(command.spawn()).unwrap();
            loop {
                std::thread::park();
            }
        });
        *self.child.lock().unwrap() = Some(child.recv().unwrap().unwrap());
        let begin = Instant::now();
        while !self.answers() {
            assert!(begin.elapsed() < PATIENCE, "PostgreSQL does not start: {}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn answers(&self) -> bool {
        let asked = self.as_user("psql").args(self.psql("postgres")).arg("SELECT 1").output();
        asked.unwrap().status.success()
    }

    fn psql(&self, database: &str) -> [String; 6] {
        let folder = self.folder.path().display().to_string();
        let port = format!("-p{}", self.port.unwrap_or(5432));
        ["-h".into(), folder, port, "-Usignalbox".into(), format!("-d{database}"), "-c".into()]
    }

    /// A program of PostgreSQL, as a user it accepts; it ends when this process does.
    fn as_user(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        if is_root() {
            command.args(["--reuid", USER, "--regid", USER, "--clear-groups"]);
        }
        command.args(["--pdeathsig", "QUIT"]).arg(self.programs.join(program)).current_dir("/");
        command
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> File {
        File::options().create(true).append(true).open(self.folder.path().join("log")).unwrap()
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.halt();
    }
}

/// Debian keeps the programs of each version in a folder of its own, away from PATH.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions
        .map(|version| version.path().join("bin"))
        .filter(|bin| bin.join("initdb").is_file())
        .collect();
    folders.sort();
    folders
        .pop()
        .expect("PostgreSQL is needed: install Debian's package `postgresql`, or run `make packages`")
}

/// The server reads only what is its own.
fn give_to_user(path: &Path) {
    if is_root() {
        chown(path, Some(id("-u")), Some(id("-g"))).unwrap();
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(Path::new("/proc/self")).unwrap().uid() == 0
}

fn id(which: &str) -> u32 {
    let told = Command::new("id").args([which, USER]).output().unwrap();
    String::from_utf8(told.stdout).unwrap().trim().parse().expect("Debian's package makes the user postgres")
}
