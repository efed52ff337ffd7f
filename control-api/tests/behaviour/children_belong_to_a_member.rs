use control_api::{LegEnd, Liveness, MediaEvent, MediaInstruction, MemberId};
use layouts::Position;
use serde_json::{Value, json};

use crate::world::{Client, World, event_name, secs};

const SHARING: &[&str] = &["room.self.screenshare", "room.self.additional_source", "room.self.audio_mute"];

/// Alice, who may share, and Bob.
fn two() -> (World, Client, MemberId, Client) {
    let mut world = World::new();
    let alice = world.browser("Alice", SHARING);
    let id = world.join(alice);
    let bob = world.browser("Bob", &["room.member.remove"]);
    world.join(bob);
    world.pass(secs(1));
    world.forget_frames();
    (world, alice, id, bob)
}

fn member_of(reply: &Value) -> MemberId {
    MemberId::new(reply["result"]["result"]["memberID"].as_str().unwrap())
}

#[test]
fn a_share_is_announced_as_a_member_of_its_own() {
    for (flag, kind) in [("screenShare", "screen"), ("additionalDevice", "device")] {
        let (mut world, alice, parent, bob) = two();
        let reply = world.share(alice, "s", flag, json!({}));
        let child = member_of(&reply);
        world.pass(secs(1));
        let events = world.events_of(alice);
        let names: Vec<_> = events.iter().map(event_name).collect();
        let expected =
            ["verto.answer", "video.member.joined", "video.member.updated", "video.layout.changed"];
        assert_eq!(names, expected);
        assert_eq!(world.event_names(bob), names[1..]);
        let member = &events[1]["params"]["member"];
        assert_eq!(member["id"], child.as_str());
        assert_eq!(member["type"], kind);
        assert_eq!(member["parent_id"], parent.as_str());
        assert_eq!(member["name"], "Alice");
        assert!(matches!(
            &world.instructions[0],
            MediaInstruction::AddMember { setup, .. } if setup.parent.as_ref() == Some(&parent)
        ));
        assert_eq!(world.members(), ["Alice", "Bob", "Alice"]);
    }
}

#[test]
fn a_share_needs_its_permission_and_a_member() {
    let mut world = World::new();
    let alice = world.browser("Alice", &["room.self.screenshare"]);
    assert_eq!(world.share(alice, "s", "screenShare", json!({}))["code"], "403", "nobody is in");
    world.join(alice);
    assert_eq!(world.share(alice, "d", "additionalDevice", json!({}))["code"], "403");
    assert_eq!(world.share(alice, "s", "screenShare", json!({}))["code"], "200");
}

#[test]
fn a_share_can_bring_its_layout_and_places() {
    let (mut world, alice, id, bob) = two();
    world.share(
        alice,
        "s",
        "screenShare",
        json!({"layout": "2x1", "positions": {"self": "reserved-1", id.as_str(): "standard-2", "gone": "auto"}}),
    );
    world.pass(secs(1));
    let wanted = world.instructions.iter().find_map(|instruction| match instruction {
        MediaInstruction::SetLayout { layout, positions } => Some((layout.name(), positions.len())),
        _ => None,
    });
    assert_eq!(wanted, Some(("2x1", 2)));
    let events = world.events_of(bob);
    let joined = events.iter().position(|event| event_name(event) == "video.member.joined").unwrap();
    let updated = events.iter().position(|event| event_name(event) == "video.room.updated").unwrap();
    assert!(joined < updated);
    let screen = events.iter().rev().find(|event| event["params"]["member"]["type"] == "screen").unwrap();
    assert_eq!(screen["params"]["member"]["requested_position"], Position::Reserved(1).to_string());
    assert_eq!(screen["params"]["member"]["current_position"], "reserved-1");
    // What cannot be read is refused, and nothing has begun.
    world.forget_frames();
    for more in [json!({"layout": "round"}), json!({"positions": {"self": "under-the-table"}})] {
        assert_eq!(world.share(alice, "t", "screenShare", more)["code"], "422");
    }
    assert_eq!(world.instructions, []);
}

#[test]
fn children_are_bounded_and_take_no_members_place() {
    let (mut world, alice, ..) = two();
    for n in 0..4 {
        assert_eq!(world.share(alice, &format!("s{n}"), "screenShare", json!({}))["code"], "200");
    }
    assert_eq!(world.share(alice, "more", "additionalDevice", json!({}))["code"], "422");
    let carol = world.browser("Carol", &[]);
    assert_eq!(
        world.invite(carol, "c")["code"],
        "200",
        "two members and four screens are two of four members"
    );
}

#[test]
fn one_is_a_member_through_ones_children_too() {
    let (mut world, alice, ..) = two();
    let child = member_of(&world.share(alice, "s", "screenShare", json!({})));
    let reply = world.method(alice, "video.member.audio_mute", json!({"member_id": child.as_str()}));
    assert_eq!(reply["code"], "200");
    let muted = MediaInstruction::SetAudioMuted { member: child, muted: true };
    assert_eq!(world.instructions.last(), Some(&muted));
}

#[test]
fn a_goodbye_ends_the_share_alone() {
    let (mut world, alice, _, bob) = two();
    world.share(alice, "s", "screenShare", json!({}));
    world.pass(secs(1));
    world.forget_frames();
    let reply = world.verto(alice, "verto.bye", json!({"dialogParams": {"callID": "s"}}));
    assert_eq!(reply["result"]["result"]["message"], "CALL ENDED");
    world.pass(secs(1));
    assert_eq!(world.event_names(bob), ["video.member.left", "video.layout.changed"]);
    assert_eq!(world.members(), ["Alice", "Bob"]);
}

#[test]
fn a_share_can_be_removed() {
    let (mut world, alice, _, bob) = two();
    let child = member_of(&world.share(alice, "s", "screenShare", json!({})));
    world.pass(secs(1));
    world.forget_frames();
    assert_eq!(world.method(bob, "video.member.remove", json!({"member_id": child.as_str()}))["code"], "200");
    let events = world.events_of(alice);
    assert_eq!(events[0]["params"]["params"]["callID"], "s");
    assert_eq!(event_name(&events[0]), "verto.bye");
    assert_eq!(event_name(&events[1]), "video.member.left");
    assert_eq!(world.members(), ["Alice", "Bob"]);
}

/// Makes Alice leave while Bob stays.
type Leave = fn(&mut World, Client, Client);

#[test]
fn children_end_with_their_member() {
    let leave: [(&str, Leave); 3] = [
        ("goodbye", |world, alice, _| {
            let call = format!("call-{}", alice.session.0);
            world.verto(alice, "verto.bye", json!({"dialogParams": {"callID": call}}));
        }),
        ("forgotten", |world, alice, bob| {
            world.lose_socket(alice);
            world.stay_awake(&[bob], secs(61));
        }),
        ("silent", |world, _, _| {
            let leg = control_api::LegId(1);
            world.heard(leg, Liveness::Gone);
        }),
    ];
    for (how, leave) in leave {
        let (mut world, alice, _, bob) = two();
        world.share(alice, "s", "screenShare", json!({}));
        world.share(alice, "d", "additionalDevice", json!({}));
        world.pass(secs(1));
        world.forget_frames();
        leave(&mut world, alice, bob);
        assert!(!world.members().contains(&"Alice".to_owned()), "{how}");
        let left = world.event_names(bob).iter().filter(|name| *name == "video.member.left").count();
        assert_eq!(left, 3, "{how}");
    }
}

#[test]
fn a_share_that_fails_is_given_up_alone() {
    let (mut world, alice, _, bob) = two();
    world.answers = false;
    world.share(alice, "s", "screenShare", json!({}));
    let leg = world.last_leg();
    world.media(MediaEvent::LegEnded { leg, why: LegEnd::Refused });
    assert_eq!(world.event_names(alice)[0], "verto.bye");
    world.pass(secs(1));
    assert!(world.event_names(bob).iter().all(|name| name == "video.layout.changed"));
    // The same for one that goes silent later.
    world.answers = true;
    world.share(alice, "s2", "screenShare", json!({}));
    world.heard(world.last_leg(), Liveness::Gone);
    assert_eq!(world.members(), ["Alice", "Bob"]);
}

#[test]
fn a_known_share_resumes_or_comes_again() {
    let (mut world, alice, _, bob) = two();
    let child = member_of(&world.share(alice, "s", "screenShare", json!({})));
    world.pass(secs(1));
    world.forget_frames();
    // The same peer connection: an ICE restart.
    assert_eq!(member_of(&world.share(alice, "s", "screenShare", json!({}))), child);
    assert_eq!(world.event_names(alice), ["verto.answer"]);
    assert!(matches!(world.instructions[..], [MediaInstruction::ReofferLeg { .. }]));
    // Another one: its page waits for `member.joined`.
    let params =
        json!({"dialogParams": {"callID": "s", "screenShare": true}, "sdp": crate::world::offer("new")});
    assert_eq!(member_of(&world.verto(alice, "verto.invite", params)), child);
    assert_eq!(world.event_names(alice), ["verto.answer", "video.member.joined"]);
    assert_eq!(world.event_names(bob), Vec::<String>::new());
}

#[test]
fn a_page_loaded_anew_has_no_shares() {
    let (mut world, alice, _, bob) = two();
    world.invite_from(alice, "a", "page-1");
    world.share(alice, "s", "screenShare", json!({}));
    world.share(alice, "d", "additionalDevice", json!({}));
    world.pass(secs(1));
    // Another path is not another page.
    world.invite_from(alice, "a", "page-1");
    assert_eq!(world.members().len(), 4);
    world.forget_frames();
    world.invite_from(alice, "a", "page-2");
    assert_eq!(world.members().len(), 2);
    let left = world.event_names(bob).iter().filter(|name| *name == "video.member.left").count();
    assert_eq!(left, 2);
    assert!(!world.event_names(alice).contains(&"verto.bye".to_owned()));
}
