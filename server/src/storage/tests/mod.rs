//! The same on both databases.

#[path = "../../../tests/support/postgres.rs"]
mod postgres;

mod catalogue;
mod crash;
mod history;
mod lists;
mod messages;
mod pressure;
mod retention;
mod tls;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use control_api::{Event, EventKind, MemberId, ProjectId, RoomId, RoomSessionId};
use serde_json::{Value, json};

use self::postgres::Postgres;
use super::*;

/// Longest wait for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

const PROJECT: &str = "acme";

/// Runs a test on a SQLite file, then on PostgreSQL.
async fn on_both(test: impl AsyncFn(Place)) {
    let folder = tempfile::tempdir().unwrap();
    // Every character that means something in URLs.
    test(Place::File(folder.path().join("a b?c#d%41&é").join("signalbox.db"))).await;
    let postgres = Postgres::shared();
    test(Place::postgres(&postgres.database()).unwrap()).await;
}

/// An open storage and what it counts.
struct Opened {
    storage: Storage,
    metrics: Arc<Metrics>,
}

impl Opened {
    async fn at(place: &Place) -> Self {
        let metrics = Arc::new(Metrics::new().unwrap());
        let storage = Storage::open(place.clone(), Arc::clone(&metrics)).await.unwrap();
        Self { storage, metrics }
    }

    fn room(&self, id: &str, name: &str) -> TestRoom {
        TestRoom {
            history: self.storage.room(SessionInfo {
                id: RoomSessionId::new(id),
                project: ProjectId::new(PROJECT),
                room_id: RoomId::new(format!("room-{name}")),
                name: name.into(),
                display_name: format!("The {name}").into(),
                settings: json!({"max_members": 7}).to_string(),
            }),
            last: AtomicU64::new(0),
        }
    }

    async fn session(&self, id: &str) -> Option<sessions::StoredSession> {
        sessions::find(self.storage.reader(), PROJECT, id).await.unwrap()
    }

    async fn members(&self, id: &str) -> Vec<sessions::StoredMember> {
        let all = Slice { turn: Turn::First, limit: 1000 };
        sessions::members(self.storage.reader(), id, &all).await.unwrap().rows
    }

    async fn events(&self, id: &str) -> Vec<sessions::StoredEvent> {
        let all = Slice { turn: Turn::First, limit: 100_000 };
        sessions::events(self.storage.reader(), id, &all).await.unwrap().rows
    }

    async fn count(&self, what: &'static str) -> i64 {
        sqlx::query_scalar(what).fetch_one(self.storage.reader()).await.unwrap()
    }

    /// Does what needs no preparation.
    async fn execute(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(self.storage.reader()).await.unwrap();
    }

    /// Until all that was reported is written, and the storage is closed.
    async fn close(self) {
        self.storage.close(PATIENCE).await;
    }

    fn dropped(&self, kind: &str) -> u64 {
        self.metrics.storage_dropped.with_label_values(&[kind]).get()
    }
}

/// Reports events as a room does.
struct TestRoom {
    history: RoomHistory,
    last: AtomicU64,
}

impl TestRoom {
    fn started(&self, at: f64) {
        self.room_event(EventKind::RoomStarted, at, false);
    }

    fn updated(&self, at: f64, locked: bool) {
        self.room_event(EventKind::RoomUpdated, at, locked);
    }

    fn ended(&self, at: f64) {
        self.room_event(EventKind::RoomEnded, at, false);
    }

    fn room_event(&self, kind: EventKind, at: f64, locked: bool) {
        let room = json!({"layout_name": "grid-responsive", "locked": locked, "prioritize_handraise": false,
            "members": [{"id": "m"}], "recordings": [], "playbacks": [], "streams": [], "updated": ["locked"]});
        self.report(kind, at, None, json!({"room": room.clone(), "room_session": room}), Vec::new());
    }

    fn member(&self, kind: EventKind, at: f64, member: &str) {
        self.member_with(kind, at, member, Vec::new());
    }

    fn member_with(&self, kind: EventKind, at: f64, member: &str, messages: Vec<NewMessage>) {
        // A character that PostgreSQL does not store.
        let name = format!("Name of \0{member}");
        let params = json!({"member": {"id": member, "name": name, "type": "member"}});
        self.report(kind, at, Some(member), params, messages);
    }

    fn report(
        &self,
        kind: EventKind,
        at: f64,
        member: Option<&str>,
        params: Value,
        messages: Vec<NewMessage>,
    ) {
        let event = Event {
            number: self.last.fetch_add(1, Ordering::Relaxed) + 1,
            kind,
            channel: "EC".into(),
            member: member.map(MemberId::new),
            params: json!({"event_type": kind.name(), "timestamp": at, "params": params}).to_string().into(),
        };
        self.history.event(&Arc::new(event), messages);
    }
}

/// Waits until it is so.
async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let begin = Instant::now();
    while !is_so().await {
        assert!(begin.elapsed() < PATIENCE, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
