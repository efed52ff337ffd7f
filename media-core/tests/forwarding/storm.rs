//! Many who come at once see the picture soon, and the camera is not asked to death.

use std::time::Duration;

use crate::hall::Hall;
use crate::page::Setup;

#[test]
fn a_hundred_who_join_within_a_second_cost_two_key_frames_a_second() {
    let mut hall = Hall::new(61);
    let alice = hall.join(Setup { encodings: 3, slots: 1 });
    let first = hall.join(Setup { encodings: 0, slots: 1 });
    hall.connect_all();
    hall.run(3.0);
    assert!(hall.slot_of(first, alice).is_some());
    let (from, before) = (hall.now, hall.seats[alice].page.plis_got);
    let mut joined = Vec::new();
    for _ in 0..100 {
        joined.push((hall.join(Setup { encodings: 0, slots: 1 }), hall.now));
        hall.run(0.01);
    }
    hall.run(2.0);
    let asked = hall.seats[alice].page.plis_got - before;
    let seconds = (hall.now - from).as_secs_f64();
    assert!(asked as f64 <= 2.0 * seconds, "{asked} requests in {seconds:.1} s");

    let mut waited: Vec<Duration> = joined
        .iter()
        .map(|(seat, at)| {
            let view = &hall.seats[*seat].page.slots[0].2;
            let shown = view.shown.first().unwrap_or_else(|| panic!("{seat} sees nothing"));
            assert!(shown.value.keyframe && usize::from(shown.value.member) == alice + 1);
            shown.at - *at
        })
        .collect();
    waited.sort_unstable();
    let p95 = waited[waited.len() * 95 / 100];
    println!("{asked} requests in {seconds:.1} s; first picture after {:?} (p50), {p95:?} (p95)", waited[50]);
    assert!(p95 <= Duration::from_secs(1), "{p95:?}");
}
