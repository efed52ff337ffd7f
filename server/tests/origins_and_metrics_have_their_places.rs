//! Which pages may open sockets, what responses tell browsers, and where metrics are.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use reqwest::StatusCode;
use serde_json::json;
use support::{Client, Server};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// Opens a socket as a page of that origin does; `None` is a client that is no browser.
async fn opens(server: &Server, origin: Option<&str>) -> Result<Client, String> {
    let mut request = format!("ws://{}/", server.address).into_client_request().unwrap();
    if let Some(origin) = origin {
        request.headers_mut().insert("origin", origin.parse().unwrap());
    }
    let stream = TcpStream::connect(&server.address).await.unwrap();
    Client::over(Box::new(stream), request).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn every_origin_is_allowed_unless_some_are_named() {
    let server = Server::start();
    for origin in [None, Some("https://anywhere.example"), Some("null")] {
        assert!(opens(&server, origin).await.is_ok(), "{origin:?}");
    }
    let server = Server::start_with(&[
        ("SIGNALBOX__HTTP__ALLOWED_ORIGINS", "https://App.example:443, http://localhost:3000"),
        ("SIGNALBOX__PUBLIC_URL", "https://video.example/signalbox"),
    ]);
    for origin in
        [None, Some("https://app.example"), Some("http://localhost:3000"), Some("https://video.example")]
    {
        assert!(opens(&server, origin).await.is_ok(), "{origin:?}");
    }
    for origin in ["https://app.example.evil", "http://app.example", "null", "http://localhost:3001", ""] {
        let error = opens(&server, Some(origin)).await.err().unwrap();
        assert!(error.contains("403"), "{origin}: {error}");
    }
    // Demo tokens are for the same pages.
    let ask = async |origin: &str| {
        let request = reqwest::Client::new().post(server.http("/demo/tokens")).header("origin", origin);
        request.json(&json!({"room": "lounge", "name": "Alice"})).send().await.unwrap().status()
    };
    assert_eq!(ask("https://app.example").await, StatusCode::OK);
    assert_eq!(ask("https://evil.example").await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn every_response_says_what_a_page_may_do() {
    let server = Server::start();
    for path in ["/", "/nothing", "/api/video/room_tokens", "/metrics"] {
        let response = reqwest::get(server.http(path)).await.unwrap();
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(!policy.contains("unsafe-inline") && !policy.contains("unsafe-eval"), "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
        assert!(
            !response.headers().contains_key("strict-transport-security"),
            "plain HTTP must not say that"
        );
    }
}

#[tokio::test]
async fn metrics_with_a_port_of_their_own_are_nowhere_else() {
    let mut server = Server::start_with(&[("SIGNALBOX__METRICS__LISTEN", "127.0.0.1:0")]);
    let url = loop {
        let line = server.line();
        if let Some(url) = line.strip_prefix("metrics on ") {
            break url.to_owned();
        }
    };
    let metrics = reqwest::get(&url).await.unwrap();
    assert!(metrics.text().await.unwrap().contains("signalbox_sockets 0"));
    assert_eq!(reqwest::get(server.http("/metrics")).await.unwrap().status(), StatusCode::NOT_FOUND);
    for (path, status) in
        [("/livez", StatusCode::OK), ("/readyz", StatusCode::OK), ("/", StatusCode::NOT_FOUND)]
    {
        assert_eq!(reqwest::get(url.replace("/metrics", path)).await.unwrap().status(), status, "{path}");
    }
    // A socket is for the main port.
    let opened = tokio_tungstenite::connect_async(url.replace("http://", "ws://")).await;
    assert!(opened.is_err());
}
