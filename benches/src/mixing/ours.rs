//! Our own path from coded pictures to a coded canvas, as a process of its own.
//!
//! in:  IVF files in the order of the layers
//! out: an IVF file of the canvas

use std::path::PathBuf;
use std::sync::Arc;

use layouts::Fit;
use media_core::codec::{EncoderConfig, Picture, Rgb, Rotation, VideoDecoder, VideoEncoder};
use media_core::mix::video::{Compositor, Content, Grounds, LayerStyle, Scene, SceneLayer};
use media_core::units::{Bitrate, VideoCodec};

use super::Coded;
use super::inputs::{FPS, KBPS};
use super::ivf::{Reader, Writer};
use super::shape::{CANVAS, Grid};
use crate::loadtest::LoadError;

/// What is composed.
#[derive(Clone, Debug)]
pub struct Compose {
    /// Where the pictures stand.
    pub grid: Grid,
    /// What the canvas is coded in.
    pub coded: Coded,
    /// How many frames.
    pub frames: u32,
    /// Inputs.
    pub inputs: Vec<PathBuf>,
    /// The canvas.
    pub output: PathBuf,
}

struct Source {
    file: Reader,
    decoder: VideoDecoder,
    picture: Option<Arc<Picture>>,
}

/// Does it.
///
/// # Errors
/// A file or a picture that cannot be used.
pub fn compose(job: &Compose) -> Result<(), LoadError> {
    let wrong = |error: media_core::codec::CodecError| LoadError::Source(error.to_string());
    let source = |path: &PathBuf| {
        let decoder = VideoDecoder::new(VideoCodec::Vp8).map_err(wrong)?;
        Ok(Source { file: Reader::open(path)?, decoder, picture: None })
    };
    let mut sources = job.inputs.iter().map(source).collect::<Result<Vec<_>, LoadError>>()?;
    let layers = job.grid.layers();
    if layers.len() != sources.len() {
        return Err(LoadError::Source(format!("{} inputs for {} layers", sources.len(), layers.len())));
    }
    let (codec, tag) = match job.coded {
        Coded::Vp8 => (VideoCodec::Vp8, b"VP80"),
        Coded::H264 => (VideoCodec::H264, b"H264"),
    };
    let config = EncoderConfig { codec, size: CANVAS, fps: FPS, bitrate: Bitrate::kbps(KBPS.into()) };
    let mut encoder = VideoEncoder::new(config).map_err(wrong)?;
    let mut compositor = Compositor::new(CANVAS);
    let mut out = Writer::create(&job.output, tag, CANVAS, FPS)?;
    for frame in 0..u64::from(job.frames) {
        let mut scene = Scene {
            background: Rgb(0, 0, 0),
            grounds: Grounds::default(),
            layers: Vec::with_capacity(layers.len()),
        };
        for (source, (_, rect)) in sources.iter_mut().zip(&layers) {
            if let Some(data) = source.file.next()?
                && let Some(picture) = source.decoder.decode(&data).map_err(wrong)?
            {
                source.picture = Some(picture);
            }
            let content = match &source.picture {
                Some(picture) => Content::Picture { picture: Arc::clone(picture), rotation: Rotation::None },
                None => Content::Empty,
            };
            scene.layers.push(SceneLayer {
                rect: *rect,
                fit: Fit::Auto,
                content,
                banner: None,
                style: LayerStyle::default(),
            });
        }
        let canvas = compositor.compose(&scene);
        let ticks = frame * 90_000 / u64::from(FPS);
        if let Some(coded) = encoder.encode(&canvas, ticks, frame == 0).map_err(wrong)? {
            out.put(frame, &coded.data)?;
        }
    }
    Ok(out.close()?)
}
