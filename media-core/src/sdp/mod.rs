//! Offers in, answers out (RFC 3264, RFC 8829, RFC 9429).
//!
//! in:  the text of a browser's complete offer, what we prefer
//! out: what each section speaks in both directions, the text of our answer
//!
//! ```text
//!   text ──Offer::parse──► Offer ──negotiate──► Negotiated ──write_answer──► text
//!                                       ▲                         ▲
//!                            Policy: codecs, BUNDLE     ICE credentials, candidates, SSRCs
//! ```
//!
//! The tokenizing is `rtc-sdp`'s; meaning, limits and the answer are ours. We are always the answerer, an ICE-lite
//! agent and the passive end of DTLS.

mod answer;
mod attributes;
mod error;
mod formats;
mod negotiate;
mod offer;
mod roles;
mod section;

pub use answer::{Answer, LocalData, LocalMedia, write_answer};
pub use error::SdpError;
pub use negotiate::{
    Extensions, Negotiated, NegotiatedData, NegotiatedMedia, Payload, Policy, SlotPolicy, negotiate,
};
pub use offer::{
    Codec, Direction, ExtensionUri, Feedback, Offer, OfferedCodec, OfferedData, OfferedMedia, OfferedSection,
    OfferedSsrc, Origin, Red, Rejected, SectionOrder,
};

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tiles_tests;
