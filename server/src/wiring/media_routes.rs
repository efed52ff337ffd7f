//! Events of the media engine, from its threads to the tasks of their rooms.
//!
//! in:  events on shard threads
//! out: the same in the room's mailbox; an alarm when that is full; what is recorded, to the recorder; small pictures to who asks
//!
//! A shard thread never waits here. An event that finds no place is lost, and a room that lost one no longer knows
//! which of its legs live: it is told to end.

use std::sync::Arc;

use dashmap::DashMap;
use media_core::room::Event;
use media_core::units::RoomKey;
use tokio::sync::{Notify, mpsc};

use super::previews::Snapshots;
use crate::http::Metrics;
use crate::recording::Feed;

/// A room of 300 that all join at once has some 2000 events.
const CAPACITY: usize = 4096;

/// The room's end.
pub(super) struct MediaInbox {
    pub(super) events: mpsc::Receiver<Event>,
    /// Told when an event was lost.
    pub(super) overrun: Arc<Notify>,
}

struct MediaRoute {
    events: mpsc::Sender<Event>,
    overrun: Arc<Notify>,
}

/// Where the events of each room go.
pub(crate) struct MediaRoutes {
    routes: DashMap<RoomKey, MediaRoute>,
    pub(super) snapshots: Snapshots,
    /// Of rooms that are recorded.
    recorders: DashMap<RoomKey, Feed>,
    metrics: Arc<Metrics>,
}

impl MediaRoutes {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self { routes: DashMap::new(), snapshots: Snapshots::default(), recorders: DashMap::new(), metrics }
    }

    pub(super) fn open(&self, room: RoomKey) -> MediaInbox {
        let (sender, events) = mpsc::channel(CAPACITY);
        let overrun = Arc::new(Notify::new());
        self.snapshots.open(room);
        self.routes.insert(room, MediaRoute { events: sender, overrun: Arc::clone(&overrun) });
        MediaInbox { events, overrun }
    }

    pub(super) fn close(&self, room: RoomKey) {
        self.routes.remove(&room);
        self.snapshots.close(room);
        self.unrecord(room);
    }

    /// What is recorded of a room goes there from now on.
    pub(super) fn record(&self, room: RoomKey, feed: Feed) {
        self.recorders.insert(room, feed);
    }

    pub(super) fn unrecord(&self, room: RoomKey) {
        self.recorders.remove(&room);
    }

    /// Called on shard threads.
    pub(crate) fn deliver(&self, event: Event) {
        if let Event::LegConnected { took, .. } = &event {
            self.metrics.join_seconds.observe(took.as_secs_f64());
        }
        if let Event::Recorded { room, recorded } = event {
            if let Some(mut feed) = self.recorders.get_mut(&room) {
                feed.push(recorded);
            }
            return;
        }
        if let Event::Preview { room, jpeg } = event {
            return self.snapshots.deliver(room, jpeg);
        }
        let Some(route) = self.routes.get(&room_of(&event)) else { return };
        if let Err(mpsc::error::TrySendError::Full(_)) = route.events.try_send(event) {
            self.metrics.mailbox_full.with_label_values(&["media"]).inc();
            route.overrun.notify_one();
        }
    }
}

fn room_of(event: &Event) -> RoomKey {
    match event {
        Event::LegAnswered { room, .. }
        | Event::LegConnected { room, .. }
        | Event::LegLiveness { room, .. }
        | Event::LegEnded { room, .. }
        | Event::Placed { room, .. }
        | Event::Tiles { room, .. }
        | Event::Wanted { room, .. }
        | Event::Data { room, .. }
        | Event::Talking { room, .. }
        | Event::Preview { room, .. }
        | Event::Recorded { room, .. } => *room,
    }
}

#[cfg(test)]
mod tests {
    use media_core::units::MemberKey;

    use super::*;

    #[tokio::test]
    async fn a_room_that_lost_an_event_is_told() {
        let metrics = Arc::new(Metrics::new().unwrap());
        let routes = MediaRoutes::new(Arc::clone(&metrics));
        let room = RoomKey(1);
        let mut inbox = routes.open(room);
        let talking = || Event::Talking { room, member: MemberKey(1), talking: true };
        for _ in 0..CAPACITY {
            routes.deliver(talking());
        }
        assert_eq!(metrics.mailbox_full.with_label_values(&["media"]).get(), 0);
        routes.deliver(talking());
        assert_eq!(metrics.mailbox_full.with_label_values(&["media"]).get(), 1);
        inbox.overrun.notified().await;
        routes.close(room);
        routes.deliver(talking());
        let mut delivered = 0;
        while inbox.events.recv().await.is_some() {
            delivered += 1;
        }
        assert_eq!(delivered, CAPACITY);
    }
}
