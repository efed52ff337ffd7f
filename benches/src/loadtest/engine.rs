//! The thread of all peers.
//!
//! in:  commands: offers, answers, looks
//! out: SDP, views
//!
//! It sleeps to whatever is next: a packet to publish, str0m's timers, the next look at the sockets. Nobody waits on a
//! socket, so a server pays for no wake-up of ours. Peers that join are looked at every 0.2 ms, so that their times are
//! exact, the others every 20 ms.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver as Commands, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::LoadError;
pub use super::feedback::{Profile, Said};
use super::net::Receiver;
use super::peer::Peer;
pub use super::peer::{Plan, View};
pub use super::verify::Verified;

const JOINING_TICK: Duration = Duration::from_micros(200);
const TICK: Duration = Duration::from_millis(20);
/// More peers than this are refused: 16 000 packets a second each would still be one machine's own traffic.
pub const MOST_PEERS: usize = 1_000;
/// Payload type of the bare sender.
pub(super) const BARE_PT: u8 = 96;

/// A peer of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerId(usize);

impl PeerId {
    /// Its place in [`Engine::look`].
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }
}

type Reply<T> = oneshot::Sender<Result<T, LoadError>>;

enum Command {
    Offer(Plan, Reply<(PeerId, String)>),
    Accept(PeerId, String, Reply<()>),
    Answer(Plan, String, Reply<(PeerId, String)>),
    Bare(Reply<(PeerId, SocketAddr)>),
    Look(Reply<Vec<View>>),
    LookAt(PeerId, Reply<View>),
    Heard(PeerId, Reply<Vec<Arc<[u8]>>>),
}

/// The thread; it ends with this value.
#[derive(Debug)]
pub struct Engine {
    commands: Option<Sender<Command>>,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    /// Starts it.
    ///
    /// # Errors
    /// When there is no thread.
    pub fn start() -> Result<Self, LoadError> {
        let (commands, inbox) = channel();
        let thread = std::thread::Builder::new().name("load".to_owned()).spawn(move || run(&inbox))?;
        Ok(Self { commands: Some(commands), thread: Some(thread) })
    }

    /// A new peer's offer.
    ///
    /// # Errors
    /// [`LoadError`]
    pub async fn offer(&self, plan: Plan) -> Result<(PeerId, String), LoadError> {
        self.ask(|reply| Command::Offer(plan, reply)).await
    }

    /// The answer to it.
    ///
    /// # Errors
    /// [`LoadError`]
    pub async fn accept(&self, peer: PeerId, answer: &str) -> Result<(), LoadError> {
        self.ask(|reply| Command::Accept(peer, answer.to_owned(), reply)).await
    }

    /// A new peer's answer to an offer.
    ///
    /// # Errors
    /// [`LoadError`]
    pub async fn answer(&self, plan: Plan, offer: &str) -> Result<(PeerId, String), LoadError> {
        self.ask(|reply| Command::Answer(plan, offer.to_owned(), reply)).await
    }

    /// A socket that counts what the bare sender sends it.
    ///
    /// # Errors
    /// [`LoadError`]
    pub async fn bare(&self) -> Result<(PeerId, SocketAddr), LoadError> {
        self.ask(Command::Bare).await
    }

    /// All peers, in the order they were made, after every socket has been emptied.
    ///
    /// # Errors
    /// [`LoadError::Ended`]
    pub async fn look(&self) -> Result<Vec<View>, LoadError> {
        self.ask(Command::Look).await
    }

    /// One peer.
    ///
    /// # Errors
    /// [`LoadError::Ended`]
    pub async fn look_at(&self, peer: PeerId) -> Result<View, LoadError> {
        self.ask(|reply| Command::LookAt(peer, reply)).await
    }

    /// The sound that a verifying peer heard last.
    ///
    /// # Errors
    /// [`LoadError::Ended`]
    pub async fn heard(&self, peer: PeerId) -> Result<Vec<Arc<[u8]>>, LoadError> {
        self.ask(|reply| Command::Heard(peer, reply)).await
    }

    /// Waits until a peer is so.
    ///
    /// # Errors
    /// [`LoadError::Late`], or what ended the peer.
    pub async fn until(
        &self,
        peer: PeerId,
        what: &str,
        within: Duration,
        is_so: impl Fn(&View) -> bool,
    ) -> Result<View, LoadError> {
        let deadline = Instant::now() + within;
        loop {
            let view = self.look_at(peer).await?;
            if is_so(&view) {
                return Ok(view);
            }
            if let Some(error) = view.error {
                return Err(LoadError::Late(format!("{what}: the peer ended: {error}")));
            }
            if Instant::now() > deadline {
                return Err(LoadError::Late(format!("{what} did not come within {within:?}: {view:?}")));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, LoadError> {
        let (reply, answer) = oneshot::channel();
        let commands = self.commands.as_ref().ok_or(LoadError::Ended)?;
        commands.send(command(reply)).map_err(|_| LoadError::Ended)?;
        answer.await.map_err(|_| LoadError::Ended)?
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Loop {
    peers: Vec<Peer>,
    receiver: Receiver,
    joining: Instant,
    drained: Instant,
}

fn run(inbox: &Commands<Command>) {
    let now = Instant::now();
    let mut all = Loop { peers: Vec::new(), receiver: Receiver::new(), joining: now, drained: now };
    loop {
        let until = all.turn(Instant::now());
        match inbox.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(command) => all.obey(command),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

impl Loop {
    /// Does what is due; when to come again.
    fn turn(&mut self, now: Instant) -> Instant {
        for peer in &mut self.peers {
            if peer.wakes().is_some_and(|at| at <= now) {
                peer.turn(now);
            }
        }
        if now >= self.drained + TICK {
            self.drained = now;
            self.drain(now, |_| true);
        } else if now >= self.joining + JOINING_TICK {
            self.joining = now;
            self.drain(now, Peer::is_joining);
        }
        let joins = self.peers.iter().any(Peer::is_joining).then(|| self.joining + JOINING_TICK);
        let wakes = self.peers.iter().filter_map(Peer::wakes).min();
        let next = wakes.into_iter().chain(joins).chain([self.drained + TICK]).min();
        next.unwrap_or(now)
    }

    fn drain(&mut self, now: Instant, chosen: impl Fn(&Peer) -> bool) {
        for peer in self.peers.iter_mut().filter(|peer| chosen(peer)) {
            peer.drain(&mut self.receiver, now);
        }
    }

    fn obey(&mut self, command: Command) {
        // Who asked and is gone needs no answer.
        match command {
            Command::Offer(plan, reply) => {
                let made = self.add(|number| Peer::offer(plan, number));
                let _ = reply.send(made);
            }
            Command::Answer(plan, offer, reply) => {
                let made = self.add(|number| Peer::answer(plan, number, &offer));
                let _ = reply.send(made);
            }
            Command::Bare(reply) => {
                let made = self.add(|number| Peer::bare(BARE_PT, number));
                let _ = reply.send(made);
            }
            Command::Accept(PeerId(at), answer, reply) => {
                let peer = self.peers.get_mut(at).ok_or(LoadError::Ended);
                let _ = reply.send(peer.and_then(|peer| peer.accept(&answer)));
            }
            Command::Look(reply) => {
                self.drain(Instant::now(), |_| true);
                let _ = reply.send(Ok(self.peers.iter_mut().map(Peer::look).collect()));
            }
            Command::LookAt(PeerId(at), reply) => {
                let view = self.peers.get(at).map(Peer::glance).ok_or(LoadError::Ended);
                let _ = reply.send(view);
            }
            Command::Heard(PeerId(at), reply) => {
                let heard = self.peers.get(at).map(Peer::heard).ok_or(LoadError::Ended);
                let _ = reply.send(heard);
            }
        }
    }

    fn add<T>(
        &mut self,
        make: impl FnOnce(u32) -> Result<(Peer, T), LoadError>,
    ) -> Result<(PeerId, T), LoadError> {
        let at = self.peers.len();
        if at >= MOST_PEERS {
            return Err(LoadError::Refused(format!("more than {MOST_PEERS} peers")));
        }
        let (peer, made) = make(u32::try_from(at).unwrap_or(u32::MAX))?;
        self.peers.push(peer);
        Ok((PeerId(at), made))
    }
}
