//! Why an offer cannot be answered, in words for the one who made it.

use crate::units::MediaKind;

/// What was wrong with an offer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// Longer than a limit of ours.
    #[error("{what} over the limit of {limit}")]
    TooMuch {
        /// Which of the limited things.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// Not SDP.
    #[error("not SDP: {0}")]
    Syntax(String),
    /// A line is missing that an answer needs.
    #[error("section {section} has no {what}")]
    Missing {
        /// The `m=` line, counted from 0.
        section: usize,
        /// The line.
        what: &'static str,
    },
    /// A line is there, but nothing can be made of it.
    #[error("section {section} has a bad {what}: {value}")]
    Bad {
        /// The `m=` line, counted from 0.
        section: usize,
        /// The line.
        what: &'static str,
        /// Its beginning.
        value: String,
    },
    /// Neither an audio nor a video section could be accepted.
    #[error("no audio or video section that can be answered")]
    NoMedia,
    /// Nothing in the section that we speak.
    #[error("no common {kind:?} codec; offered were {offered}")]
    NoCommonCodec {
        /// Of which section.
        kind: MediaKind,
        /// The codecs named in the offer.
        offered: String,
    },
    /// A section asks to travel with another one, but names no group for that.
    #[error("section with mid {0} is bundle-only but the offer's sections are not in one BUNDLE group")]
    BundleBroken(String),
    /// Streams of their own for many members come over one transport.
    #[error("section with mid {0} is not in the offer's BUNDLE group")]
    BundleNeeded(String),
    /// A later offer wants what the first answer did not give, or the other way round.
    #[error("sections cannot change between one transport and several")]
    BundleChanged,
}

impl SdpError {
    /// [`SdpError::Bad`] with the value cut to a length that is fit for logs and replies.
    pub(super) fn bad(section: usize, what: &'static str, value: &str) -> Self {
        Self::Bad { section, what, value: shortened(value) }
    }
}

pub(super) fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

pub(super) fn limit(what: &'static str, have: usize, limit: usize) -> Result<(), SdpError> {
    if have > limit { Err(SdpError::TooMuch { what, limit }) } else { Ok(()) }
}
