use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::super::endpoint::{Address, Patience, Settings};
use super::super::secret::Secret;
use super::*;
use crate::url_policy::Allowed;

/// Gives these addresses, one answer per question; the last one again and again.
struct Answers(Vec<IpAddr>, AtomicUsize);

impl Answers {
    fn new(addresses: &[[u8; 4]]) -> Self {
        Self(addresses.iter().map(|address| IpAddr::from(*address)).collect(), AtomicUsize::new(0))
    }
}

impl Resolver for Answers {
    async fn addresses(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
        let asked = self.1.fetch_add(1, Ordering::Relaxed).min(self.0.len() - 1);
        Ok(vec![self.0[asked]])
    }

    fn is_ours(&self, _address: IpAddr) -> bool {
        false
    }
}

fn endpoint(url: String, authorities: Vec<rustls::pki_types::CertificateDer<'static>>) -> Endpoint {
    let settings = Settings {
        name: "test".into(),
        url: Address(url),
        secret: Secret::parse("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=").unwrap(),
        events: Vec::new(),
        rooms: None,
        patience: Patience { first: Duration::from_secs(1), whole: Duration::from_secs(1) },
        authorities,
    };
    Endpoint::new(settings, RootCertStore::empty()).unwrap()
}

fn courier(resolver: Answers, allowed: &str) -> Courier<Answers> {
    Courier::new(UrlPolicy::new(Allowed::parse([allowed]).unwrap(), Vec::new()), resolver)
}

const MESSAGE: Message<'_> = Message { id: "evt_1", body: "{\"a\":1}" };

async fn deliver(courier: &Courier<Answers>, endpoint: &Endpoint) -> Answer {
    courier.deliver(endpoint, Message { ..MESSAGE }).await
}

/// Reads a request whose body is that of [`MESSAGE`] and answers it; gives the head.
async fn answer(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), text: &str) -> String {
    let mut got = Vec::new();
    while !got.ends_with(MESSAGE.body.as_bytes()) {
        assert_ne!(stream.read_buf(&mut got).await.unwrap(), 0, "{}", String::from_utf8_lossy(&got));
    }
    stream.write_all(text.as_bytes()).await.unwrap();
    let _ = stream.shutdown().await;
    String::from_utf8(got).unwrap()
}

const NO_CONTENT: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// Answers every connection so; gives its port and how many there were.
async fn listen(address: Ipv4Addr, port: u16, text: &'static str) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((address, port)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            counter.fetch_add(1, Ordering::Relaxed);
            answer(&mut stream, text).await;
        }
    });
    (port, connections)
}

#[tokio::test]
async fn a_name_that_turns_inside_is_refused_before_a_connection() {
    let (port, outside) = listen(Ipv4Addr::new(127, 0, 0, 2), 0, NO_CONTENT).await;
    let (_, inside) = listen(Ipv4Addr::LOCALHOST, port, NO_CONTENT).await;
    // 127.0.0.2 stands for the internet here.
    let courier = courier(Answers::new(&[[127, 0, 0, 2], [127, 0, 0, 1]]), "127.0.0.2/32");
    let endpoint = endpoint(format!("http://hooks.example:{port}/"), Vec::new());
    assert_eq!(deliver(&courier, &endpoint).await, Answer::Delivered);
    let Answer::Failed(failure) = deliver(&courier, &endpoint).await else { panic!("it was delivered") };
    assert_eq!(failure.reason, "the URL is refused: its host has a loopback address");
    assert_eq!((outside.load(Ordering::Relaxed), inside.load(Ordering::Relaxed)), (1, 0));
}

#[tokio::test]
async fn answers_are_judged_by_their_status() {
    let failed = |reason: &str, retry_s: Option<u64>| {
        Answer::Failed(Failure { reason: reason.to_owned(), retry_after: retry_s.map(Duration::from_secs) })
    };
    for (text, expected) in [
        ("HTTP/1.1 200 OK\r\n\r\n", Answer::Delivered),
        ("HTTP/1.1 299 Odd\r\nContent-Length: 5\r\n\r\nhello", Answer::Delivered),
        // The rest never comes: the status has decided.
        ("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello", Answer::Delivered),
        ("HTTP/1.1 410 Gone\r\n\r\n", Answer::Gone),
        ("HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1/\r\n\r\n", failed("it answered 301", None)),
        ("HTTP/1.1 404 Not Found\r\n\r\n", failed("it answered 404", None)),
        ("HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\n\r\n", failed("it answered 429", Some(7))),
        ("HTTP/1.1 503 Down\r\nRetry-After: later\r\n\r\n", failed("it answered 503", None)),
    ] {
        let (port, _) = listen(Ipv4Addr::LOCALHOST, 0, text).await;
        let courier = courier(Answers::new(&[[127, 0, 0, 1]]), "127.0.0.1");
        let endpoint = endpoint(format!("http://hooks.example:{port}/"), Vec::new());
        assert_eq!(deliver(&courier, &endpoint).await, expected, "{text}");
    }
}

#[tokio::test]
async fn what_is_no_http_is_a_failure_and_bounded() {
    let long: &'static str =
        Box::leak(format!("HTTP/1.1 200 OK\r\nA: {}", "a".repeat(1 << 20)).into_boxed_str());
    for text in ["", "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 999999 What\r\n\r\n", long] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            // The peer may hang up before all is written.
            let _ = stream.write_all(text.as_bytes()).await;
        });
        let courier = courier(Answers::new(&[[127, 0, 0, 1]]), "127.0.0.1");
        let endpoint = endpoint(format!("http://hooks.example:{port}/"), Vec::new());
        let answer = deliver(&courier, &endpoint).await;
        assert!(matches!(answer, Answer::Failed(_)), "{answer:?}");
    }
}

#[tokio::test]
async fn requests_are_complete_and_addressed_to_the_name() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let courier = courier(Answers::new(&[[127, 0, 0, 1]]), "127.0.0.1");
    let endpoint = endpoint(format!("http://HOOKS.example.:{port}/a/b?c=d#e"), Vec::new());
    let receiving = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        answer(&mut stream, NO_CONTENT).await
    };
    let (delivered, request) = tokio::join!(deliver(&courier, &endpoint), receiving);
    assert_eq!(delivered, Answer::Delivered);
    let mut lines = request.split("\r\n");
    assert_eq!(lines.next(), Some("POST /a/b?c=d HTTP/1.1"));
    let headers: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
    for wanted in [
        &format!("host: hooks.example:{port}"),
        "content-type: application/json",
        "content-length: 7",
        "connection: close",
        "webhook-id: evt_1",
    ] {
        assert!(headers.contains(&wanted), "{wanted} is not in {headers:?}");
    }
}

#[tokio::test]
async fn tls_is_checked_against_the_configured_authority() {
    let made = rcgen::generate_simple_self_signed(["hooks.example".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(mut stream) = acceptor.accept(stream).await {
                answer(&mut stream, NO_CONTENT).await;
            }
        }
    });
    let courier = courier(Answers::new(&[[127, 0, 0, 1]]), "127.0.0.1");
    for (host, authorities, delivered) in [
        ("hooks.example", vec![certificate.clone()], true),
        ("hooks.example", Vec::new(), false),
        ("other.example", vec![certificate], false),
    ] {
        let endpoint = endpoint(format!("https://{host}:{port}/"), authorities);
        let answer = deliver(&courier, &endpoint).await;
        assert_eq!(answer == Answer::Delivered, delivered, "{host}: {answer:?}");
        if let Answer::Failed(failure) = answer {
            assert!(failure.reason.contains("invalid peer certificate"), "{failure:?}");
        }
    }
}
