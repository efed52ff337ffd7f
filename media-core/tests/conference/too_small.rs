//! A hundred members in one room, and machines that are too small for it: what is left out, in which order, and that it
//! comes back. Values stand for pictures, and jobs take as long as pictures would.

use std::time::Duration;

use layouts::LayoutId;
use media_core::room::{Action, Job, JobClass, MemberConfig, RoomConfig, Shed};
use media_core::units::VideoCodec::Vp8;

use crate::conference::{CANVAS, Conference, person};
use crate::page::Setup;
use crate::values::{Values, shown};
use media_core::mix::video::Content;

const FPS: u32 = 15;
const US: Duration = Duration::from_micros(1);

/// So many members with cameras, in a grid of a hundred; they are silent.
fn hall(members: u32) -> Conference {
    let layout = LayoutId::by_name("10x10").unwrap();
    let mut it = Conference::with(1, RoomConfig { canvas: CANVAS, fps: 2 * FPS, layout });
    it.values = Some(Values::default());
    for number in 1..=members {
        let setup = Setup {
            video: vec![Vp8],
            fps: FPS,
            value: Some(number),
            quiet: true,
            listens: false,
            ..Setup::default()
        };
        it.join_as(MemberConfig { name: number.to_string().into(), ..person() }, setup);
        // No two cameras tick together.
        it.run(0.0037);
    }
    it.run_until(5.0, |it| it.pages.iter().all(|member| member.page.is_connected()));
    it
}

/// What decoding, composing and encoding take, in microseconds.
fn costs(it: &mut Conference, decode: u32, compose: u32, encode: u32) {
    it.codec_jobs_cost(Box::new(move |job| match job {
        Job::Decode { .. } => US * decode,
        Job::Compose { .. } => US * compose,
        Job::Encode { .. } if job.class() == JobClass::Small => US * (encode / 4),
        Job::Encode { .. } => US * encode,
        Job::Preview { .. } => US * 2000,
    }));
}

/// How many pictures are in the scene drawn last, each in a place of its own.
fn pictured(it: &Conference) -> usize {
    let scene = it.values.as_ref().unwrap().scenes.last().unwrap();
    let mut whose: Vec<u32> = scene
        .layers
        .iter()
        .filter_map(|layer| match &layer.content {
            Content::Picture { picture, .. } => Some(shown(picture).0),
            Content::MuteImage { .. } | Content::Avatar { .. } | Content::Still { .. } | Content::Empty => {
                None
            }
        })
        .collect();
    whose.sort_unstable();
    whose.dedup();
    whose.len()
}

#[test]
fn a_hundred_members_are_all_seen() {
    let mut it = hall(100);
    // As measured: 1500 cameras' pictures a second are a third of two workers' time.
    costs(&mut it, 400, 9000, 8000);
    it.run(2.0);
    assert_eq!(pictured(&it), 100);
    let before = it.pages[0].page.seen.len();
    it.run(2.0);
    let seen = it.pages[0].page.seen.len() - before;
    assert!((58..=61).contains(&seen), "{seen} pictures of 60");
    assert_eq!(it.codec_load().shed, Shed::Nothing);
}

#[test]
fn a_machine_that_is_too_small_leaves_out_what_it_says_and_takes_it_back() {
    let mut it = hall(40);
    costs(&mut it, 500, 6000, 6000);
    it.run(2.0);
    assert_eq!(it.codec_load().shed, Shed::Nothing);
    // 600 pictures of cameras a second take 1.3 of the two seconds that two workers have, the canvas at its full rate as much.
    costs(&mut it, 2200, 20_000, 22_000);
    let mut levels = vec![Shed::Nothing];
    for _ in 0..200 {
        it.run(0.05);
        let shed = it.codec_load().shed;
        if levels.last() != Some(&shed) {
            levels.push(shed);
        }
    }
    assert_eq!(levels, Shed::ALL[..4], "half the rate is enough");
    assert_eq!(pictured(&it), 40);
    let (before, counted) = (it.pages[0].page.seen.len(), it.counters());
    it.run(2.0);
    let seen = it.pages[0].page.seen.len() - before;
    assert!((27..=31).contains(&seen), "{seen} pictures of 30");
    assert!(it.counters().shed_frames - counted.shed_frames >= 28);
    assert!(it.counters().canvas_frames_late - counted.canvas_frames_late <= 3, "none is late any more");
    // A newcomer has its key frame at once.
    let newcomer = it.join(Setup { video: vec![Vp8], value: Some(99), quiet: true, ..Setup::default() });
    let took = it.run_until(2.0, |it| !it.pages[newcomer].page.seen.is_empty());
    assert!(took < Duration::from_millis(700), "{took:?}");
    // The load has gone.
    costs(&mut it, 500, 6000, 6000);
    it.run(12.0);
    assert_eq!(it.codec_load().shed, Shed::Nothing);
    let before = it.pages[0].page.seen.len();
    it.run(1.0);
    assert!(it.pages[0].page.seen.len() - before >= 29);
}

#[test]
fn a_camera_that_takes_for_ever_to_decode_holds_up_nobody_else() {
    let mut it = hall(9);
    it.codec_jobs_cost(Box::new(|job| match job {
        Job::Decode { frame, .. } if frame.data.ends_with(&9_u32.to_be_bytes()) => Duration::from_secs(4),
        Job::Decode { .. } => US * 500,
        Job::Compose { .. } | Job::Encode { .. } | Job::Preview { .. } => US * 5000,
    }));
    it.run(2.0);
    let before = it.pages[0].page.seen.len();
    it.run(8.0);
    let seen = it.pages[0].page.seen.len() - before;
    assert!((236..=241).contains(&seen), "{seen} pictures of 240");
    let scene = it.values.as_ref().unwrap().scenes.last().unwrap();
    let now = ((it.seconds() - 0.0037 * 8.0) * f64::from(FPS)) as u64 as u8;
    for layer in &scene.layers {
        let Content::Picture { picture, .. } = &layer.content else { continue };
        let (whose, frame) = shown(picture);
        assert!(
            whose == 9 || now.wrapping_sub(frame).wrapping_add(1) <= 5,
            "the picture of {whose} is {} old",
            now - frame
        );
    }
    it.act(Action::SetLayout { layout: LayoutId::GRID_RESPONSIVE, positions: Vec::new() });
    it.run(1.0);
    assert!(it.pages[1].page.seen.len() > seen);
}
