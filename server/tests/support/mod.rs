//! Starts the real binary and talks to it as its clients do.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod member;
pub(crate) mod offer;
pub(crate) mod rest;
pub(crate) mod stun;
pub(crate) mod tls;
pub(crate) mod whip;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// Longest wait for anything that must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const API_TOKEN: &str = "dev-token-of-the-tests";

pub(crate) fn signalbox() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signalbox"));
    command.env("SIGNALBOX_DEV_TOKEN", API_TOKEN);
    command
}

const LOG: &str = "log";

/// A running `signalbox serve --dev`; killed when dropped.
pub(crate) struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// `127.0.0.1:port`
    pub(crate) address: String,
    /// `http` or `https`
    scheme: String,
    data: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(variables: &[(&str, &str)]) -> Self {
        Self::launch(variables, tempfile::tempdir().unwrap(), Stdio::inherit())
    }

    /// Keeps what it logs for [`Self::log`].
    pub(crate) fn start_logged() -> Self {
        Self::start_logged_with(&[])
    }

    pub(crate) fn start_logged_with(variables: &[(&str, &str)]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let log = File::create(data.path().join(LOG)).unwrap();
        Self::launch(variables, data, log.into())
    }

    /// A production server: `config` says all but where the data are, and has the project of `--dev`.
    pub(crate) fn production(config: &str) -> Self {
        Self::production_in(tempfile::tempdir().unwrap(), config)
    }

    /// The same with data of an earlier one; keeps what it logs for [`Self::log`].
    pub(crate) fn production_in(data: tempfile::TempDir, config: &str) -> Self {
        let file = data.path().join("config.toml");
        let dir = data.path().join("data");
        std::fs::write(&file, format!("data_dir = {:?}\n{config}", dir.to_str().unwrap())).unwrap();
        let log = File::options().create(true).append(true).open(data.path().join(LOG)).unwrap();
        let mut command = signalbox();
        command.args(["serve", "--config"]).arg(file);
        Self::spawn(command, data, log.into())
    }

    /// Kills it as nobody can prepare for; gives its data.
    pub(crate) fn kill(mut self) -> tempfile::TempDir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::replace(&mut self.data, tempfile::tempdir().unwrap())
    }

    fn launch(variables: &[(&str, &str)], data: tempfile::TempDir, log: Stdio) -> Self {
        let mut command = Self::dev(data.path());
        command.envs(variables.iter().copied());
        Self::spawn(command, data, log)
    }

    fn dev(data: &std::path::Path) -> Command {
        let mut command = signalbox();
        command.args(["serve", "--dev", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data);
        command
    }

    /// Ends it, politely, and starts another with the same data at another address.
    pub(crate) fn restart(&mut self) {
        self.signal("TERM");
        self.wait();
        let data = std::mem::replace(&mut self.data, tempfile::tempdir().unwrap());
        *self = Self::spawn(Self::dev(data.path()), data, Stdio::inherit());
    }

    /// Started by a shell that does something first.
    pub(crate) fn start_after(shell: &str) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command
            .env("SIGNALBOX_DEV_TOKEN", API_TOKEN)
            .args(["-c", &format!("{shell}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_signalbox")])
            .args(["serve", "--dev", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data.path());
        Self::spawn(command, data, Stdio::inherit())
    }

    /// Process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn spawn(mut command: Command, data: tempfile::TempDir, log: Stdio) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").expect(&line);
        let (scheme, address) = url.split_once("://").expect(&line);
        Self { child, stdout, address: address.to_owned(), scheme: scheme.to_owned(), data }
    }

    /// The next process on the same data; this one is killed if it has not ended.
    pub(crate) fn again(mut self, variables: &[(&str, &str)]) -> Self {
        let data = std::mem::replace(&mut self.data, tempfile::tempdir().unwrap());
        drop(self);
        Self::launch(variables, data, Stdio::inherit())
    }

    /// The next line of standard output.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    pub(crate) fn http(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    pub(crate) fn data_dir(&self) -> &std::path::Path {
        self.data.path()
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.data.path().join(LOG)).unwrap()
    }

    /// Resident memory of the process.
    pub(crate) fn memory_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Sockets of the process.
    pub(crate) fn open_sockets(&self) -> usize {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        let target = |file: std::io::Result<std::fs::DirEntry>| std::fs::read_link(file.unwrap().path()).ok();
        open.filter_map(target).filter(|target| target.to_string_lossy().starts_with("socket:")).count()
    }

    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// The exit code, `None` for a death by signal.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(begin.elapsed() < PATIENCE, "the server does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) async fn token(&self, room: &str, user: &str) -> String {
        self.token_with(json!({"room_name": room, "user_name": user})).await
    }

    pub(crate) async fn token_with(&self, body: Value) -> String {
        let reply = reqwest::Client::new()
            .post(self.http("/api/video/room_tokens"))
            .basic_auth("dev", Some(API_TOKEN))
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(reply.status(), 200);
        reply.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned()
    }

    /// Waits until a scrape has lines that begin so: the engine's totals are up to a second old.
    pub(crate) async fn metrics_with(&self, beginnings: &[&str]) {
        let begin = Instant::now();
        loop {
            let metrics = self.metrics().await;
            let is_there = |beginning: &&&str| metrics.lines().any(|line| line.starts_with(**beginning));
            let Some(missing) = beginnings.iter().find(|beginning| !is_there(beginning)) else { return };
            assert!(begin.elapsed() < PATIENCE, "{missing} is not in\n{metrics}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn metrics(&self) -> String {
        reqwest::get(self.http("/metrics")).await.unwrap().text().await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Events that a browser's invite lists.
const SUBSCRIBED: [&str; 6] = [
    "video.room.subscribed",
    "video.room.updated",
    "video.member.joined",
    "video.member.updated",
    "video.member.left",
    "video.layout.changed",
];

/// A TCP or TLS connection.
pub(crate) trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// An SDK's socket.
pub(crate) struct Client {
    socket: WebSocketStream<Box<dyn Connection>>,
    /// Events that came while something else was waited for.
    pub(crate) events: Vec<Value>,
}

impl Client {
    pub(crate) async fn open(server: &Server, path: &str) -> Self {
        let stream = TcpStream::connect(&server.address).await.unwrap();
        Self::over(Box::new(stream), format!("ws://{}{path}", server.address)).await.unwrap()
    }

    /// A socket over a connection that is there; the request may carry headers.
    pub(crate) async fn over(
        stream: Box<dyn Connection>,
        request: impl IntoClientRequest + Unpin,
    ) -> Result<Self, tungstenite::Error> {
        let (socket, _) = client_async(request, stream).await?;
        Ok(Self { socket, events: Vec::new() })
    }

    /// Opened and connected with a room token.
    pub(crate) async fn browser(server: &Server, token: &str) -> (Self, Value) {
        let mut client = Self::open(server, "/").await;
        let result = client.connect(json!({"jwt_token": token}), json!({})).await["result"].clone();
        assert!(result.is_object());
        (client, result)
    }

    /// Opened and connected as a server of the project.
    pub(crate) async fn realtime(server: &Server) -> (Self, Value) {
        let mut client = Self::open(server, "/").await;
        let authentication = json!({"project": "dev", "token": API_TOKEN});
        let result = client.connect(authentication, json!({})).await["result"].clone();
        assert!(result.is_object());
        (client, result)
    }

    /// The whole reply.
    pub(crate) async fn connect(&mut self, authentication: Value, more: Value) -> Value {
        let mut params = json!({
            "version": {"major": 3, "minor": 0, "revision": 0},
            "event_acks": true,
            "agent": "test",
            "authentication": authentication,
        });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.call("signalwire.connect", params).await
    }

    /// Sends a verto request about a call, as browsers wrap it; gives the whole reply.
    pub(crate) async fn verto(&mut self, call: &str, method: &str, more: Value) -> Value {
        let mut params = json!({"dialogParams": {"callID": call, "attach": false}});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let message = json!({"jsonrpc": "2.0", "id": "inner", "method": method, "params": params});
        self.call("video.message", json!({"callID": call, "subscribe": SUBSCRIBED, "message": message})).await
    }

    /// Invites until there is an answer; gives the member's id and the answer.
    pub(crate) async fn invite(&mut self, call: &str, offer: &str) -> (String, String) {
        let reply = self.verto(call, "verto.invite", json!({"sdp": offer})).await;
        let created = &reply["result"]["result"]["result"];
        assert_eq!(
            (&created["message"], &created["callID"]),
            (&json!("CALL CREATED"), &json!(call)),
            "{reply}"
        );
        let answer = self.event("webrtc.message").await;
        assert_eq!((&answer["method"], &answer["params"]["callID"]), (&json!("verto.answer"), &json!(call)));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&created["memberID"]), text(&answer["params"]["sdp"]))
    }

    /// Sends a request and waits for its reply.
    pub(crate) async fn call(&mut self, method: &str, params: Value) -> Value {
        let id = uuid::Uuid::new_v4().to_string();
        self.send(Message::text(
            json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string(),
        ))
        .await;
        self.reply(&id).await
    }

    pub(crate) async fn reply(&mut self, id: &str) -> Value {
        loop {
            let frame = self.frame().await;
            if frame["id"] == id && frame.get("method").is_none() {
                return frame;
            }
            if frame["method"] == "signalwire.event" {
                self.events.push(frame["params"].clone());
            }
        }
    }

    /// The `params` of the next event of that type, an earlier one included.
    pub(crate) async fn event(&mut self, event_type: &str) -> Value {
        loop {
            if let Some(found) = self.events.iter().position(|event| event["event_type"] == event_type) {
                return self.events.remove(found)["params"].clone();
            }
            let frame = self.frame().await;
            if frame["method"] == "signalwire.event" {
                self.events.push(frame["params"].clone());
            }
        }
    }

    pub(crate) async fn send(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// Sends to a server that may hang up meanwhile.
    pub(crate) async fn try_send(&mut self, message: Message) -> bool {
        self.socket.send(message).await.is_ok()
    }

    /// The next text frame.
    pub(crate) async fn frame(&mut self) -> Value {
        loop {
            match self.next().await {
                Some(Message::Text(text)) => return serde_json::from_str(text.as_str()).unwrap(),
                Some(Message::Ping(_) | Message::Pong(_)) => {}
                other => panic!("the socket ended: {other:?}"),
            }
        }
    }

    /// What the server closed with; `None` when it did without a word.
    pub(crate) async fn closed(&mut self) -> Option<CloseCode> {
        loop {
            match self.next().await {
                Some(Message::Close(frame)) => return frame.map(|frame| frame.code),
                Some(_) => {}
                None => return None,
            }
        }
    }

    async fn next(&mut self) -> Option<Message> {
        let next = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("nothing comes");
        next.and_then(Result::ok)
    }
}
