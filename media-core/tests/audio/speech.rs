//! What counts as speech at which sensitivity, and that nothing said is cut off.

use super::world::{Link, Sound, World, between, db, noise, rms, silence, strength, tone, voice};

/// Whether a sound counts as speech, and whether it is heard, in its fifth second.
fn judge(sensitivity: Option<u8>, sound: Sound) -> (bool, bool) {
    let mut world = World::new();
    world.join(1, sound, Link::default());
    world.join(2, silence(), Link::default());
    if let Some(value) = sensitivity {
        world.sensitivity(1, value);
    }
    world.run(5.0);
    let talking = world.talking.last().is_some_and(|(_, _, talking)| *talking);
    (talking, rms(world.sound(2, 4.0, 5.0)) > 1e-4)
}

fn level(db: f64) -> f64 {
    10_f64.powf(db / 20.0)
}

#[test]
fn sensitivity_decides_what_counts_as_speech() {
    let check = |sensitivity: Option<u8>, db: f64, talks: bool, heard: bool| {
        // A tone stands for a voice: its level does not move, and no noise estimate swallows it.
        let found = judge(sensitivity, tone(300.0, level(db) * std::f64::consts::SQRT_2));
        assert_eq!(found, (talks, heard), "{sensitivity:?} at {db} dBFS");
    };
    check(None, -25.0, true, true);
    check(Some(30), -25.0, true, true);
    check(Some(30), -33.0, true, true);
    check(Some(30), -65.0, false, false);
    check(Some(100), -25.0, true, true);
    check(Some(100), -33.0, true, true);
    check(Some(0), -25.0, false, false);
    check(Some(0), -3.0, false, false);
    check(Some(10), -12.0, true, true);
    check(Some(10), -35.0, false, true);
    check(Some(10), -45.0, false, false);
    check(Some(1), -3.0, true, true);
    check(Some(1), -25.0, false, true);
}

#[test]
fn a_whisper_counts_only_for_a_keen_ear() {
    // Half a second of whisper every two seconds, 18 dB over the noise of a quiet room.
    let whisper = || -> Sound {
        let (mut breath, mut room) = (noise(level(-56.0)), noise(level(-74.0)));
        Box::new(move |n| if n % 96_000 < 24_000 { breath(n) } else { room(n) })
    };
    let talks = |value: u8| {
        let mut world = World::new();
        world.join(1, whisper(), Link::default());
        world.sensitivity(1, value);
        world.run(6.0);
        world.talking.iter().filter(|(_, _, talking)| *talking).count()
    };
    assert_eq!([0, 30, 100].map(talks), [0, 0, 3]);
}

#[test]
fn the_noise_of_a_room_is_never_speech() {
    for value in [30, 60, 100] {
        let mut world = World::new();
        world.member(1, noise(level(-52.0)), Link::default());
        world.sensitivity(1, value);
        world.run(20.0);
        let last = world.talking.last().map(|(at, _, talking)| ((*at - world.start).as_secs_f64(), *talking));
        assert!(last.is_none_or(|(at, talking)| !talking && at < 16.0), "{value}: {last:?}");
    }
}

#[test]
fn a_quiet_microphone_made_louder_counts_as_it_is_heard() {
    let talks = |steps: i8| {
        let mut world = World::new();
        world.member(1, tone(300.0, level(-55.0)), Link::default());
        world.input_volume(1, steps);
        world.run(2.0);
        world.talking.len()
    };
    assert_eq!([-20, 0, 20].map(talks), [0, 0, 1]);
    let mut world = World::new();
    world.join(1, tone(300.0, 0.3), Link::default());
    world.input_volume(1, -40);
    world.run(2.0);
    assert_eq!(world.talking.len(), 1, "who is made quieter still speaks");
    world.input_volume(1, -50);
    world.run(2.0);
    assert!(!world.talking.last().unwrap().2, "who is not heard does not");
}

#[test]
fn closing_the_ear_ends_talking_and_opening_it_begins() {
    let mut world = World::new();
    world.join(1, tone(440.0, 0.3), Link::default());
    world.join(2, silence(), Link::default());
    for value in [30, 0, 50] {
        world.sensitivity(1, value);
        world.run(2.0);
    }
    let told: Vec<bool> = world.talking.iter().map(|(_, _, talking)| *talking).collect();
    assert_eq!(told, [true, false, true]);
    assert!(rms(world.sound(2, 2.2, 4.0)) < 1e-3 && strength(world.sound(2, 4.5, 6.0), 440.0) > 0.25);
}

/// Words after five seconds of silence, when the gate has closed, against a source that has none: everything but the
/// first rise out of nothing is there.
#[test]
fn at_the_default_sensitivity_speech_is_never_cut() {
    let words = || -> Sound {
        let (mut said, mut room) = (voice(130.0), noise(level(-75.0)));
        // −27 dBFS in the mean, in words of a second.
        Box::new(move |n| {
            let said = 0.35 * said(n);
            if n % 336_000 < 48_000 { said } else { room(n) }
        })
    };
    let mut gated = World::new();
    gated.join(1, words(), Link::default());
    gated.join(2, silence(), Link::default());
    gated.run(23.0);
    let mut open = World::new();
    open.screen(1, 8, words(), Link::default());
    open.join(2, silence(), Link::default());
    open.run(23.0);
    let (heard, said) = (gated.sound(2, 0.0, 23.0), open.sound(2, 0.0, 23.0));
    let mut compared = 0;
    for (frame, (heard, said)) in heard.chunks_exact(960).zip(said.chunks_exact(960)).enumerate() {
        if rms(said) > level(-48.0) {
            compared += 1;
            let lost = db(rms(said) / rms(heard));
            assert!(lost < 3.0, "frame {frame}: {lost} dB of {} dBFS are gone", db(rms(said)));
        }
    }
    assert!(compared > 120, "{compared}");
}

#[test]
fn the_floor_passes_when_its_holder_has_ended_and_somebody_is_loud_enough() {
    let mut world = World::new();
    world.join(1, between(1.0, 4.0, voice(140.0)), Link::default());
    // Bob falls into her words, and goes on.
    world.join(2, between(3.0, 8.0, voice(110.0)), Link::default());
    // Eve speaks so softly that she talks, but takes the floor from nobody.
    let mut murmur = voice(200.0);
    world.join(3, between(9.0, 14.0, Box::new(move |n| 0.05 * murmur(n))), Link::default());
    world.run(14.0);
    let at = |member: u32| {
        let got = world.floor.iter().find(|(_, who)| who.0 == member);
        got.map(|(at, _)| (*at - world.start).as_secs_f64())
    };
    assert_eq!(world.floor.len(), 2, "{:?}", world.floor);
    assert!((1.0..1.5).contains(&at(1).unwrap()), "{:?}", at(1));
    assert!((4.0..4.8).contains(&at(2).unwrap()), "{:?}", at(2));
    assert!(world.talking.iter().any(|(_, who, talks)| who.0 == 3 && *talks), "Eve talks");
}
