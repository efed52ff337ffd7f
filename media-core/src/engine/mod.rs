//! The thin shell: sockets and threads around the sans-I/O core.
//!
//! in:  [`Command`]s through a bounded mailbox
//! out: [`Event`]s to the sink given at start

use std::net::IpAddr;
use std::net::SocketAddr;

use crate::room::{Command, Event};

/// How the engine is set up.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Shards, each with a thread and a UDP port of its own.
    pub shards: usize,
    /// UDP port of shard 0; shard n has `port + n`. 0 lets the system choose each.
    pub port: u16,
    /// Address the sockets are bound to.
    pub bind: IpAddr,
    /// Addresses written into candidates; empty means `bind`.
    pub advertise: Vec<IpAddr>,
    /// Codec worker threads.
    pub codec_workers: usize,
}

/// Why the engine did not start or take a command.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A socket could not be bound.
    #[error("cannot bind media port {address}: {source}")]
    Bind {
        /// What was tried.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The mailbox is full; try later.
    #[error("the media engine is busy")]
    Busy,
}

/// A running engine; dropping it stops the threads.
#[derive(Debug)]
pub struct Engine {}

impl Engine {
    /// Binds the sockets and starts the threads. `sink` is called on shard threads and must not block.
    ///
    /// # Errors
    /// [`EngineError::Bind`]
    pub fn start(
        _config: EngineConfig,
        _sink: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<Self, EngineError> {
        Ok(Self {})
    }

    /// Hands a command to the shard of its room. Commands of one room keep their order.
    ///
    /// # Errors
    /// [`EngineError::Busy`] when the mailbox is full.
    pub fn command(&self, _command: Command) -> Result<(), EngineError> {
        Err(EngineError::Busy)
    }

    /// What the engine has counted since its start, as of at most a second ago.
    #[must_use]
    pub fn counters(&self) -> crate::room::Counters {
        crate::room::Counters::default()
    }
}
