//! Answers connectivity checks: an ICE-lite agent (RFC 8445 §2.5) without timers.
//!
//! in:  STUN binding requests of a full, controlling agent
//! out: the answers, and whether a check is authentic and nominates its address
//!
//! A lite agent sends no checks of its own. It learns the peer's addresses from authenticated
//! checks alone, so candidates in the SDP are not needed.

use std::net::SocketAddr;

use aws_lc_rs::rand;
use bytes::Bytes;
use rtc_crypto::RTCCrypto;
use rtc_stun::attributes::{ATTR_ICE_CONTROLLED, ATTR_MESSAGE_INTEGRITY, ATTR_USE_CANDIDATE, ATTR_USERNAME};
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{BINDING_REQUEST, BINDING_SUCCESS, Message};
use rtc_stun::xoraddr::XorMappedAddress;

use super::{DropReason, LocalIce, RemoteIce};

/// Checks have about 100 bytes; a USERNAME of full length needs 600.
const MAX_CHECK: usize = 1024;
const STUN_HEADER: usize = 20;

/// RFC 8445 §5.3 asks for 24 and 128 random bits; a character carries 6.
const UFRAG_CHARS: usize = 8;
const PWD_CHARS: usize = 24;
const ICE_CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Our user name fragment; names a peer on the port it shares with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ufrag([u8; UFRAG_CHARS]);

/// What one negotiation agreed on.
struct Credentials {
    ufrag: Ufrag,
    pwd: [u8; PWD_CHARS],
    remote_ufrag: String,
}

/// The ICE side of one peer.
pub(super) struct Ice {
    current: Credentials,
    /// Those before a restart, valid until the peer uses the new ones (RFC 8445 §9).
    previous: Option<Credentials>,
    /// The peer has used the current ones.
    current_in_use: bool,
}

/// A binding request that is well-formed but not yet authentic.
pub(super) struct Check {
    message: Message,
    local: Ufrag,
    remote_at: usize,
    username: Vec<u8>,
    /// The peer wants its media here.
    pub(super) nominates: bool,
}

impl Ice {
    /// Makes credentials for a new negotiation, with a name that is not taken.
    pub(super) fn new(remote: RemoteIce, is_taken: impl Fn(&Ufrag) -> bool) -> Self {
        Self { current: Credentials::new(remote, is_taken), previous: None, current_in_use: false }
    }

    /// Makes new credentials; returns a name that is valid no more.
    pub(super) fn restart(&mut self, remote: RemoteIce, is_taken: impl Fn(&Ufrag) -> bool) -> Option<Ufrag> {
        let before = std::mem::replace(&mut self.current, Credentials::new(remote, is_taken));
        let forgotten = if std::mem::take(&mut self.current_in_use) {
            self.previous.replace(before)
        } else {
            Some(before)
        };
        forgotten.map(|credentials| credentials.ufrag)
    }

    /// The name checks have to carry now.
    pub(super) fn ufrag(&self) -> Ufrag {
        self.current.ufrag
    }

    /// All names checks may carry.
    pub(super) fn ufrags(&self) -> impl Iterator<Item = Ufrag> {
        std::iter::once(&self.current).chain(&self.previous).map(|c| c.ufrag)
    }

    /// For our SDP.
    pub(super) fn local(&self) -> LocalIce {
        LocalIce { ufrag: as_text(&self.current.ufrag.0), pwd: as_text(&self.current.pwd) }
    }

    /// Answers a check if it is authentic. `None`: it is not, and gets no answer.
    pub(super) fn answer(
        &self,
        check: &mut Check,
        from: SocketAddr,
        crypto: &dyn RTCCrypto,
    ) -> Option<Bytes> {
        let credentials = self.named(check.local)?;
        let remote = check.username.get(check.remote_at..)?;
        if remote != credentials.remote_ufrag.as_bytes() || FINGERPRINT.check(&check.message).is_err() {
            return None;
        }
        MessageIntegrity::check(&mut check.message, &credentials.pwd, crypto).ok()?;
        let mut reply = Message::new();
        reply
            .build(&[
                Box::new(BINDING_SUCCESS),
                Box::new(check.message.transaction_id),
                Box::new(XorMappedAddress { ip: from.ip().to_canonical(), port: from.port() }),
                Box::new(MessageIntegrity::new_raw_integrity_with_provider(credentials.pwd, crypto)),
                Box::new(FINGERPRINT),
            ])
            .ok()?;
        Some(Bytes::from(reply.raw))
    }

    /// Notes that a check was authentic; returns the name before a restart once it is not needed.
    pub(super) fn on_authentic(&mut self, check: &Check) -> Option<Ufrag> {
        if check.local != self.current.ufrag {
            return None;
        }
        self.current_in_use = true;
        self.previous.take_if(|_| check.nominates).map(|credentials| credentials.ufrag)
    }

    fn named(&self, ufrag: Ufrag) -> Option<&Credentials> {
        std::iter::once(&self.current).chain(&self.previous).find(|c| c.ufrag == ufrag)
    }
}

impl Credentials {
    fn new(remote: RemoteIce, is_taken: impl Fn(&Ufrag) -> bool) -> Self {
        let mut ufrag = Ufrag(random_chars());
        while is_taken(&ufrag) {
            ufrag = Ufrag(random_chars());
        }
        Self { ufrag, pwd: random_chars(), remote_ufrag: remote.ufrag }
    }
}

impl Check {
    /// Reads a binding request.
    pub(super) fn parse(datagram: &[u8]) -> Result<Self, DropReason> {
        let declared = match *datagram {
            [_, _, l0, l1, ..] => usize::from(u16::from_be_bytes([l0, l1])),
            _ => return Err(DropReason::StunMalformed),
        };
        if datagram.len() > MAX_CHECK || datagram.len() != STUN_HEADER + declared {
            return Err(DropReason::StunMalformed);
        }
        let mut message = Message { raw: datagram.to_vec(), ..Message::default() };
        message.decode().map_err(|_| DropReason::StunMalformed)?;
        if message.typ != BINDING_REQUEST {
            return Err(DropReason::StunNotACheck);
        }

        // What follows MESSAGE-INTEGRITY is not covered by it and does not count (RFC 8489 §14.5).
        let covered = || message.attributes.0.iter().take_while(|a| a.typ != ATTR_MESSAGE_INTEGRITY);
        // An agent that is controlled as well has misread our `a=ice-lite`.
        if covered().any(|a| a.typ == ATTR_ICE_CONTROLLED) {
            return Err(DropReason::StunNotACheck);
        }
        let nominates = covered().any(|a| a.typ == ATTR_USE_CANDIDATE);
        let username = covered().find(|a| a.typ == ATTR_USERNAME).ok_or(DropReason::StunNotACheck)?;
        let username = username.value.clone();
        let local = match username.split_first_chunk() {
            Some((local, [b':', ..])) => Ufrag(*local),
            _ => return Err(DropReason::StunUnknownUfrag),
        };
        Ok(Self { message, local, remote_at: UFRAG_CHARS + 1, username, nominates })
    }

    /// Whom it is for.
    pub(super) fn local(&self) -> Ufrag {
        self.local
    }
}

fn random_chars<const N: usize>() -> [u8; N] {
    let mut chars = [0; N];
    rand::fill(&mut chars).expect("the system has randomness");
    for char in &mut chars {
        *char = ICE_CHARS.get(usize::from(*char & 63)).copied().unwrap_or(b'A');
    }
    chars
}

fn as_text(chars: &[u8]) -> String {
    chars.iter().copied().map(char::from).collect()
}
