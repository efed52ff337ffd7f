//! What the writer knows of the sessions that have no end yet.
//!
//! in:  reports, as they are written and as they are committed
//! out: whether a session has its row, how much of it is listed, whose room is gone

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};

use control_api::{EventKind, RoomSessionId};
use sqlx::AnyConnection;

use super::history::{Line, SessionInfo};
use super::outbox;
use super::queue::Report;

/// Events listed per session. Later ones still change what they change.
const EVENTS_PER_SESSION: u32 = 10_000;

/// Changes only by what is committed, so that a transaction can be repeated.
#[derive(Default)]
pub(super) struct Running {
    sessions: HashMap<RoomSessionId, Session>,
}

struct Session {
    /// Held by its room and by its reports: when it is gone, so is the room.
    info: Weak<SessionInfo>,
    /// Listed so far.
    events: u32,
}

impl Running {
    pub(super) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Writes a report. `begun`: sessions that got their row earlier in the same transaction.
    pub(super) async fn write<'a>(
        &self,
        to: &mut AnyConnection,
        report: &'a Report,
        begun: &mut HashSet<&'a RoomSessionId>,
    ) -> sqlx::Result<()> {
        let Some(line) = Line::read(report) else { return Ok(()) };
        let known = self.sessions.get(&report.session.id);
        let is_new = known.is_none() && begun.insert(&report.session.id);
        let is_listed = known.is_none_or(|session| session.events < EVENTS_PER_SESSION);
        line.store(to, is_new, is_listed).await?;
        outbox::add(to, report, line.at).await
    }

    /// Sessions whose rooms are gone without a word: their last report found no place in the queue.
    pub(super) fn gone(&self) -> Vec<RoomSessionId> {
        let gone = self.sessions.iter().filter(|(_, session)| session.info.strong_count() == 0);
        gone.map(|(id, _)| id.clone()).collect()
    }

    /// Their ends are committed.
    pub(super) fn forget(&mut self, ended: &[RoomSessionId]) {
        ended.iter().for_each(|id| drop(self.sessions.remove(id)));
    }

    /// All are over now.
    pub(super) fn give_up(&mut self) {
        self.sessions.values_mut().for_each(|session| session.info = Weak::new());
    }

    /// The report is committed.
    pub(super) fn remember(&mut self, report: &Report) {
        if report.event.kind == EventKind::RoomEnded {
            self.sessions.remove(&report.session.id);
            return;
        }
        let new = || Session { info: Arc::downgrade(&report.session), events: 0 };
        self.sessions.entry(report.session.id.clone()).or_insert_with(new).events += 1;
    }
}
