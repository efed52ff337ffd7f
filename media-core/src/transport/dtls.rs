//! The DTLS association of one peer: we are the server, for life.
//!
//! in:  datagrams from addresses that ICE has validated, time
//! out: flights to send, SRTP keys, the end
//!
//! ```text
//!   AwaitingHello ──ClientHello──► Handshaking ──Finished──► Connected ──close_notify──► Over
//!                                       └──────── failure, 30 s ───────────────────────────▲
//! ```
//!
//! `rtc-dtls` knows the peer by one made-up address, so that an association survives every change
//! of path and every ICE restart. Its own retransmission is not used: its timer stops for good when
//! a flight arrives in part, and ends the handshake after 1.6 s of silence. Instead our last flight
//! is sent again as it was (RFC 6347 §4.2.4); what the client has seen of it, it takes for a replay.
//! Once connected, the library answers a client that repeats its own last flight.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_dtls::state::State as Negotiated;
use rtc_shared::TransportProtocol;
use rtc_shared::error::Error;

use super::client_hello::HelloBuffer;
use super::dtls_gate::Gate;
use super::identity::{Identity, fingerprint_of};
use super::{DropReason, Fingerprint};
use crate::srtp::{self, DtlsRole, Inbound, Outbound, Profile};

/// The one address under which the library knows the peer.
const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 1);

/// A lost flight is sent again after this time, then after twice as long each …
const FIRST_RESEND: Duration = Duration::from_millis(200);
/// … up to this.
const SLOWEST_RESEND: Duration = Duration::from_millis(3200);
/// From the ClientHello to the end; browsers give up at about the same time.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(30);

/// How often our last flight is repeated without being asked: clients built on `rtc-dtls` can lose
/// the timer with which they would ask. To all others it is a replay.
const LAST_FLIGHT_RESENDS: u8 = 5;

/// RFC 5764 §4.2.
const EXPORTER_LABEL: &str = "EXTRACTOR-dtls_srtp";

/// One association.
pub(super) struct Dtls {
    peer: Fingerprint,
    gate: Gate,
    /// Data channels were negotiated.
    data: bool,
    /// What came for them; at most what one datagram holds.
    received: Vec<BytesMut>,
    state: State,
}

enum State {
    AwaitingHello(HelloBuffer),
    Handshaking { endpoint: Box<Endpoint>, flight: Flight, give_up_at: Instant },
    Connected { endpoint: Box<Endpoint>, flight: Flight, resends_left: u8 },
    Over,
}

/// What we sent last and expect an answer to.
struct Flight {
    datagrams: Vec<Bytes>,
    resend_at: Instant,
    interval: Duration,
}

/// What came of a datagram or of time passing.
pub(super) enum Outcome {
    Nothing,
    Keyed { profile: Profile, keys: Box<(Inbound, Outbound)> },
    Closed,
    Failed(String),
}

impl Dtls {
    /// Waits for the ClientHello of the peer with this certificate.
    pub(super) fn new(peer: Fingerprint) -> Self {
        Self {
            peer,
            gate: Gate::default(),
            data: false,
            received: Vec::new(),
            state: State::AwaitingHello(HelloBuffer::default()),
        }
    }

    /// Reads a datagram; what is to be sent is added to `out`.
    pub(super) fn read(
        &mut self,
        now: Instant,
        identity: &Identity,
        datagram: &[u8],
        out: &mut Vec<Bytes>,
    ) -> Result<Outcome, DropReason> {
        self.gate.admit(datagram, matches!(self.state, State::Connected { .. }), self.data)?;
        match &mut self.state {
            State::AwaitingHello(buffer) => {
                let Some(hello) = buffer.push(datagram)? else { return Ok(Outcome::Nothing) };
                let config = match identity.server_config(hello.profile, self.peer) {
                    Ok(config) => config,
                    Err(error) => return Ok(self.fail(&error)),
                };
                self.state = State::Handshaking {
                    endpoint: Box::new(Endpoint::new(PEER, TransportProtocol::UDP, Some(config))),
                    flight: Flight::none(now),
                    give_up_at: now + HANDSHAKE_LIMIT,
                };
                for datagram in &hello.datagrams {
                    let outcome = self.feed(now, datagram, out);
                    if !matches!(outcome, Outcome::Nothing) {
                        return Ok(outcome);
                    }
                }
                Ok(Outcome::Nothing)
            }
            State::Handshaking { .. } | State::Connected { .. } => Ok(self.feed(now, datagram, out)),
            State::Over => Err(DropReason::DtlsOver),
        }
    }

    /// Takes data of the peer from now on.
    pub(super) fn expect_data(&mut self) {
        self.data = true;
    }

    /// What came for data channels with the last datagram.
    pub(super) fn take_data(&mut self) -> Vec<BytesMut> {
        std::mem::take(&mut self.received)
    }

    /// Protects data; what is to be sent is added to `out`. Nothing is, without keys.
    pub(super) fn send_data(&mut self, now: Instant, data: &[u8], out: &mut Vec<Bytes>) {
        let State::Connected { endpoint, .. } = &mut self.state else { return };
        // It fails only when the numbers of records are used up, after 2⁴⁸ of them.
        let _ = endpoint.write(now, PEER, data);
        drain(endpoint, out);
    }

    /// When [`Self::handle_timeout`] has something to do; `None` from seconds after completion on.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Handshaking { flight, give_up_at, .. } => Some(flight.resend_at.min(*give_up_at)),
            State::Connected { flight, resends_left: 1.., .. } => Some(flight.resend_at),
            State::AwaitingHello(_) | State::Connected { .. } | State::Over => None,
        }
    }

    /// Sends the last flight again, or gives up.
    pub(super) fn handle_timeout(&mut self, now: Instant, out: &mut Vec<Bytes>) -> Outcome {
        match &mut self.state {
            State::Handshaking { give_up_at, .. } if now >= *give_up_at => {
                self.fail(&"the handshake was not completed in time")
            }
            State::Handshaking { flight, .. } => {
                flight.resend_if_due(now, out);
                Outcome::Nothing
            }
            State::Connected { flight, resends_left: left @ 1.., .. } => {
                if flight.resend_if_due(now, out) {
                    *left -= 1;
                }
                Outcome::Nothing
            }
            State::AwaitingHello(_) | State::Connected { .. } | State::Over => Outcome::Nothing,
        }
    }

    /// Says goodbye.
    pub(super) fn close(&mut self, now: Instant, out: &mut Vec<Bytes>) {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Handshaking { mut endpoint, .. } | State::Connected { mut endpoint, .. } => {
                endpoint.stop(now, PEER);
                drain(&mut endpoint, out);
            }
            State::AwaitingHello(_) | State::Over => {}
        }
    }

    /// Lets the library read a datagram.
    fn feed(&mut self, now: Instant, datagram: &[u8], out: &mut Vec<Bytes>) -> Outcome {
        let (State::Handshaking { endpoint, .. } | State::Connected { endpoint, .. }) = &mut self.state
        else {
            return Outcome::Nothing;
        };
        let read = endpoint.read(now, PEER, None, BytesMut::from(datagram));
        let already_out = out.len();
        drain(endpoint, out);
        let sent = out.get(already_out..).unwrap_or_default();
        match read {
            Ok(events) => {
                if let State::Handshaking { flight, .. } = &mut self.state
                    && !sent.is_empty()
                {
                    flight.replace(now, sent);
                }
                events.into_iter().map(|event| self.on_event(event)).fold(Outcome::Nothing, Outcome::or)
            }
            Err(error) => self.on_error(&error),
        }
    }

    fn on_event(&mut self, event: EndpointEvent) -> Outcome {
        match event {
            EndpointEvent::HandshakeComplete => self.on_complete(),
            EndpointEvent::PeerClosed => {
                self.state = State::Over;
                Outcome::Closed
            }
            EndpointEvent::ApplicationData(data) => {
                self.received.push(data);
                Outcome::Nothing
            }
            _ => Outcome::Nothing,
        }
    }

    fn on_complete(&mut self) -> Outcome {
        let State::Handshaking { endpoint, flight, .. } = std::mem::replace(&mut self.state, State::Over)
        else {
            return Outcome::Nothing;
        };
        let keyed = match endpoint.get_connection_state(PEER) {
            Some(negotiated) => keys_from(negotiated, self.peer),
            None => Err("the library has lost the association".to_owned()),
        };
        match keyed {
            Ok((profile, keys)) => {
                self.state = State::Connected { endpoint, flight, resends_left: LAST_FLIGHT_RESENDS };
                Outcome::Keyed { profile, keys: Box::new(keys) }
            }
            Err(why) => Outcome::Failed(why),
        }
    }

    fn on_error(&mut self, error: &Error) -> Outcome {
        match (&self.state, error) {
            // The library drops what is not authentic of a complete association, except a
            // malformed or repeated handshake record, which cannot harm it.
            (State::Connected { .. }, error) if *error != Error::ErrAlertFatalOrClose => Outcome::Nothing,
            _ => self.fail(error),
        }
    }

    fn fail(&mut self, why: &dyn fmt::Display) -> Outcome {
        self.state = State::Over;
        Outcome::Failed(why.to_string())
    }
}

impl Outcome {
    /// The later of two, unless nothing came of it.
    fn or(self, later: Self) -> Self {
        if matches!(later, Self::Nothing) { self } else { later }
    }
}

impl Flight {
    fn none(now: Instant) -> Self {
        Self { datagrams: Vec::new(), resend_at: now + FIRST_RESEND, interval: FIRST_RESEND }
    }

    fn replace(&mut self, now: Instant, datagrams: &[Bytes]) {
        *self = Self { datagrams: datagrams.to_vec(), ..Self::none(now) };
    }

    fn resend_if_due(&mut self, now: Instant, out: &mut Vec<Bytes>) -> bool {
        let due = now >= self.resend_at;
        if due {
            out.extend_from_slice(&self.datagrams);
            self.interval = (self.interval * 2).min(SLOWEST_RESEND);
            self.resend_at = now + self.interval;
        }
        due
    }
}

fn drain(endpoint: &mut Endpoint, out: &mut Vec<Bytes>) {
    while let Some(datagram) = endpoint.poll_transmit() {
        out.push(datagram.message.freeze());
    }
}

/// SRTP keys of a complete handshake.
fn keys_from(negotiated: &Negotiated, peer: Fingerprint) -> Result<(Profile, (Inbound, Outbound)), String> {
    // Checked during the handshake already; repeated because everything rests on it.
    if negotiated.peer_certificates.first().map(|der| fingerprint_of(der)) != Some(peer) {
        return Err("the certificate is not the one in the SDP".to_owned());
    }
    let profile = match negotiated.srtp_protection_profile() {
        SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => Profile::AeadAes128Gcm,
        SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm => Profile::AeadAes256Gcm,
        SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => Profile::Aes128CmHmacSha1_80,
        SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_32 | SrtpProtectionProfile::Unsupported | _ => {
            return Err("no SRTP profile in common".to_owned());
        }
    };
    let exported = negotiated
        .export_keying_material(EXPORTER_LABEL, &[], profile.exported_len())
        .map_err(|error| error.to_string())?;
    let keys = srtp::pair(profile, DtlsRole::Server, exported.as_ref());
    keys.map(|keys| (profile, keys)).ok_or_else(|| "the exported keys are too short".to_owned())
}
