//! What networks do to a slot's stream, and what the pass marks allow.
//!
//! Residual loss is counted at the viewer: packets of its stream that came neither by themselves nor repeated, of all
//! that lie between the first and the last. Only the way to the viewer is impaired, so it is one hop's figure.

use std::time::Duration;

use crate::hall::Hall;
use crate::page::Setup;
use crate::sim::link::{Burst, Impairment};

const MS: Duration = Duration::from_millis(1);
const SECONDS: f64 = 30.0;

struct Outcome {
    residual_percent: f64,
    shown: usize,
    plis_to_publisher: usize,
    plis_of_viewer: usize,
    gap: Duration,
}

/// A simulcast camera and one who watches, `SECONDS` on this network.
fn watched(seed: u64, impairment: Impairment, burst: Option<Burst>, reorder_permille: u64) -> Outcome {
    let mut hall = Hall::new(seed);
    let alice = hall.join(Setup { encodings: 3, slots: 1 });
    let bob = hall.join(Setup { encodings: 0, slots: 1 });
    hall.connect_all();
    hall.run(4.0);
    let slot = usize::from(hall.slot_of(bob, alice).expect("a slot"));
    hall.link.impairment = impairment;
    hall.link.spared = Some(crate::sim::server_address());
    hall.link.burst = burst;
    hall.link.reorder_permille = reorder_permille;
    let (from, asked_before) = (hall.now, hall.seats[bob].page.plis_sent);
    let got_before = hall.seats[alice].page.plis_got;
    hall.seats[bob].page.slots[slot].2.count_anew();
    hall.run(SECONDS);
    let until = hall.now;
    // What is still on its way comes, and what is missing is asked for a last time.
    hall.link.impairment = Impairment { loss_permille: 0, ..impairment };
    hall.link.burst = None;
    hall.seats[bob].page.slots[slot].2.stop_counting();
    hall.run(1.0);
    let view = &hall.seats[bob].page.slots[slot].2;
    assert!(view.shown.iter().all(|shown| usize::from(shown.value.member) == alice + 1));
    Outcome {
        residual_percent: view.residual_percent(),
        shown: view.shown.iter().filter(|shown| (from..until).contains(&shown.at)).count(),
        plis_to_publisher: hall.seats[alice].page.plis_got - got_before,
        plis_of_viewer: hall.seats[bob].page.plis_sent - asked_before,
        gap: view.longest_gap(from, until),
    }
}

const CLEAN: Impairment = Impairment {
    delay: Duration::from_millis(50),
    jitter: Duration::ZERO,
    loss_permille: 0,
    duplicate_permille: 0,
};

#[test]
fn losses_leave_no_more_than_the_marks() {
    // operations.md is where the marks come from: 5 % → 0.05 %, 10 % → 0.2 %, 20 % → 1.5 %, 30 % → 5 %.
    for (loss_permille, mark, seed) in [(50, 0.05, 11), (100, 0.2, 12), (200, 1.5, 13), (300, 5.0, 14)] {
        let outcome = watched(seed, Impairment { loss_permille, ..CLEAN }, None, 0);
        let Outcome { residual_percent, shown, gap, .. } = outcome;
        println!("{loss_permille} permille: {residual_percent:.3} % left, {shown} pictures, gap {gap:?}");
        assert!(residual_percent <= mark, "{loss_permille}: {residual_percent:.3} %");
    }
}

#[test]
fn a_twentieth_of_loss_stops_no_picture() {
    for (delay, seed) in [(12, 21), (25, 22), (50, 23)] {
        let impairment =
            Impairment { delay: delay * MS, jitter: 10 * MS, loss_permille: 50, duplicate_permille: 10 };
        let outcome = watched(seed, impairment, None, 0);
        assert!(outcome.gap <= 500 * MS, "{delay} ms: {:?}", outcome.gap);
        assert!(outcome.shown as f64 >= SECONDS * 29.0, "{delay} ms: {}", outcome.shown);
    }
}

#[test]
fn bursts_are_repaired_as_well() {
    for (mean, loss_permille, mark, seed) in [(3, 20, 0.05, 31), (8, 50, 0.2, 32), (20, 50, 0.5, 33)] {
        let burst = Burst::of(mean, loss_permille);
        let outcome = watched(seed, Impairment { jitter: 5 * MS, ..CLEAN }, Some(burst), 0);
        let Outcome { residual_percent, shown, gap, .. } = outcome;
        println!("bursts of {mean}: {residual_percent:.3} % left, {shown} pictures, gap {gap:?}");
        assert!(residual_percent <= mark, "bursts of {mean}: {residual_percent:.3} %");
    }
}

#[test]
fn reordering_asks_for_no_key_frame() {
    for seed in [41, 42, 43] {
        let outcome = watched(seed, Impairment { duplicate_permille: 50, ..CLEAN }, None, 200);
        assert_eq!((outcome.plis_of_viewer, outcome.plis_to_publisher), (0, 0), "seed {seed}");
        assert_eq!(outcome.residual_percent, 0.0, "seed {seed}");
        assert!(outcome.shown as f64 >= SECONDS * 29.5, "seed {seed}: {}", outcome.shown);
    }
}

#[test]
fn long_paths_with_jitter_keep_the_picture() {
    for (delay, jitter, seed) in [(75, 30, 51), (125, 30, 52), (125, 100, 53)] {
        let impairment =
            Impairment { delay: delay * MS, jitter: jitter * MS, loss_permille: 20, duplicate_permille: 10 };
        let outcome = watched(seed, impairment, None, 0);
        println!(
            "{delay} ms, jitter {jitter}: {:.3} % left, gap {:?}",
            outcome.residual_percent, outcome.gap
        );
        assert!(outcome.shown as f64 >= SECONDS * 25.0, "{delay}/{jitter}: {}", outcome.shown);
    }
}
