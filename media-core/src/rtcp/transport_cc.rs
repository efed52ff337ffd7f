//! Transport-wide feedback, read in place.
//!
//! in:  one feedback packet, its length already right
//! out: each number it speaks of, with the arrival on the peer's clock when it came
//!
//! The `rtcp` crate's type makes a list of lists of each packet; twenty such packets come per second and viewer, so this
//! one allocates nothing. draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1.

/// Statuses in one packet. A run-length chunk of two bytes claims up to 8191; a browser reports some hundred.
const MAX_STATUSES: u16 = 4096;
/// Unit of the reference time, microseconds.
const REFERENCE_US: i64 = 64_000;
/// Unit of deltas, microseconds.
const DELTA_US: i64 = 250;

/// Arrival times of a transport's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransportCc<'a> {
    base: u16,
    count: u16,
    reference: i32,
    chunks: &'a [u8],
    deltas: &'a [u8],
}

impl<'a> TransportCc<'a> {
    /// Reads what stands behind the two SSRCs. `None` when it claims too much or its statuses are cut off.
    pub(super) fn read(info: &'a [u8]) -> Option<Self> {
        let (&[base_hi, base_lo, count_hi, count_lo, t0, t1, t2, _number], rest) =
            info.split_first_chunk()?;
        let count = u16::from_be_bytes([count_hi, count_lo]);
        if count > MAX_STATUSES {
            return None;
        }
        let mut chunks = Chunks { rest };
        let mut covered = 0_u32;
        while covered < u32::from(count) {
            covered += u32::from(chunks.next()?.len());
        }
        let (chunks, deltas) = rest.split_at_checked(rest.len() - chunks.rest.len())?;
        let base = u16::from_be_bytes([base_hi, base_lo]);
        // Signed, 24 bits.
        let reference = i32::from_be_bytes([t0, t1, t2, 0]) >> 8;
        Some(Self { base, count, reference, chunks, deltas })
    }

    /// First number spoken of.
    #[must_use]
    pub fn base(&self) -> u16 {
        self.base
    }

    /// How many numbers from there on.
    #[must_use]
    pub fn count(&self) -> u16 {
        self.count
    }

    /// The numbers in order.
    #[must_use]
    pub fn arrivals(&self) -> Arrivals<'a> {
        Arrivals {
            next: self.base,
            left: self.count,
            time_us: i64::from(self.reference) * REFERENCE_US,
            chunks: Chunks { rest: self.chunks },
            chunk: Chunk::RunLength { symbol: 0, left: 0 },
            deltas: self.deltas,
        }
    }
}

/// What became of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Transport-wide sequence number.
    pub number: u16,
    /// Microseconds on the peer's clock, which wraps after twelve days; `None` when it had not come.
    pub at_us: Option<i64>,
}

/// See [`TransportCc::arrivals`].
#[derive(Clone, Debug)]
pub struct Arrivals<'a> {
    next: u16,
    left: u16,
    time_us: i64,
    chunks: Chunks<'a>,
    chunk: Chunk,
    deltas: &'a [u8],
}

impl Iterator for Arrivals<'_> {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        self.left = self.left.checked_sub(1)?;
        let symbol = loop {
            match self.chunk.take() {
                Some(symbol) => break symbol,
                None => self.chunk = self.chunks.next()?,
            }
        };
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        let delta = match symbol {
            1 => {
                let (&[delta], rest) = self.deltas.split_first_chunk()?;
                self.deltas = rest;
                i64::from(delta)
            }
            2 => {
                let (delta, rest) = self.deltas.split_first_chunk()?;
                self.deltas = rest;
                i64::from(i16::from_be_bytes(*delta))
            }
            _ => return Some(Arrival { number, at_us: None }),
        };
        self.time_us += delta * DELTA_US;
        Some(Arrival { number, at_us: Some(self.time_us) })
    }
}

#[derive(Clone, Copy, Debug)]
enum Chunk {
    RunLength {
        symbol: u16,
        left: u16,
    },
    /// The next symbol is in the highest bits.
    Vector {
        bits: u16,
        width: u16,
        left: u16,
    },
}

impl Chunk {
    fn len(self) -> u16 {
        match self {
            Self::RunLength { left, .. } | Self::Vector { left, .. } => left,
        }
    }

    fn take(&mut self) -> Option<u16> {
        match self {
            Self::RunLength { symbol, left } => {
                *left = left.checked_sub(1)?;
                Some(*symbol)
            }
            Self::Vector { bits, width, left } => {
                *left = left.checked_sub(1)?;
                let symbol = *bits >> (16 - *width);
                *bits <<= *width;
                Some(symbol)
            }
        }
    }
}

#[derive(Clone, Debug)]
struct Chunks<'a> {
    rest: &'a [u8],
}

impl Iterator for Chunks<'_> {
    type Item = Chunk;

    fn next(&mut self) -> Option<Chunk> {
        let (chunk, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        let word = u16::from_be_bytes(*chunk);
        Some(if word & 0x8000 == 0 {
            Chunk::RunLength { symbol: word >> 13, left: word & 0x1fff }
        } else if word & 0x4000 == 0 {
            Chunk::Vector { bits: word << 2, width: 1, left: 14 }
        } else {
            Chunk::Vector { bits: word << 2, width: 2, left: 7 }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(info: &[u8]) -> Option<Vec<(u16, Option<i64>)>> {
        Some(TransportCc::read(info)?.arrivals().map(|it| (it.number, it.at_us)).collect())
    }

    #[test]
    fn each_kind_of_chunk() {
        // Two lost, one large negative delta, then a vector of one bit, then one of two bits; the last ones unused.
        let info = [
            0xff,
            0xfe,
            0,
            7,
            0,
            0,
            2,
            0, // base 65534, seven, reference 128 ms
            0x00,
            0x02, // run of two lost
            0x40,
            0x01, // run of one large
            0b1010_0000,
            0, // 1-bit vector: received, lost, …
            4,
            0xff,
            0xf8, // would be deltas if the vector ended there
        ];
        let seven = read(&info).unwrap();
        assert_eq!(seven[..3], [(65_534, None), (65_535, None), (0, Some(128_000 + 0x04ff * 250))]);
        let two_bit = [0, 5, 0, 3, 0xff, 0xff, 0xff, 0, 0b1101_1000, 0, 8, 0xff, 0xfc];
        assert_eq!(
            read(&two_bit).unwrap(),
            [(5, Some(-64_000 + 2000)), (6, Some(-64_000 + 1000)), (7, None)]
        );
    }

    #[test]
    fn lies_are_bounded() {
        assert_eq!(read(&[0, 5, 0x10, 1, 0, 0, 0, 0, 0x3f, 0xff]), None, "more than anybody reports");
        assert_eq!(read(&[0, 5, 0, 9, 0, 0, 0, 0, 0x20, 1]), None, "fewer statuses than announced");
        assert_eq!(read(&[0, 5, 0, 9]), None);
        assert_eq!(
            read(&[0, 5, 0, 2, 0, 0, 0, 0, 0x20, 2, 4]).unwrap(),
            [(5, Some(1000))],
            "a delta is missing"
        );
        assert_eq!(read(&[0, 5, 0, 0, 0, 0, 0, 0]).unwrap(), []);
        // Empty runs end with the bytes.
        assert_eq!(read(&[0, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None);
    }
}
