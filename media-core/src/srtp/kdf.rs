//! Session keys from a master key, RFC 3711 §4.3 with a key derivation rate of 0.

use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;

/// What the derived keys protect.
#[derive(Clone, Copy, Debug)]
pub(super) enum Use {
    Rtp,
    Rtcp,
}

/// What a derived key is for, RFC 3711 §4.3.1; the SRTCP labels follow the SRTP ones.
#[derive(Clone, Copy, Debug)]
pub(super) enum Label {
    Encryption = 0,
    Authentication = 1,
    Salt = 2,
}

/// Fills `out` with the key stream that belongs to the label. `None` when the master key is not an
/// AES-128 or AES-256 key or the salt is longer than 14 bytes.
pub(super) fn derive(master: &[u8], salt: &[u8], of: Use, label: Label, out: &mut [u8]) -> Option<()> {
    // x = label at byte 7, XOR the salt from byte 0 (a 96-bit salt is padded on the right,
    // RFC 7714 §11); the block counter takes the two bytes after it.
    let mut iv = [0; 16];
    iv.get_mut(..14)?.get_mut(..salt.len())?.copy_from_slice(salt);
    iv[7] ^= match of {
        Use::Rtp => label as u8,
        Use::Rtcp => label as u8 + 3,
    };
    let algorithm = match master.len() {
        16 => &AES_128,
        32 => &AES_256,
        _ => return None,
    };
    let prf = EncryptingKey::ctr(UnboundCipherKey::new(algorithm, master).ok()?).ok()?;
    out.fill(0);
    prf.less_safe_encrypt(out, EncryptionContext::Iv128(FixedLength::from(iv))).ok()?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::hex;
    use super::*;

    // RFC 3711 §B.3
    #[test]
    fn the_rfc_3711_keys_come_out() {
        let master = hex("e1f97a0d3e018be0d64fa32c06de4139");
        let salt = hex("0ec675ad498afeebb6960b3aabe6");
        let check = |label, expected: &str| {
            let expected = hex(expected);
            let mut out = vec![0xff; expected.len()];
            derive(&master, &salt, Use::Rtp, label, &mut out).unwrap();
            assert_eq!(out, expected, "{label:?}");
        };
        check(Label::Encryption, "c61e7a93744f39ee10734afe3ff7a087");
        check(Label::Salt, "30cbbc08863d8c85d49db34a9ae1");
        check(
            Label::Authentication,
            "cebe321f6ff7716b6fd4ab49af256a156d38baa48f0a0acf3c34e2359e6cdbce\
             e049646c43d9327ad175578ef72270986371c10c9a369ac2f94a8c5fbcdddc25\
             6d6e919a48b610ef17c2041e47403576",
        );
    }

    // RFC 3711 §B.2
    #[test]
    fn counter_mode_gives_the_rfc_3711_key_stream() {
        let mut out = vec![0; 48];
        derive(
            &hex("2b7e151628aed2a6abf7158809cf4f3c"),
            &hex("f0f1f2f3f4f5f6f7f8f9fafbfcfd"),
            Use::Rtp,
            Label::Encryption,
            &mut out,
        )
        .unwrap();
        assert_eq!(
            out,
            hex("e03ead0935c95e80e166b16dd92b4eb4\
                 d23513162b02d0f72a43a2fe4a5f97ab\
                 41e95b3bb0a2e8dd477901e4fca894c0")
        );
    }

    #[test]
    fn wrong_lengths_are_refused() {
        let mut out = [0; 16];
        assert!(derive(&[0; 15], &[0; 14], Use::Rtp, Label::Salt, &mut out).is_none());
        assert!(derive(&[0; 16], &[0; 15], Use::Rtp, Label::Salt, &mut out).is_none());
    }
}
