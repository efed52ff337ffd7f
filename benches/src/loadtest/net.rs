//! Sockets of peers, emptied many datagrams at a time.
//!
//! in:  a socket
//! out: its datagrams, with the kernel's time of arrival
//!
//! The kernel's time makes delays exact although sockets are looked at every 20 ms.

use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::sockopt::ReceiveTimestampns;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, setsockopt};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};

/// Datagrams of one call.
const BATCH: usize = 32;
/// Largest datagram a path carries.
const MTU: usize = 2048;
/// Media of four seconds at 1.5 Mbit/s; the kernel counts its own overhead twice over.
const RECEIVE_BUFFER: usize = 2 << 20;
/// In one go from one socket: then others have their turn.
const MOST_BATCHES: usize = 64;

/// A socket on loopback that stamps what arrives.
pub(super) fn bind() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_nonblocking(true)?;
    socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER)?;
    setsockopt(&socket, ReceiveTimestampns, &true)?;
    Ok(socket)
}

/// Nanoseconds of the clock that stamps arrivals.
pub(super) fn now_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_REALTIME).map_or(0, nanoseconds)
}

fn nanoseconds(time: TimeSpec) -> u64 {
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec()).unwrap_or(0)
}

/// One datagram.
pub(super) struct Datagram<'a> {
    pub(super) from: SocketAddr,
    /// Of the real-time clock.
    pub(super) arrived_ns: u64,
    pub(super) bytes: &'a [u8],
}

/// Buffers for [`Receiver::drain`], shared by all sockets of a thread.
pub(super) struct Receiver {
    headers: MultiHeaders<SockaddrIn>,
    buffers: Vec<u8>,
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Receiver")
    }
}

impl Receiver {
    pub(super) fn new() -> Self {
        let headers = MultiHeaders::preallocate(BATCH, Some(nix::cmsg_space!(TimeSpec)));
        Self { headers, buffers: vec![0; BATCH * MTU] }
    }

    /// Gives everything that has arrived to `take`.
    pub(super) fn drain(
        &mut self,
        socket: &UdpSocket,
        mut take: impl FnMut(Datagram<'_>),
    ) -> Result<(), Errno> {
        for _ in 0..MOST_BATCHES {
            let met = self.batch(socket)?;
            for (one, bytes) in met.iter().flatten().zip(self.buffers.chunks(MTU)) {
                let bytes = bytes.get(..one.length).unwrap_or_default();
                take(Datagram { from: one.from, arrived_ns: one.arrived_ns, bytes });
            }
            if met.iter().flatten().count() < BATCH {
                break;
            }
        }
        Ok(())
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "nothing but the time was asked for")]
    fn batch(&mut self, socket: &UdpSocket) -> Result<[Option<Met>; BATCH], Errno> {
        let mut slices: [[IoSliceMut<'_>; 1]; BATCH] = {
            let mut buffers = self.buffers.chunks_mut(MTU);
            std::array::from_fn(|_| [IoSliceMut::new(buffers.next().unwrap_or_default())])
        };
        let flags = MsgFlags::MSG_DONTWAIT;
        let mut met = [const { None }; BATCH];
        let results = match recvmmsg(socket.as_raw_fd(), &mut self.headers, slices.iter_mut(), flags, None) {
            Ok(results) => results,
            Err(Errno::EAGAIN) => return Ok(met),
            Err(error) => return Err(error),
        };
        for (slot, result) in met.iter_mut().zip(results) {
            let stamp = result.cmsgs()?.find_map(|message| match message {
                ControlMessageOwned::ScmTimestampns(time) => Some(nanoseconds(time)),
                _ => None,
            });
            let from = result.address.map_or(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0), SocketAddrV4::from);
            *slot = Some(Met {
                from: SocketAddr::V4(from),
                arrived_ns: stamp.unwrap_or_else(now_ns),
                length: result.bytes,
            });
        }
        Ok(met)
    }
}

struct Met {
    from: SocketAddr,
    arrived_ns: u64,
    length: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_comes_once_in_order_and_stamped() {
        let (socket, sender) = (bind().unwrap(), bind().unwrap());
        let to = socket.local_addr().unwrap();
        let begin = now_ns();
        for n in 0..100_u8 {
            sender.send_to(&vec![n; 10 + usize::from(n)], to).unwrap();
        }
        let end = now_ns();
        let mut receiver = Receiver::new();
        let mut got = Vec::new();
        for _ in 0..2 {
            receiver
                .drain(&socket, |datagram| {
                    assert_eq!(datagram.from, sender.local_addr().unwrap());
                    assert!((begin..=end).contains(&datagram.arrived_ns));
                    got.push((datagram.bytes[0], datagram.bytes.len()));
                })
                .unwrap();
        }
        assert_eq!(got, (0..100).map(|n| (n, 10 + usize::from(n))).collect::<Vec<_>>());
    }
}
