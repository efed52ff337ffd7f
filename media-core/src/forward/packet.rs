//! What renditions consist of.

use std::time::Instant;

use bytes::Bytes;

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

/// One packet of a rendition, the same for all its viewers.
#[derive(Clone, Debug)]
pub struct MediaPacket {
    /// Number within the rendition, without gaps.
    pub seq: SeqNo,
    /// On the rendition's clock.
    pub timestamp: MediaTime,
    /// See [`EncodedPicture::captured`].
    pub captured: Instant,
    /// Last packet of a picture.
    pub marker: bool,
    /// First packet of a picture. Always so for sound.
    pub begins: bool,
    /// Part of a key frame. Always so for sound.
    pub keyframe: bool,
    /// VP8 picture id, which then is in bytes 2 and 3 of the payload ([`crate::rtp::vp8::descriptor`]).
    pub picture_id: Option<u16>,
    /// Payload descriptor and data.
    pub payload: Bytes,
}

impl MediaPacket {
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
            picture_id: None,
            payload,
        }
    }
}
