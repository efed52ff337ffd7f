//! The tones of coming and leaving, as they are heard.

use media_core::mix::audio::{AudioInput, Tone};

use super::world::{Link, ROOM, World, click, db, rms, silence, strength, tone};

fn play(world: &mut World, tone: Tone) {
    world.input(AudioInput::PlayTone { room: ROOM, tone });
}

/// Seconds in which a leg heard something.
fn sounding(world: &World, leg: u32, to: f64) -> f64 {
    let loud = world.sound(leg, 0.0, to).chunks_exact(240).filter(|piece| rms(piece) > 0.0005).count();
    loud as f64 * 0.005
}

#[test]
fn a_tone_is_short_quiet_and_rises_or_falls() {
    for (which, first, second) in [(Tone::Entry, 587.33, 880.0), (Tone::Exit, 880.0, 587.33)] {
        let mut world = World::new();
        world.join(1, silence(), Link::default());
        world.run(1.0);
        play(&mut world, which);
        world.run(1.0);
        let sound = world.sound(1, 0.0, 2.0);
        let peak = sound.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        assert!((-21.5..=-19.0).contains(&db(f64::from(peak))), "{which:?}: {} dBFS", db(f64::from(peak)));
        assert!(
            (0.25..=0.5).contains(&sounding(&world, 1, 2.0)),
            "{which:?} for {} s",
            sounding(&world, 1, 2.0)
        );
        let (one, two) = (world.sound(1, 1.03, 1.18), world.sound(1, 1.24, 1.38));
        assert!(strength(one, first) > 5.0 * strength(one, second), "{which:?}");
        assert!(strength(two, second) > 5.0 * strength(two, first), "{which:?}");
        // A sine of 1.76 kHz, its octave, at this level moves so much.
        assert!(click(sound) < 0.005, "{}", click(sound));
    }
}

#[test]
fn all_hear_it_but_the_deaf() {
    let mut world = World::new();
    world.join(1, tone(300.0, 0.2), Link::default());
    world.join(2, silence(), Link::default());
    world.join(3, silence(), Link::default());
    world.listen(9, None);
    world.deafen(3, true);
    world.run(4.0);
    play(&mut world, Tone::Entry);
    world.run(1.0);
    for leg in [1, 2, 9] {
        assert!(strength(world.sound(leg, 4.02, 4.2), 587.33) > 0.02, "leg {leg}");
    }
    assert!(rms(world.sound(3, 0.0, 5.0)) < 1e-4);
}

#[test]
fn twenty_who_come_at_once_sound_like_one() {
    let mut world = World::new();
    world.join(1, silence(), Link::default());
    for _ in 0..20 {
        play(&mut world, Tone::Entry);
        world.run(0.01);
    }
    world.run(2.8);
    assert!((0.25..=0.5).contains(&sounding(&world, 1, 3.0)), "{} s", sounding(&world, 1, 3.0));
    let peak = world.sound(1, 0.0, 3.0).iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
    assert!(peak < 0.12);
}

#[test]
fn nobody_who_comes_later_hears_it() {
    let mut world = World::new();
    world.run(0.5);
    play(&mut world, Tone::Entry);
    world.run(0.5);
    world.join(1, silence(), Link::default());
    world.run(1.0);
    assert!(rms(world.sound(1, 0.0, 1.0)) < 1e-4);
}
