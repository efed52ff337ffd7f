//! Audience, promoted and demoted; legs of one member that follow each other.

use std::time::{Duration, Instant};

use media_core::codec::Rgb;
use media_core::room::{Action, LegEnd, MemberConfig};

use crate::conference::{Conference, alike, person};
use crate::meeting::{BLUE, RED, page};
use crate::page::Setup;

const GREEN: Rgb = Rgb(40, 170, 60);
const YELLOW: Rgb = Rgb(200, 180, 40);

fn audience() -> MemberConfig {
    MemberConfig { audience: true, ..person() }
}

fn receiver() -> Setup {
    Setup { direction: "recvonly", ..page(YELLOW, 1760.0) }
}

/// Nothing that is received has stalled.
fn check_flow(it: &Conference, page: usize, from: Instant, case: &str) {
    let [sound, picture] = it.pages[page].page.longest_stalls(from, it.now);
    assert!(sound <= Duration::from_millis(45), "{case}: no sound for {sound:?}");
    assert!(picture <= Duration::from_millis(400), "{case}: no picture for {picture:?}");
}

fn is_placed(it: &Conference, member: usize) -> bool {
    let key = it.pages[member].key.0;
    it.placed().layers.iter().any(|layer| layer.source.is_some_and(|source| source.0 == key))
}

#[test]
fn audience_sees_and_hears_all_and_is_neither_seen_nor_heard() {
    for bundled in [true, false] {
        let mut it = Conference::new(21);
        let ann = it.join(page(RED, 440.0));
        let bob = it.join(page(BLUE, 880.0));
        let eve = it.join_as(audience(), Setup { bundled, ..receiver() });
        // What it sends although it is audience is for nobody.
        let mallory = it.join_as(audience(), page(GREEN, 1320.0));
        it.warm_up();
        let (from, decoded) = (it.seconds(), it.counters().decoded);
        it.run(1.5);
        let decodes = it.counters().decoded - decoded;
        assert!((42..=47).contains(&decodes), "two cameras at 15 frames: {decodes}");
        for listener in [eve, mallory] {
            for hz in [440.0, 880.0] {
                assert!(it.hears(listener, hz, from, from + 1.0) > -20.0, "{listener} hears {hz}");
            }
            assert!(alike(it.sees(listener, ann), RED) && alike(it.sees(listener, bob), BLUE));
            assert!(!is_placed(&it, listener));
        }
        for member in [ann, bob, eve] {
            assert!(
                it.hears(member, 1320.0, from, from + 1.0) < -40.0,
                "{member} hears nobody of the audience"
            );
            assert!(!it.pages[member].page.seen.last().unwrap().has(GREEN));
        }
    }
}

/// Bob's next leg, as the control plane has it: the old one is closed when the new one plays.
fn change(it: &mut Conference, ann: usize, bob: usize, audience: bool, setup: Setup, case: &str) -> usize {
    let (key, former) = (it.pages[bob].key, it.pages[bob].leg);
    let start = it.now;
    it.act(Action::SetAudience { member: key, audience });
    let next = it.another_leg(bob, setup);
    it.run_until(2.0, |it| it.pages[next].page.is_connected());
    let connected = it.now;
    it.run(0.7);
    // Until the page hangs up it receives on both.
    check_flow(it, bob, start, case);
    it.act(Action::CloseLeg { leg: former });
    it.run(0.3);
    assert!(it.pages[bob].page.transports.iter().all(|transport| transport.closed), "{case}");
    assert_eq!(it.ended(former), None, "{case}: closed silently");
    it.run(1.0);
    check_flow(it, next, connected + Duration::from_millis(300), case);
    check_flow(it, ann, start, case);
    next
}

#[test]
fn a_promoted_and_demoted_member_misses_nothing_and_nobody_sees_or_hears_what_is_over() {
    for (bundled, seed) in [(true, 22), (false, 23)] {
        let mut it = Conference::new(seed);
        let ann = it.join(page(RED, 440.0));
        let mut bob = it.join_as(audience(), Setup { bundled, ..receiver() });
        it.warm_up();
        for (colour, gone, hz) in [(BLUE, GREEN, 880.0), (GREEN, BLUE, 1320.0)] {
            let case = format!("bundled {bundled}, {hz} Hz");
            let begun = it.pages[ann].page.seen.len();
            bob = change(&mut it, ann, bob, false, Setup { bundled, ..page(colour, hz) }, &case);
            let from = it.seconds();
            it.run(1.0);
            assert!(alike(it.sees(ann, bob), colour) && alike(it.sees(bob, ann), RED), "{case}: promoted");
            assert!(it.hears(ann, hz, from, from + 0.6) > -20.0, "{case}: promoted");
            assert!(
                it.hears(bob, 440.0, from, from + 0.6) > -20.0 && it.hears(bob, hz, from, from + 0.6) < -40.0
            );

            bob = change(&mut it, ann, bob, true, Setup { bundled, ..receiver() }, &case);
            let from = it.seconds();
            it.run(2.5);
            assert!(!is_placed(&it, bob), "{case}: demoted");
            assert!(it.hears(ann, hz, from, from + 0.6) < -40.0, "{case}: demoted");
            assert!(it.hears(bob, 440.0, from, from + 0.6) > -20.0, "{case}: demoted");
            let seen = &it.pages[ann].page.seen;
            assert!(
                alike(seen.last().unwrap().colour(160, 90), RED),
                "{case}: Ann has the canvas for herself"
            );
            assert!(seen[begun..].iter().all(|seen| !seen.has(gone)), "{case}: no picture of another time");
        }
        assert_eq!(it.counters().legs, 2);
    }
}

/// Two people, of whom Bob's page gets another leg that sends another colour and tone.
fn with_another_leg(seed: u64) -> (Conference, [usize; 3]) {
    let mut it = Conference::new(seed);
    let ann = it.join(page(RED, 440.0));
    let bob = it.join(page(BLUE, 880.0));
    it.warm_up();
    let next = it.another_leg(bob, page(GREEN, 1320.0));
    it.warm_up();
    (it, [ann, bob, next])
}

#[test]
fn of_two_legs_that_send_the_newer_counts_however_long_the_older_goes_on() {
    let (mut it, [ann, bob, next]) = with_another_leg(24);
    let (from, begun, decoded) = (it.seconds(), it.pages[ann].page.seen.len(), it.counters().decoded);
    it.run(2.0);
    let seen = &it.pages[ann].page.seen[begun..];
    assert!(seen.iter().all(|seen| seen.has(GREEN) && !seen.has(BLUE)));
    assert!(
        it.hears(ann, 1320.0, from, from + 1.5) > -20.0 && it.hears(ann, 880.0, from, from + 1.5) < -40.0
    );
    let decodes = it.counters().decoded - decoded;
    assert!((58..=62).contains(&decodes), "two cameras at 15 frames, not three: {decodes}");
    for page in [bob, next] {
        assert!(alike(it.sees(page, ann), RED), "both receive");
        assert!(it.hears(page, 440.0, from, from + 1.5) > -20.0);
    }
    // It ends by itself, some time.
    let (now, begun, from) = (it.now, it.pages[ann].page.seen.len(), it.seconds());
    it.pages[bob].page.close(now);
    it.run(1.0);
    assert_eq!(it.ended(it.pages[bob].leg), Some(&LegEnd::PeerClosed));
    assert!(it.pages[ann].page.seen[begun..].iter().all(|seen| seen.has(GREEN)));
    assert!(it.hears(ann, 1320.0, from, from + 0.6) > -20.0);
}

#[test]
fn no_stand_in_comes_between_two_legs() {
    let mut it = Conference::new(25);
    let ann = it.join(page(RED, 440.0));
    let bob = it.join(page(BLUE, 880.0));
    it.warm_up();
    let begun = it.pages[ann].page.seen.len();
    it.another_leg(bob, page(GREEN, 1320.0));
    it.warm_up();
    assert!(it.pages[ann].page.seen[begun..].iter().all(|seen| seen.has(BLUE) != seen.has(GREEN)));
    assert!(alike(it.sees(ann, bob), GREEN));
}

#[test]
fn when_the_newer_leg_ends_the_older_one_is_seen_and_heard_again() {
    let (mut it, [ann, bob, next]) = with_another_leg(26);
    let leg = it.pages[next].leg;
    it.act(Action::CloseLeg { leg });
    it.run(1.0);
    let from = it.seconds();
    it.run(1.0);
    assert!(alike(it.sees(ann, bob), BLUE));
    assert!(it.hears(ann, 880.0, from, from + 0.6) > -20.0);
}

#[test]
fn legs_that_nobody_closes_are_bounded() {
    let mut it = Conference::new(27);
    let ann = it.join(page(RED, 440.0));
    for _ in 0..9 {
        it.another_leg(ann, page(RED, 440.0));
        it.run(0.1);
    }
    assert_eq!(it.counters().legs, 4);
    for (index, member) in it.pages.iter().enumerate() {
        let expected = (index < 6).then_some(&LegEnd::Superseded);
        assert_eq!(it.ended(member.leg), expected, "the oldest give way");
    }
}

/// An SDK that receives neither sound nor pictures for two seconds hangs up.
#[test]
fn sound_flows_from_the_first_keys_on_whoever_is_there() {
    let lonely = MemberConfig { audio_muted: true, video_muted: true, ..person() };
    let silent = || Setup { tracks: Vec::new(), ..page(RED, 440.0) };
    for (case, config, setup) in [
        ("one muted member", lonely.clone(), Setup { bundled: false, ..silent() }),
        ("one muted member, bundled", lonely.clone(), silent()),
        ("without video", lonely, Setup { video: Vec::new(), ..silent() }),
        ("an audience of one", audience(), Setup { bundled: false, ..receiver() }),
        ("an audience of one, bundled", audience(), receiver()),
    ] {
        let mut it = Conference::new(28);
        let one = it.join_as(config, setup);
        it.run_until(2.0, |it| it.pages[one].page.transports[0].is_connected());
        let start = it.now;
        it.run(10.0);
        let [sound, picture] = it.pages[one].page.longest_stalls(start, it.now);
        assert!(sound <= Duration::from_millis(45), "{case}: {sound:?}");
        let watches = !it.pages[one].page.setup.video.is_empty();
        assert!(!watches || picture <= Duration::from_millis(150), "{case}: {picture:?}");
    }
}

/// The pictures' transport never connects; the sound does not wait for it.
#[test]
fn sound_does_not_wait_for_the_transport_of_the_pictures() {
    let mut it = Conference::new(29);
    let ann = it.join(Setup { bundled: false, ..page(RED, 440.0) });
    it.filter = Some(Box::new(move |from, to, _| from.port() == 5001 || to.port() == 5001));
    it.run_until(2.0, |it| it.pages[ann].page.transports[0].is_connected());
    let start = it.now;
    it.run(3.0);
    let [sound, _] = it.pages[ann].page.longest_stalls(start, it.now);
    assert!(sound <= Duration::from_millis(45), "{sound:?}");
}

#[test]
fn newcomers_see_at_once_without_a_storm_of_key_frames() {
    let mut it = Conference::new(30);
    it.join(page(RED, 440.0));
    it.warm_up();
    let (before, start) = (it.counters().key_frames, it.seconds());
    let mut viewers = Vec::new();
    for _ in 0..30 {
        let viewer = it.join_as(audience(), receiver());
        viewers.push((viewer, it.now));
        it.run(0.1);
    }
    it.run(1.0);
    for (viewer, joined) in viewers {
        let first = it.pages[viewer].page.seen.first().unwrap().at - joined;
        assert!(first <= Duration::from_millis(700), "{first:?}");
    }
    let made = it.counters().key_frames - before;
    let most = ((it.seconds() - start) / 0.5) as u64 + 1;
    assert!(made <= most, "{made} key frames, {most} allowed");
}
