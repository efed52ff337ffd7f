//! The task of one room: requests of sessions and events of the engine in, replies, events and commands out.
//!
//! in:  the room's mailbox, its media events, its deadline
//! out: messages to sessions, commands to the engine
//!
//! It waits for sessions, which wait for nobody, and for the engine, at most [`ENGINE_TIME`]; at its end [`END_TIME`].

use std::sync::Arc;
use std::time::Duration;

use control_api::{
    Command as Asked, IdSource, MediaEvent, MediaInstruction, Recipients, RoomConfig, RoomGrant, RoomId,
    RoomInput, RoomMessage, RoomOutput, RoomRequest, RoomSession, RoomSessionId, RoomSettings, SessionInput,
    SessionKey, wire,
};
use layouts::Size;
use media_core::engine::EngineError;
use media_core::room::{Action, Command};
use media_core::units::RoomKey;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};

use super::convert::{Keys, Unconvertible};
use super::media_routes::MediaInbox;
use super::recorder::RoomRecorder;
use super::registry::{Begun, RoomHandle, SessionMail};
use super::room_images::RoomImages;
use super::{now, sleep_until};
use crate::app::{App, NODE};
use crate::catalogue::{Named, Opening, Origin, Settings};
use crate::random;
use crate::recording::{PictureFormat, Subject};
use crate::storage::{RoomHistory, SessionInfo, UnixMs};

/// Requests and notices for one room: 300 members that all press a button at once, thrice.
const MAILBOX: usize = 1024;

/// Listeners of one room: what one shard can send a canvas to.
pub(super) const MAX_AUDIENCE: usize = 1000;

/// How long a busy engine is asked again.
const ENGINE_TIME: Duration = Duration::from_secs(1);

/// Pause between asking.
const ENGINE_PAUSE: Duration = Duration::from_millis(2);

/// How long it is asked to end a room.
const END_TIME: Duration = Duration::from_secs(60);

/// Pause between asking one that has been busy for all of [`ENGINE_TIME`].
const LATE_PAUSE: Duration = Duration::from_millis(100);

/// How long the link to a preview that events carry is good; REST gives others.
const SESSION_LINK: Duration = Duration::from_secs(24 * 60 * 60);

/// A room may end between being found and being told; then another is made.
const ATTEMPTS: usize = 3;

/// An answer given in place of a room: whom to, and what.
pub(super) type Answer = (SessionKey, Box<RoomMessage>);

/// Delivers a request to its room, making the room if the request may; else the answer comes back.
pub(super) fn route(app: &Arc<App>, mut request: RoomRequest) -> Result<(), Answer> {
    let boxed = |(to, message)| (to, Box::new(message));
    // A message is never dropped, so nothing is begun that would make one while too many wait for the database.
    if app.webhooks.are_wanted() && app.storage.is_pressed() && makes_messages(&request.command) {
        app.metrics.mailbox_full.with_label_values(&["storage"]).inc();
        return Err(boxed(request.busy()));
    }
    for _ in 0..ATTEMPTS {
        let room = match find_or_make(app, &request) {
            Ok(Some(room)) => room,
            Ok(None) => return Err(boxed(request.without_room())),
            Err(error) => {
                tracing::warn!(%error, "no room made");
                return Err(boxed(request.busy()));
            }
        };
        match room.mailbox.try_send(RoomInput::Request(request)) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Closed(RoomInput::Request(returned))) => {
                app.registry.forget_room(&room);
                request = returned;
            }
            Err(TrySendError::Full(RoomInput::Request(returned))) => {
                app.metrics.mailbox_full.with_label_values(&["room"]).inc();
                return Err(boxed(returned.busy()));
            }
            // A mailbox gives back what it was given.
            Err(TrySendError::Closed(_) | TrySendError::Full(_)) => return Ok(()),
        }
    }
    Err(boxed(request.busy()))
}

/// Whether doing it may be an event for others.
fn makes_messages(asked: &Asked) -> bool {
    match asked {
        Asked::Invite(_) | Asked::Hold { .. } | Asked::Method { .. } => true,
        Asked::UpdateMedia { .. } | Asked::Info { .. } | Asked::Bye { .. } | Asked::Watch { .. } => false,
    }
}

fn find_or_make(app: &Arc<App>, request: &RoomRequest) -> Result<Option<RoomHandle>, EngineError> {
    let project = request.from.authority.project();
    if let Some(room) = app.registry.room(project, &request.route) {
        return Ok(Some(room));
    }
    let Some(grant) = request.opens_room() else { return Ok(None) };
    let stored = app.catalogue.named(&grant.room_name);
    if stored.is_none() && !grant.auto_create_room {
        return Ok(None);
    }
    let plan = Plan::of(app, grant, stored);
    // Whoever would be refused inside leaves no room with its own name and meta behind.
    if !grant.may_join_at(now().unix_s) || !plan.settings.admit_at(now().unix_s) {
        return Ok(None);
    }
    app.registry.room_or_make(project, &grant.room_name, || spawn(app, grant, plan)).map(Some)
}

/// What a room is made with: by what is stored under its name, else by its token and the configuration.
struct Plan {
    room_id: RoomId,
    opening: Opening,
    settings: RoomSettings,
    canvas: Size,
    display_name: Arc<str>,
}

impl Plan {
    fn of(app: &App, grant: &RoomGrant, stored: Option<Named>) -> Self {
        let origin = match &stored {
            Some(Named::Room(_)) => Origin::Room,
            Some(Named::Conference(_)) => Origin::Conference,
            None => Origin::Token,
        };
        let (room_id, mut settings, canvas) = match stored {
            Some(stored) => {
                let settings = stored.settings().clone();
                let canvas = settings.quality.canvas();
                (RoomId::new(stored.id().to_string()), settings, canvas)
            }
            None => {
                let display_name = Some(grant.display_name().to_string());
                let enable_room_previews = grant.enable_room_previews;
                let defaults = Settings::of_defaults(&app.config.room);
                let settings = Settings { display_name, enable_room_previews, ..defaults };
                (app.identity.room_id(&grant.project, &grant.room_name), settings, app.config.room.canvas)
            }
        };
        if !grant.room_meta.is_empty() {
            settings.meta = grant.room_meta.clone();
        }
        Self {
            room_id,
            settings: settings.act(canvas, &app.catalogue.layouts()),
            canvas,
            display_name: settings.display_name.as_deref().unwrap_or(&grant.room_name).into(),
            opening: Opening { origin, settings },
        }
    }
}

fn spawn(app: &Arc<App>, grant: &RoomGrant, plan: Plan) -> Result<RoomHandle, EngineError> {
    let key = app.registry.next_room();
    let id = RoomSessionId::new(uuid::Uuid::new_v4().to_string());
    let config = media_core::room::RoomConfig {
        canvas: plan.canvas,
        fps: plan.opening.settings.fps,
        layout: plan.settings.layout.clone(),
    };
    let format = PictureFormat { width: config.canvas.width, height: config.canvas.height, fps: config.fps };
    let codecs = plan.opening.settings.video_codecs;
    let sound = plan.opening.settings.sound.act();
    // The route first: the engine may speak as soon as it knows the room.
    let media = app.media_routes.open(key);
    app.engine
        .command(Command { room: key, action: Action::OpenRoom(config) })
        .and_then(|()| app.engine.command(Command { room: key, action: Action::SetVideoCodecs { codecs } }))
        .and_then(|()| app.engine.command(Command { room: key, action: Action::SetSound { sound } }))
        .inspect_err(|_| app.media_routes.close(key))?;
    let (mailbox, inbox) = mpsc::channel(MAILBOX);
    let (snapshots, snapshot) = watch::channel(None);
    let history = app.storage.room(SessionInfo {
        id: id.clone(),
        project: grant.project.clone(),
        room_id: plan.room_id.clone(),
        name: Arc::clone(&grant.room_name),
        display_name: Arc::clone(&plan.display_name),
        settings: plan.opening.to_json(),
    });
    let mut images = RoomImages::new(key, &plan.opening.settings.look);
    images.follow(app, &plan.settings.layout);
    let has_previews = plan.opening.settings.enable_room_previews;
    let begun = Begun { room_id: plan.room_id.clone(), opening: plan.opening, at: UnixMs::now() };
    let handle = RoomHandle {
        key,
        project: grant.project.clone(),
        name: Arc::clone(&grant.room_name),
        id: id.clone(),
        mailbox,
        begun: Arc::new(begun),
        snapshot,
    };
    let subject = Subject {
        room_session_id: id.to_string(),
        room_id: plan.room_id.to_string(),
        room_name: grant.room_name.to_string(),
        format,
    };
    let config = RoomConfig {
        project: grant.project.clone(),
        room_id: plan.room_id,
        name: Arc::clone(&grant.room_name),
        display_name: plan.display_name,
        preview_url: has_previews.then(|| app.preview_url(id.as_str(), SESSION_LINK)),
        room_session_id: id,
        settings: plan.settings,
        max_audience: MAX_AUDIENCE,
        leave_after: app.config.leave_after,
        node_id: NODE.into(),
        ids: IdSource::seeded(u128::from_ne_bytes(random::bytes())),
    };
    tracing::info!(room = &*grant.room_name, key = key.0, "room begins");
    let task = RoomTask {
        app: Arc::clone(app),
        room: RoomSession::new(now(), config),
        key,
        keys: Keys::default(),
        snapshots,
        shown: 0,
        returned: Vec::new(),
        recorder: RoomRecorder::new(key, subject),
        images,
        history,
        handle: handle.clone(),
        is_out_of_step: false,
    };
    tokio::spawn(task.drive(inbox, media));
    Ok(handle)
}

struct RoomTask {
    app: Arc<App>,
    room: RoomSession,
    key: RoomKey,
    keys: Keys,
    snapshots: watch::Sender<Option<Arc<wire::room::RoomSession>>>,
    /// Revision of the last snapshot.
    shown: u64,
    /// Requests that came after the end.
    returned: Vec<RoomRequest>,
    recorder: RoomRecorder,
    images: RoomImages,
    history: RoomHistory,
    handle: RoomHandle,
    /// The engine did not take an instruction in time: what follows makes no sense to it, except the end.
    is_out_of_step: bool,
}

impl RoomTask {
    async fn drive(mut self, mut inbox: mpsc::Receiver<RoomInput>, mut media: MediaInbox) {
        let shutdown = self.app.shutdown.clone();
        let mut closing = std::pin::pin!(shutdown.closing());
        let mut told = false;
        while self.drain().await {
            self.show();
            let input = tokio::select! {
                Some(event) = media.events.recv() => match self.keys.event(event) {
                    Some(event) => RoomInput::Media(event),
                    None => continue,
                },
                Some(input) = inbox.recv() => input,
                Some(news) = self.recorder.news() => {
                    self.recorder.on_news(&self.app, &news).await;
                    RoomInput::Recording(news)
                }
                () = sleep_until(self.room.deadline()) => RoomInput::Timeout,
                () = media.overrun.notified() => {
                    tracing::error!(key = self.key.0, "room ends: media events were lost");
                    RoomInput::Close
                }
                () = closing.as_mut(), if !told => {
                    told = true;
                    RoomInput::Close
                }
            };
            self.room.handle(now(), input);
        }
        self.end(inbox).await;
    }

    /// Does what the room wants; `false` once it is over.
    async fn drain(&mut self) -> bool {
        while let Some(output) = self.room.poll() {
            match output {
                RoomOutput::Send { to, message } => self.deliver(to, message).await,
                RoomOutput::Event { to, event } => {
                    let messages = self.app.webhooks.messages(&self.handle.name, &self.handle.id, &event);
                    self.history.event(&event, messages);
                    for session in self.recipients(to) {
                        self.deliver(session, RoomMessage::Event(Arc::clone(&event))).await;
                    }
                }
                RoomOutput::Media(instruction) => self.instruct(&instruction).await,
                RoomOutput::Recording(instruction) => self.recorder.instruct(&self.app, &instruction).await,
                RoomOutput::Return(request) => self.returned.push(request),
                RoomOutput::Ended => return false,
            }
        }
        true
    }

    fn recipients(&self, to: Recipients) -> Vec<SessionKey> {
        let mut sessions = to.sessions;
        if to.project {
            sessions.extend(self.app.registry.project_sessions(&self.handle.project));
            sessions.sort_unstable();
            sessions.dedup();
        }
        sessions
    }

    async fn deliver(&self, to: SessionKey, message: RoomMessage) {
        if let Some(mailbox) = self.app.registry.mailbox(to) {
            // Fails when the session is over: nobody waits for the message.
            let _ = mailbox.send(SessionMail::Input(SessionInput::Room(message))).await;
        }
    }

    /// Hands an instruction to the engine. One that cannot be carried out ends its leg, or the room. The end itself is
    /// asked for much longer: nobody else would ever take the room out of the engine.
    async fn instruct(&mut self, instruction: &MediaInstruction) {
        let is_end = matches!(instruction, MediaInstruction::CloseRoom);
        if self.is_out_of_step && !is_end {
            return;
        }
        if let MediaInstruction::SetMuteImage { member, image } = instruction {
            if let Ok(member) = self.keys.member(member) {
                self.images.give(&self.app, member, image);
            }
            return;
        }
        if let MediaInstruction::SetLayout { layout, .. } = instruction {
            self.images.follow(&self.app, layout);
        }
        let patience = Instant::now() + if is_end { END_TIME } else { ENGINE_TIME };
        loop {
            let action = match self.keys.action(&self.app.registry, instruction, self.app.config.bundle) {
                Ok(action) => action,
                Err(Unconvertible::Offer(leg, error)) => {
                    tracing::debug!(%error, "offer refused");
                    let ended = MediaEvent::LegEnded { leg, why: control_api::LegEnd::Refused };
                    return self.room.handle(now(), RoomInput::Media(ended));
                }
                Err(Unconvertible::Watched(leg)) => {
                    let ended = MediaEvent::LegEnded { leg, why: control_api::LegEnd::Refused };
                    return self.room.handle(now(), RoomInput::Media(ended));
                }
                Err(Unconvertible::Unknown) => return,
            };
            match self.app.engine.command(Command { room: self.key, action }) {
                Ok(()) => return self.keys.forget(instruction),
                Err(error) if Instant::now() < patience => {
                    tracing::debug!(%error, "waiting for the media engine");
                    sleep(if self.is_out_of_step { LATE_PAUSE } else { ENGINE_PAUSE }).await;
                }
                Err(error) => {
                    self.is_out_of_step = true;
                    tracing::error!(%error, key = self.key.0, "room ends: it cannot command its media");
                    return self.room.handle(now(), RoomInput::Close);
                }
            }
        }
    }

    /// Lets lists see the room as it is now.
    fn show(&mut self) {
        let revision = self.room.revision();
        if revision != self.shown {
            self.shown = revision;
            self.snapshots.send_replace(self.room.snapshot());
        }
    }

    /// Takes the room out of the tables, then finds another one for those who came too late.
    async fn end(mut self, mut inbox: mpsc::Receiver<RoomInput>) {
        self.app.registry.forget_room(&self.handle);
        inbox.close();
        while let Some(input) = inbox.recv().await {
            if let RoomInput::Request(request) = input {
                self.returned.push(request);
            }
        }
        for request in std::mem::take(&mut self.returned) {
            if let Err((to, message)) = route(&self.app, request) {
                self.deliver(to, *message).await;
            }
        }
        self.app.media_routes.close(self.key);
        tracing::info!(room = &*self.handle.name, key = self.key.0, "room is over");
    }
}
