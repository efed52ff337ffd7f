//! Changes of address and ICE restarts, with media going on.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "tests fail by panic"
)]

mod sim;

use std::net::SocketAddr;
use std::time::Duration;

use media_core::transport::{ConnectionId, DropReason, Path, PeerSetup, Received, TransportEvent};
use sim::browser::{Browser, check};
use sim::link::Impairment;
use sim::{World, rtp, server_address};

const HOME: &str = "198.51.100.1:5000";
const MOBILE: &str = "203.0.113.7:7000";

fn connected(addresses: &[&str]) -> (World, usize) {
    let mut world = World::new(7, Impairment::LOOPBACK);
    let browser = world.join(Browser::chromium("abcd", addresses));
    assert!(world.run_until(Duration::from_secs(1), |w| w.is_connected(browser)));
    (world, browser)
}

/// One packet each way, the server's to `expected_at`.
fn media_flows(world: &mut World, browser: usize, seq: u16, expected_at: &str) {
    let key = world.browsers[browser].key();
    world.browsers[browser].sends(&rtp(1, seq, b"up"));
    assert!(world.server_sends(key, &rtp(2, seq, b"down")));
    world.run_for(Duration::from_millis(10));
    assert_eq!(world.server_rtp.pop(), Some((key, rtp(1, seq, b"up"))));
    assert_eq!(world.browsers[browser].rtp.pop(), Some((expected_at.parse().unwrap(), rtp(2, seq, b"down"))));
}

#[test]
fn media_goes_to_the_nominated_address() {
    // Both addresses are checked, the first is nominated.
    let (mut world, browser) = connected(&[HOME, MOBILE]);
    assert_eq!(world.browsers[browser].confirmed.len(), 2);
    media_flows(&mut world, browser, 1, HOME);

    let now = world.now;
    world.browsers[browser].moves_to(now, MOBILE);
    world.run_for(Duration::from_millis(10));
    media_flows(&mut world, browser, 2, MOBILE);
    let key = world.browsers[browser].key();
    assert_eq!(
        world.events_of(key).last(),
        Some(&&TransportEvent::PathMoved(MOBILE.parse::<SocketAddr>().unwrap().into()))
    );
}

#[test]
fn an_unknown_address_is_learnt_from_its_first_check() {
    let (mut world, browser) = connected(&[HOME]);
    let now = world.now;
    world.browsers[browser].moves_to(now, MOBILE);
    world.run_for(Duration::from_millis(10));
    media_flows(&mut world, browser, 2, MOBILE);
}

#[test]
fn the_handshake_goes_on_at_another_address() {
    let mut world = World::new(7, Impairment { delay: Duration::from_millis(50), ..Impairment::LOOPBACK });
    let browser = world.join(Browser::chromium("abcd", &[HOME]));
    world.run_for(Duration::from_millis(220));
    assert!(!world.browsers[browser].is_connected());
    let now = world.now;
    world.browsers[browser].moves_to(now, MOBILE);
    assert!(world.run_until(Duration::from_secs(3), |w| w.is_connected(browser)));
}

#[test]
fn media_continues_through_an_ice_restart() {
    let (mut world, browser) = connected(&[HOME]);
    let key = world.browsers[browser].key();
    let mut remote = world.browsers[browser].remote_ice();
    remote.ufrag = "efgh".to_owned();
    let old = world.browsers[browser].check(true);
    let local = world.server.restart_ice(key, remote).unwrap();
    // The answer is on its way: checks and media go on as before.
    media_flows(&mut world, browser, 1, HOME);
    let now = world.now;
    world.link.send(now, HOME.parse().unwrap(), server_address(), old.clone());
    media_flows(&mut world, browser, 2, HOME);
    assert_eq!(world.refused, []);

    let now = world.now;
    world.browsers[browser].restarted(now, "efgh", local);
    world.browsers[browser].moves_to(now, MOBILE);
    world.run_for(Duration::from_millis(10));
    media_flows(&mut world, browser, 3, MOBILE);
    assert_eq!(world.browsers[browser].confirmed, [MOBILE, HOME].map(|a| a.parse::<SocketAddr>().unwrap()));
    let keyed = world.events_of(key).into_iter().filter(|e| matches!(e, TransportEvent::Keyed(_))).count();
    assert_eq!(keyed, 1, "DTLS is untouched");

    // The new credentials have been used: the old ones are history.
    let now = world.now;
    world.link.send(now, HOME.parse().unwrap(), server_address(), old);
    world.run_for(Duration::from_millis(10));
    assert_eq!(world.refused, [DropReason::StunUnknownUfrag]);
}

#[test]
fn restarts_in_a_row_keep_the_credentials_in_use() {
    let (mut world, browser) = connected(&[HOME]);
    let key = world.browsers[browser].key();
    let remote = world.browsers[browser].remote_ice();
    let first = world.server.restart_ice(key, remote.clone()).unwrap();
    let second = world.server.restart_ice(key, remote).unwrap();
    world.run_for(Duration::from_secs(6));
    assert_eq!(world.refused, [], "the browser still uses its first credentials");

    let now = world.now;
    let username = |ufrag: &str| format!("{ufrag}:abcd");
    let home = HOME.parse().unwrap();
    world.link.send(now, home, server_address(), check(&username(&first.ufrag), &first.pwd, true));
    world.run_for(Duration::from_millis(10));
    assert_eq!(world.refused, [DropReason::StunUnknownUfrag], "those nobody ever used are gone");
    world.browsers[browser].restarted(world.now, "abcd", second);
    world.run_for(Duration::from_secs(3));
    assert_eq!(world.refused.len(), 1);
}

#[test]
fn a_peer_has_sixteen_addresses_and_keeps_its_path() {
    let (mut world, browser) = connected(&[HOME]);
    for port in 1..=100 {
        let check = world.browsers[browser].check(false);
        let now = world.now;
        world.link.send(now, format!("203.0.113.9:{port}").parse().unwrap(), server_address(), check);
        world.run_for(Duration::from_millis(2));
    }
    let mut drop_reason_of = |address: &str| {
        let mut forged = rtp(1, 1, b"forged, so without a tag");
        match world.server.receive(world.now, address.parse::<SocketAddr>().unwrap(), &mut forged) {
            Received::Refused(reason) => reason,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(drop_reason_of("203.0.113.9:85"), DropReason::MediaUnknownAddress);
    assert_eq!(drop_reason_of("203.0.113.9:86"), DropReason::SrtpUnauthenticated);
    assert_eq!(drop_reason_of("203.0.113.9:100"), DropReason::SrtpUnauthenticated);
    media_flows(&mut world, browser, 1, HOME);
}

#[test]
fn a_live_path_cannot_be_taken_by_another_peer() {
    let (mut world, browser) = connected(&[HOME]);
    let mallory = Browser::chromium("mall", &[]);
    let setup = PeerSetup { remote: mallory.remote_ice(), fingerprint: mallory.fingerprint() };
    let (key, local) = world.server.open(setup);
    // Mallory, a member, forges the sender address of its own checks.
    let forged = check(&format!("{}:mall", local.ufrag), &local.pwd, true);
    let home: SocketAddr = HOME.parse().unwrap();
    world.link.send(world.now, home, server_address(), forged.clone());
    world.run_for(Duration::from_millis(10));
    assert_eq!(world.refused, [DropReason::StunAddressTaken]);
    media_flows(&mut world, browser, 1, HOME);

    // An address that its owner has left may be given to another by the same NAT.
    world.link.impairment.loss_permille = 1000;
    world.run_for(Duration::from_secs(11));
    world.link.impairment.loss_permille = 0;
    world.link.send(world.now, home, server_address(), forged);
    world.run_for(Duration::from_millis(10));
    assert_eq!(world.events_of(key), [&TransportEvent::PathOpen(home.into())]);
}

#[test]
fn what_is_heard_is_noted() {
    let (mut world, browser) = connected(&[HOME]);
    let key = world.browsers[browser].key();
    world.run_for(Duration::from_secs(9));
    let heard = world.server.last_heard(key).unwrap();
    assert!(world.now - heard < Duration::from_secs(3), "checks count");
    world.run_for(Duration::from_millis(10));
    world.browsers[browser].sends(&rtp(1, 1, b"x"));
    world.run_for(Duration::from_millis(2));
    assert!(world.now - world.server.last_heard(key).unwrap() < Duration::from_millis(2), "media counts");

    let before = world.server.last_heard(key);
    let now = world.now;
    world.link.send(now, HOME.parse().unwrap(), server_address(), rtp(1, 9, b"forged, as it has no tag"));
    world.run_for(Duration::from_millis(2));
    assert_eq!(world.server.last_heard(key), before, "forgeries do not");
}

/// Hands the server what came on a connection; why it was refused.
fn on_connection(world: &mut World, connection: u32, bytes: &[u8]) -> Option<DropReason> {
    let from = Path::Tcp(ConnectionId(connection));
    match world.server.receive(world.now, from, &mut bytes.to_vec()) {
        Received::Refused(reason) => Some(reason),
        Received::Taken | Received::Rtp { .. } | Received::Rtcp { .. } => None,
    }
}

/// Where the next packet of the server would go.
fn goes_to(world: &mut World, browser: usize, seq: u16) -> Option<Path> {
    let key = world.browsers[browser].key();
    world.server.seal_rtp(key, &mut rtp(2, seq, b"down"))
}

#[test]
fn media_moves_to_a_connection_and_back_without_a_gap() {
    let (mut world, browser) = connected(&[HOME]);
    let key = world.browsers[browser].key();
    let home = Path::Udp(HOME.parse().unwrap());
    let (first, tcp) = (ConnectionId(5), Path::Tcp(ConnectionId(5)));
    world.server.handle_connected(first, MOBILE.parse().unwrap());

    // Nothing but a check makes it a path.
    world.browsers[browser].sends(&rtp(1, 1, b"up"));
    let (_, sealed) = world.browsers[browser].poll_transmit().unwrap();
    assert_eq!(on_connection(&mut world, 5, &sealed), Some(DropReason::MediaUnknownAddress));
    assert!(!world.server.serves(first));
    let unnominated = world.browsers[browser].check(false);
    assert_eq!(on_connection(&mut world, 5, &unnominated), None);
    assert!(world.server.serves(first));
    assert_eq!(goes_to(&mut world, browser, 1), Some(home), "checked, not chosen");
    let (to, answer) = world.server.poll_transmit().unwrap();
    assert_eq!(to, tcp);
    world.browsers[browser].moves_to(world.now, MOBILE);
    let now = world.now;
    // The browser looks at XOR-MAPPED-ADDRESS: it is where the connection comes from.
    world.browsers[browser].receive(now, MOBILE.parse().unwrap(), answer.to_vec());

    // Chosen: from the next packet on it goes there, and media is taken from there.
    let nominated = world.browsers[browser].check(true);
    assert_eq!(on_connection(&mut world, 5, &nominated), None);
    assert_eq!(goes_to(&mut world, browser, 2), Some(tcp));
    assert_eq!(world.server.poll_event(), Some((key, TransportEvent::PathMoved(tcp))));
    assert_eq!(on_connection(&mut world, 5, &sealed), None);

    // The connection is lost: the address that was heard of late has it in the same instant.
    world.server.handle_disconnected(world.now, first);
    assert_eq!(goes_to(&mut world, browser, 3), Some(home));
    assert_eq!(world.server.poll_event(), Some((key, TransportEvent::PathMoved(home))));
    assert_eq!(on_connection(&mut world, 5, &nominated), Some(DropReason::StunUnauthenticated), "it is gone");
}

#[test]
fn a_peer_that_was_heard_nowhere_else_of_late_is_found_by_its_next_check() {
    let (mut world, browser) = connected(&[HOME]);
    let nominated = world.browsers[browser].check(true);
    world.server.handle_connected(ConnectionId(1), MOBILE.parse().unwrap());
    assert_eq!(on_connection(&mut world, 1, &nominated), None);
    world.link.impairment.loss_permille = 1000;
    world.run_for(Duration::from_secs(11));
    world.server.handle_disconnected(world.now, ConnectionId(1));
    assert_eq!(
        goes_to(&mut world, browser, 1),
        None,
        "an address of eleven seconds ago may be somebody else's"
    );
    world.link.impairment.loss_permille = 0;
    world.run_for(Duration::from_secs(3));
    media_flows(&mut world, browser, 2, HOME);
}

#[test]
fn ice_restarts_over_a_connection() {
    let (mut world, browser) = connected(&[HOME]);
    let key = world.browsers[browser].key();
    for connection in [1, 2] {
        world.server.handle_connected(ConnectionId(connection), MOBILE.parse().unwrap());
    }
    let before = world.browsers[browser].check(true);
    assert_eq!(on_connection(&mut world, 1, &before), None);
    let mut remote = world.browsers[browser].remote_ice();
    remote.ufrag = "efgh".to_owned();
    let local = world.server.restart_ice(key, remote).unwrap();
    assert_eq!(goes_to(&mut world, browser, 1), Some(Path::Tcp(ConnectionId(1))), "media goes on");
    let now = world.now;
    world.browsers[browser].restarted(now, "efgh", local);
    let after = world.browsers[browser].check(true);
    assert_eq!(on_connection(&mut world, 2, &after), None);
    assert_eq!(goes_to(&mut world, browser, 2), Some(Path::Tcp(ConnectionId(2))));
    assert_eq!(on_connection(&mut world, 1, &before), Some(DropReason::StunUnknownUfrag), "history");
}

#[test]
fn connections_nobody_uses_any_more_are_given_back() {
    let (mut world, browser) = connected(&[HOME]);
    let key = world.browsers[browser].key();
    // Sixteen paths: the address, and fifteen connections. The next ones take the places of the quietest.
    for connection in 1..=17 {
        world.server.handle_connected(ConnectionId(connection), MOBILE.parse().unwrap());
        world.run_for(Duration::from_millis(1));
        let check = world.browsers[browser].check(false);
        assert_eq!(on_connection(&mut world, connection, &check), None);
    }
    let mut given_back =
        || std::iter::from_fn(|| world.server.poll_abandoned()).map(|c| c.0).collect::<Vec<_>>();
    assert_eq!(given_back(), [1, 2]);
    world.server.close(world.now, key);
    let mut rest: Vec<u32> = std::iter::from_fn(|| world.server.poll_abandoned()).map(|c| c.0).collect();
    rest.sort_unstable();
    assert_eq!(rest, (3..=17).collect::<Vec<_>>());
}
