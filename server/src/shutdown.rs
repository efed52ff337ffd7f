//! The end of the process in steps: draining, closing, stopped.
//!
//! in:  SIGTERM or SIGINT, and a second one
//! out: moments that tasks can wait for

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// How long clients have to take notice: SDKs reconnect elsewhere 1 to 4 s after their socket closes.
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// How long rooms have to say good-bye to their members.
const CLOSE_TIME: Duration = Duration::from_secs(1);

/// Pause between looking whether they have.
const CLOSE_PAUSE: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Running,
    /// Not ready for new work; clients are told.
    Draining,
    /// Rooms put their members out.
    Closing,
    Stopped,
}

/// Where the process is on its way to the end; clones see the same.
#[derive(Clone, Debug)]
pub(crate) struct Shutdown(Arc<watch::Sender<Phase>>);

impl Shutdown {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Phase::Running)))
    }

    pub(crate) fn is_draining(&self) -> bool {
        *self.0.borrow() >= Phase::Draining
    }

    pub(crate) fn is_stopped(&self) -> bool {
        *self.0.borrow() >= Phase::Stopped
    }

    /// Until clients should be told to go.
    pub(crate) async fn draining(&self) {
        self.reached(Phase::Draining).await;
    }

    /// Until rooms should end.
    pub(crate) async fn closing(&self) {
        self.reached(Phase::Closing).await;
    }

    /// Until everything should end.
    pub(crate) async fn stopped(&self) {
        self.reached(Phase::Stopped).await;
    }

    async fn reached(&self, phase: Phase) {
        let mut phases = self.0.subscribe();
        // The sender lives in `self`, so the wait cannot fail.
        let _ = phases.wait_for(|now| *now >= phase).await;
    }

    /// Waits for a signal, drains, closes the rooms and stops; `rooms` tells how many still run. A second signal
    /// stops at once.
    pub(crate) async fn on_signals(&self, rooms: impl Fn() -> usize) -> std::io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut signalled = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        signalled().await;
        tokio::select! {
            () = signalled() => tracing::info!("stopping at once"),
            () = self.wind_down(rooms) => {}
        }
        self.0.send_replace(Phase::Stopped);
        Ok(())
    }

    async fn wind_down(&self, rooms: impl Fn() -> usize) {
        tracing::info!("draining");
        self.0.send_replace(Phase::Draining);
        sleep(DRAIN_TIME).await;
        self.0.send_replace(Phase::Closing);
        let closed = async {
            while rooms() > 0 {
                sleep(CLOSE_PAUSE).await;
            }
        };
        if timeout(CLOSE_TIME, closed).await.is_err() {
            tracing::warn!(rooms = rooms(), "rooms did not end in time");
        }
    }
}
