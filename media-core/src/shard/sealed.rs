//! Datagrams ready for the socket, in runs that the kernel takes as one message (UDP GSO).
//!
//! in:  datagrams, one destination after the other
//! out: runs for the UDP port: one address, one size, the last of a run may be shorter; frames for connections

use std::net::SocketAddr;
use std::ops::Range;

use crate::transport::{ConnectionId, Path};

/// Datagrams of one run; older kernels take no more.
const SEGMENTS_MAX: usize = 64;
/// Bytes of one run: a UDP datagram over IPv6 before it is cut, with some to spare.
const RUN_MAX: usize = 65_000;
/// Runs of a batch: one system call.
pub const BATCH_RUNS: usize = 64;
/// Bytes of a batch: what it fills stays in a core's cache until the kernel has copied it.
const BATCH_BYTES: usize = 512 << 10;

/// See the module.
#[derive(Debug)]
pub struct Sealed {
    /// Initialised throughout, so that nothing is cleared before it is written.
    arena: Vec<u8>,
    used: usize,
    runs: Vec<Run>,
    datagrams: usize,
    frames: Vec<(ConnectionId, Range<usize>)>,
    bound: Bound,
}

/// When there is no room for another datagram.
#[derive(Clone, Copy, Debug)]
enum Bound {
    Batch,
    /// Never: for whoever has no socket.
    None,
}

/// Datagrams of one size to one address.
#[derive(Clone, Copy, Debug)]
struct Run {
    to: SocketAddr,
    start: usize,
    end: usize,
    segment: usize,
}

impl Sealed {
    /// Room for what one system call takes.
    #[must_use]
    pub fn batch() -> Self {
        Self { arena: vec![0; BATCH_BYTES], runs: Vec::with_capacity(BATCH_RUNS), ..Self::with(Bound::Batch) }
    }

    /// Grows to what there is.
    #[must_use]
    pub fn unbounded() -> Self {
        Self::with(Bound::None)
    }

    fn with(bound: Bound) -> Self {
        let (arena, runs, frames) = (Vec::new(), Vec::new(), Vec::new());
        Self { arena, used: 0, runs, datagrams: 0, frames, bound }
    }

    /// How many datagrams there are for the UDP port.
    #[must_use]
    pub fn len(&self) -> usize {
        self.datagrams
    }

    /// There is nothing, for any way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.datagrams == 0 && self.frames.is_empty()
    }

    /// The runs: address, bytes, and the size of each datagram in them but the last, which may be shorter.
    pub fn runs(&self) -> impl ExactSizeIterator<Item = (SocketAddr, &[u8], usize)> {
        let bytes = |run: &Run| self.arena.get(run.start..run.end).unwrap_or_default();
        self.runs.iter().map(move |run| (run.to, bytes(run), run.segment.max(1)))
    }

    /// The datagrams one by one.
    pub fn datagrams(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        self.runs().flat_map(|(to, bytes, segment)| bytes.chunks(segment).map(move |bytes| (to, bytes)))
    }

    /// What goes over connections; framing is the shell's.
    pub fn frames(&self) -> impl ExactSizeIterator<Item = (ConnectionId, &[u8])> {
        self.frames.iter().map(|(to, range)| (*to, self.arena.get(range.clone()).unwrap_or_default()))
    }

    /// Forgets them; the memory is kept.
    pub fn clear(&mut self) {
        self.used = 0;
        self.frames.clear();
        self.runs.clear();
        self.datagrams = 0;
    }

    /// Where the next datagram goes; `None` when it must wait for the next batch.
    pub fn room(&mut self, to: Path, len: usize) -> Option<&mut [u8]> {
        let end = self.used + len;
        match self.bound {
            Bound::Batch => {
                let begins_run = match to {
                    Path::Udp(to) => !self.runs.last().is_some_and(|run| run.continues(to, len)),
                    Path::Tcp(_) => false,
                };
                if begins_run && self.runs.len() >= BATCH_RUNS {
                    return None;
                }
            }
            Bound::None => {
                if self.arena.len() < end {
                    self.arena.resize(end.next_power_of_two(), 0);
                }
            }
        }
        self.arena.get_mut(self.used..end)
    }

    /// The next `len` bytes have been written. Empty datagrams are none.
    pub fn push(&mut self, to: Path, len: usize) {
        if len == 0 {
            return;
        }
        let (start, end) = (self.used, self.used + len);
        self.used = end;
        match to {
            Path::Udp(to) => {
                self.datagrams += 1;
                match self.runs.last_mut().filter(|run| run.continues(to, len)) {
                    Some(run) => run.end = end,
                    None => self.runs.push(Run { to, start, end, segment: len }),
                }
            }
            Path::Tcp(to) => self.frames.push((to, start..end)),
        }
    }
}

impl Run {
    fn continues(&self, to: SocketAddr, len: usize) -> bool {
        let size = self.end - self.start;
        self.to == to
            && len <= self.segment
            && size.is_multiple_of(self.segment)
            && size / self.segment < SEGMENTS_MAX
            && size + len <= RUN_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(mut sealed: Sealed, datagrams: &[(u16, usize)]) -> Sealed {
        for (number, &(port, len)) in (0u8..).zip(datagrams) {
            let to = SocketAddr::from(([127, 0, 0, 1], port)).into();
            let Some(room) = sealed.room(to, len) else { break };
            room.fill(number);
            sealed.push(to, len);
        }
        sealed
    }

    fn check(datagrams: &[(u16, usize)], expected: &[(u16, usize, usize)]) {
        let sealed = filled(Sealed::batch(), datagrams);
        let runs: Vec<_> = sealed.runs().map(|(to, bytes, size)| (to.port(), bytes.len(), size)).collect();
        assert_eq!(runs, expected, "{datagrams:?}");
        let back: Vec<_> = sealed.datagrams().map(|(to, bytes)| (to.port(), bytes.len())).collect();
        assert_eq!(back, datagrams);
        assert!(sealed.datagrams().zip(0u8..).all(|((_, bytes), number)| bytes.iter().all(|b| *b == number)));
        assert_eq!(sealed.len(), datagrams.len());
    }

    #[test]
    fn equal_sizes_to_one_address_run_and_a_shorter_one_ends_the_run() {
        check(&[], &[]);
        check(&[(1, 10), (1, 10), (1, 10)], &[(1, 30, 10)]);
        check(&[(1, 10), (1, 10), (2, 10)], &[(1, 20, 10), (2, 10, 10)]);
        check(&[(1, 10), (1, 9), (1, 9)], &[(1, 19, 10), (1, 9, 9)]);
        check(&[(1, 9), (1, 10), (1, 10)], &[(1, 9, 9), (1, 20, 10)]);
        // A shorter one whose size makes the sum a multiple again does not open the run.
        check(&[(1, 10), (1, 5), (1, 5)], &[(1, 15, 10), (1, 5, 5)]);
    }

    #[test]
    fn a_run_is_no_longer_than_the_kernel_takes() {
        check(&[(1, 100); 70], &[(1, 6400, 100), (1, 600, 100)]);
        check(&[(1, 30_000); 3], &[(1, 60_000, 30_000), (1, 30_000, 30_000)]);
    }

    #[test]
    fn what_goes_over_a_connection_is_apart() {
        let mut sealed = Sealed::batch();
        for to in [Path::Tcp(ConnectionId(7)), SocketAddr::from(([127, 0, 0, 1], 1)).into()] {
            sealed.room(to, 10).unwrap().fill(3);
            sealed.push(to, 10);
        }
        assert_eq!(sealed.frames().collect::<Vec<_>>(), [(ConnectionId(7), &[3; 10][..])]);
        assert_eq!((sealed.len(), sealed.runs().len()), (1, 1));
        sealed.clear();
        assert!(sealed.is_empty() && sealed.frames().len() == 0);
    }

    #[test]
    fn a_batch_is_full_when_its_runs_or_its_bytes_are_used_up() {
        let many: Vec<(u16, usize)> = (1..=100).map(|port| (port, 50)).collect();
        let sealed = filled(Sealed::batch(), &many);
        assert_eq!((sealed.len(), sealed.runs().len()), (BATCH_RUNS, BATCH_RUNS));
        assert_eq!(filled(Sealed::batch(), &[(1, 60_000); 20]).len(), BATCH_BYTES / 60_000);
        assert_eq!(filled(Sealed::unbounded(), &[(1, 60_000); 20]).len(), 20);
    }
}
