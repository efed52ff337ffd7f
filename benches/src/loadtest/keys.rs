//! The SRTP keys of a str0m session, taken as they pass from DTLS to SRTP.
//!
//! in:  str0m's own DTLS
//! out: the same DTLS, and what protects our RTCP
//!
//! str0m has no way to send RTCP of one's own making, and gives no keys away. Feedback must be ours: then every server
//! gets the same, from peers that never decrypted a packet.

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use media_core::srtp::{DtlsRole, Outbound, Profile, pair};
use str0m::crypto::dtls::{
    DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion, ProtocolVersion,
    SrtpProfile,
};
use str0m::crypto::{CryptoError, CryptoProvider, from_feature_flags};

/// Where the keys of one session will be.
#[derive(Clone, Default)]
pub(super) struct Tap(Arc<Mutex<Option<Keys>>>);

struct Keys {
    profile: Profile,
    role: DtlsRole,
    exported: Vec<u8>,
}

thread_local! {
    /// Of the session made last on this thread: the provider is shared and does not learn for whom it makes one.
    static LATEST: RefCell<Tap> = RefCell::default();
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tap")
    }
}

impl Tap {
    /// Of the session that this thread has just built with [`provider`].
    pub(super) fn latest() -> Self {
        LATEST.with_borrow(Clone::clone)
    }

    /// What protects our packets; once, as soon as the handshake is done.
    pub(super) fn take_outbound(&self) -> Option<Outbound> {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        pair(keys.profile, keys.role, &keys.exported).map(|(_, outbound)| outbound)
    }

    fn put(&self, keys: Keys) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(keys);
    }
}

/// str0m's cryptography with a tap at its DTLS.
pub(super) fn provider() -> CryptoProvider {
    static TAPPING: Tapping = Tapping;
    CryptoProvider { dtls_provider: &TAPPING, ..from_feature_flags() }
}

#[derive(Debug)]
struct Tapping;

impl DtlsProvider for Tapping {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        from_feature_flags().dtls_provider.generate_certificate()
    }

    fn new_dtls(
        &self,
        cert: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let inner = from_feature_flags().dtls_provider.new_dtls(cert, now, version, mtu)?;
        let tap = Tap::default();
        LATEST.set(tap.clone());
        Ok(Box::new(Tapped { inner, tap }))
    }
}

#[derive(Debug)]
struct Tapped {
    inner: Box<dyn DtlsInstance>,
    tap: Tap,
}

impl DtlsInstance for Tapped {
    fn set_active(&mut self, active: bool) {
        self.inner.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.inner.handle_packet(packet)
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "the library may know more profiles with each version")]
    fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> DtlsOutput<'a> {
        let output = self.inner.poll_output(buffer);
        if let DtlsOutput::KeyingMaterial(keys, profile) = &output {
            let profile = match *profile {
                SrtpProfile::AES128_CM_SHA1_80 => Some(Profile::Aes128CmHmacSha1_80),
                SrtpProfile::AEAD_AES_128_GCM => Some(Profile::AeadAes128Gcm),
                SrtpProfile::AEAD_AES_256_GCM => Some(Profile::AeadAes256Gcm),
                _ => None,
            };
            let role = if self.inner.is_active() { DtlsRole::Client } else { DtlsRole::Server };
            if let Some(profile) = profile {
                self.tap.put(Keys { profile, role, exported: keys.to_vec() });
            }
        }
        output
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.inner.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.inner.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.inner.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.inner.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.inner.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.inner.close()
    }
}
