//! Walks through a compound packet.
//!
//! in:  decrypted bytes
//! out: the packets we act upon, at most [`MAX_PACKETS`]; others (SDES, XR, APP) are passed over
//!
//! A length that leads outside ends the walk: what was read before it stands.

use super::NtpTime;
use super::transport_cc::TransportCc;
use crate::units::{Bitrate, Ssrc};

/// No honest compound has more; limits the work one datagram can ask for.
const MAX_PACKETS: usize = 32;

/// A report block on the wire.
const BLOCK_LEN: usize = 24;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const GOODBYE: u8 = 203;
const TRANSPORT_FEEDBACK: u8 = 205;
const PAYLOAD_FEEDBACK: u8 = 206;

const FORMAT_NACK: u8 = 1;
const FORMAT_TRANSPORT_CC: u8 = 15;
const FORMAT_PLI: u8 = 1;
const FORMAT_FIR: u8 = 4;
const FORMAT_APPLICATION: u8 = 15;

/// One packet of a compound.
#[derive(Clone, Debug)]
pub enum Packet<'a> {
    /// RFC 3550 §6.4.1.
    SenderReport {
        /// About the sender's own stream.
        info: SenderInfo,
        /// About what it receives.
        blocks: ReportBlocks<'a>,
    },
    /// RFC 3550 §6.4.2.
    ReceiverReport {
        /// Who reports.
        from: Ssrc,
        /// About what it receives.
        blocks: ReportBlocks<'a>,
    },
    /// Packets are missing. RFC 4585 §6.2.1.
    Nack {
        /// Who asks.
        from: Ssrc,
        /// Of which stream.
        media: Ssrc,
        /// Which packets.
        lost: Lost<'a>,
    },
    /// A picture is lost. RFC 4585 §6.3.1.
    Pli {
        /// Who asks.
        from: Ssrc,
        /// Of which stream.
        media: Ssrc,
    },
    /// A key frame is asked for. RFC 5104 §4.3.1.
    Fir {
        /// Who asks.
        from: Ssrc,
        /// Of which streams, with the request's number.
        entries: FirEntries<'a>,
    },
    /// Arrival times of a transport's packets.
    TransportCc(TransportCc<'a>),
    /// The most that should be sent to this receiver, all streams together: draft-alvestrand-rmcat-remb-03 §2.2.
    Remb(Bitrate),
    /// Streams have ended. RFC 3550 §6.6.
    Bye(Ssrcs<'a>),
}

/// What a sender says of its own stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderInfo {
    /// Which stream.
    pub ssrc: Ssrc,
    /// Sender's clock.
    pub ntp: NtpTime,
    /// The same moment on the stream's clock.
    pub rtp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Payload bytes sent.
    pub octets: u32,
}

/// How one stream arrives. RFC 3550 §6.4.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportBlock {
    /// Which stream.
    pub ssrc: Ssrc,
    /// Loss since the report before, in 1/256.
    pub fraction_lost: u8,
    /// Loss since the beginning; duplicates count against it, 24 bits signed.
    pub cumulative_lost: i32,
    /// Cycles and highest sequence number.
    pub highest_seq: u32,
    /// Interarrival jitter in ticks.
    pub jitter: u32,
    /// Middle bits of the last sender report; 0 when there was none.
    pub last_sr: u32,
    /// Time since it came, in 1/65536 s.
    pub delay_since_sr: u32,
}

/// Walks through `bytes`.
#[must_use]
pub fn packets(bytes: &[u8]) -> Packets<'_> {
    Packets { rest: bytes, left: MAX_PACKETS }
}

/// See [`packets`].
#[derive(Clone, Debug)]
pub struct Packets<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> Iterator for Packets<'a> {
    type Item = Packet<'a>;

    fn next(&mut self) -> Option<Packet<'a>> {
        while self.left > 0 {
            self.left -= 1;
            let Some((raw, rest)) = Raw::split(self.rest) else {
                self.rest = &[];
                return None;
            };
            self.rest = rest;
            if let Some(packet) = raw.read() {
                return Some(packet);
            }
        }
        None
    }
}

/// A packet whose length is right; its content is not looked at yet.
struct Raw<'a> {
    count: u8,
    kind: u8,
    body: &'a [u8],
}

impl<'a> Raw<'a> {
    fn split(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let &[first, kind, words_hi, words_lo] = bytes.first_chunk()?;
        if first >> 6 != 2 {
            return None;
        }
        let len = 4 + usize::from(u16::from_be_bytes([words_hi, words_lo])) * 4;
        let (whole, rest) = bytes.split_at_checked(len)?;
        let mut body = whole.get(4..)?;
        if first & 0x20 != 0 {
            let padding = usize::from(*body.last()?);
            body = body.get(..body.len().checked_sub(padding)?)?;
        }
        Some((Self { count: first & 0x1f, kind, body }, rest))
    }

    fn read(&self) -> Option<Packet<'a>> {
        match (self.kind, self.count) {
            (SENDER_REPORT, count) => {
                let (from, rest) = word(self.body)?;
                let (info, rest) = rest.split_first_chunk::<20>()?;
                let info = SenderInfo {
                    ssrc: Ssrc(from),
                    ntp: NtpTime(u64::from(be(info, 0)) << 32 | u64::from(be(info, 1))),
                    rtp: be(info, 2),
                    packets: be(info, 3),
                    octets: be(info, 4),
                };
                Some(Packet::SenderReport { info, blocks: ReportBlocks::of(count, rest)? })
            }
            (RECEIVER_REPORT, count) => {
                let (from, rest) = word(self.body)?;
                Some(Packet::ReceiverReport { from: Ssrc(from), blocks: ReportBlocks::of(count, rest)? })
            }
            (GOODBYE, count) => Some(Packet::Bye(Ssrcs(self.body.get(..usize::from(count) * 4)?))),
            (TRANSPORT_FEEDBACK, FORMAT_NACK) => {
                let (from, media, rest) = feedback(self.body)?;
                Some(Packet::Nack { from, media, lost: Lost { rest, following: None } })
            }
            (TRANSPORT_FEEDBACK, FORMAT_TRANSPORT_CC) => {
                let (_, _, info) = feedback(self.body)?;
                TransportCc::read(info).map(Packet::TransportCc)
            }
            (PAYLOAD_FEEDBACK, FORMAT_APPLICATION) => {
                let (_, _, info) = feedback(self.body)?;
                remb(info).map(Packet::Remb)
            }
            (PAYLOAD_FEEDBACK, FORMAT_PLI) => {
                let (from, media, _) = feedback(self.body)?;
                Some(Packet::Pli { from, media })
            }
            (PAYLOAD_FEEDBACK, FORMAT_FIR) => {
                let (from, _unused, entries) = feedback(self.body)?;
                Some(Packet::Fir { from, entries: FirEntries(entries) })
            }
            _ => None,
        }
    }
}

/// Report blocks of a sender or receiver report.
#[derive(Clone, Debug)]
pub struct ReportBlocks<'a>(&'a [u8]);

impl<'a> ReportBlocks<'a> {
    fn of(count: u8, rest: &'a [u8]) -> Option<Self> {
        rest.get(..usize::from(count) * BLOCK_LEN).map(Self)
    }
}

impl Iterator for ReportBlocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let (block, rest) = self.0.split_first_chunk::<BLOCK_LEN>()?;
        self.0 = rest;
        let loss = be(block, 1);
        Some(ReportBlock {
            ssrc: Ssrc(be(block, 0)),
            fraction_lost: loss.to_be_bytes()[0],
            cumulative_lost: (loss << 8).cast_signed() >> 8, // sign of the 24 bits
            highest_seq: be(block, 2),
            jitter: be(block, 3),
            last_sr: be(block, 4),
            delay_since_sr: be(block, 5),
        })
    }
}

/// Sequence numbers a NACK names; at most 17 for each four bytes.
#[derive(Clone, Debug)]
pub struct Lost<'a> {
    rest: &'a [u8],
    /// Base and mask of the entry under way.
    following: Option<(u16, u16)>,
}

impl Iterator for Lost<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        if let Some((base, mask)) = self.following.filter(|(_, mask)| *mask != 0) {
            let bit = u16::try_from(mask.trailing_zeros()).ok()?;
            self.following = Some((base, mask & (mask - 1)));
            return Some(base.wrapping_add(bit + 1));
        }
        let (&[base_hi, base_lo, mask_hi, mask_lo], rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        let base = u16::from_be_bytes([base_hi, base_lo]);
        self.following = Some((base, u16::from_be_bytes([mask_hi, mask_lo])));
        Some(base)
    }
}

/// Streams a FIR names, each with the number of the request (a repeated one is the same request).
#[derive(Clone, Debug)]
pub struct FirEntries<'a>(&'a [u8]);

impl Iterator for FirEntries<'_> {
    type Item = (Ssrc, u8);

    fn next(&mut self) -> Option<(Ssrc, u8)> {
        let (&[a, b, c, d, number, _, _, _], rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some((Ssrc(u32::from_be_bytes([a, b, c, d])), number))
    }
}

/// A list of streams.
#[derive(Clone, Debug)]
pub struct Ssrcs<'a>(&'a [u8]);

impl Iterator for Ssrcs<'_> {
    type Item = Ssrc;

    fn next(&mut self) -> Option<Ssrc> {
        let (ssrc, rest) = word(self.0)?;
        self.0 = rest;
        Some(Ssrc(ssrc))
    }
}

/// Mantissa of 18 bits, shifted by an exponent of 6: what overflows is no limit.
fn remb(info: &[u8]) -> Option<Bitrate> {
    let &[b'R', b'E', b'M', b'B', _streams, exponent, mid, low] = info.first_chunk()? else { return None };
    let mantissa = u64::from(exponent & 3) << 16 | u64::from(mid) << 8 | u64::from(low);
    let shift = u32::from(exponent >> 2);
    Some(Bitrate(if shift > mantissa.leading_zeros() { u64::MAX } else { mantissa << shift }))
}

/// Sender and media SSRC, then the control information. RFC 4585 §6.1.
fn feedback(body: &[u8]) -> Option<(Ssrc, Ssrc, &[u8])> {
    let (from, rest) = word(body)?;
    let (media, rest) = word(rest)?;
    Some((Ssrc(from), Ssrc(media), rest))
}

fn word(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (word, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*word), rest))
}

/// The n-th 32-bit word; callers ask within the array's length.
fn be<const N: usize>(words: &[u8; N], n: usize) -> u32 {
    words.get(n * 4..).and_then(|tail| tail.first_chunk()).map_or(0, |word| u32::from_be_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_a_receiver() {
        let check = |tail: [u8; 4], expected: u64| {
            let mut bytes = vec![0x8f, 206, 0, 5, 0, 0, 0, 9, 0, 0, 0, 0];
            bytes.extend_from_slice(b"REMB");
            bytes.extend_from_slice(&tail);
            bytes.extend_from_slice(&[0, 0, 0, 1]);
            let read: Vec<_> = packets(&bytes).collect();
            let &[Packet::Remb(limit)] = &read[..] else { panic!("{read:?}") };
            assert_eq!(limit, Bitrate(expected), "{tail:?}");
        };
        check([1, 0, 0x27, 0x10], 10_000);
        check([1, 3 << 2 | 1, 0, 0], 0x10000 << 3);
        check([1, 63 << 2 | 3, 0xff, 0xff], u64::MAX);
        check([1, 63 << 2, 0, 0], 0);
        let other = [0x8f, 206, 0, 3, 0, 0, 0, 9, 0, 0, 0, 0, b'X', b'Y', b'Z', 0];
        assert_eq!(packets(&other).count(), 0);
    }
}
