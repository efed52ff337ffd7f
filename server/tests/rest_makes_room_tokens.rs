//! REST against the running server: credentials, tokens, refusals.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use base64::Engine as _;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use support::{API_TOKEN, Server};

fn header(token: &str) -> Value {
    let part = token.split('.').next().unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn the_project_gets_tokens_that_lead_back_to_this_server() {
    let server = Server::start();
    let token = server.token("lounge", "Alice").await;
    assert_eq!(
        header(&token),
        json!({"typ": "VRT", "alg": "HS512", "ch": format!("ws://{}", server.address)})
    );
}

#[tokio::test]
async fn nobody_else_does() {
    let server = Server::start();
    let post = |path: &str| Client::new().post(server.http(path)).json(&json!({"room_name": "lounge"}));
    for request in [
        post("/api/video/room_tokens"),
        post("/api/video/room_tokens").basic_auth("dev", Some("wrong")),
        post("/api/video/room_tokens").basic_auth("dev", None::<&str>),
        post("/api/video/room_tokens").basic_auth("other", Some(API_TOKEN)),
        post("/api/video/room_tokens").bearer_auth(API_TOKEN),
        post("/api/video/room_tokens").header("authorization", "Basic %%%"),
        post("/api/video/rooms"),
    ] {
        let reply = request.send().await.unwrap();
        assert_eq!(reply.status(), StatusCode::UNAUTHORIZED);
        assert!(reply.headers().contains_key("www-authenticate"));
    }
    let known = post("/api/video/bedrooms").basic_auth("dev", Some(API_TOKEN)).send().await.unwrap();
    assert_eq!(known.status(), StatusCode::NOT_FOUND);
    assert_eq!(known.json::<Value>().await.unwrap(), json!({"error": "Not Found"}));
}

#[tokio::test]
async fn a_refusal_names_the_attribute() {
    let server = Server::start();
    let reply = Client::new()
        .post(server.http("/api/video/room_tokens"))
        .basic_auth("dev", Some(API_TOKEN))
        .json(&json!({"room_name": "lounge", "join_as": "owner"}))
        .send()
        .await
        .unwrap();
    assert_eq!(reply.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let error = &reply.json::<Value>().await.unwrap()["errors"][0];
    assert_eq!(
        (&error["type"], &error["code"], &error["attribute"]),
        (&json!("validation_error"), &json!("invalid_parameter"), &json!("join_as"))
    );
    assert!(error["message"].as_str().unwrap().contains("member, audience"));
}

#[tokio::test]
async fn a_body_without_end_is_cut() {
    let server = Server::start();
    let reply = Client::new()
        .post(server.http("/api/video/room_tokens"))
        .basic_auth("dev", Some(API_TOKEN))
        .body("x".repeat(1 << 20))
        .send()
        .await
        .unwrap();
    assert_eq!(reply.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn demo_tokens_are_there_when_they_are_enabled() {
    let body = json!({"room": "demo", "name": "Alice"});
    for (enabled, expected) in [("true", StatusCode::OK), ("false", StatusCode::NOT_FOUND)] {
        let server = Server::start_with(&[("SIGNALBOX__DEMO__ENABLED", enabled)]);
        let reply = Client::new().post(server.http("/demo/tokens")).json(&body).send().await.unwrap();
        assert_eq!(reply.status(), expected);
        if expected == StatusCode::OK {
            let token = reply.json::<Value>().await.unwrap();
            assert_eq!(header(token["token"].as_str().unwrap())["typ"], "VRT");
            for bad in
                [json!({"room": "demo"}), json!({"name": "Alice"}), json!({"room": "a b", "name": "A"})]
            {
                let reply = Client::new().post(server.http("/demo/tokens")).json(&bad).send().await.unwrap();
                assert_eq!(reply.status(), StatusCode::UNPROCESSABLE_ENTITY, "{bad}");
            }
        }
    }
}
