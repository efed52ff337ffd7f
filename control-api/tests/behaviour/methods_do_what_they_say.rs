//! What single methods do beyond the contract's table: to slots, to pictures, to who is removed.

use control_api::{
    Authority, CallId, Command, Invite, LegRole, MediaInstruction, MemberId, ProjectGrant, ProjectId,
    RequestKey, RoomGrant, RoomInput, RoomRequest, Route, Sender, Via,
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
fn a_room_that_has_not_begun_is_not_there() {
    let mut world = World::new();
    world.answers = false;
    let alice = world.browser("Alice", &[]);
    world.invite(alice, "c");
    let bot = world.realtime();
    world.forget_frames();
    for method in ["video.lock", "video.members.get", "video.room.get", "video.member.remove"] {
        assert_eq!(code(&world.method(bot, method, json!({"member_id": "all"}))), "404", "{method}");
    }
    let channel = format!("EC_{}", world.room_id());
    let params =
        json!({"event_channel": channel, "events": ["video.room.updated"], "get_initial_state": true});
    assert_eq!(code(&world.request(bot, "signalwire.subscribe", &params).unwrap()["result"]), "404");
    assert_eq!((world.events.len(), world.instructions.len()), (0, 0));
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
        let invite = Invite {
            call: CallId::new("c"),
            sdp: crate::world::offer("c"),
            role: LegRole::Person,
            may_resume: true,
            receive: None,
            via: Via::Verto,
        };
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
        ("video.member.set_input_volume", json!({"member_id": id}), "422"),
        ("video.member.set_input_volume", json!({"member_id": id, "volume": 51}), "422"),
        ("video.member.set_input_volume", json!({"member_id": id, "volume": "loud"}), "422"),
        ("video.member.set_output_volume", json!({"member_id": id, "volume": -50.5}), "422"),
        ("video.member.set_output_volume", json!({"member_id": id, "value": 5}), "422"),
        ("video.member.set_input_sensitivity", json!({"member_id": id, "value": -1}), "422"),
        ("video.member.set_input_sensitivity", json!({"member_id": id, "value": 101}), "422"),
        ("video.member.set_input_sensitivity", json!({"member_id": id, "value": null}), "422"),
        ("video.set_meta", json!({}), "422"),
        ("video.set_meta", json!({"meta": []}), "422"),
        ("video.set_meta", json!({"meta": null}), "422"),
        ("video.update_meta", json!({"meta": "x"}), "422"),
        ("video.delete_meta", json!({"keys": "x"}), "422"),
        ("video.delete_meta", json!({"keys": [1]}), "422"),
        ("video.member.set_meta", json!({"member_id": id}), "422"),
        ("video.member.get_meta", json!({"member_id": "nobody"}), "404"),
        ("video.prioritize_handraise", json!({"enable": "yes"}), "422"),
        ("video.playback.start", json!({}), "422"),
        ("video.playback.start", json!({"url": "film.mp4"}), "422"),
        ("video.playback.start", json!({"url": "file:///etc/passwd"}), "422"),
        ("video.playback.start", json!({"url": "https://a", "volume": 51}), "422"),
        ("video.playback.start", json!({"url": "https://a", "layout": "sofa"}), "422"),
        ("video.playback.start", json!({"url": "https://a", "positions": {"self": "sofa"}}), "422"),
        ("video.playback.start", json!({"url": "https://a", "positions": {"nobody": "auto"}}), "404"),
        ("video.playback.start", json!({"url": "https://a", "seek_position": -1}), "422"),
        ("video.playback.start", json!({"url": "https://a", "seekPosition": -1}), "422"),
        ("video.playback.seek_absolute", json!({"playback_id": "p", "position": -1}), "422"),
        ("video.playback.seek_relative", json!({"playback_id": "p"}), "422"),
        ("video.playback.set_volume", json!({"playback_id": "p", "volume": 99}), "422"),
        ("video.playback.stop", json!({}), "422"),
        ("video.recording.stop", json!({}), "422"),
        ("video.stream.start", json!({}), "422"),
        ("video.stream.start", json!({"url": "https://example.org/live"}), "422"),
        ("video.stream.stop", json!({}), "422"),
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

/// What one call after the other makes of a member, and what everybody hears of it.
fn plays(steps: &[&str], deaf: bool, audio_muted: bool, heard: &[&[&str]]) {
    let Scene { mut world, own, .. } = scene(Role::Nothing, "");
    let bot = world.realtime();
    for step in steps {
        let method = format!("video.member.{step}");
        assert_eq!(code(&world.method(bot, &method, json!({"member_id": own.as_str()}))), "200");
    }
    let member = world.method(bot, "video.members.get", json!({}))["members"][0].take();
    assert_eq!((&member["deaf"], &member["audio_muted"]), (&json!(deaf), &json!(audio_muted)), "{steps:?}");
    let updated: Vec<Value> = world
        .events
        .iter()
        .map(|event| {
            serde_json::from_str::<Value>(&event.params).unwrap()["params"]["member"]["updated"].take()
        })
        .collect();
    assert_eq!(json!(updated), json!(heard), "{steps:?}");
    // The media plane ends up with the same.
    let told = |read: fn(&MediaInstruction) -> Option<bool>| world.instructions.iter().rev().find_map(read);
    let is_muted = told(|instruction| match instruction {
        MediaInstruction::SetAudioMuted { muted, .. } => Some(*muted),
        _ => None,
    });
    let is_deaf = told(|instruction| match instruction {
        MediaInstruction::SetDeaf { deaf, .. } => Some(*deaf),
        _ => None,
    });
    assert_eq!((is_deaf.unwrap_or(false), is_muted.unwrap_or(false)), (deaf, audio_muted), "{steps:?}");
}

#[test]
fn deafness_takes_the_microphone_with_it() {
    let both: &[&str] = &["deaf", "audio_muted"];
    plays(&["deaf"], true, true, &[both]);
    plays(&["deaf", "undeaf"], false, false, &[both, both]);
    plays(&["deaf", "deaf"], true, true, &[both]);
    // A deaf member may be unmuted by itself; then there is nothing left to unmute.
    plays(&["deaf", "audio_unmute", "undeaf"], false, false, &[both, &["audio_muted"], &["deaf"]]);
    // Who was muted before is told only what is new, and hearing again unmutes all the same.
    plays(&["audio_mute", "deaf"], true, true, &[&["audio_muted"], &["deaf"]]);
    plays(&["audio_mute", "deaf", "undeaf"], false, false, &[&["audio_muted"], &["deaf"], both]);
    // Who hears anyway keeps its microphone closed.
    plays(&["audio_mute", "undeaf"], false, true, &[&["audio_muted"]]);
}

#[test]
fn a_member_on_hold_stays_silent_whatever_its_microphone() {
    let Scene { mut world, own, caller, .. } = scene(Role::Nothing, "");
    let bot = world.realtime();
    let call = format!("call-{}", caller.session.0);
    let hold = |action: &str| json!({"dialogParams": {"callID": call}, "action": action});
    world.verto(caller, "verto.modify", hold("hold"));
    for method in ["video.member.deaf", "video.member.undeaf"] {
        world.method(bot, method, json!({"member_id": own.as_str()}));
    }
    let is_heard = |instruction: &MediaInstruction| {
        matches!(instruction, MediaInstruction::SetAudioMuted { muted: false, .. })
    };
    assert!(!world.instructions.iter().any(is_heard));
    world.verto(caller, "verto.modify", hold("unhold"));
    assert!(world.instructions.iter().any(is_heard));
}

#[test]
fn levels_are_told_to_the_media_plane_and_to_everybody() {
    let Scene { mut world, own, .. } = scene(Role::Nothing, "");
    let bot = world.realtime();
    for (method, param, sent, level) in [
        ("video.member.set_input_volume", "volume", json!(-50), -50),
        ("video.member.set_input_volume", "volume", json!("25"), 25),
        ("video.member.set_output_volume", "volume", json!(12.4), 12),
        ("video.member.set_input_sensitivity", "value", json!(0), 0),
        ("video.member.set_input_sensitivity", "value", json!("100"), 100),
    ] {
        world.forget_frames();
        assert_eq!(code(&world.method(bot, method, json!({"member_id": own.as_str(), param: sent}))), "200");
        let told = match world.instructions.as_slice() {
            [
                MediaInstruction::SetInputVolume { volume, .. }
                | MediaInstruction::SetOutputVolume { volume, .. },
            ] => i32::from(volume.steps()),
            [MediaInstruction::SetInputSensitivity { value, .. }] => i32::from(value.value()),
            other => panic!("{other:?}"),
        };
        let property = method.trim_start_matches("video.member.set_");
        let members = world.method(bot, "video.members.get", json!({}))["members"].take();
        assert_eq!((told, &members[0][property]), (level, &json!(level)), "{method}");
    }
}

#[test]
fn a_locked_room_lets_nobody_in_and_nobody_out() {
    let Scene { mut world, bob, .. } = scene(Role::Nothing, "");
    let bot = world.realtime();
    world.method(bot, "video.lock", json!({}));
    let carol = world.browser("Carol", &[]);
    assert_eq!(code(&world.invite(carol, "c")), "403");
    assert_eq!(world.members(), ["Alice", "Bob"]);
    // Who is in may load its page anew, and may come again under another call after losing the first one's answer.
    let call = format!("call-{}", bob.session.0);
    assert_eq!(code(&world.invite_from(bob, &call, "another page")), "200");
    world.method(bot, "video.unlock", json!({}));
    assert_eq!(code(&world.invite(carol, "c2")), "200");
    assert_eq!(world.members(), ["Alice", "Bob", "Carol"]);
}

#[test]
fn priority_of_raised_hands_is_switched_or_set() {
    let Scene { mut world, .. } = scene(Role::Nothing, "");
    let bot = world.realtime();
    for (params, expected) in [
        (json!({}), true),
        (json!({"enable": null}), false),
        (json!({"enable": true}), true),
        (json!({"enable": true}), true),
        (json!({"enable": false}), false),
    ] {
        let result = world.method(bot, "video.prioritize_handraise", params.clone());
        assert_eq!(result["prioritize_handraise"], expected, "{params}");
        let room = world.method(bot, "video.room.get", json!({}))["room"].take();
        assert_eq!(room["prioritize_handraise"], expected, "{params}");
    }
    let orders = world.instructions.iter().map(|instruction| match instruction {
        MediaInstruction::SetPrioritizeHandraise { on } => *on,
        other => panic!("{other:?}"),
    });
    assert_eq!(orders.collect::<Vec<_>>(), [true, false, true, false]);
}

#[test]
fn meta_is_replaced_merged_and_taken_away() {
    let Scene { mut world, own, .. } = scene(Role::Nothing, "");
    let bot = world.realtime();
    for (prefix, get, property) in
        [("video.", "video.get_meta", "room"), ("video.member.", "video.member.get_meta", "member")]
    {
        world.events.clear();
        for (step, params, expected, is_news) in [
            ("set_meta", json!({"meta": {"a": 1, "b": {"c": 2}}}), json!({"a": 1, "b": {"c": 2}}), true),
            ("update_meta", json!({"meta": {"a": 1}}), json!({"a": 1, "b": {"c": 2}}), false),
            // One key is one value: what was inside is replaced, not merged.
            (
                "update_meta",
                json!({"meta": {"b": {"d": 3}, "e": null}}),
                json!({"a": 1, "b": {"d": 3}, "e": null}),
                true,
            ),
            ("delete_meta", json!({"keys": ["b", "e", "unknown"]}), json!({"a": 1}), true),
            ("delete_meta", json!({"keys": ["b"]}), json!({"a": 1}), false),
            ("set_meta", json!({"meta": {}}), json!({}), true),
        ] {
            let before = world.events.len();
            let mut params = params;
            params["member_id"] = json!(own.as_str());
            let method = format!("{prefix}{step}");
            assert_eq!(code(&world.method(bot, &method, params)), "200", "{method}");
            let meta = world.method(bot, get, json!({"member_id": own.as_str()}))["meta"].take();
            assert_eq!(meta, expected, "{method}");
            assert_eq!(world.events.len() - before, usize::from(is_news), "{method}");
            if is_news {
                let event: Value = serde_json::from_str(&world.events[before].params).unwrap();
                assert_eq!(event["params"][property]["meta"], expected, "{method}");
            }
        }
    }
}

#[test]
fn meta_grows_to_a_bound_and_not_beyond() {
    let Scene { mut world, own, .. } = scene(Role::Nothing, "");
    let bot = world.realtime();
    for (prefix, most) in [("video.", 16 * 1024), ("video.member.", 4 * 1024)] {
        let mut meta = |step: &str, meta: Value| {
            let params = json!({"meta": meta, "member_id": own.as_str()});
            world.method(bot, &format!("{prefix}{step}"), params)
        };
        let overhead = r#"{"k":""}"#.len();
        let too_much = meta("set_meta", json!({"k": "x".repeat(most - overhead + 1)}));
        assert_eq!(code(&too_much), "422");
        assert!(too_much["message"].as_str().unwrap().contains(&most.to_string()), "{too_much}");
        assert_eq!(code(&meta("set_meta", json!({"k": "x".repeat(most - overhead)}))), "200");
        assert_eq!(code(&meta("update_meta", json!({"l": 1}))), "422");
        assert_eq!(code(&meta("update_meta", json!({"k": 1}))), "200");
    }
}
