//! What a WebSocket client may do wrong, and what it is told.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::{API_TOKEN, Client, PATIENCE, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

/// Longest accepted frame and a bit.
const TOO_LONG: usize = 256 * 1024 + 1;

async fn rest_works(server: &Server) {
    server.token("lounge", "Alice").await;
}

fn request(method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": "1", "method": method, "params": params}).to_string()
}

#[tokio::test]
async fn any_path_upgrades() {
    let server = Server::start();
    for path in ["/", "/relay", "/metrics", "/api/video/room_tokens", "/a/b?c=d"] {
        let mut client = Client::open(&server, path).await;
        let reply = client.connect(json!({"project": "dev", "token": API_TOKEN}), json!({})).await;
        assert!(reply["result"]["protocol"].is_string(), "{path}: {reply}");
    }
}

#[tokio::test]
async fn wrong_credentials_get_the_code_that_sdks_take_as_final() {
    let server = Server::start();
    let token = server.token("lounge", "Alice").await;
    let cut = token[..token.len() - 5].to_owned();
    let other = Server::start().token("lounge", "Alice").await;
    for authentication in [
        json!({"jwt_token": cut}),
        json!({"jwt_token": other}),
        json!({"jwt_token": ""}),
        json!({"project": "dev", "token": "wrong"}),
        json!({"project": "other", "token": API_TOKEN}),
    ] {
        let mut client = Client::open(&server, "/").await;
        let reply = client.connect(authentication.clone(), json!({})).await;
        assert_eq!(
            reply["error"],
            json!({"code": -32002, "message": "Authentication service failed with status ProtocolError, 401 Unauthorized: {}"}),
            "{authentication}"
        );
        // The socket stays for another attempt.
        let reply = client.connect(json!({"jwt_token": token}), json!({})).await;
        assert_eq!(reply["result"]["authorization"]["type"], "video");
    }
    assert!(server.metrics().await.contains("signalbox_auth_failures_total 5"));
}

#[tokio::test]
async fn a_foreign_session_is_told_in_the_words_that_make_browsers_forget_it() {
    let server = Server::start();
    let alice = server.token("lounge", "Alice").await;
    let bob = server.token("lounge", "Bob").await;
    let (mut client, result) = Client::browser(&server, &alice).await;
    let protocol = result["protocol"].clone();
    let state = client.event("signalwire.authorization.state").await["authorization_state"].clone();
    for (token, protocol, state) in [
        (&alice, json!("signalwire_00ff_5f7f5bd0-2f44-4a49-bb13-a0ad5fbb8b5b_dev"), state.clone()),
        (&alice, json!("nonsense"), state.clone()),
        (&alice, protocol.clone(), json!("nonsense")),
        (&bob, protocol.clone(), state.clone()),
    ] {
        let mut client = Client::open(&server, "/").await;
        let more = json!({"protocol": protocol, "authorization_state": state});
        let reply = client.connect(json!({"jwt_token": token}), more).await;
        assert_eq!(
            reply["error"],
            json!({"code": -32002, "message": "Requester validation failed"}),
            "{protocol}"
        );
    }
    // A state that could be one of ours connects; it gives no access to the calls of that session.
    let mut forged = Client::open(&server, "/").await;
    let more = json!({"protocol": protocol, "authorization_state": "00".repeat(32)});
    let reply = forged.connect(json!({"jwt_token": alice}), more).await;
    assert_eq!(reply["result"]["protocol"], protocol);
    // The real owner goes on, and the socket of before is closed.
    let mut again = Client::open(&server, "/").await;
    let more = json!({"protocol": protocol, "authorization_state": state});
    let reply = again.connect(json!({"jwt_token": alice}), more).await;
    assert_eq!(reply["result"]["protocol"], protocol);
    assert_eq!(client.closed().await, Some(CloseCode::Normal));
}

#[tokio::test]
async fn frames_that_are_not_connect_are_refused() {
    let server = Server::start();
    let mut client = Client::open(&server, "/").await;
    for (text, code) in [
        ("not JSON".to_owned(), -32700),
        (format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)), -32700),
        (request("video.rooms.get", &json!({})), -32600),
    ] {
        client.send(Message::text(text)).await;
        assert_eq!(client.frame().await["error"]["code"], code);
    }
    assert_eq!(client.closed().await, Some(CloseCode::Policy), "three attempts are enough");
    rest_works(&server).await;
}

#[tokio::test]
async fn connected_clients_get_errors_and_stay() {
    let server = Server::start();
    let (mut client, _) = Client::realtime(&server).await;
    for (text, code) in [
        ("{".to_owned(), -32700),
        ("[]".to_owned(), -32600),
        (
            format!(
                r#"{{"jsonrpc":"2.0","id":"1","method":"m","params":{}1{}}}"#,
                "[".repeat(500),
                "]".repeat(500)
            ),
            -32700,
        ),
        (request("video.make_coffee", &json!({})), -32601),
        (request("signalwire.subscribe", &json!({"events": 7})), -32602),
    ] {
        client.send(Message::text(text.clone())).await;
        assert_eq!(client.frame().await["error"]["code"], code, "{text}");
    }
    assert_eq!(client.call("video.rooms.get", json!({})).await["result"]["rooms"], json!([]));
}

#[tokio::test]
async fn oversized_and_binary_frames_close_with_their_code() {
    let server = Server::start();
    for (message, code) in [
        (Message::text("x".repeat(TOO_LONG)), CloseCode::Size),
        (Message::text("x".repeat(4 << 20)), CloseCode::Size),
        (Message::binary(vec![1, 2, 3]), CloseCode::Unsupported),
    ] {
        let mut fresh = Client::open(&server, "/").await;
        let (mut connected, _) = Client::realtime(&server).await;
        for client in [&mut fresh, &mut connected] {
            // The server may close before all is written.
            client.try_send(message.clone()).await;
            assert_eq!(client.closed().await, Some(code));
        }
    }
    rest_works(&server).await;
}

#[tokio::test]
async fn a_client_that_never_speaks_is_closed() {
    let server = Server::start();
    let mut silent = TcpStream::connect(&server.address).await.unwrap();
    let mut slow = TcpStream::connect(&server.address).await.unwrap();
    slow.write_all(b"POST /api/video/room_tokens HTTP/1.1\r\nHost: x\r\n").await.unwrap();
    let mut bodiless = TcpStream::connect(&server.address).await.unwrap();
    bodiless.write_all(b"POST /demo/tokens HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{").await.unwrap();
    let mut unconnected = Client::open(&server, "/").await;
    let end = async |stream: &mut TcpStream| {
        let mut rest = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("it stays open").unwrap();
        String::from_utf8(rest).unwrap()
    };
    let (silent, slow, bodiless, code) =
        tokio::join!(end(&mut silent), end(&mut slow), end(&mut bodiless), unconnected.closed());
    assert_eq!(silent, "");
    assert!(slow.is_empty() || slow.starts_with("HTTP/1.1 408"), "{slow}");
    assert!(bodiless.starts_with("HTTP/1.1 408"), "{bodiless}");
    assert_eq!(code, Some(CloseCode::Policy));
}

#[tokio::test]
async fn connections_beyond_the_limit_wait() {
    let server = Server::start_with(&[("SIGNALBOX__LIMITS__MAX_CONNECTIONS", "2")]);
    let one = Client::realtime(&server).await;
    let _two = Client::realtime(&server).await;
    let third = Client::realtime(&server);
    tokio::pin!(third);
    let early = tokio::time::timeout(std::time::Duration::from_millis(300), &mut third).await;
    assert!(early.is_err(), "the third was let in");
    drop(one);
    tokio::time::timeout(PATIENCE, third).await.expect("a place became free");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut() {
    let server = Server::start();
    let (mut client, _) = Client::realtime(&server).await;
    // Long ids come back in the replies, which nobody reads.
    let id = "i".repeat(250);
    let request = json!({"jsonrpc": "2.0", "id": id, "method": "video.rooms.get", "params": {}}).to_string();
    let flood = async { while client.try_send(Message::text(request.clone())).await {} };
    tokio::time::timeout(PATIENCE, flood).await.expect("it may write for ever");
    assert!(server.metrics().await.contains("signalbox_sockets_closed_total{reason=\"slow\"} 1"));
    rest_works(&server).await;
}
