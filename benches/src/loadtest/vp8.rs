//! Synthetic VP8: frames that a decoder shows, filled up to a fixed number of packets with a pattern.
//!
//! in:  size, packets per frame, a seed
//! out: RTP payloads: descriptor, coded bytes, pattern, trailer; and the judgement of a payload that came back
//!
//! ```text
//!  first packet   │ descriptor 6 │ a real coded frame │ pattern … │ trailer 24 │
//!  further ones   │ descriptor 6 │ pattern …                      │ trailer 24 │
//!                                                     trailer: magic, frame, index, coded length, send time
//! ```
//!
//! A VP8 decoder reads its last partition only as far as it needs to (RFC 6386 §9.5), so what follows the coded frame does
//! not disturb it, and every packet has the size that was asked for. The pattern depends on seed, frame and index: a
//! packet with somebody else's bytes, or with another packet's, is noticed. RFC 7741 §4.2.

use layouts::Size;
use media_core::codec::{EncoderConfig, Picture, Rgb, VideoEncoder};
use media_core::units::{Bitrate, VideoCodec};

use super::LoadError;

/// Bytes of our payload descriptor: X, I, L, T, 15-bit picture id, TL0PICIDX, temporal id.
pub const DESCRIPTOR: usize = 6;
/// Bytes at the end of every payload.
pub const TRAILER: usize = 24;
const MAGIC: u32 = 0x5167_6c42;
/// Pictures until the loop begins again with a key frame: ten seconds at 30 a second.
const LOOP: u32 = 300;

/// What a source is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Of the pictures.
    pub size: Size,
    /// Of every frame.
    pub packets: u16,
    /// RTP payload bytes of every packet.
    pub payload: usize,
    /// Of the pattern.
    pub seed: u32,
}

/// A loop of coded frames; cheap to share between publishers.
#[derive(Debug)]
pub struct Clip {
    shape: Shape,
    frames: Vec<Vec<u8>>,
}

/// Where a publisher is in its clip.
#[derive(Debug, Clone)]
pub struct Cursor {
    /// Frames made so far.
    pub frame: u32,
    at: usize,
    picture_id: u16,
    tl0: u8,
}

/// What a payload that came back says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Number of the frame at its publisher.
    pub frame: u32,
    /// Place of the packet in its frame.
    pub index: u16,
    /// When it was sent, nanoseconds of the real-time clock.
    pub sent_ns: u64,
}

impl Clip {
    /// Codes the loop.
    ///
    /// # Errors
    /// When a coded frame does not fit the first packet.
    pub fn new(shape: Shape) -> Result<Self, LoadError> {
        let wrong = |error: media_core::codec::CodecError| LoadError::Source(error.to_string());
        let config = EncoderConfig {
            codec: VideoCodec::Vp8,
            size: shape.size,
            fps: 30,
            bitrate: Bitrate::kbps(1_000),
        };
        let mut encoder = VideoEncoder::new(config).map_err(wrong)?;
        let byte = |shift: u32| (shape.seed.wrapping_mul(0x9E37_79B9) >> shift).to_le_bytes()[0];
        let picture = Picture::filled(shape.size, Rgb(byte(0), byte(8), byte(16)));
        let room = shape.payload.saturating_sub(DESCRIPTOR + TRAILER);
        let mut frames = Vec::new();
        for n in 0..LOOP {
            let coded = encoder.encode(&picture, u64::from(n) * 3_000, n == 0).map_err(wrong)?;
            // A frame that rate control leaves out is not sent; the loop only gets shorter.
            let Some(coded) = coded else { continue };
            if coded.data.len() > room {
                return Err(LoadError::Source(format!("a frame of {} bytes, {room} fit", coded.data.len())));
            }
            frames.push(coded.data.to_vec());
        }
        if frames.is_empty() || shape.packets == 0 {
            return Err(LoadError::Source("no frames".to_owned()));
        }
        Ok(Self { shape, frames })
    }

    /// What it was made with.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// At the beginning: a key frame.
    #[must_use]
    pub fn begin(&self) -> Cursor {
        let start = self.shape.seed.wrapping_mul(7).to_le_bytes();
        let picture_id = u16::from_le_bytes([start[0], start[1]]) & 0x7fff;
        Cursor { frame: 0, at: 0, picture_id, tl0: start[2] }
    }

    /// The payload of packet `index` of the cursor's frame.
    #[must_use]
    pub fn payload(&self, cursor: &Cursor, index: u16, sent_ns: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.shape.payload);
        // X and, in the first packet, S; partition 0.
        out.push(if index == 0 { 0x90 } else { 0x80 });
        // I, L and T.
        out.push(0xe0);
        out.extend_from_slice(&(cursor.picture_id | 0x8000).to_be_bytes());
        out.push(cursor.tl0);
        // Temporal id 0, no layer sync, no key index.
        out.push(0);
        let coded = if index == 0 { self.frames.get(cursor.at).map_or(&[][..], Vec::as_slice) } else { &[] };
        out.extend_from_slice(coded);
        let end = self.shape.payload.saturating_sub(TRAILER).max(out.len());
        let mut noise = Noise::new(self.shape.seed, cursor.frame, index);
        out.resize_with(end, || noise.byte());
        out.extend_from_slice(&MAGIC.to_be_bytes());
        out.extend_from_slice(&self.shape.seed.to_be_bytes());
        out.extend_from_slice(&cursor.frame.to_be_bytes());
        out.extend_from_slice(&index.to_be_bytes());
        out.extend_from_slice(&u16::try_from(coded.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend_from_slice(&sent_ns.to_be_bytes());
        out
    }

    /// To the next frame, or to a key frame.
    pub fn advance(&self, cursor: &mut Cursor, to_key_frame: bool) {
        cursor.frame = cursor.frame.wrapping_add(1);
        cursor.at = if to_key_frame { 0 } else { (cursor.at + 1) % self.frames.len() };
        cursor.picture_id = (cursor.picture_id + 1) & 0x7fff;
        cursor.tl0 = cursor.tl0.wrapping_add(1);
    }
}

/// The stamp of a payload whose every byte behind the coded frame is as it was sent; `None` when one is not.
#[must_use]
pub fn verify(payload: &[u8]) -> Option<Stamp> {
    let rest = payload.get(descriptor_len(payload)?..)?;
    let (body, trailer) = rest.split_last_chunk::<TRAILER>()?;
    let (words, sent) = trailer.split_last_chunk::<8>()?;
    let word = |at: usize| Some(u32::from_be_bytes(*words.get(at * 4..)?.first_chunk()?));
    let (magic, seed, frame, index_and_length) = (word(0)?, word(1)?, word(2)?, word(3)?);
    let [i0, i1, l0, l1] = index_and_length.to_be_bytes();
    let (index, coded) = (u16::from_be_bytes([i0, i1]), u16::from_be_bytes([l0, l1]));
    let mut noise = Noise::new(seed, frame, index);
    let is_intact =
        magic == MAGIC && body.get(usize::from(coded)..)?.iter().all(|&byte| byte == noise.byte());
    is_intact.then_some(Stamp { frame, index, sent_ns: u64::from_be_bytes(*sent) })
}

/// Whether the payload begins a key frame, RFC 6386 §9.1.
#[must_use]
pub fn is_key_frame(payload: &[u8]) -> bool {
    let begins = payload.first().is_some_and(|first| first & 0x1f == 0x10);
    let tag = descriptor_len(payload).and_then(|len| payload.get(len));
    begins && tag.is_some_and(|tag| tag & 1 == 0)
}

/// RFC 7741 §4.2; a server may have written another one than ours.
fn descriptor_len(payload: &[u8]) -> Option<usize> {
    let first = *payload.first()?;
    if first & 0x80 == 0 {
        return Some(1);
    }
    let flags = *payload.get(1)?;
    let id = match (flags & 0x80 != 0, payload.get(2)) {
        (false, _) => 0,
        (true, Some(id)) if id & 0x80 != 0 => 2,
        (true, Some(_)) => 1,
        (true, None) => return None,
    };
    Some(2 + id + usize::from(flags & 0x40 != 0) + usize::from(flags & 0x30 != 0))
}

/// xorshift64, a byte at a time.
struct Noise(u64);

impl Noise {
    fn new(seed: u32, frame: u32, index: u16) -> Self {
        let key = u64::from(seed) << 32 ^ u64::from(frame) << 8 ^ u64::from(index);
        Self(key.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn byte(&mut self) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.to_be_bytes()[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use media_core::codec::VideoDecoder;

    fn shape(width: u32, height: u32, packets: u16) -> Shape {
        Shape { size: Size { width, height }, packets, payload: 1200, seed: 7 }
    }

    /// The frame as a depacketizer joins it.
    fn frame(clip: &Clip, cursor: &Cursor) -> Vec<u8> {
        let packets = 0..clip.shape().packets;
        packets.flat_map(|index| clip.payload(cursor, index, 99).split_off(DESCRIPTOR)).collect()
    }

    #[test]
    fn every_frame_is_decodable() {
        for shape in [shape(160, 90, 1), shape(320, 180, 2), shape(640, 360, 5)] {
            let clip = Clip::new(shape).unwrap();
            let mut cursor = clip.begin();
            let mut decoder = VideoDecoder::new(VideoCodec::Vp8).unwrap();
            for n in 0..40 {
                let picture = decoder.decode(&frame(&clip, &cursor)).unwrap().expect("a picture");
                assert_eq!(picture.size(), shape.size);
                // A key frame that is asked for in the middle too.
                clip.advance(&mut cursor, n == 20);
            }
        }
    }

    #[test]
    fn payloads_have_the_size_and_say_what_they_are() {
        let clip = Clip::new(shape(640, 360, 5)).unwrap();
        let mut cursor = clip.begin();
        for n in 0..3 {
            for index in 0..5 {
                let payload = clip.payload(&cursor, index, 1234);
                assert_eq!(payload.len(), 1200);
                assert_eq!(verify(&payload), Some(Stamp { frame: n, index, sent_ns: 1234 }));
                assert_eq!(is_key_frame(&payload), n == 0 && index == 0);
                let (descriptor, _) = media_core::rtp::vp8::parse(&payload).unwrap();
                assert_eq!(descriptor.begins_picture, index == 0);
                assert_eq!(descriptor.picture_id, Some(cursor.picture_id));
                assert_eq!(descriptor.keyframe, n == 0 && index == 0);
            }
            clip.advance(&mut cursor, false);
        }
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let clip = Clip::new(shape(320, 180, 2)).unwrap();
        let payload = clip.payload(&clip.begin(), 1, 0);
        for at in [DESCRIPTOR, 600, 1200 - TRAILER - 1, 1200 - TRAILER, 1200 - 13] {
            let mut changed = payload.clone();
            changed[at] ^= 1;
            assert_eq!(verify(&changed), None, "byte {at}");
        }
        let mut renumbered = payload.clone();
        renumbered[3] ^= 1;
        assert!(verify(&renumbered).is_some(), "servers give pictures other numbers");
        assert_eq!(verify(&payload[..20]), None);
    }
}
