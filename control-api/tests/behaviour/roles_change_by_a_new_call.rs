use control_api::{
    Authority, EventKind, LegEnd, MediaEvent, MediaInstruction, MemberId, RoomSettings, Sensitivity, Volume,
};
use serde_json::{Value, json};

use crate::world::{Client, World, event_name, kinds, offer, secs};

/// Host, who may promote and demote, and a listener; with the listener's id.
fn hall() -> (World, Client, Client, MemberId) {
    let mut world = World::new();
    let host = world.browser("Host", &["room.member.promote", "room.member.demote"]);
    world.join(host);
    let larry = world.listener("Larry");
    let id = world.join(larry);
    world.stay_awake(&[host, larry], secs(2));
    forget(&mut world);
    (world, host, larry, id)
}

fn forget(world: &mut World) {
    world.forget_frames();
    world.events.clear();
}

fn promote(world: &mut World, host: Client, id: &MemberId, mut params: Value) -> Value {
    params["member_id"] = json!(id.as_str());
    world.method(host, "video.member.promote", params)["code"].take()
}

fn demote(world: &mut World, host: Client, id: &MemberId) -> Value {
    world.method(host, "video.member.demote", json!({"member_id": id.as_str()}))["code"].take()
}

fn bye(world: &mut World, client: Client, call: &str) {
    world.verto(client, "verto.bye", json!({"dialogParams": {"callID": call}}));
}

fn names(events: &[Value]) -> Vec<String> {
    events.iter().map(event_name).collect()
}

#[test]
fn a_promoted_one_comes_by_a_new_call_with_its_member_id() {
    let (mut world, host, larry, id) = hall();
    let params = json!({"permissions": ["room.self.audio_unmute", "room.list_available_layouts"],
        "join_audio_muted": true, "meta": {"seat": 3}});
    assert_eq!(promote(&mut world, host, &id, params), "200");
    let events = world.events_of(larry);
    assert_eq!(names(&events), ["video.member.promoted", "signalwire.authorization.state"]);
    let (about, authorization) = (&events[0]["params"]["member_id"], &events[0]["params"]["authorization"]);
    assert_eq!(about, id.as_str());
    assert_eq!(
        (&authorization["join_as"], &authorization["audio_allowed"]),
        (&json!("member"), &json!("both"))
    );
    assert_eq!(
        authorization["room"]["scopes"],
        json!(["room.self.audio_unmute", "room.list_available_layouts"])
    );
    assert_eq!(world.members(), ["Host"], "not before it comes");

    let reply = world.invite(larry, "new");
    assert_eq!(reply["result"]["result"]["memberID"], id.as_str());
    world.pass(secs(2));
    let events = world.events_of(larry);
    let expected = [
        "verto.answer",
        "video.room.subscribed",
        "video.member.joined",
        "video.member.updated",
        "video.layout.changed",
    ];
    assert_eq!(names(&events), expected);
    let state = &events[1]["params"];
    assert_eq!((&state["call_id"], &state["member_id"]), (&json!("new"), &json!(id.as_str())));
    let member = &events[2]["params"]["member"];
    assert_eq!((&member["audio_muted"], &member["meta"]), (&json!(true), &json!({"seat": 3})));
    assert_eq!(names(&world.events_of(host)), expected[2..]);
    assert_eq!(world.members(), ["Host", "Larry"]);
    // The page says goodbye to the former call: that one ends, and nobody hears of it.
    world.forget_frames();
    bye(&mut world, larry, &format!("call-{}", larry.session.0));
    assert!(matches!(world.instructions[..], [MediaInstruction::CloseLeg { .. }]));
    assert_eq!(
        world.method(larry, "video.member.audio_unmute", json!({"member_id": id.as_str()}))["code"],
        "200"
    );
    assert_eq!(world.members(), ["Host", "Larry"]);
    // Goodbye to the new one is goodbye.
    bye(&mut world, larry, "new");
    assert_eq!(world.members(), ["Host"]);
}

#[test]
fn a_demotion_acts_at_once() {
    let mut world = World::new();
    let host = world.browser("Host", &["room.member.demote"]);
    world.join(host);
    let mia = world.browser("Mia", &["room.self.audio_mute", "room.self.screenshare"]);
    let id = world.join(mia);
    world.share(mia, "screen", "screenShare", json!({}));
    world.stay_awake(&[host, mia], secs(2));
    forget(&mut world);
    assert_eq!(demote(&mut world, host, &id), "200");
    world.pass(secs(1));
    let events = world.events_of(mia);
    let expected = [
        "video.member.demoted",
        "signalwire.authorization.state",
        "verto.bye",
        "video.member.left",
        "video.member.left",
        "video.layout.changed",
    ];
    assert_eq!(names(&events)[..6], expected);
    let authorization = &events[0]["params"]["authorization"];
    assert_eq!(
        (&authorization["join_as"], &authorization["room"]["scopes"]),
        (&json!("audience"), &json!([]))
    );
    assert_eq!(authorization["video_allowed"], "receive");
    let layers = events[5]["params"]["layout"]["layers"].as_array().unwrap();
    assert!(layers.iter().all(|layer| layer["member_id"] != id.as_str()));
    let silenced = MediaInstruction::SetAudience { member: id.clone(), audience: true };
    assert!(world.instructions.contains(&silenced));
    let mute = world.method(mia, "video.member.audio_mute", json!({"member_id": id.as_str()}));
    assert_eq!(mute["code"], "403");
    // Its page may come by a new call, or stay with the one it has.
    world.forget_frames();
    let reply = world.invite(mia, "listening");
    assert_eq!(reply["result"]["result"]["memberID"], id.as_str());
    assert_eq!(
        names(&world.events_of(mia)),
        ["verto.answer", "video.room.subscribed", "video.layout.changed"]
    );
    bye(&mut world, mia, &format!("call-{}", mia.session.0));
    world.stay_awake(&[host, mia], secs(20));
    assert_eq!(world.members(), ["Host"]);
    assert!(names(&world.events_of(mia)).iter().all(|name| name != "verto.bye"));
}

#[test]
fn up_and_down_and_up_and_down() {
    let (mut world, host, larry, id) = hall();
    for round in 0..2 {
        assert_eq!(promote(&mut world, host, &id, json!({})), "200");
        world.invite(larry, &format!("up-{round}"));
        assert_eq!(world.members(), ["Host", "Larry"]);
        if round == 0 {
            bye(&mut world, larry, &format!("call-{}", larry.session.0));
        }
        assert_eq!(demote(&mut world, host, &id), "200");
        world.invite(larry, &format!("down-{round}"));
        bye(&mut world, larry, &format!("up-{round}"));
        assert_eq!(world.members(), ["Host"]);
    }
    let told: Vec<EventKind> = kinds(&world.events);
    let of = |kind| told.iter().filter(|known| **known == kind).count();
    assert_eq!((of(EventKind::MemberJoined), of(EventKind::MemberLeft)), (2, 2));
    world.stay_awake(&[host, larry], secs(20));
    bye(&mut world, larry, "down-1");
    world.stay_awake(&[host], secs(2));
    assert_eq!(world.events.last().unwrap().kind, EventKind::AudienceCount);
}

#[test]
fn who_is_what_already_and_who_is_not_there() {
    let (mut world, host, larry, id) = hall();
    let own = MemberId::new(
        world.method(host, "video.members.get", json!({}))["members"][0]["id"].as_str().unwrap(),
    );
    assert_eq!(promote(&mut world, host, &own, json!({})), "403");
    assert_eq!(promote(&mut world, host, &MemberId::new("nobody"), json!({})), "404");
    assert_eq!(demote(&mut world, host, &id), "404");
    assert_eq!(demote(&mut world, host, &MemberId::new("nobody")), "404");
    for params in [
        json!({"permissions": ["room.self.fly"]}),
        json!({"permissions": "all"}),
        json!({"media_allowed": "smell"}),
        json!({"meta": {"long": "x".repeat(5000)}}),
    ] {
        assert_eq!(promote(&mut world, host, &id, params.clone()), "422", "{params}");
    }
    assert_eq!(world.event_names(larry), Vec::<String>::new());
    assert_eq!(promote(&mut world, larry, &id, json!({})), "403");
}

#[test]
fn a_full_room_promotes_nobody() {
    let (mut world, host, larry, id) = hall();
    let others: Vec<Client> = (0..3).map(|n| world.browser(&format!("M{n}"), &[])).collect();
    for other in &others[..2] {
        world.join(*other);
    }
    assert_eq!(promote(&mut world, host, &id, json!({})), "200");
    world.join(others[2]);
    // The last place is taken before the promoted one has come.
    assert_eq!(world.invite(larry, "new")["code"], "403");
    assert_eq!(promote(&mut world, host, &id, json!({})), "403");
    bye(&mut world, others[2], &format!("call-{}", others[2].session.0));
    assert_eq!(world.invite(larry, "new")["code"], "200");
}

#[test]
fn a_promotion_stands_until_used_or_taken_back() {
    let (mut world, host, larry, id) = hall();
    promote(&mut world, host, &id, json!({}));
    world.stay_awake(&[host, larry], secs(600));
    assert_eq!(world.members(), ["Host"]);
    assert_eq!(demote(&mut world, host, &id), "200");
    assert_eq!(world.event_names(larry).last().unwrap(), "signalwire.authorization.state");
    assert_eq!(world.invite(larry, "still listening")["code"], "200");
    assert_eq!(world.members(), ["Host"]);
    assert_eq!(world.events.iter().filter(|event| event.kind == EventKind::MemberLeft).count(), 0);
}

#[test]
fn a_new_call_that_fails_leaves_the_former() {
    let (mut world, host, larry, id) = hall();
    promote(&mut world, host, &id, json!({}));
    world.answers = false;
    // The page gives up two attempts, and the third is refused.
    for call in ["one", "two", "three"] {
        assert_eq!(world.invite(larry, call)["code"], "200");
    }
    let leg = world.last_leg();
    world.frames(larry);
    world.media(MediaEvent::LegEnded { leg, why: LegEnd::Refused });
    assert_eq!(world.event_names(larry), ["verto.bye"]);
    world.stay_awake(&[host, larry], secs(60));
    assert_eq!(world.rooms.values().next().unwrap().machine.snapshot().unwrap().audience_count, 1);
    world.answers = true;
    world.invite(larry, "four");
    assert_eq!(world.members(), ["Host", "Larry"]);
}

#[test]
fn a_former_call_that_its_page_forgot_is_closed() {
    let (mut world, host, larry, id) = hall();
    promote(&mut world, host, &id, json!({}));
    world.invite(larry, "new");
    world.forget_frames();
    world.stay_awake(&[host, larry], secs(16));
    assert_eq!(
        world.instructions.iter().filter(|i| matches!(i, MediaInstruction::CloseLeg { .. })).count(),
        1
    );
    assert!(!world.event_names(larry).contains(&"verto.bye".to_owned()));
    assert_eq!(world.members(), ["Host", "Larry"]);
}

#[test]
fn a_page_loaded_anew_comes_back_in_its_new_role() {
    let (mut world, host, larry, id) = hall();
    promote(&mut world, host, &id, json!({"permissions": ["room.self.audio_mute"]}));
    world.invite(larry, "new");
    world.lose_socket(larry);
    // The token in the page still says audience.
    let token = control_api::RoomGrant {
        join_as: control_api::JoinAs::Audience,
        ..control_api::RoomGrant::new(control_api::ProjectId::new(crate::world::PROJECT), "my-room", "Larry")
    };
    let larry = world.reconnect_with(larry, Authority::Room(token));
    let result = world.frames(larry)[0]["result"].take();
    assert_eq!(result["authorization"]["join_as"], "member");
    assert_eq!(result["authorization"]["room"]["scopes"], json!(["room.self.audio_mute"]));
    world.forget_frames();
    world.events.clear();
    let reply = world.invite_from(larry, "new", "another page");
    assert_eq!(reply["result"]["result"]["memberID"], id.as_str());
    assert_eq!(
        names(&world.events_of(larry)),
        ["verto.answer", "video.room.subscribed", "video.layout.changed"]
    );
    assert_eq!(world.members(), ["Host", "Larry"]);
    assert_eq!(
        world.method(larry, "video.member.audio_mute", json!({"member_id": id.as_str()}))["code"],
        "200"
    );
}

#[test]
fn a_page_loaded_anew_between_promotion_and_call_comes_as_a_member() {
    let (mut world, host, larry, id) = hall();
    promote(&mut world, host, &id, json!({}));
    world.lose_socket(larry);
    let larry = world.reconnect(larry);
    let call = format!("call-{}", larry.session.0);
    let params = json!({"dialogParams": {"callID": call}, "sdp": offer("another page")});
    world.verto(larry, "verto.invite", params);
    assert_eq!(world.members(), ["Host", "Larry"]);
    let left = world.events.iter().filter(|event| event.kind == EventKind::MemberLeft).count();
    assert_eq!(left, 0);
    assert!(world.method(host, "video.members.get", json!({}))["members"][1]["id"] == id.as_str());
}

#[test]
fn coming_and_going_can_be_heard() {
    let mut world = World::new();
    world.settings = RoomSettings { tone_on_entry_and_exit: true, ..world.settings.clone() };
    let host = world.browser("Host", &["room.self.screenshare", "room.member.demote", "room.member.promote"]);
    world.join(host);
    let larry = world.listener("Larry");
    let id = world.join(larry);
    world.share(host, "screen", "screenShare", json!({}));
    bye(&mut world, host, "screen");
    promote(&mut world, host, &id, json!({}));
    world.invite(larry, "new");
    demote(&mut world, host, &id);
    let tones: Vec<_> = world
        .instructions
        .iter()
        .filter_map(|instruction| match instruction {
            MediaInstruction::PlayTone { tone } => Some(*tone),
            _ => None,
        })
        .collect();
    // Members only: not listeners, not screens.
    use control_api::Tone::{Entry, Exit};
    assert_eq!(tones, [Entry, Entry, Exit]);
}

fn answer(world: &mut World) {
    let leg = world.last_leg();
    world.media(MediaEvent::LegAnswered { leg, sdp: "v=0".into() });
}

#[test]
fn a_reload_from_before_the_promotion_comes_as_audience() {
    let (mut world, host, larry, id) = hall();
    world.answers = false;
    world.invite_from(larry, &format!("call-{}", larry.session.0), "another page");
    promote(&mut world, host, &id, json!({}));
    answer(&mut world);
    assert_eq!(world.members(), ["Host"], "it was offered to receive alone");
    world.answers = true;
    world.invite(larry, "new");
    assert_eq!(world.members(), ["Host", "Larry"]);
}

#[test]
fn two_promoted_ones_do_not_share_the_last_place() {
    let (mut world, host, larry, id) = hall();
    let lena = world.listener("Lena");
    let other = world.join(lena);
    for name in ["A", "B"] {
        let member = world.browser(name, &[]);
        world.join(member);
    }
    promote(&mut world, host, &id, json!({}));
    promote(&mut world, host, &other, json!({}));
    world.answers = false;
    assert_eq!(world.invite(larry, "new")["code"], "200");
    assert_eq!(world.invite(lena, "new")["code"], "403");
    let late = world.browser("Late", &[]);
    assert_eq!(world.invite(late, "c")["code"], "403");
    // Its own attempts do not stand in its way.
    assert_eq!(world.invite(larry, "newer")["code"], "200");
    answer(&mut world);
    assert_eq!(world.members().len(), 4);
    // Nor does loading the page anew get the other one in.
    let call = format!("call-{}", lena.session.0);
    assert_eq!(world.invite_from(lena, &call, "another page")["code"], "403");
    assert_eq!(world.members().len(), 4);
}

#[test]
fn a_demoted_one_hears_the_room_as_everybody_does() {
    let mut world = World::new();
    let host = world.browser("Host", &["room.member.demote", "room.member.promote"]);
    world.join(host);
    let mia = world.browser(
        "Mia",
        &["room.self.set_output_volume", "room.self.set_input_volume", "room.self.set_input_sensitivity"],
    );
    let id = world.join(mia);
    let own = |more: Value| {
        let mut params = json!({"member_id": id.as_str()});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        params
    };
    for name in ["output", "input"] {
        let method = format!("video.member.set_{name}_volume");
        assert_eq!(world.method(mia, &method, own(json!({"volume": -50})))["code"], "200");
    }
    let reply = world.method(mia, "video.member.set_input_sensitivity", own(json!({"value": 0})));
    assert_eq!(reply["code"], "200");
    world.forget_frames();
    demote(&mut world, host, &id);
    let member = || id.clone();
    for expected in [
        MediaInstruction::SetOutputVolume { member: member(), volume: Volume::default() },
        MediaInstruction::SetInputVolume { member: member(), volume: Volume::default() },
        MediaInstruction::SetInputSensitivity { member: member(), value: Sensitivity::default() },
    ] {
        assert!(world.instructions.contains(&expected), "{expected:?}");
    }
    promote(&mut world, host, &id, json!({}));
    world.invite(mia, "new");
    let members = world.method(host, "video.members.get", json!({}))["members"].take();
    assert_eq!((&members[1]["output_volume"], &members[1]["input_volume"]), (&json!(0), &json!(0)));
}

#[test]
fn a_room_without_cameras_at_first_holds_for_promoted_ones_too() {
    let mut world = World::new();
    world.settings = RoomSettings { join_video_off: true, ..world.settings.clone() };
    let host = world.browser("Host", &["room.member.promote"]);
    world.join(host);
    let larry = world.listener("Larry");
    let id = world.join(larry);
    promote(&mut world, host, &id, json!({}));
    world.invite(larry, "new");
    let muted = MediaInstruction::SetVideoMuted { member: id.clone(), muted: true };
    assert!(world.instructions.contains(&muted));
}

#[test]
fn the_room_does_not_end_under_a_promoted_one_who_is_coming() {
    let (mut world, host, larry, id) = hall();
    promote(&mut world, host, &id, json!({}));
    bye(&mut world, host, &format!("call-{}", host.session.0));
    world.stay_awake(&[larry], secs(58));
    world.answers = false;
    assert_eq!(world.invite(larry, "new")["code"], "200");
    world.stay_awake(&[larry], secs(5));
    assert!(world.has_room());
    answer(&mut world);
    assert_eq!(world.members(), ["Larry"]);
}
