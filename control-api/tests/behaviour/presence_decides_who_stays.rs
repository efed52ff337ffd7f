use control_api::{
    Authority, EventKind, LegEnd, LegId, Liveness, MediaEvent, ProjectId, RoomGrant, RoomInput,
};
use serde_json::json;

use crate::world::{Client, PROJECT, World, kinds, secs};

/// Alice on leg 1, Bob on leg 2.
fn two() -> (World, Client, Client) {
    let mut world = World::new();
    let alice = world.browser("Alice", &[]);
    let bob = world.browser("Bob", &[]);
    world.join(alice);
    world.join(bob);
    world.pass(secs(1));
    world.forget_frames();
    (world, alice, bob)
}

#[test]
fn a_lost_socket_ends_no_call() {
    let (mut world, alice, bob) = two();
    world.lose_socket(alice);
    world.stay_awake(&[bob], secs(59));
    assert_eq!(world.members(), ["Alice", "Bob"]);
    let alice = world.reconnect(alice);
    world.stay_awake(&[alice, bob], secs(120));
    assert_eq!(world.members(), ["Alice", "Bob"]);
}

#[test]
fn who_comes_not_back_within_60_s_leaves() {
    let (mut world, alice, bob) = two();
    world.lose_socket(alice);
    world.stay_awake(&[bob], secs(61));
    assert_eq!(world.members(), ["Bob"]);
    assert!(!world.sessions.contains_key(&alice.session));
    assert_eq!(world.event_names(bob)[..1], ["video.member.left"]);
}

#[test]
fn no_socket_and_no_packet_for_15_s_is_gone() {
    for socket_first in [true, false] {
        let (mut world, alice, bob) = two();
        if socket_first {
            world.lose_socket(alice);
        }
        world.heard(LegId(1), Liveness::Stale);
        world.stay_awake(&[bob], secs(9));
        assert_eq!(world.members(), ["Alice", "Bob"]);
        if !socket_first {
            world.heard(LegId(1), Liveness::Silent);
            assert_eq!(world.members(), ["Alice", "Bob"], "the socket lives");
            world.lose_socket(alice);
        } else {
            world.heard(LegId(1), Liveness::Silent);
        }
        assert_eq!(world.members(), ["Bob"], "socket first: {socket_first}");
    }
}

#[test]
fn how_long_that_is_can_be_configured() {
    for (configured, leaves_after) in [(3, 5), (8, 8), (60, 60), (200, 200)] {
        let mut world = World::new();
        world.leave_after = secs(configured);
        let (alice, bob) = (world.browser("Alice", &[]), world.browser("Bob", &[]));
        world.join(alice);
        world.join(bob);
        world.lose_socket(alice);
        // Nothing comes from now on; the media plane notices after 5 s.
        world.stay_awake(&[bob], secs(5));
        world.heard(LegId(1), Liveness::Stale);
        if leaves_after > 5 {
            world.stay_awake(&[bob], secs(leaves_after - 6));
            assert_eq!(world.members(), ["Alice", "Bob"], "{configured}");
            world.stay_awake(&[bob], secs(2));
        }
        assert_eq!(world.members(), ["Bob"], "{configured}");
    }
}

#[test]
fn packets_that_come_again_keep_the_member() {
    let (mut world, alice, bob) = two();
    world.heard(LegId(1), Liveness::Silent);
    world.heard(LegId(1), Liveness::Alive);
    world.lose_socket(alice);
    world.stay_awake(&[bob], secs(30));
    assert_eq!(world.members(), ["Alice", "Bob"]);
}

#[test]
fn a_socket_without_packets_for_30_s_gets_a_goodbye() {
    let (mut world, alice, bob) = two();
    world.heard(LegId(1), Liveness::Silent);
    assert_eq!(world.members(), ["Alice", "Bob"]);
    world.heard(LegId(1), Liveness::Gone);
    assert_eq!(world.event_names(alice), ["verto.bye"]);
    assert_eq!(world.members(), ["Bob"]);
    assert_eq!(world.event_names(bob)[..1], ["video.member.left"]);
}

#[test]
fn a_closed_tab_leaves_after_15_s() {
    let (mut world, alice, bob) = two();
    world.media(MediaEvent::LegEnded { leg: LegId(1), why: LegEnd::PeerClosed });
    world.lose_socket(alice);
    world.stay_awake(&[bob], secs(14));
    assert_eq!(world.members(), ["Alice", "Bob"]);
    world.stay_awake(&[bob], secs(2));
    assert_eq!(world.members(), ["Bob"]);
}

#[test]
fn a_leg_that_never_connects_is_closed() {
    for by_media in [true, false] {
        let mut world = World::new();
        world.answers = false;
        let alice = world.browser("Alice", &[]);
        world.join(alice);
        let leg = world.last_leg();
        world.media(MediaEvent::LegAnswered { leg, sdp: "v=0".into() });
        world.frames(alice);
        if by_media {
            world.media(MediaEvent::LegEnded { leg, why: LegEnd::NeverConnected });
        } else {
            world.stay_awake(&[alice], secs(31));
        }
        assert_eq!(world.event_names(alice).last().unwrap(), "verto.bye");
        assert_eq!(
            kinds(&world.events)[kinds(&world.events).len() - 2..],
            [EventKind::MemberLeft, EventKind::RoomEnded]
        );
        assert!(!world.has_room());
    }
}

#[test]
fn a_half_open_leg_without_a_socket_is_given_up_sooner() {
    let mut world = World::new();
    world.answers = false;
    let alice = world.browser("Alice", &[]);
    world.join(alice);
    let leg = world.last_leg();
    world.media(MediaEvent::LegAnswered { leg, sdp: "v=0".into() });
    world.lose_socket(alice);
    world.pass(secs(14));
    assert_eq!(world.members(), ["Alice"]);
    world.pass(secs(2));
    assert!(!world.has_room());
}

#[test]
fn a_socket_that_is_back_counts() {
    let (mut world, alice, bob) = two();
    world.lose_socket(alice);
    let alice = world.reconnect(alice);
    world.heard(LegId(1), Liveness::Silent);
    world.stay_awake(&[alice, bob], secs(5));
    assert_eq!(world.members(), ["Alice", "Bob"]);
}

#[test]
fn a_watcher_whose_session_ended_is_sent_nothing() {
    let (mut world, alice, bob) = two();
    let bot = world.realtime();
    let channel = format!("EC_{}", world.room_id());
    let params = json!({"event_channel": channel, "events": ["video.member.talking"]});
    world.request(bot, "signalwire.subscribe", &params);
    let talk = |world: &mut World, talking| {
        let member = world.rooms.values().next().unwrap().machine.snapshot().unwrap().members[0].id.clone();
        world.media(MediaEvent::Talking { member, talking });
        world.last_recipients.sessions.clone()
    };
    assert_eq!(talk(&mut world, true), [alice.session, bob.session, bot.session]);
    world.lose_socket(bot);
    world.stay_awake(&[alice, bob], secs(61));
    assert_eq!(talk(&mut world, false), [alice.session, bob.session]);
}

#[test]
fn a_socket_that_never_answers_pings_is_dead() {
    let (mut world, alice, bob) = two();
    world.stay_awake(&[bob], secs(36));
    assert!(world.closed.contains(&alice.socket));
    assert!(!world.closed.contains(&bob.socket));
    world.heard(LegId(1), Liveness::Silent);
    assert_eq!(world.members(), ["Bob"]);
}

#[test]
fn a_token_can_limit_the_stay() {
    let grant = || RoomGrant::new(ProjectId::new(PROJECT), "my-room", "Eve");
    for grant in [
        RoomGrant { remove_after_s: Some(20.0), ..grant() },
        RoomGrant { remove_at: Some(crate::world::START_UNIX_S + 20.0), ..grant() },
    ] {
        let mut world = World::new();
        let eve = world.connect(Authority::Room(grant), true);
        world.join(eve);
        world.stay_awake(&[eve], secs(19));
        assert_eq!(world.members(), ["Eve"]);
        world.frames(eve);
        world.stay_awake(&[eve], secs(2));
        assert_eq!(world.event_names(eve), ["verto.bye"]);
    }
}

#[test]
fn a_host_who_leaves_can_end_the_room() {
    let mut world = World::new();
    let mut grant = RoomGrant::new(ProjectId::new(PROJECT), "my-room", "Host");
    grant.end_room_session_on_leave = true;
    let host = world.connect(Authority::Room(grant), true);
    let guest = world.browser("Guest", &[]);
    world.join(host);
    world.join(guest);
    world.forget_frames();
    world.verto(host, "verto.bye", json!({"dialogParams": {"callID": format!("call-{}", host.session.0)}}));
    assert_eq!(world.event_names(guest), ["video.member.left", "verto.bye"]);
    assert!(!world.has_room());
}

#[test]
fn a_host_who_comes_again_under_another_call_does_not_leave() {
    let mut world = World::new();
    let mut grant = RoomGrant::new(ProjectId::new(PROJECT), "my-room", "Host");
    grant.end_room_session_on_leave = true;
    let host = world.connect(Authority::Room(grant), true);
    let guest = world.browser("Guest", &[]);
    world.join(host);
    world.join(guest);
    world.forget_frames();
    world.invite(host, "another");
    assert_eq!(world.members(), ["Guest", "Host"]);
    assert!(!world.event_names(guest).contains(&"verto.bye".to_owned()));
}

#[test]
fn a_server_that_stops_says_goodbye_to_everybody() {
    let (mut world, alice, bob) = two();
    let room = world.room_id();
    world.tell_room(&room, RoomInput::Close);
    assert_eq!(world.event_names(alice), ["verto.bye"]);
    assert_eq!(world.event_names(bob).last().unwrap(), "verto.bye");
    assert_eq!(world.events.last().unwrap().kind, EventKind::RoomEnded);
    assert_eq!(world.ended, [room]);
}

#[test]
fn a_request_that_comes_too_late_for_a_room_finds_the_next_one() {
    let (mut world, alice, _) = two();
    let old = world.room_id();
    let mut room = world.rooms.remove(&old).unwrap();
    let now = world.now();
    room.machine.handle(now, RoomInput::Close);
    while room.machine.poll().is_some() {}
    world.rooms.insert(old.clone(), room);
    // Still in the shell's table when the invite arrives: the room hands it back, and it opens another.
    let reply = world.invite(alice, "call-9");
    assert_eq!(reply["code"], "200");
    assert_ne!(world.room_id(), old);
    assert_eq!(world.members(), ["Alice"]);
}
