//! A client that draws the layout itself says so in its invite, is told where its streams are, and nobody else is.

use control_api::{
    CallId, JoinAs, LegId, LegReceive, MediaEvent, MediaInstruction, MemberId, PlannedAudio, PlannedVideo,
    TileAudio, TilePlan, WantedEncoding,
};
use layouts::{GridRect, Size};
use serde_json::{Value, json};

use crate::world::{Client, World, offer, secs};

/// What the media plane says of a leg: the first member in a slot, the second in none.
pub(crate) fn news(leg: LegId, first: &str, second: &str) -> [MediaEvent; 2] {
    let tile = |layer: u16, member: &str, slot, encoding| PlannedVideo {
        layer,
        member: MemberId::new(member),
        slot,
        encoding,
        rect: GridRect { x: layer * 2520, y: 0, w: 2520, h: 1680 },
        z: i16::try_from(layer).unwrap(),
    };
    let audio = |slot, member: Option<&str>| PlannedAudio { slot, member: member.map(MemberId::new) };
    let video = vec![tile(0, first, Some(0), Some(1)), tile(1, second, None, None)];
    let audio = vec![audio(0, Some(second)), audio(1, None), audio(2, None)];
    let wanted = |rid: &str, active| WantedEncoding { rid: rid.to_owned(), active };
    [
        MediaEvent::Tiles { leg, tiles: TilePlan { version: 7, video, audio } },
        MediaEvent::Wanted { leg, encodings: vec![wanted("q", true), wanted("h", true), wanted("f", false)] },
    ]
}

fn tiles(video_slots: u8) -> LegReceive {
    LegReceive::Tiles { video_slots, audio: TileAudio::Mix }
}

fn mode(video_slots: u8) -> Value {
    json!({"mode": "tiles", "video_slots": video_slots})
}

/// What the media plane was last asked to send to a new leg.
fn opened(world: &World) -> LegReceive {
    let asked = world.instructions.iter().rev().find_map(|instruction| match instruction {
        MediaInstruction::OpenLeg { receive, .. } => Some(receive.clone()),
        _ => None,
    });
    asked.expect("a leg was opened")
}

fn call_of(client: Client) -> String {
    format!("call-{}", client.session.0)
}

/// Names of the events that are of a leg alone.
fn leg_events(world: &mut World, client: Client) -> Vec<Value> {
    let mut events = world.events_of(client);
    events.retain(|event| {
        let name = event["event_type"].as_str().unwrap();
        name.starts_with("video.tiles.") || name.starts_with("video.encodings.")
    });
    events
}

#[test]
fn an_invite_says_what_it_receives() {
    for (receive, expected) in [
        (None, LegReceive::Canvas),
        (Some(Value::Null), LegReceive::Canvas),
        (Some(json!({"mode": "canvas"})), LegReceive::Canvas),
        (Some(mode(4)), tiles(4)),
        (
            Some(json!({"mode": "tiles", "audio": "slots"})),
            LegReceive::Tiles { video_slots: 9, audio: TileAudio::Slots(3) },
        ),
    ] {
        let mut world = World::new();
        let alice = world.browser("Alice", &[]);
        match receive {
            None => world.join(alice),
            Some(receive) => world.join_with(alice, &receive),
        };
        assert_eq!(opened(&world), expected);
    }
}

#[test]
fn a_wrong_field_is_named_and_makes_no_member() {
    let mut world = World::new();
    let alice = world.browser("Alice", &[]);
    for (receive, field) in [
        (json!({"mode": "tiles", "video_slots": 26}), "receive.video_slots"),
        (json!({"mode": "tiles", "audio": "stereo"}), "receive.audio"),
        (json!({"mode": "tiles", "audio": "slots", "audio_slots": 0}), "receive.audio_slots"),
        (json!({"mode": "mosaic"}), "receive.mode"),
        (json!(9), "receive"),
    ] {
        let reply = world.invite_with(alice, "c", "c", &receive);
        assert_eq!(reply["code"], "422", "{reply}");
        assert!(reply["message"].as_str().unwrap().starts_with(field), "{reply}");
        assert!(!world.has_room() && world.instructions.is_empty());
    }
}

#[test]
fn a_screen_receives_nothing() {
    let mut world = World::new();
    let alice = world.browser("Alice", &["room.self.screenshare"]);
    world.join(alice);
    world.instructions.clear();
    for (receive, code) in [(mode(9), "422"), (json!({"mode": "canvas"}), "200")] {
        let dialog = json!({"callID": "screen", "screenShare": true, "receive": receive});
        let params = json!({"dialogParams": dialog, "sdp": offer("screen")});
        let reply = world.verto(alice, "verto.invite", params);
        assert_eq!(reply["code"], code, "{reply}");
        assert_eq!(world.instructions.is_empty(), code == "422");
    }
}

#[test]
fn a_living_leg_keeps_what_it_receives() {
    let mut world = World::new();
    let alice = world.browser("Alice", &[]);
    let call = call_of(alice);
    world.join_with(alice, &mode(4));
    for (receive, is_taken) in [
        (None, true),
        (Some(mode(4)), true),
        (Some(mode(5)), false),
        (Some(json!({"mode": "canvas"})), false),
        (Some(json!({"mode": "tiles", "video_slots": 4, "audio": "slots"})), false),
    ] {
        for update in [false, true] {
            world.forget_frames();
            let mut dialog = json!({"callID": call});
            if let Some(receive) = &receive {
                dialog["receive"] = receive.clone();
            }
            let params = json!({"dialogParams": dialog, "sdp": offer(&call), "action": "updateMedia"});
            let method = if update { "verto.modify" } else { "verto.invite" };
            let reply = world.verto(alice, method, params);
            assert_eq!(reply["code"], if is_taken { "200" } else { "422" }, "{receive:?} {reply}");
            let reoffered = matches!(&world.instructions[..], [MediaInstruction::ReofferLeg { .. }]);
            assert_eq!((reoffered, world.instructions.is_empty()), (is_taken, !is_taken));
        }
    }
}

#[test]
fn a_page_loaded_anew_says_itself_what_it_receives() {
    let mut world = World::new();
    let alice = world.browser("Alice", &[]);
    let call = call_of(alice);
    let member = world.join_with(alice, &mode(4));
    for (page, receive, expected) in [
        ("second", json!({"mode": "canvas"}), LegReceive::Canvas),
        ("third", mode(25), tiles(25)),
        ("fourth", Value::Null, LegReceive::Canvas),
    ] {
        let reply = world.invite_with(alice, &call, page, &receive);
        assert_eq!(reply["result"]["result"]["memberID"], member.as_str());
        assert_eq!(opened(&world), expected);
    }
}

#[test]
fn another_call_of_the_session_may_receive_something_else() {
    let mut world = World::new();
    let alice = world.browser("Alice", &[]);
    world.join(alice);
    for (call, receive, expected) in
        [("tiles", mode(4), tiles(4)), ("canvas", json!({"mode": "canvas"}), LegReceive::Canvas)]
    {
        world.invite_with(alice, call, call, &receive);
        assert_eq!(opened(&world), expected);
        assert_eq!(world.members(), ["Alice"]);
    }
}

#[test]
fn a_change_of_role_keeps_what_is_received() {
    let mut world = World::new();
    let alice = world.browser("Alice", &["room.member.demote", "room.member.promote"]);
    world.join(alice);
    let bob = world.browser("Bob", &[]);
    let member = world.join_with(bob, &mode(4));
    let about = || json!({"member_id": member.as_str()});
    world.method(alice, "video.member.demote", about());
    world.invite(bob, "as audience");
    assert_eq!(opened(&world), tiles(4));
    world.pass(secs(20));
    world.method(alice, "video.member.promote", about());
    world.invite_with(bob, "as member", "as member", &mode(9));
    assert_eq!(opened(&world), tiles(9));
}

#[test]
fn only_its_own_page_is_told_and_at_once() {
    let mut world = World::new();
    let alice = world.browser("Alice", &[]);
    let first = world.join(alice);
    let listener = world.listener("Larry");
    world.join_with(listener, &mode(9));
    let bob = world.browser("Bob", &[]);
    let second = world.join_with(bob, &mode(9));
    let leg = world.last_leg();
    world.forget_frames();
    let events = world.events.len();
    for event in news(leg, first.as_str(), second.as_str()) {
        world.media(event.clone());
        world.media(event); // the same again is no news
    }
    let told = leg_events(&mut world, bob);
    let names: Vec<&str> = told.iter().map(|event| event["event_type"].as_str().unwrap()).collect();
    assert_eq!(names, ["video.tiles.changed", "video.encodings.wanted"]);
    for event in &told {
        assert_eq!(event["params"]["call_id"], call_of(bob));
        assert_eq!(event["params"]["member_id"], second.as_str());
    }
    assert_eq!(told[0]["params"]["video"][1]["slot"], Value::Null);
    assert!(leg_events(&mut world, alice).is_empty() && leg_events(&mut world, listener).is_empty());
    assert_eq!(world.events.len(), events, "they are in no history");
}

#[test]
fn who_did_not_say_that_it_draws_is_told_nothing() {
    for (receive, expected) in [
        (None, &[][..]),
        (Some(json!({"mode": "canvas"})), &["video.encodings.wanted"]),
        (Some(mode(9)), &["video.tiles.changed", "video.encodings.wanted"]),
    ] {
        let mut world = World::new();
        let alice = world.browser("Alice", &[]);
        let member = match &receive {
            None => world.join(alice),
            Some(receive) => world.join_with(alice, receive),
        };
        let leg = world.last_leg();
        for event in news(leg, member.as_str(), member.as_str()) {
            world.media(event);
        }
        let told = leg_events(&mut world, alice);
        let names: Vec<&str> = told.iter().map(|event| event["event_type"].as_str().unwrap()).collect();
        assert_eq!(names, expected, "{receive:?}");
    }
}

#[test]
fn what_comes_before_the_answer_is_told_right_after_it() {
    let mut world = World::new();
    world.answers = false;
    let alice = world.browser("Alice", &[]);
    let member = world.join_with(alice, &mode(9));
    let leg = world.last_leg();
    for event in news(leg, member.as_str(), member.as_str()) {
        world.media(event);
    }
    assert!(leg_events(&mut world, alice).is_empty());
    world.media(MediaEvent::LegAnswered { leg, sdp: "v=0".into() });
    let names = world.event_names(alice);
    let place = |name: &str| names.iter().position(|known| known == name).unwrap();
    assert!(place("verto.answer") < place("video.room.subscribed"));
    assert!(place("video.room.subscribed") < place("video.tiles.changed"));
    // A page that resumes may have missed it.
    world.invite_with(alice, &call_of(alice), &call_of(alice), &mode(9));
    world.media(MediaEvent::LegAnswered { leg, sdp: "v=0".into() });
    assert_eq!(leg_events(&mut world, alice).len(), 2);
}

#[test]
fn of_what_changed_while_the_socket_was_away_the_last_comes() {
    let mut world = World::new();
    let alice = world.browser("Alice", &[]);
    let member = world.join_with(alice, &mode(9));
    let leg = world.last_leg();
    world.lose_socket(alice);
    for version in 7..20 {
        let [MediaEvent::Tiles { leg, mut tiles }, _] = news(leg, member.as_str(), member.as_str()) else {
            panic!("tiles come first");
        };
        tiles.version = version;
        world.media(MediaEvent::Tiles { leg, tiles });
    }
    let alice = world.reconnect(alice);
    let told = leg_events(&mut world, alice);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["params"]["version"], 19);
}

#[test]
fn tiles_and_layout_have_the_same_version() {
    let mut world = World::new();
    let alice = world.browser("Alice", &[]);
    let member = world.join_with(alice, &mode(9));
    let leg = world.last_leg();
    world.pass(secs(1));
    let events = world.events_of(alice);
    let layout = events.iter().rfind(|event| event["event_type"] == "video.layout.changed").unwrap();
    let shown = layout["params"]["layout"]["version"].as_u64().unwrap();
    // Placed again as it was: clients hear of no layout, so what draws it has the version they know.
    let room = world.room_id();
    world.place(&room);
    let [MediaEvent::Tiles { leg, mut tiles }, _] = news(leg, member.as_str(), member.as_str()) else {
        panic!("tiles come first");
    };
    tiles.version = shown + 1;
    world.media(MediaEvent::Tiles { leg, tiles });
    world.pass(secs(1));
    let events = world.events_of(alice);
    assert!(events.iter().all(|event| event["event_type"] != "video.layout.changed"));
    let told = events.iter().find(|event| event["event_type"] == "video.tiles.changed").unwrap();
    assert_eq!(told["params"]["version"], shown);
}

#[test]
fn a_viewport_is_of_ones_own_living_tile_leg() {
    let mut world = World::new();
    let alice = world.browser("Alice", &[]);
    world.join(alice);
    let bob = world.browser("Bob", &[]);
    world.join_with(bob, &mode(9));
    let leg = world.last_leg();
    let (own, canvas) = (call_of(bob), call_of(alice));
    world.forget_frames();
    for (client, call, size, code) in [
        (bob, &own, json!([1920, 1080]), "200"),
        (bob, &own, json!([0, 0]), "200"),
        (bob, &own, json!([16384, 16384]), "200"),
        (bob, &own, json!([16385, 1]), "422"),
        (bob, &own, json!([1, 16385]), "422"),
        (bob, &own, json!([-1, 1]), "422"),
        (bob, &own, json!([1.5, 1]), "422"),
        (bob, &own, json!(["1", 1]), "422"),
        (bob, &own, json!([null, 1]), "422"),
        (bob, &canvas, json!([1, 1]), "404"),
        (alice, &own, json!([1, 1]), "404"),
        (alice, &canvas, json!([1, 1]), "422"),
    ] {
        world.instructions.clear();
        let params = json!({"call_id": call, "width": size[0], "height": size[1]});
        let result = world.method(client, "video.tiles.set_viewport", params);
        assert_eq!(result["code"], code, "{size} {result}");
        let edge = |n: usize| u32::try_from(size[n].as_u64().unwrap_or_default()).unwrap();
        let wanted = MediaInstruction::SetViewport { leg, size: Size { width: edge(0), height: edge(1) } };
        let expected: &[_] = if code == "200" { &[wanted] } else { &[] };
        assert_eq!(world.instructions, expected);
    }
}

#[test]
fn one_member_alone_is_watched_only_while_it_is_there() {
    use control_api::{Command, Invite, LegRole, RequestKey, RoomInput, RoomRequest, Route, Sender};
    let mut world = World::new();
    let alice = world.browser("Alice", &[]);
    let member = world.join(alice);
    let viewer = world.connect(
        control_api::Authority::Room(control_api::RoomGrant {
            join_as: JoinAs::Audience,
            ..control_api::RoomGrant::new(control_api::ProjectId::new(crate::world::PROJECT), "my-room", "V")
        }),
        false,
    );
    for (watched, is_opened) in [(MemberId::new("nobody"), false), (member.clone(), true)] {
        world.instructions.clear();
        let authority = world.sessions[&viewer.session].authority().clone();
        let room = world.room_id();
        let invite = Invite {
            call: CallId::new("whep"),
            sdp: offer("whep"),
            role: LegRole::Person,
            may_resume: true,
            via: control_api::Via::Verto,
            receive: Some(LegReceive::Member(watched.clone())),
        };
        let request = RoomRequest {
            route: Route::Id(room.clone()),
            from: Sender { session: viewer.session, authority },
            key: RequestKey(1),
            command: Command::Invite(invite),
        };
        world.tell_room(&room, RoomInput::Request(request));
        assert_eq!(world.instructions.is_empty(), !is_opened);
    }
    assert_eq!(opened(&world), LegReceive::Member(member));
}
