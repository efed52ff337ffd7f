//! Tells the protocols of one UDP port apart.

/// What a datagram claims to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Stun,
    Dtls,
    Rtp,
    Rtcp,
}

/// By first byte, RFC 7983 §7; RTP and RTCP by the second, RFC 5761 §4.
pub(super) fn class(datagram: &[u8]) -> Option<Class> {
    match *datagram {
        [0..=3, ..] => Some(Class::Stun),
        [20..=63, ..] => Some(Class::Dtls),
        [128..=191, 192..=223, ..] => Some(Class::Rtcp),
        [128..=191, _, ..] => Some(Class::Rtp),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_first_byte_has_one_class() {
        let check = |bytes: &[u8], expected| assert_eq!(class(bytes), expected, "{bytes:?}");
        check(&[], None);
        check(&[0], Some(Class::Stun));
        check(&[3, 1], Some(Class::Stun));
        check(&[4], None);
        check(&[19], None);
        check(&[20], Some(Class::Dtls));
        check(&[63], Some(Class::Dtls));
        check(&[64], None);
        check(&[127, 96], None);
        check(&[128], None);
        check(&[128, 96], Some(Class::Rtp));
        check(&[144, 96 | 0x80], Some(Class::Rtp));
        check(&[128, 200], Some(Class::Rtcp));
        check(&[129, 206], Some(Class::Rtcp));
        check(&[191, 191], Some(Class::Rtp));
        check(&[128, 224], Some(Class::Rtp));
        check(&[192, 96], None);
    }
}
