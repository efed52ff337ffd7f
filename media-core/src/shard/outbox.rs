//! Datagrams on their way out: one arena, filled during a turn and sent in batches at its end.

use std::net::SocketAddr;
use std::ops::Range;

/// Sealed datagrams of one turn.
#[derive(Debug, Default)]
pub struct Outbox {
    arena: Vec<u8>,
    datagrams: Vec<(SocketAddr, Range<usize>)>,
}

impl Outbox {
    pub(crate) fn push(&mut self, to: SocketAddr, bytes: &[u8]) {
        let start = self.arena.len();
        self.arena.extend_from_slice(bytes);
        self.datagrams.push((to, start..self.arena.len()));
    }

    /// How many datagrams wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.datagrams.len()
    }

    /// Nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    /// The datagrams, oldest first.
    pub fn datagrams(&self) -> impl ExactSizeIterator<Item = (SocketAddr, &[u8])> {
        self.datagrams.iter().map(|(to, range)| (*to, self.arena.get(range.clone()).unwrap_or_default()))
    }

    /// Forgets them; the memory is kept for the next turn.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.datagrams.clear();
    }
}
