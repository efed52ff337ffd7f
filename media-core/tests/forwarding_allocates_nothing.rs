//! Another receiver of a packet costs no allocation, from the packet to its sealed datagrams.
//!
//! What is made once per picture (its packets) may be allocated; what is done per receiver may not. So a picture to
//! forty receivers allocates exactly as often as one to two.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panic"
)]
#![allow(unreachable_pub, reason = "the helpers are modules of one test crate")]

mod allocations;
mod fan_out;
mod sim;

use media_core::shard::{Input, Sealed};

use allocations::allocations;
use fan_out::FanOut;

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
