//! Whatever is done to the plane, in whatever order, each listener gets one packet per tick, and never its own voice.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bytes::Bytes;
use media_core::mix::audio::{AudioInput, AudioOutput, AudioPlane, Sensitivity, SoundKind, Tone, Volume};
use media_core::units::{ClockRate, LegKey, MediaTime, MemberKey, RoomKey, SeqNo};
use proptest::prelude::*;

use super::world::{Link, ROOM, Sound, World, silence, strength, tone};

#[derive(Clone, Debug)]
enum Step {
    Open(u32),
    Close(u32),
    Join(u32, u32, bool),
    Leave(u32, u32),
    Mute(u32, u32, bool),
    Deafen(u32, u32, bool),
    Volume(u32, u32, i8, bool),
    Sensitivity(u32, u32, u8),
    Tone(u32, bool),
    Listen(u32, u32, Option<u32>),
    Unlisten(u32, u32),
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
        2 => (room.clone(), leg).prop_map(|(r, l)| Step::Unlisten(r, l)),
        2 => (room.clone(), member.clone(), any::<bool>()).prop_map(|(r, m, b)| Step::Deafen(r, m, b)),
        4 => (room.clone(), member.clone(), any::<i8>(), any::<bool>())
            .prop_map(|(r, m, v, input)| Step::Volume(r, m, v, input)),
        1 => (room.clone(), member.clone(), any::<u8>()).prop_map(|(r, m, s)| Step::Sensitivity(r, m, s)),
        1 => (room.clone(), any::<bool>()).prop_map(|(r, entry)| Step::Tone(r, entry)),
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
            AudioOutput::Talking { .. }
            | AudioOutput::Floor { .. }
            | AudioOutput::Playing { .. }
            | AudioOutput::Recorded { .. } => {}
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
                        level: None,
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
            AudioInput::AddListener {
                room: RoomKey(room),
                leg: LegKey(leg),
                member: member.map(MemberKey),
                stereo: leg % 5 == 0,
            }
        }
        Step::Deafen(room, member, deaf) => {
            AudioInput::SetDeaf { room: RoomKey(room), member: MemberKey(member), deaf }
        }
        Step::Volume(room, member, steps, input) => {
            let (room, member, volume) = (RoomKey(room), MemberKey(member), Volume::saturating(steps));
            if input {
                AudioInput::SetInputVolume { room, member, volume }
            } else {
                AudioInput::SetOutputVolume { room, member, volume }
            }
        }
        Step::Sensitivity(room, member, value) => AudioInput::SetInputSensitivity {
            room: RoomKey(room),
            member: MemberKey(member),
            sensitivity: Sensitivity::saturating(value),
        },
        Step::Tone(room, entry) => {
            let tone = if entry { Tone::Entry } else { Tone::Exit };
            AudioInput::PlayTone { room: RoomKey(room), tone }
        }
        Step::Unlisten(room, leg) => {
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

/// What happens to one of four members who all sound all the time.
#[derive(Clone, Copy, Debug)]
enum Act {
    Mute(bool),
    Deafen(bool),
    Input(i8),
    Output(i8),
    Sensitivity(u8),
    Hold,
    Unhold,
    Leave,
    Return,
    Tone,
}

fn act() -> impl Strategy<Value = Act> {
    let input = prop::sample::select(vec![-6, 0, 6]);
    let output = prop::sample::select(vec![-50, -10, 0, 6]);
    let sensitivity = prop::sample::select(vec![0, 30, 100]);
    prop_oneof![
        2 => any::<bool>().prop_map(Act::Mute),
        3 => any::<bool>().prop_map(Act::Deafen),
        2 => input.prop_map(Act::Input),
        4 => output.prop_map(Act::Output),
        1 => sensitivity.prop_map(Act::Sensitivity),
        2 => Just(Act::Hold),
        2 => Just(Act::Unhold),
        1 => Just(Act::Leave),
        2 => Just(Act::Return),
        1 => Just(Act::Tone),
    ]
}

/// Far from each other, and from each other's harmonics.
const VOICES: [f64; 4] = [437.0, 641.0, 983.0, 1499.0];

fn perform(world: &mut World, listening: &mut [bool; 4], number: u32, act: Act) {
    let (member, leg, room) = (MemberKey(number), LegKey(number), ROOM);
    let hears = &mut listening[number as usize];
    match act {
        Act::Mute(muted) => world.mute(number, muted),
        Act::Deafen(deaf) => world.deafen(number, deaf),
        Act::Input(steps) => world.input_volume(number, steps),
        Act::Output(steps) => world.output_volume(number, steps),
        Act::Sensitivity(value) => world.sensitivity(number, value),
        Act::Hold => {
            *hears = false;
            world.input(AudioInput::RemoveListener { room, leg });
            world.mute(number, true);
        }
        Act::Unhold => {
            *hears = true;
            world.input(AudioInput::AddListener { room, leg, member: Some(member), stereo: false });
            world.mute(number, false);
        }
        Act::Leave => {
            *hears = false;
            world.input(AudioInput::RemoveListener { room, leg });
            world.input(AudioInput::RemoveMember { room, member });
        }
        Act::Return => {
            *hears = true;
            let (parent, sound, muted) = (None, SoundKind::Voice, false);
            world.input(AudioInput::AddMember { room, member, parent, sound, muted });
            world.input(AudioInput::AddListener { room, leg, member: Some(member), stereo: false });
        }
        Act::Tone => world.input(AudioInput::PlayTone { room, tone: Tone::Exit }),
    }
}

/// Runs for some ticks; who listens got a packet in each, and nobody else any.
fn listen(world: &mut World, listening: &[bool; 4], ticks: u32) {
    let received = |world: &World| [0, 1, 2, 3].map(|leg| world.heard[&LegKey(leg)].times.len());
    let before = received(world);
    world.run(f64::from(ticks) * 0.02);
    for (leg, (before, after)) in before.into_iter().zip(received(world)).enumerate() {
        assert_eq!(after - before, if listening[leg] { ticks as usize } else { 0 }, "leg {leg}");
    }
}

/// Four members with these sounds, after all that has happened to them.
fn live(sounds: [Sound; 4], acts: &[(u32, Act, u32)]) -> World {
    let mut world = World::new();
    for (number, sound) in (0..).zip(sounds) {
        world.join(number, sound, Link::default());
    }
    // Between two ticks.
    world.run(0.01);
    let mut listening = [true; 4];
    for &(number, act, ticks) in acts {
        perform(&mut world, &mut listening, number, act);
        listen(&mut world, &listening, ticks);
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_all_hear_all_others_in_the_end(
        acts in prop::collection::vec((0..4_u32, act(), 0..12_u32), 1..30),
    ) {
        let usual = [
            Act::Return, Act::Unhold, Act::Deafen(false), Act::Input(0), Act::Output(0), Act::Sensitivity(30),
        ];
        let amends = (0..4).flat_map(|number| usual.map(|act| (number, act, 0)));
        let acts: Vec<_> = acts.into_iter().chain(amends).chain([(0, Act::Output(0), 50)]).collect();
        let world = live(VOICES.map(|hz| tone(hz, 0.15)), &acts);
        for (leg, own) in (0..).zip(VOICES) {
            let pcm = &world.heard[&LegKey(leg)].pcm;
            let end = &pcm[pcm.len() - 19_200..];
            for hz in VOICES {
                // A delay that is still finding its length may shift a voice once within the whole, not in all its quarters.
                let quarters = end.chunks(end.len() / 4).map(|part| strength(part, hz)).fold(0.0, f64::max);
                let found = if hz == own { strength(end, hz) } else { quarters };
                prop_assert!(if hz == own { found < 0.02 } else { found > 0.1 }, "leg {leg}, {hz} Hz: {found}");
            }
        }
    }

    #[test]
    fn whatever_happens_nobody_hears_oneself(
        acts in prop::collection::vec((0..4_u32, act(), 0..12_u32), 1..60),
    ) {
        let acts: Vec<_> = acts.into_iter().filter(|(_, act, _)| !matches!(act, Act::Tone)).collect();
        let world = live([tone(VOICES[0], 0.5), silence(), silence(), silence()], &acts);
        // Nobody else makes a sound: not one frame of its leg may hold any.
        let loudest = world.heard[&LegKey(0)].pcm.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        prop_assert!(loudest < 1e-3, "hears itself at {loudest}");
    }
}
