//! Reads the outside of DTLS datagrams: records and handshake fragments, RFC 6347 §4.1 and §4.2.2.

/// A datagram that is not made of whole records and fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    ChangeCipherSpec,
    Alert,
    Handshake,
    ApplicationData,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    pub(super) content: Content,
    pub(super) epoch: u16,
    /// Never empty.
    pub(super) body: &'a [u8],
}

/// Largest handshake message that is let in; certificates of a browser have less than 1 kB.
const MAX_MESSAGE: usize = 16_384;

/// A piece of a handshake message, `offset + data.len() ≤ length ≤ 16384`, `data` empty only if
/// `length` is 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fragment<'a> {
    pub(super) message_type: u8,
    pub(super) message_seq: u16,
    pub(super) length: usize,
    pub(super) offset: usize,
    pub(super) data: &'a [u8],
}

/// The records of a datagram, in order; ends after the first malformed one.
pub(super) fn records(datagram: &[u8]) -> impl Iterator<Item = Result<Record<'_>, Malformed>> {
    until_empty(datagram, split_record)
}

/// The handshake fragments of the body of an unencrypted handshake record.
pub(super) fn fragments(body: &[u8]) -> impl Iterator<Item = Result<Fragment<'_>, Malformed>> {
    until_empty(body, split_fragment)
}

fn until_empty<'a, T>(
    mut rest: &'a [u8],
    split: impl Fn(&'a [u8]) -> Option<(T, &'a [u8])>,
) -> impl Iterator<Item = Result<T, Malformed>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let item = split(rest);
        rest = item.as_ref().map_or(&[], |(_, rest)| rest);
        Some(item.map(|(item, _)| item).ok_or(Malformed))
    })
}

fn split_record(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let (&[content, 0xfe, _, e0, e1, _, _, _, _, _, _, l0, l1], rest) = bytes.split_first_chunk::<13>()?
    else {
        return None;
    };
    let content = match content {
        20 => Content::ChangeCipherSpec,
        21 => Content::Alert,
        22 => Content::Handshake,
        23 => Content::ApplicationData,
        _ => return None,
    };
    let (body, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([l0, l1])))?;
    let epoch = u16::from_be_bytes([e0, e1]);
    (!body.is_empty()).then_some((Record { content, epoch, body }, rest))
}

fn split_fragment(bytes: &[u8]) -> Option<(Fragment<'_>, &[u8])> {
    let (&[message_type, l0, l1, l2, s0, s1, o0, o1, o2, f0, f1, f2], rest) =
        bytes.split_first_chunk::<12>()?;
    let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
    let offset = u32::from_be_bytes([0, o0, o1, o2]) as usize;
    let (data, rest) = rest.split_at_checked(u32::from_be_bytes([0, f0, f1, f2]) as usize)?;
    let whole = data.len() == length;
    // rtc-dtls reads what follows a partial fragment as a part of it, so nothing may follow.
    let fits = length <= MAX_MESSAGE
        && offset + data.len() <= length
        && (whole || (!data.is_empty() && rest.is_empty()));
    let message_seq = u16::from_be_bytes([s0, s1]);
    fits.then_some((Fragment { message_type, message_seq, length, offset, data }, rest))
}
