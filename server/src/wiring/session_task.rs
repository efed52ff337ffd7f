//! The task of one session: its mailbox, its socket, its requests to rooms.
//!
//! in:  [`SessionMail`], deadlines, the draining of the process
//! out: frames to the socket, requests and notices to rooms
//!
//! It never waits for anybody but its own mailbox and clock: whoever writes to it may wait for it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use control_api::{
    Authority, Command, ConnectRefusal, Notice, ProjectId, Protocol, Reply, RoomRequest, Route, Session,
    SessionConfig, SessionInput, SessionOutput, SocketId,
};
use media_core::sdp::Offer;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::connecting::{authenticate, authenticated};
use super::outbox::{Outbox, Untaken};
use super::registry::{LateNotice, SessionHandle, SessionMail};
use super::{now, room_task, sleep_until};
use crate::app::{App, NODE};

/// Messages for one session. A room of 20 that changes its layout sends some 40.
const MAILBOX: usize = 256;

/// When a notice found a room's mailbox full, it is tried again after this.
pub(super) const NOTICE_PAUSE: Duration = Duration::from_millis(20);

/// How often that is done for a session that has ended: half a minute long.
pub(super) const LAST_ATTEMPTS: usize = 1500;

/// Starts the task of a new session. The caller enters it in the registry.
pub(super) fn spawn(app: &Arc<App>, protocol: Protocol, authority: &Arc<Authority>) -> SessionHandle {
    let key = app.registry.next_session();
    let (mailbox, inbox) = mpsc::channel(MAILBOX);
    let config = SessionConfig { key, protocol, node_id: NODE.into(), leave_after: app.config.leave_after };
    let task = SessionTask {
        app: Arc::clone(app),
        session: Session::new(config, Arc::clone(authority)),
        outboxes: HashMap::new(),
        late: VecDeque::new(),
        retry_at: Instant::now(),
    };
    app.metrics.sessions.inc();
    tokio::spawn(task.drive(inbox));
    SessionHandle { key, authority: Arc::clone(authority), mailbox }
}

struct SessionTask {
    app: Arc<App>,
    session: Session,
    /// One, and for a moment two when a socket takes over.
    outboxes: HashMap<SocketId, Outbox>,
    /// Notices that wait for room in a mailbox, oldest first.
    late: VecDeque<LateNotice>,
    /// When they are tried again.
    retry_at: Instant,
}

impl SessionTask {
    async fn drive(mut self, mut inbox: mpsc::Receiver<SessionMail>) {
        let shutdown = self.app.shutdown.clone();
        let mut draining = std::pin::pin!(shutdown.draining());
        let mut stopped = std::pin::pin!(shutdown.stopped());
        let mut told = false;
        while self.drain() {
            tokio::select! {
                mail = inbox.recv() => match mail {
                    Some(mail) => self.take(mail),
                    None => break,
                },
                () = sleep_until(self.session.deadline()) => self.session.handle(now(), SessionInput::Timeout),
                () = sleep_until(Some(self.retry_at)), if !self.late.is_empty() => self.deliver_late(),
                () = draining.as_mut(), if !told => {
                    told = true;
                    self.session.handle(now(), SessionInput::Drain);
                }
                () = stopped.as_mut() => {
                    self.say_last_words(&mut inbox);
                    break;
                }
            }
        }
        self.app.registry.forget_session(self.session.key(), self.session.protocol().as_str());
        // A room that waits for this mailbox must not be waited for. A connect that came too late is dropped with it: its
        // socket closes and its client tries again.
        drop(inbox);
        self.deliver_last().await;
        self.app.metrics.sessions.dec();
    }

    /// What rooms have said so far, good-byes among it, still reaches the socket; dropping its queue then closes it.
    fn say_last_words(&mut self, inbox: &mut mpsc::Receiver<SessionMail>) {
        while let Ok(mail) = inbox.try_recv() {
            self.take(mail);
            if !self.drain() {
                return;
            }
        }
    }

    fn take(&mut self, mail: SessionMail) {
        match mail {
            SessionMail::Attach { socket, outbox, request, authenticated } => {
                self.outboxes.insert(socket, outbox);
                self.session.attach(now(), socket, request, authenticated);
            }
            SessionMail::Input(input) => {
                if let SessionInput::SocketLost { socket } = &input {
                    self.outboxes.remove(socket);
                }
                self.session.handle(now(), input);
            }
        }
    }

    /// Does what the session wants; `false` once it is over.
    fn drain(&mut self) -> bool {
        while let Some(output) = self.session.poll() {
            match output {
                SessionOutput::Send { socket, text } => self.send(socket, text),
                SessionOutput::CloseSocket { socket } => {
                    self.outboxes.remove(&socket);
                }
                SessionOutput::Request(request) => self.request(request),
                SessionOutput::Notice { route, project, notice, .. } => self.notify(&project, &route, notice),
                SessionOutput::ListRooms { request, project } => {
                    let rooms = self.app.registry.snapshots(&project);
                    self.session.handle(now(), SessionInput::Rooms { request, rooms });
                }
                SessionOutput::Reauthenticate { request, credentials } => {
                    let outcome = authenticate(&self.app, &credentials)
                        .and_then(|authority| {
                            let same = self.session.authority().is_same_party(&authority);
                            same.then_some(authority).ok_or(ConnectRefusal::RequesterValidation)
                        })
                        .map(|authority| authenticated(&self.app, self.session.protocol(), authority));
                    self.session.handle(now(), SessionInput::Reauthenticated { request, outcome });
                }
                SessionOutput::Ended => return false,
            }
        }
        true
    }

    fn send(&mut self, socket: SocketId, text: String) {
        let Some(outbox) = self.outboxes.get(&socket) else { return };
        match outbox.push(text) {
            Ok(()) => {}
            Err(Untaken::Closed) => {} // its `SocketLost` is on the way
            Err(Untaken::Full) => {
                self.outboxes.remove(&socket);
                self.session.handle(now(), SessionInput::SocketLost { socket });
            }
        }
    }

    fn request(&mut self, request: RoomRequest) {
        if let Some(error) = unreadable_offer(&request) {
            tracing::debug!(%error, "offer refused");
            let (_, message) = request.answered(Reply::call_error(error.to_string()));
            return self.session.handle(now(), SessionInput::Room(message));
        }
        if let Err((_, message)) = room_task::route(&self.app, request) {
            self.session.handle(now(), SessionInput::Room(*message));
        }
    }

    fn notify(&mut self, project: &ProjectId, route: &Route, notice: Notice) {
        let Some(room) = self.app.registry.room(project, route) else { return };
        self.late.push_back(LateNotice { room, session: self.session.key(), notice });
        self.deliver_late();
    }

    /// In order; stops at the first that must go on waiting.
    fn deliver_late(&mut self) {
        while let Some(notice) = self.late.pop_front() {
            if let Some(waiting) = notice.deliver() {
                self.late.push_front(waiting);
                self.retry_at = Instant::now() + NOTICE_PAUSE;
                return;
            }
        }
    }

    /// A room that never hears that its member is gone keeps it.
    async fn deliver_last(&mut self) {
        for _ in 0..LAST_ATTEMPTS {
            self.deliver_late();
            if self.late.is_empty() {
                return;
            }
            sleep(NOTICE_PAUSE).await;
        }
        tracing::warn!(notices = self.late.len(), "rooms too busy to hear who is gone");
    }
}

/// Looked at before it reaches a room, so that an offer nobody can read makes no room and no member.
fn unreadable_offer(request: &RoomRequest) -> Option<media_core::sdp::SdpError> {
    match &request.command {
        Command::Invite(invite) => Offer::parse(&invite.sdp).err(),
        Command::UpdateMedia { sdp, .. } => Offer::parse(sdp).err(),
        Command::Hold { .. }
        | Command::Info { .. }
        | Command::Bye { .. }
        | Command::Method { .. }
        | Command::Watch { .. } => None,
    }
}
