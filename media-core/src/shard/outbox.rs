//! Datagrams on their way out: one arena, filled during a turn and sent in batches at its end.
//!
//! in:  sealed datagrams and the way each takes; out: what goes over UDP, and what goes over connections

use std::net::SocketAddr;
use std::ops::Range;

use crate::transport::{ConnectionId, Path};

/// Sealed datagrams of one turn.
#[derive(Debug, Default)]
pub struct Outbox {
    arena: Vec<u8>,
    datagrams: Vec<(SocketAddr, Range<usize>)>,
    frames: Vec<(ConnectionId, Range<usize>)>,
}

impl Outbox {
    pub(crate) fn push(&mut self, to: Path, bytes: &[u8]) {
        let start = self.arena.len();
        self.arena.extend_from_slice(bytes);
        let range = start..self.arena.len();
        match to {
            Path::Udp(address) => self.datagrams.push((address, range)),
            Path::Tcp(connection) => self.frames.push((connection, range)),
        }
    }

    /// How many datagrams wait for the UDP port.
    #[must_use]
    pub fn len(&self) -> usize {
        self.datagrams.len()
    }

    /// Nothing waits, on any way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.datagrams.is_empty() && self.frames.is_empty()
    }

    /// The datagrams for the UDP port, oldest first.
    pub fn datagrams(&self) -> impl ExactSizeIterator<Item = (SocketAddr, &[u8])> {
        self.datagrams.iter().map(|(to, range)| (*to, self.arena.get(range.clone()).unwrap_or_default()))
    }

    /// What goes over connections, oldest first; framing is the shell's.
    pub fn frames(&self) -> impl ExactSizeIterator<Item = (ConnectionId, &[u8])> {
        self.frames.iter().map(|(to, range)| (*to, self.arena.get(range.clone()).unwrap_or_default()))
    }

    /// Forgets them; the memory is kept for the next turn.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.datagrams.clear();
        self.frames.clear();
    }
}
