//! What waits for a connection to take it.
//!
//! in:  datagrams; out: frames (RFC 4571), as fast as the connection takes them
//!
//! When full, a frame is left out whole: the stream stays readable, and the peer sees a lost packet.

use std::io::{self, ErrorKind, Write};

use crate::transport::framing::header_of;

/// Bytes waiting for one connection: half a second at 2 Mbit/s, or a large key frame. What waits longer is late.
const QUEUE_MAX: usize = 128 * 1024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct WriteQueue {
    bytes: Vec<u8>,
    written: usize,
}

/// What came of writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// Nothing waits any more.
    All,
    /// The connection has taken a part.
    Some,
    /// It takes nothing now.
    None,
}

impl WriteQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.len() == self.written
    }

    /// False when the datagram was left out.
    pub(super) fn push(&mut self, datagram: &[u8]) -> bool {
        let Some(header) = header_of(datagram) else { return false };
        if self.bytes.len() - self.written + header.len() + datagram.len() > QUEUE_MAX {
            return false;
        }
        if self.written > QUEUE_MAX {
            self.bytes.drain(..self.written);
            self.written = 0;
        }
        self.bytes.extend_from_slice(&header);
        self.bytes.extend_from_slice(datagram);
        true
    }

    /// Writes until all is out or the connection is full.
    pub(super) fn flush(&mut self, connection: &mut impl Write) -> io::Result<Written> {
        let before = self.written;
        while let Some(waiting) = self.bytes.get(self.written..).filter(|waiting| !waiting.is_empty()) {
            match connection.write(waiting) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Ok(if self.written > before { Written::Some } else { Written::None });
                }
                Err(error) => return Err(error),
            }
        }
        // A connection that was behind once keeps no memory for it.
        self.bytes =
            if self.bytes.capacity() > QUEUE_MAX / 8 { Vec::new() } else { std::mem::take(&mut self.bytes) };
        self.bytes.clear();
        self.written = 0;
        Ok(Written::All)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::framing::Deframer;

    /// Takes `room` bytes and then no more.
    struct Pipe {
        room: usize,
        taken: Vec<u8>,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room).min(1000);
            if count == 0 {
                return Err(ErrorKind::WouldBlock.into());
            }
            self.room -= count;
            self.taken.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_does_not_fit_is_left_out_whole() {
        let mut queue = WriteQueue::default();
        let mut pipe = Pipe { room: 3000, taken: Vec::new() };
        let datagram = |n: u32| [&n.to_be_bytes()[..], &[7; 1196]].concat();
        let kept: Vec<u32> = (0..500).filter(|n| queue.push(&datagram(*n))).collect();
        assert_eq!(kept.len(), QUEUE_MAX / 1202);
        assert_eq!(queue.flush(&mut pipe).unwrap(), Written::Some);
        assert_eq!(queue.flush(&mut pipe).unwrap(), Written::None);
        // There is room again for what comes later.
        assert!(queue.push(&datagram(500)) && queue.push(&datagram(501)) && !queue.push(&datagram(502)));
        pipe.room = usize::MAX;
        assert_eq!(queue.flush(&mut pipe).unwrap(), Written::All);
        assert!(queue.is_empty());

        let mut seen = Vec::new();
        Deframer::default().feed(&mut pipe.taken, |d| seen.push(d.to_vec())).unwrap();
        let expected: Vec<Vec<u8>> = kept.into_iter().chain([500, 501]).map(datagram).collect();
        assert_eq!(seen, expected);
    }
}
