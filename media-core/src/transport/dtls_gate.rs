//! Keeps from the DTLS library what would exhaust it.
//!
//! in:  datagrams of one peer, before the library reads them
//! out: whether it may
//!
//! `rtc-dtls` 0.21 assembles fragments by recursion over a list that is bounded only by payload
//! bytes: records with (almost) none overflow the stack, and its work grows with the cube of the
//! number of fragments. It also keeps every complete handshake message, before and after the end of
//! the handshake. Genuine handshakes need a few dozen records; 256 fragments cost 2 ms in all.
//!
//! A member who holds the keys could send the same encrypted, so encrypted records count as well.

use super::DropReason;
use super::dtls_record::{Content, Malformed, Record, fragments, records};

/// Limits up to the end of the handshake; a peer that exceeds them cannot complete it any more.
const MAX_DATAGRAMS: u32 = 200;
const MAX_FRAGMENTS: u32 = 256;
const MAX_BYTES: usize = 64 * 1024;
/// Handshakes of DTLS 1.2 have at most a dozen messages per direction.
const MAX_MESSAGE_SEQ: u16 = 16;
/// An encrypted handshake record is a Finished message: 24 bytes, and at most 76 that protect it. The
/// gate cannot see inside, so it counts as many fragments as would fit: 8 headers of 12 bytes.
const MAX_ENCRYPTED: usize = 100;
const FRAGMENTS_IN_ENCRYPTED: u32 = 8;
/// Handshake or unencrypted records after completion: six repetitions of a client's last flight.
const MAX_LATE_RECORDS: u32 = 32;

/// What one peer has used up.
#[derive(Debug, Default)]
pub(super) struct Gate {
    datagrams: u32,
    fragments: u32,
    bytes: usize,
    late_records: u32,
}

impl Gate {
    /// Whether the library may read this datagram. `completed`: the handshake is over; `data`: and data channels were
    /// negotiated.
    pub(super) fn admit(&mut self, datagram: &[u8], completed: bool, data: bool) -> Result<(), DropReason> {
        let mut seen_fragments = 0;
        let mut late_records = 0;
        for record in records(datagram) {
            let record = record?;
            let takes_data = completed && data && record.epoch == 1;
            if record.content == Content::ApplicationData && !takes_data {
                return Err(DropReason::DtlsApplicationData);
            }
            seen_fragments += fragments_in(&record)?;
            if record.content == Content::Handshake || record.epoch == 0 {
                late_records += 1;
            }
        }
        let within = if completed {
            self.late_records = self.late_records.saturating_add(late_records);
            self.late_records <= MAX_LATE_RECORDS || late_records == 0
        } else {
            self.datagrams = self.datagrams.saturating_add(1);
            self.fragments = self.fragments.saturating_add(seen_fragments);
            self.bytes = self.bytes.saturating_add(datagram.len());
            self.datagrams <= MAX_DATAGRAMS && self.fragments <= MAX_FRAGMENTS && self.bytes <= MAX_BYTES
        };
        if within { Ok(()) } else { Err(DropReason::DtlsTooMuch) }
    }
}

/// What the record adds to the library's list of fragments.
fn fragments_in(record: &Record<'_>) -> Result<u32, Malformed> {
    match (record.content, record.epoch) {
        // One round of keys: DTLS 1.2 without renegotiation never goes beyond epoch 1.
        (_, 2..) => Err(Malformed),
        (Content::Handshake, 0) => {
            let mut count = 0;
            for fragment in fragments(record.body) {
                if fragment?.message_seq > MAX_MESSAGE_SEQ {
                    return Err(Malformed);
                }
                count += 1;
            }
            Ok(count)
        }
        (Content::Handshake, 1) if record.body.len() > MAX_ENCRYPTED => Err(Malformed),
        (Content::Handshake, 1) => Ok(FRAGMENTS_IN_ENCRYPTED),
        (Content::ChangeCipherSpec | Content::Alert | Content::ApplicationData, 0..=1) => Ok(0),
    }
}

impl From<Malformed> for DropReason {
    fn from(_: Malformed) -> Self {
        Self::DtlsMalformed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record of the given type and epoch.
    fn record(content: u8, epoch: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![content, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 1];
        bytes.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        bytes.extend(body);
        bytes
    }

    fn fragment(seq: u8, length: u32, offset: u32, claimed: u32, data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![1];
        bytes.extend(&length.to_be_bytes()[1..]);
        bytes.extend([0, seq]);
        bytes.extend(&offset.to_be_bytes()[1..]);
        bytes.extend(&claimed.to_be_bytes()[1..]);
        bytes.extend(data);
        bytes
    }

    #[test]
    fn the_form_of_records_and_fragments_is_checked() {
        let check = |what, datagram: &[u8], expected| {
            assert_eq!(Gate::default().admit(datagram, false, true), expected, "{what}");
        };
        let ok = Ok(());
        let malformed = Err(DropReason::DtlsMalformed);
        let whole = fragment(0, 3, 0, 3, b"abc");

        check("one message", &record(22, 0, &whole), ok);
        check("two records", &[record(22, 0, &whole), record(20, 0, &[1])].concat(), ok);
        check("two messages in one record", &record(22, 0, &[whole.clone(), whole.clone()].concat()), ok);
        check("an empty message", &record(22, 0, &fragment(0, 0, 0, 0, b"")), ok);
        check("a part", &record(22, 0, &fragment(0, 9, 3, 3, b"abc")), ok);
        check("an encrypted Finished", &record(22, 1, &[7; 48]), ok);
        check("encrypted, and longer than Finished", &record(22, 1, &[7; 101]), malformed);
        check("an alert", &record(21, 0, &[1, 0]), ok);

        check("nothing inside", &record(22, 0, &[]), malformed);
        check("beyond its message", &record(22, 0, &fragment(0, 5, 3, 3, b"abc")), malformed);
        check("longer than its bytes", &record(22, 0, &fragment(0, 9, 0, 4, b"abc")), malformed);
        check("empty part of a message", &record(22, 0, &fragment(0, 9, 3, 0, b"")), malformed);
        check("claims a byte, has none", &record(22, 0, &fragment(0, 9, 3, 1, b"")), malformed);
        check("huge message", &record(22, 0, &fragment(0, 16_385, 0, 3, b"abc")), malformed);
        check("late message number", &record(22, 0, &fragment(17, 3, 0, 3, b"abc")), malformed);
        check(
            "something after a part",
            &record(22, 0, &[fragment(0, 9, 0, 3, b"abc"), whole.clone()].concat()),
            malformed,
        );
        check("epoch 2", &record(22, 2, &whole), malformed);
        check("unknown content", &record(24, 0, &whole), malformed);
        check(
            "other version",
            &{
                let mut bytes = record(22, 0, &whole);
                bytes[1] = 3;
                bytes
            },
            malformed,
        );
        check("record longer than the datagram", &record(22, 0, &whole)[..20], malformed);
        check("trailing byte", &[record(22, 0, &whole), vec![22]].concat(), malformed);
        check("application data", &record(23, 1, b"x"), Err(DropReason::DtlsApplicationData));
    }

    #[test]
    fn every_quantity_has_its_limit() {
        /// How many times `datagram` is admitted, of 1000.
        fn admitted(completed: bool, datagram: &[u8]) -> usize {
            let mut gate = Gate::default();
            (0..1000).filter(|_| gate.admit(datagram, completed, false).is_ok()).count()
        }
        let part = record(22, 0, &fragment(0, 9, 0, 1, b"a"));
        let large = record(22, 0, &fragment(0, 2000, 0, 1000, &[0; 1000]));
        let alert = record(21, 1, &[0; 20]);
        assert_eq!(admitted(false, &part), 200, "datagrams");
        assert_eq!(admitted(false, &part.repeat(4)), 64, "fragments");
        assert_eq!(admitted(false, &record(22, 1, b"x")), 32, "fragments that may be encrypted");
        assert_eq!(admitted(false, &large), 63, "bytes");
        assert_eq!(admitted(true, &part), 32, "handshake records after completion");
        assert_eq!(admitted(true, &record(22, 1, b"x")), 32, "encrypted ones too");
        assert_eq!(admitted(true, &alert), 1000, "authenticated alerts are not limited");
    }

    #[test]
    fn data_is_taken_when_it_is_protected_and_expected() {
        let check = |epoch, completed, data, expected| {
            assert_eq!(Gate::default().admit(&record(23, epoch, b"x"), completed, data), expected);
        };
        let refused = Err(DropReason::DtlsApplicationData);
        check(1, true, true, Ok(()));
        check(1, true, false, refused);
        check(1, false, true, refused);
        check(0, true, true, refused);
        // It is limited by what reads it.
        let mut gate = Gate::default();
        assert_eq!((0..1000).filter(|_| gate.admit(&record(23, 1, b"x"), true, true).is_ok()).count(), 1000);
    }

    #[test]
    fn after_too_much_handshake_a_close_still_gets_through() {
        let mut gate = Gate::default();
        let late = record(22, 0, &fragment(0, 9, 0, 1, b"a")).repeat(40);
        assert_eq!(gate.admit(&late, true, false), Err(DropReason::DtlsTooMuch));
        assert_eq!(gate.admit(&record(21, 1, &[0; 20]), true, false), Ok(()));
    }
}
