//! The canvas of a room and its renditions.
//!
//! in:  the clock's tick with a scene, finished compositions and encodes, viewers that come, go and miss packets
//! out: compose and encode jobs, packets of each rendition for all its viewers
//!
//! A rendition exists while somebody watches it and is encoded once for all of them. A tick that finds the
//! compositor or an encoder still busy leaves that frame out: a late encoder drops canvas frames, never packets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use layouts::Size;

use super::counters::Counters;
use super::job::{EncoderSlot, Job, canvas_bitrate};
use super::key_demand::{CACHED_MAX_AGE, Demand, KeyDemand};
use crate::codec::{Encoded, EncoderConfig, Picture};
use crate::forward::{EncodedPicture, MediaPacket, PacketCache, Packetizer};
use crate::mix::video::{Compositor, Scene};
use crate::units::{ClockRate, MediaTime, RoomKey, VideoCodec};

/// The composed picture of a room.
pub(crate) struct Canvas {
    room: RoomKey,
    size: Size,
    fps: u32,
    started: Instant,
    /// Number of the next frame.
    frame: u64,
    compositor: Place<Box<Compositor>>,
    renditions: BTreeMap<VideoCodec, Rendition>,
    /// How many there have been.
    numbered: u64,
}

/// Where a codec is: here, or inside a job.
enum Place<T> {
    Home(T),
    Away,
}

impl<T> Place<T> {
    fn take(&mut self) -> Option<T> {
        match std::mem::replace(self, Self::Away) {
            Self::Home(it) => Some(it),
            Self::Away => None,
        }
    }
}

/// One encoding of the canvas; a publisher to all its viewers.
struct Rendition {
    number: u64,
    encoder: Place<EncoderSlot>,
    packetizer: Packetizer,
    cache: PacketCache,
    demand: KeyDemand,
}

/// How a new viewer gets its first key frame.
pub(crate) enum FirstPicture {
    /// The last one is young: these packets, from it on, are sent again.
    Cached(Vec<MediaPacket>),
    /// The next frame is one.
    Coming,
}

impl Canvas {
    pub(crate) fn new(now: Instant, room: RoomKey, size: Size, fps: u32) -> Self {
        Self {
            room,
            size,
            fps: fps.clamp(1, 60),
            started: now,
            frame: 0,
            compositor: Place::Home(Box::new(Compositor::new(size))),
            renditions: BTreeMap::new(),
            numbered: 0,
        }
    }

    pub(crate) fn size(&self) -> Size {
        self.size
    }

    /// Somebody watches a rendition of it.
    pub(crate) fn is_watched(&self) -> bool {
        !self.renditions.is_empty()
    }

    /// When the next frame is taken; `None` while nobody watches.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        (!self.renditions.is_empty()).then(|| self.started + self.offset(self.frame))
    }

    fn offset(&self, frame: u64) -> Duration {
        Duration::from_nanos(frame.saturating_mul(1_000_000_000) / u64::from(self.fps))
    }

    /// Takes a frame when its time has come. `scene` is asked only if there is a compositor to draw it.
    pub(crate) fn tick(
        &mut self,
        now: Instant,
        counters: &mut Counters,
        scene: impl FnOnce() -> Scene,
    ) -> Option<Job> {
        if self.deadline().is_none_or(|deadline| deadline > now) {
            return None;
        }
        let time = self.frame_time(self.frame);
        let elapsed = now.saturating_duration_since(self.started).as_nanos();
        let next = u64::try_from(elapsed * u128::from(self.fps) / 1_000_000_000).unwrap_or(u64::MAX) + 1;
        counters.canvas_frames_late += next.saturating_sub(self.frame + 1);
        self.frame = next.max(self.frame + 1);
        match self.compositor.take() {
            Some(compositor) => Some(Job::Compose { room: self.room, compositor, scene: scene(), time }),
            None => {
                counters.canvas_frames_late += 1;
                None
            }
        }
    }

    fn frame_time(&self, frame: u64) -> MediaTime {
        let ticks = frame.saturating_mul(u64::from(ClockRate::VIDEO.0)) / u64::from(self.fps);
        MediaTime { ticks, rate: ClockRate::VIDEO }
    }

    /// Takes the composition back; gives one encode job for each rendition whose encoder is free.
    pub(crate) fn on_composed(
        &mut self,
        now: Instant,
        compositor: Box<Compositor>,
        picture: &Arc<Picture>,
        time: MediaTime,
        viewers: impl Fn(VideoCodec) -> usize,
        counters: &mut Counters,
    ) -> Vec<Job> {
        self.compositor = Place::Home(compositor);
        counters.canvas_frames += 1;
        let mut jobs = Vec::with_capacity(self.renditions.len());
        for (&codec, rendition) in &mut self.renditions {
            let Some(encoder) = rendition.encoder.take() else {
                counters.canvas_frames_late += 1;
                continue;
            };
            let force_key = rendition.demand.is_due(now, viewers(codec));
            jobs.push(Job::Encode {
                room: self.room,
                codec,
                encoder,
                picture: Arc::clone(picture),
                time,
                force_key,
            });
        }
        jobs
    }

    /// Takes an encode back; gives the packets that every viewer of `codec` is to have.
    pub(crate) fn on_encoded(
        &mut self,
        now: Instant,
        codec: VideoCodec,
        encoder: EncoderSlot,
        time: MediaTime,
        encoded: Option<Encoded>,
        counters: &mut Counters,
    ) -> Vec<MediaPacket> {
        // When the rendition has ended, and maybe begun anew, this frame belongs to a stream nobody watches.
        let rendition = self.renditions.get_mut(&codec).filter(|it| it.number == encoder.rendition);
        let Some(rendition) = rendition else { return Vec::new() };
        rendition.encoder = Place::Home(encoder);
        let Some(encoded) = encoded else { return Vec::new() };
        counters.encoded += 1;
        if encoded.keyframe {
            counters.key_frames += 1;
            rendition.demand.made(now);
        }
        let captured = self.started + Duration::from_nanos(time.ticks.saturating_mul(100_000) / 9);
        let picture =
            EncodedPicture { keyframe: encoded.keyframe, data: encoded.data, timestamp: time, captured };
        let packets = rendition.packetizer.packetize(&picture);
        for packet in &packets {
            rendition.cache.insert(now, packet.clone());
        }
        packets
    }

    /// A leg begins to watch; the rendition is made if it is the first.
    pub(crate) fn watch(&mut self, now: Instant, codec: VideoCodec) -> FirstPicture {
        if self.renditions.is_empty() {
            self.skip_idle_frames(now);
        }
        let (size, fps, numbered) = (self.size, self.fps, &mut self.numbered);
        let rendition = self.renditions.entry(codec).or_insert_with(|| {
            *numbered += 1;
            Rendition::new(*numbered, codec, size, fps)
        });
        let cached: Vec<_> = rendition.cache.since_keyframe(now, CACHED_MAX_AGE).cloned().collect();
        if cached.is_empty() {
            rendition.demand.want(Demand::Newcomer);
            return FirstPicture::Coming;
        }
        FirstPicture::Cached(cached)
    }

    /// While nobody watched no frame was due; none of them is late now.
    fn skip_idle_frames(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.started).as_nanos();
        let frame = u64::try_from(elapsed * u128::from(self.fps) / 1_000_000_000).unwrap_or(u64::MAX);
        self.frame = self.frame.max(frame);
    }

    /// The last viewer of `codec` has gone.
    pub(crate) fn unwatch(&mut self, codec: VideoCodec) {
        self.renditions.remove(&codec);
    }

    /// A viewer lost more than retransmission can mend.
    pub(crate) fn want_key(&mut self, codec: VideoCodec) {
        if let Some(rendition) = self.renditions.get_mut(&codec) {
            rendition.demand.want(Demand::Loss);
        }
    }

    /// Packets of `codec` that can be sent again.
    pub(crate) fn cache(&self, codec: VideoCodec) -> Option<&PacketCache> {
        self.renditions.get(&codec).map(|rendition| &rendition.cache)
    }
}

impl Rendition {
    fn new(number: u64, codec: VideoCodec, size: Size, fps: u32) -> Self {
        let bitrate = canvas_bitrate(size.width, size.height);
        Self {
            number,
            encoder: Place::Home(EncoderSlot::new(number, EncoderConfig { codec, size, fps, bitrate })),
            packetizer: Packetizer::new(codec),
            cache: PacketCache::default(),
            demand: KeyDemand::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Rgb;
    use crate::room::JobDone;

    const SIZE: Size = Size { width: 160, height: 96 };

    /// A canvas with its jobs run inline, and what came out of it.
    struct Bench {
        canvas: Canvas,
        start: Instant,
        counters: Counters,
        packets: Vec<MediaPacket>,
    }

    impl Bench {
        fn new() -> Self {
            let start = Instant::now();
            let canvas = Canvas::new(start, RoomKey(1), SIZE, 30);
            Self { canvas, start, counters: Counters::default(), packets: Vec::new() }
        }

        fn at(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }

        fn tick(&mut self, now: Instant) -> Option<Job> {
            let scene = || Scene { background: Rgb(40, 80, 120), layers: Vec::new() };
            self.canvas.tick(now, &mut self.counters, scene)
        }

        /// Runs a job and all that follow from it.
        fn run(&mut self, now: Instant, job: Job) {
            match job.run() {
                JobDone::Decoded { .. } => {}
                JobDone::Composed { compositor, picture, time, .. } => {
                    let jobs =
                        self.canvas.on_composed(now, compositor, &picture, time, |_| 1, &mut self.counters);
                    for job in jobs {
                        self.run(now, job);
                    }
                }
                JobDone::Encoded { codec, encoder, time, result, .. } => {
                    let encoded = result.unwrap();
                    let packets =
                        self.canvas.on_encoded(now, codec, encoder, time, encoded, &mut self.counters);
                    self.packets.extend(packets);
                }
            }
        }

        fn frames(&mut self, ms: std::ops::Range<u64>) {
            for ms in ms {
                let now = self.at(ms);
                if let Some(job) = self.tick(now) {
                    self.run(now, job);
                }
            }
        }
    }

    #[test]
    fn an_unwatched_canvas_does_nothing_and_a_watched_one_keeps_its_clock() {
        let mut bench = Bench::new();
        bench.frames(0..500);
        assert_eq!((bench.counters.canvas_frames, bench.canvas.deadline()), (0, None));

        assert!(matches!(bench.canvas.watch(bench.at(500), VideoCodec::Vp8), FirstPicture::Coming));
        bench.frames(500..1500);
        assert_eq!(bench.counters.canvas_frames, 30);
        assert_eq!(bench.counters.canvas_frames_late, 0, "frames that nobody watched are not late");
        let times: Vec<u64> =
            bench.packets.iter().filter(|p| p.marker).map(|packet| packet.timestamp.ticks).collect();
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 3000), "{times:?}");
        assert!(bench.packets.first().unwrap().keyframe);
        assert_eq!(bench.counters.key_frames, 1, "nobody asked for more");
    }

    #[test]
    fn frames_are_left_out_while_the_compositor_is_away() {
        let mut bench = Bench::new();
        let _ = bench.canvas.watch(bench.start, VideoCodec::Vp8);
        let held = bench.tick(bench.at(0)).unwrap();
        assert!(bench.tick(bench.at(34)).is_none());
        assert!(bench.tick(bench.at(67)).is_none());
        assert_eq!(bench.counters.canvas_frames_late, 2);
        bench.run(bench.at(90), held);
        assert!(bench.tick(bench.at(100)).is_some());
        // A tick that itself comes late skips what it missed.
        let late = bench.counters.canvas_frames_late;
        assert!(bench.tick(bench.at(100)).is_none());
        let _ = bench.tick(bench.at(1001));
        assert_eq!(bench.counters.canvas_frames_late, late + 26 + 1);
    }

    #[test]
    fn a_second_viewer_gets_the_young_key_frame_and_a_later_one_makes_a_new_one() {
        let mut bench = Bench::new();
        let _ = bench.canvas.watch(bench.start, VideoCodec::H264);
        bench.frames(0..300);
        let FirstPicture::Cached(packets) = bench.canvas.watch(bench.at(300), VideoCodec::H264) else {
            panic!("the key frame is 300 ms old");
        };
        assert!(packets.first().unwrap().begins && packets.first().unwrap().keyframe);
        assert_eq!(packets.len(), bench.packets.len());

        bench.frames(300..900);
        assert!(matches!(bench.canvas.watch(bench.at(900), VideoCodec::H264), FirstPicture::Coming));
        bench.frames(900..1000);
        assert_eq!(bench.counters.key_frames, 2);
    }

    #[test]
    fn a_rendition_that_ended_during_an_encode_begins_anew_with_a_key_frame() {
        let mut bench = Bench::new();
        let _ = bench.canvas.watch(bench.start, VideoCodec::Vp8);
        bench.frames(0..40);
        let job = bench.tick(bench.at(67)).unwrap();
        let JobDone::Composed { compositor, picture, time, .. } = job.run() else { panic!("a composition") };
        let mut counters = Counters::default();
        let now = bench.at(70);
        let encodes = bench.canvas.on_composed(now, compositor, &picture, time, |_| 1, &mut counters);
        bench.canvas.unwatch(VideoCodec::Vp8);
        let _ = bench.canvas.watch(now, VideoCodec::Vp8);
        bench.packets.clear();
        // The new stream's first frame is being encoded when the old one's comes back.
        let first = bench.tick(bench.at(100)).unwrap();
        let JobDone::Composed { compositor, picture, time, .. } = first.run() else {
            panic!("a composition")
        };
        let first = bench.canvas.on_composed(now, compositor, &picture, time, |_| 1, &mut counters);
        for job in encodes {
            bench.run(now, job);
        }
        assert!(bench.packets.is_empty(), "the old stream's frame is not for the new viewer");
        for job in first {
            bench.run(now, job);
        }
        assert!(bench.packets.first().unwrap().keyframe, "the new one's is");
        bench.frames(71..200);
        assert!(bench.packets.first().unwrap().keyframe);
    }
}
