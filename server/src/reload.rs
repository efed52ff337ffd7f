//! What changes without a restart: certificate files and token keys.
//!
//! in:  SIGHUP; a look at the certificate files every [`LOOK_EVERY`]
//! out: the new ones in use, or an error in the log and the former ones still in use
//!
//! Looking is enough: it works on every file system and through links that are exchanged, as orchestrators and ACME
//! clients do it. Token keys wait for SIGHUP: taking one away too early puts people out of their meetings.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use crate::app::App;
use crate::config::TlsFiles;

/// Certificates live for days at least.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Reloads until the process stops.
pub(crate) async fn keep_fresh(app: &App) -> std::io::Result<()> {
    // Without a handler of ours SIGHUP would end the process.
    let mut hangup = signal(SignalKind::hangup())?;
    let stamp = || app.config.tls.as_ref().map(Stamp::of);
    let mut changes = Changes::since(stamp());
    loop {
        tokio::select! {
            _ = hangup.recv() => {
                changes = Changes::since(stamp());
                reload_keys(app);
                reload_certificate(app);
            }
            () = sleep(LOOK_EVERY), if app.tls.is_some() => {
                if changes.settled(stamp()) {
                    reload_certificate(app);
                }
            }
            () = app.shutdown.stopped() => return Ok(()),
        }
    }
}

fn reload_keys(app: &App) {
    match app.tokens.reload() {
        Ok(()) => tracing::info!("token keys read again"),
        Err(error) => tracing::error!(%error, "the former token keys stay in use"),
    }
}

fn reload_certificate(app: &App) {
    let Some(tls) = &app.tls else { return };
    match tls.reload(app.config.public_host().as_deref()) {
        Ok(certificate) => {
            app.metrics.tls_reloads.with_label_values(&["done"]).inc();
            app.metrics.tls_expiry.set(certificate.not_after);
            tracing::info!(not_after = certificate.not_after, "new certificate in use");
            certificate.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        }
        Err(error) => {
            app.metrics.tls_reloads.with_label_values(&["failed"]).inc();
            tracing::error!(%error, "the former certificate stays in use");
        }
    }
}

/// What tells one content of the files from another without reading them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp([Option<FileStamp>; 2]);

#[derive(Clone, Debug, PartialEq, Eq)]
struct FileStamp {
    device: u64,
    inode: u64,
    length: u64,
    /// Of the content, and of everything else: a key may become readable after it is written.
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(files: &TlsFiles) -> Self {
        let stamp = |path: &Path| {
            // Through links: it is what they lead to that is read.
            let meta = fs::metadata(path).ok()?;
            Some(FileStamp {
                device: meta.dev(),
                inode: meta.ino(),
                length: meta.len(),
                modified: (meta.mtime(), meta.mtime_nsec()),
                changed: (meta.ctime(), meta.ctime_nsec()),
            })
        };
        Self([stamp(&files.certificate), stamp(&files.key)])
    }
}

/// Two files are written one after the other: a change counts once a look finds it as the one before did.
struct Changes<S> {
    loaded: S,
    seen: S,
}

impl<S: Clone + PartialEq> Changes<S> {
    fn since(loaded: S) -> Self {
        Self { seen: loaded.clone(), loaded }
    }

    /// Whether what is there now should be loaded.
    fn settled(&mut self, now: S) -> bool {
        let quiet = now == self.seen;
        let changed = now != self.loaded;
        self.seen = now.clone();
        if quiet && changed {
            self.loaded = now;
        }
        quiet && changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_counts_once_and_when_it_is_over() {
        let mut changes = Changes::since(1);
        let looks =
            [(1, false), (2, false), (3, false), (3, true), (3, false), (4, false), (3, false), (3, false)];
        for (index, (now, expected)) in looks.into_iter().enumerate() {
            assert_eq!(changes.settled(now), expected, "look {index}");
        }
    }

    #[test]
    fn a_file_that_is_exchanged_removed_or_written_has_another_stamp() {
        let dir = tempfile::tempdir().unwrap();
        let files = TlsFiles { certificate: dir.path().join("c"), key: dir.path().join("k") };
        let mut stamps = vec![Stamp::of(&files)];
        fs::write(&files.certificate, "1").unwrap();
        stamps.push(Stamp::of(&files));
        fs::write(&files.certificate, "12").unwrap();
        stamps.push(Stamp::of(&files));
        fs::write(dir.path().join("new"), "34").unwrap();
        fs::rename(dir.path().join("new"), &files.certificate).unwrap();
        stamps.push(Stamp::of(&files));
        fs::write(&files.key, "1").unwrap();
        stamps.push(Stamp::of(&files));
        for (index, stamp) in stamps.iter().enumerate() {
            assert!(!stamps[..index].contains(stamp), "{index}");
        }
    }
}
