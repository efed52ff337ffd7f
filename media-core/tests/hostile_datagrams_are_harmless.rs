//! What an attacker can send: nothing panics, nothing grows, nothing is answered that should not be.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "tests fail by panic"
)]

mod sim;

use std::net::SocketAddr;
use std::time::Duration;

use media_core::transport::{DropReason, Received, TransportEvent};
use sim::browser::{Browser, check};
use sim::link::{Impairment, Random};
use sim::{World, rtp};

const ALICE: &str = "198.51.100.1:5000";
const STRANGER: &str = "203.0.113.66:666";

fn alice() -> SocketAddr {
    ALICE.parse().unwrap()
}

fn stranger() -> SocketAddr {
    STRANGER.parse().unwrap()
}

/// A world whose only browser has been answered, has sent nothing yet, and stays silent.
fn before_ice() -> World {
    let mut world = World::new(3, Impairment::LOOPBACK);
    world.join(Browser::chromium("abcd", &[ALICE]));
    world
}

/// A world with one connected browser.
fn connected() -> World {
    let mut world = before_ice();
    assert!(world.run_until(Duration::from_secs(1), |w| w.is_connected(0)));
    world
}

/// Hands the server one datagram; what it says to it and what it sends.
fn receive(world: &mut World, from: SocketAddr, bytes: &[u8]) -> (Result<(), DropReason>, Vec<Vec<u8>>) {
    let mut bytes = bytes.to_vec();
    let verdict = match world.server.receive(world.now, from, &mut bytes) {
        Received::Refused(reason) => Err(reason),
        Received::Taken | Received::Rtp { .. } | Received::Rtcp { .. } => Ok(()),
    };
    let sent = std::iter::from_fn(|| world.server.poll_transmit());
    let sent = sent.map(|(_, bytes)| bytes.to_vec()).collect();
    (verdict, sent)
}

/// One DTLS record of epoch 0 in a datagram.
fn record(content: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![content, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9];
    bytes.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    bytes.extend(body);
    bytes
}

#[test]
fn every_short_datagram_is_refused_from_everywhere() {
    let mut random = Random(5);
    for mut world in [before_ice(), connected()] {
        for len in 0..=64 {
            for first in 0..=255u8 {
                for filler in [0, 0xff, 0x55] {
                    let mut datagram = vec![filler; len];
                    if let Some(byte) = datagram.first_mut() {
                        *byte = first;
                    }
                    for from in [alice(), stranger()] {
                        let (verdict, sent) = receive(&mut world, from, &datagram);
                        assert!(verdict.is_err() && sent.is_empty(), "{first} × {len}");
                    }
                }
                // Plausible headers: the STUN cookie and length, a DTLS record of the right length.
                let mut datagram: Vec<u8> = (0..len).map(|_| random.byte()).collect();
                if len >= 20 && first < 4 {
                    datagram[0] = first;
                    datagram[2..4].copy_from_slice(&u16::try_from(len - 20).unwrap().to_be_bytes());
                    datagram[4..8].copy_from_slice(&0x2112_a442u32.to_be_bytes());
                } else if len > 13 && (20..64).contains(&first) {
                    datagram = record(20 + first % 4, &datagram[13..]);
                }
                let (_, sent) = receive(&mut world, stranger(), &datagram);
                assert_eq!(sent, Vec::<Vec<u8>>::new());
            }
        }
    }
}

#[test]
fn random_datagrams_are_survived() {
    let mut random = Random(17);
    let mut world = connected();
    let templates = [
        world.browsers[0].check(true),
        record(22, &[11, 0, 0, 40, 0, 2, 0, 0, 0, 0, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8]),
        rtp(1, 1, &[7; 200]),
    ];
    for round in 0..20_000 {
        let mut datagram = templates[round % 3].clone();
        for _ in 0..=random.below(8) {
            let at = random.index(datagram.len());
            datagram[at] = random.byte();
        }
        if random.below(3) == 0 {
            datagram.truncate(random.index(datagram.len() + 1));
        } else {
            datagram.extend((0..random.below(50)).map(|_| random.byte()));
        }
        let from = if random.below(2) == 0 { alice() } else { stranger() };
        let _ = receive(&mut world, from, &datagram);
    }
    // Of all that, nothing reached the association.
    world.browsers[0].sends(&rtp(1, 1, b"still here"));
    world.run_for(Duration::from_millis(10));
    assert_eq!(world.server_rtp.len(), 1);
}

#[test]
fn an_outbox_nobody_empties_stays_bounded() {
    let mut world = before_ice();
    let check = world.browsers[0].check(true);
    let verdicts = (0..5000).map(|_| match world.server.receive(world.now, alice(), &mut check.clone()) {
        Received::Refused(reason) => Err(reason),
        _ => Ok(()),
    });
    let full = verdicts.filter(|verdict| *verdict == Err(DropReason::OutboxFull)).count();
    assert_eq!(full, 5000 - 4096);
    assert_eq!(std::iter::from_fn(|| world.server.poll_transmit()).count(), 4096);
    // Room again, answers again.
    assert_eq!(receive(&mut world, alice(), &check).1.len(), 1);
}

#[test]
fn a_check_with_any_flipped_bit_gets_no_answer() {
    let mut world = before_ice();
    let check = world.browsers[0].check(true);
    for at in 0..check.len() {
        for bit in 0..8 {
            let mut flipped = check.clone();
            flipped[at] ^= 1 << bit;
            let (verdict, sent) = receive(&mut world, alice(), &flipped);
            assert!(verdict.is_err() && sent.is_empty(), "byte {at}, bit {bit}");
        }
    }
    assert!(world.server.poll_event().is_none());
    let (verdict, sent) = receive(&mut world, alice(), &check);
    assert!(verdict.is_ok() && sent.len() == 1);
    assert!(sent[0].len() <= check.len(), "even an authenticated check is not amplified");
}

#[test]
fn a_stun_message_of_any_length_is_survived() {
    let mut world = before_ice();
    let check = world.browsers[0].check(true);
    for len in 0..check.len() {
        let (verdict, sent) = receive(&mut world, alice(), &check[..len]);
        assert!(verdict.is_err() && sent.is_empty());
        // The same with a header that agrees with the length.
        if let Some(body) = len.checked_sub(20) {
            let mut cut = check[..len].to_vec();
            cut[2..4].copy_from_slice(&u16::try_from(body).unwrap().to_be_bytes());
            let (verdict, sent) = receive(&mut world, alice(), &cut);
            assert!(verdict.is_err() && sent.is_empty());
        }
    }
    let mut long = check.clone();
    long.extend([0; 2000]);
    let body = u16::try_from(long.len() - 20).unwrap();
    long[2..4].copy_from_slice(&body.to_be_bytes());
    assert_eq!(receive(&mut world, alice(), &long).0, Err(DropReason::StunMalformed));
}

#[test]
fn only_checks_for_somebody_here_are_answered() {
    let mut world = before_ice();
    let (key, local) = {
        let browser = Browser::chromium("wxyz", &[]);
        let setup = media_core::transport::PeerSetup {
            remote: browser.remote_ice(),
            fingerprint: browser.fingerprint(),
        };
        world.server.open(setup)
    };
    let mut expect = |username: &str, pwd: &str, expected| {
        let (verdict, sent) = receive(&mut world, alice(), &check(username, pwd, true));
        assert_eq!(verdict, expected, "{username}");
        assert_eq!(sent.len(), usize::from(expected.is_ok()));
    };
    let ours = &local.ufrag;
    let unknown = Err(DropReason::StunUnknownUfrag);
    let unauthenticated = Err(DropReason::StunUnauthenticated);
    expect("", &local.pwd, unknown);
    expect(":", &local.pwd, unknown);
    expect("nobody:wxyz", &local.pwd, unknown);
    expect("AAAAAAAA:wxyz", &local.pwd, unknown);
    expect(ours, &local.pwd, unknown);
    expect(&format!("{ours}x:wxyz"), &local.pwd, unknown);
    expect(&format!("wxyz:{ours}"), &local.pwd, unknown);
    expect(&format!("{ours}:"), &local.pwd, unauthenticated);
    expect(&format!("{ours}:wxy"), &local.pwd, unauthenticated);
    expect(&format!("{ours}:wxyz"), "", unauthenticated);
    expect(&format!("{ours}:wxyz"), "guess", unauthenticated);
    expect(&format!("{ours}:wxyz"), &local.pwd, Ok(()));
    assert_eq!(local.ufrag.len(), 8);
    assert!(local.pwd.len() >= 22);
    assert_eq!(world.server.poll_event(), Some((key, TransportEvent::PathOpen(alice().into()))));
}

#[test]
fn what_follows_the_integrity_of_a_check_does_not_count() {
    let mut world = before_ice();
    let check = world.browsers[0].check(false);
    assert!(receive(&mut world, alice(), &check).0.is_ok());
    // An attacker takes a check that nominates nothing, puts USE-CANDIDATE between MESSAGE-INTEGRITY
    // and FINGERPRINT, repairs length and checksum, and sends it from its own address.
    let mut forged = world.browsers[0].check(false);
    forged.truncate(forged.len() - 8);
    forged.extend([0, 0x25, 0, 0]);
    let length = u16::try_from(forged.len() + 8 - 20).unwrap();
    forged[2..4].copy_from_slice(&length.to_be_bytes());
    let checksum = rtc_stun::fingerprint::fingerprint_value(&forged);
    forged.extend([0x80, 0x28, 0, 4]);
    forged.extend(checksum.to_be_bytes());
    assert!(receive(&mut world, stranger(), &forged).0.is_ok());
    assert_eq!(world.server.poll_event().map(|(_, e)| e), Some(TransportEvent::PathOpen(alice().into())));
    assert_eq!(world.server.poll_event(), None, "the path stays");
}

#[test]
fn nothing_but_checks_opens_an_address() {
    let mut world = connected();
    let hello = record(22, &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 7]);
    assert_eq!(receive(&mut world, stranger(), &hello).0, Err(DropReason::DtlsUnknownAddress));
    let media = rtp(1, 1, &[0; 100]);
    assert_eq!(receive(&mut world, stranger(), &media).0, Err(DropReason::MediaUnknownAddress));
    assert_eq!(receive(&mut world, alice(), &media).0, Err(DropReason::SrtpUnauthenticated));
    let mut report = media;
    report[1] = 200;
    assert_eq!(receive(&mut world, stranger(), &report).0, Err(DropReason::MediaUnknownAddress));
    assert_eq!(receive(&mut world, alice(), &report).0, Err(DropReason::SrtpMalformed));
    assert_eq!(receive(&mut world, alice(), &[0x40; 50]).0, Err(DropReason::UnknownProtocol));

    let mut world = before_ice();
    assert_eq!(receive(&mut world, alice(), &hello).0, Err(DropReason::DtlsUnknownAddress));
    let check = world.browsers[0].check(true);
    assert!(receive(&mut world, alice(), &check).0.is_ok());
    assert_eq!(receive(&mut world, alice(), &rtp(1, 1, &[0; 100])).0, Err(DropReason::MediaBeforeKeys));
}

#[test]
fn forged_records_do_not_end_a_complete_association() {
    let mut world = connected();
    let key = world.browsers[0].key();
    let forgeries = [
        record(21, &[2, 40]), // fatal alert
        record(21, &[1, 0]),  // close_notify
        record(20, &[1]),
        record(22, &[20, 0, 0, 1, 0, 3, 0, 0, 0, 0, 0, 1, 7]), // a part of Finished
        record(22, &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 7]),  // ClientHello
        record(23, &[1, 2, 3]),
        [&[21, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 9, 0, 30][..], &[7; 30]].concat(), // not our keys
    ];
    let mut sent = 0;
    for _ in 0..50 {
        for forgery in &forgeries {
            sent += receive(&mut world, alice(), forgery).1.len();
        }
    }
    assert!(sent <= 7, "{sent} answers");
    assert!(
        !world.events_of(key).iter().any(|e| matches!(e, TransportEvent::Closed | TransportEvent::Failed(_)))
    );
    world.browsers[0].sends(&rtp(1, 1, b"still here"));
    world.run_for(Duration::from_millis(10));
    assert_eq!(world.server_rtp.len(), 1);
    // A genuine goodbye is still heard.
    let now = world.now;
    world.browsers[0].close(now);
    world.run_for(Duration::from_millis(10));
    assert_eq!(world.events_of(key).last(), Some(&&TransportEvent::Closed));
    // And nothing begins anew.
    let hello = &forgeries[4];
    assert_eq!(receive(&mut world, alice(), hello).0, Err(DropReason::DtlsOver));
}

/// The attack that overflows the library's stack without the gate, during and after the handshake.
#[test]
fn a_flood_of_tiny_fragments_stops_at_the_gate() {
    let fragment = |offset: u16| {
        let [hi, lo] = offset.to_be_bytes();
        record(22, &[11, 0, 0x40, 0, 0, 1, 0, hi, lo, 0, 0, 1, 7])
    };
    let mut unopened = before_ice();
    let check = unopened.browsers[0].check(true);
    assert!(receive(&mut unopened, alice(), &check).0.is_ok());
    for mut world in [unopened, connected()] {
        let mut taken = 0;
        for n in 0..2_000u16 {
            let flood: Vec<u8> = (0..20).flat_map(|i| fragment((n * 20 + i) % 0x4000)).collect();
            taken += usize::from(receive(&mut world, alice(), &flood).0.is_ok());
        }
        assert!(taken <= 12, "{taken}");
    }
}

#[test]
fn a_handshake_with_damaged_datagrams_ends_or_completes_but_never_hangs_the_server() {
    let mut random = Random(11);
    for seed in 0..150 {
        let mut world = World::new(seed, Impairment::LOOPBACK);
        let browser = world.join(Browser::chromium("abcd", &[ALICE]));
        for _ in 0..40 {
            world.run_for(Duration::from_millis(1));
            let Some(genuine) = world.link.any_to(sim::server_address()) else { continue };
            let mut damaged = genuine;
            match random.below(3) {
                0 => damaged.truncate(random.index(damaged.len())),
                _ => {
                    for _ in 0..=random.below(4) {
                        let at = random.index(damaged.len());
                        damaged[at] = random.byte();
                    }
                }
            }
            let _ = receive(&mut world, alice(), &damaged);
        }
        world.run_for(Duration::from_secs(40));
        let ended = |e: &&TransportEvent| matches!(e, TransportEvent::Keyed(_) | TransportEvent::Failed(_));
        let key = world.browsers[browser].key();
        assert!(world.events_of(key).iter().any(ended), "seed {seed}: {:?}", world.events);
        assert_eq!(world.server.poll_timeout(), None, "seed {seed}");
    }
}

#[test]
fn sealed_packets_with_a_flipped_bit_are_refused() {
    let mut world = connected();
    let now = world.now;
    world.browsers[0].sends(&rtp(9, 1, b"genuine"));
    let (_, packet) = world.browsers[0].poll_transmit().unwrap();
    for at in 0..packet.len() {
        for bit in 0..8 {
            let mut flipped = packet.clone();
            flipped[at] ^= 1 << bit;
            assert!(receive(&mut world, alice(), &flipped).0.is_err(), "byte {at}, bit {bit}");
        }
    }
    assert_eq!(receive(&mut world, alice(), &packet).0, Ok(()));
    assert_eq!(receive(&mut world, alice(), &packet).0, Err(DropReason::SrtpReplayed));
    assert_eq!(world.now, now);
}
