//! The certificate we show in every DTLS handshake.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use rtc_crypto::RTCCryptoProvider;
use rtc_crypto::providers::AwsLcRsProvider;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_shared::error::Error;

use super::Fingerprint;
use crate::srtp::Profile;

/// Largest DTLS datagram we send; fits every path that carries WebRTC.
const DTLS_MTU: usize = 1200;

/// A self-signed ECDSA P-256 certificate and its key; one per process.
pub struct Identity {
    certificate: Certificate,
    fingerprint: Fingerprint,
    crypto: Arc<dyn RTCCryptoProvider>,
}

/// The certificate could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make a DTLS certificate: {0}")]
pub struct IdentityError(String);

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.fingerprint)
    }
}

impl Identity {
    /// Makes a new one.
    ///
    /// # Errors
    /// The system has no randomness to offer.
    pub fn generate() -> Result<Self, IdentityError> {
        let crypto: Arc<dyn RTCCryptoProvider> = Arc::new(AwsLcRsProvider::new());
        let certificate = Certificate::generate_self_signed(vec!["signalbox".to_owned()], crypto.crypto())
            .map_err(|error| IdentityError(error.to_string()))?;
        let der = certificate.certificate.first().ok_or_else(|| IdentityError("it is empty".to_owned()))?;
        Ok(Self { fingerprint: fingerprint_of(der), certificate, crypto })
    }

    /// For our SDP.
    #[must_use]
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    pub(super) fn crypto(&self) -> &dyn RTCCryptoProvider {
        &*self.crypto
    }

    /// Configuration of a server that speaks exactly one SRTP profile with exactly one peer.
    pub(super) fn server_config(
        &self,
        profile: Profile,
        peer: Fingerprint,
    ) -> Result<Arc<HandshakeConfig>, Error> {
        // Runs in addition to the proof that the peer owns the certificate's key. What is skipped
        // is only the chain of authorities: the fingerprint in the SDP takes its place (RFC 8122).
        let is_the_peer = move |chain: &[Vec<u8>], _: &[_]| match chain.first() {
            Some(der) if fingerprint_of(der) == peer => Ok(()),
            _ => Err(Error::Other("the certificate is not the one in the SDP".to_owned())),
        };
        let config = ConfigBuilder::default()
            .with_crypto_provider(Arc::clone(&self.crypto))
            .with_certificates(vec![self.certificate.clone()])
            .with_srtp_protection_profiles(vec![on_the_wire(profile)])
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .with_insecure_skip_verify(true)
            .with_verify_peer_certificate(Some(Arc::new(is_the_peer)))
            .with_flight_interval(Duration::from_millis(200))
            .with_mtu(DTLS_MTU)
            .build(false, None)?;
        Ok(Arc::new(config))
    }
}

/// SHA-256 of a certificate in DER.
pub(super) fn fingerprint_of(der: &[u8]) -> Fingerprint {
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(digest::digest(&digest::SHA256, der).as_ref()) {
        *to = *from;
    }
    Fingerprint(bytes)
}

fn on_the_wire(profile: Profile) -> SrtpProtectionProfile {
    match profile {
        Profile::AeadAes128Gcm => SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
        Profile::AeadAes256Gcm => SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm,
        Profile::Aes128CmHmacSha1_80 => SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
    }
}
