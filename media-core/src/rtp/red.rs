//! Redundant audio: a packet that carries copies of the ones before it. RFC 2198.
//!
//! in:  the payload of a packet of the `red` payload type
//! out: its blocks, the oldest copy first and the packet's own sound last
//!
//! ```text
//!   |F|  pt  | timestamp offset | length |   for each copy, F = 1
//!   |0|  pt  |                               for the packet's own sound
//!   copies … own sound
//! ```

use crate::units::Pt;

/// Copies in one packet. Browsers send one or two; nobody hears more than 100 ms back.
pub const MAX_COPIES: usize = 8;

/// Sound inside a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// What it is.
    pub pt: Pt,
    /// How many packets before the one that it came in; 0 is that packet's own sound.
    pub age: u8,
    /// How much earlier than the packet's timestamp, at most 14 bits.
    pub earlier: u16,
    /// The payload that it had or has.
    pub payload: &'a [u8],
}

/// The blocks of a payload; `None` when its lengths do not fit it or it has too many.
#[must_use]
pub fn blocks(payload: &[u8]) -> Option<impl Iterator<Item = Block<'_>> + Clone> {
    let mut headers = payload;
    let mut copies = 0_u8;
    let own = loop {
        let (&first, rest) = headers.split_first()?;
        headers = rest;
        if first & 0x80 == 0 {
            break Pt(first);
        }
        headers = headers.get(3..)?;
        copies += 1;
        if usize::from(copies) > MAX_COPIES {
            return None;
        }
    };
    let lengths: usize = (0..copies).filter_map(|copy| header(payload, copy)).map(|(_, _, len)| len).sum();
    let own_payload = headers.get(lengths..)?;
    let mut at = 0;
    let copies = (0..copies).filter_map(move |copy| {
        let (pt, earlier, len) = header(payload, copy)?;
        let payload = headers.get(at..at + len)?;
        at += len;
        Some(Block { pt, age: copies - copy, earlier, payload })
    });
    Some(copies.chain(std::iter::once(Block { pt: own, age: 0, earlier: 0, payload: own_payload })))
}

/// The packet's own sound: what a receiver gets who does not know of redundancy.
#[must_use]
pub fn own(payload: &[u8]) -> Option<Block<'_>> {
    blocks(payload)?.last()
}

/// Payload type, timestamp offset and length of the n-th copy.
fn header(payload: &[u8], copy: u8) -> Option<(Pt, u16, usize)> {
    let [pt, a, b, c] = *payload.get(usize::from(copy) * 4..)?.first_chunk::<4>()?;
    let earlier = u16::from_be_bytes([a, b]) >> 2;
    let len = u16::from_be_bytes([b & 0x03, c]);
    Some((Pt(pt & 0x7f), earlier, usize::from(len)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As a sender writes it: copies as (offset, payload), the oldest first.
    fn written(copies: &[(u16, Vec<u8>)], own: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for (earlier, payload) in copies {
            let len = u16::try_from(payload.len()).unwrap();
            let rest = (u32::from(*earlier) << 10) | u32::from(len);
            out.push(0x80 | 111);
            out.extend_from_slice(&rest.to_be_bytes()[1..]);
        }
        out.push(111);
        copies.iter().for_each(|(_, payload)| out.extend_from_slice(payload));
        out.extend_from_slice(own);
        out
    }

    #[test]
    fn a_packet_of_chromium_has_its_predecessor_first() {
        let payload = written(&[(960, vec![1, 2, 3])], &[4, 5]);
        let blocks: Vec<Block<'_>> = blocks(&payload).unwrap().collect();
        assert_eq!(
            blocks,
            [
                Block { pt: Pt(111), age: 1, earlier: 960, payload: &[1, 2, 3] },
                Block { pt: Pt(111), age: 0, earlier: 0, payload: &[4, 5] },
            ]
        );
        assert_eq!(own(&payload), blocks.last().copied());
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        let good = written(&[(1920, vec![9; 40]), (960, vec![8; 40])], &[7; 40]);
        assert_eq!(blocks(&good).unwrap().count(), 3);
        // RFC 2198 §3: only the own sound may have any length, so anything before it must be whole.
        for end in 0..good.len() - 40 {
            assert!(blocks(&good[..end]).is_none(), "{end}");
        }
        assert_eq!(own(&good[..good.len() - 40]).unwrap().payload, b"");
        let too_many = written(&vec![(960, vec![1]); MAX_COPIES + 1], &[1]);
        assert!(blocks(&too_many).is_none());
        assert!(blocks(&[0xff; 1200]).is_none());
        assert!(blocks(b"").is_none());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            copies in prop::collection::vec((0..1_u16 << 14, prop::collection::vec(any::<u8>(), 0..1024)), 0..=MAX_COPIES),
            own_sound in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let payload = written(&copies, &own_sound);
            let read: Vec<Block<'_>> = blocks(&payload).unwrap().collect();
            prop_assert_eq!(read.len(), copies.len() + 1);
            for (index, (block, (earlier, copy))) in read.iter().zip(&copies).enumerate() {
                prop_assert_eq!((block.earlier, block.payload), (*earlier, copy.as_slice()));
                prop_assert_eq!(usize::from(block.age), copies.len() - index);
            }
            prop_assert_eq!(read.last().unwrap().payload, own_sound.as_slice());
        }

        #[test]
        fn any_bytes_are_read_within_their_bounds(payload in prop::collection::vec(any::<u8>(), 0..1500)) {
            if let Some(blocks) = blocks(&payload) {
                let (count, bytes) = blocks.fold((0, 0), |(n, bytes), block| (n + 1, bytes + block.payload.len()));
                prop_assert!(count <= MAX_COPIES + 1);
                prop_assert!(bytes < payload.len());
            }
        }
    }
}
