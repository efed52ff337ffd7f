//! Requests of the client that wait for an answer, and the shape each answer takes. A client that gets none for
//! 10 s takes its socket for dead, so every request is answered within [`ANSWER_WITHIN`], whatever the room does.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::request::Reply;
use crate::ids::RequestKey;
use crate::rpc::{self, Id};

/// SDKs give up at 10 s.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);

/// Requests under way at a time; SDKs have a handful.
const CAPACITY: usize = 64;

/// A request without an answer.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) id: Id,
    pub(super) shape: Shape,
    until: Instant,
}

/// How its answer is written.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// Room method.
    Method,
    /// `signalwire.subscribe` to a channel; `first` when it was not subscribed before.
    Subscribe { channel: String, first: bool },
    /// Verto, with the inner frame's id.
    Verto(Id),
    /// `signalwire.reauthenticate`.
    Reauthenticate,
}

#[derive(Debug, Default)]
pub(super) struct PendingRequests {
    last: u64,
    open: BTreeMap<RequestKey, Pending>,
}

impl PendingRequests {
    /// Opens a request; gives the id back when too many are open.
    pub(super) fn open(&mut self, now: Instant, id: Id, shape: Shape) -> Result<RequestKey, Id> {
        if self.open.len() >= CAPACITY {
            return Err(id);
        }
        self.last += 1;
        let key = RequestKey(self.last);
        self.open.insert(key, Pending { id, shape, until: now + ANSWER_WITHIN });
        Ok(key)
    }

    pub(super) fn close(&mut self, key: RequestKey) -> Option<Pending> {
        self.open.remove(&key)
    }

    /// Nobody waits any more: the socket they came by is gone.
    pub(super) fn forget_all(&mut self) {
        self.open.clear();
    }

    /// Takes one that has waited too long.
    pub(super) fn take_overdue(&mut self, now: Instant) -> Option<Pending> {
        // All wait equally long, so the first opened is the first overdue.
        let first = self.open.first_entry()?;
        (first.get().until <= now).then(|| first.remove())
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.open.first_key_value().map(|(_, pending)| pending.until)
    }
}

impl Pending {
    /// One that nobody else is asked about.
    pub(super) fn at_once(now: Instant, id: Id) -> Self {
        Self { id, shape: Shape::Method, until: now }
    }

    /// The frame that answers.
    pub(super) fn answer(&self, node_id: &str, reply: Reply) -> String {
        match (reply, &self.shape) {
            (Reply::Done(result), Shape::Verto(inner)) => {
                let result = json!({"jsonrpc": "2.0", "id": inner, "result": result});
                rpc::result(&self.id, &json!({"code": "200", "node_id": node_id, "result": result}))
            }
            (Reply::Done(mut result), Shape::Method | Shape::Subscribe { .. } | Shape::Reauthenticate) => {
                if let Value::Object(fields) = &mut result {
                    fields.insert("code".into(), "200".into());
                    fields.insert("message".into(), "OK".into());
                }
                rpc::result(&self.id, &result)
            }
            (Reply::CallError { reason }, Shape::Verto(inner)) => {
                let error = call_error(&reason);
                let result = json!({"jsonrpc": "2.0", "id": inner, "error": error});
                rpc::result(&self.id, &json!({"code": "200", "node_id": node_id, "result": result}))
            }
            (
                Reply::CallError { reason },
                Shape::Method | Shape::Subscribe { .. } | Shape::Reauthenticate,
            ) => json!({"jsonrpc": "2.0", "id": self.id, "error": call_error(&reason)}).to_string(),
            (Reply::Refused { code, message }, _) => {
                rpc::result(&self.id, &json!({"code": code, "message": message}))
            }
            (Reply::UnknownMethod, _) => rpc::error(Some(&self.id), rpc::UNKNOWN_METHOD, "Method not found"),
        }
    }
}

/// SDKs know the message; the reason is for those who look.
fn call_error(reason: &str) -> Value {
    json!({"code": rpc::AUTH_FAILED, "message": "CALL ERROR", "data": {"reason": reason}})
}
