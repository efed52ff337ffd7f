//! VP8 payload descriptor, RFC 7741 §4.2.
//!
//! in:  a payload
//! out: what the descriptor says and the piece of picture behind it

/// What the descriptor of one packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The packet begins a picture: start of partition 0.
    pub begins_picture: bool,
    /// … and the picture is a key frame (the P bit of the VP8 header behind the descriptor).
    pub keyframe: bool,
    /// 7 or 15 bits.
    pub picture_id: Option<u16>,
}

/// Length of the descriptor [`descriptor`] makes.
pub const DESCRIPTOR_LEN: usize = 4;

/// Takes a payload apart. `None` when the descriptor does not fit or nothing follows it.
#[must_use]
pub fn parse(payload: &[u8]) -> Option<(Descriptor, &[u8])> {
    let (&first, mut rest) = payload.split_first()?;
    let mut picture_id = None;
    if first & 0x80 != 0 {
        let flags = take(&mut rest)?;
        if flags & 0x80 != 0 {
            let high = take(&mut rest)?;
            picture_id = Some(if high & 0x80 == 0 {
                u16::from(high)
            } else {
                u16::from_be_bytes([high & 0x7f, take(&mut rest)?])
            });
        }
        if flags & 0x40 != 0 {
            take(&mut rest)?; // TL0PICIDX
        }
        if flags & 0x30 != 0 {
            take(&mut rest)?; // TID, Y, KEYIDX share a byte
        }
    }
    let begins_picture = first & 0x10 != 0 && first & 0x07 == 0;
    let keyframe = begins_picture && rest.first()? & 1 == 0;
    (!rest.is_empty()).then_some((Descriptor { begins_picture, keyframe, picture_id }, rest))
}

/// The descriptor of our own packets: always with a 15-bit picture id, so that it can be rewritten in place when a
/// viewer's rendition changes. No temporal layers, hence no TL0PICIDX.
#[must_use]
pub fn descriptor(begins_picture: bool, picture_id: u16) -> [u8; DESCRIPTOR_LEN] {
    let [high, low] = picture_id.to_be_bytes();
    [if begins_picture { 0x90 } else { 0x80 }, 0x80, 0x80 | high, low]
}

fn take(rest: &mut &[u8]) -> Option<u8> {
    let (&byte, after) = rest.split_first()?;
    *rest = after;
    Some(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(payload: &[u8], expected: Option<(bool, bool, Option<u16>, &[u8])>) {
        let got = parse(payload).map(|(d, rest)| (d.begins_picture, d.keyframe, d.picture_id, rest));
        assert_eq!(got, expected, "{payload:02x?}");
    }

    #[test]
    fn descriptors() {
        check(&[], None);
        check(&[0x10], None);
        check(&[0x10, 0x00], Some((true, true, None, &[0])));
        check(&[0x10, 0x01], Some((true, false, None, &[1])));
        check(&[0x00, 0x00], Some((false, false, None, &[0])));
        check(&[0x11, 0x00], Some((false, false, None, &[0]))); // a later partition
        check(&[0x90, 0x80, 0x11, 0x00], Some((true, true, Some(0x11), &[0])));
        check(&[0x90, 0x80, 0x81, 0x02, 0x00], Some((true, true, Some(0x102), &[0])));
        check(&[0x90, 0xe0, 0x81, 0x02, 9, 0x40, 0x01], Some((true, false, Some(0x102), &[1])));
        check(&[0x90, 0xf0, 0x05, 9, 0x40], None);
        check(&[0x90, 0x80, 0x81], None);
        check(&[0x90, 0x40], None);
        check(&[0x90, 0x20, 0x00], None);
        check(&[0x90, 0x00, 0x02], Some((true, true, None, &[2])));
    }

    #[test]
    fn own_descriptor_reads_back() {
        for id in [0, 127, 128, 0x7fff] {
            let mut payload = descriptor(true, id).to_vec();
            payload.push(0);
            check(&payload, Some((true, true, Some(id), &[0])));
        }
    }
}
