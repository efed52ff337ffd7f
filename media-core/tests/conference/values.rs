//! Values in place of pictures: what a camera sends says whose it is and which, and what a canvas sends names the scene
//! that was drawn. A whole room then costs no codec work, and nothing of what is seen is left to guess.
//!
//! A value travels as a VP8 frame that no decoder could read, and like one leans on the frame before it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use layouts::{Placed, Size};
use media_core::codec::{Encoded, Picture, Yuv};
use media_core::mix::video::SceneLayer;
use media_core::room::{FeedKey, Job, JobDone};

/// A picture as small as they may be.
const DOT: Size = Size { width: 2, height: 2 };

/// One frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    /// Frames of one stream lean on each other.
    pub stream: u32,
    pub frame: u64,
    /// Number of a member, or of a scene.
    pub shows: u32,
}

impl Value {
    /// As a frame of VP8: its tag, a key frame's start code and size (RFC 6386 §9.1), and the value.
    pub fn encoded(self, keyframe: bool) -> Encoded {
        let mut data = vec![if keyframe { 0x10 } else { 0x11 }, 0, 0];
        if keyframe {
            data.extend([0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0x00]);
        }
        data.extend(self.stream.to_be_bytes());
        data.extend(self.frame.to_be_bytes());
        data.extend(self.shows.to_be_bytes());
        Encoded { keyframe, data: data.into() }
    }

    fn read(data: &Bytes) -> Self {
        let Some((stream, rest)) = data[data.len() - 16..].split_first_chunk() else { unreachable!() };
        let Some((frame, shows)) = rest.split_first_chunk() else { unreachable!() };
        Self {
            stream: u32::from_be_bytes(*stream),
            frame: u64::from_be_bytes(*frame),
            shows: u32::from_be_bytes(shows.try_into().unwrap()),
        }
    }
}

/// A decoder: what it has seen last.
#[derive(Default)]
pub struct Chain(Option<(u32, u64)>);

impl Chain {
    /// A picture that leans on one which never came would be a smear.
    pub fn follow(&mut self, data: &Bytes, keyframe: bool) -> Value {
        let value = Value::read(data);
        if !keyframe {
            assert_eq!(self.0, Some((value.stream, value.frame - 1)), "{value:?} leans on what is not there");
        }
        self.0 = Some((value.stream, value.frame));
        value
    }
}

/// A scene as it was drawn.
pub struct Drawn {
    pub at: Instant,
    pub layers: Vec<SceneLayer>,
    /// The arrangement that was told last.
    pub arrangement: Option<Placed>,
}

/// The codec workers.
#[derive(Default)]
pub struct Values {
    decoders: Vec<(FeedKey, Chain)>,
    /// Frames each rendition has had.
    encoders: BTreeMap<u64, u64>,
    pub scenes: Vec<Drawn>,
    /// How many frames of cameras were decoded, canvases drawn and encoded.
    pub jobs: [u64; 3],
}

impl Values {
    pub fn run(&mut self, now: Instant, arrangement: Option<&Placed>, job: Job) -> JobDone {
        match job {
            Job::Decode { feed, decoder, frame } => {
                self.jobs[0] += 1;
                let known = self.decoders.iter().position(|(of, _)| *of == feed);
                let at = known.unwrap_or_else(|| {
                    self.decoders.push((feed, Chain::default()));
                    self.decoders.len() - 1
                });
                let value = self.decoders[at].1.follow(&frame.data, frame.keyframe);
                let [.., high, low] = value.shows.to_be_bytes();
                let dot = Yuv { y: low, u: high, v: value.frame as u8 };
                let result = Ok(Some(Arc::new(Picture::filled(DOT, dot))));
                JobDone::Decoded { feed, decoder, timestamp: frame.timestamp, result }
            }
            Job::Compose { room, compositor, scene, time, .. } => {
                self.jobs[1] += 1;
                let [_, a, b, c] = (self.scenes.len() as u32).to_be_bytes();
                let arrangement = arrangement.cloned();
                self.scenes.push(Drawn { at: now, layers: scene.layers, arrangement });
                let picture = Arc::new(Picture::filled(compositor.size(), Yuv { y: c, u: b, v: a }));
                JobDone::Composed { room, compositor, picture, time }
            }
            Job::Preview { room, .. } => JobDone::Previewed { room, jpeg: Ok(Bytes::new()) },
            Job::Encode { room, codec, encoder, picture, time, force_key } => {
                self.jobs[2] += 1;
                let Yuv { y, u, v } = picture.pixel(0, 0).unwrap();
                let shows = u32::from_be_bytes([0, v, u, y]);
                let frames = self.encoders.entry(encoder.rendition()).or_default();
                let value = Value { stream: encoder.rendition() as u32, frame: *frames, shows };
                let encoded = value.encoded(force_key || *frames == 0);
                *frames += 1;
                JobDone::Encoded { room, codec, encoder, time, result: Ok(Some(encoded)) }
            }
        }
    }
}

/// Whose picture it is, and the low byte of its number.
pub fn shown(picture: &Picture) -> (u32, u8) {
    let Yuv { y, u, v } = picture.pixel(0, 0).unwrap();
    (u32::from_be_bytes([0, 0, u, y]), v)
}
