//! One attempt to deliver one message.
//!
//! in:  a message and its endpoint
//! out: [`Answer`]
//!
//! Every attempt asks the URL policy anew and makes a connection of its own to one of the addresses that it found
//! good. Redirects are not followed, and of the answer's body only a polite amount is read and none kept.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderValue};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{InvalidDnsNameError, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Position;

use super::endpoint::Endpoint;
use super::retry::retry_after;
use crate::url_policy::{Destination, Purpose, Refusal, Resolver, Target, UrlPolicy};

/// Until TCP and TLS are there, all addresses tried.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// Addresses among which that time is shared at most: less than a third of it would be too short for a slow path.
const MAX_SHARES: u32 = 3;

/// From looking up the name to the answer's head.
const ATTEMPT_TIME: Duration = Duration::from_secs(15);

/// How long the rest of an answer is read, so that the receiver is not reset while it writes.
const REST_TIME: Duration = Duration::from_secs(1);

/// And how much of it.
const REST_BYTES: usize = 16 * 1024;

/// Head of an answer.
const HEAD_BYTES: usize = 16 * 1024;

const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("signalbox/", env!("CARGO_PKG_VERSION")));

/// What is delivered.
pub(super) struct Message<'a> {
    /// The same in every attempt.
    pub(super) id: &'a str,
    pub(super) body: &'a str,
}

/// How an attempt ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// 2xx.
    Delivered,
    /// 410: the receiver wants nothing more.
    Gone,
    Failed(Failure),
}

/// Why it is to be tried again, in words for the operator, and when at the earliest if the receiver said so.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) reason: String,
    pub(super) retry_after: Option<Duration>,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self { reason: fault.to_string(), retry_after: None }
    }
}

/// What can go wrong before there is an answer.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("the URL is refused: {0}")]
    Refused(#[from] Refusal),
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    #[error("no connection in {} s", CONNECT_TIME.as_secs())]
    ConnectTime,
    #[error("no answer in {} s", ATTEMPT_TIME.as_secs())]
    AttemptTime,
    #[error("the host is no name for TLS: {0}")]
    Name(#[from] InvalidDnsNameError),
    #[error("the connection broke: {0}")]
    Http(#[from] hyper::Error),
    #[error("the request cannot be written: {0}")]
    Request(#[from] hyper::http::Error),
}

/// Delivers messages to wherever the policy allows.
pub(super) struct Courier<R> {
    policy: UrlPolicy,
    resolver: R,
}

impl<R: Resolver> Courier<R> {
    pub(super) fn new(policy: UrlPolicy, resolver: R) -> Self {
        Self { policy, resolver }
    }

    pub(super) async fn deliver(&self, endpoint: &Endpoint, message: Message<'_>) -> Answer {
        match timeout(ATTEMPT_TIME, self.attempt(endpoint, message)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(fault)) => Answer::Failed(fault.into()),
            Err(_) => Answer::Failed(Fault::AttemptTime.into()),
        }
    }

    async fn attempt(&self, endpoint: &Endpoint, message: Message<'_>) -> Result<Answer, Fault> {
        let url = &endpoint.settings.url.0;
        let destination = self.policy.destination(Purpose::Webhook, url, &self.resolver).await?;
        let stream = timeout(CONNECT_TIME, connect(endpoint, &destination))
            .await
            .map_err(|_| Fault::ConnectTime)??;
        let request = request(endpoint, &destination.target, message)?;
        match stream {
            Stream::Plain(stream) => exchange(stream, request).await,
            Stream::Secure(stream) => exchange(*stream, request).await,
        }
    }
}

enum Stream {
    Plain(TcpStream),
    Secure(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

async fn connect(endpoint: &Endpoint, destination: &Destination) -> Result<Stream, Fault> {
    let stream = first_to_answer(&destination.addresses).await.map_err(Fault::Connect)?;
    if !destination.target.is_secure() {
        return Ok(Stream::Plain(stream));
    }
    // URLs write IPv6 addresses in brackets, certificates do not.
    let host = destination.target.host().trim_matches(['[', ']']);
    let name = ServerName::try_from(host.to_owned())?;
    let stream = endpoint.tls.connect(name, stream).await.map_err(Fault::Connect)?;
    Ok(Stream::Secure(Box::new(stream)))
}

/// One after the other: a message can wait. Each has a share of the time, so that one which swallows packets, on every
/// attempt anew, does not keep the message from the others.
async fn first_to_answer(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let share = CONNECT_TIME / u32::try_from(addresses.len()).unwrap_or(u32::MAX).clamp(1, MAX_SHARES);
    let mut last = io::ErrorKind::AddrNotAvailable.into();
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

fn request(
    endpoint: &Endpoint,
    target: &Target,
    message: Message<'_>,
) -> Result<Request<Full<Bytes>>, Fault> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let url = target.url();
    let host = match url.port() {
        Some(port) => format!("{}:{port}", target.host()),
        None => target.host().to_owned(),
    };
    let request = Request::post(&url[Position::BeforePath..Position::AfterQuery])
        .header(header::HOST, host)
        .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .header(header::USER_AGENT, USER_AGENT)
        .header(header::CONNECTION, HeaderValue::from_static("close"))
        .header("webhook-id", message.id)
        .header("webhook-timestamp", now)
        .header("webhook-signature", endpoint.settings.secret.signature(message.id, now, message.body))
        .body(Full::new(Bytes::copy_from_slice(message.body.as_bytes())))?;
    Ok(request)
}

/// Sends the request and reads the answer, driving the connection meanwhile.
async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Answer, Fault>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(HEAD_BYTES).handshake(TokioIo::new(stream)).await?;
    let talking = async {
        let response = sender.send_request(request).await?;
        let answer = judged(&response);
        let rest = Limited::new(response.into_body(), REST_BYTES).collect();
        // Whatever becomes of the rest: the status has decided.
        let _ = timeout(REST_TIME, rest).await;
        Ok(answer)
    };
    let driving = async {
        // Its error reaches `talking` too.
        let _ = connection.await;
        std::future::pending().await
    };
    tokio::select! {
        answer = talking => answer,
        never = driving => never,
    }
}

fn judged(response: &Response<Incoming>) -> Answer {
    let status = response.status();
    if status.is_success() {
        return Answer::Delivered;
    }
    if status == StatusCode::GONE {
        return Answer::Gone;
    }
    let asked = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    Answer::Failed(Failure {
        reason: format!("it answered {}", status.as_u16()),
        retry_after: asked.and_then(|value| retry_after(value, SystemTime::now())),
    })
}

#[cfg(test)]
mod tests;
