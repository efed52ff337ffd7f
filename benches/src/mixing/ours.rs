//! Our own path from coded pictures to a coded canvas, as a process of its own.
//!
//! in:  IVF files in the order of the layers
//! out: an IVF file of the canvas, and what each stage took

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use layouts::Fit;
use media_core::codec::{EncoderConfig, Picture, Rgb, Rotation, VideoDecoder, VideoEncoder};
use media_core::mix::video::{Compositor, Content, Grounds, LayerStyle, Scene, SceneLayer};
use media_core::units::{Bitrate, VideoCodec};
use nix::time::{ClockId, clock_gettime};

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
    /// Whether the encoder saves work, as the product's does.
    pub savings: bool,
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
pub fn compose(job: &Compose) -> Result<Split, LoadError> {
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
    let encoder = if job.savings { VideoEncoder::saving(config) } else { VideoEncoder::new(config) };
    let mut encoder = encoder.map_err(wrong)?;
    let mut compositor = Compositor::new(CANVAS);
    let mut out = Writer::create(&job.output, tag, CANVAS, FPS)?;
    let mut split = Split::default();
    for frame in 0..u64::from(job.frames) {
        split.begin();
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
        split.end(0);
        let canvas = compositor.compose(&scene);
        split.end(1);
        let ticks = frame * 90_000 / u64::from(FPS);
        if let Some(coded) = encoder.encode(&canvas, ticks, frame == 0).map_err(wrong)? {
            out.put(frame, &coded.data)?;
        }
        split.end(2);
    }
    out.close()?;
    Ok(split)
}

/// Processor time by stage.
#[derive(Clone, Copy, Debug, Default)]
pub struct Split {
    frames: u32,
    stages: [Duration; 3],
    since: Duration,
}

impl Split {
    fn begin(&mut self) {
        self.frames += 1;
        self.since = taken();
    }

    fn end(&mut self, stage: usize) {
        let now = taken();
        if let Some(stage) = self.stages.get_mut(stage) {
            *stage += now.saturating_sub(self.since);
        }
        self.since = now;
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [decode, compose, encode] =
            self.stages.map(|it| it.as_secs_f64() * 1e3 / f64::from(self.frames.max(1)));
        write!(f, "decode {decode:.2}, compose {compose:.2}, encode {encode:.2} ms a frame")
    }
}

fn taken() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}
