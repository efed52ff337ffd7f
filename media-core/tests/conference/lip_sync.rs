//! What happens together at a member is seen and heard together by the others.

use std::time::Duration;

use layouts::LayoutId;
use media_core::room::RoomConfig;

use crate::conference::{CANVAS, Conference, alike};
use crate::meeting::{BLUE, RED, page};
use crate::page::Setup;
use crate::sim::link::Impairment;
use crate::sound::{rms, tone};

/// Sound and picture of a member change together, every 0.7 s of its clock.
fn is_on(at: f64) -> bool {
    (at / 0.7) as u64 % 2 == 1
}

fn marked(setup: Setup) -> Setup {
    let mut sound = tone(1000.0, 0.3);
    Setup {
        camera: Box::new(|at| if is_on(at + 1e-6) { RED } else { BLUE }),
        microphone: Box::new(move |n| if is_on(n as f64 / 48_000.0) { sound(n) } else { 0.0 }),
        fps: 30,
        ..setup
    }
}

/// Moments at which something changed, and to what.
fn changes(states: impl Iterator<Item = (f64, bool)>) -> Vec<(f64, bool)> {
    let mut changes = Vec::new();
    let mut last = None;
    for (at, state) in states {
        if last.is_some_and(|last| last != state) {
            changes.push((at, state));
        }
        last = Some(state);
    }
    changes
}

/// How much later than its sound each change of the picture is seen, by our sender reports; milliseconds.
fn skews(it: &Conference, viewer: usize, member: usize, from: f64) -> Vec<f64> {
    let (x, y) = it.centre_of(member);
    let page = &it.pages[viewer].page;
    let pictures =
        page.seen.iter().map(|seen| (it.drawn_at(viewer, seen.timestamp), alike(seen.colour(x, y), RED)));
    let pieces = page.heard(it.origin()).flat_map(|(at, pcm)| {
        let pieces = pcm.chunks_exact(120).enumerate();
        pieces.map(move |(n, piece)| (at + n as f64 * 0.0025, rms(piece) > 0.05)).collect::<Vec<_>>()
    });
    let sounds = changes(pieces);
    // What was seen last is not heard yet.
    let to = it.seconds() - 1.0;
    let seen = changes(pictures).into_iter().filter(|(at, _)| (from..to).contains(at));
    seen.filter_map(|(at, on)| {
        let near = sounds.iter().filter(|(_, to)| *to == on).map(|(heard, _)| (at - heard) * 1000.0);
        near.min_by(|a, b| a.abs().total_cmp(&b.abs()))
    })
    .collect()
}

fn conference(seed: u64, setup: Setup) -> (Conference, usize, usize) {
    let mut it =
        Conference::with(seed, RoomConfig { canvas: CANVAS, fps: 30, layout: LayoutId::GRID_RESPONSIVE });
    it.link.impairment = Impairment {
        delay: Duration::from_millis(20),
        jitter: Duration::from_millis(80),
        ..Impairment::LOOPBACK
    };
    let ann = it.join(marked(setup));
    let bob = it.join(Setup { microphone: crate::sound::silence(), ..page(BLUE, 0.0) });
    it.run_until(5.0, |it| it.pages.iter().all(|member| member.page.is_connected()));
    (it, ann, bob)
}

fn check(case: &str, skews: &[f64], at_least: usize) {
    assert!(skews.len() >= at_least, "{case}: {skews:?}");
    assert!(skews.iter().all(|skew| skew.abs() <= 40.0), "{case}: {skews:.0?}");
}

#[test]
fn lips_fit_the_voice_through_jitter() {
    for (seed, bundled, audio_timestamp) in [(1, true, None), (2, false, Some(u32::MAX - 100_000))] {
        let (mut it, ann, bob) = conference(seed, Setup { bundled, audio_timestamp, ..Setup::default() });
        it.run(10.0);
        check(&format!("seed {seed}"), &skews(&it, bob, ann, 4.0), 8);
    }
}

#[test]
fn lips_fit_the_voice_of_a_clock_that_drifts() {
    // For hours of it see `media-core/src/room/lip_sync_tests.rs`.
    for ppm in [100, -100] {
        let (mut it, ann, bob) = conference(3, Setup { clock_ppm: ppm, ..Setup::default() });
        it.run(60.0);
        check(&format!("{ppm} ppm"), &skews(&it, bob, ann, 4.0), 75);
    }
}

#[test]
fn lips_fit_the_voice_with_slow_codecs() {
    let (mut it, ann, bob) = conference(4, Setup::default());
    it.codec_jobs_take(Duration::from_millis(12));
    it.run(10.0);
    check("jobs of 12 ms", &skews(&it, bob, ann, 4.0), 8);
}

/// How long after it was taken a picture is drawn on the canvas, for each change; milliseconds.
fn delays(it: &Conference, viewer: usize, member: usize) -> Vec<f64> {
    let (x, y) = it.centre_of(member);
    let seen = it.pages[viewer].page.seen.iter();
    let seen = seen.map(|seen| (it.drawn_at(viewer, seen.timestamp), alike(seen.colour(x, y), RED)));
    changes(seen).iter().map(|(at, _)| at % 0.7 * 1000.0).collect()
}

#[test]
fn a_picture_waits_no_longer_than_the_sound_does() {
    let (mut it, ann, bob) = conference(5, Setup::default());
    it.run(8.0);
    // 20 to 100 ms on the way, and a buffer that outlasts the jitter.
    let jittered = delays(&it, bob, ann);
    assert!(jittered.iter().all(|delay| *delay < 180.0), "{jittered:.0?}");

    it.link.impairment.jitter = Duration::ZERO;
    it.run(12.0);
    let before = jittered.len();
    it.run(6.0);
    // 20 ms on the way, 20 ms of sound in a packet, 10 ms to spare, and up to a tick of sound and a frame.
    let calm: Vec<f64> = delays(&it, bob, ann).split_off(before + 16);
    assert!(calm.len() >= 7 && calm.iter().all(|delay| *delay < 105.0), "{calm:.0?}");
}
