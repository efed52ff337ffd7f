use std::sync::Arc;
use std::time::Duration;

use control_api::{
    Authority, ConnectRequest, Credentials, IceServer, ProjectGrant, ProjectId, RoomGrant, SessionInput,
    SocketId,
};
use serde_json::{Value, json};

use crate::world::{Client, PROJECT, World, secs};

fn connect(params: &Value) -> Result<ConnectRequest, Value> {
    let frame = json!({"jsonrpc": "2.0", "id": "c", "method": "signalwire.connect", "params": params});
    ConnectRequest::parse(&frame.to_string()).map_err(|reply| serde_json::from_str(&reply).unwrap())
}

#[test]
fn a_connect_names_its_credentials() {
    let browser =
        connect(&json!({"authentication": {"jwt_token": "t"}, "protocol": "p", "authorization_state": "s",
        "event_acks": true, "agent": "@signalwire/js/browser/3.30.0"}))
        .unwrap();
    assert_eq!(browser.credentials, Credentials::RoomToken("t".into()));
    assert_eq!((browser.protocol.as_deref(), browser.authorization_state.as_deref()), (Some("p"), Some("s")));
    assert!(browser.event_acks);
    let realtime =
        connect(&json!({"authentication": {"project": "p", "token": "t"}, "contexts": ["x"]})).unwrap();
    assert_eq!(realtime.credentials, Credentials::Project { project: "p".into(), token: "t".into() });
    assert!(!realtime.event_acks);
}

#[test]
fn a_wrong_first_frame_gets_its_error() {
    for params in [
        json!({}),
        json!([]),
        json!({"authentication": {}}),
        json!({"authentication": "t"}),
        json!({"authentication": {"project": "p"}}),
        json!({"authentication": {"jwt_token": 7}}),
        json!({"authentication": {"jwt_token": "t"}, "event_acks": "yes"}),
        json!({"authentication": {"jwt_token": "t"}, "protocol": {}}),
    ] {
        assert_eq!(connect(&params).unwrap_err()["error"]["code"], -32602, "{params}");
    }
    for (text, code) in [
        ("", -32700),
        (r#"{"jsonrpc":"2.0","id":"1","method":"video.members.get","params":{}}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":"1","result":{}}"#, -32600),
    ] {
        let reply: Value = serde_json::from_str(&ConnectRequest::parse(text).unwrap_err()).unwrap();
        assert_eq!(reply["error"]["code"], code);
    }
}

#[test]
fn the_same_protocol_comes_back_with_every_socket() {
    let mut world = World::new();
    let first = world.realtime();
    let result = world.take_reply(first, "c").unwrap()["result"].take();
    world.lose_socket(first);
    let second = world.reconnect(first);
    assert_eq!(world.take_reply(second, "c").unwrap()["result"], result);
    let protocol = result["protocol"].as_str().unwrap();
    assert_eq!(protocol.split('_').nth(1), result["authorization"]["signature"].as_str());
    assert_eq!(result["ice_servers"], json!([]));
}

#[test]
fn every_connect_brings_the_ice_servers_of_then() {
    let mut world = World::new();
    let server = |username: &str| IceServer {
        urls: vec!["turn:turn.example".to_owned()],
        username: username.to_owned(),
        credential: "c".to_owned(),
    };
    let expected =
        |username: &str| json!([{"urls": ["turn:turn.example"], "username": username, "credential": "c"}]);
    world.ice_servers = vec![server("1:x")];
    let alice = world.browser("Alice", &[]);
    assert_eq!(world.take_reply(alice, "c").unwrap()["result"]["ice_servers"], expected("1:x"));
    world.ice_servers = vec![server("2:x")];
    world.lose_socket(alice);
    let alice = world.reconnect(alice);
    assert_eq!(world.take_reply(alice, "c").unwrap()["result"]["ice_servers"], expected("2:x"));
}

#[test]
fn events_of_the_gap_arrive_in_order_on_the_next_socket() {
    let mut world = World::new();
    let alice = world.browser("Alice", &[]);
    world.join(alice);
    world.pass(secs(1));
    world.lose_socket(alice);
    let bob = world.browser("Bob", &["room.self.audio_mute"]);
    let member = world.join(bob);
    world.pass(secs(1));
    world.method(bob, "video.member.audio_mute", json!({"member_id": member.as_str()}));
    world.forget_frames();
    let alice = world.reconnect(alice);
    // The reply first; then what was not acknowledged on the old socket, then the gap.
    let frames = world.frames(alice);
    assert_eq!(frames[0]["id"], "c");
    assert_eq!(frames[1]["params"]["event_type"], "signalwire.authorization.state");
    let names: Vec<_> = frames[2..].iter().map(|frame| crate::world::event_name(&frame["params"])).collect();
    let own = ["video.room.subscribed", "video.member.joined", "video.member.updated"];
    let gap = ["video.member.joined", "video.member.updated", "video.layout.changed", "video.member.updated"];
    assert_eq!(names, [&own[..], &gap[..]].concat());
}

#[test]
fn what_is_said_to_one_alone_survives_a_half_open_socket() {
    let mut world = World::new();
    let host = world.browser("Host", &["room.member.promote", "room.member.remove"]);
    world.join(host);
    let mut larry = world.listener("Larry");
    let id = world.join(larry);
    world.pass(secs(1));
    let about = json!({"member_id": id.as_str()});
    for (method, expected) in
        [("video.member.promote", "video.member.promoted"), ("video.member.remove", "verto.bye")]
    {
        assert_eq!(world.method(host, method, about.clone())["code"], "200", "{method}");
        assert!(world.event_names(larry).contains(&expected.to_owned()), "{method}");
        larry = world.reconnect(larry);
        let names = world.event_names(larry);
        assert_eq!(names.iter().filter(|name| *name == expected).count(), 1, "{method}: {names:?}");
    }
    let other = world.listener("Other");
    world.join(other);
    world.pass(secs(1));
    let other = world.reconnect(other);
    // A call does not bear a second answer.
    assert_eq!(world.event_names(other)[..2], ["signalwire.authorization.state", "video.room.subscribed"]);
}

#[test]
fn acknowledged_events_do_not_come_again() {
    let mut world = World::new();
    let alice = world.browser("Alice", &[]);
    world.join(alice);
    world.pass(secs(1));
    for frame in world.frames(alice) {
        if frame["method"] == "signalwire.event" {
            world.text(alice, &json!({"jsonrpc": "2.0", "id": frame["id"], "result": {}}).to_string());
        }
    }
    world.lose_socket(alice);
    let alice = world.reconnect(alice);
    assert_eq!(world.event_names(alice), ["signalwire.authorization.state"]);
}

#[test]
fn the_gap_is_bounded() {
    let mut world = World::new();
    let alice = world.browser("Alice", &[]);
    world.join(alice);
    world.lose_socket(alice);
    let bob = world.browser("Bob", &["room.self.audio_mute", "room.self.audio_unmute"]);
    let member = world.join(bob);
    for _ in 0..400 {
        world.method(bob, "video.member.audio_mute", json!({"member_id": member.as_str()}));
        world.method(bob, "video.member.audio_unmute", json!({"member_id": member.as_str()}));
        world.stay_awake(&[bob], Duration::from_millis(40));
    }
    world.forget_frames();
    let alice = world.reconnect(alice);
    let events = world.events_of(alice);
    // 800 changes of the same: beyond 256 the newest has taken the place of all before.
    assert!(events.len() <= 256, "{}", events.len());
    assert_eq!(events.last().unwrap()["params"]["member"]["audio_muted"], false);
}

#[test]
fn the_newer_socket_wins() {
    let mut world = World::new();
    let first = world.realtime();
    let second = world.reconnect(first);
    assert!(world.closed.contains(&first.socket));
    assert_eq!(world.request(first, "signalwire.ping", &json!({})), None);
    assert!(world.request(second, "signalwire.ping", &json!({})).is_some());
    // Late news of the first socket does not touch the second.
    world.lose_socket(first);
    world.stay_awake(&[second], secs(61));
    assert!(world.request(second, "signalwire.ping", &json!({})).is_some());
}

#[test]
fn pings_come_every_10_s_and_are_answered() {
    let mut world = World::new();
    let bot = world.realtime();
    world.frames(bot);
    world.stay_awake(&[bot], secs(60));
    let pings: Vec<_> = world.frames(bot);
    assert_eq!(pings.len(), 6);
    assert!(pings.iter().all(|frame| frame["method"] == "signalwire.ping"));
    assert_eq!(pings[1]["params"]["timestamp"], crate::world::START_UNIX_S + 20.0);
    let reply = world.request(bot, "signalwire.ping", &json!({"timestamp": 7.5})).unwrap();
    assert_eq!(reply["result"], json!({"timestamp": 7.5}));
}

#[test]
fn a_server_that_stops_asks_to_reconnect() {
    let mut world = World::new();
    let bot = world.realtime();
    world.frames(bot);
    world.tell_session(bot.session, SessionInput::Drain);
    let frames = world.frames(bot);
    assert_eq!((&frames[0]["method"], &frames[0]["params"]), (&json!("signalwire.disconnect"), &json!({})));
}

#[test]
fn a_room_that_does_not_answer_does_not_keep_the_client_waiting() {
    let mut world = World::new();
    let bot = world.realtime();
    world.rooms_answer = false;
    let frame =
        json!({"jsonrpc": "2.0", "id": 9, "method": "video.members.get", "params": {"room_session_id": "r"}});
    world.text(bot, &frame.to_string());
    world.frames(bot);
    world.pass(secs(7));
    assert_eq!(world.frames(bot), Vec::<Value>::new());
    world.pass(secs(1));
    let frames = world.frames(bot);
    assert_eq!(
        frames[0],
        json!({"jsonrpc": "2.0", "id": 9, "result": {"code": "500", "message": "no answer in time"}})
    );
}

#[test]
fn requests_under_way_are_bounded() {
    let mut world = World::new();
    let bot = world.realtime();
    world.rooms_answer = false;
    let busy = (0..100)
        .filter_map(|_| world.request(bot, "video.members.get", &json!({"room_session_id": "r"})))
        .filter(|reply| reply["result"] == json!({"code": "500", "message": "busy"}))
        .count();
    assert_eq!(busy, 100 - 64);
}

#[test]
fn a_new_token_gives_a_new_authorization() {
    let mut world = World::new();
    let alice = world.browser("Alice", &[]);
    let member = world.join(alice);
    let mute = json!({"member_id": member.as_str()});
    assert_eq!(world.method(alice, "video.member.audio_mute", mute.clone())["code"], "403");
    let token = json!({"authentication": {"project": PROJECT, "jwt_token": "new"}});
    let reply = world.request(alice, "signalwire.reauthenticate", &token).unwrap();
    assert_eq!(reply["error"]["code"], -32002);

    let mut grant = RoomGrant::new(ProjectId::new(PROJECT), "my-room", "Alice");
    grant.scopes = vec!["room.self.audio_mute".into()];
    world.reauthentication = Some(Arc::new(Authority::Room(grant.clone())));
    world.frames(alice);
    let result = world.request(alice, "signalwire.reauthenticate", &token).unwrap()["result"].take();
    assert_eq!(result["authorization"]["room"]["scopes"], json!(["room.self.audio_mute"]));
    assert_eq!(world.event_names(alice), ["signalwire.authorization.state"]);
    assert_eq!(world.method(alice, "video.member.audio_mute", mute)["code"], "200");

    // A token of somebody else is no renewal.
    grant.user_name = "Eve".into();
    for other in
        [Authority::Room(grant), Authority::Project(ProjectGrant { project: ProjectId::new(PROJECT) })]
    {
        world.reauthentication = Some(Arc::new(other));
        let reply = world.request(alice, "signalwire.reauthenticate", &token).unwrap();
        assert_eq!(reply["error"]["message"], "Requester validation failed");
    }
}

#[test]
fn text_of_an_unknown_socket_is_ignored() {
    let mut world = World::new();
    let bot = world.realtime();
    let stranger = Client { session: bot.session, socket: SocketId(999) };
    assert_eq!(world.request(stranger, "signalwire.ping", &json!({})), None);
}
