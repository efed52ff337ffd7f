//! New offers on a running leg: sections that come, directions that change, ICE restarts.

use std::time::Duration;

use media_core::units::VideoCodec::Vp8;

use crate::conference::{Conference, alike};
use crate::meeting::{BLUE, RED, page, two};
use crate::page::Setup;

#[test]
fn an_ice_restart_leaves_the_media_alone() {
    for bundled in [true, false] {
        let mut it = Conference::new(10);
        let ann = it.join(Setup { bundled, ..page(RED, 440.0) });
        let bob = it.join(page(BLUE, 880.0));
        it.warm_up();
        let (from, seen) = (it.seconds(), it.pages[ann].page.seen.len());
        let offer = it.pages[ann].page.restart_offer();
        let answer = it.reoffer(ann, &offer);
        let now = it.now;
        it.pages[ann].page.answered(now, &answer);
        it.run(2.0);
        assert!(it.pages[ann].page.transports.iter().all(|transport| !transport.confirmed.is_empty()));
        let shown = it.pages[ann].page.seen.len() - seen;
        assert!((29..=31).contains(&shown), "{shown} pictures in 2 s");
        assert!(
            it.hears(ann, 880.0, from, from + 1.5) > -20.0 && it.hears(bob, 440.0, from, from + 1.5) > -20.0
        );
        assert!(alike(it.sees(bob, ann), RED));
    }
}

/// The page makes an offer again, and takes the answer.
fn renegotiate(it: &mut Conference, member: usize, offer: &str) {
    let answer = it.reoffer(member, offer);
    let now = it.now;
    it.pages[member].page.answered(now, &answer);
}

#[test]
fn a_page_adds_its_camera_later() {
    for bundled in [true, false] {
        let mut it = Conference::new(11);
        let ann = it.join(page(RED, 440.0));
        let bob = it.join(Setup { bundled, video: Vec::new(), ..page(BLUE, 880.0) });
        it.warm_up();
        assert!(it.pages[bob].page.seen.is_empty() && !alike(it.sees(ann, bob), BLUE));
        let from = it.seconds();
        let offer = it.pages[bob].page.camera_offer(Vp8);
        renegotiate(&mut it, bob, &offer);
        it.run(2.0);
        assert!(alike(it.sees(ann, bob), BLUE) && alike(it.sees(bob, ann), RED), "bundled {bundled}");
        assert!(it.hears(bob, 440.0, from, from + 1.5) > -20.0);
        assert!(it.hears(ann, 880.0, from + 0.2, from + 1.5) > -20.0);
    }
}

#[test]
fn a_page_stops_watching_and_watches_again() {
    let (mut it, ann, bob) = two(12);
    let offer = it.pages[bob].page.video_direction_offer("sendonly");
    renegotiate(&mut it, bob, &offer);
    it.run(0.1);
    let (seen, sent) = (it.pages[bob].page.seen.len(), it.pages[ann].page.seen.len());
    it.run(1.0);
    assert_eq!(it.pages[bob].page.seen.len(), seen);
    assert!(it.pages[ann].page.seen.len() >= sent + 14);
    assert!(alike(it.sees(ann, bob), BLUE), "it is still seen");
    let offer = it.pages[bob].page.video_direction_offer("recvonly");
    renegotiate(&mut it, bob, &offer);
    it.run(1.0);
    assert!(it.pages[bob].page.seen.len() >= seen + 14, "pictures again, in the same stream");
    assert!(alike(it.sees(bob, ann), RED));
    assert!(!alike(it.sees(ann, bob), BLUE), "now it is not");
}

#[test]
fn both_sections_follow_every_change_of_direction() {
    for bundled in [true, false] {
        let mut it = Conference::new(13);
        let ann = it.join(page(RED, 440.0));
        let bob = it.join(Setup { bundled, ..page(BLUE, 880.0) });
        it.warm_up();
        for (direction, mirrored, sends, receives) in [
            ("recvonly", "sendonly", false, true),
            ("sendonly", "recvonly", true, false),
            ("inactive", "inactive", false, false),
            ("sendrecv", "sendrecv", true, true),
        ] {
            let case = format!("{direction}, bundled {bundled}");
            let offer = it.pages[bob].page.direction_offer(direction);
            let answer = it.reoffer(bob, &offer);
            assert_eq!(answer.matches(&format!("a={mirrored}\r\n")).count(), 2, "{case}");
            let now = it.now;
            it.pages[bob].page.answered(now, &answer);
            it.run(1.0);
            let (from, start) = (it.seconds(), it.now);
            it.run(1.0);
            assert_eq!(it.hears(ann, 880.0, from, from + 0.8) > -20.0, sends, "{case}");
            assert_eq!(alike(it.sees(ann, bob), BLUE), sends, "{case}");
            let stalls = it.pages[bob].page.longest_stalls(start, it.now);
            let flows = stalls.map(|stall| stall < Duration::from_millis(200));
            assert_eq!(flows, [receives; 2], "{case}: {stalls:?}");
            if receives {
                assert!(
                    it.hears(bob, 440.0, from, from + 0.8) > -20.0 && alike(it.sees(bob, ann), RED),
                    "{case}"
                );
            }
        }
    }
}

#[test]
fn an_ice_restart_leaves_alone_who_only_sends_or_only_receives() {
    for (bundled, direction) in
        [(true, "sendonly"), (false, "sendonly"), (true, "recvonly"), (false, "recvonly")]
    {
        let mut it = Conference::new(15);
        let ann = it.join(page(RED, 440.0));
        let eve = it.join(Setup { bundled, direction, video_first: true, ..page(BLUE, 880.0) });
        it.warm_up();
        let (from, start) = (it.seconds(), it.now);
        let offer = it.pages[eve].page.restart_offer();
        renegotiate(&mut it, eve, &offer);
        it.run(2.0);
        if direction == "sendonly" {
            assert!(alike(it.sees(ann, eve), BLUE) && it.hears(ann, 880.0, from, from + 1.5) > -20.0);
        } else {
            let stalls = it.pages[eve].page.longest_stalls(start, it.now);
            assert!(stalls.iter().all(|stall| *stall < Duration::from_millis(200)), "{stalls:?}");
            assert!(alike(it.sees(eve, ann), RED) && it.hears(eve, 440.0, from, from + 1.5) > -20.0);
        }
    }
}
