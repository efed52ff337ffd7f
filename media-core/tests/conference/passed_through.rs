//! Who fills the canvas is passed on as it comes, and nobody sees where that begins and ends.

use layouts::{LayoutId, Look, Overlays, Size};
use media_core::codec::Rgb;
use media_core::room::{Action, Counters, MemberConfig, RoomConfig};
use media_core::units::Bitrate;
use media_core::units::VideoCodec::{self, H264, Vp8};

use crate::conference::{CANVAS, Conference, alike, person};
use crate::meeting::{BLUE, RED};
use crate::page::Setup;
use crate::sound::tone;

const FPS: u32 = 30;

fn bare() -> Look {
    let overlays = Overlays { name: false, talking: false, hand: false, frozen: false };
    Look { overlays, ..Look::default() }
}

fn camera(codec: VideoCodec) -> Setup {
    // Which second it is can be seen.
    let colour = |at: f64| if (at as u64).is_multiple_of(2) { RED } else { Rgb(40, 170, 60) };
    Setup {
        video: vec![codec],
        fps: FPS,
        size: Box::new(|_| CANVAS),
        camera: Box::new(colour),
        microphone: tone(440.0, 0.2),
        ..Setup::default()
    }
}

/// Ann is alone on the canvas; two of the audience watch her.
fn solo(codec: VideoCodec, setup: Setup) -> (Conference, [usize; 3]) {
    let layout = LayoutId::by_name("full-screen").unwrap();
    let mut it = Conference::with(5, RoomConfig { canvas: CANVAS, fps: FPS, layout });
    it.act(Action::SetLook { look: bare() });
    let ann = it.join(setup);
    let viewers = [0, 1].map(|_| {
        let setup = Setup { video: vec![codec], direction: "recvonly", ..Setup::default() };
        it.join_as(MemberConfig { audience: true, ..person() }, setup)
    });
    it.run_until(3.0, |it| it.pages.iter().all(|member| member.page.is_connected()));
    (it, [ann, viewers[0], viewers[1]])
}

/// What was drawn, decoded and encoded since.
fn work(before: &Counters, after: &Counters) -> [u64; 3] {
    [
        after.canvas_frames - before.canvas_frames,
        after.decoded - before.decoded,
        after.encoded - before.encoded,
    ]
}

/// What a viewer has seen from one place in its list on: times between pictures by their timestamps and by when they came,
/// the longest of each, in pictures.
fn longest_gaps(it: &Conference, viewer: usize, from: usize) -> [f64; 2] {
    let seen = &it.pages[viewer].page.seen[from..];
    let longest = |gaps: Vec<f64>| gaps.into_iter().fold(0.0, f64::max) * f64::from(FPS);
    let by_time = |pair: &[crate::page::Seen]| {
        let ticks = pair[1].timestamp.wrapping_sub(pair[0].timestamp).cast_signed();
        assert!(ticks > 0, "time goes on");
        f64::from(ticks) / 90_000.0
    };
    let by_arrival = |pair: &[crate::page::Seen]| (pair[1].at - pair[0].at).as_secs_f64();
    [longest(seen.windows(2).map(by_time).collect()), longest(seen.windows(2).map(by_arrival).collect())]
}

fn is_unharmed(it: &Conference, viewer: usize) {
    let noticed = &it.pages[viewer].page.noticed;
    assert_eq!(noticed.nacked, 0, "numbers have no gap");
}

#[test]
fn one_member_alone_costs_no_codec_work_and_nobody_sees_it() {
    for codec in [H264, Vp8] {
        let (mut it, [ann, viewer, other]) = solo(codec, camera(codec));
        it.run(1.0);
        let from = it.pages[viewer].page.seen.len();
        assert!(from > 0 && it.counters().canvas_frames > 0, "{codec:?}: it begins with the canvas");
        it.run(8.0);
        let before = it.counters();
        it.run(3.0);
        assert_eq!(work(&before, &it.counters()), [0; 3], "{codec:?}");
        for viewer in [viewer, other] {
            let [by_time, by_arrival] = longest_gaps(&it, viewer, from);
            assert!(by_time < 2.1, "{codec:?}: {by_time} pictures");
            assert!(by_arrival < 6.0, "{codec:?}: {by_arrival} pictures");
            is_unharmed(&it, viewer);
            let colour = it.sees(viewer, ann);
            assert!(alike(colour, RED) || alike(colour, Rgb(40, 170, 60)), "{codec:?}: {colour:?}");
        }
        // She sees herself as the others do.
        assert!(longest_gaps(&it, ann, from)[0] < 2.1);
    }
}

#[test]
fn when_somebody_comes_the_canvas_is_there_without_a_pause() {
    let (mut it, [ann, viewer, _]) = solo(Vp8, camera(Vp8));
    it.run(9.0);
    let from = it.pages[viewer].page.seen.len();
    it.act(Action::SetLayout { layout: LayoutId::GRID_RESPONSIVE, positions: Vec::new() });
    let bob = it.join(Setup { video: vec![Vp8], camera: Box::new(|_| BLUE), ..Setup::default() });
    it.run(3.0);
    assert!(alike(it.sees(viewer, bob), BLUE), "{:?}", it.sees(viewer, bob));
    assert!(!alike(it.sees(viewer, ann), BLUE));
    let [by_time, by_arrival] = longest_gaps(&it, viewer, from);
    assert!(by_time < 2.1, "{by_time} pictures");
    assert!(by_arrival < 8.0, "{by_arrival} pictures");
    is_unharmed(&it, viewer);
    let before = it.counters();
    it.run(1.0);
    assert!(work(&before, &it.counters())[0] >= 29, "it is drawn again");
}

#[test]
fn a_muted_camera_ends_at_once() {
    let (mut it, [ann, viewer, _]) = solo(H264, camera(H264));
    it.run(9.0);
    let key = it.pages[ann].key;
    it.act(Action::SetVideoMuted { member: key, muted: true });
    it.run(0.1);
    it.run_until(1.0, |it| {
        let colour = it.sees(viewer, ann);
        !alike(colour, RED) && !alike(colour, Rgb(40, 170, 60))
    });
    is_unharmed(&it, viewer);
    it.act(Action::SetVideoMuted { member: key, muted: false });
    it.run(9.0);
    let before = it.counters();
    it.run(1.0);
    assert_eq!(work(&before, &it.counters()), [0; 3], "and is passed on again");
}

#[test]
fn another_size_is_drawn_and_the_old_picture_stays_until_then() {
    let small = Size { width: 160, height: 90 };
    let size = move |at: f64| if at < 9.0 { CANVAS } else { small };
    let (mut it, [_, viewer, _]) = solo(Vp8, Setup { size: Box::new(size), ..camera(Vp8) });
    it.run(8.5);
    let from = it.pages[viewer].page.seen.len();
    let before = it.counters();
    it.run(0.2);
    assert_eq!(work(&before, &it.counters())[0], 0);
    it.run(3.0);
    assert!(it.pages[viewer].page.seen[from..].iter().all(|seen| seen.size() == CANVAS));
    let [by_time, _] = longest_gaps(&it, viewer, from);
    assert!(by_time < 20.0, "{by_time} pictures");
    let before = it.counters();
    it.run(1.0);
    assert!(work(&before, &it.counters())[0] >= 29, "it is drawn");
}

#[test]
fn a_recorder_reads_the_encoder_all_the_same() {
    let (mut it, [_, viewer, _]) = solo(H264, camera(H264));
    it.act(Action::StartRecording { least: Bitrate::kbps(500) });
    it.run(9.0);
    let (before, from) = (it.counters(), it.pages[viewer].page.seen.len());
    it.run(1.0);
    let [drawn, decoded, encoded] = work(&before, &it.counters());
    assert!(drawn >= 29 && decoded >= 28 && encoded >= 29, "{drawn} {decoded} {encoded}");
    it.act(Action::StopRecording);
    it.run(4.0);
    assert!(longest_gaps(&it, viewer, from)[0] < 2.1);
    let before = it.counters();
    it.run(1.0);
    assert_eq!(work(&before, &it.counters()), [0; 3]);
}

#[test]
fn what_is_drawn_over_the_picture_keeps_it_on_the_canvas() {
    let (mut it, _) = solo(H264, camera(H264));
    it.act(Action::SetLook { look: Look::default() });
    it.run(8.0);
    let before = it.counters();
    it.run(1.0);
    assert!(work(&before, &it.counters())[0] >= 29, "the name is on it");
}
