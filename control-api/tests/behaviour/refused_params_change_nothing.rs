//! Any JSON as the params of any method by anybody: it is answered, and what is refused has changed nothing.

use control_api::{Authority, JoinAs, ProjectId, RoomGrant};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::contract::{OTHER, rows};
use crate::world::{Client, PROJECT, World, all_scopes, secs};

struct Scene {
    world: World,
    bot: Client,
    callers: Vec<Client>,
    /// What ids may be mistaken for.
    ids: Vec<String>,
}

/// Somebody of every kind, and members to be talked about.
fn scene() -> Scene {
    let mut world = World::new();
    let scopes = all_scopes();
    let alice = world.browser("Alice", &scopes.iter().map(String::as_str).collect::<Vec<_>>());
    let own = world.join(alice);
    let bob = world.browser("Bob", &["room.self.deaf", "room.self.set_meta"]);
    let other = world.join(bob);
    let mut grant = RoomGrant::new(ProjectId::new(PROJECT), "my-room", "Listener");
    grant.join_as = JoinAs::Audience;
    let listener = world.connect(Authority::Room(grant), true);
    world.invite(listener, "listening");
    let eve = world.browser("Eve", &[]);
    let bot = world.realtime();
    let server = world.realtime();
    world.pass(secs(1));
    let ids = vec![own.to_string(), other.to_string(), "all".into(), "self".into(), "nobody".into()];
    Scene { world, bot, callers: vec![alice, bob, listener, eve, server], ids }
}

impl Scene {
    fn state(&mut self) -> Value {
        self.world.method(self.bot, "video.room.get", json!({}))
    }
}

/// Values that a param may have, and those it may not.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(|b| json!(b)),
        any::<i64>().prop_map(|n| json!(n)),
        (-60..120_i32).prop_map(|n| json!(n)),
        any::<f64>().prop_map(|n| json!(n)),
        "[a-z0-9:/. -]{0,12}".prop_map(|s| json!(s)),
        prop::sample::select(vec![
            "auto",
            "standard-1",
            "off-canvas",
            "2x1",
            "grid-responsive",
            "https://example.org/a",
            "rtmp://h/k",
            "30",
            "-50",
        ])
        .prop_map(|s| json!(s)),
        (0..5_usize).prop_map(|id| json!(format!("<id {id}>"))),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((any_key(), inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn any_key() -> impl Strategy<Value = String> {
    let ids = (0..5_usize).prop_map(|id| format!("<id {id}>"));
    prop_oneof![ids, prop::sample::select(KEYS.to_vec()).prop_map(str::to_owned), ".{0,8}"]
}

const KEYS: [&str; 19] = [
    "member_id",
    "name",
    "positions",
    "position",
    "volume",
    "value",
    "meta",
    "keys",
    "enable",
    "url",
    "layout",
    "seek_position",
    "recording_id",
    "playback_id",
    "stream_id",
    "media_allowed",
    "call_id",
    "width",
    "height",
];

/// A method, who calls it, and its right params with something else in some places.
fn any_call() -> impl Strategy<Value = (usize, usize, Vec<(String, Value)>)> {
    let fields = prop::collection::vec((any_key(), any_value()), 0..4);
    (any::<prop::sample::Index>(), 0..5_usize, fields)
        .prop_map(|(row, caller, fields)| (row.index(rows().len()), caller, fields))
}

proptest! {
    #[test]
    fn nothing_that_is_refused_has_an_effect(calls in prop::collection::vec(any_call(), 1..12)) {
        let mut scene = scene();
        let rows = rows();
        for (row, caller, fields) in calls {
            if !scene.world.has_room() {
                break; // somebody removed everybody
            }
            let row = &rows[row];
            let mut params = row.params.clone();
            params["member_id"] = json!("<id 1>");
            for (key, value) in fields {
                params[key] = value;
            }
            let mut text = params.to_string().replace(OTHER, "<id 1>");
            for (n, id) in scene.ids.iter().enumerate() {
                text = text.replace(&format!("<id {n}>"), id);
            }
            let before = (scene.state(), scene.world.events.len(), scene.world.instructions.len());
            let params: Value = serde_json::from_str(&text).unwrap();
            let result = scene.world.method(scene.callers[caller], row.method, params);
            let code = result["code"].as_str().unwrap_or_default();
            prop_assert!(["200", "403", "404", "422", "500"].contains(&code), "{} {text} {result}", row.method);
            prop_assert!(result["message"].as_str().is_some_and(|message| !message.is_empty()));
            if code != "200" {
                let after = (scene.state(), scene.world.events.len(), scene.world.instructions.len());
                prop_assert_eq!(before, after, "{} {}", row.method, text);
            }
        }
    }
}
