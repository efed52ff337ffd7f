//! Accepts TCP connections, so many at a time, and speaks HTTP/1.1 on them, through TLS when there is a certificate.
//!
//! in:  a bound listener
//! out: requests to the router; the end once the process stops
//!
//! A client that connects and says nothing, or its request head byte by byte, is closed after [`HEAD_TIME`].

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use super::handshake::Handshakes;
use crate::shutdown::Shutdown;

/// A request head is complete within this, the first and the next ones on a kept connection.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// Bytes of ours wait so long for a peer that takes none; then the kernel ends the connection.
const UNREAD_TIME: Duration = Duration::from_secs(30);

/// Bytes of ours that the kernel holds for a peer. By itself it would let them grow to megabytes, times the peers that
/// stop reading, and a peer that does would be found out that much later.
const SEND_BUFFER: usize = 256 * 1024;

/// Pause after `accept` failed: the machine has no file descriptor left, and asking again at once helps nobody.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long connections have to end: a WebSocket's close handshake, an answer on its way.
const GOODBYE_TIME: Duration = Duration::from_secs(3);

/// A connection's place among the allowed ones; a WebSocket keeps it after the upgrade.
#[derive(Clone)]
pub(super) struct Permit(#[expect(dead_code, reason = "held, never read")] Arc<OwnedSemaphorePermit>);

/// A TCP port and what is behind it.
pub(crate) struct Port {
    pub(crate) listener: TcpListener,
    pub(crate) router: Router,
    /// Connections at the same time; more wait in the kernel's backlog.
    pub(crate) max_connections: u32,
    /// `None`: plain HTTP.
    pub(crate) handshakes: Option<Handshakes>,
    pub(crate) shutdown: Shutdown,
}

impl Port {
    /// Serves until the process stops, then gives connections [`GOODBYE_TIME`] to end.
    pub(crate) async fn serve(self) {
        let places = Arc::new(Semaphore::new(self.max_connections as usize));
        self.accept(&places).await;
        // All places are free again once the last connection, WebSockets included, is closed.
        if timeout(GOODBYE_TIME, places.acquire_many(self.max_connections)).await.is_err() {
            tracing::warn!("connections did not end in time");
        }
    }

    async fn accept(&self, places: &Arc<Semaphore>) {
        loop {
            // Full: nothing more is accepted, the kernel's backlog holds and then refuses.
            let place = tokio::select! {
                place = Arc::clone(places).acquire_owned() => place,
                () = self.shutdown.stopped() => return,
            };
            let Ok(place) = place else { return };
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = self.shutdown.stopped() => return,
            };
            match accepted {
                Ok((stream, _)) => {
                    let router = self.router.clone().layer(axum::Extension(Permit(Arc::new(place))));
                    let (handshakes, shutdown) = (self.handshakes.clone(), self.shutdown.clone());
                    tokio::spawn(connection(stream, handshakes, router, shutdown));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn connection(stream: TcpStream, handshakes: Option<Handshakes>, router: Router, shutdown: Shutdown) {
    // Signalling is small messages that somebody waits for.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    // A peer that takes nothing of an answer would otherwise hold its place for ever.
    if let Err(error) = SockRef::from(&stream).set_tcp_user_timeout(Some(UNREAD_TIME)) {
        tracing::debug!(%error, "no TCP_USER_TIMEOUT");
    }
    if let Err(error) = SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER) {
        tracing::debug!(%error, "no SO_SNDBUF");
    }
    let Some(handshakes) = handshakes else { return requests(stream, router, shutdown).await };
    let shaken = tokio::select! {
        shaken = handshakes.shake(stream) => shaken,
        () = shutdown.stopped() => None,
    };
    if let Some(stream) = shaken {
        requests(stream, router, shutdown).await;
    }
}

async fn requests(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    router: Router,
    shutdown: Shutdown,
) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    tokio::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = shutdown.stopped() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}
