//! Video codecs: coded frames in, pictures out, and back.
//!
//! in:  whole frames as they came off the wire (VP8 frame, H.264 access unit in Annex B, VP9 superframe with its index,
//!      AV1 temporal unit in the low-overhead format), pictures
//! out: [`Picture`]s in a shared I420 allocation, coded frames of the first two forms
//!
//! Everything here is a value without threads of its own: it is `Send`, travels inside a job to a codec worker and
//! comes back. Coded input is hostile until proven otherwise: its size is read and bounded before the library
//! behind the codec sees a byte of it.

mod activity;
mod av1;
mod blocks;
mod color;
mod h264;
mod picture;
mod scale;
mod vp8;
mod vp9;
mod vpx;
pub(crate) mod yuv;

use std::sync::Arc;

use bytes::Bytes;
use layouts::Size;

use crate::units::{Bitrate, VideoCodec};

pub use color::{Rgb, Yuv};
pub use picture::Picture;
pub(crate) use picture::PicturePool;
pub use yuv::Rotation;

/// Largest picture a decoder accepts, in pixels whatever its shape: the largest of H.264 level 5.1. Cameras send far less,
/// but a shared screen comes as large as the monitor is.
pub const MAX_PIXELS: u32 = 4096 * 2304;
/// Longest side a decoder accepts; with [`MAX_PIXELS`] it keeps absurd ratios out of the scaler.
const MAX_SIDE: u32 = 5120;
/// Longest side an encoder accepts.
const MAX_ENCODED_SIDE: u32 = 3840;
/// Sides of the largest canvas. A decoded picture that is larger is kept no larger than this: a second of a screen would
/// otherwise be 300 MB.
const KEPT: [u32; 2] = [1920, 1080];
/// Shortest side a decoder accepts: one macroblock. No camera sends less, and the scaler's inner loops like it.
const MIN_SIDE: u32 = 16;
/// Largest coded frame a decoder accepts. Key frames of a screen at browsers' bit rates stay far below.
const MAX_CODED: usize = 4 << 20;

/// Why a frame was not decoded or encoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The sender's: the frame is damaged. The decoder takes nothing more until a key frame.
    #[error("damaged frame: {0}")]
    Damaged(&'static str),
    /// The sender's: nothing was decoded yet, or the last frame was damaged, and this is no key frame.
    #[error("a key frame is needed first")]
    NeedsKeyFrame,
    /// The sender's: smaller or larger than a decoder accepts.
    #[error("{}x{} pixels are not accepted", .0.width, .0.height)]
    UnacceptableSize(Size),
    /// The caller's: what it asks is impossible.
    #[error("{0}")]
    Refused(&'static str),
    /// The machine's: the library behind the codec failed.
    #[error("{call} failed: {why}")]
    Library {
        /// What was called.
        call: &'static str,
        /// What it said.
        why: String,
    },
}

/// One stream's decoder.
#[derive(Debug)]
pub struct VideoDecoder {
    codec: VideoCodec,
    inner: DecoderKind,
    state: DecoderState,
    pool: PicturePool,
}

#[derive(Debug)]
enum DecoderKind {
    Vp8(Box<vp8::Decoder>),
    H264(Box<h264::Decoder>),
    Vp9(Box<vp9::Decoder>),
    Av1(Box<av1::Decoder>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DecoderState {
    /// The library has seen nothing.
    Fresh,
    /// The last frame was decoded.
    InSync,
    /// The last frame was damaged: a broken reference would smear over the picture.
    Broken,
}

impl DecoderKind {
    fn new(codec: VideoCodec) -> Result<Self, CodecError> {
        Ok(match codec {
            VideoCodec::Vp8 => Self::Vp8(Box::new(vp8::Decoder::new()?)),
            VideoCodec::H264 => Self::H264(Box::new(h264::Decoder::new()?)),
            VideoCodec::Vp9 => Self::Vp9(Box::new(vp9::Decoder::new()?)),
            VideoCodec::Av1 => Self::Av1(Box::new(av1::Decoder::new()?)),
        })
    }

    fn decode(&mut self, data: &[u8], pool: &mut PicturePool) -> Result<Option<Arc<Picture>>, CodecError> {
        match self {
            Self::Vp8(decoder) => decoder.decode(data, pool),
            Self::H264(decoder) => decoder.decode(data, pool),
            Self::Vp9(decoder) => decoder.decode(data, pool),
            Self::Av1(decoder) => decoder.decode(data, pool),
        }
    }
}

impl VideoDecoder {
    /// A decoder waiting for its first key frame.
    ///
    /// # Errors
    /// [`CodecError::Library`] when the machine has no memory left for it.
    pub fn new(codec: VideoCodec) -> Result<Self, CodecError> {
        let inner = DecoderKind::new(codec)?;
        Ok(Self { codec, inner, state: DecoderState::Fresh, pool: PicturePool::new(DECODED_PICTURES) })
    }

    /// Decodes one whole frame. `None` when the frame is not meant to be shown.
    ///
    /// The caller feeds frames in decoding order and leaves out those whose references it knows to be lost.
    ///
    /// # Errors
    /// After any error frames are refused with [`CodecError::NeedsKeyFrame`] until the next key frame.
    pub fn decode(&mut self, data: &[u8]) -> Result<Option<Arc<Picture>>, CodecError> {
        let is_key = match self.codec {
            VideoCodec::Vp8 => vp8::is_key_frame(data),
            VideoCodec::H264 => h264::is_key_frame(data),
            VideoCodec::Vp9 => vp9::is_key_frame(data),
            VideoCodec::Av1 => av1::is_key_frame(data),
        };
        if self.state != DecoderState::InSync && !is_key {
            return Err(CodecError::NeedsKeyFrame);
        }
        let result = if data.len() > MAX_CODED {
            Err(CodecError::Damaged("too many bytes"))
        } else {
            self.decode_with_fresh_start(data, is_key)
        };
        self.state = if result.is_ok() { DecoderState::InSync } else { DecoderState::Broken };
        result
    }

    /// OpenH264 can fail a sound key frame because of what came before it. So that no sender needs a second one, a
    /// key frame that fails is tried again by a library that has seen nothing.
    fn decode_with_fresh_start(
        &mut self,
        data: &[u8],
        is_key: bool,
    ) -> Result<Option<Arc<Picture>>, CodecError> {
        let result = self.inner.decode(data, &mut self.pool);
        if !is_key || self.state == DecoderState::Fresh || !matches!(result, Err(CodecError::Damaged(_))) {
            return result;
        }
        self.inner = DecoderKind::new(self.codec)?;
        self.inner.decode(data, &mut self.pool)
    }
}

/// How many pictures of one decoder may be in use before it allocates beyond its pool: what a jitter buffer of half a
/// second holds at 30 fps.
const DECODED_PICTURES: usize = 16;

/// What an encoder is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncoderConfig {
    /// What to produce.
    pub codec: VideoCodec,
    /// Size of every picture; even.
    pub size: Size,
    /// Frames per second, 1–60.
    pub fps: u32,
    /// Target.
    pub bitrate: Bitrate,
}

/// One coded frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// Decodable without any frame before it.
    pub keyframe: bool,
    /// A VP8 frame, or an H.264 access unit in Annex B whose IDR begins with SPS and PPS.
    pub data: Bytes,
}

/// One rendition's encoder: constant bit rate, no delay, key frames only on demand.
#[derive(Debug)]
pub struct VideoEncoder {
    inner: EncoderKind,
    size: Size,
    last_pts: Option<u64>,
}

#[derive(Debug)]
enum EncoderKind {
    Vp8(Box<vp8::Encoder>),
    H264(Box<h264::Encoder>),
}

impl VideoEncoder {
    /// An encoder whose first frame will be a key frame.
    ///
    /// # Errors
    /// [`CodecError::Refused`] for an impossible configuration, [`CodecError::Library`] when the machine has no memory.
    pub fn new(config: EncoderConfig) -> Result<Self, CodecError> {
        Self::build(config, false)
    }

    /// The same, but one that works less: VP8 is coded where it changed, and looked for in fewer places. H.264 is as it
    /// was: OpenH264 takes no map, and finds unchanged blocks by itself.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn saving(config: EncoderConfig) -> Result<Self, CodecError> {
        Self::build(config, true)
    }

    fn build(config: EncoderConfig, saves: bool) -> Result<Self, CodecError> {
        let Size { width, height } = config.size;
        if !width.is_multiple_of(2) || !height.is_multiple_of(2) {
            return Err(CodecError::Refused("an encoder needs even dimensions"));
        }
        if width.min(height) < MIN_SIDE || width.max(height) > MAX_ENCODED_SIDE {
            return Err(CodecError::Refused("no encoder for that size"));
        }
        if !(1..=60).contains(&config.fps) {
            return Err(CodecError::Refused("an encoder needs 1 to 60 frames per second"));
        }
        let inner = match config.codec {
            VideoCodec::Vp8 => EncoderKind::Vp8(Box::new(vp8::Encoder::new(config, saves)?)),
            VideoCodec::H264 => EncoderKind::H264(Box::new(h264::Encoder::new(config)?)),
            VideoCodec::Vp9 | VideoCodec::Av1 => {
                return Err(CodecError::Refused("a canvas is encoded in H.264 or VP8"));
            }
        };
        Ok(Self { inner, size: config.size, last_pts: None })
    }

    /// Encodes one picture; `pts_ticks` is its time in units of 1/90000 s. `None` when rate control left it out.
    ///
    /// `force_key` on a picture that rate control leaves out is kept for the next one.
    ///
    /// # Errors
    /// [`CodecError::Refused`] for a picture of another size.
    pub fn encode(
        &mut self,
        picture: &Picture,
        pts_ticks: u64,
        force_key: bool,
    ) -> Result<Option<Encoded>, CodecError> {
        if picture.size() != self.size {
            return Err(CodecError::Refused("the picture is not of the encoder's size"));
        }
        // Both libraries refuse or misjudge a time that does not grow.
        let pts = self.last_pts.map_or(pts_ticks, |last| pts_ticks.max(last.saturating_add(1)));
        self.last_pts = Some(pts);
        match &mut self.inner {
            EncoderKind::Vp8(encoder) => encoder.encode(picture, pts, force_key),
            EncoderKind::H264(encoder) => encoder.encode(picture, pts, force_key),
        }
    }

    /// Whether the last picture showed nothing that a viewer did not have, as well as the rate allows: the same picture need
    /// not be encoded again. `None` where the library does not tell: of H.264, and without savings.
    #[must_use]
    pub fn is_settled(&self) -> Option<bool> {
        match &self.inner {
            EncoderKind::Vp8(encoder) => encoder.is_settled(),
            EncoderKind::H264(_) => None,
        }
    }

    /// Another target from the next picture on; asks for no key frame.
    ///
    /// # Errors
    /// [`CodecError::Library`]
    pub fn set_bitrate(&mut self, bitrate: Bitrate) -> Result<(), CodecError> {
        match &mut self.inner {
            EncoderKind::Vp8(encoder) => encoder.set_bitrate(bitrate),
            EncoderKind::H264(encoder) => encoder.set_bitrate(bitrate),
        }
    }
}

/// Refuses what no decoder here should allocate for.
fn check_decoded_size(size: Size) -> Result<(), CodecError> {
    let Size { width, height } = size;
    let fits = width.min(height) >= MIN_SIDE
        && width.max(height) <= MAX_SIDE
        && width.saturating_mul(height) <= MAX_PIXELS;
    if fits { Ok(()) } else { Err(CodecError::UnacceptableSize(size)) }
}

/// Keeps what was decoded: as it is, or reduced to what a canvas can show of it. What shows the same as the picture before is
/// that picture.
fn keep(decoded: &yuv::View<'_>, pool: &mut PicturePool) -> Result<Arc<Picture>, CodecError> {
    check_decoded_size(decoded.size())?;
    if let Some(latest) = pool.unchanged(decoded) {
        return Ok(latest);
    }
    Ok(pool.draw_next(kept_size(decoded.size()), |picture| picture.scale_from(decoded)))
}

fn kept_size(size: Size) -> Size {
    let Size { width, height } = size;
    let [long, short] = KEPT;
    let (most_wide, most_high) = if width >= height { (long, short) } else { (short, long) };
    if width <= most_wide && height <= most_high || width.saturating_mul(height) <= long * short {
        return size;
    }
    // The ratio of the side that exceeds more; both sides are below 2^13.
    let (of, to) =
        if width * most_high >= height * most_wide { (width, most_wide) } else { (height, most_high) };
    let reduced = |side: u32| (side * to / of / 2 * 2).max(MIN_SIDE);
    Size { width: reduced(width), height: reduced(height) }
}

const fn assert_send<T: Send>() {}
const _: () = assert_send::<VideoDecoder>();
const _: () = assert_send::<VideoEncoder>();
