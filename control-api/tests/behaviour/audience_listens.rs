use std::time::Duration;

use control_api::{EventKind, Liveness, MediaEvent, MediaInstruction, MemberId};
use serde_json::{Value, json};

use crate::world::{Client, World, all_scopes, event_name, secs};

fn snapshot(world: &World) -> Value {
    let room = world.rooms.values().next_back().unwrap();
    serde_json::to_value(&*room.machine.snapshot().unwrap()).unwrap()
}

fn totals(events: &[Value]) -> Vec<u64> {
    let counts = events.iter().filter(|event| event["event_type"] == "video.room.audience_count");
    counts.map(|event| event["params"]["total"].as_u64().unwrap()).collect()
}

/// Alice, a member who subscribes to the count, and a listener who has just come.
fn hall() -> (World, Client, Client, MemberId) {
    let mut world = World::new();
    let alice = world.browser("Alice", &[]);
    world.join(alice);
    world.pass(secs(1));
    world.forget_frames();
    let larry = world.listener("Larry");
    let id = world.join(larry);
    (world, alice, larry, id)
}

#[test]
fn a_listener_gets_answer_state_and_layout_and_nobody_hears_of_it() {
    let (mut world, alice, larry, id) = hall();
    let events = world.events_of(larry);
    let names: Vec<_> = events.iter().map(event_name).collect();
    let expected =
        ["signalwire.authorization.state", "verto.answer", "video.room.subscribed", "video.layout.changed"];
    assert_eq!(names, expected);
    let state = &events[2]["params"];
    assert_eq!((&state["member_id"], &state["call_id"]), (&json!(id.as_str()), &json!("call-5")));
    assert_eq!(state["room_session"]["members"].as_array().unwrap().len(), 1);
    assert_eq!(state["room_session"]["audience_count"], 1);
    assert!(matches!(
        &world.instructions[0],
        MediaInstruction::AddMember { setup, .. } if setup.audience
    ));
    assert_eq!(world.event_names(alice), Vec::<String>::new());
}

#[test]
fn a_listener_hears_what_happens() {
    let (mut world, alice, larry, _) = hall();
    world.frames(larry);
    let member = MemberId::new(snapshot(&world)["members"][0]["id"].as_str().unwrap());
    world.media(MediaEvent::Talking { member, talking: true });
    let bob = world.browser("Bob", &[]);
    world.join(bob);
    world.pass(Duration::from_millis(100));
    world.verto(bob, "verto.bye", json!({"dialogParams": {"callID": format!("call-{}", bob.session.0)}}));
    world.pass(Duration::from_millis(100));
    let heard = world.event_names(larry);
    assert_eq!(heard, world.event_names(alice));
    let expected = [
        "video.member.talking",
        "video.member.joined",
        "video.member.updated",
        "video.layout.changed",
        "video.member.left",
        "video.layout.changed",
    ];
    assert_eq!(heard, expected);
}

#[test]
fn a_listener_may_do_nothing_whatever_its_token_lists() {
    let mut world = World::new();
    let alice = world.browser("Alice", &[]);
    let member = world.join(alice);
    let larry = world.listener("Larry");
    let own = world.join(larry);
    for (method, params) in [
        ("video.member.audio_mute", json!({"member_id": own.as_str()})),
        ("video.member.audio_mute", json!({"member_id": member.as_str()})),
        ("video.set_layout", json!({"name": "2x2"})),
    ] {
        assert_eq!(world.method(larry, method, params)["code"], "403", "{method}");
    }
    assert_eq!(world.method(larry, "video.members.get", json!({}))["members"].as_array().unwrap().len(), 1);
    // Nor can anything be done to a listener.
    let scopes = all_scopes();
    let host = world.browser("Host", &scopes.iter().map(String::as_str).collect::<Vec<_>>());
    world.join(host);
    assert_eq!(
        world.method(host, "video.member.audio_mute", json!({"member_id": own.as_str()}))["code"],
        "404"
    );
    let reply = world.share(larry, "s", "screenShare", json!({}));
    assert_eq!(reply["code"], "403");
}

#[test]
fn the_count_is_told_once_it_settles_and_every_30_s() {
    let mut world = World::new();
    let bot = world.realtime();
    let alice = world.browser("Alice", &[]);
    world.join(alice);
    let channel = format!("EC_{}", world.room_id());
    world.request(
        bot,
        "signalwire.subscribe",
        &json!({"event_channel": channel, "events": ["video.room.audienceCount"]}),
    );
    world.frames(bot);
    let listeners: Vec<Client> = (0..3).map(|n| world.listener(&format!("L{n}"))).collect();
    let mut clients = vec![bot, alice];
    for listener in listeners {
        world.join(listener);
        clients.push(listener);
        world.pass(Duration::from_millis(300));
    }
    world.stay_awake(&clients, secs(2));
    // Three came within a second: one event.
    assert_eq!(totals(&world.events_of(bot)), [3]);
    world.lose_socket(clients[4]);
    world.stay_awake(&clients[..4], secs(61));
    // Repeated at 30 s, told once more when the session of the third is forgotten, at 60 s.
    assert_eq!(totals(&world.events_of(bot)), [3, 3, 2]);
    // Somebody who comes and goes within a second changes nothing.
    let passer = world.listener("Passer");
    world.join(passer);
    world.verto(
        passer,
        "verto.bye",
        json!({"dialogParams": {"callID": format!("call-{}", passer.session.0)}}),
    );
    world.stay_awake(&clients[..4], secs(5));
    assert_eq!(totals(&world.events_of(bot)), Vec::<u64>::new());
}

#[test]
fn members_and_audience_have_a_bound_each() {
    let mut world = World::new();
    for n in 0..4 {
        let member = world.browser(&format!("M{n}"), &[]);
        world.join(member);
    }
    for n in 0..3 {
        let listener = world.listener(&format!("L{n}"));
        assert_eq!(world.invite(listener, "c")["code"], "200");
    }
    let (late, later) = (world.browser("Late", &[]), world.listener("Later"));
    assert_eq!(world.invite(late, "c")["code"], "403");
    assert_eq!(world.invite(later, "c")["code"], "403");
}

#[test]
fn audience_comes_before_the_first_member_and_stays_a_minute_after_the_last() {
    let mut world = World::new();
    let larry = world.listener("Larry");
    world.join(larry);
    assert_eq!(world.events.first().unwrap().kind, EventKind::RoomStarted);
    world.stay_awake(&[larry], secs(600));
    let alice = world.browser("Alice", &[]);
    world.join(alice);
    world.stay_awake(&[larry, alice], secs(1));
    assert_eq!(world.members(), ["Alice"]);
    let bye = json!({"dialogParams": {"callID": format!("call-{}", alice.session.0)}});
    world.verto(alice, "verto.bye", bye);
    world.stay_awake(&[larry], secs(59));
    assert!(world.has_room());
    world.frames(larry);
    world.stay_awake(&[larry], secs(2));
    assert_eq!(world.event_names(larry), ["verto.bye"]);
    assert!(!world.has_room());
    assert_eq!(world.events.last().unwrap().kind, EventKind::RoomEnded);
}

#[test]
fn a_member_who_comes_back_in_time_finds_the_audience() {
    let (mut world, alice, larry, _) = hall();
    let bye = json!({"dialogParams": {"callID": format!("call-{}", alice.session.0)}});
    world.verto(alice, "verto.bye", bye);
    world.stay_awake(&[larry, alice], secs(50));
    world.join(alice);
    world.stay_awake(&[larry, alice], secs(100));
    assert_eq!(world.members(), ["Alice"]);
    assert_eq!(snapshot(&world)["audience_count"], 1);
}

#[test]
fn audience_that_waits_for_nobody_ends_after_an_hour() {
    let mut world = World::new();
    let larry = world.listener("Larry");
    world.join(larry);
    world.stay_awake(&[larry], secs(3599));
    assert!(world.has_room());
    world.stay_awake(&[larry], secs(2));
    assert!(!world.has_room());
}

#[test]
fn a_listener_reloads_resumes_and_goes_like_a_member() {
    let (mut world, alice, larry, id) = hall();
    world.lose_socket(larry);
    let larry = world.reconnect(larry);
    world.frames(larry);
    world.invite_from(larry, "call-5", "another page");
    let events = world.events_of(larry);
    let names: Vec<_> = events.iter().map(event_name).collect();
    assert_eq!(names, ["verto.answer", "video.room.subscribed", "video.layout.changed"]);
    assert_eq!(events[1]["params"]["member_id"], id.as_str());
    world.invite_from(larry, "call-5", "another page");
    assert_eq!(world.event_names(larry), ["verto.answer"]);
    world.heard(world.last_leg(), Liveness::Gone);
    assert_eq!(world.event_names(larry), ["verto.bye"]);
    assert_eq!(snapshot(&world)["audience_count"], 0);
    assert_eq!(world.event_names(alice), Vec::<String>::new());
}
