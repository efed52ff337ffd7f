//! What a browser does below RTP: a controlling ICE agent, a DTLS client, SRTP.
//!
//! Built on the client side of `rtc-dtls` and on STUN messages of its own; it never calls the code
//! under test except to seal and open SRTP.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use media_core::srtp::{self, DtlsRole, Inbound, Outbound, Profile};
use media_core::transport::{Fingerprint, LocalIce, RemoteIce};
use media_core::units::TransportKey;
use rtc_crypto::RTCCryptoProvider;
use rtc_crypto::providers::AwsLcRsProvider;
use rtc_dtls::config::{ConfigBuilder, ExtendedMasterSecretType};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile as OnTheWire;
use rtc_shared::TransportProtocol;
use rtc_shared::error::Error;
use rtc_stun::attributes::{
    ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME, RawAttribute,
};
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{BINDING_REQUEST, BINDING_SUCCESS, Message, Setter, TransactionId};
use rtc_stun::xoraddr::XorMappedAddress;

/// Unanswered checks are repeated this often, answered ones far less.
const EAGER: Duration = Duration::from_millis(50);
const CONSENT: Duration = Duration::from_millis(2500);

pub struct Browser {
    crypto: Arc<dyn RTCCryptoProvider>,
    certificate: Certificate,
    profiles: Vec<OnTheWire>,
    ufrag: String,
    answer: Option<Answer>,
    /// Where it sends from; the first is the one it nominates.
    addresses: Vec<SocketAddr>,
    next_check: Option<Instant>,
    check_interval: Duration,
    dtls: Option<Endpoint>,
    /// The client of `rtc-dtls` has the same fault as its server: it can lose its timer.
    last_flight: Vec<Vec<u8>>,
    resend_at: Instant,
    keys: Option<(Inbound, Outbound)>,
    out: VecDeque<(SocketAddr, Vec<u8>)>,
    /// Addresses the server has confirmed, XOR-MAPPED-ADDRESS and all.
    pub confirmed: Vec<SocketAddr>,
    /// Decrypted RTP, and the address it came to.
    pub rtp: Vec<(SocketAddr, Vec<u8>)>,
    /// Decrypted RTCP.
    pub rtcp: Vec<Vec<u8>>,
    pub profile: Option<Profile>,
    pub closed: bool,
    pub failed: Option<String>,
}

struct Answer {
    key: TransportKey,
    ice: LocalIce,
    fingerprint: Fingerprint,
}

impl Browser {
    /// One that offers these SRTP profiles and has these local addresses.
    pub fn new(ufrag: &str, profiles: &[OnTheWire], addresses: &[&str]) -> Self {
        let crypto: Arc<dyn RTCCryptoProvider> = Arc::new(AwsLcRsProvider::new());
        let certificate =
            Certificate::generate_self_signed(vec!["browser".to_owned()], crypto.crypto()).unwrap();
        Self {
            crypto,
            certificate,
            profiles: profiles.to_vec(),
            ufrag: ufrag.to_owned(),
            answer: None,
            addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
            next_check: None,
            check_interval: EAGER,
            dtls: None,
            last_flight: Vec::new(),
            resend_at: Instant::now(),
            keys: None,
            out: VecDeque::new(),
            confirmed: Vec::new(),
            rtp: Vec::new(),
            rtcp: Vec::new(),
            profile: None,
            closed: false,
            failed: None,
        }
    }

    /// One like Chromium: AES-CM first in its list.
    pub fn chromium(ufrag: &str, addresses: &[&str]) -> Self {
        let profiles = [
            OnTheWire::Srtp_Aes128_Cm_Hmac_Sha1_80,
            OnTheWire::Srtp_Aead_Aes_256_Gcm,
            OnTheWire::Srtp_Aead_Aes_128_Gcm,
        ];
        Self::new(ufrag, &profiles, addresses)
    }

    pub fn remote_ice(&self) -> RemoteIce {
        RemoteIce { ufrag: self.ufrag.clone(), pwd: "aPasswordNobodyNeedsHere".to_owned() }
    }

    pub fn fingerprint(&self) -> Fingerprint {
        fingerprint_of(&self.certificate.certificate[0])
    }

    pub fn key(&self) -> TransportKey {
        self.answer.as_ref().unwrap().key
    }

    /// The server's credentials, from its latest answer.
    pub fn answered_ice(&self) -> Option<&LocalIce> {
        self.answer.as_ref().map(|answer| &answer.ice)
    }

    pub fn is_connected(&self) -> bool {
        self.keys.is_some()
    }

    pub fn has_address(&self, address: SocketAddr) -> bool {
        self.addresses.contains(&address)
    }

    /// The answer has come: checks begin.
    pub fn answered(&mut self, now: Instant, key: TransportKey, ice: LocalIce, fingerprint: Fingerprint) {
        self.answer = Some(Answer { key, ice, fingerprint });
        self.next_check = Some(now);
    }

    /// An answer to an offer with a new `ufrag`: ICE restarts, DTLS goes on.
    pub fn restarted(&mut self, now: Instant, ufrag: &str, ice: LocalIce) {
        self.ufrag = ufrag.to_owned();
        self.answer.as_mut().unwrap().ice = ice;
        self.confirmed.clear();
        self.check_interval = EAGER;
        self.next_check = Some(now);
    }

    /// From now on this is the nominated address.
    pub fn moves_to(&mut self, now: Instant, address: &str) {
        let address = address.parse().unwrap();
        self.addresses.retain(|a| *a != address);
        self.addresses.insert(0, address);
        self.next_check = Some(now);
    }

    pub fn sends(&mut self, rtp: &[u8]) {
        let mut packet = rtp.to_vec();
        self.keys.as_mut().unwrap().1.seal_rtp(&mut packet).unwrap();
        self.out.push_back((self.addresses[0], packet));
    }

    pub fn sends_rtcp(&mut self, rtcp: &[u8]) {
        let mut packet = rtcp.to_vec();
        self.keys.as_mut().unwrap().1.seal_rtcp(&mut packet).unwrap();
        self.out.push_back((self.addresses[0], packet));
    }

    /// Sends it if SRTP takes it: numbers that leap may be refused on this side already.
    pub fn tries_rtp(&mut self, rtp: &[u8]) {
        let mut packet = rtp.to_vec();
        if self.keys.as_mut().unwrap().1.seal_rtp(&mut packet).is_ok() {
            self.out.push_back((self.addresses[0], packet));
        }
    }

    /// The same for RTCP.
    pub fn tries_rtcp(&mut self, rtcp: &[u8]) {
        let mut packet = rtcp.to_vec();
        if self.keys.as_mut().unwrap().1.seal_rtcp(&mut packet).is_ok() {
            self.out.push_back((self.addresses[0], packet));
        }
    }

    pub fn close(&mut self, now: Instant) {
        if let Some(dtls) = &mut self.dtls {
            dtls.stop(now, crate::sim::server_address());
        }
        self.drain_dtls(now);
        self.next_check = None;
    }

    pub fn poll_transmit(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        self.out.pop_front()
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let dtls = self.dtls.as_ref().filter(|_| !self.is_connected() && self.failed.is_none());
        let dtls = dtls.map(|d| d.poll_timeout(&crate::sim::server_address()).unwrap_or(self.resend_at));
        [self.next_check, dtls].into_iter().flatten().min()
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        if self.next_check.is_some_and(|at| at <= now) {
            for (at, from) in self.addresses.clone().into_iter().enumerate() {
                let check = self.check(at == 0);
                self.out.push_back((from, check));
            }
            self.next_check = Some(now + self.check_interval);
        }
        let server = crate::sim::server_address();
        if self.is_connected() || self.failed.is_some() {
            return;
        }
        if let Some(dtls) = &mut self.dtls {
            match dtls.poll_timeout(&server) {
                Some(at) if at <= now => {
                    if let Err(error) = dtls.handle_timeout(server, now) {
                        self.failed = Some(error.to_string());
                    }
                    self.drain_dtls(now);
                }
                None if self.resend_at <= now => {
                    self.resend_at = now + Duration::from_millis(400);
                    let from = self.addresses[0];
                    self.out.extend(self.last_flight.iter().map(|d| (from, d.clone())));
                }
                _ => {}
            }
        }
    }

    pub fn receive(&mut self, now: Instant, at: SocketAddr, bytes: Vec<u8>) {
        match bytes.first() {
            Some(0..=3) => self.on_stun(now, at, bytes),
            Some(20..=63) => self.on_dtls(now, &bytes),
            _ => self.on_media(at, bytes),
        }
    }

    fn on_media(&mut self, at: SocketAddr, mut bytes: Vec<u8>) {
        let Some((inbound, _)) = &mut self.keys else { return };
        // RFC 5761 §4
        let is_rtcp = bytes.get(1).is_some_and(|kind| (192..=223).contains(kind));
        if is_rtcp {
            self.rtcp.extend(inbound.open_rtcp(&mut bytes).ok().map(<[u8]>::to_vec));
        } else {
            self.rtp.extend(inbound.open_rtp(&mut bytes).ok().map(|rtp| (at, rtp.to_vec())));
        }
    }

    /// A connectivity check as a browser sends it.
    pub fn check(&self, nominate: bool) -> Vec<u8> {
        let ice = &self.answer.as_ref().unwrap().ice;
        check(&format!("{}:{}", ice.ufrag, self.ufrag), &ice.pwd, nominate)
    }

    fn on_stun(&mut self, now: Instant, at: SocketAddr, bytes: Vec<u8>) {
        let pwd = self.answer.as_ref().unwrap().ice.pwd.clone();
        let mut reply = Message { raw: bytes, ..Message::default() };
        reply.decode().unwrap();
        assert_eq!(reply.typ, BINDING_SUCCESS);
        // An answer under credentials of before a restart counts for nothing.
        if MessageIntegrity::check(&mut reply, pwd.as_bytes(), self.crypto.crypto()).is_err() {
            return;
        }
        FINGERPRINT.check(&reply).unwrap();
        let mut mapped = XorMappedAddress::default();
        mapped.get_from_as(&reply, rtc_stun::attributes::ATTR_XORMAPPED_ADDRESS).unwrap();
        assert_eq!(SocketAddr::new(mapped.ip, mapped.port), at);
        if !self.confirmed.contains(&at) {
            self.confirmed.push(at);
        }
        self.check_interval = CONSENT;
        if self.dtls.is_none() {
            self.start_dtls(now);
        }
    }

    fn start_dtls(&mut self, now: Instant) {
        let expected = self.answer.as_ref().unwrap().fingerprint;
        let is_the_server = move |chain: &[Vec<u8>], _: &[_]| {
            let same = chain.first().is_some_and(|der| fingerprint_of(der) == expected);
            if same { Ok(()) } else { Err(Error::Other("another certificate".to_owned())) }
        };
        let config = ConfigBuilder::default()
            .with_crypto_provider(Arc::clone(&self.crypto))
            .with_certificates(vec![self.certificate.clone()])
            .with_srtp_protection_profiles(self.profiles.clone())
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .with_insecure_skip_verify(true)
            .with_verify_peer_certificate(Some(Arc::new(is_the_server)))
            .with_flight_interval(Duration::from_millis(400))
            // Smaller than any ClientHello, so that it comes in fragments.
            .with_mtu(100)
            .with_server_name("signalbox".to_owned())
            .build(true, None)
            .unwrap();
        let mut dtls = Endpoint::new(self.addresses[0], TransportProtocol::UDP, None);
        dtls.connect(now, crate::sim::server_address(), Arc::new(config), None).unwrap();
        self.dtls = Some(dtls);
        self.drain_dtls(now);
    }

    fn on_dtls(&mut self, now: Instant, bytes: &[u8]) {
        let Some(dtls) = &mut self.dtls else { return };
        match dtls.read(now, crate::sim::server_address(), None, BytesMut::from(bytes)) {
            Ok(events) => {
                for event in events {
                    match event {
                        EndpointEvent::HandshakeComplete => self.on_complete(),
                        EndpointEvent::PeerClosed => self.closed = true,
                        _ => {}
                    }
                }
            }
            Err(error) if self.keys.is_none() => self.failed = Some(error.to_string()),
            Err(_) => {}
        }
        self.drain_dtls(now);
    }

    fn on_complete(&mut self) {
        let dtls = self.dtls.as_ref().unwrap();
        let state = dtls.get_connection_state(crate::sim::server_address()).unwrap();
        let profile = match state.srtp_protection_profile() {
            OnTheWire::Srtp_Aes128_Cm_Hmac_Sha1_80 => Profile::Aes128CmHmacSha1_80,
            OnTheWire::Srtp_Aead_Aes_128_Gcm => Profile::AeadAes128Gcm,
            OnTheWire::Srtp_Aead_Aes_256_Gcm => Profile::AeadAes256Gcm,
            other => panic!("{other:?}"),
        };
        let exported =
            state.export_keying_material("EXTRACTOR-dtls_srtp", &[], profile.exported_len()).unwrap();
        self.keys = srtp::pair(profile, DtlsRole::Client, exported.as_ref());
        self.profile = Some(profile);
    }

    fn drain_dtls(&mut self, now: Instant) {
        let Some(dtls) = &mut self.dtls else { return };
        let mut flight = Vec::new();
        while let Some(datagram) = dtls.poll_transmit() {
            flight.push(datagram.message.to_vec());
        }
        if !flight.is_empty() {
            let from = self.addresses[0];
            self.out.extend(flight.iter().map(|d| (from, d.clone())));
            self.last_flight = flight;
            self.resend_at = now + Duration::from_millis(400);
        }
    }
}

/// A connectivity check with any credentials.
pub fn check(username: &str, pwd: &str, nominate: bool) -> Vec<u8> {
    let crypto = AwsLcRsProvider::new();
    let attribute = |typ, value: &[u8]| RawAttribute { typ, value: value.to_vec(), length: 0 };
    let mut setters: Vec<Box<dyn Setter + '_>> = vec![
        Box::new(BINDING_REQUEST),
        Box::new(TransactionId::new()),
        Box::new(attribute(ATTR_USERNAME, username.as_bytes())),
        Box::new(attribute(ATTR_ICE_CONTROLLING, &7u64.to_be_bytes())),
        Box::new(attribute(ATTR_PRIORITY, &9u32.to_be_bytes())),
    ];
    if nominate {
        setters.push(Box::new(attribute(ATTR_USE_CANDIDATE, &[])));
    }
    setters.push(Box::new(MessageIntegrity::new_short_term_integrity_with_provider(
        pwd.to_owned(),
        crypto.crypto(),
    )));
    setters.push(Box::new(FINGERPRINT));
    let mut message = Message::new();
    message.build(&setters).unwrap();
    message.raw
}

fn fingerprint_of(der: &[u8]) -> Fingerprint {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
    Fingerprint(digest.as_ref().try_into().unwrap())
}
