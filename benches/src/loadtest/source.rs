//! What publishers send, and when.
//!
//! in:  clips, time
//! out: RTP packets due
//!
//! Everything follows from seeds, so every server gets the same packets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::LoadError;
use super::speech::{FRAME, Speech};
use super::vp8::{Clip, Cursor, Shape};
use layouts::Size;

/// RTP ticks of a second of video.
const VIDEO_CLOCK: u64 = 90_000;
/// Between a frame's packets when they are paced.
const GAP: Duration = Duration::from_micros(2_500);

/// How a frame's packets follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pacing {
    /// Back to back.
    #[default]
    Burst,
    /// 2.5 ms apart.
    Paced,
}

/// A camera.
#[derive(Clone, Debug)]
pub struct Video {
    /// Its encodings, with RIDs when there are several.
    pub encodings: Vec<(Option<&'static str>, Arc<Clip>)>,
    /// Pictures per second.
    pub fps: u32,
    /// See [`Pacing`].
    pub pacing: Pacing,
}

impl Video {
    /// 30 pictures of 5 packets of 1200 bytes a second.
    ///
    /// # Errors
    /// When it cannot be coded.
    pub fn single(seed: u32, fps: u32, packets: u16, payload: usize) -> Result<Self, LoadError> {
        let size = Size { width: 640, height: 360 };
        let clip = Clip::new(Shape { size, packets, payload, seed })?;
        Ok(Self { encodings: vec![(None, Arc::new(clip))], fps, pacing: Pacing::Burst })
    }

    /// Three encodings: 90p in 1 packet a frame, 180p in 2, 360p in 5. A larger one of one colour does not fit a packet.
    ///
    /// # Errors
    /// When it cannot be coded.
    pub fn simulcast(seed: u32, fps: u32, payload: usize) -> Result<Self, LoadError> {
        let shapes = [("q", 160, 90, 1), ("h", 320, 180, 2), ("f", 640, 360, 5)];
        let mut encodings = Vec::new();
        for (rid, width, height, packets) in shapes {
            let clip = Clip::new(Shape { size: Size { width, height }, packets, payload, seed })?;
            encodings.push((Some(rid), Arc::new(clip)));
        }
        Ok(Self { encodings, fps, pacing: Pacing::Burst })
    }

    /// Packets a second of its largest encoding.
    #[must_use]
    pub fn packets_per_second(&self) -> f64 {
        let largest = self.encodings.iter().map(|(_, clip)| clip.shape().packets).max();
        f64::from(self.fps) * f64::from(largest.unwrap_or(0))
    }
}

/// A packet to be sent.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) what: What,
    pub(super) seq: u64,
    pub(super) timestamp: u32,
    pub(super) marker: bool,
    pub(super) payload: Arc<[u8]>,
}

/// Of which stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Video { rid: Option<&'static str> },
    Audio { level: i8, is_voice: bool },
}

/// A camera that runs.
#[derive(Debug)]
pub(super) struct Camera {
    video: Video,
    begin: Instant,
    frame: u64,
    index: u16,
    lanes: Vec<Lane>,
}

#[derive(Debug)]
struct Lane {
    cursor: Cursor,
    seq: u64,
    wants_key_frame: bool,
}

impl Camera {
    pub(super) fn new(video: Video, begin: Instant) -> Self {
        let lane = |(_, clip): &(Option<&'static str>, Arc<Clip>)| Lane {
            cursor: clip.begin(),
            // Below the wrap, so that the roll-over counter begins at zero for everybody.
            seq: 1_000 + u64::from(clip.shape().seed % 1_000),
            wants_key_frame: false,
        };
        let lanes = video.encodings.iter().map(lane).collect();
        Self { video, begin, frame: 0, index: 0, lanes }
    }

    pub(super) fn due(&self) -> Instant {
        let frame = Duration::from_nanos(1_000_000_000 * self.frame / u64::from(self.video.fps.max(1)));
        self.begin + frame + GAP * u32::from(self.index)
    }

    /// The next frame of this encoding will be a key frame; of all of them when it is not named.
    pub(super) fn request_key_frame(&mut self, of: Option<&str>) {
        for (lane, (rid, _)) in self.lanes.iter_mut().zip(&self.video.encodings) {
            lane.wants_key_frame |= of.is_none() || *rid == of;
        }
    }

    /// What is due: a frame of each encoding, or when paced the next packet of each.
    pub(super) fn poll(&mut self, now_ns: u64, out: &mut Vec<Outgoing>) {
        let longest = self.video.encodings.iter().map(|(_, clip)| clip.shape().packets).max().unwrap_or(0);
        let indices = match self.video.pacing {
            Pacing::Burst => 0..longest,
            Pacing::Paced => self.index..self.index + 1,
        };
        let ticks = self.frame * VIDEO_CLOCK / u64::from(self.video.fps.max(1));
        let timestamp = u32::try_from(ticks & 0xffff_ffff).unwrap_or(0);
        for index in indices.clone() {
            for (lane, (rid, clip)) in self.lanes.iter_mut().zip(&self.video.encodings) {
                let packets = clip.shape().packets;
                if index >= packets {
                    continue;
                }
                out.push(Outgoing {
                    what: What::Video { rid: *rid },
                    seq: lane.seq,
                    timestamp,
                    marker: index + 1 == packets,
                    payload: clip.payload(&lane.cursor, index, now_ns).into(),
                });
                lane.seq += 1;
            }
        }
        self.index = indices.end;
        if self.index >= longest {
            self.index = 0;
            self.frame += 1;
            for (lane, (_, clip)) in self.lanes.iter_mut().zip(&self.video.encodings) {
                clip.advance(&mut lane.cursor, lane.wants_key_frame);
                lane.wants_key_frame = false;
            }
        }
    }
}

/// A microphone that runs.
#[derive(Debug)]
pub(super) struct Microphone {
    speech: Speech,
    begin: Instant,
    packet: u64,
}

impl Microphone {
    pub(super) fn new(speech: Speech, begin: Instant) -> Self {
        Self { speech, begin, packet: 0 }
    }

    pub(super) fn due(&self) -> Instant {
        self.begin + Duration::from_nanos(20_000_000 * self.packet)
    }

    pub(super) fn poll(&mut self, out: &mut Vec<Outgoing>) {
        if let Some(spoken) = self.speech.packet(self.packet) {
            out.push(Outgoing {
                what: What::Audio { level: spoken.level, is_voice: spoken.is_voice() },
                seq: 2_000 + self.packet,
                timestamp: u32::try_from((self.packet * FRAME as u64) & 0xffff_ffff).unwrap_or(0),
                marker: false,
                payload: Arc::clone(&spoken.payload),
            });
        }
        self.packet += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::super::vp8::{DESCRIPTOR, is_key_frame, verify};
    use super::*;

    fn second(camera: &mut Camera, begin: Instant) -> Vec<Outgoing> {
        let mut out = Vec::new();
        while camera.due() < begin + Duration::from_secs(1) {
            camera.poll(5, &mut out);
        }
        out
    }

    #[test]
    fn a_second_is_150_packets_in_order_however_paced() {
        for pacing in [Pacing::Burst, Pacing::Paced] {
            let begin = Instant::now();
            let video = Video { pacing, ..Video::single(1, 30, 5, 1200).unwrap() };
            let out = second(&mut Camera::new(video, begin), begin);
            assert_eq!(out.len(), 150);
            assert_eq!(out.iter().filter(|packet| packet.marker).count(), 30);
            for (n, packet) in (0_u64..).zip(&out) {
                assert_eq!(packet.seq, 1_001 + n);
                assert_eq!(u64::from(packet.timestamp), n / 5 * 3_000);
                assert!(verify(&packet.payload).is_some() && packet.payload.len() == 1200);
            }
        }
    }

    #[test]
    fn a_key_frame_comes_when_it_is_asked_for() {
        let begin = Instant::now();
        let mut camera = Camera::new(Video::simulcast(1, 30, 1200).unwrap(), begin);
        let first = second(&mut camera, begin);
        assert_eq!(first.len(), 30 * 8);
        assert_eq!(first.iter().filter(|packet| is_key_frame(&packet.payload)).count(), 3);
        camera.request_key_frame(Some("h"));
        let next = second(&mut camera, begin + Duration::from_secs(1));
        let keys: Vec<_> = next.iter().filter(|packet| is_key_frame(&packet.payload)).collect();
        assert!(keys.iter().all(|packet| packet.what == What::Video { rid: Some("h") }));
        assert_eq!(keys.len(), 1);
        assert!(next.iter().all(|packet| packet.payload.len() > DESCRIPTOR));
    }

    #[test]
    fn speech_has_pauses() {
        let begin = Instant::now();
        let mut microphone = Microphone::new(Speech::new(1).unwrap(), begin);
        let mut out = Vec::new();
        while microphone.due() < begin + Duration::from_secs(12) {
            microphone.poll(&mut out);
        }
        assert_eq!(out.len(), 600);
        let is_spoken = |packet: &&Outgoing| matches!(packet.what, What::Audio { is_voice: true, .. });
        let spoken = out.iter().filter(is_spoken).count();
        // Four of six seconds, less the quiet between syllables.
        assert!((250..=400).contains(&spoken), "{spoken}");
        assert!(out.iter().skip(201).take(99).all(|packet| !is_spoken(&packet)), "two seconds of silence");
    }
}
