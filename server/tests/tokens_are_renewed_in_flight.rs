//! `signalwire.reauthenticate`: a new token for the same place, while a call goes on.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::offer::offer;
use support::{API_TOKEN, Client, Server};

const BEFORE: [&str; 1] = ["room.self.audio_mute"];
const AFTER: [&str; 2] = ["room.set_layout", "room.self.audio_mute"];

async fn token(server: &Server, room: &str, user: &str, permissions: &[&str]) -> String {
    server.token_with(json!({"room_name": room, "user_name": user, "permissions": permissions})).await
}

async fn renew(client: &mut Client, authentication: Value) -> Value {
    client.call("signalwire.reauthenticate", json!({"authentication": authentication})).await
}

#[tokio::test]
async fn permissions_change_at_once_and_the_call_goes_on() {
    let server = Server::start();
    let (mut alice, connected) =
        Client::browser(&server, &token(&server, "lounge", "Alice", &BEFORE).await).await;
    let first_state = alice.event("signalwire.authorization.state").await;
    let (member, _) = alice.invite("call-a", &offer("1001")).await;
    let subscribed = alice.event("video.room.subscribed").await;
    let room = subscribed["room_session"]["id"].clone();
    let set_layout = json!({"room_session_id": room, "name": "2x1"});
    assert_eq!(alice.call("video.set_layout", set_layout.clone()).await["result"]["code"], "403");

    let new = token(&server, "lounge", "Alice", &AFTER).await;
    let reply = renew(&mut alice, json!({"project": "dev", "jwt_token": new})).await;
    // The same shape as connect: the SDK puts it in the place of the stored one.
    let result = &reply["result"];
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(result), keys(&connected), "{reply}");
    assert_eq!(keys(&result["authorization"]), keys(&connected["authorization"]));
    assert_eq!((&result["protocol"], &result["identity"]), (&connected["protocol"], &connected["identity"]));
    assert_eq!(result["authorization"]["room"]["scopes"], json!(AFTER));
    let state = alice.event("signalwire.authorization.state").await;
    assert!(state["authorization_state"].is_string(), "{state} after {first_state}");

    assert_eq!(alice.call("video.set_layout", set_layout.clone()).await["result"]["code"], "200");
    let members = alice.call("video.members.get", json!({"room_session_id": room})).await;
    assert_eq!(members["result"]["members"][0]["id"], json!(member), "the same member");

    // And they can be taken away.
    let less = token(&server, "lounge", "Alice", &BEFORE).await;
    assert!(renew(&mut alice, json!({"project": "dev", "jwt_token": less})).await["result"].is_object());
    assert_eq!(alice.call("video.set_layout", set_layout).await["result"]["code"], "403");
}

#[tokio::test]
async fn what_is_not_a_token_for_the_same_place_changes_nothing() {
    let server = Server::start();
    let (mut alice, _) = Client::browser(&server, &token(&server, "lounge", "Alice", &AFTER).await).await;
    alice.invite("call-a", &offer("1001")).await;
    let room = alice.event("video.room.subscribed").await["room_session"]["id"].clone();
    let good = token(&server, "lounge", "Alice", &AFTER).await;
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", signature.chars().rev().collect::<String>());
    let cases = [
        ("another room", json!({"jwt_token": token(&server, "vault", "Alice", &AFTER).await})),
        ("another person", json!({"jwt_token": token(&server, "lounge", "Eve", &AFTER).await})),
        ("another signature", json!({"jwt_token": forged})),
        ("no token", json!({"jwt_token": "x"})),
        ("a server of the project", json!({"project": "dev", "token": API_TOKEN})),
    ];
    for (what, authentication) in cases {
        let reply = renew(&mut alice, authentication).await;
        assert_eq!(reply["error"]["code"], -32002, "{what}: {reply}");
        let text = reply.to_string();
        assert!(!text.contains("signed by") && !text.contains("claim"), "no reason is told: {text}");
    }
    let malformed = renew(&mut alice, json!({})).await;
    assert_eq!(malformed["error"]["code"], -32602, "{malformed}");
    // What was allowed still is.
    let set_layout = json!({"room_session_id": room, "name": "2x1"});
    assert_eq!(alice.call("video.set_layout", set_layout).await["result"]["code"], "200");
}
