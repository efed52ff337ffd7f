//! Command line, exit codes, health, signals.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::io::Write;
use std::process::Output;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use support::{Client, Server, signalbox};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

fn run(args: &[&str]) -> Output {
    signalbox().args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn file(content: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content.as_bytes()).unwrap();
    file
}

#[test]
fn check_config_tells_good_from_bad() {
    let sample = include_str!("../../deploy/config.sample.toml");
    let good = file(&sample.replace("change-me-change-me", "0123456789abcdef"));
    let done = run(&["check-config", good.path().to_str().unwrap()]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    for (content, expected) in [
        ("[media]\nprt = 1", "media.prt: unknown field"),
        ("listen = [", "signalbox: configuration: /"),
        ("listen = 'here'", "listen: "),
        ("[auth]\nproject = 'acme'", "auth.api_token: is needed"),
        ("[auth]\nproject = 'dev'", "auth.api_token: is needed"),
        (sample, "auth.api_token: is the one of the sample"),
    ] {
        let bad = file(content);
        for command in [["check-config"].as_slice(), ["serve", "--config"].as_slice()] {
            let done = run(&[command, &[bad.path().to_str().unwrap()]].concat());
            assert_eq!(done.status.code(), Some(78), "{content}");
            assert!(text(&done.stderr).contains(expected), "{}", text(&done.stderr));
        }
    }
    assert_eq!(run(&["check-config", "/nowhere.toml"]).status.code(), Some(78));
}

#[test]
fn dev_stays_on_loopback() {
    let done = run(&["serve", "--dev", "--listen", "0.0.0.0:0"]);
    assert_eq!(done.status.code(), Some(78));
    assert!(text(&done.stderr).contains("listen: 0.0.0.0 is not loopback"));
}

#[test]
fn a_port_in_use_is_told() {
    let server = Server::start();
    let done = run(&["serve", "--dev", "--listen", &server.address]);
    assert_eq!(done.status.code(), Some(1));
    assert!(text(&done.stderr).contains(&format!("cannot listen on {}", server.address)));
}

#[test]
fn dev_prints_what_is_needed_to_use_it() {
    let mut server = Server::start();
    assert_eq!(server.line(), format!("project dev, API token {}", support::API_TOKEN));
    assert_eq!(server.line(), format!("demo room: http://{}/?room=demo", server.address));
}

#[tokio::test]
async fn a_token_of_the_command_line_connects() {
    let server = Server::start();
    let data = server.data_dir().to_str().unwrap();
    let done = run(&["token", "--room", "lounge", "--user", "Alice", "--data-dir", data]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let (_client, result) = Client::browser(&server, text(&done.stdout).trim()).await;
    assert_eq!(result["authorization"]["room"]["name"], "lounge");
    for bad in [["--room", "a room"].as_slice(), &["--room", "lounge", "--permission", "room.fly"]] {
        let done = run(&[&["token", "--data-dir", data, "--user", "A"], bad].concat());
        assert_eq!(done.status.code(), Some(1), "{bad:?}");
    }
    let nowhere = run(&["token", "--room", "lounge", "--user", "Alice", "--data-dir", "/nowhere"]);
    assert_eq!(nowhere.status.code(), Some(78));
    assert!(text(&nowhere.stderr).contains("tokens.key_file: /nowhere/token.key is not there"));
}

#[tokio::test]
async fn what_a_token_says_is_what_an_sdk_is_told() {
    let server = Server::start();
    let authorization = async |options: &[&str]| {
        let least = [
            "token",
            "--data-dir",
            server.data_dir().to_str().unwrap(),
            "--room",
            "lounge",
            "--user",
            "Alice",
        ];
        let done = run(&[&least, options].concat());
        assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
        let (_client, result) = Client::browser(&server, text(&done.stdout).trim()).await;
        result["authorization"].clone()
    };
    // (options, where in `authorization`, what)
    let cases: [(&[&str], &str, Value); 18] = [
        (&[], "/type", json!("video")),
        (&[], "/join_as", json!("member")),
        (&[], "/room/scopes/0", json!("room.self.audio_mute")),
        (&["--permission", "room.lock"], "/room/scopes", json!(["room.lock"])),
        (&["--audience"], "/join_as", json!("audience")),
        (&["--audience"], "/room/scopes", json!([])),
        (&["--room-display-name", "The lounge"], "/room/display_name", json!("The lounge")),
        (&["--no-auto-create-room"], "/auto_create_room", json!(false)),
        (&["--join-from", "1700000000"], "/join_from", json!(1_700_000_000.0)),
        (&["--join-until", "4000000000"], "/join_until", json!(4_000_000_000.0)),
        (&["--remove-at", "4000000000"], "/remove_at", json!(4_000_000_000.0)),
        (&["--remove-after-seconds-elapsed", "60"], "/remove_after_seconds_elapsed", json!(60.0)),
        (&["--end-room-session-on-leave"], "/end_room_session_on_leave", json!(true)),
        (&["--join-audio-muted"], "/room/join_audio_muted", json!(true)),
        (&["--join-video-muted"], "/room/join_video_muted", json!(true)),
        (&["--meta", r#"{"seat":4}"#], "/meta", json!({"seat": 4})),
        (&["--room-meta", r#"{"floor":2}"#], "/room/meta", json!({"floor": 2})),
        (&["--media", "audio-only"], "/media_allowed", json!("audio-only")),
    ];
    for (options, path, expected) in cases {
        let found = authorization(options).await;
        assert_eq!(found.pointer(path), Some(&expected), "{options:?}: {found}");
    }
    for (options, audio, video) in [
        (["--media", "all"].as_slice(), "both", "both"),
        (&["--media", "audio-only"], "both", "none"),
        (&["--media", "video-only"], "none", "both"),
        (&["--media", "all", "--audience"], "receive", "receive"),
        (&["--media", "audio-only", "--audience"], "receive", "none"),
        (&["--media", "video-only", "--audience"], "none", "receive"),
    ] {
        let found = authorization(options).await;
        assert_eq!(
            (&found["audio_allowed"], &found["video_allowed"]),
            (&json!(audio), &json!(video)),
            "{options:?}"
        );
    }
}

#[tokio::test]
async fn health_is_told() {
    let server = Server::start();
    for path in ["/livez", "/readyz"] {
        assert_eq!(reqwest::get(server.http(path)).await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_hangup_takes_new_token_keys_and_ends_nothing() {
    let server = Server::start();
    let (mut watcher, _) = Client::realtime(&server).await;
    let old = server.token("lounge", "Alice").await;
    let (mut alice, connected) = Client::browser(&server, &old).await;
    let former = STANDARD.encode(std::fs::read(server.data_dir().join("token.key")).unwrap());
    let new = STANDARD.encode([7; 64]);
    let keys = async |content: String, expected: &str| {
        std::fs::write(server.data_dir().join("token.key"), content).unwrap();
        server.signal("HUP");
        // The new key signs as soon as it is there.
        let begin = Instant::now();
        loop {
            let header = server.token("lounge", "Bob").await.split('.').next().unwrap().to_owned();
            let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
            if header["kid"] == expected {
                return;
            }
            assert!(begin.elapsed() < support::PATIENCE, "{expected} does not sign: {header}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    // Both verify.
    keys(format!("HS512 {new} b\nHS512 {former} a\n"), "b").await;
    let (_again, result) = Client::browser(&server, &old).await;
    assert_eq!(result["authorization"]["user_name"], "Alice");
    // Then only the new one; who is connected stays.
    keys(format!("HS512 {new} c\n"), "c").await;
    let mut late = Client::open(&server, "/").await;
    let refused = late.connect(json!({"jwt_token": old}), json!({})).await;
    assert_eq!(refused["error"]["code"], -32002);
    assert_eq!(watcher.call("video.rooms.get", json!({})).await["result"]["code"], "200");
    let pong = alice.call("signalwire.ping", json!({"timestamp": 7})).await;
    assert_eq!(pong["result"]["timestamp"], 7);
    // Sessions are named by another secret: the name is still known.
    let (fresh, protocol) = (server.token("lounge", "Alice").await, connected["protocol"].clone());
    drop(alice);
    let mut back = Client::open(&server, "/").await;
    let reply = back.connect(json!({"jwt_token": fresh}), json!({"protocol": protocol})).await;
    assert_eq!(reply["result"]["protocol"], protocol);
}

#[tokio::test]
async fn the_first_signal_drains() {
    let mut server = Server::start();
    let (mut client, _) = Client::realtime(&server).await;
    server.signal("TERM");
    loop {
        if client.frame().await["method"] == "signalwire.disconnect" {
            break;
        }
    }
    assert_eq!(reqwest::get(server.http("/readyz")).await.unwrap().status(), 503);
    assert_eq!(reqwest::get(server.http("/livez")).await.unwrap().status(), 200);
    assert_eq!(client.closed().await, Some(CloseCode::Away));
    assert_eq!(server.wait(), Some(0));
}

#[tokio::test]
async fn the_second_signal_stops() {
    let mut server = Server::start();
    let (mut client, _) = Client::realtime(&server).await;
    server.signal("TERM");
    server.signal("INT");
    assert_eq!(client.closed().await, Some(CloseCode::Away));
    assert_eq!(server.wait(), Some(0));
}

#[tokio::test]
async fn pages_are_served_and_known_again() {
    let server = Server::start();
    let page = reqwest::get(server.http("/")).await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    let tag = page.headers()["etag"].clone();
    assert!(page.text().await.unwrap().contains("Signalbox"));
    let again =
        reqwest::Client::new().get(server.http("/")).header("if-none-match", tag).send().await.unwrap();
    assert_eq!(again.status(), 304);
    for path in ["/nothing", "/../Cargo.toml", "/%2e%2e/Cargo.toml"] {
        assert_eq!(reqwest::get(server.http(path)).await.unwrap().status(), 404, "{path}");
    }
}
