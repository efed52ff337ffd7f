//! What an attacker can send to the running server, on every port: nothing falls over, nothing grows, and who behaves
//! joins as before.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use benches::client::Client as Page;
use benches::peer::{Camera, Decode, Microphone, Offering, Peer, PeerConfig, Protection};
use layouts::Size;
use media_core::codec::Rgb;
use media_core::units::VideoCodec;
use serde_json::{Value, json};
use support::offer::{OFFER, offer};
use support::stun::{self, Check};
use support::{Client, PATIENCE, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What a storm may leave behind; buffers that are kept for the next packet, and the allocator's own slack.
const GROWTH_KB: u64 = 48 * 1024;

/// Two members that share no code with the server join, and each sees a picture of the canvas and hears packets.
async fn two_can_join(server: &Server) {
    let size = Size { width: 320, height: 180 };
    let camera = Arc::new(Camera::still(VideoCodec::Vp8, size, Rgb(0, 160, 0)).unwrap());
    let microphone = Arc::new(Microphone::tone(440).unwrap());
    let mut peers = Vec::new();
    for name in ["Carol", "Dave"] {
        let token = server.token("meeting", name).await;
        let mut page = Page::connect(&format!("ws://{}", server.address), &token).await.unwrap();
        let (camera, microphone) = (Arc::clone(&camera), Arc::clone(&microphone));
        let (protection, decode) = (Protection::All, Decode::Everything);
        let config = PeerConfig { bundle: false, protection, camera, microphone, decode };
        let offering = Offering::new(config).await.unwrap();
        let call = page.invite(offering.sdp()).await.unwrap();
        peers.push((offering.accept(&call.answer).unwrap(), page));
    }
    for (peer, _) in &peers {
        let sees = |o: &benches::peer::Observed| o.pictures > 0 && o.audio_packets > 0;
        Peer::until(peer, "picture and sound", PATIENCE, sees).await.unwrap();
    }
}

/// The media address, and the names and passwords of the audio transport that the answer opens.
fn answered(answer: &str) -> (SocketAddr, String, String) {
    let value = |name: &str| answer.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let candidate: Vec<&str> = value("a=candidate:").split(' ').collect();
    let address = format!("{}:{}", candidate[4], candidate[5]).parse().unwrap();
    (address, value("a=ice-ufrag:").to_owned(), value("a=ice-pwd:").to_owned())
}

/// Numbers that look random and are the same in every run: splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

/// One DTLS record with a whole ClientHello of nothing in particular.
fn client_hello() -> Vec<u8> {
    let body = [&[0xfe, 0xfd][..], &[7; 32], &[0, 0], &[0, 2, 0xc0, 0x2b], &[1, 0]].concat();
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    let handshake = [&[1, 0][..], &length, &[0, 0, 0, 0, 0, 0], &length[..], &body].concat();
    // The fragment length has three bytes.
    let handshake = [&handshake[..9], &[0], &handshake[10..]].concat();
    let length = u16::try_from(handshake.len()).unwrap().to_be_bytes();
    [&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0][..], &length, &handshake].concat()
}

/// Sends at a pace that loses nothing on loopback.
fn storm(socket: &UdpSocket, datagrams: impl IntoIterator<Item = Vec<u8>>) {
    for (n, datagram) in datagrams.into_iter().enumerate() {
        socket.send(&datagram).unwrap();
        if n % 256 == 255 {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

#[tokio::test]
async fn the_media_port_answers_nobody_it_does_not_know() {
    let server = Server::start_logged();
    let token = server.token("lounge", "Alice").await;
    let (mut alice, _) = Client::browser(&server, &token).await;
    let (_, answer) = alice.invite("call-a", &offer("1001")).await;
    let (media, ufrag, pwd) = answered(&answer);
    let remote = OFFER.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:")).unwrap();
    let check = Check { username: format!("{ufrag}:{remote}"), pwd: pwd.clone() }.bytes();

    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(media).unwrap();
    socket.set_nonblocking(true).unwrap();
    let before_kb = server.memory_kb();
    let mut random = Random(1);

    // Every class of first byte (RFC 7983), every length up to 64, plausible and wild.
    for first in [0, 1, 3, 4, 19, 20, 22, 25, 63, 64, 79, 127, 128, 144, 191, 192, 255] {
        storm(
            &socket,
            (0..=64).flat_map(|len| {
                let mut noise = random.bytes(len);
                let mut zeros = vec![0; len];
                let mut ones = vec![0xff; len];
                for datagram in [&mut noise, &mut zeros, &mut ones] {
                    if let Some(byte) = datagram.first_mut() {
                        *byte = first;
                    }
                }
                [noise, zeros, ones]
            }),
        );
    }
    storm(&socket, (0..check.len() * 8).map(|bit| stun::flipped(&check, bit)));
    storm(&socket, (0..check.len()).map(|len| check[..len].to_vec()));
    for username in [format!("AAAAAAAA:{remote}"), format!("{remote}:{ufrag}"), ufrag.clone(), String::new()]
    {
        storm(&socket, [Check { username, pwd: pwd.clone() }.bytes()]);
    }
    storm(&socket, [Check { username: format!("{ufrag}:{remote}"), pwd: "guess".repeat(5) }.bytes()]);
    storm(&socket, std::iter::repeat_n(client_hello(), 100));
    storm(&socket, (0..20_000).map(|n| random.bytes(n % 1500)));

    server
        .metrics_with(&[
            "signalbox_datagrams_dropped_total{reason=\"unknown_protocol\"}",
            "signalbox_datagrams_dropped_total{reason=\"stun_malformed\"}",
            "signalbox_datagrams_dropped_total{reason=\"stun_unknown_ufrag\"}",
            "signalbox_datagrams_dropped_total{reason=\"stun_unauthenticated\"}",
            "signalbox_datagrams_dropped_total{reason=\"dtls_unknown_address\"}",
            "signalbox_datagrams_dropped_total{reason=\"media_unknown_address\"}",
        ])
        .await;
    let mut reply = [0; 2048];
    assert!(socket.recv(&mut reply).is_err(), "a stranger was answered");

    // The one check that is right is answered, with no more than it brought.
    let wait = async {
        loop {
            socket.send(&check).unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
            if let Ok(len) = socket.recv(&mut reply) {
                return len;
            }
        }
    };
    let len = tokio::time::timeout(PATIENCE, wait).await.expect("a good check is answered");
    assert!(len <= check.len());
    assert_eq!(reply[..2], [1, 1], "binding success");

    assert!(server.memory_kb() < before_kb + GROWTH_KB, "{before_kb} kB before");
    assert!(server.log().len() < 16 * 1024, "a stranger writes our log: {} bytes", server.log().len());
    two_can_join(&server).await;
}

#[tokio::test]
async fn an_expired_token_is_as_good_as_none() {
    let server = Server::start();
    let token = server.token("lounge", "Alice").await;
    let key = std::fs::read(server.data_dir().join("token.key")).unwrap();
    let resigned = |change: &dyn Fn(&mut Value)| {
        let parts: Vec<&str> = token.split('.').collect();
        let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
        change(&mut claims);
        let signed = format!("{}.{}", parts[0], URL_SAFE_NO_PAD.encode(claims.to_string()));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, &key), signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
    };
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let connect = async |token: String| {
        let mut client = Client::open(&server, "/").await;
        client.connect(json!({"jwt_token": token}), json!({})).await
    };
    // The way of signing is right: untouched claims are accepted.
    assert!(connect(resigned(&|_| ())).await["result"]["protocol"].is_string());
    let expired = connect(resigned(&|claims| claims["exp"] = json!(now_s - 3600))).await;
    assert_eq!(expired["error"]["code"], -32002, "{expired}");
    let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
    assert_eq!(connect(unsigned).await["error"]["code"], -32002);
}

#[tokio::test]
async fn an_offer_cut_anywhere_is_answered_or_refused_with_the_reason() {
    let server = Server::start_logged();
    let (mut alice, _) = Client::browser(&server, &server.token("lounge", "Alice").await).await;
    let step = OFFER.len() / 60;
    for end in (0..OFFER.len()).step_by(step) {
        let call = format!("call-{end}");
        let reply = alice.verto(&call, "verto.invite", json!({"sdp": &OFFER[..end]})).await;
        let inner = &reply["result"]["result"];
        if inner["result"]["message"] == "CALL CREATED" {
            // An answer, or a goodbye from where codecs are chosen.
            let next = alice.event("webrtc.message").await;
            assert!(next["method"] == "verto.answer" || next["method"] == "verto.bye", "{next}");
            alice.verto(&call, "verto.bye", json!({})).await;
        } else {
            assert_eq!(inner["error"]["code"], -32002, "{reply}");
            assert!(!inner["error"]["data"]["reason"].as_str().unwrap().is_empty(), "{reply}");
        }
    }
    assert!(server.log().len() < 64 * 1024, "{} bytes of log", server.log().len());
    two_can_join(&server).await;
}

#[tokio::test]
async fn invites_without_end_leave_one_leg_each() {
    let server = Server::start_logged();
    let mut members = Vec::new();
    for n in 0..10 {
        let token = server.token("lounge", &format!("Member {n}")).await;
        members.push(Client::browser(&server, &token).await.0);
    }
    // What ten members need is there before the flood.
    for (n, member) in members.iter_mut().enumerate() {
        member.invite("call", &offer(&n.to_string())).await;
    }
    let before_kb = server.memory_kb();
    let (mut created, mut refused) = (0, 0);
    for round in 0..250 {
        for (n, member) in members.iter_mut().enumerate() {
            // A new peer connection each time, under the same call or another one; ICE never comes.
            let call = if round % 2 == 0 { "call".to_owned() } else { format!("call-{round}") };
            let reply =
                member.verto(&call, "verto.invite", json!({"sdp": offer(&format!("{n}{round}"))})).await;
            match reply["error"]["code"].as_i64() {
                None => created += 1,
                Some(-32029) => refused += 1,
                Some(_) => panic!("{reply}"),
            }
            member.events.clear();
        }
    }
    assert!(created >= 1900, "{created}");
    assert_eq!(created + refused, 2500);
    server.metrics_with(&["signalbox_rooms 1", "signalbox_members 10", "signalbox_legs 10"]).await;
    let after_kb = server.memory_kb();
    assert!(after_kb < before_kb + 2 * GROWTH_KB, "{before_kb} kB, then {after_kb} kB");
    assert!(server.log().len() < 64 * 1024, "{} bytes of log", server.log().len());
    two_can_join(&server).await;
}

#[tokio::test]
async fn a_crowd_of_idle_sockets_is_sent_away() {
    let server = Server::start();
    let mut idle = Vec::new();
    for n in 0..400 {
        if n % 2 == 0 {
            idle.push((None, Some(TcpStream::connect(&server.address).await.unwrap())));
        } else {
            idle.push((Some(Client::open(&server, "/").await), None));
        }
    }
    two_can_join(&server).await;
    for (socket, stream) in &mut idle {
        if let Some(client) = socket {
            client.closed().await;
        }
        if let Some(stream) = stream {
            let mut rest = Vec::new();
            let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
            end.expect("it stays open").unwrap();
        }
    }
    server.metrics_with(&["signalbox_sockets 0"]).await;
}

#[tokio::test]
async fn http_that_is_none_gets_an_error_and_an_end() {
    let server = Server::start();
    let long = "x".repeat(1 << 20);
    for request in [
        "\r\n\r\n\r\n\r\n".to_owned(),
        "\0\0\0\0\0\0\0\0\r\n\r\n".to_owned(),
        "GET / HTTP/9.9\r\n\r\n".to_owned(),
        format!("GET /{long} HTTP/1.1\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {long}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(1000)),
        "POST /api/video/room_tokens HTTP/1.1\r\nContent-Length: -1\r\n\r\n".to_owned(),
        "POST /api/video/room_tokens HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: close\r\n\r\n".to_owned(),
    ] {
        let mut stream = TcpStream::connect(&server.address).await.unwrap();
        // The server may hang up before all is written.
        let _ = stream.write_all(request.as_bytes()).await;
        let _ = stream.shutdown().await;
        let mut reply = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut reply)).await;
        let _ = read.expect("it stays open");
        let reply = String::from_utf8_lossy(&reply);
        assert!(reply.is_empty() || reply.starts_with("HTTP/1.1 4"), "{:?}: {reply}", request.get(..20));
    }
    server.token("lounge", "Alice").await;
}
