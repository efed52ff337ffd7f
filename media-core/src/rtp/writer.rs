//! Writes a packet at the end of a buffer.
//!
//! in:  header fields, extension elements, payload pieces
//! out: bytes appended; nothing allocated when the buffer has room

use super::ext::{ExtId, ONE_BYTE, TWO_BYTE};
use crate::units::{Pt, Ssrc};

/// The fixed header's fields as they go on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpHeader {
    /// Last packet of a picture.
    pub marker: bool,
    /// Payload type.
    pub pt: Pt,
    /// Sequence number.
    pub seq: u16,
    /// Timestamp.
    pub timestamp: u32,
    /// Who sends.
    pub ssrc: Ssrc,
}

/// Appends one packet. Elements go out in the one-byte form unless one of them does not fit it (RFC 8285 §4.1.2);
/// an element that fits neither form (no id, over 255 bytes) is left out. The payload may come in pieces.
pub fn write_packet(out: &mut Vec<u8>, header: &RtpHeader, exts: &[(ExtId, &[u8])], payload: &[&[u8]]) {
    let extended = exts.iter().any(|(id, value)| fits_two_byte(*id, value));
    out.push(if extended { 0x90 } else { 0x80 });
    out.push((header.pt.0 & 0x7f) | if header.marker { 0x80 } else { 0 });
    out.extend_from_slice(&header.seq.to_be_bytes());
    out.extend_from_slice(&header.timestamp.to_be_bytes());
    out.extend_from_slice(&header.ssrc.0.to_be_bytes());
    if extended {
        write_extensions(out, exts);
    }
    for piece in payload {
        out.extend_from_slice(piece);
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "lengths are checked by fits_*; few elements fill no 65535 words"
)]
fn write_extensions(out: &mut Vec<u8>, exts: &[(ExtId, &[u8])]) {
    let exts = exts.iter().filter(|(id, value)| fits_two_byte(*id, value));
    let two_byte = !exts.clone().all(|(id, value)| fits_one_byte(*id, value));
    out.extend_from_slice(&if two_byte { TWO_BYTE } else { ONE_BYTE }.to_be_bytes());
    let words_at = out.len();
    out.extend_from_slice(&[0, 0]);
    let body_at = out.len();
    for (id, value) in exts {
        if two_byte {
            out.extend_from_slice(&[id.0, value.len() as u8]);
        } else {
            out.push(id.0 << 4 | (value.len() as u8 - 1));
        }
        out.extend_from_slice(value);
    }
    let words = (out.len() - body_at).div_ceil(4);
    out.resize(body_at + words * 4, 0);
    if let Some(field) = out.get_mut(words_at..body_at) {
        field.copy_from_slice(&(words as u16).to_be_bytes());
    }
}

fn fits_one_byte(id: ExtId, value: &[u8]) -> bool {
    (1..=14).contains(&id.0) && (1..=16).contains(&value.len())
}

fn fits_two_byte(id: ExtId, value: &[u8]) -> bool {
    id.0 != 0 && value.len() <= 255
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use rtc_shared::marshal::Unmarshal;

    use super::*;
    use crate::rtp::RtpView;

    fn written(header: &RtpHeader, exts: &[(ExtId, &[u8])], payload: &[u8]) -> Vec<u8> {
        let mut out = b"before".to_vec();
        write_packet(&mut out, header, exts, &[payload]);
        out.split_off(6)
    }

    proptest! {
        /// What we write, an independent parser reads, and so do we.
        #[test]
        fn round_trip(
            marker: bool, pt in 0u8..128, seq: u16, timestamp: u32, ssrc: u32,
            // Each id once.
            exts in prop::collection::btree_map(1u8..30, prop::collection::vec(any::<u8>(), 1..40), 0..5),
            payload in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let header = RtpHeader { marker, pt: Pt(pt), seq, timestamp, ssrc: Ssrc(ssrc) };
            let elements: Vec<_> = exts.iter().map(|(id, v)| (ExtId(*id), v.as_slice())).collect();
            let bytes = written(&header, &elements, &payload);

            let ours = RtpView::parse(&bytes).unwrap();
            prop_assert_eq!(ours.payload(), &payload[..]);
            for (id, value) in &exts {
                prop_assert_eq!(ours.ext(ExtId(*id)), Some(value.as_slice()));
            }

            let theirs = ::rtp::Packet::unmarshal(&mut Bytes::from(bytes)).unwrap();
            prop_assert_eq!(theirs.header.marker, marker);
            prop_assert_eq!(theirs.header.payload_type, pt);
            prop_assert_eq!(theirs.header.sequence_number, seq);
            prop_assert_eq!(theirs.header.timestamp, timestamp);
            prop_assert_eq!(theirs.header.ssrc, ssrc);
            for (id, value) in &exts {
                let found = theirs.header.get_extension(*id);
                prop_assert_eq!(found.as_deref(), Some(value.as_slice()));
            }
            prop_assert_eq!(&theirs.payload[..], &payload[..]);
        }
    }

    #[test]
    fn impossible_elements_are_left_out() {
        let header = RtpHeader { marker: false, pt: Pt(1), seq: 1, timestamp: 1, ssrc: Ssrc(1) };
        let long = [0; 256];
        let bytes = written(&header, &[(ExtId(0), b"x"), (ExtId(1), &long)], b"p");
        assert_eq!(bytes.len(), 13);
        let bytes = written(&header, &[(ExtId(0), b"x"), (ExtId(2), b"y")], b"p");
        assert_eq!(RtpView::parse(&bytes).unwrap().ext(ExtId(2)), Some(&b"y"[..]));
    }
}
