//! The port with a certificate: https, wss, what strangers try, and an exchange of the files while people talk.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::time::{Duration, Instant};

use rustls::version::{TLS12, TLS13};
use serde_json::json;
use support::tls::{Authority, Files, shown};
use support::{API_TOKEN, Client, PATIENCE, Server, signalbox};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const BOTH: [&rustls::SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// A server with a certificate of that name.
fn start(authority: &Authority, name: &str) -> (Server, Files) {
    let files = Files::new(&authority.issue(name));
    let variables =
        [("SIGNALBOX__TLS__CERTIFICATE", files.certificate()), ("SIGNALBOX__TLS__KEY", files.key())];
    let variables = variables.each_ref().map(|(name, path)| (*name, path.to_str().unwrap()));
    (Server::start_logged_with(&variables), files)
}

/// Reads a plain path over TLS; the whole response.
async fn get(authority: &Authority, server: &Server, path: &str) -> String {
    let mut stream = authority.connect(&server.address, &BOTH, &["http/1.1"]).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    // The server may close the connection without TLS's own good-bye once HTTP has said its own.
    let _ = stream.read_to_end(&mut response).await;
    String::from_utf8(response).unwrap()
}

async fn metrics_with(authority: &Authority, server: &Server, line: &str) {
    let begin = Instant::now();
    loop {
        let metrics = get(authority, server, "/metrics").await;
        if metrics.lines().any(|found| found.starts_with(line)) {
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "{line} is not in\n{metrics}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until new connections are shown the certificate of that name.
async fn shows(authority: &Authority, server: &Server, name: &str) {
    let begin = Instant::now();
    while shown(&authority.connect(&server.address, &BOTH, &[]).await.unwrap()) != name {
        assert!(begin.elapsed() < PATIENCE, "{name} is not shown");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn secure_client(authority: &Authority, server: &Server) -> Client {
    let stream = authority.connect(&server.address, &BOTH, &["http/1.1"]).await.unwrap();
    Client::over(Box::new(stream), format!("wss://{}/", server.address)).await.unwrap()
}

fn project() -> serde_json::Value {
    json!({"project": "dev", "token": API_TOKEN})
}

#[tokio::test]
async fn https_and_wss_are_spoken_and_tokens_say_so() {
    let authority = Authority::new();
    let (mut server, _files) = start(&authority, "first");
    let page = get(&authority, &server, "/").await;
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("Signalbox"), "{page}");
    assert!(page.contains("content-security-policy: default-src 'none'"), "{page}");
    assert!(page.contains("x-content-type-options: nosniff"), "{page}");
    assert!(!page.contains("strict-transport-security"), "not on loopback: {page}");
    let mut client = secure_client(&authority, &server).await;
    assert!(client.connect(project(), json!({})).await["result"].is_object());
    // What `--dev` prints, and what tokens tell browsers.
    assert!(server.line().starts_with("project dev"));
    assert_eq!(server.line(), format!("demo room: https://{}/?room=demo", server.address));
    metrics_with(&authority, &server, "signalbox_tls_handshakes_total{result=\"done\"} ").await;
}

#[tokio::test]
async fn versions_and_protocols_are_negotiated_or_refused() {
    let authority = Authority::new();
    let (server, _files) = start(&authority, "first");
    for version in [&TLS12, &TLS13] {
        let stream = authority.connect(&server.address, &[version], &["h2", "http/1.1"]).await.unwrap();
        let (_, session) = stream.get_ref();
        assert_eq!(session.protocol_version(), Some(version.version));
        assert_eq!(session.alpn_protocol(), Some(b"http/1.1".as_slice()));
    }
    assert!(authority.connect(&server.address, &BOTH, &["h2"]).await.is_err(), "we speak no HTTP/2");
    assert!(
        Authority::new().connect(&server.address, &BOTH, &[]).await.is_err(),
        "another CA is not trusted"
    );
    metrics_with(&authority, &server, "signalbox_tls_handshakes_total{result=\"failed\"} 2").await;
}

#[tokio::test]
async fn plain_text_gets_a_plain_answer_and_nonsense_an_end() {
    let authority = Authority::new();
    let (server, _files) = start(&authority, "first");
    let speak = async |bytes: &[u8]| {
        let mut stream = TcpStream::connect(&server.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an end");
        answer
    };
    let answer = String::from_utf8(speak(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("This port speaks TLS"), "{answer}");
    // A record that promises a ClientHello and holds none; a version from before TLS 1.2 alone.
    for nonsense in [[22, 3, 1, 0, 4, 9, 9, 9, 9].as_slice(), &[22, 255, 255, 255, 255, 0], &[22, 3, 1, 0, 0]]
    {
        let answer = speak(nonsense).await;
        assert!(answer.is_empty() || answer[0] == 21, "an alert or nothing: {answer:?}");
    }
    assert!(get(&authority, &server, "/livez").await.starts_with("HTTP/1.1 200"), "others are unharmed");
}

#[tokio::test]
async fn new_files_are_taken_and_open_sockets_do_not_notice() {
    let authority = Authority::new();
    let (server, files) = start(&authority, "first");
    let mut client = secure_client(&authority, &server).await;
    client.connect(project(), json!({})).await;
    let talks = async |client: &mut Client| {
        assert_eq!(client.call("video.rooms.get", json!({})).await["result"]["code"], "200");
    };

    // Found by looking.
    let (certificate, key) = authority.issue("second");
    files.write(&certificate, &key);
    shows(&authority, &server, "second").await;
    talks(&mut client).await;

    // Found at once by SIGHUP.
    let (certificate, key) = authority.issue("third");
    files.write(&certificate, &key);
    server.signal("HUP");
    shows(&authority, &server, "third").await;
    talks(&mut client).await;
    metrics_with(&authority, &server, "signalbox_tls_reloads_total{result=\"done\"} 2").await;
}

#[tokio::test]
async fn bad_new_files_leave_the_former_certificate_in_use() {
    let authority = Authority::new();
    let (server, files) = start(&authority, "first");
    let (other, _) = authority.issue("other");
    let (_, key) = authority.issue("another");
    files.write(&other, &key);
    server.signal("HUP");
    metrics_with(&authority, &server, "signalbox_tls_reloads_total{result=\"failed\"} 1").await;
    shows(&authority, &server, "first").await;
    let log = server.log();
    assert!(log.contains("tls.key: ") && log.contains("is not the key of the first certificate"), "{log}");
    // And once they are good again they are taken.
    let (certificate, key) = authority.issue("mended");
    files.write(&certificate, &key);
    shows(&authority, &server, "mended").await;
}

#[test]
fn a_start_with_bad_files_ends_with_78_and_names_the_key() {
    let authority = Authority::new();
    let (certificate, _) = authority.issue("first");
    let (_, key) = authority.issue("second");
    let files = Files::new(&(certificate, key));
    let start = |certificate: &str, key: &str| {
        signalbox()
            .args(["serve", "--dev", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(tempfile::tempdir().unwrap().path())
            .env("SIGNALBOX__TLS__CERTIFICATE", certificate)
            .env("SIGNALBOX__TLS__KEY", key)
            .output()
            .unwrap()
    };
    let [certificate, key] = [files.certificate(), files.key()];
    for (certificate, key, expected) in [
        (certificate.to_str().unwrap(), key.to_str().unwrap(), "tls.key: "),
        (certificate.to_str().unwrap(), "/nowhere.pem", "tls.key: /nowhere.pem: No such file"),
        ("/nowhere.pem", key.to_str().unwrap(), "tls.certificate: /nowhere.pem: No such file"),
    ] {
        let done = start(certificate, key);
        assert_eq!(done.status.code(), Some(78));
        let message = String::from_utf8(done.stderr).unwrap();
        assert!(message.contains(expected), "{message}");
    }
}
