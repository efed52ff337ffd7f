//! Reads the outside of SCTP packets: chunks, and what of them decides how much they cost (RFC 9260 §3).

/// A packet that is not made of whole chunks we speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Common header: ports, verification tag, checksum.
const HEADER: usize = 12;

pub(super) const DATA: u8 = 0;
pub(super) const INIT: u8 = 1;
pub(super) const SACK: u8 = 3;
pub(super) const HEARTBEAT: u8 = 4;
pub(super) const RE_CONFIG: u8 = 130;
pub(super) const FORWARD_TSN: u8 = 192;
pub(super) const ABORT: u8 = 6;
pub(super) const ERROR: u8 = 9;
/// SHUTDOWN and its two answers, COOKIE ECHO and COOKIE ACK.
const SIMPLE: [u8; 5] = [7, 8, 10, 11, 14];

/// Parameters of RE-CONFIG that WebRTC uses (RFC 6525 §4).
const OUTGOING_RESET: u16 = 13;
const RESET_RESPONSE: u16 = 16;
/// Result "in progress".
const IN_PROGRESS: u32 = 6;

/// A chunk without its padding.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk<'a> {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) value: &'a [u8],
}

/// What of a DATA chunk the gate looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Data {
    pub(super) tsn: u32,
    pub(super) stream: u16,
    pub(super) ssn: u16,
    pub(super) unordered: bool,
    pub(super) begins: bool,
    pub(super) ends: bool,
}

/// A parameter of RE-CONFIG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reset {
    /// The sender ends streams; all it sent on them has a TSN up to `last`.
    Request { number: u32, last: u32 },
    /// Answer to the request of that number.
    Response { number: u32, in_progress: bool },
}

/// The chunks of a packet, in order; ends after the first malformed one.
pub(super) fn chunks(packet: &[u8]) -> impl Iterator<Item = Result<Chunk<'_>, Malformed>> {
    let mut rest = packet.get(HEADER..).filter(|rest| !rest.is_empty()).ok_or(Malformed);
    std::iter::from_fn(move || match rest {
        Ok([]) => None,
        Ok(bytes) => match split(bytes) {
            Some((chunk, after)) => {
                rest = Ok(after);
                Some(Ok(chunk))
            }
            None => {
                rest = Ok(&[]);
                Some(Err(Malformed))
            }
        },
        Err(malformed) => {
            rest = Ok(&[]);
            Some(Err(malformed))
        }
    })
}

fn split(bytes: &[u8]) -> Option<(Chunk<'_>, &[u8])> {
    let (&[kind, flags, l0, l1], rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::from(u16::from_be_bytes([l0, l1])).checked_sub(4)?;
    let (value, rest) = rest.split_at_checked(length)?;
    // The last chunk of a packet may come without its padding.
    let padding = (4 - length % 4) % 4;
    let rest = rest.get(padding..).unwrap_or_default();
    Some((Chunk { kind, flags, value }, rest))
}

impl Chunk<'_> {
    /// Whether the library reads it.
    pub(super) fn is_known(&self) -> bool {
        matches!(self.kind, DATA | INIT | SACK | HEARTBEAT | ABORT | ERROR | RE_CONFIG | FORWARD_TSN)
            || SIMPLE.contains(&self.kind)
    }

    pub(super) fn data(&self) -> Result<Data, Malformed> {
        let (&[t0, t1, t2, t3, s0, s1, n0, n1, ..], user) =
            self.value.split_first_chunk::<12>().ok_or(Malformed)?;
        if user.is_empty() {
            return Err(Malformed);
        }
        let bit = |bit: u8| self.flags & bit != 0;
        Ok(Data {
            tsn: u32::from_be_bytes([t0, t1, t2, t3]),
            stream: u16::from_be_bytes([s0, s1]),
            ssn: u16::from_be_bytes([n0, n1]),
            unordered: bit(4),
            begins: bit(2),
            ends: bit(1),
        })
    }

    /// The first TSN of an INIT.
    pub(super) fn initial_tsn(&self) -> Result<u32, Malformed> {
        word(self.value, 12).ok_or(Malformed)
    }

    /// The new cumulative TSN of a FORWARD TSN, and the streams it is about with their sequence numbers.
    pub(super) fn forward(&self) -> Result<(u32, Vec<(u16, u16)>), Malformed> {
        let tsn = word(self.value, 0).ok_or(Malformed)?;
        let (streams, rest) = self.value.get(4..).unwrap_or_default().as_chunks::<4>();
        if !rest.is_empty() {
            return Err(Malformed);
        }
        let streams = streams.iter();
        let pair = |&[a, b, c, d]: &[u8; 4]| (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        Ok((tsn, streams.map(pair).collect()))
    }

    /// The gap blocks of a SACK: whether they rise and do not touch each other, as RFC 9260 §3.3.4 has them.
    pub(super) fn gaps_are_in_order(&self) -> Result<bool, Malformed> {
        let counts = word(self.value, 8).ok_or(Malformed)?;
        let gaps = self.value.get(12..).unwrap_or_default();
        let gaps = gaps.get(..4 * (counts >> 16) as usize).ok_or(Malformed)?;
        let mut last = 0;
        for &[a, b, c, d] in gaps.as_chunks::<4>().0 {
            let (start, end) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            if start <= last || end < start {
                return Ok(false);
            }
            last = end;
        }
        Ok(true)
    }

    /// Whether the causes of an ABORT or ERROR end where the chunk does. Walked as the library does, without their
    /// padding: it slices by the length of each without a look at what is there.
    pub(super) fn causes_are_whole(&self) -> bool {
        let mut rest = self.value;
        while let Some(&[_, _, l0, l1]) = rest.first_chunk::<4>() {
            let length = usize::from(u16::from_be_bytes([l0, l1]));
            match rest.get(length..) {
                Some(after) if length >= 4 => rest = after,
                Some(_) | None => return false,
            }
        }
        true
    }

    /// The one or two parameters of a RE-CONFIG.
    pub(super) fn resets(&self) -> Result<Vec<Reset>, Malformed> {
        let mut rest = self.value;
        let mut resets = Vec::new();
        while !rest.is_empty() && resets.len() < 2 {
            let (&[t0, t1, l0, l1], after) = rest.split_first_chunk::<4>().ok_or(Malformed)?;
            let length = usize::from(u16::from_be_bytes([l0, l1])).checked_sub(4).ok_or(Malformed)?;
            let (value, after) = after.split_at_checked(length).ok_or(Malformed)?;
            let number = |at| word(value, at).ok_or(Malformed);
            resets.push(match u16::from_be_bytes([t0, t1]) {
                OUTGOING_RESET => Reset::Request { number: number(0)?, last: number(8)? },
                RESET_RESPONSE => {
                    Reset::Response { number: number(0)?, in_progress: number(4)? == IN_PROGRESS }
                }
                _ => return Err(Malformed),
            });
            rest = after.get((4 - length % 4) % 4..).unwrap_or_default();
        }
        if resets.is_empty() || !rest.is_empty() { Err(Malformed) } else { Ok(resets) }
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}
