//! Tasks and mailboxes around the state machines: who holds what, and what waits for whom.
//!
//! in:  sockets, requests, events of the media engine
//! out: every message in the mailbox it belongs to
//!
//! ```text
//!   socket ──send──► session task ──try_send──► room task ──► engine
//!     ▲                 │     ▲                    │    ▲        │
//!     └────try_send─────┘     └──────send──────────┘    └─try────┘
//! ```
//!
//! Whoever is above may wait for the one to its right only where `send` is written, so there is no circle: sockets
//! wait for sessions, rooms wait for sessions, sessions wait for nobody. What happens when a mailbox is full:
//!
//! | mailbox | from | full |
//! |---|---|---|
//! | session, or call by HTTP | sockets, rooms | they wait; a session's task never does |
//! | call by HTTP | its client's requests | they are answered *busy* |
//! | room | sessions | requests are answered *busy*, notices wait in the session |
//! | room's media events | shard threads | the room ends: it no longer knows its legs |
//! | socket | session | the socket is closed with 4008; its client resumes by `protocol` |
//! | recorder | shard threads, rooms | pieces are dropped and counted, orders never; news wait for the room |
//! | engine | rooms | the room tries again for a second, then ends |
//!
//! No reference into a map is held across an await.

mod connecting;
mod convert;
mod http_call;
mod media_routes;
mod outbox;
mod previews;
mod recorder;
mod registry;
mod room_images;
mod room_task;
mod session_task;
mod tiles;

pub(crate) use connecting::{authenticate, connect};
pub(crate) use http_call::{
    Condition, Fragment, HttpCalls, Joined, Joining, Patched, Unjoined, Unpatched, join as join_by_http,
    protocol,
};
pub(crate) use media_routes::MediaRoutes;
pub(crate) use outbox::{Outgoing, outbox};
pub(crate) use previews::preview;
pub(crate) use registry::{Registry, SessionHandle, SessionMail};

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use control_api::Now;

/// This moment, for the state machines.
fn now() -> Now {
    let unix_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    Now { at: Instant::now(), unix_s }
}

/// Sleeps until the deadline; for ever when there is none.
async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
