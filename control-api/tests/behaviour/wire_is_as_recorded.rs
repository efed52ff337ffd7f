//! Each method's request, reply and what follows, compared with `tests/wire/*.json`. `UPDATE_WIRE=1` records anew; the
//! reviewer reads the difference.

use std::collections::BTreeSet;
use std::path::PathBuf;

use control_api::{Authority, EventKind, LegEventKind, MediaEvent, ProjectId, RoomGrant};
use serde_json::{Value, json};

use crate::contract::{CALL, OTHER, RECORDING, Rule, rows};
use crate::world::{Client, PROJECT, World, all_scopes, offer, secs};

/// Alice and Bob are in, a server of the project watches everything.
struct Scene {
    world: World,
    alice: Client,
    bob: Client,
    bot: Client,
    /// Alice's.
    member: String,
    /// Bob's.
    other: String,
}

fn scene() -> Scene {
    let mut world = World::new();
    let scopes = all_scopes();
    let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
    let alice = world.browser("Alice", &scopes);
    let bob = world.browser("Bob", &[]);
    let member = world.join(alice).to_string();
    let other = world.join(bob).to_string();
    let bot = world.realtime();
    watch(&mut world, bot);
    world.stay_awake(&[alice, bob, bot], secs(1));
    world.forget_frames();
    Scene { world, alice, bob, bot, member, other }
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
    let received = numbered_anew(scene.world.frames(caller));
    let mut record = json!({"request": frame, "received": received});
    if caller != scene.bot {
        let watched = numbered_anew(scene.world.frames(scene.bot)).into_iter();
        record["watcher received"] = watched.map(|frame| briefly(frame, &received)).collect();
    }
    check(name, &record);
}

/// A connection counts its requests; what came before the record is not part of it.
fn numbered_anew(mut frames: Vec<Value>) -> Vec<Value> {
    let requests = frames.iter_mut().filter(|frame| frame.get("method").is_some());
    requests.zip(1..).for_each(|(frame, n)| frame["id"] = json!(format!("s{n}")));
    frames
}

/// An event that the caller received, too, is not written twice.
fn briefly(frame: Value, received: &[Value]) -> Value {
    let is_known = received.iter().any(|known| known["params"] == frame["params"]);
    match frame["params"]["event_type"].as_str() {
        Some(name) if is_known => json!(format!("the same {name}")),
        _ => frame,
    }
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
fn every_method() {
    for row in rows() {
        let mut scene = scene();
        let drawer = matches!(row.rule, Rule::Caller).then(|| {
            let drawer = scene.world.browser("Carol", &[]);
            scene.world.join_with(drawer, &json!({"mode": "tiles"}));
            drawer
        });
        // Alice does it to herself; who is put out of the room is Bob; a client that draws itself is Carol's.
        let (caller, target) = match row.rule {
            Rule::Project => (scene.bot, None),
            Rule::Caller => (drawer.unwrap(), None),
            Rule::Anybody | Rule::Room(_) => (scene.alice, None),
            Rule::AnybodyAboutMember | Rule::Member(_) => (scene.alice, Some(scene.member.clone())),
            Rule::Others(_) => (scene.alice, Some(scene.other.clone())),
        };
        let filled = |scene: &Scene, params: &Value| {
            let call = format!("call-{}", caller.session.0);
            let text = params.to_string().replace(OTHER, &scene.other).replace(CALL, &call);
            let text = text.replace(RECORDING, scene.world.recording());
            let mut params = room_params(scene, serde_json::from_str(&text).unwrap());
            if let Some(target) = &target {
                params["member_id"] = json!(target);
            }
            params
        };
        for (method, params) in &row.before {
            let params = filled(&scene, params);
            scene.world.request(scene.bot, method, &params);
        }
        scene.world.stay_awake(&[scene.alice, scene.bot], secs(1));
        scene.world.forget_frames();
        let params = filled(&scene, &row.params);
        record(&mut scene, row.method, caller, row.method, params);
    }
}

#[test]
fn everybody_is_removed_at_once() {
    let mut scene = scene();
    let params = room_params(&scene, json!({"member_id": "all"}));
    let bot = scene.bot;
    record(&mut scene, "video.member.remove.all", bot, "video.member.remove", params);
}

#[test]
fn refusals_of_methods() {
    let mut scene = scene();
    let refused =
        |scene: &mut Scene, caller, method: &str, params| scene.world.method(caller, method, params);
    let (alice, bob) = (scene.alice, scene.bob);
    let record = json!({
        "permission missing": refused(&mut scene, bob, "video.lock", json!({})),
        "member missing": refused(&mut scene, alice, "video.member.deaf", json!({"member_id": "nobody"})),
        "member not named": refused(&mut scene, alice, "video.member.deaf", json!({})),
        "params wrong": refused(&mut scene, alice, "video.set_layout", json!({"name": "sofa"})),
        "not available": refused(&mut scene, alice, "video.stream.start", json!({"url": "rtmp://example.org/live"})),
    });
    check("refused", &record);
}

/// One of each, as it reaches the first who hears it.
#[test]
fn every_event() {
    let mut world = World::new();
    let bot = world.realtime();
    let everything: Vec<&str> = EventKind::all().map(EventKind::name).collect();
    let rooms = json!({"event_channel": "video.rooms", "events": everything});
    world.request(bot, "signalwire.subscribe", &rooms);
    let alice = world.browser("Alice", &["room.self.audio_mute", "room.lock"]);
    let member = world.join(alice);
    let channel = format!("EC_{}", world.room_id());
    let session = json!({"event_channel": channel, "events": everything, "get_initial_state": true});
    world.request(bot, "signalwire.subscribe", &session);
    let bob = world.browser("Bob", &[]);
    world.join(bob);
    let larry = world.listener("Larry");
    world.join(larry);
    world.media(MediaEvent::Talking { member: member.clone(), talking: true });
    world.method(alice, "video.member.audio_mute", json!({"member_id": member.as_str()}));
    world.method(alice, "video.lock", json!({}));
    world.method(bot, "video.recording.start", json!({}));
    let recording = json!({"recording_id": world.recording()});
    world.method(bot, "video.recording.pause", recording);
    world.stay_awake(&[bot, alice, bob], secs(1));
    world.method(bot, "video.member.remove", json!({"member_id": "all"}));
    let mut events = world.events_of(alice);
    events.extend(world.events_of(bot));
    for kind in EventKind::all() {
        let event = events.iter().find(|event| event["event_type"] == kind.name());
        check(kind.name(), event.unwrap_or_else(|| panic!("{} is played here", kind.name())));
    }
}

/// A client that draws the layout itself: how it comes in, what it is told, and what is refused.
#[test]
fn tiles() {
    let message = |call: &str, receive: Value| {
        let dialog = json!({"callID": call, "attach": false, "screenShare": false,
            "additionalDevice": false, "receive": receive});
        json!({"callID": call, "subscribe": EVERYTHING, "message": {"jsonrpc": "2.0", "id": "inner",
            "method": "verto.invite", "params": {"dialogParams": dialog, "sdp": offer(call)}}})
    };
    let mut scene = scene();
    let carol = scene.world.browser("Carol", &[]);
    scene.world.frames(carol);
    let receive = json!({"mode": "tiles", "video_slots": 26});
    record(&mut scene, "verto.invite.refused", carol, "video.message", message("call-0", receive));
    let receive = json!({"mode": "tiles", "video_slots": 9, "audio": "slots", "audio_slots": 3});
    record(&mut scene, "verto.invite.tiles", carol, "video.message", message("call-1", receive));
    let leg = scene.world.last_leg();
    let (alice, bob) = (scene.member.clone(), scene.other.clone());
    for event in crate::tile_legs_draw_themselves::news(leg, &alice, &bob) {
        scene.world.media(event);
    }
    let events = scene.world.events_of(carol);
    for kind in LegEventKind::ALL {
        let event = events.iter().find(|event| event["event_type"] == kind.name());
        check(kind.name(), event.unwrap());
    }
}

/// To the one it is about alone: authorization, then the state to keep.
#[test]
fn changes_of_role() {
    let mut scene = scene();
    for (method, event) in
        [("video.member.demote", "video.member.demoted"), ("video.member.promote", "video.member.promoted")]
    {
        let params = json!({"member_id": scene.other, "permissions": ["room.self.audio_mute"],
            "join_audio_muted": true, "meta": {"seat": 3}});
        scene.world.method(scene.alice, method, params);
        let events = scene.world.events_of(scene.bob);
        let place = events.iter().position(|known| known["event_type"] == event).unwrap();
        assert_eq!(events[place + 1]["event_type"], "signalwire.authorization.state");
        check(event, &events[place]);
    }
}

#[test]
fn nothing_else_is_recorded() {
    let methods = control_api::methods();
    let events = EventKind::all().map(EventKind::name).chain(LegEventKind::ALL.map(LegEventKind::name));
    let known: BTreeSet<String> =
        methods.chain(events).chain(OTHER_RECORDS).map(|name| format!("{name}.json")).collect();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/wire");
    let files = std::fs::read_dir(folder).unwrap();
    let names: BTreeSet<String> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names, known);
}

/// What is neither a method of rooms nor an event of theirs.
const OTHER_RECORDS: [&str; 18] = [
    "video.member.promoted",
    "video.member.demoted",
    "signalwire.connect.browser",
    "signalwire.connect.realtime",
    "signalwire.connect.refused",
    "signalwire.ping",
    "signalwire.subscribe",
    "unknown_method",
    "refused",
    "video.member.remove.all",
    "verto.invite",
    "verto.invite.tiles",
    "verto.invite.refused",
    "verto.modify.updateMedia",
    "verto.modify.hold",
    "verto.modify.unhold",
    "verto.info",
    "verto.bye",
];
