//! Looks at the first ClientHello before the DTLS library does.
//!
//! in:  the first datagrams of a peer
//! out: the SRTP profile to negotiate, and those datagrams for the library
//!
//! As a server, `rtc-dtls` takes the first of the *client's* profiles that it knows, and Chromium
//! lists AES-CM first. So the library is told a single profile, chosen here. The ClientHello of
//! Chromium has 1438 bytes in two datagrams, and `use_srtp` may lie in the second.

use super::DropReason;
use super::dtls_record::{Content, Fragment, fragments, records};
use crate::srtp::Profile;

/// No ClientHello is longer.
const MAX_HELLO: usize = 8 * 1024;
/// Datagrams kept. When one more comes, collecting starts over with it: the client repeats itself.
const MAX_KEPT: usize = 16;

const CLIENT_HELLO: u8 = 1;
const USE_SRTP: u16 = 14;

/// Collects the first ClientHello.
#[derive(Debug, Default)]
pub(super) struct HelloBuffer {
    kept: Vec<Vec<u8>>,
    message: Vec<u8>,
    arrived: Vec<bool>,
}

/// What the ClientHello asks for, and the datagrams it came in.
#[derive(Debug)]
pub(super) struct Hello {
    pub(super) profile: Profile,
    pub(super) datagrams: Vec<Vec<u8>>,
}

impl HelloBuffer {
    /// Takes a datagram that has passed the gate.
    pub(super) fn push(&mut self, datagram: &[u8]) -> Result<Option<Hello>, DropReason> {
        if self.kept.len() == MAX_KEPT {
            *self = Self::default();
        }
        let mut has_hello = false;
        for record in records(datagram) {
            let record = record?;
            if record.content != Content::Handshake || record.epoch != 0 {
                continue;
            }
            for fragment in fragments(record.body) {
                let fragment = fragment?;
                if fragment.message_type == CLIENT_HELLO && fragment.message_seq == 0 {
                    self.insert(&fragment)?;
                    has_hello = true;
                }
            }
        }
        if !has_hello {
            return Err(DropReason::DtlsBeforeHello);
        }
        self.kept.push(datagram.to_vec());
        if self.arrived.contains(&false) {
            return Ok(None);
        }
        let profile = choose(&offered_profiles(&self.message).unwrap_or_default());
        Ok(Some(Hello { profile, datagrams: std::mem::take(&mut self.kept) }))
    }

    fn insert(&mut self, fragment: &Fragment<'_>) -> Result<(), DropReason> {
        if fragment.length > MAX_HELLO {
            return Err(DropReason::DtlsTooMuch);
        }
        if fragment.length != self.message.len() {
            // The first fragment, or another hello: the newest counts.
            *self = Self {
                kept: Vec::new(),
                message: vec![0; fragment.length],
                arrived: vec![false; fragment.length],
            };
        }
        let range = fragment.offset..fragment.offset + fragment.data.len();
        if let (Some(bytes), Some(arrived)) =
            (self.message.get_mut(range.clone()), self.arrived.get_mut(range))
        {
            bytes.copy_from_slice(fragment.data);
            arrived.fill(true);
        }
        Ok(())
    }
}

/// AES-GCM when the client has it, 128 bits first: a third of the cost of AES-CM with SHA-1.
fn choose(offered: &[u16]) -> Profile {
    if offered.contains(&0x0007) {
        Profile::AeadAes128Gcm
    } else if offered.contains(&0x0008) {
        Profile::AeadAes256Gcm
    } else {
        // Also when nothing usable is offered: the library then refuses with the right alert.
        Profile::Aes128CmHmacSha1_80
    }
}

/// The profiles of `use_srtp` (RFC 5764 §4.1.1) in the body of a ClientHello (RFC 6347 §4.2.1).
fn offered_profiles(hello: &[u8]) -> Option<Vec<u16>> {
    let mut rest = hello.get(2 + 32..)?; // client_version, random
    take_u8_vector(&mut rest)?; // session_id
    take_u8_vector(&mut rest)?; // cookie
    take_u16_vector(&mut rest)?; // cipher_suites
    take_u8_vector(&mut rest)?; // compression_methods
    let mut extensions = take_u16_vector(&mut rest)?;
    while !extensions.is_empty() {
        let kind = take_u16(&mut extensions)?;
        let mut body = take_u16_vector(&mut extensions)?;
        if kind == USE_SRTP {
            let profiles = take_u16_vector(&mut body)?;
            return Some(profiles.as_chunks().0.iter().map(|pair| u16::from_be_bytes(*pair)).collect());
        }
    }
    None
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(len)?;
    *rest = after;
    Some(taken)
}

fn take_u16(rest: &mut &[u8]) -> Option<u16> {
    take(rest, 2)?.first_chunk().map(|pair| u16::from_be_bytes(*pair))
}

fn take_u8_vector<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = *take(rest, 1)?.first()?;
    take(rest, len.into())
}

fn take_u16_vector<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = take_u16(rest)?;
    take(rest, len.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The body of a ClientHello with these profiles between other extensions.
    fn hello(profiles: &[u16]) -> Vec<u8> {
        let mut srtp: Vec<u8> = u16::try_from(2 * profiles.len()).unwrap().to_be_bytes().to_vec();
        srtp.extend(profiles.iter().flat_map(|p| p.to_be_bytes()));
        srtp.push(0); // no MKI
        let mut extensions = Vec::new();
        for (kind, body) in [(23u16, &[][..]), (51, &[7; 1200]), (USE_SRTP, &srtp), (10, &[0, 2, 0, 29])] {
            extensions.extend(kind.to_be_bytes());
            extensions.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
            extensions.extend(body);
        }
        let mut bytes = vec![0xfe, 0xfd];
        bytes.extend([9; 32]);
        bytes.extend([0, 0]); // session_id, cookie
        bytes.extend([0, 2, 0xc0, 0x2b]);
        bytes.extend([1, 0]);
        bytes.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
        bytes.extend(extensions);
        bytes
    }

    /// One datagram with one fragment of the message.
    fn datagram(message: &[u8], range: std::ops::Range<usize>) -> Vec<u8> {
        let three = |n: usize| u32::try_from(n).unwrap().to_be_bytes()[1..].to_vec();
        let mut fragment = vec![CLIENT_HELLO];
        fragment.extend(three(message.len()));
        fragment.extend([0, 0]);
        fragment.extend(three(range.start));
        fragment.extend(three(range.len()));
        fragment.extend(&message[range]);
        let mut bytes = vec![22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend(u16::try_from(fragment.len()).unwrap().to_be_bytes());
        bytes.extend(fragment);
        bytes
    }

    #[test]
    fn gcm_is_chosen_whenever_it_is_offered() {
        let check = |offered: &[u16], expected| {
            let message = hello(offered);
            let found = HelloBuffer::default().push(&datagram(&message, 0..message.len())).unwrap().unwrap();
            assert_eq!(found.profile, expected, "{offered:?}");
        };
        check(&[1, 8, 7], Profile::AeadAes128Gcm); // Chromium's list
        check(&[7], Profile::AeadAes128Gcm);
        check(&[1, 8], Profile::AeadAes256Gcm);
        check(&[1, 2], Profile::Aes128CmHmacSha1_80);
        check(&[], Profile::Aes128CmHmacSha1_80);
    }

    #[test]
    fn fragments_may_come_in_any_order_and_twice() {
        let message = hello(&[1, 8, 7]);
        let (first, second) = (datagram(&message, 0..1190), datagram(&message, 1190..message.len()));
        let mut buffer = HelloBuffer::default();
        assert!(buffer.push(&second).unwrap().is_none());
        assert!(buffer.push(&second).unwrap().is_none());
        let found = buffer.push(&first).unwrap().unwrap();
        assert_eq!(found.profile, Profile::AeadAes128Gcm);
        assert_eq!(found.datagrams, [second.clone(), second, first]);
    }

    #[test]
    fn what_is_no_hello_is_refused() {
        let message = hello(&[7]);
        let mut later = datagram(&message, 0..message.len());
        later[13 + 5] = 1; // message_seq
        assert_eq!(HelloBuffer::default().push(&later).unwrap_err(), DropReason::DtlsBeforeHello);
        let long = vec![0; MAX_HELLO + 1];
        let refused = HelloBuffer::default().push(&datagram(&long, 0..100)).unwrap_err();
        assert_eq!(refused, DropReason::DtlsTooMuch);
    }

    #[test]
    fn garbage_is_forgotten_and_a_repeated_hello_gets_through() {
        let message = hello(&[7]);
        let mut buffer = HelloBuffer::default();
        for at in 0..100 {
            assert!(buffer.push(&datagram(&message, at..at + 1)).unwrap().is_none());
            assert!(buffer.kept.len() <= MAX_KEPT);
        }
        assert!(buffer.push(&datagram(&[1; 500], 0..100)).unwrap().is_none());
        assert!(buffer.push(&datagram(&message, 0..message.len())).unwrap().is_some());
    }

    proptest! {
        #[test]
        fn any_hello_is_survived(mut message in prop::collection::vec(any::<u8>(), 0..600), cut in 0usize..1500) {
            let _ = offered_profiles(&message);
            message = hello(&[1, 7]);
            message.truncate(cut);
            let _ = offered_profiles(&message);
        }
    }
}
