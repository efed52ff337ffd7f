//! A DTLS client for str0m that offers AES-CM-SHA1 and no other SRTP profile: a peer without AES-GCM.
//!
//! in:  the server's datagrams
//! out: ours, the server's certificate, keys
//!
//! str0m's own DTLS always offers all profiles, so this one is `rtc-dtls`. Keys, packets and their protection are
//! str0m's still. It is a client only, as everybody is who meets a passive server.

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc_crypto::RTCCryptoProvider;
use rtc_crypto::providers::AwsLcRsProvider;
use rtc_dtls::config::{ConfigBuilder, ExtendedMasterSecretType};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_shared::TransportProtocol;
use str0m::crypto::dtls::{
    DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion, KeyingMaterial,
    ProtocolVersion, SrtpProfile,
};
use str0m::crypto::{CryptoError, CryptoProvider, from_feature_flags};

/// Two keys of 16 and two salts of 14 bytes, RFC 5764 §4.1.2.
const KEYING_LENGTH: usize = 2 * (16 + 14);
/// The association has a name and not an address: ICE decides where datagrams go.
const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9);
/// When nothing is due.
const LATER: Duration = Duration::from_secs(3600);

/// str0m's cryptography with this DTLS client in place of its own.
pub(super) fn provider() -> CryptoProvider {
    static CLIENTS: AesCmClients = AesCmClients;
    CryptoProvider { dtls_provider: &CLIENTS, ..from_feature_flags() }
}

#[derive(Debug)]
struct AesCmClients;

impl DtlsProvider for AesCmClients {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        let certificate = identity()?.1.certificate.first()?.to_vec();
        // The key stays with us; nobody else signs with it.
        Some(DtlsCert { certificate, private_key: Vec::new() })
    }

    fn new_dtls(
        &self,
        _: &DtlsCert,
        now: Instant,
        _: DtlsVersion,
        _: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let client = Client {
            endpoint: Endpoint::new(SERVER, TransportProtocol::UDP, None),
            out: VecDeque::new(),
            now,
            state: State::Idle,
        };
        Ok(Box::new(Shared(Mutex::new(client))))
    }
}

/// One certificate for all clients of the process.
fn identity() -> Option<&'static (Arc<dyn RTCCryptoProvider>, Certificate)> {
    static IDENTITY: OnceLock<Option<(Arc<dyn RTCCryptoProvider>, Certificate)>> = OnceLock::new();
    let made = IDENTITY.get_or_init(|| {
        let crypto: Arc<dyn RTCCryptoProvider> = Arc::new(AwsLcRsProvider::new());
        let certificate = Certificate::generate_self_signed(vec!["peer".to_owned()], crypto.crypto()).ok()?;
        Some((crypto, certificate))
    });
    made.as_ref()
}

/// str0m wants to share what only one thread at a time uses.
struct Shared(Mutex<Client>);

struct Client {
    endpoint: Endpoint,
    out: VecDeque<Out>,
    /// The last time it was told.
    now: Instant,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Shaking,
    Connected,
    Closed,
}

enum Out {
    Packet(Vec<u8>),
    Certificate(Vec<u8>),
    Connected,
    Keys(Vec<u8>),
    Goodbye,
}

impl Client {
    fn start(&mut self) -> Option<()> {
        let (crypto, certificate) = identity()?;
        let config = ConfigBuilder::default()
            .with_crypto_provider(Arc::clone(crypto))
            .with_certificates(vec![certificate.clone()])
            .with_srtp_protection_profiles(vec![SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80])
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            // str0m compares the certificate with the SDP.
            .with_insecure_skip_verify(true)
            .with_server_name("signalbox".to_owned())
            .build(true, None)
            .ok()?;
        self.endpoint.connect(self.now, SERVER, Arc::new(config), None).ok()?;
        self.state = State::Shaking;
        self.drain();
        Some(())
    }

    fn drain(&mut self) {
        while let Some(datagram) = self.endpoint.poll_transmit() {
            self.out.push_back(Out::Packet(datagram.message.to_vec()));
        }
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "the library may tell more with each version")]
    fn take(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        let events = self.endpoint.read(self.now, SERVER, None, BytesMut::from(packet));
        self.drain();
        for event in events.map_err(|_| DtlsImplError::ConnectionClosed)? {
            match event {
                EndpointEvent::HandshakeComplete => self.complete().ok_or(DtlsImplError::ConnectionClosed)?,
                EndpointEvent::PeerClosed => {
                    self.state = State::Closed;
                    self.out.push_back(Out::Goodbye);
                }
                // Data, of which there is none.
                _ => {}
            }
        }
        Ok(())
    }

    fn complete(&mut self) -> Option<()> {
        let state = self.endpoint.get_connection_state(SERVER)?;
        let is_ours = state.srtp_protection_profile() == SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80;
        let keys = state.export_keying_material("EXTRACTOR-dtls_srtp", &[], KEYING_LENGTH).ok()?;
        let certificate = state.peer_certificates.first().filter(|_| is_ours)?.clone();
        self.out.extend([Out::Connected, Out::Certificate(certificate), Out::Keys(keys.as_ref().to_vec())]);
        self.state = State::Connected;
        Some(())
    }

    fn next_timeout(&self) -> Instant {
        let due = self.endpoint.poll_timeout(&SERVER).filter(|_| self.state == State::Shaking);
        due.unwrap_or(self.now + LATER)
    }
}

impl Shared {
    fn with<T>(&self, work: impl FnOnce(&mut Client) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AesCmClient")
    }
}

impl DtlsInstance for Shared {
    /// A refusal to start shows as a handshake that never ends.
    fn set_active(&mut self, active: bool) {
        self.with(|client| active.then(|| client.start()));
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.with(|client| client.take(packet))
    }

    fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> DtlsOutput<'a> {
        let mut copy = |bytes: &[u8]| {
            let length = bytes.len().min(buffer.len());
            buffer.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            length
        };
        let (next, length) = self.with(|client| {
            let next = client.out.pop_front();
            let length = match &next {
                Some(Out::Packet(bytes) | Out::Certificate(bytes)) => copy(bytes),
                Some(Out::Connected | Out::Keys(_) | Out::Goodbye) | None => 0,
            };
            (next.ok_or(client.next_timeout()), length)
        });
        let filled = buffer.get(..length).unwrap_or_default();
        match next {
            Ok(Out::Packet(_)) => DtlsOutput::Packet(filled),
            Ok(Out::Certificate(_)) => DtlsOutput::PeerCert(filled),
            Ok(Out::Connected) => DtlsOutput::Connected,
            Ok(Out::Keys(keys)) => {
                DtlsOutput::KeyingMaterial(KeyingMaterial::new(&keys), SrtpProfile::AES128_CM_SHA1_80)
            }
            Ok(Out::Goodbye) => DtlsOutput::CloseNotify,
            Err(timeout) => DtlsOutput::Timeout(timeout),
        }
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.with(|client| {
            client.now = now;
            if client.state == State::Shaking && client.next_timeout() <= now {
                let done = client.endpoint.handle_timeout(SERVER, now);
                client.drain();
                done.map_err(|_| DtlsImplError::ConnectionClosed)?;
            }
            Ok(())
        })
    }

    /// Only data channels have any, and there are none.
    fn send_application_data(&mut self, _: &[u8]) -> Result<usize, DtlsImplError> {
        Err(DtlsImplError::ConnectionClosed)
    }

    fn is_active(&self) -> bool {
        true
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.with(|client| (client.state == State::Connected).then_some(ProtocolVersion::DTLS1_2))
    }

    fn is_closed(&self) -> bool {
        self.with(|client| client.state == State::Closed)
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.with(|client| {
            client.endpoint.stop(client.now, SERVER);
            client.drain();
            client.state = State::Closed;
        });
        Ok(())
    }
}
