//! From a TCP connection to a TLS one.
//!
//! in:  a connection that was just accepted
//! out: the same, encrypted; or nothing, once the peer has been told or cut off
//!
//! Handshakes are bounded in time and in number: a signature costs more than anything else a stranger can ask for.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Metrics;
use crate::tls::Tls;

/// From the accepted connection to the end of its handshake, the wait for a place included.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// Handshakes at the same time. One takes a millisecond of ours; what fills the places are slow or silent peers, and
/// these cannot hold them longer than [`HELLO_TIME`] and [`HANDSHAKE_TIME`] allow.
const MAX_HANDSHAKES: usize = 1024;

/// Until the first byte: a client speaks first in TLS, so who says nothing takes no place.
const HELLO_TIME: Duration = Duration::from_secs(5);

/// What every TLS connection begins with: RFC 8446 §5.1, a record of type `handshake`.
const HANDSHAKE_RECORD: u8 = 22;

const PLAIN_ANSWER: &str = "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 41\r\n\
    connection: close\r\n\r\nThis port speaks TLS: use https, or wss.\n";

/// How long somebody who spoke plain HTTP has to read that.
const ANSWER_TIME: Duration = Duration::from_secs(1);

/// How a handshake ended; a label of `signalbox_tls_handshakes_total`.
#[derive(Clone, Copy)]
enum Ended {
    Done,
    /// Refused by either side, or the peer went away.
    Failed,
    /// Too slow.
    Late,
    /// It was plain text.
    Plain,
}

/// Makes TLS connections; clones share the places.
#[derive(Clone)]
pub(crate) struct Handshakes {
    tls: Arc<Tls>,
    places: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

impl Handshakes {
    pub(crate) fn new(tls: Arc<Tls>, metrics: Arc<Metrics>) -> Self {
        Self { tls, places: Arc::new(Semaphore::new(MAX_HANDSHAKES)), metrics }
    }

    /// The encrypted connection, if the peer makes one in time.
    pub(super) async fn shake(&self, mut stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        let (ended, shaken) = match timeout(HELLO_TIME, first_byte(&stream)).await {
            Err(_) => (Ended::Late, None),
            Ok(Some(HANDSHAKE_RECORD)) => match timeout(HANDSHAKE_TIME, self.encrypt(stream)).await {
                Ok(Ok(shaken)) => (Ended::Done, Some(shaken)),
                Ok(Err(error)) => {
                    tracing::debug!(%error, "no TLS");
                    (Ended::Failed, None)
                }
                Err(_) => (Ended::Late, None),
            },
            Ok(Some(_)) => {
                // Best effort towards somebody who came to the wrong port.
                let _ = timeout(ANSWER_TIME, tell_plainly(&mut stream)).await;
                (Ended::Plain, None)
            }
            Ok(None) => (Ended::Failed, None),
        };
        self.metrics.tls_handshakes.with_label_values(&[ended.label()]).inc();
        shaken
    }

    async fn encrypt(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        let _place = self.places.acquire().await.map_err(std::io::Error::other)?;
        TlsAcceptor::from(self.tls.config()).accept(stream).await
    }
}

impl Ended {
    fn label(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Late => "late",
            Self::Plain => "plain",
        }
    }
}

/// Looked at, not taken.
async fn first_byte(stream: &TcpStream) -> Option<u8> {
    let mut byte = [0];
    match stream.peek(&mut byte).await {
        Ok(1) => Some(byte[0]),
        Ok(_) | Err(_) => None,
    }
}

async fn tell_plainly(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(PLAIN_ANSWER.as_bytes()).await?;
    stream.shutdown().await?;
    // Closing with unread bytes would reset the connection, and the answer would be lost.
    let mut unread = [0; 1024];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_answer_has_the_length_it_says() {
        let (head, body) = PLAIN_ANSWER.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{}", body.len());
    }
}
