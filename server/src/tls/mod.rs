//! The server's certificate: read from files, checked, and exchanged while the server runs.
//!
//! in:  two PEM files, the time
//! out: the configuration of the next handshake, always of the latest files that were good
//!
//! An exchange takes the whole configuration, session cache included, so that no new connection rests on a key that was
//! taken away. Connections that are open do not notice.

mod files;

use std::sync::Arc;
use std::time::SystemTime;

use rustls::ServerConfig;
use tokio::sync::watch;

use crate::config::{ConfigError, TlsFiles};

/// What handshakes are made with.
pub(crate) struct Tls {
    files: TlsFiles,
    current: watch::Sender<Arc<ServerConfig>>,
}

/// A certificate that was found usable.
#[derive(Debug)]
pub(crate) struct Certificate {
    config: Arc<ServerConfig>,
    /// Of the server's own certificate, unix seconds.
    pub(crate) not_after: i64,
    /// What its files are good for all the same: expired, or for another host.
    pub(crate) warnings: Vec<String>,
}

impl Tls {
    /// Reads and checks the files; `host` is the one of the public URL.
    pub(crate) fn open(files: &TlsFiles, host: Option<&str>) -> Result<(Self, Certificate), ConfigError> {
        let certificate = files::load(files, host, SystemTime::now())?;
        let current = watch::Sender::new(Arc::clone(&certificate.config));
        Ok((Self { files: files.clone(), current }, certificate))
    }

    /// For the next handshake.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.borrow())
    }

    /// Takes what the files hold now; they stay without effect when they are wrong.
    pub(crate) fn reload(&self, host: Option<&str>) -> Result<Certificate, ConfigError> {
        let certificate = files::load(&self.files, host, SystemTime::now())?;
        self.current.send_replace(Arc::clone(&certificate.config));
        Ok(certificate)
    }
}
