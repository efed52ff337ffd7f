//! Events of rooms, told to servers that listen for them over HTTP.
//!
//! in:  events of rooms, configured endpoints
//! out: signed POST requests, each at least once from the commit that keeps it
//!
//! ```text
//!   room task ─ messages ─► storage: one commit with the event ─► outbox ─► dispatcher (one per endpoint)
//!                                                                              │ lanes: one per room session
//!                                                                              ▼
//!                                              URL policy ─► courier ─► delivered, or again later, or given up
//! ```
//!
//! What belongs to one endpoint and one room session leaves in order, one at a time; everything else side by side. A
//! room waits for none of it. What when too much: a room's messages wait in the database, and an endpoint has at most
//! [`dispatch::LANES`] attempts under way, so one that hangs delays nobody but itself.

mod courier;
mod dispatch;
mod endpoint;
mod retry;
mod secret;

use std::sync::Arc;

use control_api::{Event, RoomSessionId};
use rustls::RootCertStore;

use crate::http::Metrics;
use crate::shutdown::Shutdown;
use crate::storage::{NewMessage, Outbox};
use crate::url_policy::{SystemResolver, UrlPolicy};

use courier::Courier;
use dispatch::Dispatcher;
use endpoint::Endpoint;

pub(crate) use endpoint::{Address, Patience, Settings, event_of_name};
pub(crate) use secret::Secret;

/// The configured endpoints.
pub(crate) struct Webhooks {
    endpoints: Vec<Arc<Endpoint>>,
}

impl Webhooks {
    pub(crate) fn new(settings: &[Settings]) -> Result<Self, rustls::Error> {
        let roots = if settings.is_empty() { RootCertStore::empty() } else { system_roots() };
        let endpoint = |settings: &Settings| Endpoint::new(settings.clone(), roots.clone()).map(Arc::new);
        Ok(Self { endpoints: settings.iter().map(endpoint).collect::<Result<_, _>>()? })
    }

    /// Whether anybody is told of anything.
    pub(crate) fn are_wanted(&self) -> bool {
        !self.endpoints.is_empty()
    }

    /// What must be kept with an event of the room of that name: one message for each endpoint that wants it.
    pub(crate) fn messages(&self, room: &str, session: &RoomSessionId, event: &Event) -> Vec<NewMessage> {
        let wanted = self.endpoints.iter().filter(|endpoint| endpoint.wants(room, event.kind));
        wanted
            .map(|endpoint| NewMessage {
                // Made of what never changes, so that every attempt, and every repeated commit, says the same.
                message_id: format!("evt_{session}_{}", event.number),
                endpoint: Arc::clone(&endpoint.settings.name),
                body: Arc::clone(&event.params),
            })
            .collect()
    }

    /// Starts to deliver, beginning with what an earlier run has left.
    pub(crate) fn start(
        &self,
        outbox: &Outbox,
        policy: &UrlPolicy,
        metrics: &Arc<Metrics>,
        shutdown: &Shutdown,
    ) {
        let courier = Arc::new(Courier::new(policy.clone(), SystemResolver::new()));
        for endpoint in &self.endpoints {
            let dispatcher = Dispatcher {
                endpoint: Arc::clone(endpoint),
                outbox: outbox.clone(),
                courier: Arc::clone(&courier),
                metrics: Arc::clone(metrics),
            };
            tokio::spawn(dispatcher.run(shutdown.clone()));
        }
        let names = self.endpoints.iter().map(|endpoint| Arc::clone(&endpoint.settings.name)).collect();
        tokio::spawn(dispatch::keep_house(outbox.clone(), names, Arc::clone(metrics), shutdown.clone()));
    }
}

/// What the system trusts.
fn system_roots() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "a certificate authority of the system cannot be read");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        tracing::warn!("the system trusts no certificate authority: https:// webhooks need ca_file");
    }
    roots
}
