//! How loud who hears whom, by what is measured at the listeners.

use media_core::mix::audio::{AudioInput, SoundKind};
use media_core::units::{LegKey, MemberKey};

use super::world::{Link, ROOM, World, between, click, db, noise, rms, silence, strength, tone, voice};

/// Checks that each of these steps makes a tone so many decibels louder at a listener.
fn check_steps(amplitude: f64, steps: &[i8], change: impl Fn(&mut World, i8)) {
    let heard = |steps: i8| {
        let mut world = World::new();
        world.join(1, tone(440.0, amplitude), Link::default());
        world.join(2, silence(), Link::default());
        world.run(0.5);
        change(&mut world, steps);
        world.run(1.0);
        strength(world.sound(2, 1.0, 1.5), 440.0)
    };
    let unchanged = heard(0);
    for steps in steps {
        let found = db(heard(*steps) / unchanged);
        assert!((found - f64::from(*steps)).abs() < 0.5, "{steps}: {found} dB");
    }
}

#[test]
fn a_step_of_input_volume_is_a_decibel_at_the_listener() {
    let change = |world: &mut World, steps| world.input_volume(1, steps);
    check_steps(0.3, &[-40, -30, -20, -10, -6, -3, -1, 0], change);
    check_steps(0.01, &[1, 3, 6, 10, 20, 30], change);
}

#[test]
fn a_step_of_output_volume_is_a_decibel_for_that_listener() {
    let change = |world: &mut World, steps| world.output_volume(2, steps);
    check_steps(0.3, &[-40, -30, -20, -10, -6, -3, -1, 0], change);
    check_steps(0.01, &[1, 3, 6, 10, 20, 30], change);
}

#[test]
fn the_lowest_volume_is_silence() {
    let check = |name: &str, change: &dyn Fn(&mut World)| {
        let mut world = World::new();
        world.join(1, tone(440.0, 0.5), Link::default());
        world.join(2, silence(), Link::default());
        world.run(1.0);
        change(&mut world);
        world.run(2.0);
        assert!(rms(world.sound(2, 1.2, 3.0)) < 1e-4, "{name}");
        assert!(click(world.sound(2, 0.5, 3.0)) < 1.5 * click(world.sound(2, 0.5, 1.0)), "{name}");
    };
    check("input", &|world| world.input_volume(1, -50));
    check("output", &|world| world.output_volume(2, -50));
}

#[test]
fn volume_0_is_no_change_bit_for_bit() {
    let payloads = |volumes: bool| {
        let mut world = World::new();
        world.join(1, voice(140.0), Link::default());
        world.join(2, silence(), Link::default());
        if volumes {
            world.input_volume(1, 0);
            world.output_volume(2, 0);
        }
        world.run(2.0);
        world.heard.remove(&LegKey(2)).unwrap().payloads
    };
    assert_eq!(payloads(true), payloads(false));
}

/// Whoever speaks at +50 is held within full scale before it is added: nobody else becomes quieter.
#[test]
fn a_member_made_far_too_loud_is_limited_alone() {
    let heard = |steps: i8| {
        let mut world = World::new();
        world.member(1, tone(440.0, 0.3), Link::default());
        world.member(3, tone(1000.0, 0.05), Link::default());
        world.input_volume(1, steps);
        world.listen(9, None);
        world.run(3.0);
        let sound = world.sound(9, 1.0, 3.0);
        assert!(sound.iter().all(|sample| sample.abs() < 1.1));
        (strength(sound, 440.0), strength(sound, 1000.0), rms(sound))
    };
    let (_, other, _) = heard(0);
    let (loud, same, all) = heard(50);
    assert!((0.65..0.85).contains(&loud), "{loud}");
    assert!(db(same / other).abs() < 1.0, "the other by {} dB", db(same / other));
    let rest = all.powi(2) - (loud.powi(2) + same.powi(2)) / 2.0;
    assert!(rest < 0.02 * all.powi(2), "distortion {rest} of {}", all.powi(2));
}

#[test]
fn changes_of_volume_do_not_click() {
    let check = |name: &str, change: &dyn Fn(&mut World, i8)| {
        let mut world = World::new();
        world.join(1, tone(440.0, 0.3), Link::default());
        world.join(2, silence(), Link::default());
        world.join(3, silence(), Link::default());
        world.run(1.0);
        // A slider that is dragged: faster than a change is over, and from end to end.
        for steps in (0..25).map(|n| -2 * n).chain((0..25).map(|n| 2 * n - 48)).chain([-50, 0, -20, 6, 0]) {
            change(&mut world, steps);
            world.run(0.04);
        }
        world.run(2.0);
        let steady = click(world.sound(2, 0.5, 1.0)) * 2.0;
        assert!(
            click(world.sound(2, 0.5, 5.0)) < 1.5 * steady,
            "{name}: {}",
            click(world.sound(2, 0.5, 5.0))
        );
        let level = db(strength(world.sound(2, 4.5, 5.0), 440.0) / 0.3);
        assert!(level.abs() < 1.0, "{name}: back at {level} dB");
    };
    check("input", &|world, steps| world.input_volume(1, steps));
    check("output", &|world, steps| world.output_volume(2, steps));
}

/// Loud, limited sound of a listener who turns down must not stay quiet, nor jump when it comes back to the others.
#[test]
fn who_comes_back_from_too_loud_hears_what_the_others_hear() {
    let mut world = World::new();
    world.join(1, tone(440.0, 0.3), Link::default());
    world.join(2, silence(), Link::default());
    world.join(3, silence(), Link::default());
    world.output_volume(2, 30);
    world.run(2.0);
    world.output_volume(2, 0);
    world.run(2.0);
    let levels: Vec<f64> = world.sound(2, 2.05, 4.0).chunks_exact(960).map(rms).collect();
    let others = rms(world.sound(3, 2.1, 4.0));
    for (frame, level) in levels.iter().enumerate() {
        assert!(db(level / others).abs() < 1.5, "frame {frame}: {} dB", db(level / others));
    }
}

#[test]
fn an_output_volume_changes_nothing_for_the_others() {
    let payloads = |steps: Option<i8>| {
        let mut world = World::new();
        world.join(1, voice(140.0), Link::default());
        world.join(2, silence(), Link::default());
        world.join(3, silence(), Link::default());
        world.run(1.0);
        if let Some(steps) = steps {
            world.output_volume(2, steps);
        }
        world.run(3.0);
        [1, 3].map(|leg| world.heard.remove(&LegKey(leg)).unwrap().payloads)
    };
    let unchanged = payloads(None);
    for steps in [-50, -20, 20] {
        assert_eq!(payloads(Some(steps)), unchanged, "{steps}");
    }
}

#[test]
fn equal_volumes_share_an_encode_and_0_is_the_mix_of_all() {
    let mut world = World::new();
    world.member(1, tone(440.0, 0.3), Link::default());
    for leg in 2..=30 {
        world.listen(leg, Some(leg));
        world.input(AudioInput::AddMember {
            room: ROOM,
            member: MemberKey(leg),
            parent: None,
            sound: SoundKind::Voice,
            muted: true,
        });
    }
    world.run(4.0);
    assert_eq!(world.encodes_in_a_second(), 50);
    for number in 2..=16 {
        world.output_volume(number, -10);
    }
    world.run(0.5);
    assert_eq!(world.encodes_in_a_second(), 100, "one at −10 for fifteen");
    world.output_volume(2, -20);
    world.run(0.5);
    assert_eq!(world.encodes_in_a_second(), 150);
    for number in 2..=16 {
        world.output_volume(number, 0);
    }
    world.run(0.5);
    assert_eq!(world.encodes_in_a_second(), 50, "all are back");
}

/// Leg 2 turns down and up again while somebody speaks on; the way back is a frame without prediction, not a seam.
#[test]
fn coming_back_to_the_mix_of_all_is_not_heard() {
    let mut world = World::new();
    world.join(1, tone(440.0, 0.3), Link::default());
    world.join(2, silence(), Link::default());
    world.join(3, silence(), Link::default());
    for _ in 0..5 {
        world.run(1.0);
        world.output_volume(2, -6);
        world.run(1.0);
        world.output_volume(2, 0);
    }
    world.run(1.0);
    let steady = click(world.sound(3, 0.5, 0.9));
    for leg in [2, 3] {
        let found = click(world.sound(leg, 0.5, 11.0));
        assert!(found < 1.5 * steady, "leg {leg}: second difference {found} against {steady}");
    }
    let levels: Vec<f64> = world.sound(3, 0.5, 11.0).chunks_exact(960).map(rms).collect();
    let (least, most) =
        levels.iter().fold((1.0, 0.0), |(a, b): (f64, f64), level| (a.min(*level), b.max(*level)));
    assert!(db(most / least) < 1.5, "who stays: level between {least} and {most}");
}

#[test]
fn a_change_in_silence_is_there_when_somebody_speaks() {
    let mut world = World::new();
    world.join(1, between(3.0, 6.0, tone(440.0, 0.3)), Link::default());
    world.join(2, silence(), Link::default());
    world.run(1.0);
    world.output_volume(2, -30);
    world.run(4.0);
    let loudest = world.sound(2, 0.0, 5.0).iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
    assert!(db(f64::from(loudest) / 0.3) < -28.0, "{} dB", db(f64::from(loudest) / 0.3));
}

#[test]
fn the_deaf_hear_silence_without_a_gap_and_cost_nothing() {
    let mut world = World::new();
    world.join(1, voice(140.0), Link::default());
    for number in 2..=8 {
        world.join(number, silence(), Link::default());
    }
    world.run(2.0);
    let steady = click(world.sound(2, 0.5, 2.0));
    for number in 2..=8 {
        world.deafen(number, true);
    }
    world.run(2.0);
    assert_eq!(world.encodes_in_a_second(), 0, "nobody is left who hears, the speaker hears silence");
    assert!(rms(world.sound(2, 2.2, 5.0)) < 1e-4);
    world.deafen(2, false);
    world.run(2.0);
    assert!(rms(world.sound(2, 5.1, 7.0)) > 0.02, "and hears again");
    assert!(rms(world.sound(3, 2.2, 7.0)) < 1e-4, "the others do not");
    assert!(click(world.sound(2, 0.5, 7.0)) < 1.5 * steady);
    for leg in 1..=8 {
        let heard = &world.heard[&LegKey(leg)];
        assert!(heard.times.len() >= 350, "leg {leg}");
        assert!(heard.times.windows(2).all(|pair| (pair[1] - pair[0]).as_millis() == 20));
        assert!(heard.payloads.iter().all(|payload| payload.len() > 2), "DTX would look like a lost network");
    }
}

#[test]
fn who_joins_deaf_or_turned_down_is_so_from_the_first_packet() {
    let mut world = World::new();
    world.join(1, tone(440.0, 0.3), Link::default());
    world.member(2, silence(), Link::default());
    world.member(3, silence(), Link::default());
    world.run(1.0);
    world.deafen(2, true);
    world.output_volume(3, -20);
    world.listen(2, Some(2));
    world.listen(3, Some(3));
    world.run(1.0);
    assert!(rms(world.sound(2, 0.0, 1.0)) < 1e-4);
    let loudest = world.sound(3, 0.0, 1.0).iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
    assert!((-21.0..-17.0).contains(&db(f64::from(loudest) / 0.3)), "{loudest}");
}

#[test]
fn a_shared_tab_is_heard_as_it_is_by_all_but_its_sharer() {
    let mut world = World::new();
    world.join(1, tone(440.0, 0.2), Link::default());
    world.join(2, tone(1000.0, 0.2), Link::default());
    // Quieter than any voice that passes the gate of a microphone.
    world.screen(5, 1, tone(1500.0, 0.0005), Link::default());
    world.listen(9, None);
    world.run(5.0);
    for leg in [2, 9] {
        let level = db(strength(world.sound(leg, 1.0, 5.0), 1500.0) / 0.0005);
        assert!(level.abs() < 3.0, "leg {leg} hears the tab at {level} dB");
    }
    let own = world.sound(1, 1.0, 5.0);
    assert!(strength(own, 1500.0) < 0.0001 && strength(own, 440.0) < 0.002);
    assert!(strength(own, 1000.0) > 0.15);
    assert!(world.talking.iter().all(|(_, member, _)| *member != MemberKey(5)), "music is not speech");
}

#[test]
fn a_family_that_sounds_alone_hears_exactly_nothing() {
    let mut world = World::new();
    world.join(1, voice(140.0), Link::default());
    world.screen(5, 1, noise(0.05), Link::default());
    world.device(6, 1, tone(700.0, 0.1), Link::default());
    world.run(2.0);
    assert_eq!(world.encodes_in_a_second(), 0, "its mix is silent to the last bit");
    assert!(rms(world.sound(1, 0.0, 3.0)) < 1e-4);
}
