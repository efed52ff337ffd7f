//! Rooms, their streams and conferences as resources: made, read, changed, listed, removed, and kept.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use support::Server;
use support::rest::Rest;

fn plain_sound() -> Value {
    json!({"stereo": false, "automatic_gain": false, "noise_suppression": false})
}

fn plain_look() -> Value {
    let overlays = json!({"name": true, "talking": true, "hand": true, "frozen": true});
    json!({
        "border": 0, "border_color": "#2a2e38", "overlays": overlays, "background": null, "foreground": null,
        "mute_image": null, "mute_snapshot": false, "blur_bars": false, "fade_ms": 0,
    })
}

fn names(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|room| room["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_room_from_its_making_to_its_end() {
    let mut server = Server::start();
    let rest = server.rest();
    let mut made = rest.make("/rooms", &json!({"name": "lounge", "max_members": 7})).await;
    let id = made["id"].as_str().unwrap().to_owned();
    let created_at = made["created_at"].take();
    assert!(created_at.as_str().unwrap().ends_with('Z'), "{created_at}");
    assert_eq!(created_at, made["updated_at"].take());
    let expected = json!({
        "id": id, "name": "lounge", "display_name": "lounge", "description": null, "max_members": 7,
        "quality": "720p", "fps": 20, "join_from": null, "join_until": null, "remove_at": null,
        "remove_after_seconds_elapsed": null, "layout": "grid-responsive", "record_on_start": false,
        "tone_on_entry_and_exit": false, "room_join_video_off": false, "user_join_video_off": false,
        "enable_room_previews": false, "sync_audio_video": null, "meta": {}, "prioritize_handraise": false,
        "video_codecs": ["h264", "vp8"], "layouts": [],
        "video_required_for_canvas": false,
        "placement": {"compact": false, "solo_stays": false, "screen_alone": false},
        "look": plain_look(), "sound": plain_sound(),
        "created_at": null, "updated_at": null,
    });
    assert_eq!(made, expected);

    let by_id = rest.get(&format!("/rooms/{id}")).await;
    assert_eq!(by_id, rest.get("/rooms/lounge").await);
    assert_eq!(by_id.get("active_session"), None);
    assert_eq!(rest.get("/rooms/lounge?include_active_session=true").await["active_session"], Value::Null);

    let changes = json!({"display_name": "The Lounge", "layout": "3x3", "join_from": "2030-01-01T00:00:00Z"});
    let changed = rest.change(&format!("/rooms/{id}"), &changes).await;
    assert_eq!((&changed["layout"], &changed["max_members"]), (&json!("3x3"), &json!(7)));
    assert_eq!(changed["join_from"], "2030-01-01T00:00:00Z");
    let back = rest.change(&format!("/rooms/{id}"), &json!({"join_from": null})).await;
    assert_eq!((&back["join_from"], &back["display_name"]), (&Value::Null, &json!("The Lounge")));

    server.restart();
    let rest = server.rest();
    assert_eq!(rest.get("/rooms/lounge").await, back, "it outlives the process");
    rest.delete(&format!("/rooms/{id}")).await;
    assert_eq!(rest.status(Method::GET, "/rooms/lounge").await, StatusCode::NOT_FOUND);
    assert_eq!(rest.status(Method::DELETE, &format!("/rooms/{id}")).await, StatusCode::NOT_FOUND);
    rest.make("/rooms", &json!({"name": "lounge"})).await;
}

#[tokio::test]
async fn all_that_is_wrong_is_told() {
    let server = Server::start();
    let rest = server.rest();
    rest.make("/rooms", &json!({"name": "lounge"})).await;
    let body = json!({"name": "lounge", "fps": 25, "max_members": 301, "unknown": true});
    let mut refused = rest.refused(Method::POST, "/rooms", &body).await;
    refused.sort();
    let expected =
        [("fps", "invalid_parameter"), ("max_members", "invalid_parameter"), ("name", "value_not_unique")];
    assert_eq!(refused, expected.map(|(attribute, code)| (attribute.to_owned(), code.to_owned())));
    for name in [json!(null), json!(""), json!("two words"), json!("x".repeat(101))] {
        let refused = rest.refused(Method::POST, "/rooms", &json!({"name": name})).await;
        assert_eq!(refused, [("name".to_owned(), "invalid_parameter".to_owned())], "{name}");
    }
    // A conference of that name would be the same room.
    let refused = rest
        .refused(Method::POST, "/conferences", &json!({"name": "lounge", "display_name": "Lounge"}))
        .await;
    assert_eq!(refused, [("name".to_owned(), "value_not_unique".to_owned())]);
    assert_eq!(names(&rest.get("/rooms").await), ["lounge"]);
}

/// Follows the links from the first page to the last.
async fn walk(rest: &Rest, path: &str, size: usize) -> Vec<String> {
    let mut page = rest.get(&format!("{path}?page_size={size}")).await;
    let mut all = Vec::new();
    loop {
        all.extend(names(&page).into_iter().map(str::to_owned));
        let Some(next) = page["links"]["next"].as_str() else { return all };
        let next = next.to_owned();
        page = rest.get(&next).await;
    }
}

#[tokio::test]
async fn lists_are_read_page_by_page() {
    let server = Server::start();
    let rest = server.rest();
    for n in 0..7 {
        rest.make("/rooms", &json!({"name": format!("room-{n}")})).await;
    }
    let mut all = walk(&rest, "/rooms", 3).await;
    assert_eq!(all, walk(&rest, "/rooms", 100).await);
    all.sort();
    assert_eq!(all, (0..7).map(|n| format!("room-{n}")).collect::<Vec<_>>());

    // What comes and goes meanwhile disturbs nothing.
    let first = rest.get("/rooms?page_size=3").await;
    let (gone, next) = (first["data"][2]["id"].as_str().unwrap(), first["links"]["next"].as_str().unwrap());
    rest.make("/rooms", &json!({"name": "late"})).await;
    rest.delete(&format!("/rooms/{gone}")).await;
    let second = rest.get(next).await;
    assert!(names(&second).iter().all(|name| !names(&first).contains(name) && *name != "late"));
    assert_eq!(names(&second).len(), 3);
    let back = rest.get(second["links"]["prev"].as_str().unwrap()).await;
    assert_eq!(names(&back), ["late", names(&first)[0], names(&first)[1]], "what is before the second page");
    assert_eq!(rest.get(first["links"]["first"].as_str().unwrap()).await["data"][0]["name"], "late");
}

#[tokio::test]
async fn streams_belong_to_their_room() {
    let mut server = Server::start();
    let rest = server.rest();
    rest.make("/rooms", &json!({"name": "lounge", "quality": "1080p", "fps": 30})).await;
    let made = rest.make("/rooms/lounge/streams", &json!({"url": "rtmp://live.example.com/app/key"})).await;
    assert_eq!(
        (&made["width"], &made["height"], &made["fps"], &made["stream_type"]),
        (&json!(1920), &json!(1080), &json!(30), &json!("rtmp"))
    );
    let path = format!("/streams/{}", made["id"].as_str().unwrap());
    let changed = rest.change(&path, &json!({"url": "rtmps://live.example.com/app/other"})).await;
    assert_eq!(changed["url"], "rtmps://live.example.com/app/other");
    for url in [json!("http://live.example.com"), json!("rtmp://10.0.0.1/app"), json!(7), json!(null)] {
        for (method, path) in [(Method::POST, "/rooms/lounge/streams"), (Method::PUT, path.as_str())] {
            let refused = rest.refused(method, path, &json!({"url": url})).await;
            assert_eq!(refused, [("url".to_owned(), "invalid_parameter".to_owned())], "{url}");
        }
    }
    server.restart();
    let rest = server.rest();
    assert_eq!(rest.get("/rooms/lounge/streams").await["data"], json!([changed]));
    rest.delete("/rooms/lounge").await;
    assert_eq!(rest.status(Method::GET, &path).await, StatusCode::NOT_FOUND);

    rest.make("/conferences", &json!({"name": "team", "display_name": "Team"})).await;
    let made = rest.make("/conferences/team/streams", &json!({"url": "rtmp://live.example.com/a"})).await;
    assert_eq!(rest.get("/conferences/team/streams").await["data"], json!([made]));
    rest.delete(&format!("/streams/{}", made["id"].as_str().unwrap())).await;
    assert_eq!(rest.get("/conferences/team/streams").await["data"], json!([]));
}

#[tokio::test]
async fn a_conference_from_its_making_to_its_end() {
    let mut server = Server::start();
    let rest = server.rest();
    let mut made = rest
        .make(
            "/conferences",
            &json!({"display_name": "Weekly team", "size": "small", "dark_primary": "#112233"}),
        )
        .await;
    let id = made["id"].as_str().unwrap().to_owned();
    let _ = (made["created_at"].take(), made["updated_at"].take());
    let expected = json!({
        "id": id, "name": "weekly-team", "display_name": "Weekly team", "description": null,
        "join_from": null, "join_until": null, "quality": "720p", "fps": 20, "layout": "grid-responsive",
        "size": "small", "record_on_start": false, "tone_on_entry_and_exit": false,
        "room_join_video_off": false, "user_join_video_off": false, "enable_chat": true,
        "enable_room_previews": false, "meta": {}, "video_codecs": ["h264", "vp8"], "layouts": [],
        "placement": {"compact": false, "screen_alone": false, "solo_stays": false},
        "look": plain_look(), "sound": plain_sound(),
        "video_required_for_canvas": false, "created_at": null, "updated_at": null,
        "dark_primary": "#112233", "dark_background": "#FFFFFF", "dark_foreground": "#1D2127",
        "dark_success": "#17BB58", "dark_negative": "#F42C50", "light_primary": "#044EF4",
        "light_background": "#FFFFFF", "light_foreground": "#1D2127", "light_success": "#17BB58",
        "light_negative": "#F42C50",
    });
    assert_eq!(made, expected);
    let path = format!("/conferences/{id}");
    let changed = rest.change(&path, &json!({"join_from": "2030-01-01", "join_until": "2030-02-01"})).await;
    assert_eq!(changed["display_name"], "Weekly team");
    for (filter, found) in [
        ("starts_after=2030-01-01", true),
        ("starts_after=2030-01-02", false),
        ("ends_before=1896134400", true),
        ("ends_before=2030-01-31", false),
    ] {
        let list = rest.get(&format!("/conferences?{filter}")).await;
        assert_eq!(!names(&list).is_empty(), found, "{filter}");
    }
    // Rooms and conferences are listed apart.
    assert!(names(&rest.get("/rooms").await).is_empty());
    assert_eq!(rest.status(Method::GET, "/rooms/weekly-team").await, StatusCode::NOT_FOUND);

    let tokens = rest.get(&format!("{path}/conference_tokens")).await["data"].clone();
    assert_eq!(tokens.as_array().unwrap().len(), 2);
    let guest = tokens.as_array().unwrap().iter().find(|token| token["name"] == "Guest").unwrap();
    assert!(guest["token"].as_str().unwrap().starts_with("vpt_"));
    assert!(guest["scopes"].as_array().unwrap().contains(&json!("room.self.audio_mute")));
    assert!(!guest["scopes"].as_array().unwrap().contains(&json!("room.member.remove")));
    let path_of_token = format!("/conference_tokens/{}", guest["id"].as_str().unwrap());
    assert_eq!(rest.get(&path_of_token).await, *guest);
    let (status, reset) = rest.send(Method::POST, &format!("{path_of_token}/reset"), None).await;
    assert_eq!((status, &reset["id"]), (StatusCode::OK, &guest["id"]));
    assert_ne!(reset["token"], guest["token"]);

    server.restart();
    let rest = server.rest();
    assert_eq!(rest.get(&path).await, changed);
    assert_eq!(rest.get(&path_of_token).await, reset);
    rest.delete(&path).await;
    for path in [path, path_of_token] {
        assert_eq!(rest.status(Method::GET, &path).await, StatusCode::NOT_FOUND);
    }
}
