//! Janus beside us: Debian's package on loopback, with a VideoRoom or an AudioBridge.
//!
//! in:  an installed `janus` and a C compiler
//! out: milliseconds from an offer in hand to DTLS connected
//!
//! Janus leaves out loopback interfaces when it gathers candidates and has no option to change that; a wrapper around
//! `getifaddrs`, loaded before it, takes the loopback flag away. Its configuration is a folder of our own: of the
//! packaged one many plugins would listen on every address.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value gives null where there is nothing, and what is written to is an object"
)]

use std::error::Error;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::peer::{Offering, PeerConfig};
use crate::process::{Process, scratch};

const PATIENCE: Duration = Duration::from_secs(10);
const WRAPPER: &str = include_str!("../janus/loopback.c");
pub(crate) const ROOM: u64 = 1;

/// How Janus drives its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tuning {
    /// As it comes: a thread for each connection.
    Default,
    /// `event_loops = 2`, which halves its work.
    TwoEventLoops,
}

/// What it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plugin {
    /// Forwards.
    VideoRoom,
    /// Mixes sound.
    AudioBridge,
}

impl Plugin {
    fn name(self) -> &'static str {
        match self {
            Self::VideoRoom => "videoroom",
            Self::AudioBridge => "audiobridge",
        }
    }

    /// What makes its room.
    fn room(self) -> Value {
        match self {
            Self::VideoRoom => {
                json!({"request": "create", "room": ROOM, "publishers": 100, "videocodec": "vp8"})
            }
            Self::AudioBridge => {
                // Versions call it by either name.
                json!({"request": "create", "room": ROOM, "sampling": 48_000, "sampling_rate": 48_000})
            }
        }
    }
}

/// A running Janus with one room, and a session in it.
#[derive(Debug)]
pub struct Janus {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: Value,
    transactions: u64,
    plugin: Plugin,
    process: Process,
}

impl Janus {
    /// Starts it and opens a room that forwards.
    ///
    /// # Errors
    /// Says what is missing.
    pub async fn start(tuning: Tuning) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Self::start_with(tuning, Plugin::VideoRoom).await
    }

    /// Starts it and opens a room of this kind.
    ///
    /// # Errors
    /// Says what is missing.
    pub async fn start_with(tuning: Tuning, plugin: Plugin) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let folder = scratch("janus")?;
        // Freed at once; nobody else takes it in the moment until Janus does.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let wrapper = build_wrapper(&folder)?;
        configure(&folder, port, tuning, plugin)?;
        let mut command = Command::new("janus");
        command
            .arg("--configs-folder")
            .arg(&folder)
            .env("LD_PRELOAD", wrapper)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = Process::start(command, folder)
            .map_err(|error| format!("janus does not start ({error}); it is in Debian's package `janus`"))?;
        let socket = open(port).await?;
        let mut janus = Self { socket, session: Value::Null, transactions: 0, plugin, process };
        janus.session = janus.request(json!({"janus": "create"})).await?["data"]["id"].clone();
        let handle = janus.attach().await?;
        janus.request(json!({"janus": "message", "handle_id": handle, "body": plugin.room()})).await?;
        Ok(janus)
    }

    /// One join as a publisher, and leaving; milliseconds from the offer in hand to DTLS connected.
    ///
    /// # Errors
    /// When it does not succeed.
    pub async fn join(&mut self, config: PeerConfig) -> Result<f64, Box<dyn Error + Send + Sync>> {
        let handle = self.attach().await?;
        let offering = Offering::new(config).await?;
        let begin = Instant::now();
        let body = json!({"request": "joinandconfigure", "ptype": "publisher", "room": ROOM});
        let jsep = json!({"type": "offer", "sdp": offering.sdp(), "trickle": false});
        let message = json!({"janus": "message", "handle_id": handle, "body": body, "jsep": jsep});
        let event = self.request_until(message, |frame| frame["jsep"]["type"] == "answer").await?;
        let peer = offering.accept(event["jsep"]["sdp"].as_str().unwrap_or_default())?;
        let seen = peer.until("DTLS with janus", PATIENCE, |o| o.first.connected.is_some()).await?;
        peer.stop().await;
        self.request(json!({"janus": "detach", "handle_id": handle})).await?;
        let connected = seen.first.connected.unwrap_or(begin);
        Ok(connected.saturating_duration_since(begin).as_secs_f64() * 1000.0)
    }

    pub(crate) async fn attach(&mut self) -> Result<Value, Box<dyn Error + Send + Sync>> {
        let attach = json!({"janus": "attach", "plugin": format!("janus.plugin.{}", self.plugin.name())});
        Ok(self.request(attach).await?["data"]["id"].clone())
    }

    async fn request(&mut self, request: Value) -> Result<Value, Box<dyn Error + Send + Sync>> {
        self.request_until(request, |frame| frame["janus"] == "success").await
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The first frame of the transaction that is what was waited for.
    pub(crate) async fn request_until(
        &mut self,
        mut request: Value,
        is_it: impl Fn(&Value) -> bool,
    ) -> Result<Value, Box<dyn Error + Send + Sync>> {
        self.transactions += 1;
        let transaction = self.transactions.to_string();
        request["transaction"] = json!(transaction);
        if !self.session.is_null() {
            request["session_id"] = self.session.clone();
        }
        self.socket.send(Message::text(request.to_string())).await?;
        let is_failed =
            |frame: &Value| frame["janus"] == "error" || !frame["plugindata"]["data"]["error"].is_null();
        let is_answer =
            |frame: &Value| frame["transaction"] == transaction && (is_failed(frame) || is_it(frame));
        let frame = self.until(is_answer).await?;
        if is_failed(&frame) { Err(format!("janus refused: {frame}").into()) } else { Ok(frame) }
    }

    /// The next frame that is what was waited for.
    pub(crate) async fn until(
        &mut self,
        is_it: impl Fn(&Value) -> bool,
    ) -> Result<Value, Box<dyn Error + Send + Sync>> {
        loop {
            let frame =
                tokio::time::timeout(PATIENCE, self.socket.next()).await?.ok_or("janus hung up")??;
            let Message::Text(text) = frame else { continue };
            let frame: Value = serde_json::from_str(text.as_str())?;
            if is_it(&frame) {
                return Ok(frame);
            }
        }
    }
}

async fn open(port: u16) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, Box<dyn Error + Send + Sync>> {
    let begin = Instant::now();
    loop {
        let mut request = format!("ws://127.0.0.1:{port}").into_client_request()?;
        request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("janus-protocol"));
        match connect_async_with_config(request, None, true).await {
            Ok((socket, _)) => return Ok(socket),
            Err(error) if begin.elapsed() > PATIENCE => {
                return Err(format!("janus does not answer: {error}").into());
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

fn build_wrapper(folder: &Path) -> Result<PathBuf, Box<dyn Error + Send + Sync>> {
    let source = folder.join("loopback.c");
    let library = folder.join("loopback.so");
    fs::write(&source, WRAPPER)?;
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status()?;
    if built.success() { Ok(library) } else { Err("cc could not build the getifaddrs wrapper".into()) }
}

fn configure(
    folder: &Path,
    port: u16,
    tuning: Tuning,
    plugin: Plugin,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let other = match plugin {
        Plugin::VideoRoom => Plugin::AudioBridge,
        Plugin::AudioBridge => Plugin::VideoRoom,
    };
    let plugins = format!(
        "libjanus_{}.so,libjanus_duktape.so,libjanus_echotest.so,libjanus_lua.so,libjanus_nosip.so,\
         libjanus_recordplay.so,libjanus_sip.so,libjanus_streaming.so,libjanus_textroom.so,\
         libjanus_videocall.so,libjanus_voicemail.so",
        other.name()
    );
    let transports = "libjanus_http.so,libjanus_mqtt.so,libjanus_nanomsg.so,libjanus_pfunix.so,\
                      libjanus_rabbitmq.so";
    let loops = match tuning {
        Tuning::Default => "",
        Tuning::TwoEventLoops => ", event_loops = 2",
    };
    let main = format!(
        "general: {{ session_timeout = 0, debug_level = 2, log_to_stdout = false{loops} }}\n\
         nat: {{ ice_enforce_list = \"127.0.0.1\" }}\n\
         media: {{ ipv6 = false }}\n\
         plugins: {{ disable = \"{plugins}\" }}\n\
         transports: {{ disable = \"{transports}\" }}\n\
         loggers: {{ disable = \"libjanus_jsonlog.so\" }}\n\
         events: {{ broadcast = false }}\n"
    );
    let websockets = format!(
        "general: {{ ws = true, ws_port = {port}, ws_ip = \"127.0.0.1\", wss = false, json = \"plain\" }}\n\
         admin: {{ admin_ws = false, admin_wss = false }}\n"
    );
    fs::write(folder.join("janus.jcfg"), main)?;
    fs::write(folder.join("janus.transport.websockets.jcfg"), websockets)?;
    fs::write(folder.join(format!("janus.plugin.{}.jcfg", plugin.name())), "general: { }\n")?;
    Ok(())
}
