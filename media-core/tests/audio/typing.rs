//! Who types does not talk, who talks does: at the sensitivity nobody changed.

use super::recorded;
use super::world::{Link, Seed, Sound, World, db, noise, rms, silence};

/// One key: a burst of hiss that dies within milliseconds, and the thump of the table under it.
fn key(pcm: &mut [f32], at: usize, peak: f64, seed: &mut Seed) {
    let (hiss, thump) = (48.0 * (1.0 + 3.0 * seed.share()), 48.0 * (3.0 + 5.0 * seed.share()));
    let hz = 120.0 + 180.0 * seed.share();
    for (n, sample) in pcm.iter_mut().skip(at).take(4800).enumerate() {
        let n = n as f64;
        let low = 0.4 * (n / 48_000.0 * hz * std::f64::consts::TAU).sin() * (-n / thump).exp();
        *sample += (peak * ((2.0 * seed.share() - 1.0) * (-n / hiss).exp() + low)) as f32;
    }
}

/// Somebody types about seven keys a second, each heard going down and coming up, in a quiet room.
fn typing(seconds: usize, loudest: f64, number: u64) -> Sound {
    let mut seed = Seed(0xBEEF + 2 * number);
    let mut pcm = vec![0.0_f32; seconds * 48_000];
    let mut at = 4_800;
    while at < pcm.len() {
        let peak = loudest * 10_f64.powf(-0.6 * seed.share());
        key(&mut pcm, at, peak, &mut seed);
        key(&mut pcm, at + 2_900 + (2_000.0 * seed.share()) as usize, 0.5 * peak, &mut seed);
        at += 3_800 + (6_700.0 * seed.share()) as usize;
    }
    let mut room = noise(0.0003);
    Box::new(move |n| pcm[usize::try_from(n).unwrap() % pcm.len()] + room(n))
}

#[test]
fn typing_is_not_talking() {
    for (number, loudest) in [(0, 0.03), (1, 0.1), (2, 0.2), (3, 0.4)] {
        let mut world = World::new();
        world.join(1, typing(60, loudest, number), Link::default());
        world.join(2, silence(), Link::default());
        world.run(60.0);
        let told: Vec<f64> = world.talking.iter().map(|(at, ..)| (*at - world.start).as_secs_f64()).collect();
        assert!(told.is_empty(), "keys of {} dBFS taken for speech at {told:?}", db(loudest));
        assert!(rms(world.sound(2, 1.0, 59.0)) > 1e-4, "though they are heard");
    }
}

const SENTENCES: [(&str, u32, &str); 6] = [
    ("en", 150, "Shall we start with the numbers of last week?"),
    ("en-us+f3", 175, "She sells sea shells, and he thinks that is fine."),
    ("en+m7", 120, "Hm. Perhaps. Could you say that again, please?"),
    ("de+f2", 160, "Können wir kurz über den Zeitplan sprechen?"),
    ("fr", 170, "Je suis d'accord avec vous, mais attendez un peu."),
    ("es+m3", 190, "Sí, claro, mañana por la tarde."),
];

#[test]
fn whoever_speaks_talks_within_a_third_of_a_second_typing_or_not() {
    for types in [false, true] {
        for (voice, speed, text) in SENTENCES {
            let pcm = recorded::sentence(voice, speed, text);
            let first = pcm.chunks(480).position(|piece| rms(piece) > 0.01).unwrap() as f64 * 0.01;
            let (mut said, mut room) = (recorded::from(3.0, pcm), noise(0.0003));
            let mut keys: Sound = if types { typing(10, 0.05, 9) } else { silence() };
            let mut world = World::new();
            world.join(1, Box::new(move |n| said(n) + keys(n) + room(n)), Link::default());
            world.run(5.0);
            let (at, _, talking) = world.talking.first().copied().expect(text);
            let late = (at - world.start).as_secs_f64() - 3.0 - first - 0.0056;
            // 20 ms of packet, 20 ms on the way, 50 ms in the buffer; a first word may begin with a hiss.
            assert!(talking && (0.0..0.40).contains(&late), "{text}: {late} s, typing {types}");
        }
    }
}

/// Music that dies away to nothing, and begins again with a stroke: on a screen's sound all of it is heard.
#[test]
fn no_gate_closes_over_music() {
    let music = |n: u64| {
        let at = n as f64 / 48_000.0;
        let since = at % 6.0;
        let stroke = (-since * 1.3).exp() * (since / 0.002).min(1.0);
        let chord = [196.0, 293.7, 392.0, 587.3].map(|hz| (at * hz * std::f64::consts::TAU).sin());
        (0.08 * stroke * chord.iter().sum::<f64>()) as f32
    };
    let mut world = World::new();
    world.screen(5, 1, Box::new(music), Link::default());
    world.join(2, silence(), Link::default());
    world.run(20.0);
    let sent: Vec<f64> = (0..20 * 100)
        .map(|piece| rms(&(piece * 480..(piece + 1) * 480).map(music).collect::<Vec<_>>()))
        .collect();
    // Found by itself: how much later it is heard.
    let heard: Vec<f64> = world.sound(2, 0.0, 20.0).chunks_exact(480).map(rms).collect();
    let distance = |late: usize| -> f64 {
        (200..1800).map(|piece| (db(sent[piece] / 1.0) - db(heard[piece + late])).abs()).sum::<f64>() / 1600.0
    };
    let (late, off) = (0..20).map(|late| (late, distance(late))).min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
    assert!(off < 1.0, "{off} dB in the mean, {late}0 ms late");
    let worst = (620..1780)
        .filter(|piece| sent[*piece] > 0.0003)
        .map(|piece| db(heard[piece + late].max(heard[piece + late + 1]) / sent[piece]))
        .fold(0.0, f64::min);
    assert!(worst > -6.0, "gone by {worst} dB somewhere");
    assert!(world.talking.is_empty());
}
