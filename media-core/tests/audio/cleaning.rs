//! What a room may do with microphones, and never does with music.

use bytes::Bytes;
use media_core::mix::audio::AudioInput;
use media_core::units::LegKey;

use super::recorded;
use super::world::{Link, ROOM, Sound, World, click, db, noise, rms, silence, tone, voice};

fn world(automatic_gain: bool, noise_suppression: bool) -> World {
    let mut world = World::new();
    world.input(AudioInput::SetCleaning { room: ROOM, automatic_gain, noise_suppression });
    world
}

fn scaled(by: f32, mut sound: Sound) -> Sound {
    Box::new(move |n| by * sound(n))
}

#[test]
fn a_soft_and_a_loud_voice_become_about_equally_loud() {
    let level = |automatic_gain: bool, by: f32| {
        let mut world = world(automatic_gain, false);
        world.join(1, scaled(by, voice(140.0)), Link::default());
        world.join(2, silence(), Link::default());
        world.run(16.0);
        let sound = world.sound(2, 12.0, 16.0);
        assert!(sound.iter().all(|sample| sample.abs() < 0.99));
        rms(sound)
    };
    let apart = |automatic_gain| db(level(automatic_gain, 2.0) / level(automatic_gain, 0.2));
    let (with, without) = (apart(true), apart(false));
    assert!(without > 15.0, "{without} dB apart");
    assert!(with.abs() < 3.0, "{with} dB apart");
}

#[test]
fn the_gain_is_not_heard_to_move_and_a_pause_stays_quiet() {
    let mut world = world(true, false);
    let (mut said, mut room) = (scaled(0.3, voice(140.0)), noise(0.000_5));
    let speaks = |n: u64| n < 48_000 * 10;
    world.join(1, Box::new(move |n| room(n) + if speaks(n) { said(n) } else { 0.0 }), Link::default());
    world.join(2, silence(), Link::default());
    world.run(12.0);
    assert!(click(world.sound(2, 1.0, 10.0)) < 0.04, "{}", click(world.sound(2, 1.0, 10.0)));
    let pause = rms(world.sound(2, 11.0, 12.0));
    assert!(pause < 0.003, "{pause}");
}

#[test]
fn noise_around_a_voice_is_taken_out_and_the_voice_stays() {
    let hear = |noise_suppression: bool, fan: f64| {
        let mut world = world(false, noise_suppression);
        let text = "Good morning everybody. Let us begin with the numbers of last week.";
        let (mut said, mut fan) = (recorded::from(1.0, recorded::sentence("en", 150, text)), noise(fan));
        world.join(1, Box::new(move |n| said(n) + fan(n)), Link::default());
        world.join(2, silence(), Link::default());
        world.run(9.0);
        let levels: Vec<f64> = world.sound(2, 1.0, 8.0).chunks_exact(960).map(rms).collect();
        let mut sorted = levels.clone();
        sorted.sort_by(f64::total_cmp);
        (sorted[sorted.len() / 10], sorted[sorted.len() * 9 / 10])
    };
    let ((noisy, _), (cleaned, _)) = (hear(false, 0.01), hear(true, 0.01));
    assert!(db(noisy / cleaned) > 12.0, "{noisy} became {cleaned}");
    let ((_, as_it_was), (_, kept)) = (hear(false, 0.000_1), hear(true, 0.000_1));
    assert!(db(kept / as_it_was).abs() < 2.5, "a voice of {as_it_was} became {kept}");
}

#[test]
fn who_is_silent_is_not_cleaned() {
    let mut world = world(true, true);
    for number in 1..=5 {
        world.join(number, noise(0.000_1), Link::default());
        world.announces(number, |level| level);
    }
    world.run(6.0);
    assert_eq!(world.plane.counters().denoised, 0);
    world.join(6, voice(140.0), Link::default());
    world.run(2.0);
    let denoised = world.plane.counters().denoised;
    assert!((80..=100).contains(&denoised), "{denoised} frames: of the one who speaks");
}

/// What a leg gets of soft music, from a screen or from a microphone, in a room that does everything or nothing.
fn music(cleaned: bool, screen: bool) -> Vec<Bytes> {
    let mut world = world(cleaned, cleaned);
    world.join(1, silence(), Link::default());
    let mut chord = [220.0, 277.2, 329.6, 440.0].map(|hz| tone(hz, 0.02));
    let mut hiss = noise(0.002);
    let soft: Sound = Box::new(move |n| {
        let swells = 0.5 - 0.5 * (n as f64 / 48_000.0 * 2.0).cos();
        swells as f32 * chord.iter_mut().map(|tone| tone(n)).sum::<f32>() + hiss(n)
    });
    if screen {
        world.screen(2, 1, soft, Link::default());
    } else {
        world.device(2, 1, soft, Link::default());
    }
    world.listen(9, None);
    world.run(8.0);
    assert!(rms(world.sound(9, 2.0, 8.0)) > 0.001);
    world.heard[&LegKey(9)].payloads.clone()
}

#[test]
fn music_is_neither_gained_nor_gated_nor_freed_of_noise() {
    assert!(music(true, true) == music(false, true), "a screen's sound is the same to the bit");
    assert!(music(true, false) != music(false, false), "a microphone's is not");
}
