//! What the media plane counts; all totals only grow.

use crate::mix::audio::{AudioCounters, AudioLevels};

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
    /// Packets of sources lost on the way, whether or not a repeat came. A late packet lowers it; what the engine
    /// publishes never falls.
    pub lost_in: u64,
    /// Packets of sound among them of which a later one brought a copy.
    pub repaired_in: u64,
    /// Packets that receivers reported missing.
    pub nacked_out: u64,
    /// Packets sent again.
    pub retransmitted_out: u64,
    /// RTP of padding alone sent, for probes.
    pub padding_out: Traffic,
    /// Probes of bandwidth begun.
    pub probes: u64,
    /// Packets that pacers gave up because a link was too narrow.
    pub paced_dropped: u64,
    /// Packets whose sealing and sending was left to another shard.
    pub lent: u64,
    /// Packets sealed and sent for another shard.
    pub borrowed: u64,
    /// Packets for which the ring to another shard was full: sent at home, or dropped as `helper_full`.
    pub ring_full: u64,
    /// Time that the shard's thread was not asleep, nanoseconds.
    pub busy_ns: u64,
    /// Datagrams dropped, by reason.
    pub dropped: Vec<(&'static str, u64)>,
    /// Canvas frames composed.
    pub canvas_frames: u64,
    /// Canvas frames left out because the compositor or encoder was still busy.
    pub canvas_frames_late: u64,
    /// Canvas frames left out because the machine is too small.
    pub shed_frames: u64,
    /// Pictures of small renditions left out for the same reason.
    pub shed_small: u64,
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
    /// What it has counted.
    pub sound: AudioCounters,
    /// How it is there now.
    pub sound_levels: AudioLevels,
    /// Renditions of canvases encoded now.
    pub renditions: u64,
    /// Legs whose bandwidth is known now.
    pub estimated: u64,
    /// … and the sum of what their paths carry, bits per second.
    pub estimate_bps: u64,
    /// Rooms now.
    pub rooms: u64,
    /// Members now.
    pub members: u64,
    /// Legs now.
    pub legs: u64,
}

impl Traffic {
    pub(crate) fn count(&mut self, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
    }

    fn add(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
    }
}

impl Counters {
    /// Adds those of another shard.
    pub(crate) fn add(&mut self, other: &Self) {
        let Self {
            audio_in,
            video_in,
            rtcp_in,
            audio_out,
            video_out,
            rtcp_out,
            handshake_in,
            handshake_out,
            lost_in,
            repaired_in,
            nacked_out,
            retransmitted_out,
            padding_out,
            probes,
            paced_dropped,
            lent,
            borrowed,
            ring_full,
            busy_ns,
            dropped,
            canvas_frames,
            canvas_frames_late,
            shed_frames,
            shed_small,
            key_frames,
            decode_ns,
            decoded,
            compose_ns,
            encode_ns,
            encoded,
            mix_ns,
            sound,
            sound_levels,
            renditions,
            estimated,
            estimate_bps,
            rooms,
            members,
            legs,
        } = other;
        self.audio_in.add(*audio_in);
        self.video_in.add(*video_in);
        self.rtcp_in.add(*rtcp_in);
        self.audio_out.add(*audio_out);
        self.video_out.add(*video_out);
        self.rtcp_out.add(*rtcp_out);
        self.handshake_in.add(*handshake_in);
        self.handshake_out.add(*handshake_out);
        self.lost_in += lost_in;
        self.repaired_in += repaired_in;
        self.nacked_out += nacked_out;
        self.retransmitted_out += retransmitted_out;
        self.padding_out.add(*padding_out);
        self.probes += probes;
        self.paced_dropped += paced_dropped;
        self.lent += lent;
        self.borrowed += borrowed;
        self.ring_full += ring_full;
        self.busy_ns += busy_ns;
        for &(reason, count) in dropped {
            self.count_dropped(reason, count);
        }
        self.canvas_frames += canvas_frames;
        self.canvas_frames_late += canvas_frames_late;
        self.shed_frames += shed_frames;
        self.shed_small += shed_small;
        self.key_frames += key_frames;
        self.decode_ns += decode_ns;
        self.decoded += decoded;
        self.compose_ns += compose_ns;
        self.encode_ns += encode_ns;
        self.encoded += encoded;
        self.mix_ns += mix_ns;
        self.sound.add(sound);
        self.sound_levels.add(*sound_levels);
        self.renditions += renditions;
        self.estimated += estimated;
        self.estimate_bps += estimate_bps;
        self.rooms += rooms;
        self.members += members;
        self.legs += legs;
    }

    pub(crate) fn count_dropped(&mut self, reason: &'static str, count: u64) {
        if count == 0 {
            return;
        }
        match self.dropped.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, total)) => *total += count,
            None => self.dropped.push((reason, count)),
        }
    }
}
