//! The task of one call: what a session is to an SDK's socket, this is to a few HTTP requests.
//!
//! in:  messages of its room, requests of its client, the end of the process
//! out: requests and notices to its room, what becomes of its client's requests
//!
//! It has no socket, and its room is told so at once: packets alone keep its member. So a client that never connects, falls
//! silent or closes its transport leaves after `session.leave_after_s`, by the rules for any member.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use control_api::wire::verto::Cause;
use control_api::{
    Authority, CallId, Command, EventKind, Invite, JoinAs, LegReceive, LegRole, MemberId, Notice, Reply,
    RequestKey, RoomGrant, RoomMessage, RoomRequest, Route, Sender, SessionInput, SessionKey, VertoMessage,
    Via,
};
use media_core::sdp::Offer;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::fragment;
use super::{
    Ask, Condition, HttpCall, Joined, Joining, MAX_ASKED, Patched, Place, Unjoined, Unpatched, door,
};
use crate::app::App;
use crate::random;
use crate::wiring::registry::{LateNotice, SessionHandle, SessionMail};
use crate::wiring::session_task::{LAST_ATTEMPTS, NOTICE_PAUSE};
use crate::wiring::{room_task, sleep_until};

/// Messages for one call; it reads and forgets the events of its room.
const MAILBOX: usize = 256;

/// The room and the media engine answer within this. Less than an HTTP request may take.
const ANSWER_TIME: Duration = Duration::from_secs(8);

/// Characters of an entity tag. It tells states apart and protects nothing.
const TAG_LENGTH: usize = 16;

/// Starts the task of a new call; it says what became of it.
pub(super) fn spawn(
    app: &Arc<App>,
    joining: Joining,
    place: Place,
    told: oneshot::Sender<Result<Joined, Unjoined>>,
) {
    let Authority::Room(grant) = &*joining.authority else { return };
    let session = app.registry.next_session();
    let (mailbox, inbox) = mpsc::channel(MAILBOX);
    app.registry.add_session(SessionHandle {
        key: session,
        authority: Arc::clone(&joining.authority),
        mailbox,
    });
    let task = CallTask {
        app: Arc::clone(app),
        session,
        grant: grant.clone(),
        authority: joining.authority,
        call: CallId::new(uuid::Uuid::new_v4().to_string()),
        via: joining.via,
        watched: joining.watched,
        offer: joining.offer,
        tag: new_tag(),
        last_request: 0,
        restart: None,
        late: None,
        retry_at: Instant::now(),
        _place: place,
    };
    tokio::spawn(task.drive(inbox, told));
}

struct CallTask {
    app: Arc<App>,
    session: SessionKey,
    authority: Arc<Authority>,
    grant: RoomGrant,
    call: CallId,
    via: Via,
    /// The one member that it plays, if it does not play the canvas.
    watched: Option<MemberId>,
    /// As it was answered last.
    offer: String,
    /// Of the ICE session of that offer.
    tag: String,
    last_request: u64,
    /// What the room has not answered yet.
    restart: Option<Restart>,
    /// A notice that found the room's mailbox full.
    late: Option<LateNotice>,
    /// When that is tried again.
    retry_at: Instant,
    _place: Place,
}

/// An ICE restart on its way.
struct Restart {
    request: RequestKey,
    offer: String,
    until: Instant,
    reply: oneshot::Sender<Result<Patched, Unpatched>>,
}

/// Whether the call goes on.
#[derive(PartialEq, Eq)]
enum Next {
    Stay,
    Leave(&'static str),
}

impl CallTask {
    async fn drive(
        mut self,
        mut inbox: mpsc::Receiver<SessionMail>,
        mut told: oneshot::Sender<Result<Joined, Unjoined>>,
    ) {
        let entered = tokio::select! {
            entered = timeout(ANSWER_TIME, self.enter(&mut inbox)) => entered.unwrap_or(Err(Unjoined::Busy)),
            () = told.closed() => Err(Unjoined::Busy),
        };
        match entered {
            Ok(answer) => self.stay(answer, &mut inbox, told).await,
            Err(unjoined) => {
                // Nobody waits any more when the client has hung up.
                let _ = told.send(Err(unjoined));
            }
        }
        self.leave(inbox).await;
    }

    /// Asks the room; gives the answer.
    async fn enter(&mut self, inbox: &mut mpsc::Receiver<SessionMail>) -> Result<String, Unjoined> {
        let invite = Invite {
            call: self.call.clone(),
            sdp: self.offer.clone(),
            role: LegRole::Person,
            may_resume: false,
            receive: self.watched.clone().map(LegReceive::Member),
            via: self.via,
        };
        let (_, request) = self.request(Command::Invite(invite));
        if let Err((_, message)) = room_task::route(&self.app, request) {
            return self.answer_in(*message).unwrap_or(Err(Unjoined::Busy));
        }
        while let Some(mail) = inbox.recv().await {
            let SessionMail::Input(SessionInput::Room(message)) = mail else { continue };
            if let Some(answer) = self.answer_in(message) {
                return answer;
            }
        }
        Err(Unjoined::Busy)
    }

    /// The room's last word on the invite, if that is what the message is.
    fn answer_in(&self, message: RoomMessage) -> Option<Result<String, Unjoined>> {
        match message {
            // The answer follows.
            RoomMessage::Reply { reply: Reply::Done(_), .. } => None,
            RoomMessage::Reply { reply, .. } => Some(Err(self.refusal(reply))),
            RoomMessage::Verto(VertoMessage { method: "verto.answer", params }) => {
                let sdp = params.get("sdp").and_then(|sdp| sdp.as_str());
                Some(sdp.map(str::to_owned).ok_or(Unjoined::Busy))
            }
            RoomMessage::Verto(bye) => Some(Err(Self::ended(&bye))),
            RoomMessage::Event(_) | RoomMessage::Leg(_) | RoomMessage::RoleChanged(_) => None,
        }
    }

    /// Why a room ends a call that it has not answered. What could be said of the offer by itself has been said before.
    fn ended(bye: &VertoMessage) -> Unjoined {
        match bye.params.get("causeCode").and_then(|code| code.as_str()) {
            Some(code) if code == Cause::INCOMPATIBLE.code => {
                Unjoined::Unusable("the room takes none of its codecs".to_owned())
            }
            Some(_) | None => Unjoined::NotAllowed("the room has ended the call"),
        }
    }

    fn refusal(&self, reply: Reply) -> Unjoined {
        match reply {
            Reply::Refused { code: "403", .. } => door::reason(&self.app, &self.grant),
            Reply::Refused { code: "404", .. } => Unjoined::NoMember,
            Reply::Refused { code: "422", message } => Unjoined::Unusable(message),
            Reply::CallError { reason } => Unjoined::Unusable(reason),
            Reply::Refused { .. } | Reply::Done(_) | Reply::UnknownMethod => Unjoined::Busy,
        }
    }

    /// Is there, until somebody ends it.
    async fn stay(
        &mut self,
        answer: String,
        inbox: &mut mpsc::Receiver<SessionMail>,
        told: oneshot::Sender<Result<Joined, Unjoined>>,
    ) {
        let (asks, asked) = mpsc::channel(MAX_ASKED);
        let id = self.app.http_calls.enter(HttpCall { asks });
        let joined = Joined { id: id.clone(), answer, tag: self.tag.clone() };
        if told.send(Ok(joined)).is_ok() {
            let why = self.attend(inbox, asked).await;
            tracing::debug!(why, room = &*self.grant.room_name, "call over");
        }
        self.app.http_calls.end(&id);
    }

    async fn attend(
        &mut self,
        inbox: &mut mpsc::Receiver<SessionMail>,
        mut asked: mpsc::Receiver<Ask>,
    ) -> &'static str {
        let shutdown = self.app.shutdown.clone();
        let mut stopped = pin!(shutdown.stopped());
        self.notify(Notice::SocketLost);
        loop {
            let next = tokio::select! {
                mail = inbox.recv() => match mail {
                    Some(SessionMail::Input(SessionInput::Room(message))) => self.on_message(message),
                    Some(SessionMail::Input(_) | SessionMail::Attach { .. }) => Next::Stay,
                    None => Next::Leave("forgotten"),
                },
                ask = asked.recv(), if self.restart.is_none() => match ask {
                    Some(ask) => self.on_ask(ask),
                    None => Next::Leave("ended by its client"),
                },
                () = sleep_until(Some(self.retry_at)), if self.late.is_some() => {
                    self.deliver_late();
                    Next::Stay
                }
                () = sleep_until(self.restart.as_ref().map(|restart| restart.until)) => {
                    self.finish_restart(Err(Unpatched::Busy));
                    Next::Stay
                }
                () = stopped.as_mut() => Next::Leave("the server stops"),
            };
            if let Next::Leave(why) = next {
                return why;
            }
        }
    }

    fn on_message(&mut self, message: RoomMessage) -> Next {
        match message {
            RoomMessage::Verto(_) => return Next::Leave("ended by its room"),
            // A publisher whom nobody may see has nothing to do here, and no way to come again by another call.
            RoomMessage::RoleChanged(change) if self.via == Via::Whip => {
                if change.standing.join_as == JoinAs::Audience {
                    return Next::Leave("demoted");
                }
            }
            RoomMessage::Reply { request, reply } => self.on_reply(request, reply),
            // Nothing will come any more, and another call says at once whether the member is back.
            RoomMessage::Event(event) if event.kind == EventKind::MemberLeft => {
                if event.member.is_some() && event.member == self.watched {
                    return Next::Leave("its member has left");
                }
            }
            RoomMessage::RoleChanged(_) | RoomMessage::Leg(_) | RoomMessage::Event(_) => {}
        }
        Next::Stay
    }

    fn on_ask(&mut self, ask: Ask) -> Next {
        let Ask { condition, fragment, reply } = ask;
        let outcome = match &condition {
            Condition::Tags(tags) if !tags.contains(&self.tag) => Some(Err(Unpatched::Stale)),
            Condition::Tags(_) | Condition::Any => {
                (!fragment.restarts(&self.offer)).then_some(Ok(Patched::Trickled))
            }
        };
        if let Some(outcome) = outcome {
            // The client may have hung up.
            let _ = reply.send(outcome);
            return Next::Stay;
        }
        let offer = fragment.put_into(&self.offer);
        if let Err(error) = Offer::parse_many(&offer) {
            let _ = reply.send(Err(Unpatched::Unusable(error.to_string())));
            return Next::Stay;
        }
        let (key, request) =
            self.request(Command::UpdateMedia { call: self.call.clone(), sdp: offer.clone(), receive: None });
        self.restart = Some(Restart { request: key, offer, until: Instant::now() + ANSWER_TIME, reply });
        if let Err((_, message)) = room_task::route(&self.app, request) {
            return self.on_message(*message);
        }
        Next::Stay
    }

    fn on_reply(&mut self, request: RequestKey, reply: Reply) {
        if self.restart.as_ref().is_none_or(|restart| restart.request != request) {
            return;
        }
        let answer = match &reply {
            Reply::Done(modified) => modified.get("sdp").and_then(|sdp| sdp.as_str()),
            Reply::Refused { .. } | Reply::CallError { .. } | Reply::UnknownMethod => None,
        };
        let outcome =
            answer.map(|answer| Patched::Restarted { fragment: fragment::of_answer(answer), tag: new_tag() });
        self.finish_restart(outcome.ok_or(Unpatched::Busy));
    }

    fn finish_restart(&mut self, outcome: Result<Patched, Unpatched>) {
        let Some(restart) = self.restart.take() else { return };
        if let Ok(Patched::Restarted { tag, .. }) = &outcome {
            self.tag = tag.clone();
            self.offer = restart.offer;
        }
        // The client may have hung up; the restart has happened all the same.
        let _ = restart.reply.send(outcome);
    }

    fn request(&mut self, command: Command) -> (RequestKey, RoomRequest) {
        self.last_request += 1;
        let key = RequestKey(self.last_request);
        let from = Sender { session: self.session, authority: Arc::clone(&self.authority) };
        (key, RoomRequest { route: self.route(), from, key, command })
    }

    fn route(&self) -> Route {
        Route::Name(Arc::clone(&self.grant.room_name))
    }

    fn notify(&mut self, notice: Notice) {
        let room = self.app.registry.room(&self.grant.project, &self.route());
        self.late = room.map(|room| LateNotice { room, session: self.session, notice });
        self.deliver_late();
    }

    fn deliver_late(&mut self) {
        self.late = self.late.take().and_then(LateNotice::deliver);
        self.retry_at = Instant::now() + NOTICE_PAUSE;
    }

    /// A room that never hears that its member is gone keeps it.
    async fn leave(mut self, inbox: mpsc::Receiver<SessionMail>) {
        self.app.registry.remove_session(self.session);
        // A room that waits for this mailbox must not be waited for.
        drop(inbox);
        self.notify(Notice::Gone);
        for _ in 0..LAST_ATTEMPTS {
            if self.late.is_none() {
                return;
            }
            sleep(NOTICE_PAUSE).await;
            self.deliver_late();
        }
        tracing::warn!(room = &*self.grant.room_name, "room too busy to hear who is gone");
    }
}

fn new_tag() -> String {
    format!("\"{}\"", random::text(TAG_LENGTH))
}
