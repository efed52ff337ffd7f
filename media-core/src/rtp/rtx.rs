//! Retransmission payload format, RFC 4588 §4: two bytes of original sequence number, then the original payload.

/// Takes an RTX payload apart: the original packet's sequence number and payload.
/// `None` for the padding-only packets a browser sends on this stream to probe for bandwidth. An empty payload behind a number
/// says that there is nothing for the receiver under it.
#[must_use]
pub fn original(payload: &[u8]) -> Option<(u16, &[u8])> {
    let (osn, rest) = payload.split_first_chunk()?;
    Some((u16::from_be_bytes(*osn), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths() {
        assert_eq!(original(&[]), None);
        assert_eq!(original(&[1]), None);
        assert_eq!(original(&[1, 2]), Some((0x0102, &[][..])));
        assert_eq!(original(&[1, 2, 3]), Some((0x0102, &[3][..])));
    }
}
