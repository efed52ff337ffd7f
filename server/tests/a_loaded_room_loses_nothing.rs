//! One publishes, three watch and report as browsers do: every packet reaches each of them as it was sent.
//!
//! The load tester's own account is what is judged, so this also proves that it counts right.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::Duration;

use benches::loadtest::engine::Profile;
use benches::loadtest::scenario::{Case, Outcome, run};
use benches::loadtest::signalbox::{Entrance, Receive, Signalbox};

const WATCH: u64 = 3;
/// Packets of a picture. So little is carried by every path, so nothing may be held back either.
const PACKETS: u16 = 2;
/// Packets that are published in the window, less what may be on the way at its ends.
const PUBLISHED: u64 = 58 * 2;

async fn load(entrance: Entrance) -> Outcome {
    let program = Path::new(env!("CARGO_BIN_EXE_signalbox"));
    let case = Case {
        publishers: 1,
        subscribers: 3,
        packets: PACKETS,
        payload: 1000,
        feedback: Profile::Browser,
        verified: 3,
        settle: Duration::from_millis(500),
        window: Duration::from_secs(2),
        windows: 1,
        ..Case::default()
    };
    run(&mut Signalbox::start(program, entrance, Receive::Tiles).unwrap(), &case).await.unwrap()
}

fn is_whole(outcome: &Outcome) {
    assert_eq!(outcome.faults, Vec::<String>::new());
    assert_eq!((outcome.lost, outcome.damaged), (0, 0), "{outcome:?}");
    assert!(outcome.intact >= WATCH * PUBLISHED, "{outcome:?}");
    assert!(outcome.reports >= WATCH && outcome.transport_feedback >= WATCH, "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tile_legs_get_every_packet_as_it_was_sent() {
    is_whole(&load(Entrance::Sdk).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn players_of_one_member_get_every_packet_as_it_was_sent() {
    is_whole(&load(Entrance::WhipWhep).await);
}
