//! Load on Janus' VideoRoom: one handle per peer, subscriptions with all their streams on one connection.
//!
//! in:  an installed `janus`
//! out: publishers and subscribers of one room

#![allow(clippy::indexing_slicing, reason = "a JSON value gives null where there is nothing")]

use std::time::Instant;

use serde_json::{Value, json};

use super::LoadError;
use super::driver::{Driver, Joined, Whom};
use super::engine::{Engine, Plan};
use crate::janus::{Janus as Server, ROOM, Tuning};

/// A Janus, fresh.
#[derive(Debug)]
pub struct Janus {
    server: Server,
    feeds: Vec<Value>,
}

impl Janus {
    /// Starts it, with two event loops for all connections or with a thread for each.
    ///
    /// # Errors
    /// Says what is missing.
    pub async fn start(tuning: Tuning) -> Result<Self, LoadError> {
        Ok(Self { server: Server::start(tuning).await.map_err(wrong)?, feeds: Vec::new() })
    }
}

fn wrong(error: impl ToString) -> LoadError {
    LoadError::Signalling(error.to_string())
}

impl Driver for Janus {
    fn forwards(&self) -> bool {
        true
    }

    fn is_one_connection(&self) -> bool {
        false
    }

    fn pid(&self) -> Result<u32, LoadError> {
        Ok(self.server.pid())
    }

    async fn publish(&mut self, engine: &Engine, plan: Plan) -> Result<Joined, LoadError> {
        let handle = self.server.attach().await.map_err(wrong)?;
        // Who receives has a connection of its own.
        let has_audio = plan.audio.is_some();
        let plan = Plan { video_slots: 0, hears: false, ..plan };
        let (peer, offer) = engine.offer(plan).await?;
        let begun = Instant::now();
        let body = json!({"request": "join", "ptype": "publisher", "room": ROOM});
        let join = json!({"janus": "message", "handle_id": handle, "body": body});
        let joined = self.server.request_until(join, |frame| frame["janus"] == "event").await;
        let id = joined.map_err(wrong)?["plugindata"]["data"]["id"].clone();
        let body = json!({"request": "configure", "video": true, "audio": has_audio});
        let jsep = json!({"type": "offer", "sdp": offer, "trickle": false});
        let configure = json!({"janus": "message", "handle_id": handle, "body": body, "jsep": jsep});
        let event = self.server.request_until(configure, |frame| frame["jsep"]["type"] == "answer").await;
        let event = event.map_err(wrong)?;
        engine.accept(peer, event["jsep"]["sdp"].as_str().unwrap_or_default()).await?;
        // Only then there is something to subscribe to.
        let is_up = |frame: &Value| frame["janus"] == "webrtcup" && frame["sender"] == handle;
        self.server.until(is_up).await.map_err(wrong)?;
        self.feeds.push(id);
        Ok(Joined { peer, begun })
    }

    async fn subscribe(&mut self, engine: &Engine, plan: Plan, whom: Whom) -> Result<Joined, LoadError> {
        let handle = self.server.attach().await.map_err(wrong)?;
        let begun = Instant::now();
        let wanted = |&(n, _): &(usize, &Value)| whom != Whom::AllBut(n);
        let feeds = self.feeds.iter().enumerate().filter(wanted);
        let streams: Vec<_> = feeds.map(|(_, feed)| json!({"feed": feed})).collect();
        let body = json!({"request": "join", "ptype": "subscriber", "room": ROOM, "streams": streams});
        let join = json!({"janus": "message", "handle_id": handle, "body": body});
        let offered = self.server.request_until(join, |frame| frame["jsep"]["type"] == "offer").await;
        let offered = offered.map_err(wrong)?;
        let offer = offered["jsep"]["sdp"].as_str().unwrap_or_default();
        let (peer, answer) = engine.answer(plan, offer).await?;
        let jsep = json!({"type": "answer", "sdp": answer, "trickle": false});
        let body = json!({"request": "start"});
        let start = json!({"janus": "message", "handle_id": handle, "body": body, "jsep": jsep});
        self.server.request_until(start, |frame| frame["janus"] == "event").await.map_err(wrong)?;
        Ok(Joined { peer, begun })
    }
}
