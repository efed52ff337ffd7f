//! `/room_tokens`: what lets a browser into a room, for the project and for the demo page.
//!
//! in:  attributes
//! out: `{"token": …}`; nothing is stored

use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use control_api::{JoinAs, MediaAllowed, Permission, RoomAction};
use serde_json::{Value, json};

use super::attributes::Attributes;
use super::reply::{Answer, Refusal, reply};
use super::values::{MAX_DISPLAY_NAME, MAX_NAME, flag, line, meta, moment, one_of, room_name, stay};
use crate::app::App;
use crate::random;
use crate::tokens::Grant;

/// What the demo page's own buttons need beside the usual permissions for oneself.
const DEMO_PERMISSIONS: [Permission; 3] = [
    Permission::Room(RoomAction::ListAvailableLayouts),
    Permission::Room(RoomAction::SetLayout),
    Permission::Room(RoomAction::SetPosition),
];

/// Characters of the name of one who gave none.
const RANDOM_NAME: usize = 10;

/// Most entries of a list of permissions; there are some fifty.
const MAX_PERMISSIONS: usize = 200;

pub(super) async fn create(State(app): State<Arc<App>>, body: Bytes) -> Answer {
    let grant = grant(Attributes::parse(&body)?)?;
    tracing::debug!(room = grant.room, user = grant.user, "room token made");
    Ok(token(&app, grant))
}

/// Tokens for anybody; the route is there only when `demo.enabled`.
pub(super) async fn demo(State(app): State<Arc<App>>, body: Bytes) -> Answer {
    let mut attributes = Attributes::parse(&body)?;
    let room = attributes.require("room", room_name);
    let name = attributes.require("name", |value| match line(MAX_NAME)(value)? {
        name if name.is_empty() => Err("must be present".to_owned()),
        name => Ok(name),
    });
    attributes.finish()?;
    let permissions = Permission::DEFAULT.iter().chain(&DEMO_PERMISSIONS).map(ToString::to_string);
    Ok(token(&app, Grant::new(room.unwrap_or_default(), name.unwrap_or_default(), permissions.collect())))
}

fn token(app: &App, grant: Grant) -> Response {
    app.metrics.room_tokens.inc();
    let token = app.tokens.mint(grant, Some(&app.public_url.ws()), SystemTime::now());
    reply(StatusCode::OK, &json!({"token": token}))
}

/// What a request grants.
fn grant(mut attributes: Attributes) -> Result<Grant, Refusal> {
    let room = attributes.require("room_name", room_name);
    let mut user = String::new();
    attributes.set("user_name", &mut user, String::new(), line(MAX_NAME));
    if user.is_empty() {
        user = random::text(RANDOM_NAME);
    }
    let mut grant = Grant::new(room.unwrap_or_default(), user, usual_permissions());
    attributes.set("permissions", &mut grant.permissions, usual_permissions(), listed);
    attributes.set_optional("room_display_name", &mut grant.room_display_name, line(MAX_DISPLAY_NAME));
    attributes.set(
        "join_as",
        &mut grant.join_as,
        JoinAs::Member,
        one_of([JoinAs::Member, JoinAs::Audience], |role| match role {
            JoinAs::Member => "member",
            JoinAs::Audience => "audience",
        }),
    );
    attributes.set(
        "media_allowed",
        &mut grant.media_allowed,
        MediaAllowed::All,
        one_of([MediaAllowed::All, MediaAllowed::AudioOnly, MediaAllowed::VideoOnly], |kind| match kind {
            MediaAllowed::All => "all",
            MediaAllowed::AudioOnly => "audio-only",
            MediaAllowed::VideoOnly => "video-only",
        }),
    );
    attributes.set_optional("join_from", &mut grant.join_from, moment);
    attributes.set_optional("join_until", &mut grant.join_until, moment);
    attributes.set_optional("remove_at", &mut grant.remove_at, moment);
    attributes.set_optional("remove_after_seconds_elapsed", &mut grant.remove_after_s, stay);
    attributes.set("auto_create_room", &mut grant.auto_create_room, true, flag);
    for (name, place) in [
        ("join_audio_muted", &mut grant.join_audio_muted),
        ("join_video_muted", &mut grant.join_video_muted),
        ("end_room_session_on_leave", &mut grant.end_room_session_on_leave),
        ("enable_room_previews", &mut grant.enable_room_previews),
        // Sound and picture are always in step: it is looked at and not kept.
        ("sync_audio_video", &mut false),
    ] {
        attributes.set(name, place, false, flag);
    }
    attributes.set("meta", &mut grant.meta, serde_json::Map::new(), meta);
    attributes.set("room_meta", &mut grant.room_meta, serde_json::Map::new(), meta);
    attributes.check_window(grant.join_from, grant.join_until);
    attributes.finish()?;
    if grant.join_as == JoinAs::Audience {
        grant.permissions.clear();
    }
    Ok(grant)
}

fn usual_permissions() -> Vec<String> {
    Permission::DEFAULT.iter().map(ToString::to_string).collect()
}

fn listed(value: Value) -> Result<Vec<String>, String> {
    let Value::Array(names) = value else { return Err("must be a list of names".to_owned()) };
    if names.len() > MAX_PERMISSIONS {
        return Err(format!("is too long (maximum is {MAX_PERMISSIONS} names)"));
    }
    let name = |name: Value| {
        name.as_str().map(str::to_owned).ok_or_else(|| format!("holds {name}, which is not a permission"))
    };
    permissions(names.into_iter().map(name).collect::<Result<_, _>>()?)
}

/// The names as they came, once all are known to mean something; else the rest of a sentence.
pub(crate) fn permissions(names: Vec<String>) -> Result<Vec<String>, String> {
    match names.iter().find(|name| Permission::by_name(name).is_none()) {
        Some(unknown) => Err(format!("holds {unknown:?}, which is not a permission")),
        None => Ok(names),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &Value) -> Result<Grant, Refusal> {
        grant(Attributes::parse(body.to_string().as_bytes())?)
    }

    #[test]
    fn the_least_request_gets_the_usual_permissions_for_oneself() {
        let grant = parse(&json!({"room_name": "lounge"})).unwrap();
        assert_eq!(grant.room, "lounge");
        assert_eq!(grant.user.len(), RANDOM_NAME, "somebody must be told from the others");
        assert_eq!(grant.permissions.len(), 11);
        assert!(grant.permissions.iter().all(|name| name.starts_with("room.self.")));
        assert_eq!(grant, Grant::new("lounge".into(), grant.user.clone(), usual_permissions()));
    }

    #[test]
    fn every_attribute_arrives() {
        let grant = parse(&json!({
            "room_name": "Team_1-a", "user_name": "Zoë",
            "permissions": ["room.set_layout", "room.self.audio_mute"],
            "room_display_name": "Team", "auto_create_room": false, "join_audio_muted": true,
            "join_video_muted": true, "join_from": "2030-01-02T03:04:05+01:00", "join_until": 1_893_556_800,
            "join_as": "member", "media_allowed": "audio-only", "enable_room_previews": true,
            "sync_audio_video": true, "remove_at": "2030-01-02", "remove_after_seconds_elapsed": 60,
            "end_room_session_on_leave": true, "meta": {"seat": 4}, "room_meta": {"floor": 2},
            "of_another_version": 1,
        }))
        .unwrap();
        let expected = Grant {
            room_display_name: Some("Team".into()),
            media_allowed: MediaAllowed::AudioOnly,
            auto_create_room: false,
            join_from: Some(1_893_549_845),
            join_until: Some(1_893_556_800),
            remove_at: Some(1_893_542_400),
            remove_after_s: Some(60),
            end_room_session_on_leave: true,
            enable_room_previews: true,
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
    fn audience_may_do_nothing() {
        let body = json!({"room_name": "lounge", "join_as": "audience", "permissions": ["room.set_layout"]});
        let grant = parse(&body).unwrap();
        assert_eq!((grant.join_as, grant.permissions.len()), (JoinAs::Audience, 0));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("room_name", Value::Null),
            ("room_name", json!("")),
            ("room_name", json!("a room")),
            ("room_name", json!("räume")),
            ("room_name", json!("r".repeat(101))),
            ("room_name", json!(7)),
            ("user_name", json!("u".repeat(101))),
            ("user_name", json!("a\u{0}b")),
            ("room_display_name", json!("r".repeat(201))),
            ("permissions", json!("room.set_layout")),
            ("permissions", json!(["room.fly"])),
            ("permissions", json!([1])),
            ("permissions", json!(vec!["room.lock"; 201])),
            ("join_audio_muted", json!("yes")),
            ("join_video_muted", json!(1)),
            ("join_from", json!("tomorrow")),
            ("join_until", json!(-1)),
            ("join_as", json!("guest")),
            ("media_allowed", json!("none")),
            ("remove_at", json!("soon")),
            ("remove_after_seconds_elapsed", json!(0)),
            ("remove_after_seconds_elapsed", json!(200_001)),
            ("end_room_session_on_leave", json!(1)),
            ("auto_create_room", json!("no")),
            ("enable_room_previews", json!("no")),
            ("sync_audio_video", json!(2)),
            ("meta", json!({"a": "x".repeat(2000)})),
            ("room_meta", json!([1])),
        ];
        for (attribute, value) in cases {
            let mut body = json!({"room_name": "lounge"});
            body[attribute] = value;
            match parse(&body) {
                Err(Refusal::Invalid(wrong)) if wrong.len() == 1 => {
                    assert_eq!(wrong[0].attribute, attribute, "{body}");
                }
                other => panic!("{body}: {other:?}"),
            }
        }
        let window = json!({"room_name": "lounge", "join_from": 7, "join_until": 7});
        assert_eq!(
            parse(&window).unwrap_err(),
            Refusal::invalid("join_until", "Join until must be after join_from")
        );
    }

    #[test]
    fn the_longest_values_are_taken() {
        let name = "r".repeat(100);
        let grant = parse(&json!({"room_name": name, "user_name": "ü".repeat(100)})).unwrap();
        assert_eq!((grant.room.len(), grant.user.chars().count()), (100, 100));
    }

    #[test]
    fn a_body_that_is_no_object_is_malformed() {
        let deep = "[".repeat(100_000);
        for body in [&b"{"[..], b"[]", b"7", b"\xff", deep.as_bytes()] {
            assert!(matches!(Attributes::parse(body), Err(Refusal::Malformed(_))));
        }
        assert!(matches!(grant(Attributes::parse(b"").unwrap()), Err(Refusal::Invalid(_))));
    }
}
