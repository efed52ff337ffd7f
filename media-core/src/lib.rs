//! RTP in, RTP out: transport, forwarding, mixing and codecs of media rooms.
//!
//! in:  datagrams, commands, finished jobs, audio frames, time
//! out: datagrams, events, jobs, audio packets, the next deadline
//!
//! Everything but [`engine`] is sans-I/O: values without sockets, threads or clocks.
//! [`engine`] is the thin shell that owns the sockets and threads and drives them.

pub mod units;

pub mod sdp;
pub mod srtp;
pub mod transport;

pub mod rtcp;
pub mod rtp;

pub mod bandwidth;
pub mod forward;
pub mod receive;

pub mod codec;
pub mod mix;

pub mod room;
pub mod shard;

pub mod engine;
