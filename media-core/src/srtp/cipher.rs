//! The cryptographic transforms: AES-GCM (RFC 7714) and AES-CM with HMAC-SHA1 (RFC 3711 §4).
//!
//! in:  a packet, its SSRC and index
//! out: the packet, protected or opened in place

use std::fmt;

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;

use super::kdf::{Label, Use, derive};
use super::{Profile, Refusal};
use crate::units::Ssrc;

/// RTCP header and sender SSRC stay in the clear, RFC 3711 §3.4.
const RTCP_CLEAR: usize = 8;
/// The E bit and the SRTCP index.
const INDEX_WORD: usize = 4;
const ENCRYPTED: u32 = 1 << 31;
/// A tag of HMAC-SHA1 cut to 80 bits.
const CM_TAG: usize = 10;
const GCM_TAG: usize = 16;

/// Session keys of one direction, for SRTP or for SRTCP.
pub(super) enum Cipher {
    Gcm {
        key: LessSafeKey,
        salt: [u8; 12],
    },
    /// Boxed: the state of HMAC is 1.7 kB, which peers with GCM should not pay.
    CmSha1(Box<CmSha1>),
}

pub(super) struct CmSha1 {
    key: EncryptingKey,
    auth: hmac::Key,
    salt: [u8; 14],
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gcm { .. } => "Gcm",
            Self::CmSha1(_) => "CmSha1",
        })
    }
}

impl Cipher {
    /// `None` when key or salt do not have the profile's length.
    pub(super) fn derive(profile: Profile, of: Use, master: &[u8], salt: &[u8]) -> Option<Self> {
        if master.len() != profile.key_len() || salt.len() != profile.salt_len() {
            return None;
        }
        let mut key = [0; 32];
        let key = key.get_mut(..profile.key_len())?;
        derive(master, salt, of, Label::Encryption, key)?;
        match profile {
            Profile::AeadAes128Gcm | Profile::AeadAes256Gcm => {
                let mut session_salt = [0; 12];
                derive(master, salt, of, Label::Salt, &mut session_salt)?;
                Self::gcm(key, session_salt)
            }
            Profile::Aes128CmHmacSha1_80 => {
                let (mut session_salt, mut auth) = ([0; 14], [0; 20]);
                derive(master, salt, of, Label::Salt, &mut session_salt)?;
                derive(master, salt, of, Label::Authentication, &mut auth)?;
                Some(Self::CmSha1(Box::new(CmSha1 {
                    key: EncryptingKey::ctr(UnboundCipherKey::new(&AES_128, key).ok()?).ok()?,
                    auth: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &auth),
                    salt: session_salt,
                })))
            }
        }
    }

    /// AES-GCM with session keys.
    pub(super) fn gcm(key: &[u8], salt: [u8; 12]) -> Option<Self> {
        let algorithm = if key.len() == 32 { &AES_256_GCM } else { &AES_128_GCM };
        Some(Self::Gcm { key: LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?), salt })
    }

    /// Protects an RTP packet whose first `clear` bytes stay readable.
    pub(super) fn seal_rtp(
        &self,
        ssrc: Ssrc,
        index: u64,
        packet: &mut Vec<u8>,
        clear: usize,
    ) -> Result<(), Refusal> {
        let (header, body) = packet.split_at_mut_checked(clear).ok_or(Refusal::Malformed)?;
        match self {
            Self::Gcm { key, salt } => {
                let tag = key
                    .seal_in_place_separate_tag(nonce(salt, ssrc, index), Aad::from(&*header), body)
                    .map_err(|_| Refusal::Malformed)?;
                packet.extend_from_slice(tag.as_ref());
            }
            Self::CmSha1(keys) => {
                keys.xor_key_stream(ssrc, index, body)?;
                let tag = keys.tag(&[packet, &roll_over_counter(index)]);
                packet.extend_from_slice(&tag);
            }
        }
        Ok(())
    }

    /// Protects an RTP packet from where its pieces lie into `out`: `head`, whose first `clear` bytes stay readable, then
    /// `rest`. With AES-GCM the bytes of `rest` are read once and written once, protected. `out` has exactly the room of
    /// both pieces and the tag.
    pub(super) fn seal_rtp_into(
        &self,
        ssrc: Ssrc,
        index: u64,
        (head, clear): (&[u8], usize),
        rest: &[u8],
        out: &mut [u8],
    ) -> Result<(), Refusal> {
        let (start, end) = out.split_at_mut_checked(head.len()).ok_or(Refusal::Malformed)?;
        start.copy_from_slice(head);
        match self {
            Self::Gcm { key, salt } => {
                let (header, own) = start.split_at_mut_checked(clear).ok_or(Refusal::Malformed)?;
                let aad = Aad::from(&*header);
                key.seal_in_place_scatter(nonce(salt, ssrc, index), aad, own, rest, end)
                    .map_err(|_| Refusal::Malformed)
            }
            Self::CmSha1(keys) => {
                end.get_mut(..rest.len()).ok_or(Refusal::Malformed)?.copy_from_slice(rest);
                let len = head.len() + rest.len();
                let (packet, tag) = out.split_at_mut_checked(len).ok_or(Refusal::Malformed)?;
                keys.xor_key_stream(ssrc, index, packet.get_mut(clear..).ok_or(Refusal::Malformed)?)?;
                let made = keys.tag(&[packet, &roll_over_counter(index)]);
                tag.get_mut(..CM_TAG).ok_or(Refusal::Malformed)?.copy_from_slice(&made);
                Ok(())
            }
        }
    }

    /// Bytes of the tag.
    pub(super) fn tag_len(&self) -> usize {
        match self {
            Self::Gcm { .. } => GCM_TAG,
            Self::CmSha1(_) => CM_TAG,
        }
    }

    /// Opens an SRTP packet; returns the length of the plaintext packet.
    pub(super) fn open_rtp(
        &self,
        ssrc: Ssrc,
        index: u64,
        packet: &mut [u8],
        clear: usize,
    ) -> Result<usize, Refusal> {
        match self {
            Self::Gcm { key, salt } => {
                let (header, body) = packet.split_at_mut_checked(clear).ok_or(Refusal::Malformed)?;
                if body.len() < GCM_TAG {
                    return Err(Refusal::Malformed);
                }
                let plain = key
                    .open_in_place(nonce(salt, ssrc, index), Aad::from(&*header), body)
                    .map_err(|_| Refusal::Unauthenticated)?;
                Ok(clear + plain.len())
            }
            Self::CmSha1(keys) => {
                let end = packet.len().checked_sub(CM_TAG).ok_or(Refusal::Malformed)?;
                let (signed, tag) = packet.split_at_mut_checked(end).ok_or(Refusal::Malformed)?;
                if clear > end {
                    return Err(Refusal::Malformed);
                }
                let expected = keys.tag(&[signed, &roll_over_counter(index)]);
                verify_slices_are_equal(&expected, tag).map_err(|_| Refusal::Unauthenticated)?;
                let body = signed.get_mut(clear..).ok_or(Refusal::Malformed)?;
                keys.xor_key_stream(ssrc, index, body)?;
                Ok(end)
            }
        }
    }

    /// Protects an RTCP compound packet. GCM puts the index word after the tag, AES-CM before it.
    pub(super) fn seal_rtcp(&self, ssrc: Ssrc, index: u32, packet: &mut Vec<u8>) -> Result<(), Refusal> {
        let word = (ENCRYPTED | index).to_be_bytes();
        let (header, body) = packet.split_first_chunk_mut().ok_or(Refusal::Malformed)?;
        match self {
            Self::Gcm { key, salt } => {
                let aad = Aad::from(rtcp_aad(header, word));
                let tag = key
                    .seal_in_place_separate_tag(nonce(salt, ssrc, index.into()), aad, body)
                    .map_err(|_| Refusal::Malformed)?;
                packet.extend_from_slice(tag.as_ref());
                packet.extend_from_slice(&word);
            }
            Self::CmSha1(keys) => {
                keys.xor_key_stream(ssrc, index.into(), body)?;
                packet.extend_from_slice(&word);
                let tag = keys.tag(&[packet]);
                packet.extend_from_slice(&tag);
            }
        }
        Ok(())
    }

    /// The index a received SRTCP packet carries; `None` when it is too short or not encrypted.
    pub(super) fn srtcp_index(&self, packet: &[u8]) -> Option<u32> {
        let behind = match self {
            Self::Gcm { .. } => 0,
            Self::CmSha1(_) => CM_TAG,
        };
        let end = packet.len().checked_sub(behind)?;
        let word = u32::from_be_bytes(*packet.get(..end)?.last_chunk::<INDEX_WORD>()?);
        (word & ENCRYPTED != 0).then_some(word & !ENCRYPTED)
    }

    /// Opens an SRTCP packet with the index it carries; returns the length of the plaintext packet.
    pub(super) fn open_rtcp(&self, ssrc: Ssrc, index: u32, packet: &mut [u8]) -> Result<usize, Refusal> {
        let word = (ENCRYPTED | index).to_be_bytes();
        let trailer = INDEX_WORD
            + match self {
                Self::Gcm { .. } => GCM_TAG,
                Self::CmSha1(_) => CM_TAG,
            };
        let end = packet.len().checked_sub(trailer).filter(|end| *end >= RTCP_CLEAR);
        let end = end.ok_or(Refusal::Malformed)?;
        match self {
            Self::Gcm { key, salt } => {
                let sealed = packet.get_mut(..end + GCM_TAG).ok_or(Refusal::Malformed)?;
                let (header, body) = sealed.split_first_chunk_mut().ok_or(Refusal::Malformed)?;
                let aad = Aad::from(rtcp_aad(header, word));
                key.open_in_place(nonce(salt, ssrc, index.into()), aad, body)
                    .map_err(|_| Refusal::Unauthenticated)?;
            }
            Self::CmSha1(keys) => {
                let (signed, tag) =
                    packet.split_at_mut_checked(end + INDEX_WORD).ok_or(Refusal::Malformed)?;
                verify_slices_are_equal(&keys.tag(&[signed]), tag).map_err(|_| Refusal::Unauthenticated)?;
                let body = signed.get_mut(RTCP_CLEAR..end).ok_or(Refusal::Malformed)?;
                keys.xor_key_stream(ssrc, index.into(), body)?;
            }
        }
        Ok(end)
    }
}

/// RFC 7714 §8.1 and §9.1: two zero bytes, SSRC, 48-bit index; XOR salt. An SRTCP index has its
/// upper 17 bits zero, so that both forms are one.
fn nonce(salt: &[u8; 12], ssrc: Ssrc, index: u64) -> Nonce {
    let input = (u128::from(ssrc.0) << 48) | u128::from(index);
    let [_, _, _, _, mut bytes @ ..] = input.to_be_bytes();
    for (byte, salt) in bytes.iter_mut().zip(salt) {
        *byte ^= salt;
    }
    Nonce::assume_unique_for_key(bytes)
}

/// RFC 7714 §9.2: header, sender SSRC, index word.
fn rtcp_aad(header: &[u8; RTCP_CLEAR], word: [u8; INDEX_WORD]) -> [u8; RTCP_CLEAR + INDEX_WORD] {
    let mut aad = [0; RTCP_CLEAR + INDEX_WORD];
    for (to, from) in aad.iter_mut().zip(header.iter().chain(&word)) {
        *to = *from;
    }
    aad
}

impl CmSha1 {
    /// RFC 3711 §4.1.1: IV = salt · 2^16 XOR SSRC · 2^64 XOR index · 2^16. Encrypts and decrypts.
    fn xor_key_stream(&self, ssrc: Ssrc, index: u64, body: &mut [u8]) -> Result<(), Refusal> {
        let mut iv = ((u128::from(ssrc.0) << 64) | (u128::from(index) << 16)).to_be_bytes();
        for (byte, salt) in iv.iter_mut().zip(&self.salt) {
            *byte ^= salt;
        }
        let context = EncryptionContext::Iv128(FixedLength::from(iv));
        self.key.less_safe_encrypt(body, context).map_err(|_| Refusal::Malformed)?;
        Ok(())
    }

    /// HMAC-SHA1 over the parts, cut to 80 bits.
    fn tag(&self, parts: &[&[u8]]) -> [u8; CM_TAG] {
        let mut context = hmac::Context::with_key(&self.auth);
        for part in parts {
            context.update(part);
        }
        let mut tag = [0; CM_TAG];
        for (to, from) in tag.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        tag
    }
}

fn roll_over_counter(index: u64) -> [u8; 4] {
    #[allow(clippy::cast_possible_truncation, reason = "an index has 48 bits")]
    let counter = (index >> 16) as u32;
    counter.to_be_bytes()
}
