//! What peers send: a loop of coded pictures, a loop of coded sound. Coded once, sent by as many peers as wanted.

use std::sync::Arc;

use layouts::Size;
use media_core::codec::{EncoderConfig, Picture, Rgb, VideoEncoder, Yuv};
use media_core::units::{Bitrate, VideoCodec};
use opus::{Application, Channels};

use super::PeerError;

/// Pictures per second of every camera.
pub(super) const FPS: u32 = 30;
/// Samples of one 20 ms packet at 48 kHz.
pub(super) const SAMPLES: usize = 960;

/// A loop of coded pictures that begins with a key frame.
#[derive(Debug)]
pub struct Camera {
    pub(super) codec: VideoCodec,
    pub(super) colour: Rgb,
    pub(super) frames: Vec<Arc<[u8]>>,
}

/// A loop of coded sound, one second.
#[derive(Debug)]
pub struct Microphone {
    pub(super) packets: Vec<Arc<[u8]>>,
}

impl Camera {
    /// One colour, one second.
    ///
    /// # Errors
    /// [`PeerError::Codec`]
    pub fn still(codec: VideoCodec, size: Size, colour: Rgb) -> Result<Self, PeerError> {
        let picture = Picture::filled(size, colour);
        let config = EncoderConfig { codec, size, fps: FPS, bitrate: Bitrate::kbps(300) };
        Self::record(config, colour, (0..FPS).map(|_| &picture))
    }

    /// Two seconds of everything in motion, with grain as a camera has it; the middle keeps the colour.
    ///
    /// # Errors
    /// [`PeerError::Codec`]
    pub fn moving(codec: VideoCodec, size: Size, colour: Rgb) -> Result<Self, PeerError> {
        let pictures: Vec<Picture> = (0..2 * FPS).filter_map(|n| moving_picture(size, colour, n)).collect();
        let config = EncoderConfig { codec, size, fps: FPS, bitrate: Bitrate::kbps(1_200) };
        Self::record(config, colour, pictures.iter())
    }

    fn record<'a>(
        config: EncoderConfig,
        colour: Rgb,
        pictures: impl Iterator<Item = &'a Picture>,
    ) -> Result<Self, PeerError> {
        let mut encoder = VideoEncoder::new(config)?;
        let mut frames = Vec::new();
        for (n, picture) in (0_u64..).zip(pictures) {
            let coded = encoder.encode(picture, n * 90_000 / u64::from(FPS), n == 0)?;
            frames.extend(coded.map(|coded| Arc::from(&*coded.data)));
        }
        Ok(Self { codec: config.codec, colour, frames })
    }
}

impl Microphone {
    /// A tone at a quarter of full scale; whole numbers of periods fit the loop.
    ///
    /// # Errors
    /// [`PeerError::Opus`]
    pub fn tone(hertz: u32) -> Result<Self, PeerError> {
        let mut encoder = opus::Encoder::new(48_000, Channels::Mono, Application::Audio)?;
        let sample = |n: u32| {
            let phase = std::f64::consts::TAU * f64::from(n) * f64::from(hertz) / 48_000.0;
            #[allow(clippy::cast_possible_truncation, reason = "a quarter of full scale fits")]
            let sample = (phase.sin() * 8_192.0) as i16;
            sample
        };
        let sound: Vec<i16> = (0..48_000).map(sample).collect();
        let packets = sound.chunks(SAMPLES).map(|chunk| encoder.encode_vec(chunk, 1_000).map(Arc::from));
        Ok(Self { packets: packets.collect::<Result<_, _>>()? })
    }
}

/// Diagonal bars that wander, grain, and a still field of the colour in the middle.
fn moving_picture(size: Size, colour: Rgb, n: u32) -> Option<Picture> {
    let colour = Yuv::from(colour);
    let (width, height) = (size.width, size.height);
    let half = Size { width: width.div_ceil(2), height: height.div_ceil(2) };
    let mut grain = 0x9E37_79B9_u32.wrapping_mul(n + 1);
    let mut noise = move || {
        grain ^= grain << 13;
        grain ^= grain >> 17;
        grain ^= grain << 5;
        grain % 9
    };
    let is_middle = |x: u32, y: u32, size: Size| {
        x.abs_diff(size.width / 2) < size.width / 6 && y.abs_diff(size.height / 2) < size.height / 6
    };
    let places = |size: Size| (0..size.height).flat_map(move |y| (0..size.width).map(move |x| (x, y)));
    let luma = places(size).map(|(x, y)| match is_middle(x, y, size) {
        true => colour.y,
        false => byte(60 + (x + 2 * y + 5 * n) % 120 + noise()),
    });
    let chroma = |phase: u32| {
        let neutral = if phase == 0 { colour.u } else { colour.v };
        places(half).map(move |(x, y)| match is_middle(x, y, half) {
            true => neutral,
            false => byte(90 + (x + phase * y + 3 * n) % 70),
        })
    };
    let (luma, u, v): (Vec<u8>, Vec<u8>, Vec<u8>) =
        (luma.collect(), chroma(0).collect(), chroma(1).collect());
    Picture::from_planes(size, &luma, &u, &v)
}

fn byte(value: u32) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}
