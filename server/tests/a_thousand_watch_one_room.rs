//! A thousand servers watch one busy room, and some of them stop reading.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use benches::client::{Call, Client as Browser};
use benches::peer::{Camera, Decode, Microphone, Offering, Peer, PeerConfig, Protection};
use futures_util::SinkExt;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use layouts::Size;
use media_core::codec::Rgb;
use media_core::units::VideoCodec;
use serde::Deserialize;
use serde_json::{Value, json};
use support::{API_TOKEN, Client, PATIENCE, Server};
use tokio::net::TcpSocket;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

/// All of them.
const WATCHERS: usize = 1000;

/// Those that stop reading.
const STALLED: usize = 10;

/// Changes of the one member, each an event for everybody.
const CHANGES: u32 = 300;

/// After which the stalled ones stop.
const HEARD: u32 = 20;

/// Between two changes.
const EVERY: Duration = Duration::from_millis(20);

/// How long a session without a socket is kept.
const KEPT: Duration = Duration::from_secs(60);

/// What the server may grow by, from the room without watchers to the end.
const GROWTH_KB: u64 = 64 * 1024;

/// A frame, as far as a watcher looks.
#[derive(Deserialize)]
struct Frame<'a> {
    id: Option<String>,
    method: Option<&'a str>,
    #[serde(default)]
    params: Event<'a>,
}

#[derive(Default, Deserialize)]
struct Event<'a> {
    event_type: Option<&'a str>,
    #[serde(default)]
    params: Subject,
}

#[derive(Default, Deserialize)]
struct Subject {
    #[serde(default)]
    member: Member,
}

#[derive(Default, Deserialize)]
struct Member {
    #[serde(default)]
    meta: Meta,
}

/// The number of the change is in it.
#[derive(Default, Deserialize)]
struct Meta {
    #[serde(default)]
    n: u32,
}

struct Watcher {
    socket: WebSocketStream<tokio::net::TcpStream>,
    protocol: String,
    /// Numbers of the changes, as they came.
    heard: Vec<u32>,
}

impl Watcher {
    async fn connect(server: &Server, room: &str, more: Value) -> std::io::Result<Self> {
        let stream = TcpSocket::new_v4()?;
        // So that one that stops reading is felt soon.
        stream.set_recv_buffer_size(16 * 1024)?;
        let stream = stream.connect(server.address.parse().unwrap()).await?;
        let (socket, _) = client_async(format!("ws://{}/", server.address), stream).await.unwrap();
        let mut watcher = Self { socket, protocol: String::new(), heard: Vec::new() };
        let mut params = json!({
            "version": {"major": 3, "minor": 0, "revision": 0},
            "agent": "test",
            "authentication": {"project": "dev", "token": API_TOKEN},
        });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let result = watcher.call("signalwire.connect", params).await;
        watcher.protocol = result["protocol"].as_str().unwrap().to_owned();
        if more.as_object().unwrap().is_empty() {
            let params = json!({"event_channel": format!("EC_{room}"), "events": ["video.member.updated"]});
            assert_eq!(watcher.call("signalwire.subscribe", params).await["code"], "200");
        }
        Ok(watcher)
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        let request = json!({"jsonrpc": "2.0", "id": "1", "method": method, "params": params});
        self.socket.send(Message::text(request.to_string())).await.unwrap();
        loop {
            let text = self.text().await.unwrap();
            let frame: Value = serde_json::from_str(&text).unwrap();
            if frame["id"] == "1" {
                return frame["result"].clone();
            }
        }
    }

    /// The next text; the close code when there is none.
    async fn text(&mut self) -> Result<String, Option<u16>> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
                Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// Notes changes until that one.
    async fn hear(&mut self, last: u32) -> Result<(), Option<u16>> {
        while self.heard.last() != Some(&last) {
            let text = self.text().await?;
            let frame: Frame = serde_json::from_str(&text).unwrap();
            if frame.method == Some("signalwire.ping") {
                let answer = json!({"jsonrpc": "2.0", "id": frame.id, "result": {}});
                self.socket.send(Message::text(answer.to_string())).await.map_err(|_| None)?;
            }
            let n = frame.params.params.member.meta.n;
            if frame.params.event_type == Some("video.member.updated") && n > 0 {
                self.heard.push(n);
            }
        }
        Ok(())
    }

    fn heard_in_order_up_to(&self, last: u32) -> bool {
        self.heard.iter().copied().eq(1..=last)
    }
}

/// A member whose media flows, so that the room stays.
async fn member(server: &Server) -> (Browser, Call, Peer) {
    let token = server.token("busy", "Alice").await;
    let mut browser = Browser::connect(&format!("ws://{}", server.address), &token).await.unwrap();
    let size = Size { width: 160, height: 90 };
    let offering = Offering::new(PeerConfig {
        bundle: false,
        protection: Protection::All,
        camera: Arc::new(Camera::still(VideoCodec::Vp8, size, Rgb(40, 60, 200)).unwrap()),
        microphone: Arc::new(Microphone::tone(440).unwrap()),
        decode: Decode::Nothing,
    })
    .await
    .unwrap();
    let call = browser.invite(offering.sdp()).await.unwrap();
    let peer = offering.accept(&call.answer).unwrap();
    peer.until("DTLS", PATIENCE, |o| o.first.connected.is_some()).await.unwrap();
    (browser, call, peer)
}

/// The room, once it is told of: its first member is in it when the server knows of the handshake as well.
async fn only_room(control: &mut Client) -> String {
    let begin = Instant::now();
    loop {
        let rooms = control.call("video.rooms.get", json!({})).await;
        if let Some(id) = rooms["result"]["rooms"][0]["id"].as_str() {
            return id.to_owned();
        }
        assert!(begin.elapsed() < PATIENCE, "no room: {rooms}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_hear_everything_in_order_and_who_stops_reading_is_closed() {
    let server = Server::start_with(&[
        ("SIGNALBOX__ROOM__CANVAS_WIDTH", "320"),
        ("SIGNALBOX__ROOM__CANVAS_HEIGHT", "180"),
        ("SIGNALBOX__ROOM__FPS", "5"),
    ]);
    let (_browser, call, _peer) = member(&server).await;
    let (mut control, _) = Client::realtime(&server).await;
    let room = only_room(&mut control).await;
    let (memory, sockets) = (server.memory_kb(), server.open_sockets());

    let mut watchers: Vec<Watcher> = stream::iter(0..WATCHERS)
        .map(|_| Watcher::connect(&server, &room, json!({})))
        .buffer_unordered(50)
        .try_collect()
        .await
        .unwrap();
    let stalled = watchers.split_off(WATCHERS - STALLED);
    let (closed, wait) = watch::channel(false);
    let readers: Vec<_> = watchers
        .into_iter()
        .map(|mut watcher| {
            tokio::spawn(async move {
                let end = watcher.hear(CHANGES).await;
                (watcher, end)
            })
        })
        .collect();
    let stalled: Vec<_> = stalled
        .into_iter()
        .map(|mut watcher| {
            let mut wait = wait.clone();
            tokio::spawn(async move {
                watcher.hear(HEARD).await.unwrap();
                wait.wait_for(|closed| *closed).await.unwrap();
                let end = watcher.hear(CHANGES).await;
                (watcher, end)
            })
        })
        .collect();

    let padding = "x".repeat(3500);
    let change = async |control: &mut Client, n: u32| {
        let meta = json!({"n": n, "padding": padding});
        let params = json!({"room_session_id": room, "member_id": call.member_id, "meta": meta});
        let reply = control.call("video.member.set_meta", params).await;
        assert_eq!(reply["result"]["code"], "200", "{reply}");
    };
    for n in 1..=CHANGES {
        change(&mut control, n).await;
        sleep(EVERY).await;
    }

    for reader in readers {
        let (watcher, end) = timeout(PATIENCE * 3, reader).await.expect("a reader waits").unwrap();
        assert_eq!(end, Ok(()));
        assert!(watcher.heard_in_order_up_to(CHANGES), "{:?}", watcher.heard);
    }
    server.metrics_with(&[&format!("signalbox_sockets_closed_total{{reason=\"slow\"}} {STALLED}")]).await;
    closed.send_replace(true);
    let mut protocol = String::new();
    for reader in stalled {
        let (watcher, end) = timeout(PATIENCE, reader).await.expect("it is not closed").unwrap();
        assert_eq!(end, Err(Some(4008)), "after {:?}", watcher.heard.last());
        assert!(watcher.heard_in_order_up_to(*watcher.heard.last().unwrap()), "{:?}", watcher.heard);
        protocol = watcher.protocol;
    }
    let grown = server.memory_kb().saturating_sub(memory);
    println!("memory grew by {grown} kB");
    assert!(grown <= GROWTH_KB, "{grown} kB");

    // Who comes back is told what it missed, as far as it is kept, and hears on.
    let mut back = Watcher::connect(&server, &room, json!({"protocol": protocol})).await.unwrap();
    change(&mut control, CHANGES + 1).await;
    timeout(PATIENCE, back.hear(CHANGES + 1)).await.expect("it hears nothing").unwrap();
    assert!(back.heard.is_sorted_by(|a, b| a < b), "{:?}", back.heard);

    drop(back);
    server.metrics_with(&["signalbox_sockets 2"]).await;
    // Sessions are kept a minute for clients that come back.
    timeout(KEPT * 3 / 2, async {
        let is_over = async || server.metrics().await.lines().any(|line| line == "signalbox_sessions 2");
        while !is_over().await {
            // Says that it is there, or its own socket would be closed.
            control.call("video.rooms.get", json!({})).await;
            sleep(Duration::from_secs(1)).await;
        }
    })
    .await
    .expect("sessions stay");
    // One more for the scrape.
    assert!(server.open_sockets() <= sockets + 1, "{} sockets, {sockets} before", server.open_sockets());
}
