//! Who is heard in slots for sound, in streams without seams.

use std::time::Duration;

use media_core::room::{Action, Receive, TileAudio, TileConfig};

use crate::hall::Hall;
use crate::microphone::{Heard, Sound};
use crate::page::Setup;

const SPEAKS: Sound = Sound { speaks: true, redundant: false, slots: 2, first_is_slot: false };
const FRAME: Duration = Duration::from_millis(20);

fn join(hall: &mut Hall, sound: Sound) -> usize {
    let audio = TileAudio::Slots(sound.slots);
    let receive = Receive::Tiles(TileConfig { video_slots: 1, audio });
    hall.join_with(Setup { encodings: 0, slots: 0 }, sound, receive)
}

fn hall(members: usize, sound: Sound) -> Hall {
    let mut hall = Hall::new(5);
    for _ in 0..members {
        join(&mut hall, sound);
    }
    hall.connect_all();
    hall
}

/// Only these speak.
fn speak(hall: &mut Hall, speakers: &[usize]) {
    for (number, seat) in hall.seats.iter_mut().enumerate() {
        let level = if speakers.contains(&number) { 25 } else { 90 };
        seat.page.microphone.as_mut().unwrap().level = level;
    }
}

fn heard(hall: &Hall, listener: usize, slot: usize) -> &[Heard] {
    &hall.seats[listener].page.voices[slot].1
}

/// Who is heard now: whose packets have come in the last 50 ms.
fn heard_now(hall: &Hall, listener: usize) -> Vec<usize> {
    let is_new = |packet: &&Heard| packet.at + Duration::from_millis(50) >= hall.now;
    let slots = (0..hall.seats[listener].page.voices.len())
        .filter_map(|slot| heard(hall, listener, slot).last().filter(is_new));
    let mut members: Vec<usize> = slots.map(|packet| usize::from(packet.member) - 1).collect();
    members.sort_unstable();
    members
}

/// Numbers without a gap, and timestamps that follow the time.
fn assert_seamless(packets: &[Heard]) {
    for pair in packets.windows(2) {
        assert_eq!(pair[1].seq.wrapping_sub(pair[0].seq), 1, "{pair:?}");
        let ticks = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
        let passed = (pair[1].at - pair[0].at).as_millis() as u32 * 48;
        // Packets of different members are not in step.
        assert!(ticks.abs_diff(passed) <= 2 * 960, "{ticks} ticks in {passed}: {pair:?}");
    }
}

#[test]
fn those_who_speak_are_heard_in_streams_without_seams() {
    let mut hall = hall(5, SPEAKS);
    hall.run(3.0);
    for speakers in [[1, 2], [3, 4], [1, 4], [2, 3]] {
        speak(&mut hall, &speakers);
        hall.run(3.0);
        assert_eq!(heard_now(&hall, 0), speakers);
        let told: Vec<_> = hall.tiles(0).audio.iter().filter_map(|tile| tile.member).collect();
        for speaker in speakers {
            assert!(told.contains(&hall.seats[speaker].key), "{told:?}");
        }
    }
    for slot in 0..2 {
        let packets = heard(&hall, 0, slot);
        assert!(packets.len() > 700, "{}", packets.len());
        assert_seamless(packets);
    }
}

#[test]
fn nobody_hears_itself_nor_those_who_are_muted_nor_anything_when_deaf() {
    let mut hall = hall(3, SPEAKS);
    speak(&mut hall, &[0, 1, 2]);
    hall.run(2.0);
    assert_eq!(heard_now(&hall, 0), [1, 2]);
    let key = hall.seats[1].key;
    hall.act(Action::SetAudioMuted { member: key, muted: true });
    hall.run(0.2);
    assert_eq!(heard_now(&hall, 0), [2]);
    assert_eq!(heard_now(&hall, 1), [0, 2]);
    hall.act(Action::SetAudioMuted { member: key, muted: false });
    hall.run(0.2);
    assert_eq!(heard_now(&hall, 0), [1, 2], "a free slot is taken at once");
    let key = hall.seats[0].key;
    hall.act(Action::SetDeaf { member: key, deaf: true });
    hall.run(0.2);
    assert_eq!(heard_now(&hall, 0), [0_usize; 0]);
    for slot in 0..2 {
        assert_seamless(heard(&hall, 0, slot));
    }
}

#[test]
fn what_is_lost_on_the_way_in_comes_out_of_the_next_packet() {
    let mut hall = hall(2, Sound { redundant: true, ..SPEAKS });
    hall.seats[1].page.microphone.as_mut().unwrap().lost = (20..200).step_by(7).collect();
    speak(&mut hall, &[1]);
    hall.run(5.0);
    let mut packets = heard(&hall, 0, 0).to_vec();
    packets.sort_by_key(|packet| packet.number);
    assert!(packets.len() > 200);
    assert!(
        packets.windows(2).all(|pair| pair[1].number == pair[0].number + 1),
        "none is missing, none comes twice"
    );
    assert!(packets.windows(2).all(|pair| pair[1].seq.wrapping_sub(pair[0].seq) == 1));
    assert!(packets.windows(2).all(|pair| pair[1].timestamp.wrapping_sub(pair[0].timestamp) == 960));
    assert_eq!(hall.shard.counters().repaired_in, 26);
    assert!(packets.windows(2).all(|pair| pair[1].at - pair[0].at <= FRAME * 2));
}

#[test]
fn a_player_of_one_member_hears_that_one() {
    let mut hall = Hall::new(7);
    let (alice, bob) = (join(&mut hall, SPEAKS), join(&mut hall, SPEAKS));
    let receive = Receive::Member(hall.seats[bob].key);
    let player = hall.join_with(
        Setup { encodings: 0, slots: 1 },
        Sound { first_is_slot: true, ..Sound::default() },
        receive,
    );
    hall.connect_all();
    // The loudest is not the one who is asked for.
    hall.seats[alice].page.microphone.as_mut().unwrap().level = 20;
    hall.run(3.0);
    let packets = &hall.seats[player].page.voices;
    let all: Vec<Heard> = packets.iter().flat_map(|(_, heard)| heard.clone()).collect();
    assert!(
        all.len() > 100 && all.iter().all(|packet| usize::from(packet.member) == bob + 1),
        "{}",
        all.len()
    );
}

#[test]
fn the_loudness_of_packets_goes_on_under_the_listeners_id() {
    let mut hall = hall(2, SPEAKS);
    assert_ne!(hall.seats[0].page.ids.audio_level, hall.seats[1].page.ids.audio_level);
    speak(&mut hall, &[1]);
    hall.run(2.0);
    let slot = hall.tiles(0).audio.iter().position(|tile| tile.member == Some(hall.seats[1].key)).unwrap();
    let levels: Vec<_> = heard(&hall, 0, slot).iter().rev().take(50).map(|packet| packet.level).collect();
    assert_eq!(levels, [Some(0x80 | 25); 50]);
}
