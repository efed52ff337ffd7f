//! VP8 payload descriptor, RFC 7741 §4.2, and the head of a key frame, RFC 6386 §9.1.
//!
//! in:  a payload
//! out: what the descriptor says, where its numbers lie, and the piece of picture behind it
//!
//! ```text
//!   X R N S R PID │ I L T K RSV │ M PictureID (7 or 15) │ TL0PICIDX │ TID Y KEYIDX │ picture …
//!                                 └ picture_id_at          └ tl0_pic_idx_at           └ len
//! ```
//!
//! A forwarder writes continuous numbers over the ones that came, in place: their width never changes.

use layouts::Size;

/// What the descriptor of one packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The packet begins a picture: start of partition 0.
    pub begins_picture: bool,
    /// … and the picture is a key frame (the P bit of the VP8 header behind the descriptor).
    pub keyframe: bool,
    /// Begins a partition, be it the first or a later one.
    pub begins_partition: bool,
    /// No other picture refers to this one.
    pub non_reference: bool,
    /// 7 or 15 bits.
    pub picture_id: Option<u16>,
    /// Where the picture id lies.
    pub picture_id_at: Option<PictureIdAt>,
    /// Counts the pictures of temporal layer 0.
    pub tl0_pic_idx: Option<u8>,
    /// Where that count lies in the payload.
    pub tl0_pic_idx_at: Option<usize>,
    /// Temporal layer. `None`: the sender has no layers.
    pub temporal_id: Option<u8>,
    /// Refers to pictures of layer 0 alone, so that a receiver may begin with this layer here.
    pub layer_sync: bool,
    /// Counts key frames, modulo 32.
    pub key_idx: Option<u8>,
    /// Bytes of the descriptor.
    pub len: usize,
}

/// A picture id's place in the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureIdAt {
    /// One byte, numbers up to 127.
    Seven(usize),
    /// Two bytes, numbers up to 32767.
    Fifteen(usize),
}

/// Length of the descriptor [`descriptor`] makes.
pub const DESCRIPTOR_LEN: usize = 4;
/// Pictures are counted modulo this.
pub const PICTURE_IDS: u16 = 1 << 15;

impl PictureIdAt {
    /// Puts a number there: as many bits of it as there is place for.
    pub(crate) fn write(self, payload: &mut [u8], picture_id: u16) {
        let [high, low] = picture_id.to_be_bytes();
        match self {
            Self::Seven(at) => put(payload, at, low & 0x7f),
            Self::Fifteen(at) => {
                put(payload, at, high | 0x80);
                put(payload, at + 1, low);
            }
        }
    }
}

impl Descriptor {
    /// Puts other numbers into the payload this was parsed from. Numbers the payload has no place for are left out; of a
    /// picture id as many bits go in as there are.
    pub fn rewrite(&self, payload: &mut [u8], picture_id: u16, tl0_pic_idx: u8) {
        if let Some(at) = self.picture_id_at {
            at.write(payload, picture_id);
        }
        if let Some(at) = self.tl0_pic_idx_at {
            put(payload, at, tl0_pic_idx);
        }
    }
}

fn put(payload: &mut [u8], at: usize, byte: u8) {
    if let Some(place) = payload.get_mut(at) {
        *place = byte;
    }
}

/// Takes a payload apart. `None` when the descriptor does not fit or nothing follows it.
#[must_use]
pub fn parse(payload: &[u8]) -> Option<(Descriptor, &[u8])> {
    let mut bytes = Bytes { payload, at: 0 };
    let first = bytes.take()?;
    let flags = if first & 0x80 == 0 { 0 } else { bytes.take()? };
    let (mut picture_id, mut picture_id_at) = (None, None);
    if flags & 0x80 != 0 {
        let at = bytes.at;
        let high = bytes.take()?;
        (picture_id, picture_id_at) = if high & 0x80 == 0 {
            (Some(u16::from(high)), Some(PictureIdAt::Seven(at)))
        } else {
            let id = u16::from_be_bytes([high & 0x7f, bytes.take()?]);
            (Some(id), Some(PictureIdAt::Fifteen(at)))
        };
    }
    let tl0_pic_idx_at = (flags & 0x40 != 0).then_some(bytes.at);
    let tl0_pic_idx = if flags & 0x40 == 0 { None } else { Some(bytes.take()?) };
    // TID and Y share a byte with KEYIDX; each side is told apart by its own flag.
    let layer = if flags & 0x30 == 0 { 0 } else { bytes.take()? };
    let has_layers = flags & 0x20 != 0;
    let rest = payload.get(bytes.at..).filter(|rest| !rest.is_empty())?;
    let begins_partition = first & 0x10 != 0;
    let begins_picture = begins_partition && first & 0x07 == 0;
    let descriptor = Descriptor {
        begins_picture,
        keyframe: begins_picture && rest.first()? & 1 == 0,
        begins_partition,
        non_reference: first & 0x20 != 0,
        picture_id,
        picture_id_at,
        tl0_pic_idx,
        tl0_pic_idx_at,
        temporal_id: has_layers.then_some(layer >> 6),
        layer_sync: has_layers && layer & 0x20 != 0,
        key_idx: (flags & 0x10 != 0).then_some(layer & 0x1f),
        len: bytes.at,
    };
    Some((descriptor, rest))
}

/// The size a key frame announces, RFC 6386 §9.1: of its first bytes, as they stand behind the descriptor. `None` when
/// they are cut or are those of no key frame.
#[must_use]
pub fn key_frame_size(frame: &[u8]) -> Option<Size> {
    let &[tag, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..] = frame else { return None };
    // The upper two bits ask the player to scale up; nobody does.
    let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    (tag & 1 == 0).then(|| Size { width: side(w0, w1), height: side(h0, h1) })
}

/// The descriptor of our own packets: always with a 15-bit picture id, so that it can be rewritten in place when a
/// viewer's rendition changes. No temporal layers, hence no TL0PICIDX.
#[must_use]
pub fn descriptor(begins_picture: bool, picture_id: u16) -> [u8; DESCRIPTOR_LEN] {
    let [high, low] = picture_id.to_be_bytes();
    [if begins_picture { 0x90 } else { 0x80 }, 0x80, 0x80 | high, low]
}

/// A reader that knows where it is.
struct Bytes<'a> {
    payload: &'a [u8],
    at: usize,
}

impl Bytes<'_> {
    fn take(&mut self) -> Option<u8> {
        let byte = *self.payload.get(self.at)?;
        self.at += 1;
        Some(byte)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(payload: &[u8], expected: Option<(bool, bool, Option<u16>, &[u8])>) {
        let got = parse(payload).map(|(d, rest)| (d.begins_picture, d.keyframe, d.picture_id, rest));
        assert_eq!(got, expected, "{payload:02x?}");
    }

    #[test]
    fn descriptors() {
        check(&[], None);
        check(&[0x10], None);
        check(&[0x10, 0x00], Some((true, true, None, &[0])));
        check(&[0x10, 0x01], Some((true, false, None, &[1])));
        check(&[0x00, 0x00], Some((false, false, None, &[0])));
        check(&[0x11, 0x00], Some((false, false, None, &[0]))); // a later partition
        check(&[0x90, 0x80, 0x11, 0x00], Some((true, true, Some(0x11), &[0])));
        check(&[0x90, 0x80, 0x81, 0x02, 0x00], Some((true, true, Some(0x102), &[0])));
        check(&[0x90, 0xe0, 0x81, 0x02, 9, 0x40, 0x01], Some((true, false, Some(0x102), &[1])));
        check(&[0x90, 0xf0, 0x05, 9, 0x40], None);
        check(&[0x90, 0x80, 0x81], None);
        check(&[0x90, 0x40], None);
        check(&[0x90, 0x20, 0x00], None);
        check(&[0x90, 0x00, 0x02], Some((true, true, None, &[2])));
    }

    #[test]
    fn own_descriptor_reads_back() {
        for id in [0, 127, 128, 0x7fff] {
            let mut payload = descriptor(true, id).to_vec();
            payload.push(0);
            check(&payload, Some((true, true, Some(id), &[0])));
        }
    }

    #[test]
    fn layers_and_the_places_of_numbers() {
        let parsed = |payload: &[u8]| parse(payload).map(|(descriptor, _)| descriptor).unwrap();
        // X, N, S │ I L T K │ 15 bits │ TL0PICIDX │ TID 2, Y, KEYIDX 5
        let full = parsed(&[0xb0, 0xf0, 0x81, 0x02, 9, 0xa5, 0x01]);
        assert_eq!(
            (full.picture_id_at, full.tl0_pic_idx_at, full.len),
            (Some(PictureIdAt::Fifteen(2)), Some(4), 6)
        );
        assert_eq!((full.tl0_pic_idx, full.temporal_id, full.layer_sync), (Some(9), Some(2), true));
        assert_eq!((full.key_idx, full.non_reference, full.begins_partition), (Some(5), true, true));
        let short = parsed(&[0x90, 0xe0, 0x7f, 3, 0x40, 0x01]);
        assert_eq!((short.picture_id_at, short.tl0_pic_idx_at), (Some(PictureIdAt::Seven(2)), Some(3)));
        assert_eq!((short.temporal_id, short.layer_sync, short.key_idx), (Some(1), false, None));
        // Only KEYIDX: the upper bits of its byte say nothing.
        let key_idx = parsed(&[0x80, 0x10, 0xff, 0x01]);
        assert_eq!((key_idx.temporal_id, key_idx.layer_sync, key_idx.key_idx), (None, false, Some(31)));
        let bare = parsed(&[0x01, 0x01]);
        assert_eq!((bare.picture_id_at, bare.tl0_pic_idx_at, bare.len), (None, None, 1));
        assert!(!bare.begins_partition);
    }

    #[test]
    fn the_key_frame_header_is_read_as_rfc_6386_writes_it() {
        let size = |width, height| Some(Size { width, height });
        let check = |data: &[u8], expected| assert_eq!(key_frame_size(data), expected, "{data:02x?}");
        check(&[0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01], size(640, 360));
        check(&[0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x42, 0x68, 0xc1, 9, 9], size(640, 360));
        check(&[0x11, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01], None);
        check(&[0x10, 0, 0, 0x9d, 0x01, 0x2b, 0x80, 0x02, 0x68, 0x01], None);
        check(&[0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68], None);
        check(&[], None);
    }

    proptest! {
        /// New numbers read back, an independent depacketizer agrees, and no other byte is touched.
        #[test]
        fn rewriting_changes_the_numbers_alone(
            first: u8, flags: u8, numbers in prop::collection::vec(any::<u8>(), 6..12),
            picture_id in 0..PICTURE_IDS, tl0_pic_idx: u8,
        ) {
            let mut payload = vec![first, flags];
            payload.extend_from_slice(&numbers);
            let Some((before, _)) = parse(&payload) else { return Ok(()) };
            let old = payload.clone();
            before.rewrite(&mut payload, picture_id, tl0_pic_idx);
            let (after, _) = parse(&payload).unwrap();

            let (mask, places) = match before.picture_id_at {
                Some(PictureIdAt::Seven(at)) => (0x7f, vec![at]),
                Some(PictureIdAt::Fifteen(at)) => (0x7fff, vec![at, at + 1]),
                None => (0, vec![]),
            };
            let expected = Descriptor {
                picture_id: before.picture_id.map(|_| picture_id & mask),
                tl0_pic_idx: before.tl0_pic_idx.map(|_| tl0_pic_idx),
                ..before
            };
            prop_assert_eq!(after, expected);
            for (at, (old, new)) in old.iter().zip(&payload).enumerate() {
                let is_number = places.contains(&at) || before.tl0_pic_idx_at == Some(at);
                prop_assert!(is_number || old == new, "byte {}", at);
            }
        }
    }

    /// The family's depacketizer finds the same numbers.
    #[test]
    fn an_independent_depacketizer_agrees() {
        use ::rtp::packetizer::Depacketizer as _;
        let mut payload = vec![0xb0, 0xf0, 0x81, 0x02, 9, 0xa5, 0x01, 2, 3];
        let (descriptor, piece) = parse(&payload).map(|(d, rest)| (d, rest.to_vec())).unwrap();
        descriptor.rewrite(&mut payload, 0x1234, 77);
        let mut theirs = ::rtp::codec::vp8::Vp8Packet::default();
        let rest = theirs.depacketize(&bytes::Bytes::from(payload)).unwrap();
        assert_eq!((theirs.picture_id, theirs.tl0_pic_idx, theirs.tid, theirs.y), (0x1234, 77, 2, 1));
        assert_eq!(rest, piece);
    }
}
