//! REST as a whole: who may ask, and what every route answers to what it does not do.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use support::{API_TOKEN, Server};

/// Every route with what may be done to it; what is named exists nowhere.
const ROUTES: [(&str, &[Method]); 23] = [
    ("/room_tokens", &[Method::POST]),
    ("/rooms", &[Method::GET, Method::POST]),
    ("/rooms/none", &[Method::GET, Method::PUT, Method::DELETE]),
    ("/rooms/none/streams", &[Method::GET, Method::POST]),
    ("/conferences", &[Method::GET, Method::POST]),
    ("/conferences/none", &[Method::GET, Method::PUT, Method::DELETE]),
    ("/conferences/none/conference_tokens", &[Method::GET]),
    ("/conferences/none/streams", &[Method::GET, Method::POST]),
    ("/conference_tokens/none", &[Method::GET]),
    ("/conference_tokens/none/reset", &[Method::POST]),
    ("/streams/none", &[Method::GET, Method::PUT, Method::DELETE]),
    ("/room_sessions", &[Method::GET]),
    ("/room_sessions/none", &[Method::GET]),
    ("/room_sessions/none/members", &[Method::GET]),
    ("/room_sessions/none/events", &[Method::GET]),
    ("/room_sessions/none/recordings", &[Method::GET]),
    ("/room_recordings", &[Method::GET]),
    ("/room_recordings/none", &[Method::GET, Method::DELETE]),
    ("/room_recordings/none/events", &[Method::GET]),
    ("/layouts", &[Method::GET, Method::POST]),
    ("/layouts/none", &[Method::GET, Method::PUT, Method::DELETE]),
    ("/logs", &[Method::GET]),
    ("/logs/none", &[Method::GET]),
];

const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

#[tokio::test]
async fn every_route_is_for_the_project_alone() {
    let server = Server::start();
    for (path, _) in ROUTES {
        for method in METHODS {
            let url = server.http(&format!("/api/video{path}"));
            let reply = Client::new()
                .request(method.clone(), url)
                .basic_auth("dev", Some("wrong"))
                .send()
                .await
                .unwrap();
            assert_eq!(reply.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
            assert!(reply.headers().contains_key("www-authenticate"));
            assert!(!reply.headers().contains_key("access-control-allow-origin"));
            assert_eq!(reply.json::<Value>().await.unwrap(), json!({"error": "Unauthorized"}));
        }
    }
}

#[tokio::test]
async fn every_route_says_what_it_does_not_do() {
    let server = Server::start();
    let rest = server.rest();
    for (path, allowed) in ROUTES {
        for method in METHODS {
            let (status, body) = rest.send(method.clone(), path, Some(&json!({}))).await;
            let expected = match (allowed.contains(&method), path.contains("none"), &method) {
                (false, _, _) => StatusCode::METHOD_NOT_ALLOWED,
                (true, true, _) => StatusCode::NOT_FOUND,
                (true, false, &Method::GET) => StatusCode::OK,
                (true, false, _) => StatusCode::UNPROCESSABLE_ENTITY,
            };
            assert_eq!(status, expected, "{method} {path}: {body}");
            let named = [("error", 404), ("error", 405), ("errors", 422), ("data", 200)];
            let (field, _) = named.iter().find(|(_, status)| *status == expected.as_u16()).unwrap();
            assert!(!body[field].is_null(), "{method} {path}: {body}");
        }
    }
    let reply = Client::new()
        .delete(server.http("/api/video/rooms"))
        .basic_auth("dev", Some(API_TOKEN))
        .send()
        .await
        .unwrap();
    let allow = reply.headers()["allow"].to_str().unwrap().to_owned();
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
    assert_eq!(rest.status(Method::GET, "/bedrooms").await, StatusCode::NOT_FOUND);
    assert_eq!(rest.status(Method::GET, "/../rooms").await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_body_that_is_no_object_is_told_so() {
    let server = Server::start();
    for (body, status) in [
        ("{\"name\": ".to_owned(), StatusCode::BAD_REQUEST),
        ("[]".to_owned(), StatusCode::BAD_REQUEST),
        ("[".repeat(60_000), StatusCode::BAD_REQUEST),
        ("x".repeat(1 << 20), StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        for path in ["/api/video/rooms", "/api/video/room_tokens", "/api/video/conferences"] {
            let reply = Client::new()
                .post(server.http(path))
                .basic_auth("dev", Some(API_TOKEN))
                .body(body.clone())
                .send()
                .await
                .unwrap();
            assert_eq!(reply.status(), status);
            let reply = reply.json::<Value>().await.unwrap();
            assert!(reply["error"].is_string(), "{reply}");
            assert_eq!(reply["message"].is_string(), status == StatusCode::BAD_REQUEST, "{reply}");
        }
    }
}

#[tokio::test]
async fn parameters_are_checked() {
    let server = Server::start();
    let rest = server.rest();
    for (path, attribute) in [
        ("/rooms?page_size=0", "page_size"),
        ("/rooms?page_number=1", "page_token"),
        ("/rooms?page_token=PAxx", "page_token"),
        ("/rooms?include_active_session=maybe", "include_active_session"),
        ("/room_sessions?status=paused", "status"),
        ("/room_recordings?media_ttl=0", "media_ttl"),
        ("/conferences?starts_after=soon", "starts_after"),
        ("/logs?created_on=soon", "created_on"),
    ] {
        let refused = rest.refused(Method::GET, path, &Value::Null).await;
        assert_eq!(refused, [(attribute.to_owned(), "invalid_parameter".to_owned())], "{path}");
    }
}
