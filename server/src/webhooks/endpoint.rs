//! One configured receiver: where it is, what it wants, how it is tried.
//!
//! in:  events of rooms; its answers
//! out: whether it is told; whether it still wants to be

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use control_api::EventKind;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::secret::Secret;

/// Events that may be sent: what everybody in a room is told. Never one that is for a single connection, because
/// those carry what it may do.
const SENT: &[EventKind] = &[
    EventKind::RoomStarted,
    EventKind::RoomUpdated,
    EventKind::RoomEnded,
    EventKind::AudienceCount,
    EventKind::MemberJoined,
    EventKind::MemberUpdated,
    EventKind::MemberLeft,
    EventKind::MemberTalking,
    EventKind::LayoutChanged,
    EventKind::RecordingStarted,
    EventKind::RecordingUpdated,
    EventKind::RecordingEnded,
];

/// The event of that name, if it may be sent. The error lists those.
pub(crate) fn event_of_name(name: &str) -> Result<EventKind, String> {
    SENT.iter().copied().find(|kind| kind.name() == name).ok_or_else(|| {
        let known: Vec<&str> = SENT.iter().map(|kind| kind.name()).collect();
        format!("{name:?} is not one of {}", known.join(", "))
    })
}

/// How long and how often a message is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    /// Pause after the first failure; the next ones grow from it.
    pub(crate) first: Duration,
    /// A message that fails when it is older than this is given up.
    pub(crate) whole: Duration,
}

/// A receiver as it is configured.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Its name in logs, and the key of its messages in the outbox.
    pub(crate) name: Arc<str>,
    pub(crate) url: Address,
    pub(crate) secret: Secret,
    pub(crate) events: Vec<EventKind>,
    /// Names of the rooms it is told of; `None`: of all.
    pub(crate) rooms: Option<Vec<String>>,
    pub(crate) patience: Patience,
    /// Authorities beside those of the system.
    pub(crate) authorities: Vec<CertificateDer<'static>>,
}

/// A URL whose path and query may be secret, so that logs show none of it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address(pub(crate) String);

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(…)")
    }
}

/// A receiver at run time.
pub(super) struct Endpoint {
    pub(super) settings: Settings,
    pub(super) tls: TlsConnector,
    gone: AtomicBool,
}

impl Endpoint {
    /// `roots`: what the system trusts.
    pub(super) fn new(settings: Settings, mut roots: RootCertStore) -> Result<Self, rustls::Error> {
        for authority in &settings.authorities {
            roots.add(authority.clone())?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { settings, tls: TlsConnector::from(Arc::new(config)), gone: AtomicBool::new(false) })
    }

    /// Whether an event of that room goes there.
    pub(super) fn wants(&self, room: &str, kind: EventKind) -> bool {
        let of_room = self.settings.rooms.as_ref().is_none_or(|rooms| rooms.iter().any(|name| name == room));
        of_room && self.settings.events.contains(&kind) && !self.is_gone()
    }

    /// It has answered 410, and is left alone until the next start.
    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    pub(super) fn leave_alone(&self) {
        self.gone.store(true, Ordering::Relaxed);
    }
}
