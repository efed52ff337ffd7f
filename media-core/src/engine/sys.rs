//! The system calls of the shell that the standard library has no safe form for.
//!
//! Batches of datagrams (`recvmmsg`, `sendmmsg`), waiting on a socket and a wake-up with nanosecond timeouts
//! (`ppoll`), the wake-up itself (`eventfd`), thread CPU time and thread priority. Nothing here keeps state but
//! buffers; nothing outside this file of the engine is `unsafe`.
#![allow(unsafe_code, reason = "system calls; every block states why it is sound")]

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// Datagrams moved by one system call.
pub(super) const BATCH: usize = 64;
/// Longest datagram taken; WebRTC peers stay below the path MTU, and DTLS fragments below 1500.
pub(super) const DATAGRAM_MAX: usize = 2048;

/// Buffers for one `recvmmsg`.
pub(super) struct ReceiveBatch {
    bytes: Box<[[u8; DATAGRAM_MAX]]>,
    names: Box<[libc::sockaddr_storage]>,
    filled: Vec<(SocketAddr, usize)>,
}

impl ReceiveBatch {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![[0; DATAGRAM_MAX]; BATCH].into_boxed_slice(),
            // SAFETY: sockaddr_storage is plain old data; all zeroes is a valid value of it.
            names: vec![unsafe { MaybeUninit::<libc::sockaddr_storage>::zeroed().assume_init() }; BATCH]
                .into_boxed_slice(),
            filled: Vec::with_capacity(BATCH),
        }
    }

    /// Takes up to [`BATCH`] waiting datagrams; none when the socket is empty. A datagram longer than
    /// [`DATAGRAM_MAX`] is left out.
    pub(super) fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.filled.clear();
        let mut iovecs: Vec<libc::iovec> = self
            .bytes
            .iter_mut()
            .map(|b| libc::iovec { iov_base: b.as_mut_ptr().cast(), iov_len: b.len() })
            .collect();
        let mut headers: Vec<libc::mmsghdr> = iovecs
            .iter_mut()
            .zip(self.names.iter_mut())
            .map(|(iovec, name)| {
                // SAFETY: mmsghdr is plain old data; all zeroes is a valid value of it.
                let mut header: libc::mmsghdr = unsafe { MaybeUninit::zeroed().assume_init() };
                header.msg_hdr.msg_name = std::ptr::from_mut(name).cast();
                header.msg_hdr.msg_namelen = SOCKADDR_LEN;
                header.msg_hdr.msg_iov = iovec;
                header.msg_hdr.msg_iovlen = 1;
                header
            })
            .collect();
        // SAFETY: every header points at one live iovec, one live name and one live buffer of this value, and
        // none of them moves during the call.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                u32::try_from(headers.len()).unwrap_or(0),
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        let Ok(count) = usize::try_from(count) else {
            let error = io::Error::last_os_error();
            let harmless = matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::ConnectionRefused
            );
            return if harmless { Ok(0) } else { Err(error) };
        };
        for (header, name) in headers.iter().zip(self.names.iter()).take(count) {
            let truncated = header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
            let length = if truncated { 0 } else { header.msg_len as usize };
            let from = socket_address(name).unwrap_or(NOWHERE);
            self.filled.push((from, length.min(DATAGRAM_MAX)));
        }
        Ok(count)
    }

    /// The datagrams of the last call, with their senders.
    pub(super) fn datagrams(&mut self) -> impl Iterator<Item = (SocketAddr, &mut [u8])> {
        self.filled.iter().zip(self.bytes.iter_mut()).map(|(&(from, length), bytes)| {
            let (datagram, _) = bytes.split_at_mut(length.min(DATAGRAM_MAX));
            (from, datagram)
        })
    }
}

/// Address families as the address structures hold them.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "2 and 10")]
const FAMILY: (libc::sa_family_t, libc::sa_family_t) =
    (libc::AF_INET as libc::sa_family_t, libc::AF_INET6 as libc::sa_family_t);
#[allow(clippy::cast_possible_truncation, reason = "16 bytes")]
const SOCKADDR_IN_LEN: libc::socklen_t = size_of::<libc::sockaddr_in>() as libc::socklen_t;
#[allow(clippy::cast_possible_truncation, reason = "28 bytes")]
const SOCKADDR_IN6_LEN: libc::socklen_t = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
#[allow(clippy::cast_possible_truncation, reason = "128 bytes")]
const SOCKADDR_LEN: libc::socklen_t = size_of::<libc::sockaddr_storage>() as libc::socklen_t;

fn socket_address(storage: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match i32::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that the storage holds a sockaddr_in, which is smaller and less aligned.
            let v4 = unsafe { *std::ptr::from_ref(storage).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddr::new(IpAddr::V4(ip), u16::from_be(v4.sin_port)))
        }
        libc::AF_INET6 => {
            // SAFETY: the family says that the storage holds a sockaddr_in6, which is smaller and less aligned.
            let v6 = unsafe { *std::ptr::from_ref(storage).cast::<libc::sockaddr_in6>() };
            let (ip, port) = (Ipv6Addr::from(v6.sin6_addr.s6_addr), u16::from_be(v6.sin6_port));
            // A socket for both families says IPv4 addresses in their IPv6 form; link-local ones mean nothing without
            // their scope.
            Some(match ip.to_ipv4_mapped() {
                Some(v4) => SocketAddr::new(IpAddr::V4(v4), port),
                None => SocketAddr::V6(SocketAddrV6::new(ip, port, 0, v6.sin6_scope_id)),
            })
        }
        _ => None,
    }
}

/// `family` is the socket's: one of IPv6 reaches IPv4 by mapped addresses (RFC 4291 §2.5.5.2).
fn write_address(
    address: SocketAddr,
    family: Family,
    storage: &mut libc::sockaddr_storage,
) -> libc::socklen_t {
    let address = match (address, family) {
        (SocketAddr::V4(v4), Family::V6) => SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port()),
        (address @ (SocketAddr::V4(_) | SocketAddr::V6(_)), Family::V4 | Family::V6) => address,
    };
    match address {
        SocketAddr::V4(v4) => {
            // SAFETY: sockaddr_storage is large and aligned enough for a sockaddr_in.
            let out = unsafe { &mut *std::ptr::from_mut(storage).cast::<libc::sockaddr_in>() };
            out.sin_family = FAMILY.0;
            out.sin_port = v4.port().to_be();
            out.sin_addr.s_addr = u32::from(*v4.ip()).to_be();
            SOCKADDR_IN_LEN
        }
        SocketAddr::V6(v6) => {
            // SAFETY: sockaddr_storage is large and aligned enough for a sockaddr_in6.
            let out = unsafe { &mut *std::ptr::from_mut(storage).cast::<libc::sockaddr_in6>() };
            out.sin6_family = FAMILY.1;
            out.sin6_port = v6.port().to_be();
            out.sin6_addr.s6_addr = v6.ip().octets();
            out.sin6_flowinfo = v6.flowinfo();
            out.sin6_scope_id = v6.scope_id();
            SOCKADDR_IN6_LEN
        }
    }
}

/// Sends datagrams in batches of [`BATCH`]; gives how many the kernel took. It stops at a full socket buffer:
/// media that cannot leave now is worth nothing later.
pub(super) fn send<'a>(
    socket: &UdpSocket,
    datagrams: impl ExactSizeIterator<Item = (SocketAddr, &'a [u8])>,
    scratch: &mut SendBatch,
) -> usize {
    let total = datagrams.len();
    let mut sent = 0;
    let mut rest = datagrams.peekable();
    while rest.peek().is_some() {
        scratch.fill(&mut rest);
        match scratch.send(socket) {
            Some(count) => sent += count,
            None => break,
        }
    }
    debug_assert!(sent <= total, "the kernel takes at most what it was given");
    sent
}

/// Of a socket; one of IPv6 may serve both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    pub(super) fn of(socket: &UdpSocket) -> io::Result<Self> {
        Ok(if socket.local_addr()?.is_ipv4() { Self::V4 } else { Self::V6 })
    }
}

/// Headers for one `sendmmsg`.
pub(super) struct SendBatch {
    family: Family,
    names: Box<[(libc::sockaddr_storage, libc::socklen_t)]>,
    iovecs: Vec<libc::iovec>,
}

impl SendBatch {
    /// For a socket of this family.
    pub(super) fn new(family: Family) -> Self {
        // SAFETY: sockaddr_storage is plain old data; all zeroes is a valid value of it.
        let empty = unsafe { MaybeUninit::<libc::sockaddr_storage>::zeroed().assume_init() };
        Self { family, names: vec![(empty, 0); BATCH].into_boxed_slice(), iovecs: Vec::with_capacity(BATCH) }
    }

    fn fill<'a>(&mut self, datagrams: &mut impl Iterator<Item = (SocketAddr, &'a [u8])>) {
        self.iovecs.clear();
        for ((to, bytes), (name, length)) in datagrams.take(BATCH).zip(self.names.iter_mut()) {
            *length = write_address(to, self.family, name);
            self.iovecs
                .push(libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() });
        }
    }

    /// How many were taken of what was filled; `None` when the socket is full.
    fn send(&mut self, socket: &UdpSocket) -> Option<usize> {
        let mut headers: Vec<libc::mmsghdr> = self
            .iovecs
            .iter_mut()
            .zip(self.names.iter_mut())
            .map(|(iovec, (name, length))| {
                // SAFETY: mmsghdr is plain old data; all zeroes is a valid value of it.
                let mut header: libc::mmsghdr = unsafe { MaybeUninit::zeroed().assume_init() };
                header.msg_hdr.msg_name = std::ptr::from_mut(name).cast();
                header.msg_hdr.msg_namelen = *length;
                header.msg_hdr.msg_iov = iovec;
                header.msg_hdr.msg_iovlen = 1;
                header
            })
            .collect();
        let mut done = 0;
        let mut taken = 0;
        while let Some(waiting) = headers.get_mut(done..).filter(|waiting| !waiting.is_empty()) {
            // SAFETY: every header points at one live iovec and one live name of this value; the buffers are borrowed
            // by the caller of `send` for the whole call and are only read.
            let count = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    waiting.as_mut_ptr(),
                    u32::try_from(waiting.len()).unwrap_or(0),
                    libc::MSG_DONTWAIT,
                )
            };
            match usize::try_from(count) {
                Ok(count) if count > 0 => {
                    done += count;
                    taken += count;
                }
                // The first one of the rest failed: a full socket ends the batch, another fault only that datagram.
                _ if io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock => {
                    return (taken > 0).then_some(taken);
                }
                _ => done += 1,
            }
        }
        Some(taken)
    }
}

/// Wakes a sleeping shard from another thread.
#[derive(Debug)]
pub(super) struct Waker(OwnedFd);

impl Waker {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: eventfd takes no pointers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made and belongs to nobody else.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// The next (or present) wait returns at once.
    pub(super) fn wake(&self) {
        let one = 1_u64;
        // SAFETY: writes the eight bytes of a live integer. A full counter is a pending wake-up: nothing to do.
        unsafe { libc::write(self.0.as_raw_fd(), std::ptr::from_ref(&one).cast(), size_of::<u64>()) };
    }

    fn clear(&self) {
        let mut count = 0_u64;
        // SAFETY: reads eight bytes into a live integer; an empty counter is no fault.
        unsafe { libc::read(self.0.as_raw_fd(), std::ptr::from_mut(&mut count).cast(), size_of::<u64>()) };
    }
}

/// Sleeps until the socket or a connection is readable, somebody wakes us, or `timeout` has passed.
pub(super) fn wait(
    socket: &UdpSocket,
    connections: Option<BorrowedFd<'_>>,
    waker: &Waker,
    timeout: Duration,
) {
    // A negative descriptor is passed over.
    let connections = connections.map_or(-1, |fd| fd.as_raw_fd());
    let mut fds = [socket.as_raw_fd(), waker.0.as_raw_fd(), connections].map(|fd| libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    });
    let timeout = libc::timespec {
        tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(1),
        tv_nsec: libc::c_long::from(timeout.subsec_nanos()),
    };
    // SAFETY: three descriptors, live or negative, and a live timespec; no signal mask.
    unsafe { libc::ppoll(fds.as_mut_ptr(), 3, &raw const timeout, std::ptr::null()) };
    let [_, woken, _] = fds;
    if woken.revents != 0 {
        waker.clear();
    }
}

/// CPU time the calling thread has used.
pub(super) fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes one live timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Lets other threads go first when cores are short. On Linux `nice` counts per thread.
pub(super) fn lower_priority(by: i32) {
    // SAFETY: takes no pointers; 0 is the calling thread. A refusal leaves the priority as it was.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, by) };
}
