//! Memory of forwarded payloads, used again and again.
//!
//! in:  a payload as it came, in a buffer that is needed again
//! out: the same bytes, shared by the cache and all who are still to send them
//!
//! Payloads lie behind one another in chunks. A chunk whose payloads are all forgotten is filled anew, so that a stream
//! that flows allocates nothing.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// About fifty packets of video.
const CHUNK: usize = 64 << 10;
/// Chunks that wait to be forgotten. A cache full of the largest packets keeps half of them; beyond that whoever holds a
/// payload holds its chunk alone.
const MAX_CHUNKS: usize = 48;

/// See the module.
#[derive(Debug)]
pub(crate) struct Pool {
    chunk: usize,
    filling: BytesMut,
    full: VecDeque<BytesMut>,
    began: bool,
}

impl Default for Pool {
    fn default() -> Self {
        Self::of_chunks(CHUNK)
    }
}

impl Pool {
    /// With chunks of this size.
    pub(crate) fn of_chunks(chunk: usize) -> Self {
        Self { chunk, filling: BytesMut::new(), full: VecDeque::new(), began: false }
    }

    /// The same bytes, shared.
    pub(crate) fn share(&mut self, payload: &[u8]) -> Bytes {
        self.join(payload, &[])
    }

    /// The same bytes one behind the other, shared.
    pub(crate) fn join(&mut self, payload: &[u8], more: &[u8]) -> Bytes {
        let len = payload.len() + more.len();
        if self.filling.capacity() < len {
            let next = self.next_chunk(len);
            let full = std::mem::replace(&mut self.filling, next);
            // What the pool began with is no chunk: it could never be filled again, and all others wait behind it.
            if self.began && self.full.len() < MAX_CHUNKS {
                self.full.push_back(full);
            }
            self.began = true;
        }
        self.filling.extend_from_slice(payload);
        self.filling.extend_from_slice(more);
        self.filling.split().freeze()
    }

    fn next_chunk(&mut self, len: usize) -> BytesMut {
        let len = len.max(self.chunk);
        match self.full.front_mut().is_some_and(|oldest| oldest.try_reclaim(len)) {
            true => self.full.pop_front().unwrap_or_default(),
            false => BytesMut::with_capacity(len),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_filled_again_once_their_payloads_are_forgotten() {
        let mut pool = Pool::default();
        let mut held = VecDeque::new();
        let mut places = std::collections::BTreeSet::new();
        for n in 0..20_000_u32 {
            let payload = [n.to_be_bytes().as_slice(), &[7; 1196]].concat();
            let shared = pool.share(&payload);
            assert_eq!(shared, payload);
            places.insert(shared.as_ptr() as usize);
            held.push_back((n, shared));
            if held.len() > 500 {
                let (n, oldest) = held.pop_front().unwrap();
                assert_eq!(oldest.get(..4), Some(&n.to_be_bytes()[..]), "nothing was written over it");
            }
        }
        assert!(places.len() < 1200, "{} places for 500 payloads at a time", places.len());
    }

    #[test]
    fn a_payload_larger_than_a_chunk_has_one_of_its_own() {
        let mut pool = Pool::default();
        let large = vec![1; CHUNK + 1];
        assert_eq!(pool.share(&large), large);
        assert_eq!(pool.share(&[2]), [2][..]);
    }
}
