//! Another receiver of a packet costs no allocation, from the packet to its sealed datagrams; and a packet that is
//! forwarded costs none at all, from the datagram that came to those that go.
//!
//! What is made once per picture of a canvas (its packets) may be allocated; what is done per receiver may not. So a
//! picture to forty receivers allocates exactly as often as one to two.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::cast_possible_truncation,
    reason = "a test fails by panic"
)]
#![allow(dead_code, unreachable_pub, reason = "the helpers are modules of another test crate, too")]

mod allocations;
#[path = "forwarding/camera.rs"]
mod camera;
#[path = "forwarding/extensions.rs"]
mod extensions;
mod fan_out;
#[path = "forwarding/hall.rs"]
mod hall;
#[path = "forwarding/layered.rs"]
mod layered;
#[path = "forwarding/microphone.rs"]
mod microphone;
#[path = "forwarding/page.rs"]
mod page;
mod sim;
#[path = "forwarding/viewer.rs"]
mod viewer;

use media_core::room::{Receive, TileAudio, TileConfig};
use media_core::shard::{Input, Sealed};

use allocations::allocations;
use fan_out::FanOut;
use hall::{Burst, Cost, Hall};
use microphone::Sound;
use page::Setup;

const PACKETS: usize = 5;

/// Allocations of each of some pictures, from the encoder to the socket, once everything has been used before.
fn per_picture(receivers: u16) -> Vec<u64> {
    let addresses: Vec<_> = (0..receivers).map(|n| ([10, 0, 0, 1], 5000 + n).into()).collect();
    let mut it = FanOut::new(&addresses);
    let mut sealed = Sealed::batch();
    let mut counts = Vec::new();
    // The cache of packets is as long as it gets after 1024 packets.
    for picture in 0..300 {
        let done = it.picture(PACKETS);
        let before = allocations();
        it.shard.handle(it.now, Input::JobDone { done, spent: std::time::Duration::ZERO });
        let mut datagrams = 0;
        while !it.shard.has_nothing_to_send() {
            sealed.clear();
            it.shard.seal(&mut sealed);
            datagrams += sealed.datagrams().filter(|(_, bytes)| bytes.len() > fan_out::PIECE).count();
        }
        if picture >= 250 {
            counts.push(allocations() - before);
        }
        assert_eq!(datagrams, PACKETS * usize::from(receivers), "all receivers have all packets");
    }
    counts
}

#[test]
fn forty_receivers_allocate_as_little_as_two() {
    let two = per_picture(2);
    let forty = per_picture(40);
    let least = *two.iter().min().unwrap();
    assert_eq!(forty.iter().min(), Some(&least), "{two:?} {forty:?}");
    assert_eq!(forty.iter().max(), Some(&least), "{forty:?}");
    // The picture's list of packets, and for each its bytes and its shared place.
    assert!(least <= 2 + 4 * PACKETS as u64, "{least}");
}

/// Runs a hall until everything has been used before, then counts allocations.
fn in_a_hall(mut hall: Hall) -> Vec<Burst> {
    hall.connect_all();
    // Caches of packets and histories of numbers are as long as they get after some seconds.
    hall.run(20.0);
    hall.cost = Cost::counting(allocations);
    hall.run(3.0);
    hall.cost.each
}

fn assert_free(bursts: &[Burst], least_in: usize, least_out: usize) {
    let packets: usize = bursts.iter().map(|burst| burst.packets).sum();
    let out: usize = bursts.iter().map(|burst| burst.out).sum();
    assert!(packets >= least_in && out >= least_out, "{packets} in, {out} out");
    let costly: Vec<_> = bursts.iter().filter(|burst| burst.count > 0).collect();
    assert!(costly.is_empty(), "{} of {packets}: {costly:?}", costly.len());
}

#[test]
fn packets_of_simulcast_cameras_come_and_go_to_slots_without_an_allocation() {
    for estimated in [false, true] {
        let mut hall = Hall::new(11);
        hall.estimated = estimated;
        for _ in 0..4 {
            hall.join(Setup { encodings: 3, slots: 3 });
        }
        // Three slots of each show about a packet or more in a thirtieth of a second.
        assert_free(&in_a_hall(hall), 4 * 90, 4 * 3 * 80);
    }
}

#[test]
fn packets_of_microphones_come_and_go_to_slots_without_an_allocation() {
    for redundant in [false, true] {
        let mut hall = Hall::new(12);
        let sound = Sound { speaks: true, redundant, slots: 2, first_is_slot: false };
        for _ in 0..3 {
            let receive = Receive::Tiles(TileConfig { video_slots: 1, audio: TileAudio::Slots(2) });
            hall.join_with(Setup { encodings: 0, slots: 0 }, sound, receive);
        }
        assert_free(&in_a_hall(hall), 3 * 140, 3 * 2 * 140);
    }
}
