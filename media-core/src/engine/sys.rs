//! The system calls of the shell that the standard library has no safe form for.
//!
//! Batches of datagrams (`recvmmsg` with UDP GRO, `sendmmsg` with UDP GSO), waiting on a socket and a wake-up with
//! nanosecond timeouts (`ppoll`), the wake-up itself (`eventfd`), thread CPU time and thread priority. Nothing here
//! keeps state but buffers; nothing outside this module of the engine is `unsafe`.
#![allow(unsafe_code, reason = "system calls; every block states why it is sound")]

mod address;
mod receive;
mod send;

use std::io;
use std::mem::size_of;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

pub(super) use self::receive::BUFFERS;
pub use self::receive::ReceiveBatch;
pub use self::send::SendBatch;

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
    // SAFETY: takes no pointers; 0 is the calling thread, of which the priority is always known.
    let own = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    // SAFETY: takes no pointers; 0 is the calling thread. A refusal leaves the priority as it was.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, own.saturating_add(by)) };
}
