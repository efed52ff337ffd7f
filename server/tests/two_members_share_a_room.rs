//! A room from its first invite to its last leave, as SDKs see it on the wire; media itself is not looked at.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::offer::{OFFER, offer};
use support::{Client, Server};

/// Joins as a browser does; gives the member's id and `room_session`.
async fn join(client: &mut Client, call: &str, page: &str) -> (String, Value) {
    let (member, sdp) = client.invite(call, &offer(page)).await;
    assert!(sdp.find("m=audio").unwrap() < sdp.find("m=video").unwrap(), "{sdp}");
    let subscribed = client.event("video.room.subscribed").await;
    assert_eq!((&subscribed["call_id"], &subscribed["member_id"]), (&json!(call), &json!(member)));
    (member, subscribed["room_session"].clone())
}

#[tokio::test]
async fn from_the_first_join_to_the_last_leave() {
    let server = Server::start();
    let (mut watcher, _) = Client::realtime(&server).await;
    let rooms = json!({"event_channel": "video.rooms", "events": ["video.room.started", "video.room.ended"], "get_initial_state": true});
    assert_eq!(watcher.call("signalwire.subscribe", rooms).await["result"]["code"], "200");

    let permissions =
        ["room.set_layout", "room.member.audio_mute", "room.self.audio_mute", "room.member.remove"];
    let token = server
        .token_with(json!({"room_name": "lounge", "user_name": "Alice", "permissions": permissions}))
        .await;
    let (mut alice, _) = Client::browser(&server, &token).await;
    let (alice_id, room) = join(&mut alice, "call-a", "1001").await;
    let room_id = room["id"].clone();
    assert_eq!((&room["name"], room["members"].as_array().unwrap().len()), (&json!("lounge"), 1));
    let started = watcher.event("video.room.started").await;
    assert_eq!(started["room_session"]["id"], room_id);

    let (mut bob, _) = Client::browser(&server, &server.token("lounge", "Bob").await).await;
    let (bob_id, room) = join(&mut bob, "call-b", "1002").await;
    assert_eq!((&room["id"], room["members"].as_array().unwrap().len()), (&room_id, 2));
    assert_eq!(alice.event("video.member.joined").await["member"]["id"], alice_id);
    assert_eq!(alice.event("video.member.joined").await["member"]["id"], bob_id);

    // Realtime lists the room, and sees its members.
    let listed = watcher.call("video.rooms.get", json!({})).await;
    assert_eq!(listed["result"]["rooms"][0]["id"], room_id);
    let of_room = json!({"room_session_id": room_id});
    assert_eq!(watcher.call("video.room.get", of_room.clone()).await["result"]["room"]["name"], "lounge");
    let members = watcher.call("video.members.get", of_room.clone()).await["result"]["members"].clone();
    assert_eq!(members.as_array().unwrap().len(), 2);
    assert_eq!(
        watcher.call("video.room.get", json!({"room_session_id": "none"})).await["result"]["code"],
        "404"
    );

    // Permissions decide, then everybody hears of it.
    let mute = json!({"room_session_id": room_id, "member_id": bob_id});
    assert_eq!(alice.call("video.member.audio_mute", mute).await["result"]["code"], "200");
    let updated = loop {
        let updated = bob.event("video.member.updated").await;
        if updated["member"]["audio_muted"] == true {
            break updated;
        }
    };
    assert_eq!(updated["member"]["id"], bob_id);
    let layout = json!({"room_session_id": room_id, "name": "2x1"});
    assert_eq!(bob.call("video.set_layout", layout.clone()).await["result"]["code"], "403");
    assert_eq!(alice.call("video.set_layout", layout).await["result"]["code"], "200");
    while bob.event("video.layout.changed").await["layout"]["name"] != "2x1" {}

    server
        .metrics_with(&[
            "signalbox_rooms 1",
            "signalbox_members 2",
            "signalbox_legs 2",
            "signalbox_sockets 3",
            "signalbox_sessions 3",
            "signalbox_packets_total{direction=\"in\",kind=\"audio\"}",
            "signalbox_packets_total{direction=\"out\",kind=\"video\"}",
            "signalbox_bytes_total{direction=\"in\",kind=\"rtcp\"}",
            "signalbox_packets_lost_total",
            "signalbox_canvas_frames_total",
            "signalbox_canvas_frames_late_total",
            "signalbox_decode_seconds_total",
            "signalbox_encode_seconds_total",
            "signalbox_join_duration_seconds_count",
        ])
        .await;

    // Bob leaves, then Alice; the room ends with her.
    let bye = bob.verto("call-b", "verto.bye", json!({})).await;
    assert_eq!(bye["result"]["result"]["result"]["message"], "CALL ENDED");
    assert_eq!(alice.event("video.member.left").await["member"]["id"], bob_id);
    alice.verto("call-a", "verto.bye", json!({})).await;
    assert_eq!(watcher.event("video.room.ended").await["room_session"]["id"], room_id);
    assert_eq!(watcher.call("video.rooms.get", json!({})).await["result"]["rooms"], json!([]));

    // The same name is another run of the same room.
    let (_, again) = join(&mut alice, "call-c", "1003").await;
    assert_ne!(again["id"], room_id);
    assert_eq!(again["room_id"], room["room_id"]);
}

#[tokio::test]
async fn an_offer_nobody_can_read_is_a_call_error_and_makes_no_room() {
    let server = Server::start();
    let (mut alice, _) = Client::browser(&server, &server.token("lounge", "Alice").await).await;
    for sdp in ["", "nonsense", &OFFER[..200], &"a=x\r\n".repeat(30_000)] {
        let reply = alice.verto("call-a", "verto.invite", json!({"sdp": sdp})).await;
        let inner = &reply["result"]["result"];
        assert_eq!(inner["error"]["code"], -32002, "{reply}");
        assert_eq!(inner["error"]["message"], "CALL ERROR");
        assert!(!inner["error"]["data"]["reason"].as_str().unwrap().is_empty(), "{reply}");
    }
    let (mut watcher, _) = Client::realtime(&server).await;
    assert_eq!(watcher.call("video.rooms.get", json!({})).await["result"]["rooms"], json!([]));
    server.metrics_with(&["signalbox_rooms 0"]).await;
}

#[tokio::test]
async fn a_session_goes_on_after_its_socket() {
    let server = Server::start();
    let token = server.token("lounge", "Alice").await;
    let (mut first, result) = Client::browser(&server, &token).await;
    let state = first.event("signalwire.authorization.state").await["authorization_state"].clone();
    let (member, _) = join(&mut first, "call-a", "1001").await;
    drop(first);
    let mut second = Client::open(&server, "/").await;
    let more = json!({"protocol": result["protocol"], "authorization_state": state});
    let reply = second.connect(json!({"jwt_token": token}), more).await;
    assert_eq!(reply["result"]["protocol"], result["protocol"]);
    // The page was loaded anew: same call, another peer connection; same member.
    let (again, room) = join(&mut second, "call-a", "2002").await;
    assert_eq!(again, member);
    assert_eq!(room["members"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_room_that_may_not_be_made_is_refused() {
    let server = Server::start();
    let token = server.token_with(json!({"room_name": "lounge", "auto_create_room": false})).await;
    let (mut client, _) = Client::browser(&server, &token).await;
    let reply = client.verto("call-a", "verto.invite", json!({"sdp": offer("1")})).await;
    assert_eq!(reply["result"]["code"], "403", "{reply}");
}

#[tokio::test]
async fn the_end_of_the_server_puts_members_out() {
    let mut server = Server::start();
    let (mut alice, _) = Client::browser(&server, &server.token("lounge", "Alice").await).await;
    join(&mut alice, "call-a", "1001").await;
    server.signal("TERM");
    let bye = alice.event("webrtc.message").await;
    assert_eq!((&bye["method"], &bye["params"]["callID"]), (&json!("verto.bye"), &json!("call-a")));
    assert_eq!(server.wait(), Some(0));
}
