//! The few header fields SRTP needs, read with bounds.

use crate::units::Ssrc;

/// Smallest RTP header, RFC 3550 §5.1.
const RTP_FIXED: usize = 12;

/// What SRTP needs to know of an RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RtpHeader {
    pub(super) ssrc: Ssrc,
    pub(super) seq: u16,
    /// Bytes that stay in the clear: fixed header, CSRCs, extension.
    pub(super) len: usize,
}

/// `None` when the header does not lie inside `packet`.
pub(super) fn parse_rtp(packet: &[u8]) -> Option<RtpHeader> {
    let &[first, _, s0, s1, _, _, _, _, c0, c1, c2, c3] = packet.first_chunk::<RTP_FIXED>()?;
    if first >> 6 != 2 {
        return None;
    }
    let mut len = RTP_FIXED + 4 * usize::from(first & 0x0f);
    if first & 0x10 != 0 {
        let &[_, _, w0, w1] = packet.get(len..)?.first_chunk::<4>()?;
        len += 4 + 4 * usize::from(u16::from_be_bytes([w0, w1]));
    }
    (len <= packet.len()).then_some(RtpHeader {
        ssrc: Ssrc(u32::from_be_bytes([c0, c1, c2, c3])),
        seq: u16::from_be_bytes([s0, s1]),
        len,
    })
}

/// The sender's SSRC; `None` when `packet` is shorter than the header that stays in the clear.
pub(super) fn parse_rtcp(packet: &[u8]) -> Option<Ssrc> {
    let &[first, _, _, _, c0, c1, c2, c3] = packet.first_chunk::<8>()?;
    (first >> 6 == 2).then_some(Ssrc(u32::from_be_bytes([c0, c1, c2, c3])))
}
