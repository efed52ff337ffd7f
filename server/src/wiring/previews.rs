//! Small still pictures of rooms, made while somebody asks for them.
//!
//! in:  requests by the id of a room session; pictures of the engine, on shard threads
//! out: the newest picture, at most [`FRESH`] old while the room goes on
//!
//! However many ask, a room is asked for at most one picture in [`FRESH`], and nobody waits longer than [`PATIENCE`].

use std::time::{Duration, Instant};

use axum::body::Bytes;
use dashmap::DashMap;
use media_core::room::{Action, Command};
use media_core::units::RoomKey;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::app::App;

/// A picture this young is given again.
const FRESH: Duration = Duration::from_secs(2);
/// A room nobody watches has to be sent key frames first.
const PATIENCE: Duration = Duration::from_secs(4);

#[derive(Clone)]
struct Snapshot {
    jpeg: Bytes,
    at: Instant,
}

struct Room {
    latest: watch::Sender<Option<Snapshot>>,
    asked: Option<Instant>,
}

/// Of all running rooms.
#[derive(Default)]
pub(super) struct Snapshots(DashMap<RoomKey, Room>);

impl Snapshots {
    pub(super) fn open(&self, room: RoomKey) {
        self.0.insert(room, Room { latest: watch::Sender::new(None), asked: None });
    }

    pub(super) fn close(&self, room: RoomKey) {
        self.0.remove(&room);
    }

    pub(super) fn deliver(&self, room: RoomKey, jpeg: Bytes) {
        if let Some(room) = self.0.get(&room) {
            room.latest.send_replace(Some(Snapshot { jpeg, at: Instant::now() }));
        }
    }

    /// What comes, and whether a picture is to be asked for.
    fn ask(&self, room: RoomKey, now: Instant) -> Option<(watch::Receiver<Option<Snapshot>>, bool)> {
        let mut room = self.0.get_mut(&room)?;
        let is_young = |at: Instant| now.saturating_duration_since(at) < FRESH;
        let has_one = room.latest.borrow().as_ref().is_some_and(|latest| is_young(latest.at));
        let due = !has_one && !room.asked.is_some_and(is_young);
        if due {
            room.asked = Some(now);
        }
        let mut receiver = room.latest.subscribe();
        if has_one {
            receiver.mark_changed();
        }
        Some((receiver, due))
    }
}

/// A JPEG of that room session now; `None` when there is none, or it has none.
pub(crate) async fn preview(app: &App, session: &str) -> Option<Bytes> {
    let room = app.registry.room_with_previews(session)?;
    let (mut latest, due) = app.media_routes.snapshots.ask(room, Instant::now())?;
    if due && let Err(error) = app.engine.command(Command { room, action: Action::TakePreview }) {
        tracing::debug!(%error, "no preview now");
    }
    // What there was before is better than nothing.
    let _ = timeout(PATIENCE, latest.changed()).await;
    latest.borrow().as_ref().map(|latest| latest.jpeg.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_asked_once_in_a_while_however_many_ask() {
        let snapshots = Snapshots::default();
        let (room, start) = (RoomKey(1), Instant::now());
        let ask = |after: Duration| snapshots.ask(room, start + after).map(|(_, due)| due);
        assert_eq!(ask(Duration::ZERO), None, "no such room");
        snapshots.open(room);
        assert_eq!([0, 0, 1].map(|s| ask(Duration::from_secs(s))), [Some(true), Some(false), Some(false)]);
        // The picture never came.
        assert_eq!(ask(FRESH), Some(true));
        snapshots.deliver(room, Bytes::from_static(b"jpeg"));
        let (receiver, due) = snapshots.ask(room, Instant::now()).unwrap();
        assert!(!due && receiver.has_changed().unwrap());
        snapshots.close(room);
        assert_eq!(ask(FRESH * 3), None);
    }
}
