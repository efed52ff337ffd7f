//! Members who announce that they are silent cost no decode, and lose nothing of what they say.

use super::recorded;
use super::world::{Link, Sound, World, noise, rms, silence};

fn honest(level: u8) -> u8 {
    level
}

fn decodes_in(world: &mut World, seconds: f64) -> u64 {
    let before = world.plane.counters().decodes;
    world.run(seconds);
    world.plane.counters().decodes - before
}

#[test]
fn who_is_silent_is_hardly_decoded() {
    let mut world = World::new();
    for number in 1..=10 {
        world.join(number, noise(0.0001), Link::default());
        world.announces(number, honest);
    }
    world.run(5.0);
    let found = decodes_in(&mut world, 10.0);
    assert!(found < 10 * 500 / 15, "{found} of 5000 packets");
    // They say no word of how loud they are: all must be listened to.
    let mut world = World::new();
    (1..=10).for_each(|number| world.join(number, noise(0.0001), Link::default()));
    world.run(5.0);
    assert!(decodes_in(&mut world, 2.0) >= 990);
}

/// The same sentence after seven seconds of silence from one who is decoded all the time and from one who is not.
#[test]
fn the_first_syllable_is_heard_whole() {
    let links = [Link::default(), Link { jitter_ms: 40.0, ..Link::default() }];
    for link in links {
        for text in ["Ten pictures, please.", "Pat can type.", "Hello there.", "Some silly seashells."] {
            let said = || -> Sound {
                let (mut said, mut room) =
                    (recorded::from(7.0, recorded::sentence("en", 150, text)), noise(0.0001));
                Box::new(move |n| said(n) + room(n))
            };
            let hear = |dozes: bool| {
                let mut world = World::new();
                world.join(1, said(), link.clone());
                world.join(2, silence(), Link::default());
                if dozes {
                    world.announces(1, honest);
                }
                world.run(6.5);
                let before = world.plane.counters().decodes;
                world.run(3.0);
                (world.sound(2, 6.0, 9.5).to_vec(), before)
            };
            let ((dozing, few), (awake, many)) = (hear(true), hear(false));
            assert!(few + 150 < many, "{text}: {few} decodes instead of {many}");
            let levels = |pcm: &[f32]| pcm.chunks_exact(960).map(rms).collect::<Vec<_>>();
            let (dozing, awake) = (levels(&dozing), levels(&awake));
            // A sleeper's delay is what it should be at once, so both may be two frames apart.
            for (frame, around) in (2..).zip(awake.windows(5)) {
                let least = around.iter().fold(1.0, |least: f64, level| least.min(*level));
                let found = dozing[frame];
                assert!(found > 0.7 * least - 0.002, "{text}, frame {frame}: {found} instead of {around:?}");
            }
        }
    }
}

#[test]
fn whoever_lies_about_its_level_is_heard() {
    // From the beginning, and after ten honest seconds.
    for (began, patience) in [(0.0, 0.1), (10.0, 3.3)] {
        let mut world = World::new();
        let mut voice = super::world::voice(140.0);
        let loud: Sound = Box::new(move |n| if n as f64 >= began * 48_000.0 { voice(n) } else { 0.0 });
        world.join(1, loud, Link::default());
        world.join(2, silence(), Link::default());
        world.announces(1, |_| 127);
        world.run(began + patience + 8.0);
        let heard = rms(world.sound(2, began + patience, began + patience + 8.0));
        assert!(heard > 0.05, "from {began} s on: {heard}");
    }
}

#[test]
fn a_word_in_a_lost_packet_is_repaired_for_a_sleeper_too() {
    let mut world = World::new();
    let mut said = recorded::from(7.0, recorded::sentence("en", 150, "Pat can type, and so can Tom."));
    let mut room = noise(0.0001);
    world.join(1, Box::new(move |n| said(n) + room(n)), Link { loss: 0.1, ..Link::default() });
    world.join(2, silence(), Link::default());
    world.announces(1, honest);
    world.run(10.0);
    assert!(rms(world.sound(2, 7.1, 8.5)) > 0.03);
    assert!(super::world::longest_hole_ms(world.sound(2, 7.2, 8.2), 1e-5) < 60);
}
