//! Codec work that leaves the core by value and comes back finished.
//!
//! A decoder, compositor or encoder travels inside its job, so it is in one place only and needs no lock; a
//! simulation runs jobs inline, the engine on its codec workers.

use std::sync::Arc;

use bytes::Bytes;
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;

use layouts::Size;

use crate::codec::{
    CodecError, Encoded, EncoderConfig, Picture, PicturePool, Rgb, VideoDecoder, VideoEncoder, Yuv,
};
use crate::mix::video::{Compositor, Fade, Fonts, Scene};
use crate::receive::ReceivedFrame;
use crate::units::{Bitrate, LegKey, MediaTime, RoomKey, VideoCodec};

/// Names the camera a decode belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedKey {
    pub(crate) room: RoomKey,
    pub(crate) leg: LegKey,
}

/// A decoder that follows the codec of what it is given: either codec of the answer may come at any time.
#[derive(Default)]
pub struct DecoderSlot(Option<(VideoCodec, VideoDecoder)>);

impl DecoderSlot {
    fn decode(&mut self, frame: &ReceivedFrame) -> Result<Option<Arc<Picture>>, CodecError> {
        let same = self.0.as_ref().is_some_and(|(codec, _)| *codec == frame.codec);
        if !same {
            self.0 = Some((frame.codec, VideoDecoder::new(frame.codec)?));
        }
        match &mut self.0 {
            Some((_, decoder)) => decoder.decode(&frame.data),
            None => Ok(None),
        }
    }
}

/// An encoder, made by the first job that needs it.
pub struct EncoderSlot {
    /// Which of a canvas' renditions it belongs to, counted from the beginning.
    pub(crate) rendition: u64,
    config: EncoderConfig,
    encoder: Option<VideoEncoder>,
    /// What is left to be told to the encoder.
    rate_told: bool,
    /// The canvas in the rendition's size, when that is not its own.
    scaled: PicturePool,
}

/// Of the scaled picture there is one at a time.
const SCALED_PICTURES: usize = 1;

impl EncoderSlot {
    pub(crate) fn new(rendition: u64, config: EncoderConfig) -> Self {
        let scaled = PicturePool::new(SCALED_PICTURES);
        Self { rendition, config, encoder: None, rate_told: true, scaled }
    }

    /// Which of a canvas' renditions it belongs to, counted from the beginning.
    #[must_use]
    pub fn rendition(&self) -> u64 {
        self.rendition
    }

    /// Whether the same picture need not be encoded again: [`VideoEncoder::is_settled`].
    pub(crate) fn is_settled(&self) -> Option<bool> {
        self.encoder.as_ref()?.is_settled()
    }

    /// The rate of pictures from now on.
    pub(crate) fn set_bitrate(&mut self, bitrate: Bitrate) {
        self.rate_told &= self.config.bitrate == bitrate;
        self.config.bitrate = bitrate;
    }

    fn encode(
        &mut self,
        picture: &Picture,
        time: MediaTime,
        force_key: bool,
    ) -> Result<Option<Encoded>, CodecError> {
        if self.encoder.is_none() {
            self.encoder = Some(VideoEncoder::saving(self.config)?);
        }
        let Some(encoder) = &mut self.encoder else { return Ok(None) };
        if !self.rate_told {
            encoder.set_bitrate(self.config.bitrate)?;
            self.rate_told = true;
        }
        if picture.size() == self.config.size {
            return encoder.encode(picture, time.ticks, force_key);
        }
        let scaled = self.scaled.draw(self.config.size, |small| small.scale_from(&picture.view()));
        encoder.encode(&scaled, time.ticks, force_key)
    }
}

/// One piece of codec work.
#[allow(missing_docs, reason = "each variant's sentence speaks of its fields")]
pub enum Job {
    /// Decode a frame of a camera.
    Decode { feed: FeedKey, decoder: DecoderSlot, frame: ReceivedFrame },
    /// Draw the canvas.
    Compose { room: RoomKey, compositor: Box<Compositor>, scene: Scene, fade: Option<Fade>, time: MediaTime },
    /// Encode a canvas for one rendition.
    Encode {
        room: RoomKey,
        codec: VideoCodec,
        encoder: EncoderSlot,
        picture: Arc<Picture>,
        time: MediaTime,
        force_key: bool,
    },
    /// Make a small picture of the canvas.
    Preview { room: RoomKey, picture: Arc<Picture> },
}

/// What a job is for: whose work comes first when there is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobClass {
    /// Drawing a canvas, and encoding it as it is drawn; any key frame.
    Canvas,
    /// Decoding a camera.
    Decode,
    /// Encoding a small rendition.
    Small,
    /// Pictures of rooms for lists.
    Preview,
}

impl JobClass {
    /// All, the most urgent first.
    pub const ALL: [Self; 4] = [Self::Canvas, Self::Decode, Self::Small, Self::Preview];

    /// Its place in that order.
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::Canvas => 0,
            Self::Decode => 1,
            Self::Small => 2,
            Self::Preview => 3,
        }
    }

    /// As metrics call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Canvas => "canvas",
            Self::Decode => "decode",
            Self::Small => "small",
            Self::Preview => "preview",
        }
    }
}

impl Job {
    /// What it is for.
    #[must_use]
    pub fn class(&self) -> JobClass {
        match self {
            Self::Decode { .. } => JobClass::Decode,
            Self::Compose { .. } => JobClass::Canvas,
            Self::Preview { .. } => JobClass::Preview,
            Self::Encode { encoder, picture, force_key, .. } => {
                if *force_key || encoder.config.size == picture.size() {
                    JobClass::Canvas
                } else {
                    JobClass::Small
                }
            }
        }
    }
}

/// A finished [`Job`], with its codec.
#[allow(missing_docs, reason = "each variant's sentence speaks of its fields")]
pub enum JobDone {
    /// The picture, unless the decoder needs more.
    Decoded {
        feed: FeedKey,
        decoder: DecoderSlot,
        timestamp: MediaTime,
        result: Result<Option<Arc<Picture>>, CodecError>,
    },
    /// The canvas at `time`.
    Composed { room: RoomKey, compositor: Box<Compositor>, picture: Arc<Picture>, time: MediaTime },
    /// The small picture as JPEG.
    Previewed { room: RoomKey, jpeg: Result<Bytes, CodecError> },
    /// The encoded canvas, unless the encoder left the frame out.
    Encoded {
        room: RoomKey,
        codec: VideoCodec,
        encoder: EncoderSlot,
        time: MediaTime,
        result: Result<Option<Encoded>, CodecError>,
    },
}

impl Job {
    /// Does the work on the calling thread.
    #[must_use]
    pub fn run(self) -> JobDone {
        match self {
            Self::Decode { feed, mut decoder, frame } => {
                let result = decoder.decode(&frame);
                JobDone::Decoded { feed, decoder, timestamp: frame.timestamp, result }
            }
            Self::Compose { room, mut compositor, scene, fade, time } => {
                let canvas = compositor.compose(&scene);
                let picture =
                    fade.map_or_else(|| Arc::clone(&canvas), |fade| compositor.fade(&canvas, &fade));
                JobDone::Composed { room, compositor, picture, time }
            }
            Self::Preview { room, picture } => JobDone::Previewed { room, jpeg: preview_of(&picture) },
            Self::Encode { room, codec, mut encoder, picture, time, force_key } => {
                let result = encoder.encode(&picture, time, force_key);
                JobDone::Encoded { room, codec, encoder, time, result }
            }
        }
    }
}

/// What stands in for a [`JobDone`] whose worker panicked: a new codec, and no picture.
pub(crate) enum Substitute {
    Decoded { feed: FeedKey, timestamp: MediaTime },
    Composed { room: RoomKey, size: Size, fonts: Fonts, background: Rgb, time: MediaTime },
    Encoded { room: RoomKey, codec: VideoCodec, encoder: EncoderSlot, time: MediaTime },
    Previewed { room: RoomKey },
}

impl Job {
    /// To be taken before [`Self::run`]. The codec goes down with a panic, and a room that waited for it would wait for
    /// ever.
    pub(crate) fn substitute(&self) -> Substitute {
        match self {
            Self::Decode { feed, frame, .. } => {
                Substitute::Decoded { feed: *feed, timestamp: frame.timestamp }
            }
            Self::Compose { room, compositor, scene, time, .. } => Substitute::Composed {
                room: *room,
                size: compositor.size(),
                fonts: compositor.fonts(),
                background: scene.background,
                time: *time,
            },
            Self::Preview { room, .. } => Substitute::Previewed { room: *room },
            Self::Encode { room, codec, encoder, time, .. } => Substitute::Encoded {
                room: *room,
                codec: *codec,
                encoder: EncoderSlot::new(encoder.rendition, encoder.config),
                time: *time,
            },
        }
    }
}

impl Substitute {
    pub(crate) fn done(self) -> JobDone {
        let lost = || CodecError::Library { call: "codec worker", why: "panicked".to_owned() };
        match self {
            Self::Decoded { feed, timestamp } => {
                JobDone::Decoded { feed, decoder: DecoderSlot::default(), timestamp, result: Err(lost()) }
            }
            Self::Composed { room, size, fonts, background, time } => JobDone::Composed {
                room,
                compositor: Box::new(Compositor::with_fonts(size, fonts)),
                picture: Arc::new(Picture::filled(size, background)),
                time,
            },
            Self::Previewed { room } => JobDone::Previewed { room, jpeg: Err(lost()) },
            Self::Encoded { room, codec, encoder, time } => {
                JobDone::Encoded { room, codec, encoder, time, result: Err(lost()) }
            }
        }
    }
}

impl JobDone {
    /// The room it belongs to.
    pub(crate) fn room(&self) -> RoomKey {
        match self {
            Self::Decoded { feed, .. } => feed.room,
            Self::Composed { room, .. } | Self::Encoded { room, .. } | Self::Previewed { room, .. } => *room,
        }
    }
}

/// Of a JPEG: a face is known by it.
const PREVIEW_QUALITY: u8 = 75;

fn preview_of(canvas: &Picture) -> Result<Bytes, CodecError> {
    let size = super::preview::size_of(canvas.size());
    let mut small = Picture::filled(size, Yuv::BLACK);
    small.view_mut().scale_from(&canvas.view());
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, PREVIEW_QUALITY)
        .encode(&small.to_rgb(), size.width, size.height, ExtendedColorType::Rgb8)
        .map_err(|error| CodecError::Library { call: "JPEG", why: error.to_string() })?;
    Ok(jpeg.into())
}

/// Bit rate of a canvas: 1.5 Mbit/s at 1280×720 and 30 frames per second, in proportion to the square root of the pixels.
#[must_use]
pub(crate) fn canvas_bitrate(width: u32, height: u32) -> Bitrate {
    let share = f64::from(width) * f64::from(height) / (1280.0 * 720.0);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive and far below the limit"
    )]
    let kbps = (1500.0 * share.sqrt()).max(150.0) as u64;
    Bitrate::kbps(kbps)
}
