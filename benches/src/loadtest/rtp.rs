//! What can be seen of SRTP without its key: the header, and from it what is missing.
//!
//! in:  datagrams as they came
//! out: packets, losses and order by SSRC
//!
//! RFC 3550 §5.1, §A.3; RFC 8285 §4.2. Header extensions are not encrypted.

/// The fields of a clear header that are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Payload type.
    pub pt: u8,
    /// Last packet of a frame.
    pub marker: bool,
    /// Sequence number.
    pub seq: u16,
    /// Timestamp.
    pub timestamp: u32,
    /// Who sends.
    pub ssrc: u32,
    /// The transport-wide number, when its extension is there.
    pub transport_seq: Option<u16>,
}

/// What a datagram on a WebRTC socket is, RFC 7983 §7 and RFC 5761 §4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// SRTP.
    Rtp,
    /// SRTCP.
    Rtcp,
    /// STUN, DTLS and what nobody knows.
    Other,
}

/// Classifies by the first two bytes.
#[must_use]
pub fn kind(datagram: &[u8]) -> Kind {
    match datagram {
        [128..=191, 192..=223, ..] => Kind::Rtcp,
        [128..=191, _, ..] => Kind::Rtp,
        _ => Kind::Other,
    }
}

/// Reads a header; `transport_cc` is the id of the extension with transport-wide numbers, 0 when there is none.
#[must_use]
pub fn header(datagram: &[u8], transport_cc: u8) -> Option<Header> {
    let (fixed, rest) = datagram.split_first_chunk::<12>()?;
    let &[first, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = fixed;
    if first >> 6 != 2 {
        return None;
    }
    let rest = rest.get(usize::from(first & 0x0f) * 4..)?;
    let transport_seq = match first & 0x10 != 0 && transport_cc != 0 {
        true => extension(rest, transport_cc),
        false => None,
    };
    Some(Header {
        pt: second & 0x7f,
        marker: second & 0x80 != 0,
        seq: u16::from_be_bytes([s0, s1]),
        timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
        ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
        transport_seq,
    })
}

/// A two-byte value among one-byte or two-byte extensions.
fn extension(bytes: &[u8], wanted: u8) -> Option<u16> {
    let (&[p0, p1, w0, w1], rest) = bytes.split_first_chunk::<4>()?;
    let mut rest = rest.get(..usize::from(u16::from_be_bytes([w0, w1])) * 4)?;
    let has_short_headers = [p0, p1] == [0xbe, 0xde];
    if !has_short_headers && (p0, p1 & 0xf0) != (0x10, 0) {
        return None;
    }
    while let Some((&first, after)) = rest.split_first() {
        if first == 0 {
            rest = after;
            continue;
        }
        let (id, length, after) = match has_short_headers {
            true => (first >> 4, usize::from(first & 0x0f) + 1, after),
            false => {
                let (&length, after) = after.split_first()?;
                (first, usize::from(length), after)
            }
        };
        let (value, after) = after.split_at_checked(length)?;
        if id == wanted {
            return Some(u16::from_be_bytes(*value.first_chunk()?));
        }
        rest = after;
    }
    None
}

/// Packets of one SSRC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Who sends.
    pub ssrc: u32,
    /// Of its packets.
    pub pt: u8,
    /// All that came.
    pub packets: u64,
    /// Extended sequence numbers.
    pub first: u64,
    /// See `first`.
    pub highest: u64,
    /// Those behind a later one: late or doubled.
    pub out_of_order: u64,
    /// Of the newest.
    pub timestamp: u32,
}

impl Stream {
    /// Begins with this packet.
    #[must_use]
    pub fn new(header: &Header) -> Self {
        // Above zero, so that a packet before the first has a number as well.
        let first = u64::from(header.seq) + (1 << 16);
        Self {
            ssrc: header.ssrc,
            pt: header.pt,
            packets: 1,
            first,
            highest: first,
            out_of_order: 0,
            timestamp: header.timestamp,
        }
    }

    /// One more; the numbers between it and the one before that did not come.
    pub fn count(&mut self, header: &Header) -> std::ops::Range<u64> {
        self.packets += 1;
        let [.., high, low] = self.highest.to_be_bytes();
        let step = header.seq.wrapping_sub(u16::from_be_bytes([high, low]));
        if step == 0 || step >= 0x8000 {
            self.out_of_order += 1;
            // One before the first means that counting began in the middle of a burst.
            let behind = u64::from(step.wrapping_neg());
            self.first = self.first.min(self.highest - behind);
            return 0..0;
        }
        let gap = self.highest + 1..self.highest + u64::from(step);
        self.highest = gap.end;
        self.timestamp = header.timestamp;
        gap
    }

    /// Packets that should have come.
    #[must_use]
    pub fn expected(&self) -> u64 {
        self.highest - self.first + 1
    }

    /// Packets that did not come.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.packets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(seq: u16, extensions: &[u8]) -> Vec<u8> {
        let mut out = vec![0x90, 0x80 | 96];
        out.extend_from_slice(&seq.to_be_bytes());
        out.extend_from_slice(&[0, 0, 1, 0, 0xde, 0xad, 0xbe, 0xef]);
        out.extend_from_slice(extensions);
        out.extend_from_slice(&[1, 2, 3]);
        out
    }

    #[test]
    fn kinds_are_told_apart() {
        assert_eq!(kind(&[0x80, 96]), Kind::Rtp);
        assert_eq!(kind(&[0x90, 0x80 | 96]), Kind::Rtp, "with the marker");
        assert_eq!(kind(&[0x81, 201]), Kind::Rtcp);
        assert_eq!(kind(&[0x8f, 205]), Kind::Rtcp);
        assert_eq!(kind(&[0, 1]), Kind::Other);
        assert_eq!(kind(&[22, 254]), Kind::Other);
        assert_eq!(kind(&[0x80]), Kind::Other);
    }

    #[test]
    fn headers_are_read_with_either_form_of_extension() {
        let short = [0xbe, 0xde, 0, 2, 0x10, 7, 0x31, 0xab, 0xcd, 0, 0, 0];
        let long = [0x10, 0x00, 0, 2, 1, 1, 7, 3, 2, 0xab, 0xcd, 0];
        for extensions in [short, long] {
            let got = header(&packet(513, &extensions), 3).unwrap();
            let expected = Header {
                pt: 96,
                marker: true,
                seq: 513,
                timestamp: 256,
                ssrc: 0xdead_beef,
                transport_seq: Some(0xabcd),
            };
            assert_eq!(got, expected);
            assert_eq!(header(&packet(1, &extensions), 4).unwrap().transport_seq, None);
        }
        // Longer than the packet, shorter than its value, no known form.
        for wrong in [[0xbe, 0xde, 0xff, 0xff], [0xbe, 0xde, 0, 0], [0xab, 0xcd, 0, 0]] {
            assert_eq!(header(&packet(1, &wrong), 3).unwrap().transport_seq, None);
        }
        assert_eq!(header(&[0x80; 11], 3), None);
        assert_eq!(header(&[0x40; 12], 3), None);
    }

    fn stream(numbers: &[u16]) -> Stream {
        let mut headers = numbers.iter().map(|&seq| header(&packet(seq, &[0xbe, 0xde, 0, 0]), 0).unwrap());
        let mut stream = Stream::new(&headers.next().unwrap());
        headers.for_each(|header| {
            stream.count(&header);
        });
        stream
    }

    #[test]
    fn losses_are_counted_across_the_wrap() {
        let check = |numbers: &[u16], expected, lost, out_of_order| {
            let got = stream(numbers);
            assert_eq!((got.expected(), got.lost(), got.out_of_order), (expected, lost, out_of_order));
        };
        check(&[5], 1, 0, 0);
        check(&[65534, 65535, 0, 1], 4, 0, 0);
        check(&[65533, 0, 3], 7, 4, 0);
        check(&[10, 12, 11, 13], 4, 0, 1);
        check(&[10, 9, 11], 3, 0, 1);
        check(&[10, 10, 12], 3, 0, 1);
        check(&[0, 65535, 1], 3, 0, 1);
    }

    #[test]
    fn gaps_are_told_as_they_open() {
        let mut stream = stream(&[65534]);
        let mut next = |seq| {
            let gap = stream.count(&header(&packet(seq, &[0xbe, 0xde, 0, 0]), 0).unwrap());
            gap.map(|n| u16::try_from(n & 0xffff).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(next(65535), [0_u16; 0]);
        assert_eq!(next(2), [0, 1]);
        assert_eq!(next(1), [0_u16; 0]);
        assert_eq!(next(3), [0_u16; 0]);
    }
}
