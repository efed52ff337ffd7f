//! What REST stores of a room is what its members meet.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use support::offer::offer;
use support::rest::Rest;
use support::{Client, Server};

/// Joins as a browser does; gives `room_session`.
async fn join(client: &mut Client, page: &str) -> Value {
    client.invite(&format!("call-{page}"), &offer(page)).await;
    client.event("video.room.subscribed").await["room_session"].clone()
}

/// Invites and is refused.
async fn refused(server: &Server, token: &str) -> bool {
    let (mut client, _) = Client::browser(server, token).await;
    let reply = client.verto("call-x", "verto.invite", json!({"sdp": offer("9999")})).await;
    reply["result"]["code"] == "403"
}

async fn browser(server: &Server, room: &str, user: &str) -> Client {
    Client::browser(server, &server.token(room, user).await).await.0
}

#[tokio::test]
async fn a_member_meets_the_room_as_it_is_stored() {
    let server = Server::start();
    let rest = server.rest();
    let stored = rest
        .make(
            "/rooms",
            &json!({"name": "lounge", "display_name": "The Lounge", "layout": "3x3", "max_members": 2,
                "meta": {"floor": 2}, "prioritize_handraise": true, "user_join_video_off": true,
                "quality": "1080p", "fps": 30}),
        )
        .await;
    let mut alice = browser(&server, "lounge", "Alice").await;
    let room = join(&mut alice, "1001").await;
    assert_eq!(
        (&room["room_id"], &room["display_name"], &room["layout_name"], &room["meta"]),
        (&stored["id"], &json!("The Lounge"), &json!("3x3"), &json!({"floor": 2}))
    );
    assert_eq!((&room["prioritize_handraise"], &room["preview_url"]), (&json!(true), &Value::Null));
    assert_eq!(room["members"][0]["video_muted"], true);
    while alice.event("video.layout.changed").await["layout"]["name"] != "3x3" {}

    let active = rest.get("/rooms/lounge?include_active_session=true").await["active_session"].clone();
    assert_eq!(
        (&active["id"], &active["room_id"], &active["status"], &active["max_members"]),
        (&room["id"], &stored["id"], &json!("in-progress"), &json!(2))
    );
    let listed = rest.get("/rooms?include_active_session=true").await;
    assert_eq!(listed["data"][0]["active_session"]["id"], room["id"]);

    // The limit is the room's, and a change of it is the next session's.
    let mut bob = browser(&server, "lounge", "Bob").await;
    join(&mut bob, "1002").await;
    assert!(refused(&server, &server.token("lounge", "Eve").await).await);
    rest.change("/rooms/lounge", &json!({"max_members": 3, "layout": "5up"})).await;
    assert!(refused(&server, &server.token("lounge", "Eve").await).await);

    // The session goes on without its room.
    rest.delete("/rooms/lounge").await;
    let of_room = json!({"room_session_id": room["id"]});
    assert_eq!(bob.call("video.members.get", of_room).await["result"]["code"], "200");
}

#[tokio::test]
async fn the_door_opens_and_closes_at_the_rooms_times() {
    let server = Server::start();
    let rest = server.rest();
    rest.make("/rooms", &json!({"name": "later", "join_from": "2999-01-01"})).await;
    rest.make("/rooms", &json!({"name": "over", "join_until": "2020-01-01"})).await;
    rest.make("/rooms", &json!({"name": "gone", "remove_at": "2020-01-01"})).await;
    for room in ["later", "over", "gone"] {
        assert!(refused(&server, &server.token(room, "Eve").await).await, "{room}");
    }
    // None of them began.
    server.metrics_with(&["signalbox_rooms 0"]).await;
    rest.change("/rooms/later", &json!({"join_from": null})).await;
    join(&mut browser(&server, "later", "Alice").await, "1001").await;
}

#[tokio::test]
async fn the_room_puts_out_its_members_in_time() {
    let server = Server::start();
    server.rest().make("/rooms", &json!({"name": "brief", "remove_after_seconds_elapsed": 1})).await;
    let mut alice = browser(&server, "brief", "Alice").await;
    join(&mut alice, "1001").await;
    while alice.event("webrtc.message").await["method"] != "verto.bye" {}
}

#[tokio::test]
async fn a_token_that_makes_no_rooms_opens_stored_ones() {
    let server = Server::start();
    let token =
        server.token_with(json!({"room_name": "lounge", "user_name": "A", "auto_create_room": false})).await;
    assert!(refused(&server, &token).await);
    server.rest().make("/rooms", &json!({"name": "lounge"})).await;
    assert!(!refused(&server, &token).await);
}

#[tokio::test]
async fn a_token_before_its_time_names_no_room() {
    let server = Server::start();
    let early = server
        .token_with(json!({"room_name": "adhoc", "user_name": "E", "room_display_name": "Mine",
            "join_from": "2999-01-01T00:00:00Z"}))
        .await;
    assert!(refused(&server, &early).await);
    let room = join(&mut browser(&server, "adhoc", "Alice").await, "1001").await;
    assert_eq!(room["display_name"], "adhoc");
}

#[tokio::test]
async fn a_room_that_a_token_makes_is_no_resource() {
    let server = Server::start();
    let token =
        json!({"room_name": "adhoc", "user_name": "A", "room_display_name": "Ad hoc", "room_meta": {"a": 1}});
    let (mut alice, _) = Client::browser(&server, &server.token_with(token).await).await;
    let room = join(&mut alice, "1001").await;
    assert_eq!((&room["display_name"], &room["meta"]), (&json!("Ad hoc"), &json!({"a": 1})));
    assert!(room["room_id"].is_string());
    assert_eq!(server.rest().get("/rooms").await["data"], json!([]));
}

async fn tokens(rest: &Rest) -> (Value, Value) {
    let tokens = rest.get("/conferences/team/conference_tokens").await["data"].clone();
    let of = |name: &str| tokens.as_array().unwrap().iter().find(|t| t["name"] == name).unwrap().clone();
    (of("Moderator"), of("Guest"))
}

#[tokio::test]
async fn conference_tokens_open_the_conference() {
    let server = Server::start();
    let rest = server.rest();
    rest.make("/conferences", &json!({"name": "team", "display_name": "Team", "layout": "5up"})).await;
    let (moderator, guest) = tokens(&rest).await;
    let secret = |token: &Value| token["token"].as_str().unwrap().to_owned();

    let (mut host, connected) = Client::browser(&server, &secret(&moderator)).await;
    assert_eq!(connected["authorization"]["room"]["scopes"], moderator["scopes"]);
    let room = join(&mut host, "1001").await;
    assert_eq!(
        (&room["name"], &room["display_name"], &room["layout_name"]),
        (&json!("team"), &json!("Team"), &json!("5up"))
    );
    let (mut visitor, _) = Client::browser(&server, &secret(&guest)).await;
    join(&mut visitor, "1002").await;
    let set = json!({"room_session_id": room["id"], "name": "2x2"});
    assert_eq!(visitor.call("video.set_layout", set.clone()).await["result"]["code"], "403");
    assert_eq!(host.call("video.set_layout", set).await["result"]["code"], "200");

    // A reset closes the door, not the room.
    let reset = format!("/conference_tokens/{}/reset", guest["id"].as_str().unwrap());
    let (_, fresh) = rest.send(Method::POST, &reset, None).await;
    let mut late = Client::open(&server, "/").await;
    let refusal = late.connect(json!({"jwt_token": secret(&guest)}), json!({})).await;
    assert_eq!(refusal["error"]["code"], -32002);
    Client::browser(&server, &secret(&fresh)).await;
    let of_room = json!({"room_session_id": room["id"]});
    let members = visitor.call("video.members.get", of_room).await;
    assert_eq!(members["result"]["members"].as_array().unwrap().len(), 2);
}

/// Waits until the history has it: it is written beside the room, never in its way.
async fn history(rest: &Rest, path: &str, is_there: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..200 {
        let found = rest.get(path).await;
        if is_there(&found) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{path} does not show it: {}", rest.get(path).await);
}

#[tokio::test]
async fn a_session_can_be_read_while_it_runs_and_after() {
    let server = Server::start();
    let rest = server.rest();
    let stored =
        rest.make("/rooms", &json!({"name": "lounge", "display_name": "Lounge", "layout": "2x2"})).await;
    let mut alice = browser(&server, "lounge", "Alice").await;
    let room = join(&mut alice, "1001").await;
    join(&mut browser(&server, "other", "Zoe").await, "1003").await;
    let id = room["id"].as_str().unwrap();
    let by_name = "/room_sessions?room_name=lounge&status=in-progress";
    let running = history(&rest, by_name, |list| list["data"][0]["id"] == *id).await;
    let session = &running["data"][0];
    assert_eq!(
        (&session["room_id"], &session["layout"], &session["display_name"], &session["end_time"]),
        (&stored["id"], &json!("2x2"), &json!("Lounge"), &Value::Null)
    );
    let path = format!("/room_sessions/{id}");
    let has_member = |list: &Value| list["data"][0]["name"] == "Alice";
    let members = history(&rest, &format!("{path}/members"), has_member).await;
    assert_eq!(members["data"][0]["leave_time"], Value::Null);

    alice.verto("call-1001", "verto.bye", json!({})).await;
    let over = history(&rest, &path, |session| session["status"] == "completed").await;
    assert!(over["end_time"].is_string() && over["duration"].is_u64(), "{over}");
    let members = rest.get(&format!("{path}/members")).await;
    assert!(members["data"][0]["leave_time"].is_string(), "{members}");
    let events = rest.get(&format!("{path}/events")).await;
    let names: Vec<_> =
        events["data"].as_array().unwrap().iter().map(|event| event["name"].clone()).collect();
    assert_eq!((&names[0], names.last().unwrap()), (&json!("room.started"), &json!("room.ended")));
    assert!(names.contains(&json!("member.joined")) && names.contains(&json!("member.left")));
    assert_eq!(rest.get(&format!("{path}/recordings")).await["data"], json!([]));

    let log = rest.get(&format!("/logs/{id}")).await;
    assert_eq!((&log["type"], &log["room_name"]), (&json!("video_room_session"), &json!("lounge")));
    for (filter, count) in [
        (format!("room_id={}", stored["id"].as_str().unwrap()), 1),
        ("room_name_matches=oung".to_owned(), 1),
        ("room_name_matches=%25".to_owned(), 0),
        ("status=completed&room_name=lounge".to_owned(), 1),
        ("status=in-progress&room_name=lounge".to_owned(), 0),
        ("room_name=LOUNGE".to_owned(), 0),
    ] {
        let list = rest.get(&format!("/room_sessions?{filter}")).await;
        assert_eq!(list["data"].as_array().unwrap().len(), count, "{filter}: {list}");
    }
}
