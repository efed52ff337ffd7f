//! Load on Signalbox by its own signalling: a member publishes, audience watches.
//!
//! in:  the server's program
//! out: members and audience of one room

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

use super::LoadError;
use super::driver::{Driver, Joined, Whom};
use super::engine::{Engine, Plan};
use crate::client::{Call, Client, Invitation};
use crate::process::Signalbox as Server;

const ROOM: &str = "load";

/// What subscribers receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receive {
    /// The composed picture and the mix.
    Canvas,
    /// Members' own streams.
    Tiles,
}

/// A server of ours, fresh.
#[derive(Debug)]
pub struct Signalbox {
    server: Server,
    receive: Receive,
    member: String,
    audience: String,
    /// Kept, so that their sockets stay open.
    joined: Vec<(Client, Call)>,
}

impl Signalbox {
    /// Starts it.
    ///
    /// # Errors
    /// When it does not start, or makes no tokens.
    pub fn start(program: &Path, receive: Receive) -> Result<Self, LoadError> {
        let server = Server::start(program, true)?;
        let token = |extra: &[&str]| {
            let mut command = Command::new(program);
            command.args(["token", "--room", ROOM, "--user", "load", "--data-dir"]).arg(server.folder());
            let output = command.args(extra).output()?;
            let token = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            match output.status.success() && !token.is_empty() {
                true => Ok(token),
                false => Err(LoadError::Signalling(String::from_utf8_lossy(&output.stderr).into_owned())),
            }
        };
        let (member, audience) = (token(&[])?, token(&["--audience"])?);
        Ok(Self { server, receive, member, audience, joined: Vec::new() })
    }

    async fn join(&mut self, engine: &Engine, plan: Plan, token: &str) -> Result<Joined, LoadError> {
        let mut client = Client::connect(&self.server.ws(), token).await?;
        let receive = self.receive(&plan);
        let (peer, offer) = engine.offer(plan).await?;
        let begun = Instant::now();
        let call = client.invite_with(&offer, Invitation { events: &[], receive }).await?;
        engine.accept(peer, &call.answer).await?;
        self.joined.push((client, call));
        Ok(Joined { peer, begun })
    }

    fn receive(&self, plan: &Plan) -> Option<Value> {
        match self.receive {
            Receive::Canvas => None,
            Receive::Tiles => {
                Some(json!({"mode": "tiles", "video_slots": plan.video_slots.max(1), "audio": "mix"}))
            }
        }
    }
}

impl Driver for Signalbox {
    fn forwards(&self) -> bool {
        self.receive == Receive::Tiles
    }

    fn is_one_connection(&self) -> bool {
        true
    }

    fn pid(&self) -> Result<u32, LoadError> {
        Ok(self.server.process.id())
    }

    async fn publish(&mut self, engine: &Engine, plan: Plan) -> Result<Joined, LoadError> {
        let token = self.member.clone();
        self.join(engine, plan, &token).await
    }

    async fn subscribe(&mut self, engine: &Engine, plan: Plan, _: Whom) -> Result<Joined, LoadError> {
        let token = self.audience.clone();
        self.join(engine, plan, &token).await
    }
}
