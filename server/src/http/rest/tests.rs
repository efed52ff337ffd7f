use control_api::{JoinAs, MediaAllowed};

use super::*;

fn parse(body: &serde_json::Value) -> Result<Grant, Invalid> {
    Attributes::parse(body.to_string().as_bytes()).and_then(grant)
}

#[test]
fn the_least_request_gets_the_usual_permissions_for_oneself() {
    let grant = parse(&json!({"room_name": "lounge"})).unwrap();
    assert_eq!((grant.room.as_str(), grant.user.as_str()), ("lounge", ""));
    assert_eq!(grant.permissions.len(), 11);
    assert!(grant.permissions.iter().all(|name| name.starts_with("room.self.")));
    assert!(grant.auto_create_room && !grant.join_audio_muted && !grant.join_video_muted);
}

#[test]
fn every_attribute_that_is_built_arrives() {
    let grant = parse(&json!({
        "room_name": "Team_1-a", "user_name": "Zoë", "permissions": ["room.set_layout", "room.self.audio_mute"],
        "room_display_name": "Team", "auto_create_room": false, "join_audio_muted": true, "join_video_muted": true,
        "join_from": "2030-01-02T03:04:05+01:00", "join_until": 1_893_556_800,
        "join_as": "audience", "media_allowed": "audio-only", "enable_room_previews": false, "sync_audio_video": null,
        "remove_at": 1_893_556_801, "remove_after_seconds_elapsed": 60, "end_room_session_on_leave": true,
        "meta": {"seat": 4}, "room_meta": {"floor": 2},
    }))
    .unwrap();
    let expected = Grant {
        room_display_name: Some("Team".into()),
        join_as: JoinAs::Audience,
        media_allowed: MediaAllowed::AudioOnly,
        auto_create_room: false,
        join_from: Some(1_893_549_845),
        join_until: Some(1_893_556_800),
        remove_at: Some(1_893_556_801),
        remove_after_s: Some(60),
        end_room_session_on_leave: true,
        meta: json!({"seat": 4}).as_object().unwrap().clone(),
        room_meta: json!({"floor": 2}).as_object().unwrap().clone(),
        join_audio_muted: true,
        join_video_muted: true,
        ..Grant::new(
            "Team_1-a".into(),
            "Zoë".into(),
            vec!["room.set_layout".into(), "room.self.audio_mute".into()],
        )
    };
    assert_eq!(grant, expected);
}

#[test]
fn what_is_wrong_is_named() {
    let with = |name: &str, value: serde_json::Value| {
        let mut body = json!({"room_name": "lounge"});
        body[name] = value;
        body
    };
    let cases = [
        (json!({}), "room_name"),
        (with("room_name", json!("")), "room_name"),
        (with("room_name", json!("a room")), "room_name"),
        (with("room_name", json!("r".repeat(101))), "room_name"),
        (with("room_name", json!(7)), "room_name"),
        (with("user_name", json!("u".repeat(101))), "user_name"),
        (with("user_name", json!("a\u{0}b")), "user_name"),
        (with("permissions", json!("room.set_layout")), "permissions"),
        (with("permissions", json!(["room.fly"])), "permissions"),
        (with("permissions", json!([1])), "permissions"),
        (with("join_audio_muted", json!("yes")), "join_audio_muted"),
        (with("join_from", json!("tomorrow")), "join_from"),
        (with("join_until", json!(-1)), "join_until"),
        (with("join_as", json!("owner")), "join_as"),
        (with("media_allowed", json!("none")), "media_allowed"),
        (with("remove_at", json!("soon")), "remove_at"),
        (with("remove_after_seconds_elapsed", json!(-1)), "remove_after_seconds_elapsed"),
        (with("end_room_session_on_leave", json!(1)), "end_room_session_on_leave"),
        (with("meta", json!({"a": "x".repeat(2000)})), "meta"),
        (with("room_meta", json!([1])), "room_meta"),
        (with("rom_name", json!("x")), "rom_name"),
        (json!([]), ""),
    ];
    for (body, attribute) in cases {
        assert_eq!(parse(&body).unwrap_err().attribute, attribute, "{body}");
    }
    assert!(Attributes::parse(b"{").is_err() && Attributes::parse(b"").is_err());
    let deep = "[".repeat(100_000);
    assert!(Attributes::parse(deep.as_bytes()).is_err());
}
