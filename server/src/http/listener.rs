//! Accepts TCP connections, so many at a time, and speaks HTTP/1.1 on them.
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
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use crate::shutdown::Shutdown;

/// A request head is complete within this, the first and the next ones on a kept connection.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// Bytes of ours wait so long for a peer that takes none; then the kernel ends the connection.
const UNREAD_TIME: Duration = Duration::from_secs(30);

/// Pause after `accept` failed: the machine has no file descriptor left, and asking again at once helps nobody.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long connections have to end: a WebSocket's close handshake, an answer on its way.
const GOODBYE_TIME: Duration = Duration::from_secs(3);

/// A connection's place among the allowed ones; a WebSocket keeps it after the upgrade.
#[derive(Clone)]
pub(super) struct Permit(#[expect(dead_code, reason = "held, never read")] Arc<OwnedSemaphorePermit>);

/// Serves until `shutdown` stops, then gives connections [`GOODBYE_TIME`] to end.
pub(crate) async fn serve(listener: TcpListener, router: Router, max_connections: u32, shutdown: &Shutdown) {
    let places = Arc::new(Semaphore::new(max_connections as usize));
    accept(listener, router, &places, shutdown).await;
    // All places are free again once the last connection, WebSockets included, is closed.
    if timeout(GOODBYE_TIME, places.acquire_many(max_connections)).await.is_err() {
        tracing::warn!("connections did not end in time");
    }
}

async fn accept(listener: TcpListener, router: Router, places: &Arc<Semaphore>, shutdown: &Shutdown) {
    loop {
        // Full: nothing more is accepted, the kernel's backlog holds and then refuses.
        let place = tokio::select! {
            place = Arc::clone(places).acquire_owned() => place,
            () = shutdown.stopped() => return,
        };
        let Ok(place) = place else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.stopped() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, router.clone(), Permit(Arc::new(place)), shutdown.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, router: Router, permit: Permit, shutdown: Shutdown) {
    // Signalling is small messages that somebody waits for.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    // A peer that takes nothing of an answer would otherwise hold its place for ever.
    if let Err(error) = SockRef::from(&stream).set_tcp_user_timeout(Some(UNREAD_TIME)) {
        tracing::debug!(%error, "no TCP_USER_TIMEOUT");
    }
    let service = TowerToHyperService::new(router.layer(axum::Extension(permit)));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .serve_connection(TokioIo::new(stream), service)
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
