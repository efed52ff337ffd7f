//! Whatever comes, every request gets one answer, and the room goes on.

use control_api::{ConnectRequest, rpc};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::contract::{OTHER, rows};
use crate::world::{Client, World, all_scopes, offer, secs};

struct Scene {
    world: World,
    alice: Client,
    bot: Client,
    room: String,
    member: String,
}

fn scene() -> Scene {
    let mut world = World::new();
    let scopes = all_scopes();
    let alice = world.browser("Alice", &scopes.iter().map(String::as_str).collect::<Vec<_>>());
    let member = world.join(alice).to_string();
    let bot = world.realtime();
    world.forget_frames();
    let room = world.room_id().to_string();
    Scene { world, alice, bot, room, member }
}

/// Requests that would succeed, one per shape of params there is.
fn good_requests(room: &str, member: &str) -> Vec<(&'static str, Value)> {
    let verto = |method: &str, params: Value| {
        json!({"callID": "c", "node_id": "node-1", "subscribe": ["video.member.updated"],
            "message": {"jsonrpc": "2.0", "id": "B", "method": method, "params": params}})
    };
    let dialog = json!({"callID": "c", "screenShare": false, "additionalDevice": false, "userVariables": {}});
    let mut requests = vec![
        ("signalwire.ping", json!({"timestamp": 1.5})),
        ("signalwire.connect", json!({"authentication": {"jwt_token": "t"}})),
        ("signalwire.reauthenticate", json!({"authentication": {"project": "dev", "jwt_token": "t"}})),
        (
            "signalwire.subscribe",
            json!({"event_channel": format!("EC_{room}"), "events": ["video.member.left"],
            "get_initial_state": true}),
        ),
        ("video.message", verto("verto.invite", json!({"dialogParams": dialog, "sdp": offer("x")}))),
        (
            "video.message",
            verto("verto.modify", json!({"dialogParams": dialog, "sdp": "v=0", "action": "updateMedia"})),
        ),
        ("video.message", verto("verto.modify", json!({"dialogParams": dialog, "action": "hold"}))),
        ("video.message", verto("verto.info", json!({"dialogParams": dialog, "dtmf": "1"}))),
        ("webrtc.verto", verto("verto.pong", json!({"dialogParams": dialog}))),
    ];
    // Whoever removes the members leaves nobody to talk about.
    for row in rows().into_iter().filter(|row| row.method != "video.member.remove") {
        let mut params: Value = serde_json::from_str(&row.params.to_string().replace(OTHER, member)).unwrap();
        params["room_session_id"] = json!(room);
        params["member_id"] = json!(member);
        requests.push((row.method, params));
    }
    requests
}

/// Values of every type, the extremes of each.
fn wrong_values() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!(u64::MAX),
        json!(1e308),
        json!(""),
        json!("\u{0}\u{202e}\u{1f600}"),
        json!("x".repeat(100_000)),
        json!([]),
        json!([[[{}]]]),
        json!({}),
        json!({"": null, "self": {}}),
    ]
}

/// Every way to every value inside.
fn paths(value: &Value, at: &str, into: &mut Vec<String>) {
    into.push(at.to_owned());
    let escaped = |key: &String| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(key, v)| paths(v, &format!("{at}/{}", escaped(key)), into))
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, v)| paths(v, &format!("{at}/{n}"), into))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// One reply, with an error or a code, and not because the client asks too fast.
fn is_answer(reply: Option<&Value>) -> bool {
    reply.is_some_and(|reply| {
        reply["error"]["code"].as_i64().is_some_and(|code| code != i64::from(rpc::TOO_MANY_REQUESTS))
            || reply["result"]["code"].is_string()
            || reply["result"].get("timestamp").is_some()
            || reply["result"]["protocol"].is_string()
    })
}

#[test]
fn wrong_types_at_every_field_of_every_method() {
    let Scene { mut world, alice, bot, room, member } = scene();
    for (method, params) in good_requests(&room, &member) {
        let mut places = Vec::new();
        paths(&params, "", &mut places);
        for place in places {
            for wrong in wrong_values() {
                let mut params = params.clone();
                *params.pointer_mut(&place).unwrap() = wrong;
                for client in [alice, bot] {
                    let reply = world.request(client, method, &params);
                    assert!(is_answer(reply.as_ref()), "{method} {place} {reply:?}");
                }
            }
            world.stay_awake(&[alice, bot], secs(1));
            world.forget_frames();
        }
    }
    assert_eq!(world.members(), ["Alice"]);
}

#[test]
fn fields_left_out_of_every_method() {
    let Scene { mut world, alice, bot, room, member } = scene();
    for (method, params) in good_requests(&room, &member) {
        let mut places = Vec::new();
        paths(&params, "", &mut places);
        for place in places.iter().filter(|place| !place.is_empty()) {
            let mut params = params.clone();
            let (parent, key) = place.rsplit_once('/').unwrap();
            if let Some(fields) = params.pointer_mut(parent).and_then(Value::as_object_mut) {
                fields.remove(key);
            }
            for client in [alice, bot] {
                let reply = world.request(client, method, &params);
                assert!(is_answer(reply.as_ref()), "{method} {place} {reply:?}");
            }
        }
        world.stay_awake(&[alice, bot], secs(1));
        world.forget_frames();
    }
    assert_eq!(world.members(), ["Alice"]);
}

#[test]
fn deep_and_long_frames() {
    let Scene { mut world, bot, .. } = scene();
    let deep = |open: &str, close: &str, n: usize| format!("{}1{}", open.repeat(n), close.repeat(n));
    for params in
        [deep("[", "]", 100_000), deep(r#"{"a":"#, "}", 40_000), deep("[", "]", 100), "x".repeat(300_000)]
    {
        let text = format!(r#"{{"jsonrpc":"2.0","id":"h","method":"video.set_layout","params":{params}}}"#);
        world.text(bot, &text);
        let frames = world.frames(bot);
        assert_eq!(frames.len(), 1);
        assert!(frames[0]["error"]["code"].is_i64());
        assert!(ConnectRequest::parse(&text).is_err());
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(|b| json!(b)),
        any::<i64>().prop_map(|n| json!(n)),
        any::<f64>().prop_map(|n| json!(n)),
        ".{0,20}".prop_map(|s| json!(s)),
        prop_oneof![Just("2.0"), Just("video.message"), Just("verto.bye"), Just("signalwire.event")]
            .prop_map(|s| json!(s)),
    ];
    let key = prop_oneof![
        Just("jsonrpc"),
        Just("id"),
        Just("method"),
        Just("params"),
        Just("result"),
        Just("error"),
        Just("message"),
        Just("dialogParams"),
        Just("callID"),
        Just("authentication"),
        Just("room_session_id"),
        Just("positions"),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((key.clone(), inner), 0..6).prop_map(|fields| Value::Object(
                fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
            )),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_is_survived(text in "\\PC{0,200}") {
        let Scene { mut world, alice, .. } = scene();
        world.text(alice, &text);
        let _ = ConnectRequest::parse(&text);
        prop_assert_eq!(world.members(), ["Alice"]);
    }

    #[test]
    fn any_json_is_survived(values in prop::collection::vec(any_json(), 1..8)) {
        let Scene { mut world, alice, bot, .. } = scene();
        for value in values {
            let text = value.to_string();
            world.text(alice, &text);
            world.text(bot, &text);
            let _ = ConnectRequest::parse(&text);
        }
        prop_assert_eq!(world.members(), ["Alice"]);
    }
}

#[test]
fn a_flood_is_answered_and_reaches_nobody_else() {
    let Scene { mut world, alice, bot, room, member } = scene();
    let events = world.events.len();
    let mut refused = 0;
    for n in 0..1000 {
        let method = if n % 2 == 0 { "video.member.audio_mute" } else { "video.member.audio_unmute" };
        let params = json!({"room_session_id": room, "member_id": member});
        let reply = world.request(alice, method, &params).unwrap();
        refused += usize::from(reply["error"]["code"] == -32029);
    }
    // One invite was before.
    assert_eq!(refused, 1000 - 199);
    assert_eq!(world.events.len() - events, 199);
    assert_eq!(world.request(bot, "video.rooms.get", &json!({})).unwrap()["result"]["code"], "200");
    // It is not for ever, and neither acknowledgements nor pongs count.
    world.stay_awake(&[alice, bot], std::time::Duration::from_secs(4));
    assert_eq!(world.method(alice, "video.members.get", json!({}))["code"], "200");
}
