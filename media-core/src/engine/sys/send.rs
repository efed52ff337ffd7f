//! Datagrams out, many with one system call.
//!
//! in:  runs of datagrams of one size to one address
//! out: one message per run where the kernel cuts it (UDP GSO), else one per datagram
//!
//! Nothing is allocated after the beginning.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use super::address::{Family, empty, write_address};
use crate::shard::{BATCH_RUNS, Sealed};

/// Room for the one control message that is sent, aligned like its header.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; 32]);

/// Messages for one `sendmmsg`.
pub struct SendBatch {
    gso: bool,
    family: Family,
    names: Box<[(libc::sockaddr_storage, libc::socklen_t)]>,
    controls: Box<[Control]>,
    iovecs: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
    /// Datagrams in each message, and their size.
    filled: Vec<(usize, usize)>,
}

impl std::fmt::Debug for SendBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SendBatch").field("gso", &self.gso).finish_non_exhaustive()
    }
}

/// What became of some messages.
enum Outcome {
    /// The kernel took this many of them.
    Took(usize),
    /// It takes no more now.
    SocketFull,
    /// It refuses the first one.
    Refused(io::Error),
}

impl SendBatch {
    /// Uses UDP GSO when the kernel has it.
    #[must_use]
    pub fn new(socket: &UdpSocket) -> Self {
        Self::with(Family::of(socket), has_gso(socket))
    }

    /// Without UDP GSO: a message for each datagram.
    #[must_use]
    pub fn without_gso(socket: &UdpSocket) -> Self {
        Self::with(Family::of(socket), false)
    }

    fn with(family: Family, gso: bool) -> Self {
        // SAFETY: mmsghdr is plain old data; all zeroes is a valid value of it.
        let header: libc::mmsghdr = unsafe { MaybeUninit::zeroed().assume_init() };
        let iovec = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        Self {
            gso,
            family,
            names: vec![(empty(), 0); BATCH_RUNS].into_boxed_slice(),
            controls: vec![Control([0; 32]); BATCH_RUNS].into_boxed_slice(),
            iovecs: vec![iovec; BATCH_RUNS].into_boxed_slice(),
            headers: vec![header; BATCH_RUNS].into_boxed_slice(),
            filled: Vec::with_capacity(BATCH_RUNS),
        }
    }

    /// Runs leave as one message each.
    #[must_use]
    pub fn has_gso(&self) -> bool {
        self.gso
    }

    /// Sends what is sealed; gives how many datagrams the kernel took. It stops at a full socket buffer: media that
    /// cannot leave now is worth nothing later.
    pub fn send(&mut self, socket: &UdpSocket, sealed: &Sealed) -> usize {
        let mut sent = 0;
        let mut runs = sealed.runs();
        if self.gso {
            while runs.len() > 0 {
                let batch = runs.by_ref().take(BATCH_RUNS);
                if !self.send_batch(socket, batch, &mut sent) {
                    break;
                }
            }
        } else {
            let mut datagrams = sealed.datagrams().map(|(to, bytes)| (to, bytes, bytes.len()));
            while self.send_batch(socket, datagrams.by_ref().take(BATCH_RUNS), &mut sent) {}
        }
        sent
    }

    /// False when there was nothing, or the socket is full.
    fn send_batch<'a>(
        &mut self,
        socket: &UdpSocket,
        runs: impl Iterator<Item = (SocketAddr, &'a [u8], usize)>,
        sent: &mut usize,
    ) -> bool {
        self.fill(runs);
        let mut done = 0;
        while done < self.filled.len() {
            match self.send_from(socket, done) {
                Outcome::Took(count) => {
                    let took = self.filled.iter().skip(done).take(count);
                    *sent += took.map(|(datagrams, _)| datagrams).sum::<usize>();
                    done += count;
                }
                Outcome::SocketFull => return false,
                Outcome::Refused(error) => {
                    // A fault of one message is no fault of the others. A run may be refused where its datagrams are
                    // not: the path's MTU is smaller, or the device cannot make the checksums.
                    match self.filled.get(done) {
                        Some(&(datagrams, _)) if datagrams > 1 => {
                            self.gso &= error.raw_os_error() != Some(libc::EIO);
                            *sent += self.send_singly(socket, done);
                        }
                        Some(_) | None => {}
                    }
                    done += 1;
                }
            }
        }
        !self.filled.is_empty()
    }

    /// Points the headers at the runs and notes their segment sizes.
    fn fill<'a>(&mut self, runs: impl Iterator<Item = (SocketAddr, &'a [u8], usize)>) {
        self.filled.clear();
        let parts = self.names.iter_mut().zip(self.controls.iter_mut());
        let headers = self.headers.iter_mut().zip(self.iovecs.iter_mut());
        for ((to, bytes, segment), ((header, iovec), ((name, length), control))) in
            runs.zip(headers.zip(parts))
        {
            let datagrams = bytes.len().div_ceil(segment.max(1));
            *length = write_address(to, self.family, name);
            *iovec = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
            let message = &mut header.msg_hdr;
            message.msg_name = std::ptr::from_mut(name).cast();
            message.msg_namelen = *length;
            message.msg_iov = std::ptr::from_mut(iovec);
            message.msg_iovlen = 1;
            if datagrams > 1 {
                message.msg_control = control.0.as_mut_ptr().cast();
                message.msg_controllen = write_segment_size(control, segment);
            } else {
                message.msg_control = std::ptr::null_mut();
                message.msg_controllen = 0;
            }
            self.filled.push((datagrams, segment));
        }
    }

    fn send_from(&mut self, socket: &UdpSocket, first: usize) -> Outcome {
        let end = self.filled.len();
        let Some(waiting) = self.headers.get_mut(first..end) else { return Outcome::Took(0) };
        // SAFETY: every header points at one live iovec, name and control buffer of this value, which do not move; the
        // bytes that the iovecs point at are borrowed by the caller of `send` for the whole call and are only read.
        let count = unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                waiting.as_mut_ptr(),
                u32::try_from(waiting.len()).unwrap_or(0),
                libc::MSG_DONTWAIT,
            )
        };
        match usize::try_from(count) {
            Ok(count) if count > 0 => Outcome::Took(count),
            _ => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::WouldBlock => Outcome::SocketFull,
                error => Outcome::Refused(error),
            },
        }
    }

    /// The datagrams of one message one by one; gives how many the kernel took.
    fn send_singly(&mut self, socket: &UdpSocket, at: usize) -> usize {
        let (Some(header), Some(iovec), Some(&(_, segment))) =
            (self.headers.get(at), self.iovecs.get(at), self.filled.get(at))
        else {
            return 0;
        };
        // SAFETY: the iovec points at the bytes of a run, borrowed by the caller of `send` for the whole call.
        let bytes =
            unsafe { std::slice::from_raw_parts(iovec.iov_base.cast::<u8>().cast_const(), iovec.iov_len) };
        let mut sent = 0;
        for datagram in bytes.chunks(segment.max(1)) {
            // SAFETY: reads a live slice and a live name, each with its true length.
            let count = unsafe {
                libc::sendto(
                    socket.as_raw_fd(),
                    datagram.as_ptr().cast(),
                    datagram.len(),
                    libc::MSG_DONTWAIT,
                    header.msg_hdr.msg_name.cast_const().cast(),
                    header.msg_hdr.msg_namelen,
                )
            };
            sent += usize::from(count >= 0);
        }
        sent
    }
}

fn has_gso(socket: &UdpSocket) -> bool {
    let mut size: libc::c_int = 0;
    let mut length = libc::socklen_t::try_from(size_of::<libc::c_int>()).unwrap_or(0);
    // SAFETY: writes one live integer of the size given.
    let refused = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_UDP,
            libc::UDP_SEGMENT,
            std::ptr::from_mut(&mut size).cast(),
            &raw mut length,
        )
    };
    refused == 0
}

/// Writes the control message that asks for UDP GSO; gives its length.
fn write_segment_size(control: &mut Control, segment: usize) -> usize {
    let size = u16::try_from(segment).unwrap_or(u16::MAX);
    // SAFETY: takes no pointers.
    let (space, length) = unsafe { (libc::CMSG_SPACE(2) as usize, libc::CMSG_LEN(2) as usize) };
    debug_assert!(space <= control.0.len(), "a header and two bytes fit");
    let header = control.0.as_mut_ptr().cast::<libc::cmsghdr>();
    // SAFETY: the buffer is large and aligned enough for a header with two bytes behind it.
    unsafe {
        (*header).cmsg_level = libc::SOL_UDP;
        (*header).cmsg_type = libc::UDP_SEGMENT;
        (*header).cmsg_len = length;
        libc::CMSG_DATA(header).cast::<u16>().write_unaligned(size);
    }
    space
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::sys::ReceiveBatch;

    fn socket() -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    }

    /// Datagrams of these sizes, each filled with its number.
    fn sealed(to: SocketAddr, sizes: &[usize]) -> Sealed {
        let mut sealed = Sealed::batch();
        for (number, &size) in (0u8..).zip(sizes) {
            sealed.room(to.into(), size).unwrap().fill(number);
            sealed.push(to.into(), size);
        }
        sealed
    }

    fn received(socket: &UdpSocket, count: usize) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut batch = ReceiveBatch::default();
        let mut all = Vec::new();
        for _ in 0..200 {
            batch.receive(socket).unwrap();
            all.extend(batch.datagrams().map(|(from, bytes)| (from, bytes.to_vec())));
            if all.len() >= count {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        all
    }

    fn arrives(from: &UdpSocket, batch: &mut SendBatch, gro: bool) {
        let to = socket();
        assert!(!gro || ReceiveBatch::enable_gro(&to));
        // Three runs: equal with a shorter end, a longer one, and more than one message may have.
        let sizes: Vec<usize> = [1000, 1000, 700, 1200].into_iter().chain([100; 70]).collect();
        let sealed = sealed(to.local_addr().unwrap(), &sizes);
        assert_eq!(batch.send(from, &sealed), sizes.len());
        let expected: Vec<_> = (0u8..).zip(&sizes).map(|(number, &size)| vec![number; size]).collect();
        let got = received(&to, sizes.len());
        assert!(got.iter().all(|(sender, _)| *sender == from.local_addr().unwrap()));
        assert_eq!(got.into_iter().map(|(_, bytes)| bytes).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn datagrams_arrive_as_they_were_whoever_cuts_and_joins_them() {
        for gro in [false, true] {
            let from = socket();
            let mut batch = SendBatch::new(&from);
            arrives(&from, &mut batch, gro);
            arrives(&from, &mut SendBatch::without_gso(&from), gro);
        }
    }

    #[test]
    fn a_run_that_is_refused_goes_out_one_by_one() {
        let from = socket();
        let on: libc::c_int = 1;
        // The kernel refuses to cut datagrams that are to have no checksum.
        // SAFETY: reads one live integer of the size given.
        let refused = unsafe {
            libc::setsockopt(
                from.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_NO_CHECK,
                std::ptr::from_ref(&on).cast(),
                libc::socklen_t::try_from(size_of::<libc::c_int>()).unwrap(),
            )
        };
        assert_eq!(refused, 0);
        let mut batch = SendBatch::with(Family::V4, true);
        arrives(&from, &mut batch, false);
    }

    #[test]
    fn what_the_kernel_refuses_is_not_counted_and_keeps_nothing_back() {
        let (from, to) = (socket(), socket());
        let mut sealed = Sealed::batch();
        // An IPv6 address does not fit an IPv4 socket.
        for to in ["[::1]:9".parse::<SocketAddr>().unwrap(), to.local_addr().unwrap()] {
            sealed.room(to.into(), 10).unwrap().fill(1);
            sealed.push(to.into(), 10);
        }
        assert_eq!(SendBatch::new(&from).send(&from, &sealed), 1);
        assert_eq!(received(&to, 1).len(), 1);
    }

    #[test]
    fn a_datagram_longer_than_any_peer_sends_is_left_out() {
        let (from, to) = (socket(), socket());
        let sealed = sealed(to.local_addr().unwrap(), &[3000, 10]);
        assert_eq!(SendBatch::new(&from).send(&from, &sealed), 2);
        assert_eq!(received(&to, 1).into_iter().map(|(_, bytes)| bytes).collect::<Vec<_>>(), [[1; 10]]);
    }
}
