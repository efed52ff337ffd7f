//! What a packet of a camera costs the shard on its way to the slots of many, without the kernel: from the datagram that
//! comes (SRTP opened, order, cache) to those that go (numbers, extensions, accounts, SRTP sealed).
//!
//! One camera with three encodings, in virtual time; pictures of four packets of 700 bytes come as bursts. Prints the time of
//! the thread per packet sent, and the allocations. `cargo bench -p media-core --bench slots -- [viewers] [seconds]`; counts
//! of instructions: run it under callgrind with two durations and take the difference.
#![allow(missing_docs, reason = "a program")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    clippy::cast_possible_truncation,
    reason = "a bench fails by panic, prints, and computes with numbers of its own making"
)]
#![allow(dead_code, unreachable_pub, unused_imports, reason = "the helpers are modules of a test crate")]

#[path = "../tests/allocations/mod.rs"]
mod allocations;
#[path = "../tests/forwarding/camera.rs"]
mod camera;
#[path = "../tests/forwarding/extensions.rs"]
mod extensions;
#[path = "../tests/forwarding/hall.rs"]
mod hall;
#[path = "../tests/forwarding/layered.rs"]
mod layered;
#[path = "../tests/forwarding/microphone.rs"]
mod microphone;
#[path = "../tests/forwarding/page.rs"]
mod page;
#[path = "../tests/sim/mod.rs"]
mod sim;
#[path = "../tests/forwarding/viewer.rs"]
mod viewer;

use rustix::time::{ClockId, clock_gettime};

use hall::{Cost, Hall};
use page::Setup;

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let number = |at: usize, default| numbers.get(at).copied().unwrap_or(default);
    let (viewers, seconds) = (number(0, 200), number(1, 10));
    let mut hall = Hall::new(1);
    hall.join(Setup { encodings: 3, slots: 1 });
    for _ in 0..viewers {
        hall.join(Setup { encodings: 0, slots: 1 });
    }
    hall.connect_all();
    hall.run(3.0);
    for (what, counter) in [("ns", cpu as fn() -> u64), ("allocations", allocations::allocations)] {
        hall.cost = Cost::counting(counter);
        hall.run(if what == "ns" { seconds as f64 } else { 1.0 });
        let bursts = std::mem::take(&mut hall.cost.each);
        let out: usize = bursts.iter().map(|burst| burst.out).sum();
        let packets: usize = bursts.iter().map(|burst| burst.packets).sum();
        let mut each: Vec<f64> =
            bursts.iter().filter(|it| it.out > 0).map(|it| it.count as f64 / it.out as f64).collect();
        each.sort_by(f64::total_cmp);
        println!(
            "1 → {viewers}: {packets} packets in, {out} out, {} bursts; {what} per packet out: median {:.1}, least {:.1}",
            bursts.len(),
            each[each.len() / 2],
            each[0],
        );
    }
}

fn cpu() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
