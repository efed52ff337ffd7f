//! Forwarding: packets made once, sent to many.
//!
//! in:  encoded pictures and frames of sound; what viewers report and miss
//! out: RTP and RTCP for each leg, in plaintext
//!
//! ```text
//! EncodedPicture ─► Packetizer ─► MediaPacket ──────┬─► RtpSender (leg 1) ─► bytes
//!                                      │            ├─► RtpSender (leg 2) ─► bytes
//!                                 PacketCache ──────┴─ answers NACKs of all legs
//! ```
//!
//! ```
//! use std::time::{Duration, Instant};
//! use media_core::forward::{EncodedPicture, PacketCache, Packetizer, PayloadTypes, RtpSender, SenderConfig, Start};
//! use media_core::rtp::OnwardIds;
//! use media_core::units::{ClockRate, MediaKind, MediaTime, Pt, Ssrc, VideoCodec};
//!
//! let now = Instant::now();
//! // Once per rendition:
//! let mut packetizer = Packetizer::new(VideoCodec::Vp8);
//! let mut cache = PacketCache::default();
//! // Once per leg:
//! let mut sender = RtpSender::new(SenderConfig {
//!     kind: MediaKind::Video,
//!     rate: ClockRate::VIDEO,
//!     ssrc: Ssrc(1),
//!     rtx_ssrc: Some(Ssrc(2)),
//!     payload: PayloadTypes { pt: Pt(96), rtx: Some(Pt(97)) },
//!     transport_cc: None,
//!     abs_send_time: None,
//!     onward: OnwardIds::default(),
//!     mid: None,
//!     cname: "signalbox".into(),
//!     start: Start { seq: 1000, rtx_seq: 5, timestamp: 77, picture_id: 3 },
//! });
//!
//! // A key frame: byte 0 of a VP8 frame has its low bit clear.
//! let data = vec![0; 3000].into();
//! let timestamp = MediaTime { ticks: 90_000, rate: ClockRate::VIDEO };
//! let picture = EncodedPicture { keyframe: true, data, timestamp, captured: now };
//! let mut datagram = Vec::new();
//! for packet in packetizer.packetize(&picture) {
//!     cache.insert(now, packet.clone());
//!     datagram.clear();
//!     if sender.write(now, &packet, None, &mut datagram) { /* protect and send */ }
//! }
//! // The viewer says that it misses one:
//! let later = now + Duration::from_millis(50);
//! datagram.clear();
//! assert!(sender.retransmit(later, 1001, &cache, None, &mut datagram));
//! ```
//!
//! Nothing here keeps a queue: what a leg cannot take now is the caller's to drop or delay.

pub mod av1;
mod cache;
mod cut;
mod ladder;
mod layers;
mod meter;
mod outcomes;
mod packet;
mod packetizer;
mod pool;
mod reports;
mod retransmit;
mod sender;
mod slot;
mod source;
mod speakers;
mod timeline;
pub mod vp9;

pub use cache::PacketCache;
pub use layers::Layers;
pub use packet::{Dependency, EncodedPicture, MediaPacket};
pub use packetizer::{MAX_PAYLOAD, Packetizer};
pub(crate) use pool::Pool;
pub use sender::{PayloadTypes, RtpSender, SenderConfig, SenderStats};
pub use slot::{ALL_TEMPORAL, Gate, Offered, Slot};
pub use source::{Arrival, Source, SourceId, Taken, Watcher};
pub use speakers::{Candidate, Loudness, SpeakerSlots};
pub use timeline::Start;
