//! Who hears what.

use std::time::Duration;

use media_core::mix::audio::AudioInput;
use media_core::units::{LegKey, MemberKey};

use super::world::{Link, ROOM, World, between, click, db, rms, silence, strength, tone, voice};

#[test]
fn two_members_hear_each_other_and_not_themselves() {
    let mut world = World::new();
    world.join(1, tone(440.0, 0.3), Link::default());
    world.join(2, tone(1000.0, 0.3), Link::default());
    world.run(5.0);
    for (leg, own, other) in [(1, 440.0, 1000.0), (2, 1000.0, 440.0)] {
        let sound = world.sound(leg, 1.0, 5.0);
        let above = db(strength(sound, other) / strength(sound, own));
        assert!(above >= 40.0, "leg {leg}: the other is {above} dB above one's own");
        let level = strength(sound, other);
        assert!((0.25..0.33).contains(&level), "leg {leg}: heard at {level}");
    }
}

#[test]
fn of_three_members_each_hears_the_two_others() {
    let tones = [440.0, 700.0, 1000.0];
    let mut world = World::new();
    for (number, hz) in (1..).zip(tones) {
        world.join(number, tone(hz, 0.2), Link::default());
    }
    world.listen(9, None);
    world.run(4.0);
    for (leg, own) in (1..).zip(tones) {
        let sound = world.sound(leg, 1.0, 4.0);
        let quietest =
            tones.iter().filter(|hz| **hz != own).map(|hz| strength(sound, *hz)).fold(1.0, f64::min);
        assert!(db(quietest / strength(sound, own)) >= 40.0, "leg {leg}");
    }
    let all = world.sound(9, 1.0, 4.0);
    assert!(tones.iter().all(|hz| strength(all, *hz) > 0.15), "who has no voice hears everybody");
}

#[test]
fn who_shares_a_screen_does_not_hear_it_and_all_others_do() {
    let mut world = World::new();
    world.join(1, between(0.0, 4.0, tone(440.0, 0.2)), Link::default());
    world.join(2, tone(700.0, 0.2), Link::default());
    world.screen(3, 1, tone(1000.0, 0.2), Link::default());
    world.screen(4, 1, between(2.0, 60.0, tone(1500.0, 0.2)), Link::default());
    world.listen(9, None);
    world.run(12.0);
    for (from, to, sounds) in [(0.5, 2.0, [440.0, 700.0, 1000.0]), (8.0, 12.0, [700.0, 1000.0, 1500.0])] {
        let (sharer, guest) = (world.sound(1, from, to), world.sound(2, from, to));
        for own in [440.0, 1000.0, 1500.0] {
            assert!(db(strength(sharer, 700.0) / strength(sharer, own)) >= 40.0, "{own} Hz from {from} s on");
        }
        assert!(sounds.iter().all(|hz| (*hz == 700.0) != (strength(guest, *hz) > 0.15)), "from {from} s on");
        assert!(sounds.iter().all(|hz| strength(world.sound(9, from, to), *hz) > 0.15), "from {from} s on");
    }
    // Once the screen is gone its sharer is in the mix of all again.
    for member in [3, 4] {
        world.input(AudioInput::RemoveMember { room: ROOM, member: MemberKey(member) });
    }
    world.run(4.0);
    let before = world.plane.counters().encodes;
    world.run(1.0);
    assert_eq!(world.plane.counters().encodes - before, 50, "one for all; who speaks hears silence");
}

#[test]
fn muting_silences_and_unmuting_brings_back_without_a_click() {
    let mut world = World::new();
    world.join(1, tone(440.0, 0.3), Link::default());
    world.join(2, silence(), Link::default());
    world.run(2.0);
    world.mute(1, true);
    world.run(2.0);
    world.mute(1, false);
    world.run(2.0);
    assert!(strength(world.sound(2, 1.0, 1.9), 440.0) > 0.25);
    assert!(rms(world.sound(2, 2.1, 4.0)) < 1e-3, "muted: {}", rms(world.sound(2, 2.1, 4.0)));
    assert!(strength(world.sound(2, 4.5, 6.0), 440.0) > 0.25);
    let steady = click(world.sound(2, 1.0, 1.9));
    let edges = click(world.sound(2, 1.0, 6.0));
    assert!(edges < 2.0 * steady, "second difference {edges}, of the tone itself {steady}");
    let told: Vec<_> = world.talking.iter().map(|(_, member, talking)| (member.0, *talking)).collect();
    assert_eq!(told, [(1, true), (1, false), (1, true)]);
}

#[test]
fn a_member_that_leaves_is_faded_out() {
    let mut world = World::new();
    world.join(1, tone(440.0, 0.3), Link::default());
    world.join(2, silence(), Link::default());
    world.run(2.0);
    let steady = click(world.sound(2, 1.0, 2.0));
    world.input(AudioInput::RemoveMember { room: ROOM, member: MemberKey(1) });
    world.run(1.0);
    assert!(click(world.sound(2, 1.0, 3.0)) < 2.0 * steady);
    assert!(rms(world.sound(2, 2.2, 3.0)) < 1e-3);
    assert!(world.plane.counters().unknown > 0, "its packets go nowhere");
}

#[test]
fn a_packet_leaves_every_20_ms_whoever_is_there() {
    let mut world = World::new();
    world.listen(1, Some(1));
    world.run(10.0);
    world.join(2, silence(), Link::default());
    world.mute(2, true);
    world.run(30.0);
    let heard = &world.heard[&LegKey(1)];
    assert_eq!(heard.times.len(), 2001);
    assert!(heard.times.windows(2).all(|pair| (pair[1] - pair[0]).as_millis() == 20));
    assert!(heard.timestamps.windows(2).all(|pair| pair[1] - pair[0] == 960));
    assert!(
        heard.payloads.iter().all(|payload| payload.len() > 2),
        "a packet of one or two bytes would be DTX"
    );
    assert!(rms(&heard.pcm) < 1e-4);
}

#[test]
fn a_silent_room_costs_nothing_and_listeners_share_one_encode() {
    let mut world = World::new();
    for leg in 1..=50 {
        world.listen(leg, Some(leg));
    }
    world.run(1.0);
    let before = world.plane.counters().encodes;
    world.run(10.0);
    assert_eq!(world.plane.counters().encodes, before, "silence is encoded once and sent again");
    world.member(1, tone(440.0, 0.3), Link::default());
    world.run(1.0);
    let before = world.plane.counters().encodes;
    world.run(1.0);
    assert_eq!(world.plane.counters().encodes - before, 50, "49 hear the talker, itself hears silence");
    world.member(2, tone(700.0, 0.3), Link::default());
    world.run(1.0);
    let before = world.plane.counters().encodes;
    world.run(1.0);
    assert_eq!(world.plane.counters().encodes - before, 150, "one for all, one for each of the two");
}

#[test]
fn a_late_clock_catches_up_a_little_and_skips_the_rest() {
    let mut world = World::new();
    world.listen(1, None);
    world.run(1.0);
    for (late_ms, packets, ticks) in [(65, 3, 3), (500, 1, 25)] {
        let before =
            (world.heard[&LegKey(1)].times.len(), *world.heard[&LegKey(1)].timestamps.last().unwrap());
        world.now += std::time::Duration::from_millis(late_ms);
        world.run(0.0);
        let after =
            (world.heard[&LegKey(1)].times.len(), *world.heard[&LegKey(1)].timestamps.last().unwrap());
        assert_eq!(after.0 - before.0, packets, "{late_ms} ms late");
        assert_eq!(after.1 - before.1, ticks * 960, "timestamps go on with the time");
    }
    assert_eq!(world.plane.counters().skipped_ticks, 24);
}

/// Member 1 begins to speak and falls silent while a tone of member 3 sounds on: its leg goes from the shared mix to
/// its own and back, and must not hear that.
#[test]
fn changing_between_shared_and_own_mix_is_not_heard() {
    let mut world = World::new();
    world.join(1, between(3.0, 5.0, tone(1500.0, 0.2)), Link::default());
    world.join(2, silence(), Link::default());
    world.join(3, tone(440.0, 0.3), Link::default());
    world.run(12.0);
    let before = world.plane.counters().encodes;
    world.run(1.0);
    assert_eq!(world.plane.counters().encodes - before, 50, "back in the shared mix");
    let sound = world.sound(1, 1.0, 13.0);
    let steady = click(world.sound(1, 1.0, 2.5));
    assert!(click(sound) < 1.5 * steady, "second difference {} against {steady}", click(sound));
    let levels: Vec<f64> = sound.chunks_exact(960).map(rms).collect();
    let (least, most) =
        levels.iter().fold((1.0, 0.0), |(a, b): (f64, f64), level| (a.min(*level), b.max(*level)));
    assert!(db(most / least) < 1.5, "level between {least} and {most}");
    assert!(db(strength(sound, 440.0) / strength(sound, 1500.0)) > 40.0);
    let other = world.sound(2, 1.0, 13.0);
    assert!(strength(other, 1500.0) > 0.02, "member 2 heard member 1 meanwhile");
}

/// Member 1 says something every 5 s while member 3 talks on. 3 s later its leg comes back to the mix leg 2 hears: two
/// decoders with different pasts, one stream. The frame without prediction makes them agree at once.
#[test]
fn who_comes_back_to_the_shared_mix_soon_hears_what_the_others_hear() {
    let mut world = World::new();
    let mut word = tone(1500.0, 0.2);
    let words = move |n: u64| between(1.0, 1.3, Box::new(|_| 1.0))(n % 240_000) * word(n);
    world.member(1, Box::new(words), Link::default());
    world.listen(1, Some(1));
    world.listen(2, None);
    world.member(3, voice(140.0), Link::default());
    world.run(45.0);
    let (back, stayed) = (world.sound(1, 0.0, 45.0), world.sound(2, 0.0, 45.0));
    let apart: Vec<f64> = back
        .chunks_exact(960)
        .zip(stayed.chunks_exact(960))
        .map(|(back, stayed)| rms(&back.iter().zip(stayed).map(|(a, b)| a - b).collect::<Vec<_>>()))
        .collect();
    let around = |frames: std::ops::Range<usize>| -> f64 {
        (0..8).flat_map(|word| &apart[word * 250 + frames.start..word * 250 + frames.end]).sum::<f64>()
    };
    // The word ends at 1.3 s; it is heard 0.06 s later, and 150 + 6 frames after that the leg comes back: frame 224.
    let (before, after) = (around(221..224), around(224..227));
    assert!(after < 0.2 * before, "apart by {before} before, {after} after");
    assert!(click(back) < 1.5 * click(stayed));
}

#[test]
fn loud_sums_are_limited_not_cut() {
    let mut world = World::new();
    for number in 1..=4 {
        world.member(number, tone(300.0 + 110.0 * f64::from(number), 0.6), Link::default());
    }
    world.listen(9, None);
    world.run(3.0);
    let sound = world.sound(9, 1.0, 3.0);
    assert!(sound.iter().all(|sample| sample.abs() < 1.1));
    let (tones, all) =
        ((1..=4).map(|n| strength(sound, 300.0 + 110.0 * f64::from(n)).powi(2)).sum::<f64>(), rms(sound));
    let rest = all.powi(2) - tones / 2.0;
    assert!(rest < 0.02 * all.powi(2), "distortion {rest} of {}", all.powi(2));
}

#[test]
fn a_recorder_hears_everybody_also_where_nobody_listens() {
    let mut world = World::new();
    world.join(1, tone(300.0, 0.2), Link::default());
    world.join(2, tone(700.0, 0.4), Link::default());
    world.run(1.0);
    assert!(world.recorded.is_empty());
    world.input(AudioInput::SetRecorded { room: ROOM, recorded: true });
    world.run(2.0);
    for leg in [1, 2] {
        world.input(AudioInput::RemoveListener { room: ROOM, leg: LegKey(leg) });
    }
    world.run(2.0);
    world.input(AudioInput::SetRecorded { room: ROOM, recorded: false });
    world.run(1.0);
    assert_eq!(world.recorded.len(), 200);
    assert!(world.recorded.windows(2).all(|two| two[1].0 - two[0].0 == Duration::from_millis(20)));
    let pcm: Vec<f32> = world
        .recorded
        .iter()
        .flat_map(|(_, samples)| samples.iter())
        .map(|it| f32::from(*it) / 32767.0)
        .collect();
    for second in 1..4 {
        let sound = &pcm[second * 48_000..(second + 1) * 48_000];
        for (hz, level) in [(300.0, 0.2), (700.0, 0.4)] {
            let off = db(strength(sound, hz) / level);
            assert!(off.abs() < 1.0, "{hz} Hz in second {second}: {off} dB");
        }
    }
}
