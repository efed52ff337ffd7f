//! What renditions and forwarded encodings consist of.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::rtp::dependency::{Descriptor, Structure};
use crate::rtp::{Layering, Onward, PictureNumbers, vp9};
use crate::units::{MediaTime, SeqNo, VideoCodec};

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
    /// Numbers in its payload of which each viewer gets its own.
    pub numbers: Option<PictureNumbers>,
    /// Its dependency descriptor.
    pub dependency: Option<Dependency>,
    /// Header extensions that go on.
    pub onward: Onward,
    /// Payload descriptor and data.
    pub payload: Bytes,
}

/// A dependency descriptor as it came.
#[derive(Clone, Debug)]
pub struct Dependency {
    /// Its bytes.
    pub bytes: Bytes,
    /// The structure that it leans on; `None` while that has not come.
    pub structure: Option<Arc<Structure>>,
}

impl Dependency {
    /// What it says; `latest` is the structure to lean on when it came before its own.
    pub(super) fn read(&self, latest: Option<&Arc<Structure>>) -> Option<Layering> {
        let structure = self.structure.as_ref().or(latest)?;
        let descriptor = Descriptor::parse(&self.bytes, Some(structure)).ok()?;
        Some(Layering::Av1(descriptor, Arc::clone(structure)))
    }
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

    /// What it tells of its layers, out of what is kept of it.
    #[must_use]
    pub fn layering(&self, codec: VideoCodec) -> Layering {
        match (codec, &self.dependency) {
            (VideoCodec::Vp9, _) => {
                vp9::parse(&self.payload).map(|(descriptor, _)| Layering::Vp9(descriptor))
            }
            (VideoCodec::Av1, Some(dependency)) => dependency.read(None),
            (VideoCodec::Vp8 | VideoCodec::H264 | VideoCodec::Av1, _) => None,
        }
        .unwrap_or(Layering::Plain)
    }

    /// The same without anything in it: tells a viewer who asks for the number that it misses nothing.
    pub(super) fn hollow(&self) -> Self {
        Self {
            marker: false,
            numbers: None,
            dependency: None,
            onward: Onward::default(),
            payload: Bytes::new(),
            ..self.clone()
        }
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
            numbers: None,
            dependency: None,
            onward: Onward::default(),
            payload,
        }
    }
}
