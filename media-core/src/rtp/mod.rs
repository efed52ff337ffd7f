//! RTP on raw bytes: one look at the header, extensions by id, numbers extended at the door.
//!
//! in:  a decrypted packet; the fields of one to be written
//! out: views into it; bytes appended to a buffer
//!
//! ```
//! use media_core::rtp::{ExtId, RtpHeader, RtpView, write_packet};
//! use media_core::units::{Pt, Ssrc};
//!
//! let mut packet = Vec::new();
//! let header = RtpHeader { marker: true, pt: Pt(96), seq: 7, timestamp: 90_000, ssrc: Ssrc(1) };
//! write_packet(&mut packet, &header, &[(ExtId(3), &42u16.to_be_bytes())], &[b"payload"]);
//!
//! let view = RtpView::parse(&packet)?;
//! assert_eq!((view.seq(), view.payload()), (7, &b"payload"[..]));
//! assert_eq!(view.transport_cc(ExtId(3)), Some(42));
//! # Ok::<(), media_core::rtp::Malformed>(())
//! ```
//!
//! The header is read in place because every packet of every member passes here; payload formats are ours as well,
//! since `rtp`'s depacketizers keep state across packets and index past a truncated aggregate.
//!
//! RFC 3550 §5.1, RFC 8285 (extensions), RFC 4588 (retransmission), RFC 7741 (VP8), RFC 6184 (H.264), RFC 9628
//! (VP9), the AV1 RTP payload format with its dependency descriptor, RFC 2198 (redundant
//! audio).

pub mod av1;
mod bits;
pub mod dependency;
mod ext;
pub mod h264;
mod header;
mod info;
mod numbers;
mod onward;
pub mod red;
mod rtx;
mod seq;
pub mod vp8;
pub mod vp9;
mod writer;

pub use ext::{AudioLevel, ExtId};
pub use header::{Malformed, RtpView};
pub use info::{Layering, PayloadInfo};
pub use numbers::PictureNumbers;
pub use onward::{Elements, Onward, OnwardIds};
pub use rtx::original;
pub use seq::{SeqExtender, TimestampExtender};
pub use writer::{RtpHeader, write_packet};
