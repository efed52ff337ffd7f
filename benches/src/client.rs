//! The least of a browser SDK: a socket, a room token, one call.
//!
//! in:  a server's address, a room token, an SDP offer
//! out: the SDP answer, events as they come
//!
//! A task owns the socket: it answers pings and acknowledges events, so that a client nobody looks at stays alive.
//! Events wait in a bounded queue; when it is full the newest are dropped, as for a test that looks at none.

use std::collections::HashMap;
use std::time::Instant;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// Events that nobody has read yet.
const EVENTS: usize = 1024;

/// Why a client could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server could not be reached or left.
    #[error("connection: {0}")]
    Socket(#[from] tokio_tungstenite::tungstenite::Error),
    /// HTTP failed.
    #[error("http: {0}")]
    Http(#[from] reqwest::Error),
    /// The socket is closed.
    #[error("the server closed the socket")]
    Closed,
    /// The server refused.
    #[error("{method} was refused: {reply}")]
    Refused {
        /// What was asked.
        method: String,
        /// What the server said.
        reply: Value,
    },
    /// The server answered something else than the wire protocol says.
    #[error("unexpected: {0}")]
    Unexpected(String),
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A connected session.
#[derive(Debug)]
pub struct Client {
    requests: mpsc::Sender<Request>,
    events: mpsc::Receiver<Event>,
}

/// How a call is made.
#[derive(Clone, Debug, Default)]
pub struct Invitation<'a> {
    /// Events to be told of.
    pub events: &'a [&'a str],
    /// `dialogParams.receive`.
    pub receive: Option<Value>,
}

/// A call that the server answered.
#[derive(Clone, Debug)]
pub struct Call {
    /// Chosen by us.
    pub call_id: String,
    /// Chosen by the server.
    pub member_id: String,
    /// SDP.
    pub answer: String,
    /// When the answer came.
    pub answered: Instant,
    node_id: Value,
}

/// A server's push.
#[derive(Clone, Debug)]
pub struct Event {
    /// `video.member.joined` and so on.
    pub kind: String,
    /// Its `params`.
    pub params: Value,
}

#[derive(Debug)]
struct Request {
    frame: Value,
    reply: oneshot::Sender<Value>,
}

/// A room token from the page that hands them out in development.
///
/// # Errors
/// When the server cannot be reached or has no such page.
pub async fn demo_token(http: &str, room: &str, name: &str) -> Result<String, ClientError> {
    let reply: Value = reqwest::Client::new()
        .post(format!("{http}/demo/tokens"))
        .json(&json!({"room": room, "name": name}))
        .send()
        .await?
        .error_for_status()?
        .json()
        .await?;
    let token = reply.get("token").and_then(Value::as_str);
    token.map(str::to_owned).ok_or_else(|| ClientError::Unexpected(reply.to_string()))
}

impl Client {
    /// Opens the socket at `ws` and connects with a room token.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses the token.
    pub async fn connect(ws: &str, token: &str) -> Result<Self, ClientError> {
        // Browsers send at once as well: Nagle's algorithm would hold the invite back for an acknowledgement.
        let (socket, _) = connect_async_with_config(ws, None, true).await?;
        let (requests, inbox) = mpsc::channel(16);
        let (outbox, events) = mpsc::channel(EVENTS);
        tokio::spawn(Pump { socket, inbox, outbox, waiting: HashMap::new() }.run());
        let client = Self { requests, events };
        client
            .call(
                "signalwire.connect",
                json!({
                    "version": {"major": 3, "minor": 0, "revision": 0},
                    "event_acks": true,
                    "agent": "signalbox/benches",
                    "authentication": {"jwt_token": token},
                }),
            )
            .await?;
        Ok(client)
    }

    /// Sends a request; its `result`.
    ///
    /// # Errors
    /// When the server refuses or leaves.
    pub async fn call(&self, method: &str, params: Value) -> Result<Value, ClientError> {
        let reply = self.send(method, params).await?.await.map_err(|_| ClientError::Closed)?;
        let code = reply.pointer("/result/code").and_then(Value::as_str);
        match reply.get("result") {
            Some(result) if code.is_none_or(|code| code.starts_with('2')) => Ok(result.clone()),
            Some(_) | None => Err(ClientError::Refused { method: method.to_owned(), reply }),
        }
    }

    /// Joins the room of the token with this offer, as an SDK does; back with the answer.
    ///
    /// # Errors
    /// When the server refuses or leaves.
    pub async fn invite(&mut self, offer: &str) -> Result<Call, ClientError> {
        let events = [
            "video.room.subscribed",
            "video.member.joined",
            "video.member.left",
            "video.member.updated",
            "video.layout.changed",
        ];
        self.invite_with(offer, Invitation { events: &events, receive: None }).await
    }

    /// The same with a choice of events, and of what the call receives.
    ///
    /// # Errors
    /// When the server refuses or leaves.
    pub async fn invite_with(
        &mut self,
        offer: &str,
        invitation: Invitation<'_>,
    ) -> Result<Call, ClientError> {
        let call_id = uuid();
        let mut dialog = json!({
            "callID": call_id, "attach": false, "reattaching": false, "userVariables": {},
            "screenShare": false, "additionalDevice": false, "pingSupported": true, "version": 1000,
            "remote_caller_id_name": "Outbound Call", "remote_caller_id_number": "",
            "caller_id_name": "", "caller_id_number": "",
        });
        if let (Some(receive), Some(dialog)) = (invitation.receive, dialog.as_object_mut()) {
            dialog.insert("receive".to_owned(), receive);
        }
        let message = json!({
            "callID": call_id,
            "subscribe": invitation.events,
            "message": {"jsonrpc": "2.0", "id": uuid(), "method": "verto.invite", "params": {
                "dialogParams": dialog,
                "sdp": offer,
            }},
        });
        let created = self.call("video.message", message).await?;
        let member_id = created.pointer("/result/result/memberID").and_then(Value::as_str);
        let Some(member_id) = member_id.map(str::to_owned) else {
            return Err(ClientError::Refused { method: "verto.invite".to_owned(), reply: created });
        };
        let node_id = created.get("node_id").cloned().unwrap_or_default();
        let answer = self.verto_answer(&call_id).await?;
        let call = Call { call_id, member_id, answer, answered: Instant::now(), node_id };
        let taken = json!({"jsonrpc": "2.0", "id": uuid(), "result": {"method": "verto.answer"}});
        self.send("video.message", verto(&call, &taken)).await?;
        Ok(call)
    }

    /// Ends the call.
    ///
    /// # Errors
    /// When the server refuses or leaves.
    pub async fn bye(&self, call: &Call) -> Result<(), ClientError> {
        let params =
            json!({"dialogParams": {"callID": call.call_id}, "cause": "NORMAL_CLEARING", "causeCode": "16"});
        let bye = json!({"jsonrpc": "2.0", "id": uuid(), "method": "verto.bye", "params": params});
        self.call("video.message", verto(call, &bye)).await.map(drop)
    }

    /// The next event of that kind; others that come meanwhile are forgotten.
    ///
    /// # Errors
    /// When the server leaves.
    pub async fn event(&mut self, kind: &str) -> Result<Value, ClientError> {
        loop {
            let event = self.events.recv().await.ok_or(ClientError::Closed)?;
            if event.kind == kind {
                return Ok(event.params);
            }
        }
    }

    /// Sends a request whose reply may be waited for.
    async fn send(&self, method: &str, params: Value) -> Result<oneshot::Receiver<Value>, ClientError> {
        let frame = json!({"jsonrpc": "2.0", "id": uuid(), "method": method, "params": params});
        let (reply, answered) = oneshot::channel();
        self.requests.send(Request { frame, reply }).await.map_err(|_| ClientError::Closed)?;
        Ok(answered)
    }

    async fn verto_answer(&mut self, call_id: &str) -> Result<String, ClientError> {
        loop {
            let message = self.event("webrtc.message").await?;
            let text = |pointer| message.pointer(pointer).and_then(Value::as_str);
            if text("/params/callID") != Some(call_id) {
                continue;
            }
            return match (text("/method"), text("/params/sdp")) {
                (Some("verto.answer"), Some(sdp)) => Ok(sdp.to_owned()),
                _ => Err(ClientError::Unexpected(message.to_string())),
            };
        }
    }
}

fn verto(call: &Call, message: &Value) -> Value {
    json!({"callID": call.call_id, "node_id": call.node_id, "message": message})
}

/// The task that owns the socket.
struct Pump {
    socket: Socket,
    inbox: mpsc::Receiver<Request>,
    outbox: mpsc::Sender<Event>,
    waiting: HashMap<String, oneshot::Sender<Value>>,
}

impl Pump {
    /// Until the client or the server is gone; whoever still waits learns it by the dropped sender.
    async fn run(mut self) {
        loop {
            let done = tokio::select! {
                request = self.inbox.recv() => match request {
                    Some(request) => self.ask(request).await,
                    None => break,
                },
                frame = self.socket.next() => match frame {
                    Some(Ok(Message::Text(text))) => self.take(text.as_str()).await,
                    Some(Ok(_)) => Ok(()),
                    Some(Err(_)) | None => break,
                },
            };
            if done.is_err() {
                break;
            }
        }
        let _ = self.socket.close(None).await;
    }

    async fn ask(&mut self, request: Request) -> Result<(), ClientError> {
        let id = request.frame.get("id").and_then(Value::as_str).unwrap_or_default();
        self.waiting.insert(id.to_owned(), request.reply);
        self.say(&request.frame).await
    }

    async fn take(&mut self, text: &str) -> Result<(), ClientError> {
        let Ok(frame) = serde_json::from_str::<Value>(text) else { return Ok(()) };
        let Some(method) = frame.get("method").and_then(Value::as_str) else {
            let id = frame.get("id").and_then(Value::as_str).unwrap_or_default();
            if let Some(reply) = self.waiting.remove(id) {
                let _ = reply.send(frame);
            }
            return Ok(());
        };
        if method == "signalwire.event" {
            let kind = frame.pointer("/params/event_type").and_then(Value::as_str).unwrap_or_default();
            let params = frame.pointer("/params/params").cloned().unwrap_or_default();
            let _ = self.outbox.try_send(Event { kind: kind.to_owned(), params });
        }
        let result = match method {
            "signalwire.ping" => frame.get("params").cloned().unwrap_or_default(),
            _ => json!({}),
        };
        let id = frame.get("id").cloned().unwrap_or_default();
        self.say(&json!({"jsonrpc": "2.0", "id": id, "result": result})).await
    }

    async fn say(&mut self, frame: &Value) -> Result<(), ClientError> {
        Ok(self.socket.send(Message::text(frame.to_string())).await?)
    }
}

fn uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}
