//! Header extensions, found by the id the offer gave them. RFC 8285.
//!
//! in:  a view, an id
//! out: the element's bytes, or its value
//!
//! A block that lies about its lengths ends the search; the packet itself is still good.

use super::header::{Extension, RtpView};

/// Local id of a header extension, from `a=extmap`: 1–14 in the one-byte form, 1–255 in the two-byte form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExtId(pub u8);

/// How loud a packet is, without decoding it. RFC 6464 §3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioLevel {
    /// The sender believes it is speech.
    pub voice: bool,
    /// 0 is the loudest, 127 silence: −dBov.
    pub minus_dbov: u8,
}

/// Profile of the one-byte form, RFC 8285 §4.2.
pub(super) const ONE_BYTE: u16 = 0xbede;
/// Profile of the two-byte form; the low four bits are "appbits", RFC 8285 §4.3.
pub(super) const TWO_BYTE: u16 = 0x1000;

impl<'a> RtpView<'a> {
    /// All elements, in their order.
    pub(super) fn elements(&self) -> Elements<'a> {
        Elements::of(self.extension)
    }

    /// The element with this id.
    #[must_use]
    pub fn ext(&self, id: ExtId) -> Option<&'a [u8]> {
        self.elements().find(|(at, _)| *at == id).map(|(_, value)| value)
    }

    /// Media identification, at most 32 bytes as in RFC 8843 practice, for streams not announced by SSRC.
    #[must_use]
    pub fn mid(&self, id: ExtId) -> Option<&'a str> {
        let mid = self.ext(id).and_then(|bytes| std::str::from_utf8(bytes).ok())?;
        (!mid.is_empty() && mid.len() <= 32).then_some(mid)
    }

    /// Transport-wide sequence number.
    #[must_use]
    pub fn transport_cc(&self, id: ExtId) -> Option<u16> {
        // Version 02 of the extension appends a feedback request; the first two bytes are the same.
        self.ext(id)?.first_chunk().copied().map(u16::from_be_bytes)
    }

    /// Departure time: 24 bits, seconds in 6.18 fixed point.
    #[must_use]
    pub fn abs_send_time(&self, id: ExtId) -> Option<u32> {
        let [a, b, c] = *self.ext(id)?.first_chunk::<3>()?;
        Some(u32::from_be_bytes([0, a, b, c]))
    }

    /// Loudness.
    #[must_use]
    pub fn audio_level(&self, id: ExtId) -> Option<AudioLevel> {
        let byte = *self.ext(id)?.first()?;
        Some(AudioLevel { voice: byte & 0x80 != 0, minus_dbov: byte & 0x7f })
    }

    /// Capture time on the sender's clock: NTP, 32.32 fixed point. Browsers send it now and then, not on every packet.
    #[must_use]
    pub fn abs_capture_time(&self, id: ExtId) -> Option<u64> {
        self.ext(id)?.first_chunk().copied().map(u64::from_be_bytes)
    }
}

/// The elements of a block, in their order.
pub(super) struct Elements<'a> {
    rest: &'a [u8],
    two_byte: bool,
}

impl<'a> Elements<'a> {
    pub(super) fn of(block: Option<Extension<'a>>) -> Self {
        match block {
            Some(Extension { profile: ONE_BYTE, body }) => Self { rest: body, two_byte: false },
            Some(Extension { profile, body }) if profile & 0xfff0 == TWO_BYTE => {
                Self { rest: body, two_byte: true }
            }
            Some(_) | None => Self { rest: &[], two_byte: false },
        }
    }

    fn read(&mut self) -> Option<(ExtId, &'a [u8])> {
        loop {
            let (&first, after) = self.rest.split_first()?;
            self.rest = after;
            if first == 0 {
                continue; // padding between elements
            }
            let (id, len) = if self.two_byte {
                let (&len, after) = self.rest.split_first()?;
                self.rest = after;
                (first, usize::from(len))
            } else if first >> 4 == 15 {
                return None; // RFC 8285 §4.2: stop here
            } else {
                (first >> 4, usize::from(first & 0x0f) + 1)
            };
            let (value, after) = self.rest.split_at_checked(len)?;
            self.rest = after;
            return Some((ExtId(id), value));
        }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = (ExtId, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let element = self.read();
        if element.is_none() {
            self.rest = &[];
        }
        element
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_block(profile: u16, body: &[u8]) -> Vec<u8> {
        let mut p = vec![0x90, 0x60, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1];
        p.extend_from_slice(&profile.to_be_bytes());
        p.extend_from_slice(&u16::try_from(body.len() / 4).unwrap().to_be_bytes());
        p.extend_from_slice(body);
        p
    }

    fn check(profile: u16, body: &[u8], id: u8, expected: Option<&[u8]>) {
        let p = with_block(profile, body);
        assert_eq!(RtpView::parse(&p).unwrap().ext(ExtId(id)), expected, "{profile:04x} {body:02x?} {id}");
    }

    #[test]
    fn both_forms_and_their_traps() {
        check(0xbede, &[0x10, 7, 0x21, 8, 9, 0, 0, 0], 1, Some(&[7]));
        check(0xbede, &[0x10, 7, 0x21, 8, 9, 0, 0, 0], 2, Some(&[8, 9]));
        check(0xbede, &[0x10, 7, 0x21, 8, 9, 0, 0, 0], 3, None);
        check(0xbede, &[0, 0x10, 7, 0], 1, Some(&[7])); // padding first
        check(0xbede, &[0xf0, 7, 0x10, 7], 1, None); // id 15 ends the search
        check(0xbede, &[0x13, 7, 8, 9], 1, None); // longer than the block
        check(0x1000, &[1, 0, 2, 1, 9, 0, 0, 0], 1, Some(&[]));
        check(0x1007, &[1, 0, 2, 1, 9, 0, 0, 0], 2, Some(&[9]));
        check(0x1000, &[1, 9, 2, 1], 1, None);
        check(0x1000, &[0, 0, 0, 1], 1, None); // the length byte is missing
        check(0x1234, &[0x10, 7, 0, 0], 1, None); // some other profile
    }

    #[test]
    fn typed_values() {
        let p = with_block(0xbede, &[0x10, 0x85, 0x21, 0xab, 0xcd, 0x32, 1, 2, 3, 0x40, b'0', 0]);
        let v = RtpView::parse(&p).unwrap();
        assert_eq!(v.audio_level(ExtId(1)), Some(AudioLevel { voice: true, minus_dbov: 5 }));
        assert_eq!(v.transport_cc(ExtId(2)), Some(0xabcd));
        assert_eq!(v.abs_send_time(ExtId(3)), Some(0x01_0203));
        assert_eq!(v.mid(ExtId(4)), Some("0"));
        assert_eq!(v.transport_cc(ExtId(1)), None);
        assert_eq!(v.abs_capture_time(ExtId(3)), None);
    }
}
