//! Secures RTP and RTCP in place.
//!
//! in:  plaintext packets to send, received packets, keys exported from DTLS
//! out: protected packets; plaintext of packets that are authentic and not replayed
//!
//! ```text
//!   DTLS exporter ── kdf ──► cipher ◄── index (ROC, replay) ◄── header (SSRC, sequence number)
//! ```
//!
//! RFC 3711 (SRTP), RFC 7714 (AES-GCM), RFC 5764 §4.2 (keys from DTLS). After the first packet of
//! an SSRC nothing here allocates, except that a `Vec` without room for the tag grows.
//!
//! Left out on purpose: MKI and re-keying (WebRTC uses neither), unencrypted SRTCP (E = 0 is
//! refused), key derivation rates other than 0.

mod cipher;
mod header;
mod index;
mod kdf;

use std::fmt;
use std::sync::Arc;

use crate::units::Ssrc;
use cipher::Cipher;
use index::{Streams, Window, nearest};
use kdf::Use;

/// SSRCs one direction of one association may use; each costs the receiver 160 bytes. A browser
/// needs two per track, so this is generous. When full, further SSRCs are refused: forgetting an
/// older one would open its packets to replay.
const MAX_SSRCS: usize = 64;

/// SRTCP numbers packets with 31 bits, RFC 3711 §3.4.
const MAX_SRTCP_INDEX: u32 = 0x7fff_ffff;
/// Bytes of that number and the E bit.
const RTCP_INDEX: usize = 4;

/// Protection profiles we implement, RFC 5764 §4.1.2 and RFC 7714 §14.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// `SRTP_AEAD_AES_128_GCM`
    AeadAes128Gcm,
    /// `SRTP_AEAD_AES_256_GCM`
    AeadAes256Gcm,
    /// `SRTP_AES128_CM_HMAC_SHA1_80`
    Aes128CmHmacSha1_80,
}

impl Profile {
    /// Bytes of a master key.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::Aes128CmHmacSha1_80 => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    /// Bytes of a master salt.
    #[must_use]
    pub const fn salt_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
            Self::Aes128CmHmacSha1_80 => 14,
        }
    }

    /// Bytes to export from DTLS for both directions.
    #[must_use]
    pub const fn exported_len(self) -> usize {
        2 * (self.key_len() + self.salt_len())
    }

    /// Bytes of the authentication tag.
    #[must_use]
    pub const fn tag_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
            Self::Aes128CmHmacSha1_80 => 10,
        }
    }
}

/// Which end of the DTLS association we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DtlsRole {
    /// Sent the ClientHello.
    Client,
    /// Answered it.
    Server,
}

/// Why a packet is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Too short, wrong version, or an extension that reaches beyond the end.
    #[error("malformed packet")]
    Malformed,
    /// The tag does not fit.
    #[error("authentication failed")]
    Unauthenticated,
    /// Seen before, or older than the replay window.
    #[error("replayed packet")]
    Replayed,
    /// One more SSRC than an association may use.
    #[error("too many SSRCs")]
    TooManySsrcs,
    /// All packet numbers of this key are used.
    #[error("key exhausted")]
    KeyExhausted,
}

/// Both directions of one association, keyed from a DTLS exporter (RFC 5764 §4.2).
///
/// `None` when `exported` is not [`Profile::exported_len`] bytes.
#[must_use]
pub fn pair(profile: Profile, role: DtlsRole, exported: &[u8]) -> Option<(Inbound, Outbound)> {
    if exported.len() != profile.exported_len() {
        return None;
    }
    let (keys, salts) = exported.split_at_checked(2 * profile.key_len())?;
    let (client_key, server_key) = keys.split_at_checked(profile.key_len())?;
    let (client_salt, server_salt) = salts.split_at_checked(profile.salt_len())?;
    let (here, there) = match role {
        DtlsRole::Client => ((client_key, client_salt), (server_key, server_salt)),
        DtlsRole::Server => ((server_key, server_salt), (client_key, client_salt)),
    };
    Some((Inbound::new(profile, there.0, there.1)?, Outbound::new(profile, here.0, here.1)?))
}

/// Opens what the other end protects.
#[derive(Debug)]
pub struct Inbound {
    rtp: Cipher,
    rtcp: Cipher,
    rtp_streams: Streams<Window>,
    rtcp_streams: Streams<Window>,
}

impl Inbound {
    /// `None` when key or salt do not have the profile's length.
    #[must_use]
    pub fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Option<Self> {
        Some(Self {
            rtp: Cipher::derive(profile, Use::Rtp, key, salt)?,
            rtcp: Cipher::derive(profile, Use::Rtcp, key, salt)?,
            rtp_streams: Streams::new(MAX_SSRCS),
            rtcp_streams: Streams::new(MAX_SSRCS),
        })
    }

    /// Decrypts an SRTP packet in place.
    ///
    /// # Errors
    /// The packet is not authentic or not new; its bytes are then worthless.
    pub fn open_rtp<'b>(&mut self, packet: &'b mut [u8]) -> Result<&'b [u8], Refusal> {
        let header = header::parse_rtp(packet).ok_or(Refusal::Malformed)?;
        let known = self.rtp_streams.find(header.ssrc);
        let window = self.rtp_streams.at(known);
        // A packet "before" the first one has no index and cannot be authentic.
        let index = nearest(window.map(Window::highest), header.seq).ok_or(Refusal::Replayed)?;
        if window.is_some_and(|w| !w.is_new(index)) {
            return Err(Refusal::Replayed);
        }
        if known.is_none() && self.rtp_streams.is_full() {
            return Err(Refusal::TooManySsrcs);
        }
        let len = self.rtp.open_rtp(header.ssrc, index, packet, header.len)?;
        match self.rtp_streams.at_mut(known) {
            Some(window) => window.accept(index),
            None => self.rtp_streams.insert(header.ssrc, Window::starting_at(index)),
        }
        packet.get(..len).ok_or(Refusal::Malformed)
    }

    /// Decrypts an SRTCP packet in place.
    ///
    /// # Errors
    /// The packet is not authentic or not new; its bytes are then worthless.
    pub fn open_rtcp<'b>(&mut self, packet: &'b mut [u8]) -> Result<&'b [u8], Refusal> {
        let ssrc = header::parse_rtcp(packet).ok_or(Refusal::Malformed)?;
        let index = self.rtcp.srtcp_index(packet).ok_or(Refusal::Malformed)?;
        let known = self.rtcp_streams.find(ssrc);
        if self.rtcp_streams.at(known).is_some_and(|w| !w.is_new(u64::from(index))) {
            return Err(Refusal::Replayed);
        }
        if known.is_none() && self.rtcp_streams.is_full() {
            return Err(Refusal::TooManySsrcs);
        }
        let len = self.rtcp.open_rtcp(ssrc, index, packet)?;
        match self.rtcp_streams.at_mut(known) {
            Some(window) => window.accept(u64::from(index)),
            None => self.rtcp_streams.insert(ssrc, Window::starting_at(u64::from(index))),
        }
        packet.get(..len).ok_or(Refusal::Malformed)
    }
}

/// Protects what we send.
///
/// Sealing one packet twice gives the same bytes. Two *different* packets must never carry the same
/// SSRC and extended sequence number: with AES-GCM that gives the key away (RFC 7714 §10.1).
#[derive(Debug)]
pub struct Outbound {
    rtp: Cipher,
    /// The same for those who protect packets that were numbered here; made when somebody does. A copy, so that the way of
    /// everybody else's packets has no pointer more.
    lent: Option<Sealer>,
    keys: Keys,
    rtcp: Cipher,
    /// Highest index per SSRC, for the roll-over counter.
    streams: Streams<u64>,
    /// One counter for all SSRCs: unique for each, which is what RFC 3711 §3.2.1 asks for.
    next_srtcp_index: u32,
}

/// The index of one RTP packet, given out by the one [`Outbound`] that counts its SSRC. Protecting the packet uses it up.
#[derive(Debug)]
pub(crate) struct Numbered {
    ssrc: Ssrc,
    index: u64,
    /// Bytes of its header, which stay in the clear.
    clear: usize,
}

/// Protects packets that have their number already, on any thread.
#[derive(Clone, Debug)]
pub(crate) struct Sealer(Arc<Cipher>);

impl Sealer {
    /// Protects the packet that `number` was given for, as [`Outbound::seal_rtp_into`] does.
    pub(crate) fn seal_rtp_into(
        &self,
        number: Numbered,
        head: &[u8],
        rest: &[u8],
        out: &mut [u8],
    ) -> Result<usize, Refusal> {
        seal_into(&self.0, &number, head, rest, out)
    }

    /// Bytes by which an RTP packet grows.
    pub(crate) fn rtp_overhead(&self) -> usize {
        self.0.tag_len()
    }
}

/// What ciphers are made of.
struct Keys {
    profile: Profile,
    key: Vec<u8>,
    salt: Vec<u8>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("profile", &self.profile).finish_non_exhaustive()
    }
}

fn seal_into(
    cipher: &Cipher,
    number: &Numbered,
    head: &[u8],
    rest: &[u8],
    out: &mut [u8],
) -> Result<usize, Refusal> {
    let len = head.len() + rest.len() + cipher.tag_len();
    let out = out.get_mut(..len).ok_or(Refusal::Malformed)?;
    cipher.seal_rtp_into(number.ssrc, number.index, (head, number.clear), rest, out)?;
    Ok(len)
}

impl Outbound {
    /// `None` when key or salt do not have the profile's length.
    #[must_use]
    pub fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Option<Self> {
        Some(Self {
            rtp: Cipher::derive(profile, Use::Rtp, key, salt)?,
            lent: None,
            keys: Keys { profile, key: key.to_vec(), salt: salt.to_vec() },
            rtcp: Cipher::derive(profile, Use::Rtcp, key, salt)?,
            streams: Streams::new(MAX_SSRCS),
            next_srtcp_index: 0,
        })
    }

    /// Protects an RTP packet, which grows by the tag.
    ///
    /// # Errors
    /// The packet is not RTP, or the association has no number for it.
    pub fn seal_rtp(&mut self, packet: &mut Vec<u8>) -> Result<(), Refusal> {
        let number = self.number(packet)?;
        self.rtp.seal_rtp(number.ssrc, number.index, packet, number.clear)
    }

    /// Protects an RTP packet out of place: `head` (the whole header, and what of the payload is only this receiver's)
    /// followed by `rest` (what others receive too) goes to the front of `out`; gives its length there.
    ///
    /// # Errors
    /// `head` is not the beginning of RTP, `out` is too short, or the association has no number for the packet.
    pub fn seal_rtp_into(&mut self, head: &[u8], rest: &[u8], out: &mut [u8]) -> Result<usize, Refusal> {
        let number = self.number(head)?;
        seal_into(&self.rtp, &number, head, rest, out)
    }

    /// Gives an RTP packet that begins with `head` its number. Whoever protects it with a [`Sealer`] needs nothing else of
    /// this value, so packets are counted in one place, wherever they are protected.
    pub(crate) fn number(&mut self, head: &[u8]) -> Result<Numbered, Refusal> {
        let header = header::parse_rtp(head).ok_or(Refusal::Malformed)?;
        let known = self.streams.find(header.ssrc);
        let highest = self.streams.at(known).copied();
        let index = nearest(highest, header.seq).ok_or(Refusal::KeyExhausted)?;
        if known.is_none() && self.streams.is_full() {
            return Err(Refusal::TooManySsrcs);
        }
        match self.streams.at_mut(known) {
            Some(highest) => *highest = index.max(*highest),
            None => self.streams.insert(header.ssrc, index),
        }
        Ok(Numbered { ssrc: header.ssrc, index, clear: header.len })
    }

    /// For packets that [`Self::number`] has counted. `None` never: the keys were good for the cipher here.
    pub(crate) fn sealer(&mut self) -> Option<Sealer> {
        if self.lent.is_none() {
            let Keys { profile, key, salt } = &self.keys;
            let cipher = Cipher::derive(*profile, Use::Rtp, key, salt)?;
            self.lent = Some(Sealer(Arc::new(cipher)));
        }
        self.lent.clone()
    }

    /// Bytes by which an RTP packet grows.
    #[must_use]
    pub fn rtp_overhead(&self) -> usize {
        self.rtp.tag_len()
    }

    /// Bytes by which an RTCP packet grows.
    #[must_use]
    pub fn rtcp_overhead(&self) -> usize {
        self.rtcp.tag_len() + RTCP_INDEX
    }

    /// Protects an RTCP compound packet, which grows by the index word and the tag.
    ///
    /// # Errors
    /// The packet is not RTCP, or the association has no number for it.
    pub fn seal_rtcp(&mut self, packet: &mut Vec<u8>) -> Result<(), Refusal> {
        let ssrc: Ssrc = header::parse_rtcp(packet).ok_or(Refusal::Malformed)?;
        let index = self.next_srtcp_index;
        if index > MAX_SRTCP_INDEX {
            return Err(Refusal::KeyExhausted);
        }
        self.rtcp.seal_rtcp(ssrc, index, packet)?;
        self.next_srtcp_index = index.saturating_add(1);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
