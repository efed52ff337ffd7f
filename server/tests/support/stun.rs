//! Connectivity checks, made by hand: RFC 8489.

use aws_lc_rs::hmac;

/// A binding request that nominates its address.
pub(crate) struct Check {
    pub(crate) username: String,
    pub(crate) pwd: String,
}

impl Check {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut message = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        message.extend([7; 12]);
        attribute(&mut message, 0x0006, self.username.as_bytes());
        attribute(&mut message, 0x0024, &[0, 0, 0, 9]);
        attribute(&mut message, 0x802a, &[7; 8]);
        attribute(&mut message, 0x0025, &[]);
        // Both count the length up to their own end.
        set_length(&mut message, 24);
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, self.pwd.as_bytes());
        let tag = hmac::sign(&key, &message);
        attribute(&mut message, 0x0008, tag.as_ref());
        set_length(&mut message, 8);
        let checksum = crc32(&message) ^ 0x5354_554e;
        attribute(&mut message, 0x8028, &checksum.to_be_bytes());
        message
    }
}

/// The same with one bit turned over.
pub(crate) fn flipped(message: &[u8], bit: usize) -> Vec<u8> {
    let mut message = message.to_vec();
    message[bit / 8] ^= 1 << (bit % 8);
    message
}

fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend(kind.to_be_bytes());
    message.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

fn set_length(message: &mut [u8], more: usize) {
    let length = u16::try_from(message.len() - 20 + more).unwrap();
    message[2..4].copy_from_slice(&length.to_be_bytes());
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}
