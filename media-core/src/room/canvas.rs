//! The canvas of a room and its renditions.
//!
//! in:  the clock's tick with a scene, finished compositions and encodes, viewers that come, go, move and miss packets
//! out: compose and encode jobs, packets of each rendition, and for each viewer which of them it gets
//!
//! A rendition, a codec in a size, exists while somebody watches it and a little longer, and is encoded once for all of
//! them. A tick that finds the compositor or an encoder still busy leaves that frame out: a late encoder drops canvas
//! frames, never packets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use layouts::Size;

use super::counters::Counters;
use super::job::{EncoderSlot, Job};
use super::key_demand::{CACHED_MAX_AGE, Demand, KeyDemand, is_many};
use super::watching::{AUDIO, Gate, Remedy, RenditionKey, SizeClass, Viewer, rate_for};
use crate::codec::{Encoded, EncoderConfig, Picture};
use crate::forward::{EncodedPicture, MediaPacket, PacketCache, Packetizer};
use crate::mix::video::{Compositor, Scene};
use crate::units::{Bitrate, ClockRate, LegKey, MediaTime, RoomKey, VideoCodec};

/// A rendition nobody watches is encoded for so long: who left it for a moment comes back without a new encoder.
const HANG: Duration = Duration::from_secs(3);
/// Viewers' budgets are looked at this often.
const SETTLE_EVERY: Duration = Duration::from_millis(100);
/// An encoder is told another rate when it differs by this much, in percent.
const RATE_STEP_PERCENT: u64 = 5;

/// The composed picture of a room.
pub(crate) struct Canvas {
    room: RoomKey,
    size: Size,
    fps: u32,
    started: Instant,
    /// Number of the next frame.
    frame: u64,
    compositor: Place<Box<Compositor>>,
    renditions: BTreeMap<RenditionKey, Rendition>,
    viewers: BTreeMap<LegKey, Viewer>,
    /// How many renditions there have been.
    numbered: u64,
    settle_at: Instant,
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
    rate: Bitrate,
    /// When the last viewer left it.
    unwatched_since: Option<Instant>,
}

/// How a viewer gets the key frame it waits for.
pub(crate) enum FirstPicture {
    /// The last one is young: these packets, from it on, are sent again.
    Cached(Vec<MediaPacket>),
    /// The next frame is one.
    Coming,
}

/// Packets of a rendition, fresh from its encoder.
pub(crate) struct Fresh {
    pub(crate) rendition: RenditionKey,
    pub(crate) packets: Vec<MediaPacket>,
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
            viewers: BTreeMap::new(),
            numbered: 0,
            settle_at: now,
        }
    }

    pub(crate) fn size(&self) -> Size {
        self.size
    }

    /// Somebody watches a rendition of it.
    pub(crate) fn is_watched(&self) -> bool {
        !self.renditions.is_empty()
    }

    /// Renditions that are encoded now.
    pub(crate) fn rendition_count(&self) -> usize {
        self.renditions.len()
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
        counters: &mut Counters,
    ) -> Vec<Job> {
        self.compositor = Place::Home(compositor);
        counters.canvas_frames += 1;
        let mut jobs = Vec::with_capacity(self.renditions.len());
        for (key, rendition) in &mut self.renditions {
            let Some(mut encoder) = rendition.encoder.take() else {
                counters.canvas_frames_late += 1;
                continue;
            };
            let legs = viewers(&self.viewers, *key);
            encoder.set_bitrate(rendition.rate);
            jobs.push(Job::Encode {
                room: self.room,
                codec: key.codec,
                encoder,
                picture: Arc::clone(picture),
                time,
                force_key: rendition.demand.is_due(now, legs),
            });
        }
        jobs
    }

    /// Takes an encode back; gives the packets for those who watch it.
    pub(crate) fn on_encoded(
        &mut self,
        now: Instant,
        encoder: EncoderSlot,
        time: MediaTime,
        encoded: Option<Encoded>,
        counters: &mut Counters,
    ) -> Option<Fresh> {
        // When the rendition has ended, and maybe begun anew, this frame belongs to a stream nobody watches.
        let number = encoder.rendition;
        let (key, rendition) = self.renditions.iter_mut().find(|(_, it)| it.number == number)?;
        rendition.encoder = Place::Home(encoder);
        let encoded = encoded?;
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
        Some(Fresh { rendition: *key, packets })
    }

    /// Whether a viewer gets a packet of a rendition.
    pub(crate) fn gate(&mut self, leg: LegKey, rendition: RenditionKey, packet: &MediaPacket) -> Gate {
        match self.viewers.get_mut(&leg).filter(|viewer| viewer.codec == rendition.codec) {
            Some(viewer) => viewer.gate(rendition.size, packet.begins && packet.keyframe),
            None => Gate::Drop,
        }
    }

    /// The rendition a viewer waits for.
    pub(crate) fn awaited(&self, leg: LegKey) -> Option<RenditionKey> {
        let viewer = self.viewers.get(&leg)?;
        Some(RenditionKey { codec: viewer.codec, size: viewer.awaits()? })
    }

    /// What viewers could make use of at best, with the mix.
    pub(crate) fn most(&self) -> Bitrate {
        Bitrate(SizeClass::Full.most(self.size).0 + AUDIO.0)
    }

    /// A leg begins to watch; the rendition is made if it is the first.
    pub(crate) fn watch(&mut self, now: Instant, leg: LegKey, codec: VideoCodec) -> FirstPicture {
        self.viewers.insert(leg, Viewer::new(codec));
        self.begin(now, RenditionKey { codec, size: SizeClass::Full }, Demand::Newcomer)
    }

    /// A viewer waits for a key frame of a rendition, which is made if it is the first.
    fn begin(&mut self, now: Instant, key: RenditionKey, demand: Demand) -> FirstPicture {
        if self.renditions.is_empty() {
            self.skip_idle_frames(now);
        }
        let (size, fps, numbered) = (self.size, self.fps, &mut self.numbered);
        let rendition = self.renditions.entry(key).or_insert_with(|| {
            *numbered += 1;
            Rendition::new(*numbered, key, size, fps)
        });
        rendition.unwatched_since = None;
        let cached: Vec<_> = rendition.cache.since_keyframe(now, CACHED_MAX_AGE).cloned().collect();
        if cached.is_empty() {
            rendition.demand.want(demand);
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

    /// A viewer has gone; the last of a codec takes its renditions along.
    pub(crate) fn unwatch(&mut self, leg: LegKey) {
        if let Some(Viewer { codec, .. }) = self.viewers.remove(&leg)
            && !self.viewers.values().any(|viewer| viewer.codec == codec)
        {
            self.renditions.retain(|key, _| key.codec != codec);
        }
    }

    /// Looks now and then at what each viewer may be sent. Gives young key frames to those who begin to wait for one.
    pub(crate) fn settle(
        &mut self,
        now: Instant,
        budget: impl Fn(LegKey) -> Option<Bitrate>,
    ) -> Vec<(LegKey, RenditionKey, Vec<MediaPacket>)> {
        if self.settle_at > now || self.viewers.is_empty() {
            return Vec::new();
        }
        self.settle_at = now + SETTLE_EVERY;
        for (&leg, viewer) in &mut self.viewers {
            viewer.set_budget(budget(leg));
        }
        // First what each rendition can come down to, then who cannot bear even that.
        self.set_rates();
        let mut waiting = Vec::new();
        for (&leg, viewer) in &mut self.viewers {
            let full = RenditionKey { codec: viewer.codec, size: SizeClass::Full };
            let rate = self.renditions.get(&full).map_or(Bitrate(0), |it| it.rate);
            if let Some(size) = viewer.on_budget(now, budget(leg), self.size, rate) {
                waiting.push((leg, RenditionKey { codec: viewer.codec, size }));
            }
        }
        let mut young = Vec::new();
        for (leg, key) in waiting {
            match self.begin(now, key, Demand::Loss) {
                FirstPicture::Coming => {}
                FirstPicture::Cached(packets) => young.push((leg, key, packets)),
            }
        }
        self.end_unwatched(now);
        young
    }

    fn set_rates(&mut self) {
        for (key, rendition) in &mut self.renditions {
            let its = self.viewers.values().filter(|viewer| viewer.codec == key.codec);
            let mut budgets: Vec<_> = its.filter_map(|viewer| viewer.picture_budget(key.size)).collect();
            let rate = rate_for(key.size, self.size, &mut budgets);
            if rate.0.abs_diff(rendition.rate.0) * 100 > rendition.rate.0 * RATE_STEP_PERCENT {
                rendition.rate = rate;
            }
        }
    }

    fn end_unwatched(&mut self, now: Instant) {
        let viewers = &self.viewers;
        self.renditions.retain(|key, rendition| {
            if viewers.values().any(|viewer| viewer.codec == key.codec && viewer.needs(key.size)) {
                rendition.unwatched_since = None;
                return true;
            }
            let since = *rendition.unwatched_since.get_or_insert(now);
            now.saturating_duration_since(since) < HANG
        });
    }

    /// A viewer lost something, and `repaired` of it was sent again just now. Gives a young key frame, when there is one.
    pub(crate) fn on_loss(
        &mut self,
        now: Instant,
        leg: LegKey,
        repaired: bool,
        rtt: Duration,
    ) -> Option<(RenditionKey, Vec<MediaPacket>)> {
        let codec = self.viewers.get(&leg)?.codec;
        let watching = self.viewers.values().filter(|viewer| viewer.codec == codec).count();
        let viewer = self.viewers.get_mut(&leg)?;
        match viewer.on_loss(now, repaired, rtt, is_many(watching))? {
            Remedy::Wait => None,
            Remedy::KeyFrame(size) => {
                let key = RenditionKey { codec, size };
                // A young key frame of what it shows has been sent to it, and was lost with the rest.
                let shown = viewer.shows() == Some(size);
                match self.begin(now, key, Demand::Loss) {
                    FirstPicture::Cached(packets) if !shown => Some((key, packets)),
                    FirstPicture::Cached(_) => {
                        self.want_key(key);
                        None
                    }
                    FirstPicture::Coming => None,
                }
            }
        }
    }

    /// A viewer's packets were given up before they were sent.
    pub(crate) fn on_given_up(&mut self, leg: LegKey) {
        let given_up = |viewer: &mut Viewer| Some((viewer.codec, viewer.on_given_up()?));
        if let Some((codec, size)) = self.viewers.get_mut(&leg).and_then(given_up) {
            self.want_key(RenditionKey { codec, size });
        }
    }

    fn want_key(&mut self, key: RenditionKey) {
        if let Some(rendition) = self.renditions.get_mut(&key) {
            rendition.demand.want(Demand::Loss);
        }
    }

    /// Packets that can be sent to a viewer again.
    pub(crate) fn cache(&self, leg: LegKey) -> Option<&PacketCache> {
        let viewer = self.viewers.get(&leg)?;
        let key = RenditionKey { codec: viewer.codec, size: viewer.shows()? };
        self.renditions.get(&key).map(|rendition| &rendition.cache)
    }
}

/// Legs that get a rendition, or wait for it.
fn viewers(viewers: &BTreeMap<LegKey, Viewer>, key: RenditionKey) -> usize {
    viewers.values().filter(|viewer| viewer.codec == key.codec && viewer.needs(key.size)).count()
}

impl Rendition {
    fn new(number: u64, key: RenditionKey, full: Size, fps: u32) -> Self {
        let (size, rate) = (key.size.size(full), key.size.most(full));
        let config = EncoderConfig { codec: key.codec, size, fps, bitrate: rate };
        Self {
            number,
            encoder: Place::Home(EncoderSlot::new(number, config)),
            packetizer: Packetizer::new(key.codec),
            cache: PacketCache::default(),
            demand: KeyDemand::default(),
            rate,
            unwatched_since: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Rgb;
    use crate::room::JobDone;

    const SIZE: Size = Size { width: 160, height: 96 };
    const LEG: LegKey = LegKey(1);
    const OTHER: LegKey = LegKey(2);
    const MS: Duration = Duration::from_millis(1);

    /// A canvas with its jobs run inline, and what came out of it.
    struct Bench {
        canvas: Canvas,
        start: Instant,
        counters: Counters,
        packets: Vec<MediaPacket>,
        /// What each viewer got.
        got: Vec<(LegKey, SizeClass, Gate, MediaPacket)>,
    }

    impl Bench {
        fn new() -> Self {
            let start = Instant::now();
            let canvas = Canvas::new(start, RoomKey(1), SIZE, 30);
            Self { canvas, start, counters: Counters::default(), packets: Vec::new(), got: Vec::new() }
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
                    let jobs = self.canvas.on_composed(now, compositor, &picture, time, &mut self.counters);
                    for job in jobs {
                        self.run(now, job);
                    }
                }
                JobDone::Encoded { encoder, time, result, .. } => {
                    let encoded = result.unwrap();
                    let fresh = self.canvas.on_encoded(now, encoder, time, encoded, &mut self.counters);
                    let Some(Fresh { rendition, packets }) = fresh else { return };
                    for packet in &packets {
                        for leg in [LEG, OTHER] {
                            let gate = self.canvas.gate(leg, rendition, packet);
                            if gate != Gate::Drop {
                                self.got.push((leg, rendition.size, gate, packet.clone()));
                            }
                        }
                    }
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

        assert!(matches!(bench.canvas.watch(bench.at(500), LEG, VideoCodec::Vp8), FirstPicture::Coming));
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
        let _ = bench.canvas.watch(bench.start, LEG, VideoCodec::Vp8);
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
        let _ = bench.canvas.watch(bench.start, LEG, VideoCodec::H264);
        bench.frames(0..300);
        let FirstPicture::Cached(packets) = bench.canvas.watch(bench.at(300), OTHER, VideoCodec::H264) else {
            panic!("the key frame is 300 ms old");
        };
        assert!(packets.first().unwrap().begins && packets.first().unwrap().keyframe);
        assert_eq!(packets.len(), bench.packets.len());

        bench.frames(300..900);
        assert!(matches!(bench.canvas.watch(bench.at(900), OTHER, VideoCodec::H264), FirstPicture::Coming));
        bench.frames(900..1000);
        assert_eq!(bench.counters.key_frames, 2);
    }

    #[test]
    fn a_rendition_that_ended_during_an_encode_begins_anew_with_a_key_frame() {
        let mut bench = Bench::new();
        let _ = bench.canvas.watch(bench.start, LEG, VideoCodec::Vp8);
        bench.frames(0..40);
        let job = bench.tick(bench.at(67)).unwrap();
        let JobDone::Composed { compositor, picture, time, .. } = job.run() else { panic!("a composition") };
        let mut counters = Counters::default();
        let now = bench.at(70);
        let encodes = bench.canvas.on_composed(now, compositor, &picture, time, &mut counters);
        bench.canvas.unwatch(LEG);
        let _ = bench.canvas.watch(now, LEG, VideoCodec::Vp8);
        bench.packets.clear();
        // The new stream's first frame is being encoded when the old one's comes back.
        let first = bench.tick(bench.at(100)).unwrap();
        let JobDone::Composed { compositor, picture, time, .. } = first.run() else {
            panic!("a composition")
        };
        let first = bench.canvas.on_composed(now, compositor, &picture, time, &mut counters);
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

    /// Looks at budgets, and lets a second pass.
    fn second(bench: &mut Bench, from: u64, budget: impl Fn(LegKey) -> Option<Bitrate>) {
        for at in (from..from + 1000).step_by(20) {
            let now = bench.at(at);
            let _ = bench.canvas.settle(now, &budget);
            bench.frames(at..at + 20);
        }
    }

    #[test]
    fn a_narrow_viewer_moves_to_a_small_rendition_and_back_without_a_glitch_for_the_other() {
        let mut bench = Bench::new();
        let _ = bench.canvas.watch(bench.start, LEG, VideoCodec::Vp8);
        second(&mut bench, 0, |_| None);
        let _ = bench.canvas.watch(bench.at(1000), OTHER, VideoCodec::Vp8);
        second(&mut bench, 1000, |_| None);
        assert_eq!(bench.canvas.rendition_count(), 1);
        let (narrow, wide) = (Bitrate::kbps(120), Bitrate::kbps(2000));
        let keys = bench.counters.key_frames;
        bench.got.clear();
        second(&mut bench, 2000, |leg| Some(if leg == OTHER { narrow } else { wide }));
        assert_eq!(bench.canvas.rendition_count(), 2);
        assert_eq!(bench.counters.key_frames, keys + 1, "the small one's first");
        let of = |bench: &Bench, leg| -> Vec<(SizeClass, Gate)> {
            bench.got.iter().filter(|(of, ..)| *of == leg).map(|(_, size, gate, _)| (*size, *gate)).collect()
        };
        assert!(of(&bench, LEG).iter().all(|it| *it == (SizeClass::Full, Gate::Send)));
        let other = of(&bench, OTHER);
        let moved = other.iter().position(|(_, gate)| *gate == Gate::Begin).unwrap();
        assert!(other[..moved].iter().all(|it| *it == (SizeClass::Full, Gate::Send)));
        assert!(other[moved..].iter().all(|(size, _)| *size == SizeClass::Small));
        let times: Vec<_> = bench.got.iter().filter(|(leg, ..)| *leg == OTHER).map(|it| &it.3).collect();
        let frames = times.iter().filter(|packet| packet.marker).count();
        assert!(frames >= 29, "no picture is missing: {frames}");

        // It becomes wide: back at a key frame of the full one, and the small one ends after a while.
        bench.got.clear();
        for n in 3..5 {
            second(&mut bench, n * 1000, |_| Some(wide));
        }
        assert_eq!(of(&bench, OTHER).last(), Some(&(SizeClass::Full, Gate::Send)));
        assert_eq!(bench.canvas.rendition_count(), 2, "for a while");
        for n in 5..9 {
            second(&mut bench, n * 1000, |_| Some(wide));
        }
        assert_eq!(bench.canvas.rendition_count(), 1);
    }

    #[test]
    fn a_rendition_follows_the_budgets_of_its_viewers() {
        let bytes = |budget| {
            let mut bench = Bench::new();
            let _ = bench.canvas.watch(bench.start, LEG, VideoCodec::Vp8);
            second(&mut bench, 0, |_| budget);
            let key = RenditionKey { codec: VideoCodec::Vp8, size: SizeClass::Full };
            bench.canvas.renditions.get(&key).map(|rendition| rendition.rate)
        };
        let most = SizeClass::Full.most(SIZE);
        assert_eq!(bytes(None), Some(most));
        assert_eq!(bytes(Some(Bitrate::kbps(9000))), Some(most));
        assert_eq!(bytes(Some(Bitrate::kbps(180))), Some(Bitrate::kbps(130)));
    }

    #[test]
    fn among_many_one_viewers_losses_move_it_and_cost_the_others_nothing() {
        let mut bench = Bench::new();
        for leg in 1..=12 {
            let _ = bench.canvas.watch(bench.start, LegKey(leg), VideoCodec::Vp8);
        }
        bench.frames(0..1000);
        let keys = bench.counters.key_frames;
        let rtt = MS * 50;
        assert!(bench.canvas.on_loss(bench.at(1000), OTHER, true, rtt).is_none(), "repeats come");
        bench.frames(1000..1500);
        assert_eq!((bench.canvas.rendition_count(), bench.counters.key_frames), (1, keys));
        assert!(bench.canvas.on_loss(bench.at(1500), OTHER, false, rtt).is_none());
        bench.frames(1500..1600);
        assert_eq!((bench.canvas.rendition_count(), bench.counters.key_frames), (2, keys + 1));
        // Those who lose in the small one too, cost it a key frame every two seconds at most.
        for ms in (1600..5600).step_by(100) {
            let _ = bench.canvas.on_loss(bench.at(ms), OTHER, false, rtt);
            bench.frames(ms..ms + 100);
        }
        let made = bench.counters.key_frames - keys - 1;
        assert!((1..=9).contains(&made), "{made}");
    }

    #[test]
    fn packets_given_up_are_followed_by_a_key_frame() {
        let mut bench = Bench::new();
        let _ = bench.canvas.watch(bench.start, LEG, VideoCodec::Vp8);
        bench.frames(0..1000);
        bench.canvas.on_given_up(LEG);
        bench.got.clear();
        bench.frames(1000..1200);
        assert_eq!(bench.got.first().map(|(_, _, gate, _)| *gate), Some(Gate::Begin));
    }
}
