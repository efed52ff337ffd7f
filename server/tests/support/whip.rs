//! WHIP and WHEP as encoders and players speak them.

use reqwest::header::{CONTENT_TYPE, ETAG, IF_MATCH, LOCATION};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use super::{Client as Socket, PATIENCE, Server};

pub(crate) const SDP: &str = "application/sdp";
pub(crate) const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// A call that was answered.
pub(crate) struct Call {
    pub(crate) url: String,
    pub(crate) tag: String,
    pub(crate) answer: String,
}

impl Server {
    /// A request as it is before anything is said in it.
    pub(crate) fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        Client::new().request(method, self.http(path))
    }

    /// An offer with a token.
    pub(crate) fn offering(&self, path: &str, token: &str, offer: &str) -> RequestBuilder {
        self.ask(Method::POST, path).bearer_auth(token).header(CONTENT_TYPE, SDP).body(offer.to_owned())
    }

    /// Makes a call.
    pub(crate) async fn call_by_http(&self, path: &str, token: &str, offer: &str) -> Call {
        let reply = self.offering(path, token, offer).send().await.unwrap();
        let (status, headers) = (reply.status(), reply.headers().clone());
        let answer = reply.text().await.unwrap();
        assert_eq!(status, StatusCode::CREATED, "{path}: {answer}");
        let text = |name| headers[name].to_str().unwrap().to_owned();
        assert_eq!(text(CONTENT_TYPE), SDP);
        Call { url: text(LOCATION), tag: text(ETAG), answer }
    }

    /// Sends a fragment to a call.
    pub(crate) async fn patch(&self, url: &str, condition: Option<&str>, fragment: &str) -> Response {
        let request = self.ask(Method::PATCH, url).header(CONTENT_TYPE, FRAGMENT).body(fragment.to_owned());
        let request = match condition {
            Some(condition) => request.header(IF_MATCH, condition),
            None => request,
        };
        request.send().await.unwrap()
    }

    pub(crate) async fn delete(&self, url: &str) -> StatusCode {
        self.ask(Method::DELETE, url).send().await.unwrap().status()
    }
}

/// A server of the project: sees and may do everything in the one room that runs.
pub(crate) struct Watcher {
    pub(crate) socket: Socket,
    pub(crate) room: Value,
}

impl Watcher {
    pub(crate) async fn of(server: &Server) -> Self {
        let (mut socket, _) = Socket::realtime(server).await;
        let room = tokio::time::timeout(PATIENCE, async {
            loop {
                let rooms = socket.call("video.rooms.get", json!({})).await["result"]["rooms"].clone();
                if let Some(room) = rooms.get(0) {
                    return room["id"].clone();
                }
            }
        });
        let room = room.await.expect("a room");
        let events = [
            "video.room.ended",
            "video.member.joined",
            "video.member.updated",
            "video.member.left",
            "video.layout.changed",
        ];
        let channel = format!("EC_{}", room.as_str().unwrap());
        let subscribed =
            socket.call("signalwire.subscribe", json!({"event_channel": channel, "events": events})).await;
        assert_eq!(subscribed["result"]["code"], "200", "{subscribed}");
        Self { socket, room }
    }

    pub(crate) async fn event(&mut self, kind: &str) -> Value {
        self.socket.event(kind).await
    }

    /// Calls a method of the room, about a member or `null`.
    pub(crate) async fn call(&mut self, method: &str, member: &Value) -> Value {
        let params = json!({"room_session_id": self.room, "member_id": member});
        let reply = self.socket.call(method, params).await["result"].clone();
        assert_eq!(reply["code"], "200", "{method}: {reply}");
        reply
    }

    pub(crate) async fn members(&mut self) -> Vec<Value> {
        let reply = self.call("video.members.get", &Value::Null).await;
        reply["members"].as_array().unwrap().clone()
    }
}

/// What a refusal says was wrong.
pub(crate) async fn reason(reply: Response) -> (StatusCode, String) {
    let status = reply.status();
    let body: Value = reply.json().await.unwrap();
    assert_eq!(body["error"].as_str(), status.canonical_reason(), "{body}");
    (status, body["message"].as_str().unwrap().to_owned())
}
