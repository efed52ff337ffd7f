//! Calls of WHIP and WHEP: members and audience that come by HTTP requests and have no socket.
//!
//! in:  an offer with what its token allows; conditions, ICE credentials and the end, by the call's id
//! out: an answer, or why there is none; a member like any other
//!
//! ```text
//!   POST ──join──► task ──invite──► room          the task plays the part of a session: its key, its mailbox
//!   PATCH ──ask──►  │  ◄─ answer, goodbye ──
//!   DELETE ─end─►   └── gone ──► room
//! ```
//!
//! An entry of the table is the life of a call: whoever takes it out ends the call, and a call that ends takes its entry
//! out. Ids are 256 random bits: who knows one may end the call, and nobody else can. There are at most as many calls as
//! the server takes connections, and in each room as many as it takes members and audience.

mod door;
mod fragment;
mod task;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use control_api::{Authority, MemberId, Via};
use dashmap::DashMap;
use prometheus::IntGauge;
use tokio::sync::{mpsc, oneshot};

pub(crate) use fragment::Fragment;

use crate::app::App;
use crate::random;

/// Characters of an id, each half a byte.
const ID_LENGTH: usize = 64;

/// Requests that wait for one call; its client sends them one after the other.
const MAX_ASKED: usize = 4;

/// All calls that have been answered, by their ids.
pub(crate) struct HttpCalls {
    max: usize,
    open: Arc<AtomicUsize>,
    calls: DashMap<String, HttpCall>,
}

/// How to reach a call.
#[derive(Clone)]
pub(crate) struct HttpCall {
    asks: mpsc::Sender<Ask>,
}

/// Who wants to come in, with what.
pub(crate) struct Joining {
    /// Of a room token; names the room.
    pub(crate) authority: Arc<Authority>,
    /// An offer that [`media_core::room::check_offer`] found good.
    pub(crate) offer: String,
    pub(crate) via: Via,
    /// Plays this member alone.
    pub(crate) watched: Option<MemberId>,
}

/// A call that was answered.
pub(crate) struct Joined {
    /// Its secret name.
    pub(crate) id: String,
    pub(crate) answer: String,
    /// Names its ICE session.
    pub(crate) tag: String,
}

/// Why a call was not answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unjoined {
    /// The room does not let it in.
    NotAllowed(&'static str),
    /// There is no such room, and this token makes none.
    NoRoom,
    /// The one member to play is not there.
    NoMember,
    /// The offer cannot be answered.
    Unusable(String),
    /// Not now.
    Busy,
}

/// What a client wants of its call.
pub(crate) struct Ask {
    /// What the client takes for the state of the call.
    pub(crate) condition: Condition,
    pub(crate) fragment: Fragment,
    pub(crate) reply: oneshot::Sender<Result<Patched, Unpatched>>,
}

/// `If-Match`, RFC 9110 §13.1.1.
pub(crate) enum Condition {
    /// `*`: whatever the state.
    Any,
    /// One of these tags.
    Tags(Vec<String>),
}

/// What became of ICE.
pub(crate) enum Patched {
    /// Candidates: an agent that waits for the peer's checks has no use for them.
    Trickled,
    /// There is a new ICE session.
    Restarted {
        /// Our credentials and candidates.
        fragment: String,
        tag: String,
    },
}

/// Why nothing did.
pub(crate) enum Unpatched {
    /// The state is another.
    Stale,
    /// The credentials cannot be used.
    Unusable(String),
    /// Not now.
    Busy,
}

/// A call's place among those there may be.
struct Place {
    open: Arc<AtomicUsize>,
    gauge: IntGauge,
}

impl HttpCalls {
    pub(crate) fn new(max: usize) -> Self {
        Self { max, open: Arc::default(), calls: DashMap::new() }
    }

    /// The answered call of that id.
    pub(crate) fn find(&self, id: &str) -> Option<HttpCall> {
        self.calls.get(id).map(|call| call.clone())
    }

    /// Ends the call of that id; false when there is none.
    pub(crate) fn end(&self, id: &str) -> bool {
        self.calls.remove(id).is_some()
    }

    fn enter(&self, call: HttpCall) -> String {
        let id = random::text(ID_LENGTH);
        self.calls.insert(id.clone(), call);
        id
    }

    fn place(&self, gauge: IntGauge) -> Option<Place> {
        let taken = self
            .open
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| (open < self.max).then_some(open + 1));
        taken.ok()?;
        gauge.inc();
        Some(Place { open: Arc::clone(&self.open), gauge })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        self.gauge.dec();
    }
}

impl HttpCall {
    /// Hands a request to the call and waits for what becomes of it; `None` once the call is over.
    pub(crate) async fn patch(
        &self,
        condition: Condition,
        fragment: Fragment,
    ) -> Option<Result<Patched, Unpatched>> {
        let (reply, outcome) = oneshot::channel();
        match self.asks.try_send(Ask { condition, fragment, reply }) {
            Ok(()) => outcome.await.ok(),
            Err(mpsc::error::TrySendError::Full(_)) => Some(Err(Unpatched::Busy)),
            Err(mpsc::error::TrySendError::Closed(_)) => None,
        }
    }
}

/// Comes in. A caller that does not wait to the end has not come.
pub(crate) async fn join(app: &Arc<App>, joining: Joining) -> Result<Joined, Unjoined> {
    if let (Some(watched), Authority::Room(grant)) = (&joining.watched, &*joining.authority)
        && !door::is_there(app, grant, watched)
    {
        // Asked before a room is made for it.
        return Err(Unjoined::NoMember);
    }
    let gauge = app.metrics.http_calls.with_label_values(&[protocol(joining.via)]);
    let place = app.http_calls.place(gauge).ok_or(Unjoined::Busy)?;
    let (told, outcome) = oneshot::channel();
    task::spawn(app, joining, place, told);
    outcome.await.unwrap_or(Err(Unjoined::Busy))
}

/// Its name in metrics and logs.
pub(crate) fn protocol(via: Via) -> &'static str {
    match via {
        Via::Verto => "verto",
        Via::Whip => "whip",
        Via::Whep => "whep",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_and_come_back() {
        let (calls, gauge) = (HttpCalls::new(2), IntGauge::new("calls", "-").unwrap());
        let first = calls.place(gauge.clone()).unwrap();
        let second = calls.place(gauge.clone()).unwrap();
        assert!(calls.place(gauge.clone()).is_none());
        assert_eq!(gauge.get(), 2);
        drop(first);
        assert_eq!(gauge.get(), 1);
        let third = calls.place(gauge.clone());
        assert!(third.is_some() && calls.place(gauge.clone()).is_none());
        drop((second, third));
        assert_eq!((gauge.get(), calls.open.load(Ordering::Relaxed)), (0, 0));
    }

    #[test]
    fn an_ended_call_is_unknown() {
        let calls = HttpCalls::new(1);
        let (asks, mut inbox) = mpsc::channel(1);
        let id = calls.enter(HttpCall { asks });
        assert_eq!(id.len(), ID_LENGTH);
        assert!(calls.find(&id).is_some() && calls.find(&id[1..]).is_none());
        assert!(calls.end(&id) && !calls.end(&id) && calls.find(&id).is_none());
        // Its task sees that nobody can reach it any more.
        assert!(matches!(inbox.try_recv(), Err(mpsc::error::TryRecvError::Disconnected)));
    }
}
