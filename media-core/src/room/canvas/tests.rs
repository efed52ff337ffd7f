use super::*;
use crate::codec::Rgb;
use crate::mix::video::Grounds;
use crate::room::JobDone;
use crate::room::recorded::RecordedMedia;
use crate::room::watching::{Gate, SizeClass};
use crate::units::{Bitrate, VideoCodec};

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
    /// What the recorder got.
    recorded: Vec<Recorded>,
    /// JPEGs, and when they came.
    previews: Vec<(Instant, bytes::Bytes)>,
    /// What the canvas shows, and whether that is something else with every frame.
    shade: u8,
    moves: bool,
}

impl Bench {
    fn new() -> Self {
        let start = Instant::now();
        let canvas = Canvas::new(start, RoomKey(1), SIZE, 30, Fonts::default());
        Self {
            canvas,
            start,
            counters: Counters::default(),
            packets: Vec::new(),
            got: Vec::new(),
            recorded: Vec::new(),
            previews: Vec::new(),
            shade: 0,
            moves: true,
        }
    }

    fn at(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    fn tick(&mut self, now: Instant) -> Option<Job> {
        if self.moves {
            self.shade = (self.shade + 40) % 200;
        }
        let scene = || Scene {
            background: Rgb(40, 80, 20 + self.shade),
            grounds: Grounds::default(),
            layers: Vec::new(),
        };
        self.canvas.tick(now, &mut self.counters, scene)
    }

    /// Runs a job and all that follow from it.
    fn run(&mut self, now: Instant, job: Job) {
        match job.run() {
            JobDone::Decoded { .. } => {}
            JobDone::Previewed { jpeg, .. } => {
                self.canvas.on_previewed();
                self.previews.push((now, jpeg.unwrap()));
            }
            JobDone::Composed { compositor, picture, time, .. } => {
                let jobs = self.canvas.on_composed(now, compositor, &picture, time, &mut self.counters);
                for job in jobs {
                    self.run(now, job);
                }
            }
            JobDone::Encoded { encoder, time, result, .. } => {
                let encoded = result.unwrap();
                let fresh = self.canvas.on_encoded(now, encoder, time, encoded, &mut self.counters);
                let Some(Fresh { rendition, packets, recorded }) = fresh else { return };
                self.recorded.extend(recorded);
                for packet in &packets {
                    for leg in [LEG, OTHER] {
                        let gate = self.canvas.gate(now, leg, rendition, packet);
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
    let JobDone::Composed { compositor, picture, time, .. } = first.run() else { panic!("a composition") };
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
    bench.frames(0..3000);
    let keys = bench.counters.key_frames;
    let rtt = MS * 50;
    assert!(bench.canvas.on_loss(bench.at(3000), OTHER, true, rtt).is_none(), "repeats come");
    bench.frames(3000..3500);
    assert_eq!((bench.canvas.rendition_count(), bench.counters.key_frames), (1, keys));
    assert!(bench.canvas.on_loss(bench.at(3500), OTHER, false, rtt).is_none());
    bench.frames(3500..3600);
    assert_eq!((bench.canvas.rendition_count(), bench.counters.key_frames), (2, keys + 1));
    // Those who lose in the small one too, cost it a key frame every two seconds at most.
    for ms in (3600..7600).step_by(100) {
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

/// Milliseconds at which the recorder got a picture, and whether it was a key frame.
fn pictures(bench: &Bench) -> Vec<(u128, bool)> {
    let picture = |it: &Recorded| match it.media {
        RecordedMedia::Picture { keyframe, .. } => ((it.at - bench.start).as_millis(), keyframe),
        RecordedMedia::Sound { .. } => panic!("a canvas has no sound"),
    };
    bench.recorded.iter().map(picture).collect()
}

#[test]
fn a_recorder_gets_every_frame_and_a_key_frame_every_two_seconds_from_the_first_on() {
    for watched in [None, Some(VideoCodec::Vp8), Some(VideoCodec::H264)] {
        let mut bench = Bench::new();
        if let Some(codec) = watched {
            let _ = bench.canvas.watch(bench.start, LEG, codec);
        }
        bench.frames(0..700);
        bench.canvas.record(bench.at(700), Bitrate::kbps(2000));
        bench.frames(700..5700);
        let got = pictures(&bench);
        assert!((149..=151).contains(&got.len()), "{watched:?}: {}", got.len());
        assert!((700..735).contains(&got[0].0), "{watched:?}: {got:?}");
        let keys: Vec<_> = got.iter().filter(|it| it.1).map(|it| (it.0 - got[0].0).div_ceil(10)).collect();
        assert_eq!(keys, [0, 200, 400], "{watched:?}");
        let renditions = if watched == Some(VideoCodec::Vp8) { 2 } else { 1 };
        assert_eq!(bench.canvas.rendition_count(), renditions, "{watched:?}");
        bench.recorded.clear();
        bench.canvas.unrecord();
        bench.frames(5700..6200);
        assert!(bench.recorded.is_empty());
        assert_eq!(bench.canvas.rendition_count(), usize::from(watched.is_some()), "{watched:?}");
    }
}

#[test]
fn a_recorder_outlives_viewers_and_holds_the_rate_up() {
    let mut bench = Bench::new();
    let most = SizeClass::Full.most(SIZE);
    let rate = |bench: &Bench| bench.canvas.renditions.get(&Recorder::READS).map(|it| it.rate);
    let _ = bench.canvas.watch(bench.start, LEG, VideoCodec::H264);
    second(&mut bench, 0, |_| Some(Bitrate::kbps(200)));
    assert!(rate(&bench) < Some(most), "{:?}", rate(&bench));
    // As much beyond the best rate of this size as 2 Mbit/s are beyond that of 720p.
    bench.canvas.record(bench.at(1000), Bitrate::kbps(2000));
    let held = Some(Bitrate(most.0 * 2000 / 1500));
    assert_eq!(rate(&bench), held);
    second(&mut bench, 1000, |_| Some(Bitrate::kbps(120)));
    assert_eq!(rate(&bench), held);
    assert_eq!(bench.got.last().map(|it| it.1), Some(SizeClass::Small), "who cannot bear it moves");
    bench.canvas.unwatch(LEG);
    bench.recorded.clear();
    for from in 2..8 {
        second(&mut bench, from * 1000, |_| None);
    }
    assert!((179..=181).contains(&bench.recorded.len()), "{}", bench.recorded.len());
    assert_eq!(bench.canvas.rendition_count(), 1);
    bench.canvas.unrecord();
    assert_eq!((bench.canvas.rendition_count(), bench.canvas.deadline()), (0, None));
}

#[test]
fn a_recorder_that_begins_while_a_frame_is_drawn_begins_with_the_next_one() {
    let mut bench = Bench::new();
    let _ = bench.canvas.watch(bench.start, LEG, VideoCodec::H264);
    bench.frames(0..1000);
    let drawn = bench.tick(bench.at(1000)).unwrap();
    let began = bench.at(1005);
    bench.canvas.record(began, Bitrate::kbps(2000));
    bench.run(bench.at(1010), drawn);
    bench.frames(1011..1200);
    let first = bench.recorded.first().unwrap();
    assert!(matches!(first.media, RecordedMedia::Picture { keyframe: true, .. }));
    assert!((began..began + MS * 35).contains(&first.at), "at once, and nothing from before");
}

#[test]
fn a_canvas_nobody_watches_is_composed_once_a_second_while_previews_are_asked_for() {
    let mut bench = Bench::new();
    (bench.moves, bench.shade) = (false, 100);
    bench.frames(0..500);
    bench.canvas.take_preview(bench.at(500));
    assert!(bench.canvas.is_watched(), "its cameras are decoded");
    bench.frames(500..9_000);
    assert_eq!(bench.previews.len(), 1);
    let (at, jpeg) = &bench.previews[0];
    assert!((800..2_400).contains(&(*at - bench.start).as_millis()), "{:?}", *at - bench.start);
    let pixels = image::load_from_memory(jpeg).unwrap().to_rgb8();
    assert_eq!(pixels.dimensions(), (SIZE.width, SIZE.height));
    let image::Rgb(middle) = *pixels.get_pixel(80, 48);
    assert!(middle.iter().zip([40_u8, 80, 120]).all(|(a, b)| a.abs_diff(b) < 6), "{middle:?}");
    assert!((8..=10).contains(&bench.counters.canvas_frames), "{}", bench.counters.canvas_frames);
    assert_eq!(bench.counters.encoded, 0);
    // A viewer does not wait for the next second.
    let _ = bench.canvas.watch(bench.at(9_100), LEG, VideoCodec::Vp8);
    bench.frames(9_100..9_200);
    assert!(!bench.packets.is_empty());
    bench.canvas.unwatch(LEG);
    bench.frames(9_200..30_000);
    assert_eq!(bench.canvas.deadline(), None, "nobody asks any more");
}

/// Milliseconds at which pictures were encoded, from a moment on.
fn encoded_at(bench: &Bench, from: u64) -> Vec<u64> {
    let ends = bench.packets.iter().filter(|packet| packet.marker);
    let ms = ends.map(|packet| packet.timestamp.ticks / 90);
    ms.filter(|ms| *ms >= from).collect()
}

#[test]
fn a_still_canvas_is_encoded_until_it_is_seen_well_then_seldom_and_at_once_when_it_changes() {
    for codec in [VideoCodec::Vp8, VideoCodec::H264] {
        let mut bench = Bench::new();
        bench.moves = false;
        let _ = bench.canvas.watch(bench.start, LEG, codec);
        bench.frames(0..5000);
        assert_eq!(bench.counters.canvas_frames, 150, "its clock goes on");
        let settled = encoded_at(&bench, 2000);
        assert!((29..=31).contains(&settled.len()), "{codec:?}: {settled:?}");
        assert!(
            settled.windows(2).all(|pair| (pair[1] - pair[0]).abs_diff(100) <= 1),
            "{codec:?}: {settled:?}"
        );
        // Something changes between two frames: the next one shows it.
        bench.shade = 90;
        bench.frames(5000..6000);
        let after = encoded_at(&bench, 5000);
        assert!(after.first().is_some_and(|ms| *ms <= 5000), "{codec:?}: {after:?}");
        assert!(after.len() >= 6 && after[1] - after[0] <= 34, "and is refined: {codec:?}: {after:?}");
        assert_eq!(bench.counters.key_frames, 1);
        // A canvas that moves is encoded with every frame again.
        bench.moves = true;
        bench.frames(6000..7000);
        assert_eq!(encoded_at(&bench, 6000).len(), 30, "{codec:?}");
    }
}

#[test]
fn who_joins_a_still_canvas_gets_a_picture_with_the_next_frame() {
    for codec in [VideoCodec::Vp8, VideoCodec::H264] {
        let mut bench = Bench::new();
        bench.moves = false;
        let _ = bench.canvas.watch(bench.start, LEG, VideoCodec::Vp8);
        bench.frames(0..5010);
        bench.got.clear();
        assert!(matches!(bench.canvas.watch(bench.at(5010), OTHER, codec), FirstPicture::Coming));
        bench.frames(5010..5044);
        let first = bench.got.iter().find(|(leg, ..)| *leg == OTHER).expect("a picture");
        assert!(first.2 == Gate::Begin && first.3.keyframe, "{codec:?}");
    }
}

#[test]
fn a_picture_that_was_left_out_is_encoded_again() {
    let mut bench = Bench::new();
    bench.moves = false;
    let _ = bench.canvas.watch(bench.start, LEG, VideoCodec::Vp8);
    bench.frames(0..3000);
    let encode = |bench: &mut Bench, ms: u64| {
        let job = bench.tick(bench.at(ms))?;
        let JobDone::Composed { compositor, picture, time, .. } = job.run() else { panic!("a composition") };
        let now = bench.at(ms);
        bench.canvas.on_composed(now, compositor, &picture, time, &mut bench.counters).pop()
    };
    bench.shade = 90;
    for ms in [3000, 3034, 3067] {
        let Some(Job::Encode { encoder, time, .. }) = encode(&mut bench, ms) else {
            panic!("{ms}: not encoded")
        };
        assert!(bench.canvas.on_encoded(bench.at(ms), encoder, time, None, &mut bench.counters).is_none());
    }
    bench.packets.clear();
    bench.frames(3068..3200);
    assert!(encoded_at(&bench, 3068).len() >= 3, "it is, and refined");
}

#[test]
fn a_recorder_gets_every_frame_of_a_still_canvas_too() {
    let mut bench = Bench::new();
    bench.moves = false;
    bench.canvas.record(bench.start, Bitrate::kbps(2000));
    bench.frames(0..5000);
    let got = pictures(&bench);
    assert_eq!(got.len(), 150);
    let keys: Vec<_> = got.iter().filter(|it| it.1).map(|it| it.0 / 10).collect();
    assert_eq!(keys, [0, 200, 400]);
}
