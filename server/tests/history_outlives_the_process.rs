//! The running binary on both databases: killed in the middle of a session, started again, ended cleanly.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/postgres.rs"]
mod postgres;
mod support;

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use postgres::Postgres;
use serde_json::json;
use sqlx::AnyPool;
use support::offer::offer;
use support::{Client, PATIENCE, Server};

/// What the tests look at, beside the server.
struct Database(AnyPool);

impl Database {
    async fn open(url: &str) -> Self {
        sqlx::any::install_default_drivers();
        Self(AnyPool::connect(url).await.unwrap())
    }

    async fn number(&self, query: &'static str) -> Option<i64> {
        sqlx::query_scalar(query).fetch_optional(&self.0).await.unwrap().flatten()
    }

    /// Name, when it came and when it left, of each stay.
    async fn stays(&self) -> Vec<(String, i64, Option<i64>)> {
        let all = "SELECT name, join_time, leave_time FROM room_session_members ORDER BY join_time, stay";
        sqlx::query_as(all).fetch_all(&self.0).await.unwrap()
    }

    /// Waits until the query gives that.
    async fn until(&self, query: &'static str, is_so: impl Fn(Option<i64>) -> bool) {
        let begin = Instant::now();
        while !is_so(self.number(query).await) {
            assert!(begin.elapsed() < PATIENCE, "in vain: {query}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

async fn join(server: &Server, name: &str, page: &str) -> Client {
    let (mut client, _) = Client::browser(server, &server.token("lounge", name).await).await;
    client.invite("call", &offer(page)).await;
    client.event("video.room.subscribed").await;
    client
}

const LEFT: &str = "SELECT COUNT(*) FROM room_session_members WHERE leave_time IS NOT NULL";
const JOINED: &str = "SELECT COUNT(*) FROM room_session_members";
const OPEN: &str = "SELECT COUNT(*) FROM room_sessions WHERE end_time IS NULL";
const END: &str = "SELECT end_time FROM room_sessions ORDER BY start_time LIMIT 1";
const LAST_SEEN: &str = "SELECT last_seen FROM heartbeat";
const EVENTS: &str = "SELECT COUNT(*) FROM room_session_events";

async fn a_session_is_ended_whatever_ends_the_server(
    mut server: Server,
    url: &str,
    variables: &[(&str, &str)],
) {
    let database = Database::open(url).await;
    let _alice = join(&server, "Alice", "1001").await;
    let mut bob = join(&server, "Bob", "1002").await;
    bob.verto("call", "verto.bye", json!({})).await;
    database.until(JOINED, |count| count == Some(2)).await;
    database.until(LEFT, |count| count == Some(1)).await;
    let events = database.number(EVENTS).await;
    // Nothing happens any more, and the server still tells that it lives.
    let seen = database.number(LAST_SEEN).await;
    database.until(LAST_SEEN, |now| now > seen).await;

    server.signal("KILL");
    assert_eq!(server.wait(), None);
    let killed = now_ms();
    assert_eq!(database.number(OPEN).await, Some(1), "nobody wrote an end");
    let last_seen = database.number(LAST_SEEN).await.unwrap();
    let left: Vec<_> = database.stays().await.iter().map(|stay| stay.2).collect();

    let mut server = server.again(variables);
    assert_eq!(database.number(OPEN).await, Some(0));
    assert_eq!(database.number(END).await, Some(last_seen));
    assert!(last_seen <= killed);
    let stays = database.stays().await;
    assert_eq!(stays.iter().map(|stay| stay.0.as_str()).collect::<Vec<_>>(), ["Alice", "Bob"]);
    assert_eq!((left[0], stays[0].2), (None, Some(last_seen)), "Alice was there to the end");
    assert_eq!((left[1], stays[1].2), (left[1], left[1]), "Bob had left");
    assert!(database.number(EVENTS).await >= events, "and what happened is still known");

    // A session that ends with the server in good order is ended by its own last event.
    let _carol = join(&server, "Carol", "1003").await;
    database.until(JOINED, |count| count == Some(3)).await;
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
    assert_eq!(database.number(OPEN).await, Some(0));
    let last = "SELECT e.created_at - s.end_time FROM room_session_events e JOIN room_sessions s \
         ON s.id = e.room_session_id WHERE e.name = 'video.room.ended'";
    assert_eq!(database.number(last).await, Some(0));
    assert_eq!(database.number(LEFT).await, Some(3));
}

#[tokio::test]
async fn in_a_file() {
    let server = Server::start();
    let url = format!("sqlite://{}", server.data_dir().join("signalbox.db").display());
    a_session_is_ended_whatever_ends_the_server(server, &url, &[]).await;
}

#[tokio::test]
async fn in_postgresql() {
    let postgres = Postgres::shared();
    let url = postgres.database();
    let variables = [("SIGNALBOX__STORAGE__URL", url.as_str())];
    a_session_is_ended_whatever_ends_the_server(Server::start_with(&variables), &url, &variables).await;
}
