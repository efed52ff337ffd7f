//! One WebSocket: text frames between an SDK and its session.
//!
//! in:  frames of the peer; frames of the session, through a bounded queue
//! out: the same, the other way; a close with a reason
//!
//! The first frame must be a good `signalwire.connect` within [`CONNECT_TIME`]. A peer that does not read fills its
//! queue, is closed, and may resume by its `protocol`. A peer that writes faster than its session works waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::WebSocketUpgrade;
use axum::extract::ws::{CloseCode, CloseFrame, Message, WebSocket, close_code};
use control_api::rpc::MAX_FRAME;
use control_api::{ConnectRequest, SessionInput, SocketId};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::time::{sleep, timeout};
use tungstenite::Error as SocketError;
use tungstenite::error::ProtocolError;

use crate::app::App;
use crate::wiring::{Outgoing, SessionHandle, SessionMail, connect, outbox};

/// From the open socket to an accepted `signalwire.connect`.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// Attempts in that time: browsers whose stored session is refused forget it and try again.
const CONNECT_ATTEMPTS: usize = 3;

/// One frame is written within this, or the peer is not reading.
const WRITE_TIME: Duration = Duration::from_secs(4);

/// How long a peer has to read our close frame before the connection goes.
const CLOSE_TIME: Duration = Duration::from_secs(1);

/// The same for a peer that did not read: much is in front of the close frame.
const SLOW_CLOSE_TIME: Duration = Duration::from_secs(5);

/// The close code of a peer that did not read what it was sent: of our own, so that nobody takes it for a server in
/// trouble. The client resumes by its `protocol`.
const SLOW: CloseCode = 4008;

/// Read at a time from a peer. Allocated at once for every socket, and most never send more than a few hundred bytes.
const READ_BUFFER: usize = 4 * 1024;

/// Unfinished frames and control frames of the peer are held in memory up to here.
pub(super) fn limits(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade.max_frame_size(MAX_FRAME).max_message_size(MAX_FRAME).read_buffer_size(READ_BUFFER)
}

/// Why a socket ends.
enum End {
    /// The peer closed, or the connection broke.
    Peer,
    /// We close, and say why; the last word is for metrics.
    Ours(CloseCode, &'static str),
}

type Frames = SplitStream<WebSocket>;
type Writer = SplitSink<WebSocket, Message>;

/// From upgrade to close.
pub(super) async fn run(app: &Arc<App>, socket: WebSocket) {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let id = SocketId(NEXT.fetch_add(1, Ordering::Relaxed));
    app.metrics.sockets.inc();
    let (mut writer, mut frames) = socket.split();
    let first = tokio::select! {
        first = timeout(CONNECT_TIME, first(app, id, &mut writer, &mut frames)) => {
            first.unwrap_or(Err(End::Ours(close_code::POLICY, "no connect")))
        }
        () = app.shutdown.stopped() => Err(End::Ours(close_code::AWAY, "stopped")),
    };
    let end = match first {
        Ok((session, outgoing)) => attached(app, id, session, outgoing, &mut writer, &mut frames).await,
        Err(end) => end,
    };
    if let End::Ours(code, reason) = end {
        app.metrics.sockets_closed.with_label_values(&[reason]).inc();
        close(code, reason, &mut writer, &mut frames).await;
    }
    app.metrics.sockets.dec();
}

/// Frames until one connects.
async fn first(
    app: &Arc<App>,
    id: SocketId,
    writer: &mut Writer,
    frames: &mut Frames,
) -> Result<(SessionHandle, Outgoing), End> {
    for _ in 0..CONNECT_ATTEMPTS {
        let text = next_text(frames).await?;
        let (outbox, queue) = outbox();
        let reply = match ConnectRequest::parse(&text) {
            Ok(request) => match connect(app, id, outbox, request).await {
                Ok(session) => return Ok((session, queue)),
                Err(reply) => reply,
            },
            Err(reply) => reply,
        };
        writer.send(Message::text(reply)).await.map_err(|_| End::Peer)?;
    }
    Err(End::Ours(close_code::POLICY, "no connect"))
}

/// Both directions, until one of them ends.
async fn attached(
    app: &Arc<App>,
    id: SocketId,
    session: SessionHandle,
    outgoing: Outgoing,
    writer: &mut Writer,
    frames: &mut Frames,
) -> End {
    let (cut, mut queue) = (outgoing.cut(), outgoing);
    let reading = async {
        loop {
            let text = match next_text(frames).await {
                Ok(text) => text,
                Err(end) => return end,
            };
            // Waits when the session is behind: the peer's TCP window is our back-pressure.
            let mail = SessionMail::Input(SessionInput::Text { socket: id, text });
            if session.mailbox.send(mail).await.is_err() {
                return End::Ours(close_code::AWAY, "session over");
            }
        }
    };
    let writing = async {
        while let Some(text) = queue.next().await {
            match timeout(WRITE_TIME, writer.send(Message::text(text))).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return End::Peer,
                Err(_) => return End::Ours(SLOW, "slow"),
            }
        }
        // The session let go of us: the process stops, or another socket took our place.
        match app.shutdown.is_stopped() {
            true => End::Ours(close_code::AWAY, "stopped"),
            false => End::Ours(close_code::NORMAL, "replaced"),
        }
    };
    let end = tokio::select! {
        end = reading => end,
        end = writing => end,
        () = cut.notified() => End::Ours(SLOW, "slow"),
    };
    // Only fails when the session is over, which needs no news.
    let _ = session.mailbox.send(SessionMail::Input(SessionInput::SocketLost { socket: id })).await;
    end
}

/// The next text frame. Pings are answered below us, binary frames are nothing an SDK sends.
async fn next_text(frames: &mut Frames) -> Result<String, End> {
    loop {
        match frames.next().await {
            Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Binary(_))) => return Err(End::Ours(close_code::UNSUPPORTED, "binary")),
            Some(Ok(Message::Close(_))) | None => return Err(End::Peer),
            Some(Err(error)) => return Err(refusal(error)),
        }
    }
}

/// What the peer did wrong, if it did: RFC 6455 §7.4.1.
fn refusal(error: axum::Error) -> End {
    match error.into_inner().downcast_ref::<SocketError>() {
        Some(SocketError::Capacity(_)) => End::Ours(close_code::SIZE, "too big"),
        Some(SocketError::Utf8(_)) => End::Ours(close_code::INVALID, "not UTF-8"),
        Some(SocketError::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => End::Peer,
        Some(SocketError::Protocol(_)) => End::Ours(close_code::PROTOCOL, "not WebSocket"),
        _ => End::Peer,
    }
}

async fn close(code: CloseCode, reason: &'static str, writer: &mut Writer, frames: &mut Frames) {
    let frame = CloseFrame { code, reason: reason.into() };
    let patience = if code == SLOW { SLOW_CLOSE_TIME } else { CLOSE_TIME };
    // Best effort towards a peer that may be gone or hostile.
    let told = timeout(patience, writer.send(Message::Close(Some(frame)))).await;
    if matches!(told, Ok(Ok(()))) {
        // Closing at once with unread bytes would reset the connection, and the close frame would be lost.
        let _ = timeout(CLOSE_TIME, async {
            while let Some(frame) = frames.next().await {
                if frame.is_err() {
                    sleep(CLOSE_TIME).await;
                }
            }
        })
        .await;
    }
}
