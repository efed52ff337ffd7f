//! The tables of running sessions and rooms.
//!
//! in:  tasks that begin and end
//! out: their mailboxes

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use control_api::{
    Authenticated, Authority, ConnectRequest, Notice, ProjectId, RoomId, RoomInput, RoomSessionId, Route,
    SessionInput, SessionKey, SocketId, wire,
};
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use media_core::units::{LegKey, MemberKey, RoomKey};
use tokio::sync::{mpsc, watch};

use super::outbox::Outbox;
use crate::catalogue::Opening;
use crate::config::Config;
use crate::storage::UnixMs;

/// Sessions per allowed connection: each lives up to a minute longer than its socket.
const SESSIONS_PER_CONNECTION: u32 = 4;

/// What a session's task receives.
pub(crate) enum SessionMail {
    /// A verified connect.
    Attach {
        socket: SocketId,
        outbox: Outbox,
        request: ConnectRequest,
        authenticated: Authenticated,
    },
    Input(SessionInput),
}

/// A running session.
#[derive(Clone)]
pub(crate) struct SessionHandle {
    pub(super) key: SessionKey,
    /// Who made it; later connects must be of the same party.
    pub(super) authority: Arc<Authority>,
    pub(crate) mailbox: mpsc::Sender<SessionMail>,
}

/// A running room.
#[derive(Clone)]
pub(super) struct RoomHandle {
    pub(super) key: RoomKey,
    pub(super) project: ProjectId,
    pub(super) name: Arc<str>,
    pub(super) id: RoomSessionId,
    pub(super) mailbox: mpsc::Sender<RoomInput>,
    pub(super) begun: Arc<Begun>,
    /// The room as lists show it; `None` before its first member.
    pub(super) snapshot: watch::Receiver<Option<Arc<wire::room::RoomSession>>>,
}

/// How a running room began.
pub(crate) struct Begun {
    pub(crate) room_id: RoomId,
    pub(crate) opening: Opening,
    pub(crate) at: UnixMs,
}

/// A running room that somebody is in, as others than its sessions see it.
pub(crate) struct Running {
    pub(crate) begun: Arc<Begun>,
    pub(crate) now: Arc<wire::room::RoomSession>,
}

/// All running sessions and rooms, and the numbers they were given.
pub(crate) struct Registry {
    max_sessions: usize,
    sessions: DashMap<SessionKey, SessionHandle>,
    protocols: DashMap<Arc<str>, SessionHandle>,
    rooms: DashMap<RoomSessionId, RoomHandle>,
    names: DashMap<(ProjectId, Arc<str>), RoomHandle>,
    last_session: AtomicU64,
    last_room: AtomicU32,
    last_member: AtomicU32,
    last_leg: AtomicU32,
}

impl Registry {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            max_sessions: config.max_connections.saturating_mul(SESSIONS_PER_CONNECTION) as usize,
            sessions: DashMap::new(),
            protocols: DashMap::new(),
            rooms: DashMap::new(),
            names: DashMap::new(),
            last_session: AtomicU64::new(0),
            last_room: AtomicU32::new(0),
            last_member: AtomicU32::new(0),
            last_leg: AtomicU32::new(0),
        }
    }

    pub(super) fn next_session(&self) -> SessionKey {
        SessionKey(self.last_session.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub(super) fn next_room(&self) -> RoomKey {
        RoomKey(self.last_room.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub(super) fn next_member(&self) -> MemberKey {
        MemberKey(self.last_member.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub(super) fn next_leg(&self) -> LegKey {
        LegKey(self.last_leg.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// The session of that name, or the one that `make` makes, unless there are too many.
    pub(super) fn session(
        &self,
        protocol: &str,
        make: impl FnOnce() -> SessionHandle,
    ) -> Option<SessionHandle> {
        if let Some(known) = self.protocols.get(protocol) {
            return Some(known.clone());
        }
        // Counted before the entry is held: `len` locks every part of the map.
        let full = self.sessions.len() >= self.max_sessions;
        match self.protocols.entry(protocol.into()) {
            Entry::Occupied(known) => Some(known.get().clone()),
            Entry::Vacant(_) if full => None,
            Entry::Vacant(place) => {
                let made = make();
                self.sessions.insert(made.key, made.clone());
                place.insert(made.clone());
                Some(made)
            }
        }
    }

    pub(super) fn forget_session(&self, key: SessionKey, protocol: &str) {
        self.sessions.remove(&key);
        self.protocols.remove_if(protocol, |_, handle| handle.key == key);
    }

    /// A session that is known by its key alone and comes and goes with who made it.
    pub(super) fn add_session(&self, session: SessionHandle) {
        self.sessions.insert(session.key, session);
    }

    pub(super) fn remove_session(&self, key: SessionKey) {
        self.sessions.remove(&key);
    }

    pub(super) fn mailbox(&self, session: SessionKey) -> Option<mpsc::Sender<SessionMail>> {
        self.sessions.get(&session).map(|handle| handle.mailbox.clone())
    }

    /// Sessions of servers, which may do and see everything in the project.
    pub(super) fn project_sessions(&self, project: &ProjectId) -> Vec<SessionKey> {
        self.sessions
            .iter()
            .filter(
                |handle| matches!(&*handle.authority, Authority::Project(grant) if grant.project == *project),
            )
            .map(|handle| handle.key)
            .collect()
    }

    /// The running room, if it is of that project.
    pub(super) fn room(&self, project: &ProjectId, route: &Route) -> Option<RoomHandle> {
        match route {
            Route::Name(name) => {
                self.names.get(&(project.clone(), Arc::clone(name))).map(|room| room.clone())
            }
            Route::Id(id) => {
                self.rooms.get(id).filter(|room| room.project == *project).map(|room| room.clone())
            }
        }
    }

    /// The room of that name, or the one that `make` makes.
    pub(super) fn room_or_make<E>(
        &self,
        project: &ProjectId,
        name: &Arc<str>,
        make: impl FnOnce() -> Result<RoomHandle, E>,
    ) -> Result<RoomHandle, E> {
        match self.names.entry((project.clone(), Arc::clone(name))) {
            Entry::Occupied(known) => Ok(known.get().clone()),
            Entry::Vacant(place) => {
                let made = make()?;
                self.rooms.insert(made.id.clone(), made.clone());
                place.insert(made.clone());
                Ok(made)
            }
        }
    }

    pub(super) fn forget_room(&self, room: &RoomHandle) {
        self.rooms.remove(&room.id);
        let named = (room.project.clone(), Arc::clone(&room.name));
        self.names.remove_if(&named, |_, handle| handle.key == room.key);
    }

    /// The rooms of the project as lists show them.
    pub(super) fn snapshots(&self, project: &ProjectId) -> Vec<Arc<wire::room::RoomSession>> {
        self.rooms
            .iter()
            .filter(|room| room.project == *project)
            .filter_map(|room| room.snapshot.borrow().clone())
            .collect()
    }

    /// The running room of that name, once somebody is in.
    pub(crate) fn running(&self, project: &str, name: &str) -> Option<Running> {
        let room = self.room(&ProjectId::new(project), &Route::Name(name.into()))?;
        let now = room.snapshot.borrow().clone()?;
        Some(Running { begun: room.begun, now })
    }

    /// The running room session of that id, if previews of it are made.
    pub(super) fn room_with_previews(&self, session: &str) -> Option<RoomKey> {
        let room = self.rooms.get(&RoomSessionId::new(session))?;
        room.begun.opening.settings.enable_room_previews.then_some(room.key)
    }

    pub(crate) fn rooms_running(&self) -> usize {
        self.rooms.len()
    }
}

/// A notice that found its room's mailbox full, or its room; it waits in the session.
pub(super) struct LateNotice {
    pub(super) room: RoomHandle,
    pub(super) session: SessionKey,
    pub(super) notice: Notice,
}

impl LateNotice {
    /// Delivers it; gives it back when the mailbox is still full.
    pub(super) fn deliver(self) -> Option<Self> {
        let input = RoomInput::Notice { session: self.session, notice: self.notice };
        match self.room.mailbox.try_send(input) {
            Err(mpsc::error::TrySendError::Full(_)) => Some(self),
            // A closed mailbox is a room that ended: nobody needs to know.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => None,
        }
    }
}
