//! Brings the messages of one endpoint there, lane by lane.
//!
//! in:  lanes of the outbox and when their first messages are due
//! out: attempts, and what became of them
//!
//! A lane is one room session's messages in their order. A lane that is worked on sends up to [`AT_ONCE`] messages one
//! after the other and writes each result down as it comes; it stops at the first failure, which makes the lane due
//! later. Results are queued in order, so a crash repeats the last messages of a lane and never leaves one out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinSet};
use tokio::time::sleep;

use super::courier::{Answer, Courier, Failure, Message};
use super::endpoint::Endpoint;
use super::retry::pause;
use crate::http::Metrics;
use crate::random;
use crate::shutdown::Shutdown;
use crate::storage::{Lane, Outbox, OutboxMessage, Outcome, UnixMs};
use crate::url_policy::SystemResolver;

/// Attempts under way to one endpoint: what a small receiver takes without a queue of its own.
pub(super) const LANES: usize = 8;

/// Messages of one lane that are read and sent before it makes place for another.
const AT_ONCE: i64 = 8;

/// Pause after the storage did not answer.
const STORAGE_PAUSE: Duration = Duration::from_secs(1);

/// Longest wait without a look at the outbox: the wall clock may have been set.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// How often what waits is counted.
const COUNT_EVERY: Duration = Duration::from_secs(2);

/// The task of one endpoint. Cheap to clone: every lane works with a copy.
#[derive(Clone)]
pub(super) struct Dispatcher {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) outbox: Outbox,
    pub(super) courier: Arc<Courier<SystemResolver>>,
    pub(super) metrics: Arc<Metrics>,
}

/// The outbox did not answer; what it was asked or told will be again.
struct NoStorage;

impl Dispatcher {
    /// Until the process stops or the endpoint is gone. Attempts under way are cut off then, and made again at the
    /// next start.
    pub(super) async fn run(self, shutdown: Shutdown) {
        let mut lanes = Lanes::default();
        let mut added = self.outbox.added();
        while !self.endpoint.is_gone() {
            added.mark_unchanged();
            let wait = self.start_due(&mut lanes).await;
            tokio::select! {
                // Fails only when the storage is closed, which is the end of the process.
                changed = added.changed() => if changed.is_err() { return },
                () = lanes.one_ended() => {}
                () = sleep(wait) => {}
                () = shutdown.stopped() => return,
            }
        }
    }

    /// Begins with lanes that are due, while there is place; gives how long there is nothing more to begin.
    async fn start_due(&self, lanes: &mut Lanes) -> Duration {
        if lanes.is_full() {
            return LOOK_EVERY;
        }
        // Those under way are among them.
        let limit = i64::try_from(2 * LANES).unwrap_or(i64::MAX);
        let Ok(heads) = self.outbox.lanes(&self.endpoint.settings.name, limit).await else {
            return STORAGE_PAUSE;
        };
        let now = UnixMs::now();
        for lane in heads.into_iter().filter(|lane| !lanes.has(&lane.room_session_id)).collect::<Vec<_>>() {
            if lane.due_at > now {
                return now.until(lane.due_at).min(LOOK_EVERY);
            }
            if lanes.is_full() {
                break;
            }
            lanes.start(self.clone(), lane);
        }
        LOOK_EVERY
    }

    async fn work_off(self, lane: Lane) {
        if self.send(&lane.room_session_id).await.is_err() {
            // Else it would be due again at once.
            sleep(STORAGE_PAUSE).await;
        }
    }

    /// Sends messages until one fails or there are no more.
    async fn send(&self, session: &str) -> Result<(), NoStorage> {
        let name = &*self.endpoint.settings.name;
        let messages = self.outbox.lane(name, session, AT_ONCE).await.map_err(|_| NoStorage)?;
        let mut committed = Vec::new();
        for message in messages {
            if self.endpoint.is_gone() {
                break;
            }
            let sent = Message { id: &message.message_id, body: &message.body };
            let answer = self.courier.deliver(&self.endpoint, sent).await;
            let outcome = self.outcome(&message, answer);
            let goes_on = !matches!(outcome, Outcome::Retry { .. });
            committed.push(self.outbox.settle(message.id, outcome));
            if !goes_on {
                break;
            }
        }
        // Only then is the lane due for what comes next, and not for what was sent.
        for done in committed {
            done.await.map_err(|_| NoStorage)?;
        }
        Ok(())
    }

    /// What that answer means for the message; counted and logged.
    fn outcome(&self, message: &OutboxMessage, answer: Answer) -> Outcome {
        let counted = |result| self.metrics.webhook_deliveries.with_label_values(&[result]).inc();
        let endpoint = &*self.endpoint.settings.name;
        let Failure { reason, retry_after } = match answer {
            Answer::Delivered => {
                counted("delivered");
                return Outcome::Delivered;
            }
            Answer::Gone => {
                counted("gone");
                tracing::warn!(
                    endpoint,
                    "webhook endpoint answered 410: it is left alone until the next start"
                );
                self.endpoint.leave_alone();
                return Outcome::Dead { error: "it answered 410".to_owned() };
            }
            Answer::Failed(failure) => failure,
        };
        let failures = u32::try_from(message.attempts).unwrap_or(u32::MAX).saturating_add(1);
        let (now, random) = (UnixMs::now(), u16::from_ne_bytes(random::bytes()));
        let age = message.created_at.until(now);
        match pause(self.endpoint.settings.patience, failures, age, retry_after, random) {
            Some(pause) => {
                counted("failed");
                tracing::info!(
                    endpoint,
                    failures,
                    reason,
                    pause_s = pause.as_secs_f64(),
                    "webhook not delivered"
                );
                Outcome::Retry { at: now.after(pause), error: reason }
            }
            None => {
                counted("dead");
                tracing::warn!(endpoint, failures, reason, message = message.message_id, "webhook given up");
                Outcome::Dead { error: reason }
            }
        }
    }
}

/// Lanes that are worked on.
#[derive(Default)]
struct Lanes {
    tasks: JoinSet<()>,
    sessions: HashMap<Id, String>,
}

impl Lanes {
    fn is_full(&self) -> bool {
        self.sessions.len() >= LANES
    }

    fn has(&self, session: &str) -> bool {
        self.sessions.values().any(|known| known == session)
    }

    fn start(&mut self, dispatcher: Dispatcher, lane: Lane) {
        let session = lane.room_session_id.clone();
        let task = self.tasks.spawn(dispatcher.work_off(lane));
        self.sessions.insert(task.id(), session);
    }

    /// Waits for the end of one; for ever when there is none.
    async fn one_ended(&mut self) {
        let id = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => error.id(),
            None => return std::future::pending().await,
        };
        self.sessions.remove(&id);
    }
}

/// Gives up what no endpoint is configured for any more, then counts what waits.
pub(super) async fn keep_house(
    outbox: Outbox,
    endpoints: Vec<Arc<str>>,
    metrics: Arc<Metrics>,
    shutdown: Shutdown,
) {
    match outbox.give_up_others(&endpoints).await {
        Ok(0) => {}
        Ok(given_up) => tracing::warn!(given_up, "webhooks given up: their endpoints are not configured"),
        Err(error) => {
            tracing::warn!(%error, "webhooks of endpoints that are no more stay until the next start")
        }
    }
    loop {
        if let Ok(waiting) = outbox.waiting().await {
            metrics.webhooks_pending.set(waiting.messages);
            let age = waiting.oldest.map(|oldest| oldest.until(UnixMs::now())).unwrap_or_default();
            metrics.webhook_oldest_age.set(age.as_secs_f64());
        }
        tokio::select! {
            () = sleep(COUNT_EVERY) => {}
            () = shutdown.stopped() => return,
        }
    }
}
