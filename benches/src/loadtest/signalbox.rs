//! Load on Signalbox by its own signalling: members publish, audience watches.
//!
//! in:  the server's program
//! out: members and audience of one room
//!
//! | | SDK | WHIP and WHEP |
//! |---|---|---|
//! | who publishes | a call of a member over a WebSocket | `POST /whip/{room}` |
//! | who watches a member | a tile leg of audience | `POST /whep/{room}/{member}` |
//! | who watches the canvas | a canvas leg of audience | `POST /whep/{room}` |

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::LoadError;
use super::conference::Mixer;
use super::driver::{Driver, Joined, Whom};
use super::engine::{Engine, Plan};
use crate::client::{Call, Client, Invitation};
use crate::process::{DEV_TOKEN, Signalbox as Server};

const ROOM: &str = "load";
/// How long a member may take to be listed by REST.
const PATIENCE: Duration = Duration::from_secs(5);

/// What subscribers receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receive {
    /// The composed picture and the mix.
    Canvas,
    /// Members' own streams.
    Tiles,
}

/// How peers come in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Entrance {
    /// As a browser's SDK does.
    #[default]
    Sdk,
    /// Encoders by WHIP, players by WHEP.
    WhipWhep,
}

/// A server of ours, fresh.
#[derive(Debug)]
pub struct Signalbox {
    server: Server,
    http: reqwest::Client,
    entrance: Entrance,
    receive: Receive,
    member: String,
    audience: String,
    /// The one member that WHEP players watch.
    watched: Option<String>,
    /// Kept, so that their sockets stay open.
    joined: Vec<(Client, Call)>,
}

impl Signalbox {
    /// Starts it.
    ///
    /// # Errors
    /// When it does not start, or makes no tokens.
    pub fn start(program: &Path, entrance: Entrance, receive: Receive) -> Result<Self, LoadError> {
        let server = Server::start(program, true)?;
        let member = token(program, &server, ROOM, &[])?;
        let audience = token(program, &server, ROOM, &["--audience"])?;
        let http = reqwest::Client::new();
        Ok(Self { server, http, entrance, receive, member, audience, watched: None, joined: Vec::new() })
    }

    /// The server itself, for its metrics.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    async fn call(
        &mut self,
        engine: &Engine,
        plan: Plan,
        token: &str,
        receive: Receive,
    ) -> Result<Joined, LoadError> {
        let mut client = Client::connect(&self.server.ws(), token).await?;
        let slots = plan.video_slots.max(1);
        let receive = match receive {
            Receive::Canvas => None,
            Receive::Tiles => Some(json!({"mode": "tiles", "video_slots": slots, "audio": "mix"})),
        };
        let (peer, offer) = engine.offer(plan).await?;
        let begun = Instant::now();
        let call = client.invite_with(&offer, Invitation { events: &[], receive }).await?;
        engine.accept(peer, &call.answer).await?;
        self.joined.push((client, call));
        Ok(Joined { peer, begun })
    }

    async fn post(&self, engine: &Engine, plan: Plan, token: &str, path: &str) -> Result<Joined, LoadError> {
        let (peer, offer) = engine.offer(plan).await?;
        let begun = Instant::now();
        let url = format!("{}{path}", self.server.http());
        let request =
            self.http.post(url).bearer_auth(token).header(CONTENT_TYPE, "application/sdp").body(offer);
        let reply = request.send().await.map_err(wrong)?;
        let status = reply.status();
        let answer = reply.text().await.map_err(wrong)?;
        if status != reqwest::StatusCode::CREATED {
            return Err(LoadError::Signalling(format!("{path} answered {status}: {answer}")));
        }
        engine.accept(peer, &answer).await?;
        Ok(Joined { peer, begun })
    }

    /// The id of the first member, which REST lists once it has come.
    async fn watched(&mut self) -> Result<String, LoadError> {
        if let Some(member) = &self.watched {
            return Ok(member.clone());
        }
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            let sessions = self.list("room_sessions?status=in-progress").await?;
            if let Some(session) = id_of_first(&sessions)
                && let Some(member) =
                    id_of_first(&self.list(&format!("room_sessions/{session}/members")).await?)
            {
                self.watched = Some(member.clone());
                return Ok(member);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(LoadError::Late("no member to watch".to_owned()))
    }

    async fn list(&self, what: &str) -> Result<Value, LoadError> {
        let url = format!("{}/api/video/{what}", self.server.http());
        let (project, token) = DEV_TOKEN;
        let reply = self.http.get(url).basic_auth(project, Some(token)).send().await.map_err(wrong)?;
        reply.error_for_status().map_err(wrong)?.json().await.map_err(wrong)
    }
}

/// A token of the server for a room.
///
/// # Errors
/// When it makes none.
pub fn token(program: &Path, server: &Server, room: &str, extra: &[&str]) -> Result<String, LoadError> {
    let mut command = Command::new(program);
    command.args(["token", "--room", room, "--user", "load", "--data-dir"]).arg(server.folder());
    let output = command.args(extra).output()?;
    let token = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match output.status.success() && !token.is_empty() {
        true => Ok(token),
        false => Err(LoadError::Signalling(String::from_utf8_lossy(&output.stderr).into_owned())),
    }
}

fn id_of_first(list: &Value) -> Option<String> {
    list.pointer("/data/0/id")?.as_str().map(str::to_owned)
}

fn wrong(error: impl ToString) -> LoadError {
    LoadError::Signalling(error.to_string())
}

impl Driver for Signalbox {
    fn forwards(&self) -> bool {
        self.receive == Receive::Tiles
    }

    fn is_one_connection(&self) -> bool {
        self.entrance == Entrance::Sdk
    }

    fn pid(&self) -> Result<u32, LoadError> {
        Ok(self.server.process.id())
    }

    async fn publish(&mut self, engine: &Engine, plan: Plan) -> Result<Joined, LoadError> {
        let token = self.member.clone();
        match self.entrance {
            Entrance::Sdk => self.call(engine, plan, &token, self.receive).await,
            Entrance::WhipWhep => {
                let plan = Plan { video_slots: 0, hears: false, ..plan };
                self.post(engine, plan, &token, &format!("/whip/{ROOM}")).await
            }
        }
    }

    async fn subscribe(&mut self, engine: &Engine, plan: Plan, whom: Whom) -> Result<Joined, LoadError> {
        let token = self.audience.clone();
        match (self.entrance, self.receive) {
            (Entrance::Sdk, receive) => self.call(engine, plan, &token, receive).await,
            (Entrance::WhipWhep, Receive::Canvas) => {
                self.post(engine, plan, &token, &format!("/whep/{ROOM}")).await
            }
            (Entrance::WhipWhep, Receive::Tiles) if plan.video_slots > 1 || whom != Whom::All => {
                Err(LoadError::Refused("a WHEP player watches one member".to_owned()))
            }
            (Entrance::WhipWhep, Receive::Tiles) => {
                let member = self.watched().await?;
                self.post(engine, plan, &token, &format!("/whep/{ROOM}/{member}")).await
            }
        }
    }

    async fn watch_canvas(&mut self, engine: &Engine, plan: Plan) -> Result<Joined, LoadError> {
        let token = self.audience.clone();
        let plan = Plan { video_slots: 1, ..plan };
        match self.entrance {
            Entrance::Sdk => self.call(engine, plan, &token, Receive::Canvas).await,
            Entrance::WhipWhep => self.post(engine, plan, &token, &format!("/whep/{ROOM}")).await,
        }
    }
}

impl Mixer for Signalbox {
    fn pid(&self) -> u32 {
        self.server.process.id()
    }

    async fn converse(&mut self, engine: &Engine, plan: Plan) -> Result<Joined, LoadError> {
        let token = self.member.clone();
        self.call(engine, plan, &token, Receive::Canvas).await
    }
}
