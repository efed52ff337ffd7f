//! Receiving: from packets as they come to pictures and sound in order, and what the sender must be told.
//!
//! in:  RTP of a member's streams, its sender reports, time
//! out: complete frames; NACK, PLI, report blocks, transport-wide feedback; the member's clock
//!
//! ```text
//!  RTP ─┬─► TwccRecorder (per transport) ─────────────────► feedback
//!       ├─► SenderClock (per member) ─────────────────────► local(ts): when a sample is due
//!       ├─► AudioReceiver ──► (SeqNo, MediaTime) ─────────► mix
//!       └─► VideoReceiver ──► order, NACK, assemble ──────► ReceivedFrame ─► decoder
//! ```
//!
//! ```
//! use std::time::{Duration, Instant};
//! use media_core::receive::{Feedback, Format, SenderClock, VideoConfig, VideoReceiver};
//! use media_core::rtp::{RtpHeader, RtpView, vp8, write_packet};
//! use media_core::units::{MediaKind, Pt, Ssrc, VideoCodec};
//!
//! let now = Instant::now();
//! let mut video = VideoReceiver::new(VideoConfig {
//!     ssrc: Ssrc(7),
//!     formats: vec![(Pt(96), Format::Codec(VideoCodec::Vp8)), (Pt(97), Format::Rtx { of: Pt(96) })],
//! });
//! let mut clock = SenderClock::new(now);
//!
//! // A key frame of one packet; streams 7 and its RTX both go here.
//! let mut bytes = Vec::new();
//! let header = RtpHeader { marker: true, pt: Pt(96), seq: 1, timestamp: 90_000, ssrc: Ssrc(7) };
//! write_packet(&mut bytes, &header, &[], &[&vp8::descriptor(true, 1), &[0, 1, 2]]);
//! let packet = RtpView::parse(&bytes)?;
//! if let Some(timestamp) = video.handle_rtp(now, &packet).on_time() {
//!     clock.handle_packet(now, MediaKind::Video, timestamp);
//! }
//! while let Some(frame) = video.poll_frame() {
//!     assert!(frame.keyframe);
//!     let _due = clock.local(MediaKind::Video, frame.timestamp).map(|at| at + Duration::from_millis(100));
//! }
//! while let Some(feedback) = video.poll_feedback(now) {
//!     match feedback { Feedback::Nack(_lost) => {} Feedback::Pli => {} }
//! }
//! let _wake_at = video.poll_timeout();
//! # Ok::<(), media_core::rtp::Malformed>(())
//! ```

mod audio;
mod buffer;
mod clock;
mod reception;
mod twcc;
mod video;

pub use audio::{AudioReceiver, Sound};
pub use clock::SenderClock;
pub use reception::ReceptionStats;
pub use twcc::TwccRecorder;
pub use video::{Feedback, Format, Numbered, ReceivedFrame, Verdict, VideoConfig, VideoReceiver, VideoStats};
