//! What many cost, and what a listener's losses change.

use media_core::mix::audio::AudioInput;
use media_core::units::LegKey;

use super::world::{Link, ROOM, World, db, rms, strength, tone, voice};

fn loss(world: &mut World, leg: u32, percent: u8) {
    world.input(AudioInput::Loss { room: ROOM, leg: LegKey(leg), percent });
}

/// Bytes of a leg's packets in one second from now on.
fn bytes(world: &mut World, leg: u32) -> usize {
    let before = world.heard[&LegKey(leg)].payloads.len();
    world.run(1.0);
    world.heard[&LegKey(leg)].payloads[before..].iter().map(bytes::Bytes::len).sum()
}

fn has_redundancy(world: &World, leg: u32) -> bool {
    let last = world.heard[&LegKey(leg)].payloads.iter().rev().take(25);
    last.filter(|payload| opus::packet::get_nb_samples(payload, 48_000).is_ok())
        .any(|payload| carries_copy(payload))
}

/// The LBRR flag of a SILK or hybrid packet of one frame (RFC 6716 §4.2.4): the second bit after the one for its voice.
fn carries_copy(payload: &[u8]) -> bool {
    payload[0] >> 3 < 16 && payload.get(1).is_some_and(|byte| byte & 0x40 != 0)
}

#[test]
fn redundancy_is_made_for_the_worst_of_those_who_share_an_encode() {
    let mut world = World::new();
    world.member(1, voice(140.0), Link::default());
    for leg in [2, 3, 4] {
        world.listen(leg, None);
    }
    world.run(1.0);
    assert!(has_redundancy(&world, 2), "before anything is known");
    [2, 3, 4].into_iter().for_each(|leg| loss(&mut world, leg, 0));
    bytes(&mut world, 2);
    assert!(!has_redundancy(&world, 2) && !has_redundancy(&world, 4), "nobody loses anything");
    loss(&mut world, 3, 12);
    bytes(&mut world, 2);
    assert!(has_redundancy(&world, 2) && has_redundancy(&world, 3), "one of them does");
    world.input(AudioInput::RemoveListener { room: ROOM, leg: LegKey(3) });
    bytes(&mut world, 2);
    assert!(!has_redundancy(&world, 2), "it has gone");
}

#[test]
fn of_a_hundred_who_speak_at_once_the_loudest_are_heard_and_encoded() {
    let mut world = World::new();
    for number in 1..=60 {
        world.join(number, voice(90.0 + 3.0 * f64::from(number)), Link::default());
    }
    world.listen(99, None);
    world.run(2.0);
    let (encodes, alone) = (world.encodes_in_a_second(), 33 * 50);
    assert!(
        (alone..alone + alone / 20).contains(&encodes),
        "{encodes}: one for each of 32, one for all others"
    );
    let calm = rms(world.sound(99, 1.0, 3.0));
    // Somebody shouts, and is heard at once; all others go on.
    world.join(100, tone(700.0, 0.6), Link::default());
    world.run(2.0);
    let shout = strength(world.sound(99, 3.2, 4.9), 700.0);
    assert!(shout > 0.05, "{shout} through the limiter");
    assert!(db(rms(world.sound(99, 3.2, 4.9)) / calm).abs() < 3.0);
    let encodes = world.encodes_in_a_second();
    assert!((alone..alone + alone / 20).contains(&encodes), "{encodes}");
    assert!(world.talking.iter().filter(|(_, _, talking)| *talking).count() >= 61, "all are told to talk");
}
