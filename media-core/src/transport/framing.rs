//! Datagrams over a connection: each behind two bytes that say its length (RFC 4571 §2).
//!
//! in:  pieces of a stream as they come
//! out: whole datagrams; or the news that this is none of our peers
//!
//! A stream that once says a length we do not take cannot be followed any further, and nothing that WebRTC sends is
//! empty or longer than a datagram on a path.

/// Longest datagram that is taken; the same as over UDP.
pub const FRAME_MAX: usize = 2048;

/// The stream does not carry datagrams of WebRTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {0} bytes")]
pub struct BadFrame(pub usize);

/// Cuts one stream into datagrams.
#[derive(Debug, Default)]
pub struct Deframer {
    /// The beginning of a frame, at most one less than a whole one.
    partial: Vec<u8>,
}

impl Deframer {
    /// Takes the next piece of the stream; each datagram that is complete goes to `take`, which may write into it.
    ///
    /// # Errors
    /// [`BadFrame`]: the stream is of no use any more.
    pub fn feed(&mut self, mut bytes: &mut [u8], mut take: impl FnMut(&mut [u8])) -> Result<(), BadFrame> {
        while !bytes.is_empty() {
            let whole = match bytes.first_chunk::<2>().filter(|_| self.partial.is_empty()) {
                Some(&header) => Some(2 + length_of(header)?).filter(|whole| *whole <= bytes.len()),
                None => None,
            };
            bytes = match whole {
                Some(whole) => {
                    let (frame, rest) = bytes.split_at_mut(whole);
                    take(frame.get_mut(2..).unwrap_or_default());
                    rest
                }
                None => self.complete(bytes, &mut take)?,
            };
        }
        Ok(())
    }

    /// Adds to the frame that has begun what belongs to it; gives the rest.
    fn complete<'a>(
        &mut self,
        bytes: &'a mut [u8],
        take: &mut impl FnMut(&mut [u8]),
    ) -> Result<&'a mut [u8], BadFrame> {
        let wanted = match self.partial.first_chunk::<2>() {
            Some(&header) => 2 + length_of(header)?,
            None => 2,
        };
        let missing = wanted.saturating_sub(self.partial.len()).min(bytes.len());
        let (more, rest) = bytes.split_at_mut(missing);
        self.partial.extend_from_slice(more);
        if let Some((&mut header, datagram)) = self.partial.split_first_chunk_mut::<2>()
            && datagram.len() == length_of(header)?
        {
            take(datagram);
            // Between frames a connection holds no memory.
            self.partial = Vec::new();
        }
        Ok(rest)
    }
}

fn length_of(header: [u8; 2]) -> Result<usize, BadFrame> {
    let length = usize::from(u16::from_be_bytes(header));
    if (1..=FRAME_MAX).contains(&length) { Ok(length) } else { Err(BadFrame(length)) }
}

/// What goes before a datagram; `None` when it is too long for any frame.
#[must_use]
pub fn header_of(datagram: &[u8]) -> Option<[u8; 2]> {
    u16::try_from(datagram.len()).ok().map(u16::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(datagrams: &[&[u8]]) -> Vec<u8> {
        datagrams.iter().flat_map(|d| [&header_of(d).unwrap()[..], d].concat()).collect()
    }

    /// Feeds the stream in pieces of `size`.
    fn cut(stream: &[u8], size: usize) -> (Vec<Vec<u8>>, Result<(), BadFrame>) {
        let mut deframer = Deframer::default();
        let mut out = Vec::new();
        for piece in stream.chunks(size) {
            if let Err(bad) = deframer.feed(&mut piece.to_vec(), |datagram| out.push(datagram.to_vec())) {
                return (out, Err(bad));
            }
            assert!(deframer.partial.capacity() <= 2 * (FRAME_MAX + 2));
        }
        (out, Ok(()))
    }

    #[test]
    fn datagrams_come_out_as_they_went_in_however_the_stream_is_cut() {
        let datagrams: [&[u8]; 4] = [&[1], &[2; 300], &[3; FRAME_MAX], &[4; 2]];
        let stream = framed(&datagrams);
        for size in [1, 2, 3, 7, 299, 300, 301, 302, 303, 2050, stream.len()] {
            let (out, end) = cut(&stream, size);
            assert_eq!(end, Ok(()));
            assert!(out.iter().zip(datagrams).all(|(a, b)| a == b) && out.len() == 4, "pieces of {size}");
        }
    }

    #[test]
    fn lengths_that_no_datagram_has_end_the_stream() {
        for length in [0, 2049, 18_245 /* "GE" of HTTP */, 65_535] {
            let header = u16::try_from(length).unwrap().to_be_bytes();
            let stream = [framed(&[b"first"]), header.to_vec(), vec![7; 9]].concat();
            for size in [1, 2, 5, 100] {
                let (out, end) = cut(&stream, size);
                assert_eq!(
                    (out, end),
                    (vec![b"first".to_vec()], Err(BadFrame(length))),
                    "{length} by {size}"
                );
            }
        }
    }
}
