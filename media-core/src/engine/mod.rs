//! The thin shell: sockets and threads around the sans-I/O core.
//!
//! in:  [`Command`]s through a bounded mailbox
//! out: [`Event`]s to the sink given at start
//!
//! ```text
//!  UDP port n ◄──► shard n ◄──► audio n      one OS thread each
//!                   │    ▲
//!              jobs ▼    │ finished jobs
//!                 codec workers              a pool for all shards, lower priority
//! ```

mod audio_thread;
mod codec_workers;
mod mail;
mod shard_thread;
mod sys;

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::Receiver;
use socket2::{Domain, Protocol, Socket, Type};

use self::codec_workers::JobQueue;
use self::mail::{Mail, ShardAddress};
use self::shard_thread::ShardThread;
use self::sys::Waker;
use crate::room::{Command, Counters, Event};
use crate::shard::{Shard, ShardConfig};
use crate::transport::Identity;

/// Asked of the kernel for each direction of a media socket; a burst of key frames to many viewers fits.
const SOCKET_BUFFER: usize = 4 << 20;

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
        source: io::Error,
    },
    /// The certificate for DTLS could not be made.
    #[error("cannot make the DTLS certificate: {0}")]
    Identity(String),
    /// A thread could not be started.
    #[error("cannot start a media thread: {0}")]
    Thread(io::Error),
    /// The mailbox is full; try later.
    #[error("the media engine is busy")]
    Busy,
}

/// A running engine; dropping it stops the threads.
pub struct Engine {
    shards: Vec<ShardAddress>,
    published: Vec<Arc<Mutex<Counters>>>,
    threads: Vec<JoinHandle<()>>,
    ports: Vec<u16>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("ports", &self.ports).finish_non_exhaustive()
    }
}

impl Engine {
    /// Binds the sockets and starts the threads. `sink` is called on shard threads and must not block.
    ///
    /// # Errors
    /// [`EngineError::Bind`], [`EngineError::Identity`] or [`EngineError::Thread`]
    pub fn start(
        config: EngineConfig,
        sink: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<Self, EngineError> {
        let identity = Identity::generate().map_err(|error| EngineError::Identity(error.to_string()))?;
        let identity = Arc::new(identity);
        let sink = Arc::new(sink);
        let mut engine =
            Self { shards: Vec::new(), published: Vec::new(), threads: Vec::new(), ports: Vec::new() };
        // Made after the engine and so dropped before it: the workers end when the last sender of their queue is gone,
        // and an engine that could not start waits for its workers.
        let (jobs, workers) = codec_workers::start(config.codec_workers).map_err(EngineError::Thread)?;
        engine.threads = workers;
        for number in 0..config.shards.max(1) {
            let socket = bind(&config, number)?;
            engine.start_shard(number, &config, socket, &identity, jobs.clone(), Arc::clone(&sink))?;
        }
        Ok(engine)
    }

    fn start_shard<S: Fn(Event) + Send + Sync + 'static>(
        &mut self,
        number: usize,
        config: &EngineConfig,
        socket: UdpSocket,
        identity: &Arc<Identity>,
        jobs: JobQueue,
        sink: Arc<S>,
    ) -> Result<(), EngineError> {
        let local = socket.local_addr().map_err(EngineError::Thread)?;
        let advertise =
            if config.advertise.is_empty() { vec![config.bind] } else { config.advertise.clone() };
        let candidates = advertise.into_iter().map(|ip| SocketAddr::new(ip, local.port())).collect();
        // A wall clock before 1970 is as good as any: reports only have to agree with each other.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let config =
            ShardConfig { candidates, wall, seed: u64::from(wall.subsec_nanos()) << 32 | number as u64 };
        let shard = Shard::new(Instant::now(), Arc::clone(identity), config);

        let waker = Arc::new(Waker::new().map_err(EngineError::Thread)?);
        let (address, inbox): (_, Receiver<Mail>) = ShardAddress::new(Arc::clone(&waker));
        let (audio, audio_thread) =
            audio_thread::start(format!("audio-{number}"), address.clone()).map_err(EngineError::Thread)?;
        let published = Arc::new(Mutex::new(Counters::default()));
        let thread = ShardThread {
            shard,
            socket,
            waker,
            inbox,
            address: address.clone(),
            jobs,
            audio,
            published: Arc::clone(&published),
            sink,
        };
        let thread = Builder::new()
            .name(format!("shard-{number}"))
            .spawn(move || {
                let _guard = EndsTheProcess;
                thread.run();
            })
            .map_err(EngineError::Thread)?;

        self.shards.push(address);
        self.published.push(published);
        self.ports.push(local.port());
        self.threads.extend([thread, audio_thread]);
        Ok(())
    }

    /// Hands a command to the shard of its room. Commands of one room keep their order.
    ///
    /// # Errors
    /// [`EngineError::Busy`] when the mailbox is full.
    pub fn command(&self, command: Command) -> Result<(), EngineError> {
        let number = command.room.0 as usize % self.shards.len().max(1);
        match self.shards.get(number) {
            Some(shard) if shard.command(command) => Ok(()),
            Some(_) | None => Err(EngineError::Busy),
        }
    }

    /// What the engine has counted since its start, as of at most a second ago.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let mut total = Counters::default();
        for shard in &self.published {
            total.add(&shard.lock().unwrap_or_else(PoisonError::into_inner));
        }
        total
    }

    /// UDP port of each shard.
    #[must_use]
    pub fn ports(&self) -> &[u16] {
        &self.ports
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for shard in &self.shards {
            shard.deliver(Mail::Stop);
        }
        for thread in self.threads.drain(..) {
            // A thread that panics ends the process.
            let _ = thread.join();
        }
    }
}

/// Held by every thread of the engine. Without one of them calls go on that nobody can hear or see, and new ones fail:
/// a process that ends is started again and serves.
struct EndsTheProcess;

impl Drop for EndsTheProcess {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The panic has told what and where.
            std::process::abort();
        }
    }
}

fn bind(config: &EngineConfig, number: usize) -> Result<UdpSocket, EngineError> {
    let offset = u16::try_from(number).unwrap_or(u16::MAX);
    let port = if config.port == 0 { 0 } else { config.port.saturating_add(offset) };
    let address = SocketAddr::new(config.bind, port);
    open(address).map_err(|source| EngineError::Bind { address, source })
}

fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // The kernel caps these at its own limits; less room is no reason not to run.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    socket.bind(&address.into())?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_port_that_is_taken_is_told_and_leaves_no_thread_behind() {
        let taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let config = EngineConfig {
            shards: 2,
            port: taken.local_addr().unwrap().port(),
            bind: Ipv4Addr::LOCALHOST.into(),
            advertise: Vec::new(),
            codec_workers: 1,
        };
        // Starting waits for the threads that had been started already: it comes back or hangs.
        let error = Engine::start(config, |_| {}).unwrap_err();
        assert!(matches!(error, EngineError::Bind { .. }), "{error}");
    }
}
