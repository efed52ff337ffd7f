//! Events of rooms arrive at servers that listen over HTTP, whatever happens to them and to us.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::collections::HashMap;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use support::offer::offer;
use support::{API_TOKEN, Client, PATIENCE, Server};
use tokio::net::TcpListener;

const KEY: &[u8; 32] = b"0123456789abcdef0123456789abcdef";

const EVENTS: [&str; 5] = [
    "video.room.started",
    "video.member.joined",
    "video.member.updated",
    "video.member.left",
    "video.room.ended",
];

fn secret() -> String {
    format!("whsec_{}", STANDARD.encode(KEY))
}

/// One request that a receiver got.
#[derive(Clone, Debug)]
struct Delivery {
    path: String,
    id: String,
    timestamp: String,
    signature: String,
    body: String,
    event: Value,
    /// What it was answered.
    status: u16,
}

impl Delivery {
    fn of(uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Self {
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "application/json");
        let body = String::from_utf8(body.to_vec()).unwrap();
        Self {
            path: uri.path().to_owned(),
            id: header("webhook-id"),
            timestamp: header("webhook-timestamp"),
            signature: header("webhook-signature"),
            event: serde_json::from_str(&body).unwrap(),
            body,
            status: 0,
        }
    }

    /// As the specification of Standard Webhooks has it, computed anew.
    fn is_signed(&self) -> bool {
        let content = format!("{}.{}.{}", self.id, self.timestamp, self.body);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, KEY), content.as_bytes());
        self.signature == format!("v1,{}", STANDARD.encode(tag))
    }

    fn event_type(&self) -> &str {
        self.event["event_type"].as_str().unwrap()
    }

    fn room(&self) -> &str {
        self.event["params"]["room_session_id"].as_str().unwrap()
    }

    /// Number of the change that it tells of, if it does.
    fn change(&self) -> Option<u64> {
        self.event["params"]["member"]["meta"]["n"].as_u64()
    }
}

/// What a receiver answers to the nth attempt (from 1) to deliver a message; `None`: nothing, ever.
type Manner = dyn Fn(&Delivery, usize) -> Option<Response> + Send + Sync;

/// A server that listens.
#[derive(Clone)]
struct Receiver {
    base: String,
    got: Arc<Mutex<Vec<Delivery>>>,
    manner: Arc<Mutex<Arc<Manner>>>,
}

fn status(code: u16) -> Response {
    StatusCode::from_u16(code).unwrap().into_response()
}

impl Receiver {
    async fn start(manner: impl Fn(&Delivery, usize) -> Option<Response> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            base: format!("http://{}", listener.local_addr().unwrap()),
            got: Arc::default(),
            manner: Arc::new(Mutex::new(Arc::new(manner))),
        };
        let router = Router::new().fallback(Self::receive).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    async fn receive(State(receiver): State<Self>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
        let mut delivery = Delivery::of(&uri, &headers, &body);
        let manner = Arc::clone(&receiver.manner.lock().unwrap());
        let response = {
            let mut got = receiver.got.lock().unwrap();
            let before = got.iter().filter(|known| known.id == delivery.id && known.path == delivery.path);
            let response = manner(&delivery, before.count() + 1);
            delivery.status = response.as_ref().map_or(0, |response| response.status().as_u16());
            got.push(delivery);
            response
        };
        match response {
            Some(response) => response,
            None => std::future::pending().await,
        }
    }

    fn now(&self, manner: impl Fn(&Delivery, usize) -> Option<Response> + Send + Sync + 'static) {
        *self.manner.lock().unwrap() = Arc::new(manner);
    }

    /// Waits until what it got is as wanted; gives it.
    async fn until(&self, what: &str, wanted: impl Fn(&[Delivery]) -> bool) -> Vec<Delivery> {
        let begin = Instant::now();
        loop {
            let got = self.got.lock().unwrap().clone();
            if wanted(&got) {
                return got;
            }
            let seen: Vec<_> = got.iter().map(|one| (one.event_type(), one.change(), one.status)).collect();
            assert!(begin.elapsed() < PATIENCE, "no {what}: {seen:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A configuration with these endpoints: name, URL, what else.
fn config(endpoints: &[(&str, &str, &str)]) -> String {
    let mut text = format!(
        "listen = '127.0.0.1:0'\n[auth]\nproject = 'dev'\napi_token = '{API_TOKEN}'\n[media]\nbind = '127.0.0.1'\nport = 0\n\
         [egress]\nallow = ['127.0.0.0/8']\n"
    );
    for (name, url, more) in endpoints {
        text += &format!(
            "[[webhooks]]\nname = '{name}'\nurl = '{url}'\nsecret = '{}'\nevents = {EVENTS:?}\nfirst_retry_ms = 10\n{more}\n",
            secret()
        );
    }
    text
}

/// A member of a room, and a server that changes it.
struct Scene {
    alice: Client,
    control: Client,
    room: String,
    member: String,
}

impl Scene {
    async fn open(server: &Server, name: &str) -> Self {
        let (mut control, _) = Client::realtime(server).await;
        let rooms = json!({"event_channel": "video.rooms", "events": ["video.room.started"]});
        assert_eq!(control.call("signalwire.subscribe", rooms).await["result"]["code"], "200");
        let (mut alice, _) = Client::browser(server, &server.token(name, "Alice").await).await;
        let (member, _) = alice.invite("call", &offer(&format!("7{}", name.len()))).await;
        let room = loop {
            let started = control.event("video.room.started").await["room_session"].clone();
            if started["name"] == name {
                break started["id"].as_str().unwrap().to_owned();
            }
        };
        Self { alice, control, room, member }
    }

    async fn change(&mut self, n: u64) {
        let params = json!({"room_session_id": self.room, "member_id": self.member, "meta": {"n": n}});
        let reply = self.control.call("video.member.set_meta", params).await;
        assert_eq!(reply["result"]["code"], "200", "{reply}");
    }

    async fn leave(&mut self) {
        self.alice.verto("call", "verto.bye", json!({})).await;
    }
}

fn changes_taken(got: &[Delivery], room: &str) -> Vec<u64> {
    let taken = |one: &&Delivery| one.room() == room && one.status == 200;
    got.iter().filter(taken).filter_map(Delivery::change).collect()
}

#[tokio::test]
async fn everything_arrives_signed_once_and_in_order() {
    let receiver = Receiver::start(|_, _| Some(status(204))).await;
    let server = Server::production(&config(&[("all", &format!("{}/hook?a=b", receiver.base), "")]));
    let mut scene = Scene::open(&server, "lounge").await;
    let channel = json!({"event_channel": format!("EC_{}", scene.room), "events": EVENTS});
    assert_eq!(scene.control.call("signalwire.subscribe", channel).await["result"]["code"], "200");
    scene.change(1).await;
    scene.change(2).await;
    // The whole event, as an SDK gets it beside the webhook.
    let seen = loop {
        let known = scene.control.events.iter().find(|event| event["params"]["member"]["meta"]["n"] == 2);
        match known {
            Some(known) => break known.clone(),
            None => drop(scene.control.call("video.rooms.get", json!({})).await),
        }
    };
    scene.leave().await;
    let is_end = |one: &Delivery| one.event_type() == "video.room.ended";
    let got = receiver.until("end of the room", |got| got.iter().any(is_end)).await;
    let types: Vec<&str> = got.iter().map(Delivery::event_type).collect();
    let [started, joined, updated, left, ended] = EVENTS;
    assert_eq!((types[0], types[1]), (started, joined));
    assert_eq!(types[types.len() - 2..], [left, ended]);
    assert!(types[2..types.len() - 2].iter().all(|kind| *kind == updated), "{types:?}");
    assert_eq!(got.iter().filter_map(Delivery::change).collect::<Vec<_>>()[..2], [1, 2]);
    for one in &got {
        assert!(one.is_signed(), "{one:?}");
        assert!(one.id.starts_with(&format!("evt_{}_", scene.room)), "{}", one.id);
        assert_eq!((one.path.as_str(), &one.event["project_id"]), ("/hook", &json!("dev")));
    }
    assert!(got.iter().any(|one| one.event == seen), "{seen} is not among what was sent");
    server
        .metrics_with(&[
            &format!("signalbox_webhook_deliveries_total{{result=\"delivered\"}} {}", got.len()),
            "signalbox_webhooks_pending 0",
            "signalbox_webhook_oldest_age_seconds 0",
        ])
        .await;
}

#[tokio::test]
async fn order_is_kept_per_room_while_deliveries_fail() {
    const CHANGES: u64 = 30;
    // Two of three messages fail at first, some twice.
    let receiver = Receiver::start(|one, attempt| {
        let failures = one.id.bytes().map(usize::from).sum::<usize>() % 3;
        Some(status(if attempt <= failures { 500 } else { 200 }))
    })
    .await;
    let server = Server::production(&config(&[("all", &receiver.base, "")]));
    let mut scenes = [Scene::open(&server, "one").await, Scene::open(&server, "three").await];
    for n in 1..=CHANGES {
        for scene in &mut scenes {
            scene.change(n).await;
        }
    }
    let rooms = scenes.each_ref().map(|scene| scene.room.clone());
    let all: Vec<u64> = (1..=CHANGES).collect();
    let got = receiver
        .until("complete rooms", |got| rooms.iter().all(|room| changes_taken(got, room).last() == all.last()))
        .await;
    for room in &rooms {
        assert_eq!(changes_taken(&got, room), all, "each once, in order");
        // Nothing is sent before what precedes it was taken.
        let mut open: Option<&str> = None;
        for one in got.iter().filter(|one| one.room() == room) {
            assert!(open.is_none_or(|id| id == one.id), "{} before {open:?} was taken", one.id);
            open = (one.status != 200).then_some(&one.id);
            assert!(one.is_signed());
        }
    }
    assert!(got.iter().any(|one| one.status == 500), "nothing failed");
}

#[tokio::test]
async fn what_is_committed_survives_a_kill() {
    let receiver = Receiver::start(|_, _| Some(status(503))).await;
    let text = config(&[("all", &receiver.base, "")]);
    let server = Server::production(&text);
    let mut scene = Scene::open(&server, "lounge").await;
    for n in 1..=10 {
        scene.change(n).await;
    }
    // Started, joined, at least ten updates.
    let waiting = async || {
        let metrics = server.metrics().await;
        let line = metrics.lines().find_map(|line| line.strip_prefix("signalbox_webhooks_pending ")).unwrap();
        line.parse::<u32>().unwrap()
    };
    let begin = Instant::now();
    while waiting().await < 12 {
        assert!(begin.elapsed() < PATIENCE, "messages are not kept");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let data = server.kill();
    let refused = receiver.until("attempts", |got| !got.is_empty()).await;
    receiver.now(|_, _| Some(status(200)));
    let _server = Server::production_in(data, &text);
    let got = receiver.until("the rest", |got| changes_taken(got, &scene.room).last() == Some(&10)).await;
    assert_eq!(changes_taken(&got, &scene.room), (1..=10).collect::<Vec<_>>());
    let first = got.iter().find(|one| one.status == 200).unwrap();
    assert_eq!((first.event_type(), &first.id), ("video.room.started", &refused[0].id));
}

#[tokio::test]
async fn a_room_goes_on_while_the_database_cannot_be_written() {
    const CHANGES: u64 = 100;
    let receiver = Receiver::start(|_, _| Some(status(200))).await;
    let server = Server::production(&config(&[("all", &receiver.base, "")]));
    let mut scene = Scene::open(&server, "lounge").await;
    receiver.until("beginning", |got| got.len() >= 2).await;
    let file = server.data_dir().join("data").join("signalbox.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
    let mut other = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    for n in 1..=CHANGES {
        scene.change(n).await;
    }
    assert_eq!(changes_taken(&receiver.got.lock().unwrap(), &scene.room), [0; 0], "sent before the commit");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    let got = receiver.until("changes", |got| changes_taken(got, &scene.room).last() == Some(&CHANGES)).await;
    assert_eq!(changes_taken(&got, &scene.room), (1..=CHANGES).collect::<Vec<_>>());
}

#[tokio::test]
async fn who_is_gone_is_left_alone_until_the_next_start() {
    let receiver = Receiver::start(|one, _| Some(status(if one.path == "/gone" { 410 } else { 200 }))).await;
    let url = |path: &str| format!("{}{path}", receiver.base);
    let text = config(&[("gone", &url("/gone"), ""), ("there", &url("/there"), "")]);
    let server = Server::production(&text);
    let mut scene = Scene::open(&server, "lounge").await;
    let to = |got: &[Delivery], path: &str| got.iter().filter(|one| one.path == path).count();
    receiver.until("first message", |got| to(got, "/gone") > 0).await;
    for n in 1..=5 {
        scene.change(n).await;
    }
    let heard = |got: &[Delivery], n| got.iter().any(|one| one.path == "/there" && one.change() == Some(n));
    let got = receiver.until("changes", |got| heard(got, 5)).await;
    assert_eq!(to(&got, "/gone"), 1);
    server.metrics_with(&["signalbox_webhook_deliveries_total{result=\"gone\"} 1"]).await;
    let _server = Server::production_in(server.kill(), &text);
    // What had been kept for it before it was gone, or a new room.
    let mut scene = Scene::open(&_server, "other").await;
    scene.change(9).await;
    receiver.until("another attempt", |got| to(got, "/gone") > 1).await;
}

#[tokio::test]
async fn redirects_are_failures_and_nothing_secret_is_logged() {
    let elsewhere = Receiver::start(|_, _| Some(status(200))).await;
    let target = elsewhere.base.clone();
    let receiver = Receiver::start(move |_, attempt| {
        let headers = [("location", format!("{target}/stolen"))];
        Some(if attempt < 3 {
            (StatusCode::TEMPORARY_REDIRECT, headers).into_response()
        } else {
            status(200)
        })
    })
    .await;
    let url = format!("{}/p4th-of-the-hook?k3y=s3cret", receiver.base);
    let dead = ("dead", "http://127.0.0.1:9999/s3cret", "give_up_after_s = 1\nrooms = ['lounge']");
    let server = Server::production(&config(&[("all", &url, ""), dead]));
    let _scene = Scene::open(&server, "lounge").await;
    let is_joined = |one: &Delivery| one.event_type() == "video.member.joined" && one.status == 200;
    receiver.until("delivery", |got| got.iter().any(is_joined)).await;
    assert!(elsewhere.got.lock().unwrap().is_empty(), "a redirect was followed");
    server
        .metrics_with(&[
            "signalbox_webhook_deliveries_total{result=\"failed\"}",
            "signalbox_webhook_deliveries_total{result=\"dead\"}",
        ])
        .await;
    let log = server.log();
    assert!(log.contains("it answered 307") && log.contains("cannot connect"), "{log}");
    let key = secret();
    for word in ["p4th", "k3y", "s3cret", key.trim_start_matches("whsec_")] {
        assert!(!log.contains(word), "{word} is in\n{log}");
        assert!(!server.metrics().await.contains(word), "{word} is in the metrics");
    }
}

#[tokio::test]
async fn who_hangs_holds_up_neither_rooms_nor_others() {
    let receiver = Receiver::start(|one, _| (one.path != "/hangs").then(|| status(200))).await;
    let url = |path: &str| format!("{}{path}", receiver.base);
    let only = "rooms = ['watched']";
    let server =
        Server::production(&config(&[("hangs", &url("/hangs"), ""), ("works", &url("/works"), only)]));
    let mut scenes = HashMap::new();
    for n in 0..10 {
        let name = if n == 9 { "watched".to_owned() } else { format!("room-{}", "x".repeat(n)) };
        scenes.insert(name.clone(), Scene::open(&server, &name).await);
    }
    for scene in scenes.values_mut() {
        scene.change(1).await;
    }
    let watched = scenes["watched"].room.clone();
    let got = receiver.until("change", |got| changes_taken(got, &watched) == [1]).await;
    let to_works = |one: &&Delivery| one.path == "/works";
    assert!(got.iter().filter(to_works).all(|one| one.room() == watched), "rooms it did not ask for");
    let hanging = got.iter().filter(|one| one.path == "/hangs").count();
    assert!((1..=8).contains(&hanging), "{hanging} attempts at a time");
}

#[test]
fn urls_that_lead_inside_are_refused_at_the_start() {
    let text = config(&[("inside", "http://169.254.169.254/latest", "")]);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, text).unwrap();
    let done = support::signalbox().arg("check-config").arg(file.path()).output().unwrap();
    assert_eq!(done.status.code(), Some(78));
    let told = String::from_utf8(done.stderr).unwrap();
    assert!(told.contains("webhooks[0].url: its host has a link-local address"), "{told}");
}

/// The program in `docs/webhooks.md` takes what we send and nothing else.
#[tokio::test]
async fn the_documented_verification_works() {
    let receiver = Receiver::start(|_, _| Some(status(200))).await;
    let server = Server::production(&config(&[("all", &receiver.base, "")]));
    let _scene = Scene::open(&server, "lounge").await;
    let one = receiver.until("delivery", |got| !got.is_empty()).await.remove(0);

    let docs = include_str!("../../docs/webhooks.md");
    let program = docs.split("```js\n").nth(1).unwrap().split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("verify.mjs");
    let check = "\nconst [secret, id, timestamp, signature, body] = process.argv.slice(2);\n\
                 const headers = {'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature};\n\
                 process.exit(verify(secret, headers, body) ? 0 : 1);\n";
    // Without the server that follows the function.
    let function = program.split("// A receiver").next().unwrap();
    std::fs::write(&file, format!("{function}{check}")).unwrap();
    let accepts = |secret: &str, one: &Delivery| {
        let done = Command::new("node")
            .arg(&file)
            .args([secret, &one.id, &one.timestamp, &one.signature, &one.body])
            .output()
            .unwrap();
        assert!(done.stderr.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
        done.status.success()
    };
    assert!(accepts(&secret(), &one));
    for changed in [
        Delivery { body: one.body.replace("Alice", "Mallory"), ..one.clone() },
        Delivery { id: format!("{}1", one.id), ..one.clone() },
        Delivery { timestamp: "1700000000".to_owned(), ..one.clone() },
        Delivery { signature: "v1,AAAA".to_owned(), ..one.clone() },
        Delivery { signature: String::new(), ..one.clone() },
    ] {
        assert!(!accepts(&secret(), &changed), "{changed:?}");
    }
    assert!(!accepts(&format!("whsec_{}", STANDARD.encode([1; 32])), &one));
}
