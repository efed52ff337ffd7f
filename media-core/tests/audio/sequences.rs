//! Whatever is done to the plane, in whatever order, each listener gets one packet per tick.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bytes::Bytes;
use media_core::mix::audio::{AudioInput, AudioOutput, AudioPlane, SoundKind};
use media_core::units::{ClockRate, LegKey, MediaTime, MemberKey, RoomKey, SeqNo};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Open(u32),
    Close(u32),
    Join(u32, u32, bool),
    Leave(u32, u32),
    Mute(u32, u32, bool),
    Listen(u32, u32, Option<u32>),
    Deafen(u32, u32),
    Packets(u32, u32, Vec<(u16, i16, Vec<u8>)>),
    Wait(u16),
}

fn step() -> impl Strategy<Value = Step> {
    let (room, member, leg) = (0..3_u32, 0..4_u32, 0..6_u32);
    let packet = (any::<u16>(), any::<i16>(), prop::collection::vec(any::<u8>(), 0..40));
    prop_oneof![
        2 => room.clone().prop_map(Step::Open),
        1 => room.clone().prop_map(Step::Close),
        4 => (room.clone(), member.clone(), any::<bool>()).prop_map(|(r, m, b)| Step::Join(r, m, b)),
        2 => (room.clone(), member.clone()).prop_map(|(r, m)| Step::Leave(r, m)),
        3 => (room.clone(), member.clone(), any::<bool>()).prop_map(|(r, m, b)| Step::Mute(r, m, b)),
        4 => (room.clone(), leg.clone(), prop::option::of(member.clone())).prop_map(|(r, l, m)| Step::Listen(r, l, m)),
        2 => (room.clone(), leg).prop_map(|(r, l)| Step::Deafen(r, l)),
        8 => (room, member, prop::collection::vec(packet, 1..12)).prop_map(|(r, m, p)| Step::Packets(r, m, p)),
        8 => (0..120_u16).prop_map(Step::Wait),
    ]
}

/// What the plane should know.
#[derive(Default)]
struct Model {
    rooms: BTreeMap<RoomKey, BTreeSet<LegKey>>,
    last: BTreeMap<RoomKey, u64>,
}

impl Model {
    fn expect(&mut self, packets: Vec<(RoomKey, u64, Vec<LegKey>)>) {
        let mut ticks: BTreeMap<(RoomKey, u64), Vec<LegKey>> = BTreeMap::new();
        for (room, timestamp, legs) in packets {
            ticks.entry((room, timestamp)).or_default().extend(legs);
        }
        for ((room, timestamp), mut legs) in ticks {
            legs.sort_unstable();
            assert_eq!(
                legs,
                self.rooms[&room].iter().copied().collect::<Vec<_>>(),
                "room {room:?} at {timestamp}"
            );
            let last = self.last.insert(room, timestamp);
            assert!(last.is_none_or(|last| timestamp > last && (timestamp - last) % 960 == 0));
        }
    }
}

fn packets(plane: &mut AudioPlane, now: Instant) -> Vec<(RoomKey, u64, Vec<LegKey>)> {
    let mut packets = Vec::new();
    for _ in 0..2000 {
        match plane.poll(now) {
            AudioOutput::Packet { room, listeners, timestamp, payload, .. } => {
                assert!(payload.len() > 2 && payload.len() < 1000);
                packets.push((room, timestamp.ticks, listeners.to_vec()));
            }
            AudioOutput::Talking { .. } | AudioOutput::Playing { .. } => {}
            AudioOutput::Idle { until } => {
                assert!(until > now);
                return packets;
            }
        }
    }
    panic!("the plane never rests");
}

fn apply(plane: &mut AudioPlane, model: &mut Model, now: &mut Instant, step: Step) {
    let input = match step {
        Step::Wait(ms) => {
            *now += Duration::from_millis(u64::from(ms));
            let packets = packets(plane, *now);
            return model.expect(packets);
        }
        Step::Packets(room, member, list) => {
            for (seq, ticks, payload) in list {
                let timestamp = MediaTime {
                    ticks: 90_000_u64.saturating_add_signed(ticks.into()),
                    rate: ClockRate::OPUS,
                };
                plane.handle(
                    *now,
                    AudioInput::Packet {
                        room: RoomKey(room),
                        member: MemberKey(member),
                        seq: SeqNo(seq.into()),
                        timestamp,
                        payload: Bytes::from(payload),
                        arrived: *now,
                    },
                );
            }
            return;
        }
        Step::Open(room) => {
            model.rooms.entry(RoomKey(room)).or_default();
            AudioInput::OpenRoom { room: RoomKey(room) }
        }
        Step::Close(room) => {
            model.rooms.remove(&RoomKey(room));
            model.last.remove(&RoomKey(room));
            AudioInput::CloseRoom { room: RoomKey(room) }
        }
        Step::Join(room, member, muted) => AudioInput::AddMember {
            room: RoomKey(room),
            member: MemberKey(member),
            parent: None,
            sound: SoundKind::Voice,
            muted,
        },
        Step::Leave(room, member) => {
            AudioInput::RemoveMember { room: RoomKey(room), member: MemberKey(member) }
        }
        Step::Mute(room, member, muted) => {
            AudioInput::SetMuted { room: RoomKey(room), member: MemberKey(member), muted }
        }
        Step::Listen(room, leg, member) => {
            if let Some(legs) = model.rooms.get_mut(&RoomKey(room)) {
                legs.insert(LegKey(leg));
            }
            AudioInput::AddListener { room: RoomKey(room), leg: LegKey(leg), member: member.map(MemberKey) }
        }
        Step::Deafen(room, leg) => {
            if let Some(legs) = model.rooms.get_mut(&RoomKey(room)) {
                legs.remove(&LegKey(leg));
            }
            AudioInput::RemoveListener { room: RoomKey(room), leg: LegKey(leg) }
        }
    };
    plane.handle(*now, input);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn every_listener_gets_one_packet_per_tick(steps in prop::collection::vec(step(), 1..120)) {
        let mut now = Instant::now();
        let (mut plane, mut model) = (AudioPlane::new(now), Model::default());
        for step in steps {
            apply(&mut plane, &mut model, &mut now, step);
        }
    }
}
