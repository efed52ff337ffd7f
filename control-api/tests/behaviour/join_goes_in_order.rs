use control_api::{Authority, EventKind, JoinAs, LegEnd, MediaEvent, MediaInstruction, ProjectId, RoomGrant};
use serde_json::json;

use crate::world::{PROJECT, START_UNIX_S, World, kinds, secs};

#[test]
fn the_joiner_hears_answer_state_joined_seat_layout() {
    let mut world = World::new();
    let alice = world.browser("Alice", &[]);
    assert_eq!(world.event_names(alice), ["signalwire.authorization.state"]);
    let reply = world.invite(alice, "call-1");
    assert_eq!(reply["result"]["result"]["message"], "CALL CREATED");
    let member = reply["result"]["result"]["memberID"].clone();
    let events = world.events_of(alice);
    let names: Vec<_> = events.iter().map(crate::world::event_name).collect();
    assert_eq!(
        names,
        [
            "verto.answer",
            "video.room.subscribed",
            "video.member.joined",
            "video.member.updated",
            "video.layout.changed"
        ]
    );
    let subscribed = &events[1]["params"];
    assert_eq!(subscribed["call_id"], "call-1");
    assert_eq!(subscribed["member_id"], member);
    assert_eq!(subscribed["room_session"]["members"][0]["id"], member);
    assert_eq!(subscribed["room"], subscribed["room_session"]);
    assert_eq!(events[3]["params"]["member"]["updated"], json!(["visible", "current_position"]));
    assert_eq!(events[3]["params"]["member"]["current_position"], "standard-1");
    assert_eq!(events[4]["params"]["layout"]["layers"][0]["member_id"], member);
}

#[test]
fn the_reply_comes_before_the_answer_is_known() {
    let mut world = World::new();
    world.answers = false;
    let alice = world.browser("Alice", &[]);
    world.frames(alice);
    assert_eq!(world.invite(alice, "call-1")["code"], "200");
    assert_eq!(world.frames(alice), Vec::<serde_json::Value>::new());
    assert_eq!(world.members(), Vec::<String>::new());
    let leg = world.last_leg();
    world.media(MediaEvent::LegAnswered { leg, sdp: "v=0".into() });
    world.pass(secs(1));
    assert_eq!(world.event_names(alice)[..2], ["verto.answer", "video.room.subscribed"]);
    assert_eq!(world.members(), ["Alice"]);
}

#[test]
fn those_who_are_in_hear_of_the_newcomer_only_once_it_is_in() {
    let mut world = World::new();
    let alice = world.browser("Alice", &[]);
    world.join(alice);
    world.pass(secs(1));
    world.forget_frames();
    world.answers = false;
    let bob = world.browser("Bob", &[]);
    let reply = world.invite(bob, "call-2");
    world.pass(secs(1));
    // Bob has a seat already, but nobody knows Bob.
    for event in world.events_of(alice) {
        for layer in event["params"]["layout"]["layers"].as_array().into_iter().flatten() {
            assert_ne!(layer["member_id"], reply["result"]["result"]["memberID"]);
        }
    }
    let leg = world.last_leg();
    world.media(MediaEvent::LegAnswered { leg, sdp: "v=0".into() });
    world.pass(secs(1));
    let events = world.events_of(alice);
    let names: Vec<_> = events.iter().map(crate::world::event_name).collect();
    assert_eq!(names, ["video.member.joined", "video.member.updated", "video.layout.changed"]);
    assert_eq!(
        events[2]["params"]["layout"]["layers"][1]["member_id"],
        reply["result"]["result"]["memberID"]
    );
}

#[test]
fn the_project_hears_of_the_beginning_first_and_of_the_end_last() {
    let mut world = World::new();
    let bot = world.realtime();
    let events = json!(["video.room.started", "video.room.ended"]);
    let reply = world.request(
        bot,
        "signalwire.subscribe",
        &json!({"event_channel": "video.rooms", "events": events}),
    );
    assert_eq!(reply.unwrap()["result"], json!({"code": "200", "message": "OK"}));
    let alice = world.browser("Alice", &[]);
    world.join(alice);
    assert_eq!(world.event_names(bot), ["video.room.started"]);
    world.verto(alice, "verto.bye", json!({"dialogParams": {"callID": format!("call-{}", alice.session.0)}}));
    assert_eq!(world.event_names(bot), ["video.room.ended"]);
    assert_eq!(world.events.first().unwrap().kind, EventKind::RoomStarted);
    assert_eq!(world.events.last().unwrap().kind, EventKind::RoomEnded);
    assert!(!world.has_room());
    assert_eq!(world.instructions.last(), Some(&MediaInstruction::CloseRoom));
}

#[test]
fn a_refused_offer_leaves_no_trace() {
    let mut world = World::new();
    world.answers = false;
    let alice = world.browser("Alice", &[]);
    world.frames(alice);
    world.invite(alice, "call-1");
    let leg = world.last_leg();
    world.media(MediaEvent::LegEnded { leg, why: LegEnd::Refused });
    let events = world.events_of(alice);
    assert_eq!(events.len(), 1);
    assert_eq!(
        events[0]["params"]["params"],
        json!({"callID": "call-1", "causeCode": "88", "cause": "INCOMPATIBLE_DESTINATION"})
    );
    assert_eq!(kinds(&world.events), []);
    assert!(!world.has_room());
}

#[test]
fn an_offer_nobody_answers_is_given_up() {
    let mut world = World::new();
    world.answers = false;
    let alice = world.browser("Alice", &[]);
    world.invite(alice, "call-1");
    world.frames(alice);
    world.stay_awake(&[alice], secs(9));
    assert!(world.has_room());
    world.stay_awake(&[alice], secs(2));
    assert_eq!(world.event_names(alice), ["verto.bye"]);
    assert!(!world.has_room());
}

#[test]
fn the_door_can_be_closed() {
    let grant = || RoomGrant::new(ProjectId::new(PROJECT), "my-room", "Eve");
    let cases: [(&str, RoomGrant, &str); 6] = [
        ("too early", RoomGrant { join_from: Some(START_UNIX_S + 1.0), ..grant() }, "403"),
        ("too late", RoomGrant { join_until: Some(START_UNIX_S), ..grant() }, "403"),
        ("expired", RoomGrant { expires_at: Some(START_UNIX_S - 1.0), ..grant() }, "403"),
        ("no such room", RoomGrant { auto_create_room: false, ..grant() }, "403"),
        ("audience", RoomGrant { join_as: JoinAs::Audience, ..grant() }, "200"),
        (
            "open",
            RoomGrant { join_from: Some(START_UNIX_S), join_until: Some(START_UNIX_S + 1.0), ..grant() },
            "200",
        ),
    ];
    for (what, grant, code) in cases {
        let mut world = World::new();
        let eve = world.connect(Authority::Room(grant), true);
        assert_eq!(world.invite(eve, "call-1")["code"], code, "{what}");
    }
}

#[test]
fn a_full_room_refuses_the_next_one() {
    let mut world = World::new();
    for n in 0..4 {
        let client = world.browser(&format!("M{n}"), &[]);
        world.join(client);
    }
    let late = world.browser("Late", &[]);
    assert_eq!(world.invite(late, "call-x"), json!({"code": "403", "message": "Unauthorized"}));
    assert_eq!(world.members().len(), 4);
}

#[test]
fn muted_at_join_is_seen_in_the_first_state() {
    let mut world = World::new();
    let mut grant = RoomGrant::new(ProjectId::new(PROJECT), "my-room", "Eve");
    grant.join_video_muted = true;
    let eve = world.connect(Authority::Room(grant), true);
    world.join(eve);
    let events = world.events_of(eve);
    let member = &events[2]["params"]["room_session"]["members"][0];
    assert_eq!((&member["video_muted"], &member["audio_muted"]), (&json!(true), &json!(false)));
    assert!(matches!(&world.instructions[0], MediaInstruction::AddMember { setup, .. } if setup.video_muted));
}

#[test]
fn another_call_of_the_same_session_takes_the_place_of_the_first() {
    let mut world = World::new();
    world.answers = false;
    let alice = world.browser("Alice", &[]);
    world.invite(alice, "call-1");
    world.answers = true;
    world.invite(alice, "call-2");
    world.pass(secs(1));
    assert_eq!(world.members(), ["Alice"]);
    let joined = world.events.iter().filter(|event| event.kind == EventKind::MemberJoined).count();
    assert_eq!(joined, 1);
    assert!(world.instructions.iter().any(|i| matches!(i, MediaInstruction::RemoveMember { .. })));
}
