//! What a recorder gets of a room: the composed picture and the whole mix, on one clock.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

/// A piece of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// When it is to be seen or heard. Pictures and sound of the same moment belong together.
    pub at: Instant,
    /// What it is.
    pub media: RecordedMedia,
}

/// Sound or picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordedMedia {
    /// An H.264 access unit in Annex B. The first is a key frame; each key frame begins with SPS and PPS.
    Picture {
        /// Decodable without any before it.
        keyframe: bool,
        /// The bytes.
        data: Bytes,
    },
    /// 20 ms of the mix of all members: 48 kHz, mono.
    Sound {
        /// 960 of them.
        samples: Arc<[i16]>,
    },
}
