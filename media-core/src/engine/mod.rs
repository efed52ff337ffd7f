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
mod connections;
mod dispatch;
mod fonts;
mod load;
mod mail;
mod neighbours;
mod overload;
mod shard_thread;
mod sys;
mod write_queue;

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::Receiver;
use socket2::{Domain, Protocol, Socket, Type};

use self::codec_workers::{CodecGauge, JobQueue};
use self::connections::Connections;
pub use self::dispatch::{CodecLoad, Dispatch};
use self::mail::{Mail, ShardAddress};
use self::neighbours::{Neighbour, Neighbours};
pub use self::overload::{Overload, Window};
use self::shard_thread::ShardThread;
use self::sys::Waker;
pub use self::sys::{ReceiveBatch, SendBatch};
use crate::mix::video::Fonts;
use crate::room::{Command, Counters, Event};
use crate::shard::{Shard, ShardConfig};
use crate::transport::{Candidate, Identity};

/// Asked of the kernel for each direction of a media socket; a burst of key frames to many viewers fits.
const SOCKET_BUFFER: usize = 4 << 20;
/// How often the system is asked for another port when TCP has no place on the one it chose.
const PORTS_TRIED: usize = 32;
/// Connections waiting to be accepted; the kernel has a limit of its own.
const BACKLOG: i32 = 1024;

/// How the engine is set up.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Shards, each with a thread and a UDP port of its own.
    pub shards: usize,
    /// UDP port of shard 0; shard n has `port + n`. 0 lets the system choose each.
    pub port: u16,
    /// Whether connections are taken too, on the same numbers.
    pub tcp: bool,
    /// Address the sockets are bound to; `::` takes IPv4 as well.
    pub bind: IpAddr,
    /// Addresses written into candidates; empty means `bind`.
    pub advertise: Vec<IpAddr>,
    /// Codec worker threads.
    pub codec_workers: usize,
    /// A shard that is busy for more of its time, in percent, leaves the sending of large fan-outs to others.
    pub lend_above_percent: u8,
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
    codecs: CodecGauge,
    ports: Vec<u16>,
    fonts: Fonts,
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
        let (queue, codecs, threads) =
            codec_workers::start(config.codec_workers).map_err(EngineError::Thread)?;
        let mut engine = Self {
            shards: Vec::new(),
            published: Vec::new(),
            threads,
            codecs,
            ports: Vec::new(),
            fonts: fonts::of_system(),
        };
        // Bound after the engine and so dropped before it: the workers end when the last way to their queue is gone,
        // and an engine that could not start waits for its workers.
        let jobs = queue;
        let mut listeners = Vec::new();
        let mut shards = Vec::new();
        for number in 0..config.shards.max(1) {
            let (socket, listener) = bind(&config, number)?;
            let waker = Arc::new(Waker::new().map_err(EngineError::Thread)?);
            listeners.push(listener);
            shards.push(Arc::new(Neighbour::new(socket, waker)));
        }
        let neighbours = Neighbours::among(&shards, Instant::now(), config.lend_above_percent);
        for (number, (listener, neighbours)) in listeners.into_iter().zip(neighbours).enumerate() {
            let own = (neighbours, listener);
            engine.start_shard(number, &config, own, &identity, jobs.clone(), Arc::clone(&sink))?;
        }
        Ok(engine)
    }

    fn start_shard<S: Fn(Event) + Send + Sync + 'static>(
        &mut self,
        number: usize,
        config: &EngineConfig,
        (neighbours, listener): (Neighbours, Option<TcpListener>),
        identity: &Arc<Identity>,
        jobs: JobQueue,
        sink: Arc<S>,
    ) -> Result<(), EngineError> {
        let local = neighbours.socket().local_addr().map_err(EngineError::Thread)?;
        let advertise =
            if config.advertise.is_empty() { vec![config.bind] } else { config.advertise.clone() };
        let candidates = Candidate::of(&advertise, local.port(), listener.is_some());
        let connections = listener.map(|listener| Connections::new(listener, Instant::now()));
        let connections = connections.transpose().map_err(EngineError::Thread)?;
        // A wall clock before 1970 is as good as any: reports only have to agree with each other.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let config =
            ShardConfig { candidates, wall, seed: u64::from(wall.subsec_nanos()) << 32 | number as u64 };
        let mut shard = Shard::new(Instant::now(), Arc::clone(identity), config);
        shard.set_fonts(self.fonts.clone());

        let (address, inbox): (_, Receiver<Mail>) = ShardAddress::new(neighbours.shared_waker());
        let (audio, audio_thread) =
            audio_thread::start(format!("audio-{number}"), address.clone()).map_err(EngineError::Thread)?;
        let published = Arc::new(Mutex::new(Counters::default()));
        let thread = ShardThread {
            shard,
            neighbours,
            connections,
            unused: Vec::new(),
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
        self.counters_of_shards().iter().for_each(|shard| total.add(shard));
        total
    }

    /// The same, shard by shard.
    #[must_use]
    pub fn counters_of_shards(&self) -> Vec<Counters> {
        let published = self.published.iter();
        published.map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).clone()).collect()
    }

    /// What the codec workers have done.
    #[must_use]
    pub fn codec_load(&self) -> CodecLoad {
        self.codecs.load()
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

/// The sockets of a shard. When the system chooses, it does so for UDP alone, and somebody else may have the same number
/// for TCP: then it chooses again.
fn bind(config: &EngineConfig, number: usize) -> Result<(UdpSocket, Option<TcpListener>), EngineError> {
    let offset = u16::try_from(number).unwrap_or(u16::MAX);
    let port = if config.port == 0 { 0 } else { config.port.saturating_add(offset) };
    let address = SocketAddr::new(config.bind, port);
    let attempts = if port == 0 { PORTS_TRIED } else { 1 };
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..attempts {
        match open_both(address, config.tcp) {
            Ok(sockets) => return Ok(sockets),
            Err(error) => last = error,
        }
    }
    Err(EngineError::Bind { address, source: last })
}

fn open_both(address: SocketAddr, tcp: bool) -> io::Result<(UdpSocket, Option<TcpListener>)> {
    let socket = open(address)?;
    let listener =
        if tcp { Some(listen(SocketAddr::new(address.ip(), socket.local_addr()?.port()))?) } else { None };
    Ok((socket, listener))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    serve_both_families(&socket, address)?;
    // After a restart connections of the process before may still be on their way out.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// `::` is every address of this machine, IPv4 too, whatever the system's default is.
fn serve_both_families(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    if address.ip().is_unspecified() && address.is_ipv6() { socket.set_only_v6(false) } else { Ok(()) }
}

fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    serve_both_families(&socket, address)?;
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
            tcp: false,
            bind: Ipv4Addr::LOCALHOST.into(),
            advertise: Vec::new(),
            codec_workers: 1,
            lend_above_percent: 100,
        };
        // Starting waits for the threads that had been started already: it comes back or hangs.
        let error = Engine::start(config, |_| {}).unwrap_err();
        assert!(matches!(error, EngineError::Bind { .. }), "{error}");
    }
}
