//! ICE over TCP (RFC 6544): the connections that peers make to the port of a shard.
//!
//! in:  connections, frames (RFC 4571), datagrams to send, time
//! out: datagrams to the shard, frames, closed connections
//!
//! ```text
//!   accept ─► silent ──authenticated check──► in use ──► closed: by the peer, by the end of its leg,
//!                │ 5 s                                           by frames that are none, by 5 s without progress
//!                ▼
//!             closed
//! ```
//!
//! Everything is bounded: connections per shard and per address, one datagram being read and 128 KiB waiting per
//! connection. When a shard is full, the silent connection that has waited longest makes room; when all are in use, the
//! new one is closed.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use socket2::SockRef;

use super::write_queue::{WriteQueue, Written};
use crate::shard::{Input, Sealed, Shard};
use crate::transport::ConnectionId;
use crate::transport::framing::Deframer;

/// Connections of one shard.
const CONNECTIONS_MAX: usize = 4096;
/// Connections of one address (of IPv6: of one network of 64 bits). A company behind one address fits.
const PER_ADDRESS_MAX: usize = 512;
/// A connection without an authenticated check is closed after this.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// A connection that takes nothing although something waits is closed after this.
const STALL_MAX: Duration = Duration::from_secs(5);
/// How often connections that take nothing are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Waiting time after the system had no descriptor for a connection.
const PAUSE: Duration = Duration::from_millis(500);
/// In the kernel, beside the queue. More would be delay.
const KERNEL_BUFFER: usize = 128 * 1024;
/// Events, and new connections, taken before others have their turn.
const PER_TURN: usize = 64;
/// Read from one connection at a time.
const READ: usize = 16 * 1024;
/// What the listener is called among the events; connections have 32 bits.
const LISTENER: u64 = u64::MAX;

/// All connections of a shard.
pub(super) struct Connections {
    epoll: OwnedFd,
    listener: TcpListener,
    /// The listener is not looked at until then.
    paused: Option<Instant>,
    open: FxHashMap<ConnectionId, Connection>,
    by_address: FxHashMap<IpAddr, usize>,
    /// Those without a peer so far, oldest first. One that was closed is still in here until its time.
    silent: VecDeque<(Instant, ConnectionId)>,
    /// Those that something waits for.
    behind: Vec<ConnectionId>,
    look_at: Instant,
    next: u32,
    read: Box<[u8]>,
}

struct Connection {
    stream: TcpStream,
    from: SocketAddr,
    deframer: Deframer,
    queue: WriteQueue,
    /// When the connection last took something, or had nothing to take.
    progress_at: Instant,
    /// Events of writing are asked for.
    is_behind: bool,
}

impl Connections {
    pub(super) fn new(listener: TcpListener, now: Instant) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
        Ok(Self {
            epoll,
            listener,
            paused: None,
            open: FxHashMap::default(),
            by_address: FxHashMap::default(),
            silent: VecDeque::new(),
            behind: Vec::new(),
            look_at: now,
            next: 0,
            read: vec![0; READ].into_boxed_slice(),
        })
    }

    /// Readable when [`Self::receive`] has something to do.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let silent = self.silent.front().map(|(accepted, _)| *accepted + SILENCE_MAX);
        let behind = (!self.behind.is_empty()).then_some(self.look_at);
        [silent, behind, self.paused].into_iter().flatten().min()
    }

    /// Accepts, reads, and goes on writing.
    pub(super) fn receive(&mut self, now: Instant, shard: &mut Shard) {
        let mut events = [const { MaybeUninit::uninit() }; PER_TURN];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        // Nothing but an interrupting signal can fail here, and then there is a next time.
        let Ok((events, _)) = epoll::wait(&self.epoll, &mut events[..], Some(&at_once)) else { return };
        for event in events {
            let (token, flags) = (event.data.u64(), event.flags);
            match u32::try_from(token) {
                Ok(id) => self.on_event(now, shard, ConnectionId(id), flags),
                Err(_) => self.accept(now, shard),
            }
        }
    }

    /// Sends what the shard has for connections.
    pub(super) fn transmit(&mut self, now: Instant, shard: &mut Shard, sealed: &Sealed) {
        let mut left_out = 0;
        let mut waiting = Vec::new();
        for (id, datagram) in sealed.frames() {
            let Some(connection) = self.open.get_mut(&id) else { continue };
            if connection.queue.is_empty() {
                waiting.push(id);
                connection.progress_at = now;
            }
            left_out += u64::from(!connection.queue.push(datagram));
        }
        shard.count_dropped("tcp_queue_full", left_out);
        for id in waiting {
            self.flush(now, shard, id);
        }
    }

    /// The shard has no use for it any more.
    pub(super) fn close(&mut self, id: ConnectionId) {
        let Some(closed) = self.open.remove(&id) else { return };
        if closed.is_behind {
            self.behind.retain(|behind| *behind != id);
        }
        let address = neighbourhood(closed.from.ip());
        if let Some(count) = self.by_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&address);
            }
        }
    }

    /// Closes what has been silent or has taken nothing for too long.
    pub(super) fn handle_timeout(&mut self, now: Instant, shard: &mut Shard) {
        while let Some((_, id)) = self.silent.pop_front_if(|(accepted, _)| *accepted + SILENCE_MAX <= now) {
            if self.open.contains_key(&id) && !shard.serves(id) {
                self.end(now, shard, id, "tcp_silent");
            }
        }
        if self.look_at <= now {
            self.look_at = now + LOOK_EVERY;
            let stalled = |id: &&ConnectionId| {
                self.open.get(id).is_some_and(|c| now.saturating_duration_since(c.progress_at) >= STALL_MAX)
            };
            let stalled: Vec<ConnectionId> = self.behind.iter().filter(stalled).copied().collect();
            for id in stalled {
                self.end(now, shard, id, "tcp_stalled");
            }
        }
        if self.paused.is_some_and(|until| until <= now) {
            self.paused = None;
            self.listen(EventFlags::IN);
        }
    }

    fn listen(&self, flags: EventFlags) {
        if let Err(error) = epoll::modify(&self.epoll, &self.listener, EventData::new_u64(LISTENER), flags) {
            tracing::error!(%error, "media connections are not accepted any more");
        }
    }

    fn accept(&mut self, now: Instant, shard: &mut Shard) {
        for _ in 0..PER_TURN {
            match self.listener.accept() {
                Ok((stream, from)) => self.on_connection(now, shard, stream, from),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error)
                    if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                Err(error) => {
                    // No descriptor is left, most likely; asking again at once would keep the thread busy.
                    tracing::warn!(%error, "cannot accept a media connection");
                    self.paused = Some(now + PAUSE);
                    self.listen(EventFlags::empty());
                    return;
                }
            }
        }
    }

    fn on_connection(&mut self, now: Instant, shard: &mut Shard, stream: TcpStream, from: SocketAddr) {
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        let address = neighbourhood(from.ip());
        if self.by_address.get(&address).is_some_and(|count| *count >= PER_ADDRESS_MAX) {
            return shard.count_dropped("tcp_too_many_of_one_address", 1);
        }
        if self.open.len() >= CONNECTIONS_MAX && !self.make_room(now, shard) {
            return shard.count_dropped("tcp_too_many", 1);
        }
        let id = self.free_id();
        if let Err(error) = self.register(&stream, id) {
            tracing::warn!(%error, "cannot use a media connection");
            return;
        }
        *self.by_address.entry(address).or_default() += 1;
        let connection = Connection {
            stream,
            from,
            deframer: Deframer::default(),
            queue: WriteQueue::default(),
            progress_at: now,
            is_behind: false,
        };
        self.open.insert(id, connection);
        if self.silent.len() > 2 * CONNECTIONS_MAX {
            // Most of them have gone before their time.
            let open = &self.open;
            self.silent.retain(|(_, id)| open.contains_key(id));
        }
        self.silent.push_back((now, id));
        shard.handle(now, Input::Connected { connection: id, from });
    }

    fn register(&self, stream: &TcpStream, id: ConnectionId) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        // The kernel may have a limit of its own; more or less room is no reason not to serve.
        let _ = SockRef::from(stream).set_send_buffer_size(KERNEL_BUFFER);
        epoll::add(&self.epoll, stream, EventData::new_u64(u64::from(id.0)), EventFlags::IN)?;
        Ok(())
    }

    /// Numbers go round; one that is still in use is passed over.
    fn free_id(&mut self) -> ConnectionId {
        loop {
            self.next = self.next.wrapping_add(1);
            if !self.open.contains_key(&ConnectionId(self.next)) {
                return ConnectionId(self.next);
            }
        }
    }

    /// Closes the connection that has been silent for longest.
    fn make_room(&mut self, now: Instant, shard: &mut Shard) -> bool {
        while let Some((_, id)) = self.silent.pop_front() {
            if self.open.contains_key(&id) && !shard.serves(id) {
                self.end(now, shard, id, "tcp_silent");
                return true;
            }
        }
        false
    }

    fn on_event(&mut self, now: Instant, shard: &mut Shard, id: ConnectionId, flags: EventFlags) {
        if flags.contains(EventFlags::OUT) {
            self.flush(now, shard, id);
        }
        if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            self.read(now, shard, id);
        }
    }

    fn read(&mut self, now: Instant, shard: &mut Shard, id: ConnectionId) {
        let Some(connection) = self.open.get_mut(&id) else { return };
        let count = match connection.stream.read(&mut self.read) {
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return,
            Err(_) => 0,
        };
        if count == 0 {
            return self.forget(now, shard, id);
        }
        let piece = self.read.get_mut(..count).unwrap_or_default();
        let from = crate::transport::Path::Tcp(id);
        let cut = connection.deframer.feed(piece, |bytes| {
            shard.handle(now, Input::Datagram { from, bytes });
        });
        if cut.is_err() {
            self.end(now, shard, id, "tcp_bad_frame");
        }
    }

    fn flush(&mut self, now: Instant, shard: &mut Shard, id: ConnectionId) {
        let Some(connection) = self.open.get_mut(&id) else { return };
        let Ok(written) = connection.queue.flush(&mut connection.stream) else {
            return self.forget(now, shard, id);
        };
        if written != Written::None {
            connection.progress_at = now;
        }
        let is_behind = written != Written::All;
        if is_behind == connection.is_behind {
            return;
        }
        connection.is_behind = is_behind;
        if is_behind {
            if self.behind.is_empty() {
                self.look_at = now + LOOK_EVERY;
            }
            self.behind.push(id);
        } else {
            self.behind.retain(|behind| *behind != id);
        }
        let flags = if is_behind { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
        let token = EventData::new_u64(u64::from(id.0));
        if epoll::modify(&self.epoll, &connection.stream, token, flags).is_err() {
            self.forget(now, shard, id);
        }
    }

    /// Closes a connection for a reason that is counted.
    fn end(&mut self, now: Instant, shard: &mut Shard, id: ConnectionId, why: &'static str) {
        shard.count_dropped(why, 1);
        self.forget(now, shard, id);
    }

    /// Closes a connection and tells the shard.
    fn forget(&mut self, now: Instant, shard: &mut Shard, id: ConnectionId) {
        self.close(id);
        shard.handle(now, Input::Disconnected { connection: id });
    }
}

/// Whose connections count together: of IPv6, a household has a whole network.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_ipv6_a_network_counts_as_one() {
        let check = |address: &str, expected: &str| {
            assert_eq!(neighbourhood(address.parse().unwrap()), expected.parse::<IpAddr>().unwrap());
        };
        check("192.0.2.7", "192.0.2.7");
        check("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::");
    }
}
