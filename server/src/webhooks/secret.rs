//! Signatures by which a receiver knows that a message is ours, whole and of now: Standard Webhooks 1.0.0.
//!
//! in:  a shared secret; id, moment and body of a message
//! out: the value of `webhook-signature`

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// How secrets are written, so that people know one when they see it.
const PREFIX: &str = "whsec_";

/// The key shared with one receiver. Neither `Debug` nor an error shows it.
#[derive(Clone)]
pub(crate) struct Secret(hmac::Key);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// `whsec_` and the base64 text of 24 to 64 random bytes.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let bytes = text
            .trim()
            .strip_prefix(PREFIX)
            .and_then(|text| STANDARD.decode(text).ok())
            .filter(|bytes| (24..=64).contains(&bytes.len()))
            .ok_or("whsec_ and 24 to 64 bytes in base64 are needed")?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// What `webhook-signature` says. The id contains no dot, so parts cannot be shifted into each other.
    pub(super) fn signature(&self, id: &str, unix_s: u64, body: &str) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        for part in [id, ".", &unix_s.to_string(), ".", body] {
            context.update(part.as_bytes());
        }
        format!("v1,{}", STANDARD.encode(context.sign()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_message_has_its_known_signature() {
        // Computed by `openssl dgst -sha256 -mac HMAC` over `evt_1.1674087231.{"a":1}`.
        let secret = Secret::parse("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=").unwrap();
        assert_eq!(
            secret.signature("evt_1", 1_674_087_231, r#"{"a":1}"#),
            "v1,NSqttVRIh+bw5viVyA2RlH851j/LgJDTGrkmH9i9jbE="
        );
    }

    #[test]
    fn weak_and_mistyped_secrets_are_refused_without_being_shown() {
        let of_bytes = |length: usize| format!("whsec_{}", STANDARD.encode(vec![7_u8; length]));
        for good in [of_bytes(24), of_bytes(64), format!(" {}\n", of_bytes(32))] {
            assert!(Secret::parse(&good).is_ok(), "{good}");
        }
        let unprefixed = STANDARD.encode([7_u8; 32]);
        for bad in ["", "whsec_", "whsec_!!!", "password", &unprefixed, &of_bytes(23), &of_bytes(65)] {
            assert!(Secret::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(format!("{:?}", Secret::parse(&of_bytes(24)).unwrap()), "Secret(…)");
    }
}
