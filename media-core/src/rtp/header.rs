//! The fixed header and where the parts behind it lie.
//!
//! in:  bytes that claim to be RTP
//! out: [`RtpView`], every part of it inside those bytes, or [`Malformed`]

use crate::units::{Pt, Ssrc};

/// Length of the fixed header, RFC 3550 §5.1.
pub(crate) const FIXED_LEN: usize = 12;

/// Why bytes are not an RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Shorter than the fixed header and the CSRC list it announces.
    #[error("shorter than its header")]
    Header,
    /// The version is not 2.
    #[error("not RTP version 2")]
    Version,
    /// The extension block reaches beyond the packet.
    #[error("the header extension does not fit")]
    Extension,
    /// The padding count is zero or larger than what is there.
    #[error("the padding does not fit")]
    Padding,
}

/// An RTP packet, looked at in place. RFC 3550 §5.1.
#[derive(Clone, Copy, Debug)]
pub struct RtpView<'a> {
    fixed: &'a [u8; FIXED_LEN],
    pub(super) extension: Option<Extension<'a>>,
    payload: &'a [u8],
    header_len: usize,
}

/// The extension block: which form it says it has, and its body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extension<'a> {
    pub(super) profile: u16,
    pub(super) body: &'a [u8],
}

impl<'a> RtpView<'a> {
    /// Looks at `bytes` and remembers where everything is.
    ///
    /// # Errors
    /// [`Malformed`] when a length in the packet points outside of it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (fixed, rest) = bytes.split_first_chunk::<FIXED_LEN>().ok_or(Malformed::Header)?;
        if fixed[0] >> 6 != 2 {
            return Err(Malformed::Version);
        }
        let csrc_len = usize::from(fixed[0] & 0x0f) * 4;
        let (_csrc, rest) = rest.split_at_checked(csrc_len).ok_or(Malformed::Header)?;
        let (extension, rest) = if fixed[0] & 0x10 == 0 { (None, rest) } else { split_extension(rest)? };
        let header_len = bytes.len() - rest.len();
        let payload = if fixed[0] & 0x20 == 0 { rest } else { without_padding(rest)? };
        Ok(Self { fixed, extension, payload, header_len })
    }

    /// The last packet of a picture; the first of a talk spurt.
    #[must_use]
    pub fn marker(&self) -> bool {
        self.fixed[1] & 0x80 != 0
    }

    /// Payload type.
    #[must_use]
    pub fn pt(&self) -> Pt {
        Pt(self.fixed[1] & 0x7f)
    }

    /// Sequence number as on the wire.
    #[must_use]
    pub fn seq(&self) -> u16 {
        u16::from_be_bytes([self.fixed[2], self.fixed[3]])
    }

    /// Timestamp as on the wire.
    #[must_use]
    pub fn timestamp(&self) -> u32 {
        u32::from_be_bytes([self.fixed[4], self.fixed[5], self.fixed[6], self.fixed[7]])
    }

    /// Who sent it.
    #[must_use]
    pub fn ssrc(&self) -> Ssrc {
        Ssrc(u32::from_be_bytes([self.fixed[8], self.fixed[9], self.fixed[10], self.fixed[11]]))
    }

    /// What is carried, without padding. Empty for a bandwidth probe made of padding only.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Bytes before the payload: fixed header, CSRCs and extensions.
    #[must_use]
    pub fn header_len(&self) -> usize {
        self.header_len
    }
}

fn split_extension(rest: &[u8]) -> Result<(Option<Extension<'_>>, &[u8]), Malformed> {
    let (head, rest) = rest.split_first_chunk::<4>().ok_or(Malformed::Extension)?;
    let [profile_hi, profile_lo, words_hi, words_lo] = *head;
    let len = usize::from(u16::from_be_bytes([words_hi, words_lo])) * 4;
    let (body, rest) = rest.split_at_checked(len).ok_or(Malformed::Extension)?;
    Ok((Some(Extension { profile: u16::from_be_bytes([profile_hi, profile_lo]), body }), rest))
}

/// The last byte counts the padding, itself included, so zero is a lie (RFC 3550 §5.1).
fn without_padding(rest: &[u8]) -> Result<&[u8], Malformed> {
    let padding = usize::from(*rest.last().ok_or(Malformed::Padding)?);
    let len = rest.len().checked_sub(padding).filter(|_| padding > 0).ok_or(Malformed::Padding)?;
    rest.get(..len).ok_or(Malformed::Padding)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: Result<(&[u8], usize), Malformed>) {
        let got = RtpView::parse(bytes).map(|v| (v.payload(), v.header_len()));
        assert_eq!(got, expected, "{bytes:02x?}");
    }

    fn packet(first: u8, tail: &[u8]) -> Vec<u8> {
        let mut p = vec![first, 0xe0, 0x12, 0x34, 0, 0, 0, 9, 0xde, 0xad, 0xbe, 0xef];
        p.extend_from_slice(tail);
        p
    }

    #[test]
    fn fields() {
        let p = packet(0x80, b"x");
        let v = RtpView::parse(&p).unwrap();
        assert!(v.marker());
        assert_eq!((v.pt(), v.seq(), v.timestamp(), v.ssrc()), (Pt(0x60), 0x1234, 9, Ssrc(0xdead_beef)));
    }

    #[test]
    fn lengths_that_lie() {
        check(&packet(0x80, b"")[..11], Err(Malformed::Header));
        check(&packet(0x40, b"x"), Err(Malformed::Version));
        check(&packet(0x82, &[1, 2, 3, 4, 5, 6, 7]), Err(Malformed::Header));
        check(&packet(0x81, &[1, 2, 3, 4, 5]), Ok((&[5], 16)));
        check(&packet(0x90, &[0xbe, 0xde, 0]), Err(Malformed::Extension));
        check(&packet(0x90, &[0xbe, 0xde, 0, 1, 0, 0, 0]), Err(Malformed::Extension));
        check(&packet(0x90, &[0xbe, 0xde, 0, 1, 0, 0, 0, 0, 7]), Ok((&[7], 20)));
        check(&packet(0xa0, b""), Err(Malformed::Padding));
        check(&packet(0xa0, &[1, 0]), Err(Malformed::Padding));
        check(&packet(0xa0, &[1, 3]), Err(Malformed::Padding));
        check(&packet(0xa0, &[1, 0, 2]), Ok((&[1], 12)));
        check(&packet(0xa0, &[2, 2]), Ok((&[], 12)));
    }
}
