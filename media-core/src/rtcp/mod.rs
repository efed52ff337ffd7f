//! RTCP: what the other side reports and asks, and our own reports and requests.
//!
//! in:  a decrypted compound or reduced-size packet; values to report
//! out: an iterator over [`Packet`]s; bytes appended to a buffer
//!
//! ```
//! use media_core::rtcp::{self, Packet};
//! use media_core::units::Ssrc;
//!
//! let (own, theirs) = (Ssrc(1), Ssrc(2));
//! let mut out = Vec::new();
//! rtcp::write_receiver_report(&mut out, own, &[]); // a compound packet begins with a report, RFC 3550 §6.1
//! rtcp::write_nack(&mut out, own, theirs, &[7, 8]);
//!
//! for packet in rtcp::packets(&out) {
//!     if let Packet::Nack { media, lost, .. } = packet {
//!         assert_eq!((media, lost.collect::<Vec<_>>()), (theirs, vec![7, 8]));
//!     }
//! }
//! ```
//!
//! Reading is ours and in place: it happens for untrusted bytes, often, and needs seven packet types. Writing goes through
//! `rtcp`'s types. RFC 3550 §6, RFC 4585 §6, RFC 5104 §4.3.1, RFC 5506, draft-holmer-rmcat-transport-wide-cc-extensions-01.

mod ntp;
mod read;
mod transport_cc;
mod write;

pub use ntp::{NtpClock, NtpTime};
pub(crate) use ntp::{from_short, short};
pub use read::{FirEntries, Lost, Packet, Packets, ReportBlock, ReportBlocks, SenderInfo, Ssrcs, packets};
pub use transport_cc::{Arrival, Arrivals, TransportCc};
pub use write::{write_nack, write_pli, write_receiver_report, write_remb, write_sdes, write_sender_report};
