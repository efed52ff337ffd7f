//! Datagrams in, many with one system call.
//!
//! With UDP GRO the kernel hands over datagrams of one size that one sender sent in a row as one buffer; they are taken
//! apart here. Nothing is allocated after the beginning.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use super::address::{NOWHERE, SOCKADDR_LEN, empty, socket_address};

/// Buffers filled by one system call.
pub(in crate::engine) const BUFFERS: usize = 32;
/// Bytes of a buffer: as much as UDP GRO hands over at once.
const BUFFER: usize = 1 << 16;
/// Longest datagram taken; WebRTC peers stay below the path MTU, and DTLS fragments below 1500.
const DATAGRAM_MAX: usize = 2048;

/// Room for the one control message that is asked for, aligned like its header.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; 64]);

/// What one buffer holds.
#[derive(Clone, Copy)]
struct Filled {
    from: SocketAddr,
    length: usize,
    /// Size of each datagram in it but the last, which may be shorter.
    segment: usize,
}

/// Buffers for one `recvmmsg`.
pub struct ReceiveBatch {
    bytes: Box<[u8]>,
    names: Box<[libc::sockaddr_storage]>,
    controls: Box<[Control]>,
    iovecs: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
    filled: Vec<Filled>,
}

impl std::fmt::Debug for ReceiveBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReceiveBatch").field("filled", &self.filled.len()).finish_non_exhaustive()
    }
}

impl Default for ReceiveBatch {
    fn default() -> Self {
        // SAFETY: mmsghdr is plain old data; all zeroes is a valid value of it.
        let header: libc::mmsghdr = unsafe { MaybeUninit::zeroed().assume_init() };
        let iovec = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        Self {
            bytes: vec![0; BUFFERS * BUFFER].into_boxed_slice(),
            names: vec![empty(); BUFFERS].into_boxed_slice(),
            controls: vec![Control([0; 64]); BUFFERS].into_boxed_slice(),
            iovecs: vec![iovec; BUFFERS].into_boxed_slice(),
            headers: vec![header; BUFFERS].into_boxed_slice(),
            filled: Vec::with_capacity(BUFFERS),
        }
    }
}

impl ReceiveBatch {
    /// Asks the kernel for UDP GRO; without it every datagram has a buffer of its own.
    pub fn enable_gro(socket: &UdpSocket) -> bool {
        let on: libc::c_int = 1;
        // SAFETY: reads one live integer of the size given.
        let refused = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_UDP,
                libc::UDP_GRO,
                std::ptr::from_ref(&on).cast(),
                libc::socklen_t::try_from(size_of::<libc::c_int>()).unwrap_or(0),
            )
        };
        refused == 0
    }

    /// Takes what waits, as far as there are buffers; says how many were filled.
    ///
    /// # Errors
    /// What the kernel says, unless it is that there is nothing, or that some peer is gone.
    pub fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.filled.clear();
        self.prepare();
        // SAFETY: `prepare` made every header point at one live iovec, name, control buffer and, through the iovec, at
        // bytes of this value, each with its true length; none of them moves or is touched during the call.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                u32::try_from(self.headers.len()).unwrap_or(0),
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
        for (header, name) in self.headers.iter().zip(self.names.iter()).take(count) {
            let truncated = header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
            let length = if truncated { 0 } else { (header.msg_len as usize).min(BUFFER) };
            let segment = segment_size(&header.msg_hdr).unwrap_or(length).max(1);
            self.filled.push(Filled { from: socket_address(name).unwrap_or(NOWHERE), length, segment });
        }
        Ok(count)
    }

    /// The datagrams of the last call, with their senders. Those longer than any peer sends are left out.
    pub fn datagrams(&mut self) -> impl Iterator<Item = (SocketAddr, &mut [u8])> {
        self.filled.iter().zip(self.bytes.chunks_mut(BUFFER)).flat_map(|(filled, buffer)| {
            let (bytes, _) = buffer.split_at_mut(filled.length.min(BUFFER));
            let segments = bytes.chunks_mut(filled.segment).filter(|bytes| bytes.len() <= DATAGRAM_MAX);
            segments.map(|bytes| (filled.from, bytes))
        })
    }

    /// Points the headers at the buffers. Done for each call, because the kernel writes lengths back and because no
    /// pointer is kept while the buffers are borrowed otherwise.
    fn prepare(&mut self) {
        let parts = self.names.iter_mut().zip(self.controls.iter_mut()).zip(self.bytes.chunks_mut(BUFFER));
        let headers = self.headers.iter_mut().zip(self.iovecs.iter_mut());
        for ((header, iovec), ((name, control), buffer)) in headers.zip(parts) {
            *iovec = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
            let message = &mut header.msg_hdr;
            message.msg_name = std::ptr::from_mut(name).cast();
            message.msg_namelen = SOCKADDR_LEN;
            message.msg_iov = std::ptr::from_mut(iovec);
            message.msg_iovlen = 1;
            message.msg_control = control.0.as_mut_ptr().cast();
            message.msg_controllen = control.0.len();
            message.msg_flags = 0;
        }
    }
}

/// What UDP GRO says of the size of the datagrams in a buffer.
fn segment_size(message: &libc::msghdr) -> Option<usize> {
    // SAFETY: the kernel has just filled the control buffer that `message` points at and set its length; the macros
    // stay within that length.
    let mut control = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !control.is_null() {
        // SAFETY: not null, so it is a whole header inside the control buffer, which is aligned for it.
        let header = unsafe { &*control };
        if header.cmsg_level == libc::SOL_UDP && header.cmsg_type == libc::UDP_GRO {
            // SAFETY: the kernel writes an integer behind this kind of header; read without need of alignment.
            let size = unsafe { libc::CMSG_DATA(control).cast::<libc::c_int>().read_unaligned() };
            return usize::try_from(size).ok().filter(|size| *size > 0);
        }
        // SAFETY: as for the first header.
        control = unsafe { libc::CMSG_NXTHDR(message, control) };
    }
    None
}
