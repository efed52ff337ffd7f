//! What renditions and forwarded encodings consist of.

use std::time::Instant;

use bytes::Bytes;

use crate::rtp::Onward;
use crate::rtp::vp8::{Descriptor, PictureIdAt};
use crate::units::{MediaTime, SeqNo};

/// A picture as an encoder gives it.
#[derive(Clone, Debug)]
pub struct EncodedPicture {
    /// Decodable without those before it.
    pub keyframe: bool,
    /// A VP8 frame, or an H.264 access unit in Annex B form.
    pub data: Bytes,
    /// On the rendition's clock.
    pub timestamp: MediaTime,
    /// The moment it shows (for the canvas: the tick it was drawn for). Sender reports pair it with the timestamp,
    /// so that the time spent encoding does not tear picture and sound apart.
    pub captured: Instant,
}

/// One packet of a rendition or of a publisher's encoding, the same for all its viewers.
#[derive(Clone, Debug)]
pub struct MediaPacket {
    /// Number within the rendition or encoding.
    pub seq: SeqNo,
    /// On its clock.
    pub timestamp: MediaTime,
    /// See [`EncodedPicture::captured`].
    pub captured: Instant,
    /// Last packet of a picture.
    pub marker: bool,
    /// First packet of a picture. Always so for sound.
    pub begins: bool,
    /// Part of a key frame. Always so for sound. Of a forwarded key frame only the first packet need say so.
    pub keyframe: bool,
    /// Temporal id: pictures of a higher one can be left out without harm to those below.
    pub temporal: u8,
    /// From here on a viewer who has had lower temporal ids only may have this one too.
    pub sync: bool,
    /// What a VP8 payload says of its place in the stream, and where.
    pub vp8: Option<Vp8Numbers>,
    /// Header extensions that go on.
    pub onward: Onward,
    /// Payload descriptor and data.
    pub payload: Bytes,
}

/// Numbers in a VP8 payload descriptor, with their places in the payload: each viewer gets its own (RFC 7741 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vp8Numbers {
    /// Picture id, 7 or 15 bits.
    pub picture_id: u16,
    /// Where it is.
    pub picture_id_at: PictureIdAt,
    /// `TL0PICIDX`, and where it is.
    pub tl0: Option<(u8, u8)>,
}

/// What of a payload may be one receiver's own: no descriptor that is rewritten is longer. A whole block of AES, so that
/// what follows is encrypted from a block's beginning.
const OWN: usize = 16;

impl MediaPacket {
    /// How much of the payload belongs to a receiver's head ([`super::Slot::take`]); the rest is the same for all.
    #[must_use]
    pub fn own_len(&self) -> usize {
        self.payload.len().min(OWN)
    }

    /// A frame of sound: a packet of its own.
    #[must_use]
    pub fn audio(seq: SeqNo, timestamp: MediaTime, captured: Instant, payload: Bytes) -> Self {
        Self {
            seq,
            timestamp,
            captured,
            marker: false,
            begins: true,
            keyframe: true,
            temporal: 0,
            sync: false,
            vp8: None,
            onward: Onward::default(),
            payload,
        }
    }
}

impl Vp8Numbers {
    /// As our own packetizer writes them ([`crate::rtp::vp8::descriptor`]).
    #[must_use]
    pub const fn own(picture_id: u16) -> Self {
        Self { picture_id, picture_id_at: PictureIdAt::Fifteen(2), tl0: None }
    }

    /// Out of a descriptor. `None` where pictures are not numbered: then there is nothing to keep closed.
    #[must_use]
    pub fn of(descriptor: &Descriptor) -> Option<Self> {
        let tl0 = descriptor.tl0_pic_idx.zip(descriptor.tl0_pic_idx_at);
        Some(Self {
            picture_id: descriptor.picture_id?,
            picture_id_at: descriptor.picture_id_at?,
            tl0: tl0.and_then(|(tl0, at)| Some((tl0, u8::try_from(at).ok()?))),
        })
    }

    /// Writes a viewer's numbers into its copy of the payload.
    pub(super) fn rewrite(&self, payload: &mut [u8], picture_id: u16, tl0: u8) {
        self.picture_id_at.write(payload, picture_id);
        if let Some(field) = self.tl0.and_then(|(_, at)| payload.get_mut(usize::from(at))) {
            *field = tl0;
        }
    }
}
