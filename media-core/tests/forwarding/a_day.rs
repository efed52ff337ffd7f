//! A day of one slot, through every number that wraps.
//!
//! Twelve packets a second: sequence numbers wrap ten times, and with them the roll-over counters of SRTP; timestamps
//! twice, picture ids ten times, bases of temporal layers hundreds of times. The slot goes over between the encodings of a
//! camera, whose numbers have nothing in common, and leaves out temporal layers for a while.

use std::time::{Duration, Instant};

use media_core::forward::{
    ALL_TEMPORAL, Arrival, Gate, Layers, Offered, PayloadTypes, RtpSender, SenderConfig, Slot, Source,
    SourceId, Start, Taken, Watcher,
};
use media_core::receive::{Format, Verdict, VideoConfig, VideoReceiver};
use media_core::rtp::{Onward, OnwardIds, RtpView};
use media_core::srtp::{Inbound, Outbound, Profile};
use media_core::units::{ClockRate, EncodingIndex, LegKey, MediaKind, Ssrc, VideoCodec};

use crate::camera::{Encoding, RTX, VP8};
use crate::extensions::Ids;
use crate::sim::link::Random;
use crate::viewer::SlotView;

const DAY: u32 = 24 * 3600;
/// Pictures a second: sparse, so that a day passes in seconds.
const FPS: u32 = 4;
const TICKS: u32 = 90_000 / FPS;
const LEG: LegKey = LegKey(1);

/// Protects and opens again, as between two hosts: both count the roll-overs for themselves.
struct Wire {
    seal: Outbound,
    open: Inbound,
}

impl Wire {
    fn new() -> Self {
        let profile = Profile::AeadAes128Gcm;
        let (key, salt) = ([7; 16], [9; 12]);
        Self {
            seal: Outbound::new(profile, &key, &salt).unwrap(),
            open: Inbound::new(profile, &key, &salt).unwrap(),
        }
    }

    fn carry(&mut self, mut packet: Vec<u8>) -> Vec<u8> {
        self.seal.seal_rtp(&mut packet).expect("there is room in the keys for a day");
        self.open.open_rtp(&mut packet).expect("what was sealed opens").to_vec()
    }
}

/// The server's end of one encoding.
struct Received {
    wire: Wire,
    receiver: VideoReceiver,
    source: Source,
}

fn formats() -> Vec<(media_core::units::Pt, Format)> {
    vec![(VP8, Format::Codec(VideoCodec::Vp8)), (RTX, Format::Rtx { of: VP8 })]
}

fn slot() -> Slot {
    Slot::new(RtpSender::new(SenderConfig {
        kind: MediaKind::Video,
        rate: ClockRate::VIDEO,
        ssrc: Ssrc(900),
        rtx_ssrc: Some(Ssrc(901)),
        payload: PayloadTypes { pt: VP8, rtx: Some(RTX) },
        transport_cc: None,
        abs_send_time: None,
        onward: OnwardIds::default(),
        mid: None,
        cname: "slot".into(),
        start: Start { seq: 65_500, rtx_seq: 1, timestamp: u32::MAX - 1000, picture_id: 0x7ffe },
    }))
}

#[test]
fn a_day_passes_without_a_gap() {
    let started = Instant::now();
    let mut random = Random(24);
    let mut encodings: Vec<Encoding> =
        (0..2).map(|index| Encoding::new(Ssrc(100 + u32::from(index) * 2), index)).collect();
    let mut received: Vec<Received> = encodings
        .iter()
        .map(|encoding| Received {
            wire: Wire::new(),
            receiver: VideoReceiver::new(VideoConfig { ssrc: encoding.ssrc, formats: formats() }),
            source: Source::default(),
        })
        .collect();
    let (mut down, mut slot, mut view) = (Wire::new(), slot(), SlotView::new(Ssrc(900), Ids::of(0)));
    let payload = PayloadTypes { pt: VP8, rtx: Some(RTX) };
    let id = |index: usize| SourceId { leg: LEG, encoding: EncodingIndex(u8::try_from(index).unwrap()) };
    let watcher = Watcher { leg: LegKey(2), slot: 0 };
    received.iter_mut().for_each(|received| received.source.watch(watcher));
    slot.select(Some(id(0)));

    let (mut packets, mut switches, mut shown_before) = (0_u64, 0_u32, 0_usize);
    let mut last_shown: Option<(u64, u32)> = None;
    for number in 0..DAY * FPS {
        let now = started + Duration::from_secs(number.into()) / FPS;
        // Now and then another encoding, or fewer pictures a second; both take effect when the stream allows it.
        if number % 997 == 500 {
            let other = usize::from(slot.chosen() == Some(id(0)));
            slot.select(Some(id(other)));
            encodings[other].want_key();
        }
        if number % 1499 == 700 {
            let temporal = if random.below(2) == 0 { 1 } else { ALL_TEMPORAL };
            slot.limit(Layers { temporal, ..Layers::ALL });
        }
        for (index, encoding) in encodings.iter_mut().enumerate() {
            let from = &mut received[index];
            for packet in encoding.picture_at(1, number, number.wrapping_mul(TICKS)) {
                packets += 1;
                let bytes = from.wire.carry(packet);
                let packet = RtpView::parse(&bytes).unwrap();
                let Verdict::Stored(numbered) = from.receiver.handle_rtp(now, &packet) else {
                    panic!("picture {number} of encoding {index} is new")
                };
                while from.receiver.poll_frame().is_some() {}
                while from.receiver.poll_feedback(now).is_some() {}
                let arrival = Arrival {
                    onward: Onward::default(),
                    dependency: None,
                    seq: numbered.seq,
                    timestamp: numbered.timestamp,
                    captured: now,
                    marker: packet.marker(),
                    codec: Some(VideoCodec::Vp8),
                    payload: packet.payload(),
                };
                let Some(Taken::Packet { codec, packet, layering }) = from.source.take(now, &arrival) else {
                    panic!("somebody watches")
                };
                let mut out = Vec::new();
                let offered = Offered { from: id(index), codec, packet: &packet, layering: &layering };
                match slot.take(now, &offered, payload, None, &mut out) {
                    Gate::Dropped => continue,
                    Gate::Began => switches += 1,
                    Gate::Sent | Gate::Filled => {}
                }
                // A slot writes what of a packet is its viewer's own.
                out.extend_from_slice(&packet.payload[packet.own_len()..]);
                let bytes = down.carry(out);
                view.take(now, &RtpView::parse(&bytes).unwrap());
            }
        }
        // Every picture is shown at once, and in its time.
        for shown in view.shown.drain(..) {
            shown_before += 1;
            if let Some((timestamp, before)) = last_shown {
                let pictures = shown.value.frame - before;
                assert!(
                    pictures <= 4,
                    "from picture {before} to {}: more than left out layers",
                    shown.value.frame
                );
                // Of two encodings of one moment, as at a switch, each has a timestamp of its own.
                let passed = u64::from(pictures * TICKS).max(1);
                assert_eq!(shown.timestamp - timestamp, passed, "picture {number}");
            }
            last_shown = Some((shown.timestamp, shown.value.frame));
        }
        view.forget_old_ids();
    }
    assert!(packets > 1_000_000, "{packets} packets");
    assert!(switches > 340, "{switches} switches");
    assert!(shown_before > (DAY * FPS / 2) as usize, "{shown_before} pictures");
    assert!(view.ids_are_closed() && view.bases_are_closed());
    let stats = view.receiver.stats();
    assert_eq!((stats.reception.lost, stats.plis, stats.nacked), (0, 0, 0));
    assert_eq!(stats.frames as usize, shown_before);
}
