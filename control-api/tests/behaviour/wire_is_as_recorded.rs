//! Each method's request, reply and what follows, compared with `tests/wire/*.json`. `UPDATE_WIRE=1` records anew; the
//! reviewer reads the difference.

use std::path::PathBuf;

use control_api::{Authority, MediaEvent, ProjectId, RoomGrant};
use serde_json::{Value, json};

use crate::world::{Client, PROJECT, World, all_scopes, offer, secs};

/// Alice and Bob are in, a server of the project watches everything.
struct Scene {
    world: World,
    alice: Client,
    bot: Client,
    member: String,
}

fn scene() -> Scene {
    let mut world = World::new();
    let scopes = all_scopes();
    let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
    let alice = world.browser("Alice", &scopes);
    let bob = world.browser("Bob", &[]);
    let member = world.join(alice).to_string();
    world.join(bob);
    let bot = world.realtime();
    watch(&mut world, bot);
    world.stay_awake(&[alice, bob, bot], secs(1));
    world.forget_frames();
    Scene { world, alice, bot, member }
}

const EVERYTHING: [&str; 8] = [
    "video.room.started",
    "video.room.updated",
    "video.room.ended",
    "video.member.joined",
    "video.member.updated",
    "video.member.left",
    "video.member.talking",
    "video.layout.changed",
];

fn watch(world: &mut World, bot: Client) {
    for channel in [format!("EC_{}", world.room_id()), "video.rooms".to_owned()] {
        let params = json!({"event_channel": channel, "events": EVERYTHING, "get_initial_state": true});
        world.request(bot, "signalwire.subscribe", &params);
    }
}

/// Compares with the file, or writes it.
fn check(name: &str, record: &Value) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/wire").join(format!("{name}.json"));
    let text = serde_json::to_string_pretty(record).unwrap() + "\n";
    if std::env::var_os("UPDATE_WIRE").is_some() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = known.lines().zip(text.lines()).zip(1..).find(|((known, now), _)| known != now);
    if let Some(((known, now), line)) = differs {
        panic!("{name}.json:{line} was {known}, is {now}; UPDATE_WIRE=1 records anew");
    }
    assert_eq!(known.len(), text.len(), "{name}.json has another length; UPDATE_WIRE=1 records anew");
}

/// Sends it, and records what the caller and the watcher receive.
fn record(scene: &mut Scene, name: &str, caller: Client, method: &str, params: Value) {
    let frame = json!({"jsonrpc": "2.0", "id": "request", "method": method, "params": params});
    scene.world.text(caller, &frame.to_string());
    scene.world.pass(std::time::Duration::from_millis(100));
    let received = scene.world.frames(caller);
    let mut record = json!({"request": frame, "received": received});
    if caller != scene.bot {
        record["watcher received"] = json!(scene.world.frames(scene.bot));
    }
    check(name, &record);
}

fn room_params(scene: &Scene, mut params: Value) -> Value {
    params["room_session_id"] = json!(scene.world.room_id().as_str());
    params
}

#[test]
fn connect() {
    let mut world = World::new();
    let mut grant = RoomGrant::new(ProjectId::new(PROJECT), "my-room", "Alice");
    grant.expires_at = Some(crate::world::START_UNIX_S + 7200.0);
    let alice = world.connect(Authority::Room(grant), true);
    check("signalwire.connect.browser", &json!({"received": world.frames(alice)}));
    let bot = world.realtime();
    check("signalwire.connect.realtime", &json!({"received": world.frames(bot)}));
}

#[test]
fn refusals_of_connect() {
    let frame = json!({"jsonrpc": "2.0", "id": "c", "method": "signalwire.connect",
        "params": {"authentication": {"jwt_token": "t"}}});
    let request = control_api::ConnectRequest::parse(&frame.to_string()).unwrap();
    let read = |refusal| serde_json::from_str::<Value>(&request.refuse(refusal)).unwrap();
    let record = json!({
        "unauthorized": read(control_api::ConnectRefusal::Unauthorized),
        "requester validation": read(control_api::ConnectRefusal::RequesterValidation),
        "internal": read(control_api::ConnectRefusal::Internal),
    });
    check("signalwire.connect.refused", &record);
}

#[test]
fn subscribe() {
    let mut scene = scene();
    let bot = scene.world.realtime();
    scene.world.forget_frames();
    scene.bot = bot;
    let channel = format!("EC_{}", scene.world.room_id());
    let params =
        json!({"event_channel": channel, "events": ["video.member.updated"], "get_initial_state": true});
    record(&mut scene, "signalwire.subscribe", bot, "signalwire.subscribe", params);
}

#[test]
fn control_frames() {
    let mut scene = scene();
    let bot = scene.bot;
    record(&mut scene, "signalwire.ping", bot, "signalwire.ping", json!({"timestamp": 1.5}));
    record(&mut scene, "unknown_method", bot, "video.nothing", json!({}));
}

#[test]
fn verto() {
    let message = |method: &str, params: Value| {
        json!({"callID": "call-1", "node_id": "node-1", "subscribe": EVERYTHING,
            "message": {"jsonrpc": "2.0", "id": "inner", "method": method, "params": params}})
    };
    let dialog =
        json!({"callID": "call-1", "attach": false, "screenShare": false, "additionalDevice": false});
    let mut scene = scene();
    let carol = scene.world.browser("Carol", &[]);
    scene.world.frames(carol);
    let rows = [
        ("verto.invite", "verto.invite", json!({"dialogParams": dialog, "sdp": offer("carol")})),
        (
            "verto.modify.updateMedia",
            "verto.modify",
            json!({"dialogParams": dialog, "action": "updateMedia", "sdp": "v=0"}),
        ),
        ("verto.modify.hold", "verto.modify", json!({"dialogParams": dialog, "action": "hold"})),
        ("verto.modify.unhold", "verto.modify", json!({"dialogParams": dialog, "action": "unhold"})),
        ("verto.info", "verto.info", json!({"dialogParams": dialog, "dtmf": "5"})),
        (
            "verto.bye",
            "verto.bye",
            json!({"dialogParams": dialog, "cause": "NORMAL_CLEARING", "causeCode": "16"}),
        ),
    ];
    for (name, method, params) in rows {
        record(&mut scene, name, carol, "video.message", message(method, params));
    }
}

#[test]
fn room_methods() {
    let rows = [
        ("video.members.get", json!({})),
        ("video.list_available_layouts", json!({})),
        ("video.set_layout", json!({"name": "2x1"})),
    ];
    for (method, params) in rows {
        let mut scene = scene();
        let (alice, params) = (scene.alice, room_params(&scene, params));
        record(&mut scene, method, alice, method, params);
    }
    let mut scene = scene();
    let positions = json!({"positions": {&scene.member: "standard-2"}});
    let (alice, params) = (scene.alice, room_params(&scene, positions));
    record(&mut scene, "video.set_position", alice, "video.set_position", params);
    let bot = scene.bot;
    record(&mut scene, "video.rooms.get", bot, "video.rooms.get", json!({}));
    let params = room_params(&scene, json!({}));
    record(&mut scene, "video.room.get", bot, "video.room.get", params);
}

#[test]
fn member_methods() {
    let mut scene = scene();
    let alice = scene.alice;
    for (method, extra) in [
        ("video.member.audio_mute", json!({})),
        ("video.member.audio_unmute", json!({})),
        ("video.member.video_mute", json!({})),
        ("video.member.video_unmute", json!({})),
        ("video.member.set_position", json!({"position": "off-canvas"})),
    ] {
        let mut params = room_params(&scene, extra);
        params["member_id"] = json!(scene.member);
        record(&mut scene, method, alice, method, params);
    }
    let params = room_params(&scene, json!({"member_id": "nobody"}));
    record(&mut scene, "member_not_found", alice, "video.member.audio_mute", params);
    let mut params = room_params(&scene, json!({}));
    params["member_id"] = json!(scene.member);
    record(&mut scene, "video.member.remove", alice, "video.member.remove", params);
    let params = room_params(&scene, json!({"member_id": "all"}));
    let bot = scene.bot;
    record(&mut scene, "video.member.remove.all", bot, "video.member.remove", params);
}

#[test]
fn events() {
    let mut scene = scene();
    let member = control_api::MemberId::new(scene.member.as_str());
    scene.world.media(MediaEvent::Talking { member, talking: true });
    check("video.member.talking", &json!({"watcher received": scene.world.frames(scene.bot)}));
    let watcher = scene.world.realtime();
    let params =
        json!({"event_channel": "video.rooms", "events": ["video.room.started", "video.room.ended"]});
    scene.world.request(watcher, "signalwire.subscribe", &params);
    let all = room_params(&scene, json!({"member_id": "all"}));
    scene.world.request(scene.bot, "video.member.remove", &all);
    let dave = scene.world.browser("Dave", &[]);
    scene.world.frames(watcher);
    scene.world.join(dave);
    check("video.room.started", &json!({"watcher received": scene.world.frames(watcher)}));
    scene.world.lose_socket(dave);
    scene.world.stay_awake(&[watcher], secs(61));
    let mut frames = scene.world.frames(watcher);
    frames.retain(|frame| frame["method"] == "signalwire.event");
    check("video.room.ended", &json!({"watcher received": frames}));
}
