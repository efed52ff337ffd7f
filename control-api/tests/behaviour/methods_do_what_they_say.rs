//! What single methods do beyond the contract's table: to slots, to pictures, to who is removed.

use control_api::{
    Authority, CallId, Command, Invite, LegRole, MediaInstruction, MemberId, ProjectGrant, ProjectId,
    RequestKey, RoomGrant, RoomInput, RoomRequest, Route, Sender,
};
use serde_json::{Value, json};

use crate::world::{Client, World, secs};

/// What the caller may do.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Role {
    Nothing,
    Others,
    Project,
}

struct Scene {
    world: World,
    caller: Client,
    own: MemberId,
    other: MemberId,
    bob: Client,
}

/// A caller with one action's permissions, and Bob, who watches everything.
fn scene(role: Role, action: &str) -> Scene {
    let mut world = World::new();
    let scopes = match role {
        Role::Nothing | Role::Project => vec![],
        Role::Others => vec![format!("room.member.{action}")],
    };
    let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
    let alice = world.browser("Alice", &scopes);
    let own = world.join(alice);
    let bob = world.browser("Bob", &[]);
    let other = world.join(bob);
    let caller = if role == Role::Project { world.realtime() } else { alice };
    world.pass(secs(1));
    world.forget_frames();
    world.events.clear();
    Scene { world, caller, own, other, bob }
}

fn code(result: &Value) -> String {
    result["code"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn rooms_are_listed_to_the_project_only() {
    let mut world = World::new();
    let bot = world.realtime();
    let rooms = world.request(bot, "video.rooms.get", &json!({})).unwrap();
    assert_eq!(rooms["result"], json!({"code": "200", "message": "OK", "rooms": []}));
    let alice = world.browser("Alice", &[]);
    world.join(alice);
    let rooms = world.request(bot, "video.rooms.get", &json!({})).unwrap()["result"]["rooms"].take();
    let id = world.room_id();
    assert_eq!(rooms[0]["id"], id.as_str());
    assert_eq!(rooms[0]["event_channel"], format!("EC_{id}"));
    assert_eq!(world.method(bot, "video.room.get", json!({}))["room"], rooms[0]);
    assert_eq!(code(&world.request(alice, "video.rooms.get", &json!({})).unwrap()["result"]), "403");
    assert_eq!(code(&world.method(alice, "video.room.get", json!({}))), "403");
    let gone = world.request(bot, "video.room.get", &json!({"room_session_id": "gone"})).unwrap();
    assert_eq!(code(&gone["result"]), "404");
}

#[test]
fn another_project_finds_no_room() {
    let Scene { mut world, own, .. } = scene(Role::Nothing, "");
    let stranger = Authority::Project(ProjectGrant { project: ProjectId::new("other") });
    let stranger = world.connect(stranger, false);
    for method in ["video.members.get", "video.member.audio_mute", "video.room.get"] {
        assert_eq!(
            code(&world.method(stranger, method, json!({"member_id": own.as_str()}))),
            "404",
            "{method}"
        );
    }
    let channel = format!("EC_{}", world.room_id());
    let params = json!({"event_channel": channel, "events": [], "get_initial_state": true});
    let reply = world.request(stranger, "signalwire.subscribe", &params).unwrap();
    assert_eq!(code(&reply["result"]), "404");
    assert_eq!(world.event_names(stranger), Vec::<String>::new());
}

#[test]
fn an_invite_that_strays_into_a_foreign_room_is_refused() {
    let Scene { mut world, .. } = scene(Role::Nothing, "");
    let grants = [
        RoomGrant::new(ProjectId::new(crate::world::PROJECT), "other-room", "Eve"),
        RoomGrant::new(ProjectId::new("other"), "my-room", "Eve"),
    ];
    for grant in grants {
        let eve = world.connect(Authority::Room(grant), true);
        let from =
            Sender { session: eve.session, authority: world.sessions[&eve.session].authority().clone() };
        let invite = Invite { call: CallId::new("c"), sdp: crate::world::offer("c"), role: LegRole::Member };
        let (key, command) = (RequestKey(1), Command::Invite(invite));
        let room = world.room_id();
        let request = RoomRequest { route: Route::Id(room.clone()), from, key, command };
        world.tell_room(&room, RoomInput::Request(request));
        assert_eq!(world.members(), ["Alice", "Bob"]);
        assert_eq!(world.instructions, []);
    }
}

#[test]
fn methods_nobody_knows_are_unknown_even_where_there_is_no_room() {
    let mut world = World::new();
    let bot = world.realtime();
    for method in
        ["video.recording", "video.record.start", "video.Lock", "member.deaf", "x", "", "signalwire.execute"]
    {
        for params in [json!({"room_session_id": "gone"}), json!({}), json!([])] {
            let reply = world.request(bot, method, &params).unwrap();
            assert_eq!(reply["error"]["code"], -32601, "{method}");
        }
    }
}

#[test]
fn wrong_params_are_422_and_change_nothing() {
    let mut world = World::new();
    let alice = world.browser("Alice", &[]);
    let member = world.join(alice);
    let bot = world.realtime();
    world.pass(secs(1));
    world.forget_frames();
    let id = member.as_str();
    let rows = [
        ("video.member.audio_mute", json!({}), "422"),
        ("video.member.audio_mute", json!({"member_id": 7}), "422"),
        ("video.member.audio_mute", json!({"member_id": "all"}), "404"),
        ("video.member.set_position", json!({"member_id": id}), "422"),
        ("video.member.set_position", json!({"member_id": id, "position": "sofa"}), "422"),
        ("video.member.set_position", json!({"member_id": "nobody", "position": "sofa"}), "404"),
        ("video.set_layout", json!({}), "422"),
        ("video.set_layout", json!({"name": "sofa"}), "422"),
        ("video.set_layout", json!({"name": "2x1", "positions": {"nobody": "auto"}}), "404"),
        ("video.set_layout", json!({"name": "2x1", "positions": {id: "sofa"}}), "422"),
        ("video.set_layout", json!({"name": "2x1", "positions": []}), "422"),
        ("video.set_position", json!({}), "422"),
        ("video.set_position", json!({"positions": {id: "standard-2", "self": "auto"}}), "404"),
        ("video.member.remove", json!({}), "422"),
    ];
    let before = world.rooms.values().next().unwrap().machine.revision();
    for (method, params, wanted) in rows {
        let result = world.method(bot, method, params.clone());
        assert_eq!(code(&result), wanted, "{method} {params}");
        assert!(result["message"].as_str().is_some_and(|text| !text.is_empty()));
    }
    assert_eq!(
        world.request(bot, "video.set_layout", &json!({"name": "2x1"})).unwrap()["result"]["code"],
        "422"
    );
    assert_eq!(world.instructions, []);
    assert_eq!(world.rooms.values().next().unwrap().machine.revision(), before);
}

#[test]
fn a_layout_and_its_positions_come_in_one_step() {
    let Scene { mut world, own, other, .. } = scene(Role::Nothing, "");
    let bot = world.realtime();
    let positions = json!({own.as_str(): "standard-2", other.as_str(): "standard-1"});
    world.method(bot, "video.set_layout", json!({"name": "2x1", "positions": positions}));
    let set = world.instructions.iter().find_map(|instruction| match instruction {
        MediaInstruction::SetLayout { layout, positions } => Some((layout.name(), positions.len())),
        _ => None,
    });
    assert_eq!(set, Some(("2x1", 2)));
    let first: Value = serde_json::from_str(&world.events[0].params).unwrap();
    assert_eq!(first["event_type"], "video.room.updated");
    for object in ["room", "room_session"] {
        assert_eq!(first["params"][object]["layout_name"], "2x1");
        assert_eq!(first["params"][object]["updated"], json!(["layout_name"]));
    }
    // Positions of others need their own permission.
    let carol = world.browser("Carol", &["room.set_layout"]);
    world.join(carol);
    assert_eq!(code(&world.method(carol, "video.set_layout", json!({"name": "2x2"}))), "200");
    let placed = json!({"name": "2x1", "positions": {own.as_str(): "auto"}});
    assert_eq!(code(&world.method(carol, "video.set_layout", placed)), "403");
}

#[test]
fn the_later_request_for_a_slot_wins() {
    let Scene { mut world, own, other, .. } = scene(Role::Nothing, "");
    let bot = world.realtime();
    let ask = |member: &MemberId| json!({"member_id": member.as_str(), "position": "reserved-1"});
    world.method(bot, "video.member.set_position", ask(&own));
    world.forget_frames();
    world.method(bot, "video.member.set_position", ask(&other));
    let members = world.method(bot, "video.members.get", json!({}))["members"].take();
    assert_eq!(members[0]["requested_position"], "auto");
    assert_eq!(members[1]["requested_position"], "reserved-1");
    let positions = world.instructions.iter().find_map(|instruction| match instruction {
        MediaInstruction::SetPositions { positions } => Some(positions.clone()),
        _ => None,
    });
    let positions: Vec<_> =
        positions.unwrap().into_iter().map(|(_, position)| position.to_string()).collect();
    assert_eq!(positions, ["auto", "reserved-1"]);
    // Off the canvas there is room for everybody.
    for member in [&own, &other] {
        world.method(
            bot,
            "video.member.set_position",
            json!({"member_id": member.as_str(), "position": "off-canvas"}),
        );
    }
    world.pass(secs(1));
    let members = world.method(bot, "video.members.get", json!({}))["members"].take();
    assert_eq!(
        (&members[0]["visible"], &members[1]["requested_position"]),
        (&json!(false), &json!("off-canvas"))
    );
}

#[test]
fn a_muted_camera_is_not_visible_until_it_is_back() {
    let Scene { mut world, own, caller, .. } = scene(Role::Others, "video_mute");
    let bot = world.realtime();
    world.method(caller, "video.member.video_mute", json!({"member_id": own.as_str()}));
    world.method(caller, "video.member.video_mute", json!({"member_id": own.as_str()}));
    world.method(bot, "video.member.video_unmute", json!({"member_id": own.as_str()}));
    let seen: Vec<_> = world
        .events
        .iter()
        .map(|event| serde_json::from_str::<Value>(&event.params).unwrap()["params"]["member"].take())
        .map(|member| (member["video_muted"].as_bool(), member["visible"].as_bool()))
        .collect();
    assert_eq!(seen, [(Some(true), Some(false)), (Some(false), Some(true))]);
    let orders: Vec<_> =
        world.instructions.iter().filter(|i| matches!(i, MediaInstruction::SetVideoMuted { .. })).collect();
    assert_eq!(orders.len(), 2);
}

#[test]
fn the_removed_one_gets_a_goodbye_and_the_others_the_news() {
    let Scene { mut world, other, caller, bob, .. } = scene(Role::Others, "remove");
    world.method(caller, "video.member.remove", json!({"member_id": other.as_str()}));
    world.pass(secs(1));
    assert_eq!(world.event_names(caller), ["video.member.left", "video.layout.changed"]);
    assert_eq!(world.event_names(bob), ["verto.bye"]);
    assert!(world.instructions.contains(&MediaInstruction::RemoveMember { member: other }));
}

#[test]
fn all_are_removed_in_one_call_and_the_room_ends() {
    let Scene { mut world, caller, .. } = scene(Role::Project, "");
    let channel = format!("EC_{}", world.room_id());
    let events = json!(["video.member.left", "video.room.ended"]);
    let watch = json!({"event_channel": channel, "events": events, "get_initial_state": true});
    world.request(caller, "signalwire.subscribe", &watch);
    world.forget_frames();
    assert_eq!(code(&world.method(caller, "video.member.remove", json!({"member_id": "all"}))), "200");
    assert_eq!(world.event_names(caller), ["video.member.left", "video.member.left", "video.room.ended"]);
    assert!(!world.has_room());
    assert_eq!(code(&world.method(caller, "video.members.get", json!({}))), "404");
}
