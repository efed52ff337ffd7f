//! Why a datagram goes no further. Not an error: each one is a counter.

use crate::srtp::Refusal;

macro_rules! drop_reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Why a received datagram was dropped.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum DropReason {
            $($(#[$doc])* $variant,)*
        }

        impl DropReason {
            /// All reasons, in the order of their declaration.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Name of its counter.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

drop_reasons! {
    /// The first byte belongs to no protocol we speak (RFC 7983).
    UnknownProtocol = "unknown_protocol",
    /// Not a STUN message, or longer than any connectivity check.
    StunMalformed = "stun_malformed",
    /// STUN, but not a connectivity check of a controlling agent.
    StunNotACheck = "stun_not_a_check",
    /// A check for nobody here. Not answered, so that nobody can search for names.
    StunUnknownUfrag = "stun_unknown_ufrag",
    /// FINGERPRINT, MESSAGE-INTEGRITY or the peer's half of USERNAME does not fit.
    StunUnauthenticated = "stun_unauthenticated",
    /// The address is another peer's live path.
    StunAddressTaken = "stun_address_taken",
    /// DTLS from an address that no connectivity check has opened.
    DtlsUnknownAddress = "dtls_unknown_address",
    /// Not DTLS 1.x records, or handshake fragments that no handshake has.
    DtlsMalformed = "dtls_malformed",
    /// More than any handshake needs.
    DtlsTooMuch = "dtls_too_much",
    /// The handshake did not begin with a ClientHello.
    DtlsBeforeHello = "dtls_before_hello",
    /// Data channels were not negotiated, or the handshake is not complete.
    DtlsApplicationData = "dtls_application_data",
    /// Not SCTP, or no SCTP that data channels have.
    DataMalformed = "data_malformed",
    /// More than the peer may send before it is read, or far from what came before.
    DataTooMuch = "data_too_much",
    /// The association is closed or has failed.
    DtlsOver = "dtls_over",
    /// Media from an address that no connectivity check has opened.
    MediaUnknownAddress = "media_unknown_address",
    /// Media before the DTLS handshake is complete.
    MediaBeforeKeys = "media_before_keys",
    /// RTP or RTCP with a header that does not fit its length.
    SrtpMalformed = "srtp_malformed",
    /// The authentication tag does not fit.
    SrtpUnauthenticated = "srtp_unauthenticated",
    /// Seen before, or too old to tell.
    SrtpReplayed = "srtp_replayed",
    /// More SSRCs than one association may use.
    SrtpTooManySsrcs = "srtp_too_many_ssrcs",
    /// Too many datagrams wait to be sent; the peer will ask again.
    OutboxFull = "outbox_full",
}

impl From<Refusal> for DropReason {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Malformed => Self::SrtpMalformed,
            Refusal::Unauthenticated => Self::SrtpUnauthenticated,
            Refusal::Replayed | Refusal::KeyExhausted => Self::SrtpReplayed,
            Refusal::TooManySsrcs => Self::SrtpTooManySsrcs,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_reason_has_a_counter_of_its_own() {
        let names: HashSet<_> = DropReason::ALL.iter().map(|r| r.as_str()).collect();
        assert_eq!(names.len(), DropReason::ALL.len());
    }
}
