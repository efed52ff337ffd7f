//! What the media plane counts; all totals only grow.

/// Packets and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Packets.
    pub packets: u64,
    /// Bytes of UDP payload.
    pub bytes: u64,
}

/// Totals of one shard since its start, and a few levels.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Audio RTP received, authenticated.
    pub audio_in: Traffic,
    /// Video RTP received, authenticated.
    pub video_in: Traffic,
    /// RTCP received, authenticated.
    pub rtcp_in: Traffic,
    /// Audio RTP sent.
    pub audio_out: Traffic,
    /// Video RTP sent.
    pub video_out: Traffic,
    /// RTCP sent.
    pub rtcp_out: Traffic,
    /// STUN and DTLS received.
    pub handshake_in: Traffic,
    /// STUN and DTLS sent.
    pub handshake_out: Traffic,
    /// Packets missing from sources for good.
    pub lost_in: u64,
    /// Packets that receivers reported missing.
    pub nacked_out: u64,
    /// Packets sent again.
    pub retransmitted_out: u64,
    /// Datagrams dropped, by reason.
    pub dropped: Vec<(&'static str, u64)>,
    /// Canvas frames composed.
    pub canvas_frames: u64,
    /// Canvas frames left out because the compositor or encoder was still busy.
    pub canvas_frames_late: u64,
    /// Key frames encoded.
    pub key_frames: u64,
    /// Time spent decoding video, nanoseconds.
    pub decode_ns: u64,
    /// Pictures decoded.
    pub decoded: u64,
    /// Time spent composing, nanoseconds.
    pub compose_ns: u64,
    /// Time spent encoding video, nanoseconds.
    pub encode_ns: u64,
    /// Pictures encoded.
    pub encoded: u64,
    /// Time of the audio thread, nanoseconds.
    pub mix_ns: u64,
    /// Rooms now.
    pub rooms: u64,
    /// Members now.
    pub members: u64,
    /// Legs now.
    pub legs: u64,
}
