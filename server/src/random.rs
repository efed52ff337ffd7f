//! Unguessable bytes, and identifiers made of them.

use aws_lc_rs::rand;

/// `N` bytes from the system's generator.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect("the system's random generator never fails after start");
    bytes
}

/// `length` characters `0-9a-f`.
pub(crate) fn text(length: usize) -> String {
    let mut text = String::new();
    while text.len() < length {
        text.push_str(&hex(&bytes::<16>()));
    }
    text.truncate(length);
    text
}

/// Two characters per byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
