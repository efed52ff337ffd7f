//! Load on Janus' AudioBridge: one handle per member, encoders set as ours are.
//!
//! in:  an installed `janus`
//! out: members of one room

#![allow(clippy::indexing_slicing, reason = "a JSON value gives null where there is nothing")]

use std::time::Instant;

use serde_json::{Value, json};

use super::LoadError;
use super::conference::Mixer;
use super::driver::Joined;
use super::engine::{Engine, Plan};
use crate::janus::{Janus as Server, Plugin, ROOM, Tuning};

/// As our own mix is coded (`media_core::mix::audio`): 40 kbit/s, complexity 5, redundancy for 10 % of loss.
const BITRATE: u32 = 40_000;
const COMPLEXITY: u32 = 5;
const EXPECTED_LOSS: u32 = 10;

/// A Janus with one AudioBridge room, fresh.
#[derive(Debug)]
pub struct AudioBridge(Server);

impl AudioBridge {
    /// Starts it, with two event loops.
    ///
    /// # Errors
    /// Says what is missing.
    pub async fn start() -> Result<Self, LoadError> {
        Ok(Self(Server::start_with(Tuning::TwoEventLoops, Plugin::AudioBridge).await.map_err(wrong)?))
    }
}

fn wrong(error: impl ToString) -> LoadError {
    LoadError::Signalling(error.to_string())
}

impl Mixer for AudioBridge {
    fn pid(&self) -> u32 {
        self.0.pid()
    }

    async fn converse(&mut self, engine: &Engine, plan: Plan) -> Result<Joined, LoadError> {
        let handle = self.0.attach().await.map_err(wrong)?;
        let (peer, offer) = engine.offer(plan).await?;
        let begun = Instant::now();
        let is_event = |frame: &Value| frame["janus"] == "event";
        let body = json!({
            "request": "join", "room": ROOM, "codec": "opus",
            "bitrate": BITRATE, "quality": COMPLEXITY, "expected_loss": EXPECTED_LOSS,
        });
        let join = json!({"janus": "message", "handle_id": handle, "body": body});
        self.0.request_until(join, is_event).await.map_err(wrong)?;
        let jsep = json!({"type": "offer", "sdp": offer, "trickle": false});
        let body = json!({"request": "configure", "muted": false});
        let configure = json!({"janus": "message", "handle_id": handle, "body": body, "jsep": jsep});
        let is_answer = |frame: &Value| frame["jsep"]["type"] == "answer";
        let event = self.0.request_until(configure, is_answer).await.map_err(wrong)?;
        engine.accept(peer, event["jsep"]["sdp"].as_str().unwrap_or_default()).await?;
        Ok(Joined { peer, begun })
    }
}
