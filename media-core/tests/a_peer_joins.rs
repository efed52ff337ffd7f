//! Whole joins in virtual time: checks, DTLS, media both ways.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "tests fail by panic"
)]

mod sim;

use std::net::SocketAddr;
use std::time::Duration;

use media_core::srtp::Profile;
use media_core::transport::{DropReason, TransportEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile as OnTheWire;
use sim::browser::Browser;
use sim::link::Impairment;
use sim::{World, rtp};

const ALICE: &str = "198.51.100.1:5000";
const BOB: &str = "198.51.100.2:6000";

/// One packet each way arrives as it was sent.
fn media_flows(world: &mut World, browser: usize, seq: u16) {
    let key = world.browsers[browser].key();
    let (up, down) = (rtp(1, seq, b"up"), rtp(2, seq, b"down"));
    world.browsers[browser].sends(&up);
    assert!(world.server_sends(key, &down));
    world.run_for(Duration::from_millis(200));
    assert_eq!(world.server_rtp.pop(), Some((key, up)));
    assert_eq!(world.browsers[browser].rtp.pop().unwrap().1, down);
}

#[test]
fn the_profile_is_gcm_when_the_browser_has_it() {
    let cm = OnTheWire::Srtp_Aes128_Cm_Hmac_Sha1_80;
    let (gcm128, gcm256) = (OnTheWire::Srtp_Aead_Aes_128_Gcm, OnTheWire::Srtp_Aead_Aes_256_Gcm);
    let check = |offered: &[OnTheWire], expected| {
        let mut world = World::new(1, Impairment::LOOPBACK);
        let browser = world.join(Browser::new("abcd", offered, &[ALICE]));
        assert!(world.run_until(Duration::from_secs(1), |w| w.is_connected(browser)), "{offered:?}");
        assert_eq!(world.browsers[browser].profile, Some(expected), "{offered:?}");
        let key = world.browsers[browser].key();
        let events = world.events_of(key);
        assert_eq!(
            events,
            [
                &TransportEvent::PathOpen(ALICE.parse::<SocketAddr>().unwrap().into()),
                &TransportEvent::Keyed(expected)
            ]
        );
        assert_eq!(world.refused, []);
        media_flows(&mut world, browser, 1);
        world.run_for(Duration::from_secs(10));
        assert_eq!(world.server.poll_timeout(), None, "a connected peer wakes nobody");
    };
    check(&[cm, gcm256, gcm128], Profile::AeadAes128Gcm);
    check(&[gcm128], Profile::AeadAes128Gcm);
    check(&[cm, gcm256], Profile::AeadAes256Gcm);
    check(&[cm], Profile::Aes128CmHmacSha1_80);
}

#[test]
fn a_join_takes_four_round_trips() {
    let mut world = World::new(1, Impairment { delay: Duration::from_millis(50), ..Impairment::LOOPBACK });
    let browser = world.join(Browser::chromium("abcd", &[ALICE]));
    assert!(world.run_until(Duration::from_secs(2), |w| w.is_connected(browser)));
    // One for the check, one for the cookie, two for the handshake; each 100 ms.
    assert!(world.now - world.started <= Duration::from_millis(405), "{:?}", world.now - world.started);
}

#[test]
fn two_peers_join_through_a_bad_network() {
    let bad = Impairment {
        delay: Duration::from_millis(20),
        jitter: Duration::from_millis(30),
        loss_permille: 100,
        duplicate_permille: 50,
    };
    for seed in 0..40 {
        let mut world = World::new(seed, bad);
        let alice = world.join(Browser::chromium("alic", &[ALICE]));
        let bob = world.join(Browser::new("bobb", &[OnTheWire::Srtp_Aes128_Cm_Hmac_Sha1_80], &[BOB]));
        let both = |w: &World| w.is_connected(alice) && w.is_connected(bob);
        assert!(world.run_until(Duration::from_secs(15), both), "seed {seed}: {:?}", world.events);

        let (a, b) = (world.browsers[alice].key(), world.browsers[bob].key());
        for n in 0..100u16 {
            world.browsers[alice].sends(&rtp(1, n, b"alice"));
            world.browsers[bob].sends(&rtp(2, n, b"bob"));
            world.server_sends(a, &rtp(3, n, b"to alice"));
            world.server_sends(b, &rtp(4, n, b"to bob"));
            world.run_for(Duration::from_millis(20));
        }
        world.run_for(Duration::from_millis(100));
        for (browser, key, says, hears) in [(alice, a, "alice", "to alice"), (bob, b, "bob", "to bob")] {
            let up: Vec<_> = world.server_rtp.iter().filter(|(k, _)| *k == key).map(|(_, p)| p).collect();
            let down: Vec<_> = world.browsers[browser].rtp.iter().map(|(_, p)| p).collect();
            // Duplicates are dropped as replays, so never more than were sent.
            for (packets, text) in [(up, says), (down, hears)] {
                assert!((75..=100).contains(&packets.len()), "seed {seed}: {}", packets.len());
                assert!(packets.iter().all(|packet| packet[12..] == *text.as_bytes()));
            }
        }
    }
}

#[test]
fn a_handshake_survives_heavy_loss() {
    let heavy = Impairment {
        delay: Duration::from_millis(30),
        jitter: Duration::from_millis(20),
        loss_permille: 200,
        duplicate_permille: 0,
    };
    for seed in 0..200 {
        let mut world = World::new(seed, heavy);
        let browser = world.join(Browser::chromium("abcd", &[ALICE]));
        let joined = world.run_until(Duration::from_secs(20), |w| w.is_connected(browser));
        assert!(joined, "seed {seed}: {:?} {:?}", world.events, world.browsers[browser].failed);
    }
}

#[test]
fn each_side_can_say_goodbye() {
    let mut world = World::new(1, Impairment::LOOPBACK);
    let alice = world.join(Browser::chromium("alic", &[ALICE]));
    let bob = world.join(Browser::chromium("bobb", &[BOB]));
    assert!(world.run_until(Duration::from_secs(1), |w| w.is_connected(alice) && w.is_connected(bob)));

    let now = world.now;
    world.browsers[alice].close(now);
    world.run_for(Duration::from_millis(10));
    let (a, b) = (world.browsers[alice].key(), world.browsers[bob].key());
    assert_eq!(world.events_of(a).last(), Some(&&TransportEvent::Closed));

    world.server.close(world.now, b);
    world.run_for(Duration::from_millis(10));
    assert!(world.browsers[bob].closed);
    assert_eq!(world.server.last_heard(b), None);
    assert!(!world.server_sends(b, &rtp(1, 1, b"nobody")));

    // Nothing is left of it: bob's checks are for nobody now.
    world.run_for(Duration::from_secs(3));
    assert_eq!(world.refused.last(), Some(&DropReason::StunUnknownUfrag));
    // Closing twice is closing once.
    world.server.close(world.now, b);
}

#[test]
fn a_wrong_certificate_is_refused() {
    let mut world = World::new(1, Impairment::LOOPBACK);
    let browser = Browser::chromium("abcd", &[ALICE]);
    let other = Browser::chromium("abcd", &[ALICE]);
    let browser = world.join_as(browser, other.fingerprint());
    world.run_for(Duration::from_secs(2));
    let key = world.browsers[browser].key();
    assert!(matches!(world.events_of(key).last(), Some(TransportEvent::Failed(_))), "{:?}", world.events);
    assert!(!world.browsers[browser].is_connected());
    assert!(world.browsers[browser].failed.is_some(), "an alert tells the browser");
    assert!(!world.server_sends(key, &rtp(1, 1, b"secret")));
}

#[test]
fn a_handshake_that_goes_nowhere_ends() {
    let mut world = World::new(1, Impairment::LOOPBACK);
    let browser = world.join(Browser::chromium("abcd", &[ALICE]));
    // The check is answered and the ClientHello comes; from then on nothing reaches anybody.
    assert!(world.run_until(Duration::from_secs(1), |w| w.server.poll_timeout().is_some()));
    world.link.impairment.loss_permille = 1000;
    world.run_for(Duration::from_secs(31));
    let key = world.browsers[browser].key();
    assert!(matches!(world.events_of(key).last(), Some(TransportEvent::Failed(_))));
    assert_eq!(world.server.poll_timeout(), None);
}
