//! Who hears in stereo hears everybody from their place, as loud as ever, and not itself.

use super::world::{Link, World, click, db, rms, silence, strength, tone};

/// Strength of a tone on the left and on the right of a leg.
fn sides(world: &World, leg: u32, hz: f64, from: f64, to: f64) -> (f64, f64) {
    let of = |right| strength(&world.side(leg, right, from, to), hz);
    (of(false), of(true))
}

#[test]
fn everybody_is_heard_from_their_place_and_nobody_hears_itself() {
    let mut world = World::new();
    for (number, hz, place) in [(1, 440.0, -667), (2, 660.0, 0), (3, 880.0, 667)] {
        world.member(number, tone(hz, 0.2), Link::default());
        world.pan(number, place);
    }
    world.listen_in_stereo(10, None);
    world.listen_in_stereo(1, Some(1));
    world.listen(20, None);
    world.run(3.0);
    let (left, right) = sides(&world, 10, 440.0, 1.5, 3.0);
    assert!((11.0..12.5).contains(&db(left / right)), "left at {}", db(left / right));
    let (left, right) = sides(&world, 10, 660.0, 1.5, 3.0);
    assert!(db(left / right).abs() < 0.5, "middle at {}", db(left / right));
    let (left, right) = sides(&world, 10, 880.0, 1.5, 3.0);
    assert!((11.0..12.5).contains(&db(right / left)), "right at {}", db(right / left));
    // As loud on two sides together as in one channel.
    let mono = world.sound(20, 1.5, 3.0);
    for hz in [440.0, 660.0, 880.0] {
        let (left, right) = sides(&world, 10, hz, 1.5, 3.0);
        let apart = db((left * left + right * right).sqrt() / strength(mono, hz));
        assert!(apart.abs() < 1.0, "{hz} Hz: {apart} dB");
        let (left, right) = sides(&world, 1, hz, 1.5, 3.0);
        assert_eq!(left.max(right) < 0.002, hz == 440.0, "{hz} Hz: {left} and {right}");
    }
}

#[test]
fn who_is_alone_hears_nothing_of_itself_in_stereo() {
    let mut world = World::new();
    world.member(1, tone(440.0, 0.3), Link::default());
    world.pan(1, -400);
    world.listen_in_stereo(1, Some(1));
    world.run(3.0);
    assert!(rms(&world.side(1, false, 1.0, 3.0)) < 1e-4 && rms(&world.side(1, true, 1.0, 3.0)) < 1e-4);
}

#[test]
fn who_changes_seats_is_carried_over_without_a_click() {
    let mut world = World::new();
    world.member(1, tone(440.0, 0.3), Link::default());
    world.pan(1, -1000);
    world.listen_in_stereo(10, None);
    world.run(2.0);
    let still = click(&world.side(10, false, 1.0, 2.0));
    for step in 0..10 {
        world.pan(1, if step % 2 == 0 { 1000 } else { -1000 });
        world.run(1.0);
    }
    for right in [false, true] {
        let found = click(&world.side(10, right, 1.0, 12.0));
        assert!(found < 1.5 * still, "{found} against {still}");
    }
    let (left, right) = sides(&world, 10, 440.0, 11.85, 12.0);
    assert!(db(left / right) > 25.0, "{left} and {right}");
}

#[test]
fn there_is_one_encode_for_all_who_hear_the_same_in_the_same_way() {
    let mut world = World::new();
    world.join(1, tone(440.0, 0.2), Link::default());
    world.join(2, silence(), Link::default());
    [11, 12, 13].into_iter().for_each(|leg| world.listen_in_stereo(leg, None));
    [14, 15].into_iter().for_each(|leg| world.listen(leg, None));
    world.run(4.0);
    // Everybody in one channel, everybody in two; she hears silence, which is not encoded again.
    assert_eq!(world.encodes_in_a_second(), 100);
}
