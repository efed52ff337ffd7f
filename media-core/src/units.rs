//! Types that carry meaning: identifiers, numbers with units, keys.

use std::fmt;
use std::time::Duration;

/// Synchronization source, RFC 3550 §3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ssrc(pub u32);

/// RTP payload type, RFC 3550 §5.1; 0–127.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pt(pub u8);

/// Media identification of an m-section, RFC 5888.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mid(pub String);

impl fmt::Display for Mid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Name of an encoding of a simulcast camera, RFC 8851; up to 16 letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rid(pub String);

impl fmt::Display for Rid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which encoding of a camera: its place in the offer's simulcast list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EncodingIndex(pub u8);

/// RTP sequence number, extended once at the door so nobody handles wrap-around again (RFC 3550 §A.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeqNo(pub u64);

impl SeqNo {
    /// The sixteen bits that travel on the wire.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "the wire carries the low 16 bits")]
    pub fn wire(self) -> u16 {
        self.0 as u16
    }
}

/// Ticks per second of an RTP timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClockRate(pub u32);

impl ClockRate {
    /// Video, RFC 3551 §5.
    pub const VIDEO: Self = Self(90_000);
    /// Opus, RFC 7587 §4.1.
    pub const OPUS: Self = Self(48_000);
}

/// An RTP timestamp, extended once at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MediaTime {
    /// Extended timestamp.
    pub ticks: u64,
    /// Its unit.
    pub rate: ClockRate,
}

impl MediaTime {
    /// The thirty-two bits that travel on the wire.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "the wire carries the low 32 bits")]
    pub fn wire(self) -> u32 {
        self.ticks as u32
    }
}

/// Bits per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bitrate(pub u64);

impl Bitrate {
    /// `n` thousand bits per second.
    #[must_use]
    pub const fn kbps(n: u64) -> Self {
        Self(n * 1000)
    }

    /// Bytes that pass in `time`.
    #[must_use]
    pub fn bytes_in(self, time: Duration) -> u64 {
        let bits = u128::from(self.0) * time.as_micros() / 1_000_000;
        u64::try_from(bits / 8).unwrap_or(u64::MAX)
    }
}

/// Audio or video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MediaKind {
    /// `m=audio`
    Audio,
    /// `m=video`
    Video,
}

/// Video codecs a leg can speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum VideoCodec {
    /// RFC 7741.
    Vp8,
    /// RFC 6184, constrained baseline.
    H264,
    /// RFC 9628, profile 0. Received and forwarded, not encoded here.
    Vp9,
    /// The AV1 RTP payload format, main profile. Received and forwarded, not encoded here.
    Av1,
}

impl VideoCodec {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::H264, Self::Vp8, Self::Vp9, Self::Av1];

    /// As configuration and REST write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Vp8 => "vp8",
            Self::H264 => "h264",
            Self::Vp9 => "vp9",
            Self::Av1 => "av1",
        }
    }

    /// The codec of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }

    /// Whether a canvas is encoded in it.
    #[must_use]
    pub fn is_encoded_here(self) -> bool {
        match self {
            Self::Vp8 | Self::H264 => true,
            Self::Vp9 | Self::Av1 => false,
        }
    }
}

/// Video codecs, the most wanted first, each once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoCodecs([Option<VideoCodec>; 4]);

impl VideoCodecs {
    /// In order.
    pub fn iter(self) -> impl Iterator<Item = VideoCodec> {
        self.0.into_iter().flatten()
    }
}

impl Default for VideoCodecs {
    /// H.264 first: a canvas costs less than half the CPU of VP8 to encode.
    fn default() -> Self {
        [VideoCodec::H264, VideoCodec::Vp8].into_iter().collect()
    }
}

impl FromIterator<VideoCodec> for VideoCodecs {
    fn from_iter<I: IntoIterator<Item = VideoCodec>>(codecs: I) -> Self {
        let mut list = [None; 4];
        for codec in codecs {
            if !list.contains(&Some(codec))
                && let Some(place) = list.iter_mut().find(|place| place.is_none())
            {
                *place = Some(codec);
            }
        }
        Self(list)
    }
}

/// Dense key of a media room; the caller numbers it, never reused within a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomKey(pub u32);

/// Dense key of a member; unique within the process, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemberKey(pub u32);

/// Dense key of a leg (one negotiated call of a member); unique within the process, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LegKey(pub u32);

/// Dense key of one ICE + DTLS + SRTP association; given by [`crate::transport::Transports`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransportKey(pub u32);
