//! What a room is set to acts on those who come in.

use control_api::{MediaInstruction, RoomSettings, Tone};
use layouts::LayoutId;
use serde_json::json;

use crate::world::{START_UNIX_S, World, secs};

fn world(settings: RoomSettings) -> World {
    let mut world = World::new();
    world.settings = settings;
    world
}

#[test]
fn the_room_shows_what_it_begins_with() {
    let mut world = world(RoomSettings {
        layout: LayoutId::by_name("2x2").unwrap(),
        meta: json!({"floor": 2}).as_object().unwrap().clone(),
        prioritize_handraise: true,
        ..RoomSettings::default()
    });
    let alice = world.browser("Alice", &[]);
    world.join(alice);
    let events = world.events_of(alice);
    let subscribed = events.iter().find(|event| event["event_type"] == "video.room.subscribed").unwrap();
    let room = &subscribed["params"]["room_session"];
    assert_eq!(
        (&room["layout_name"], &room["meta"], &room["prioritize_handraise"]),
        (&json!("2x2"), &json!({"floor": 2}), &json!(true))
    );
    // The media plane begins without it, so it is told before anybody comes.
    assert_eq!(world.instructions[0], MediaInstruction::SetPrioritizeHandraise { on: true });
}

#[test]
fn the_rooms_window_is_kept_beside_the_tokens() {
    let cases = [
        (RoomSettings { join_from: Some(START_UNIX_S + 1.0), ..RoomSettings::default() }, "403"),
        (RoomSettings { join_until: Some(START_UNIX_S), ..RoomSettings::default() }, "403"),
        (RoomSettings { remove_at: Some(START_UNIX_S), ..RoomSettings::default() }, "403"),
        (RoomSettings { max_members: 0, ..RoomSettings::default() }, "403"),
        (RoomSettings { join_from: Some(START_UNIX_S), ..RoomSettings::default() }, "200"),
    ];
    for (settings, code) in cases {
        let mut world = world(settings.clone());
        let eve = world.browser("Eve", &[]);
        assert_eq!(world.invite(eve, "call-1")["code"], code, "{settings:?}");
    }
}

#[test]
fn who_is_in_when_the_window_closes_may_stay() {
    let mut world = world(RoomSettings { join_until: Some(START_UNIX_S + 5.0), ..RoomSettings::default() });
    let alice = world.browser("Alice", &[]);
    world.join(alice);
    world.stay_awake(&[alice], secs(6));
    let late = world.browser("Late", &[]);
    assert_eq!(world.invite(late, "call-x")["code"], "403");
    assert_eq!(world.members(), ["Alice"]);
}

#[test]
fn the_room_puts_out_everybody_at_its_time() {
    let settings = [
        RoomSettings { remove_at: Some(START_UNIX_S + 20.0), ..RoomSettings::default() },
        RoomSettings { remove_after_s: Some(20.0), ..RoomSettings::default() },
    ];
    for settings in settings {
        let mut world = world(settings);
        let alice = world.browser("Alice", &[]);
        world.join(alice);
        world.stay_awake(&[alice], secs(19));
        assert_eq!(world.members(), ["Alice"]);
        world.forget_frames();
        world.stay_awake(&[alice], secs(2));
        assert_eq!(world.event_names(alice), ["verto.bye"]);
        assert!(!world.has_room());
    }
}

#[test]
fn a_room_can_turn_cameras_off_at_the_door() {
    let mut world = world(RoomSettings { join_video_off: true, ..RoomSettings::default() });
    let alice = world.browser("Alice", &[]);
    world.join(alice);
    assert!(matches!(&world.instructions[0], MediaInstruction::AddMember { setup, .. } if setup.video_muted));
    let events = world.events_of(alice);
    let joined = events.iter().find(|event| event["event_type"] == "video.member.joined").unwrap();
    assert_eq!(joined["params"]["member"]["video_muted"], true);
}

#[test]
fn a_room_with_tones_sounds_when_members_come_and_go_and_no_other_does() {
    let tones = |tone_on_entry_and_exit| {
        let mut world = world(RoomSettings { tone_on_entry_and_exit, ..RoomSettings::default() });
        let alice = world.browser("Alice", &[]);
        let bob = world.browser("Bob", &["room.self.screenshare"]);
        world.join(alice);
        world.join(bob);
        let screen = world.share(bob, "s", "screenShare", json!({}));
        assert!(screen["result"]["result"]["memberID"].is_string(), "{screen}");
        let call = format!("call-{}", bob.session.0);
        world.verto(bob, "verto.bye", json!({"dialogParams": {"callID": call}}));
        let tone = |instruction: &MediaInstruction| match instruction {
            MediaInstruction::PlayTone { tone } => Some(*tone),
            _ => None,
        };
        world.instructions.iter().filter_map(tone).collect::<Vec<_>>()
    };
    assert_eq!(tones(true), [Tone::Entry, Tone::Entry, Tone::Exit]);
    assert_eq!(tones(false), []);
}
