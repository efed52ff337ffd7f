//! Simulcast of H.264: a slot goes over at an IDR picture with its parameter sets, and nothing is taken for VP8.

use std::time::Duration;

use media_core::room::Action;

use crate::camera::Coding;
use crate::hall::Hall;
use crate::page::Setup;

const MS: Duration = Duration::from_millis(1);
const SIMULCAST: Setup = Setup { encodings: 3, slots: 3 };

#[test]
fn a_slot_goes_over_with_parameter_sets() {
    let mut hall = Hall::new(60);
    hall.coding = Coding::H264;
    let (alice, bob) = (hall.join(SIMULCAST), hall.join(SIMULCAST));
    hall.connect_all();
    for (width, height, expected) in [(1280, 720, 1), (2560, 1440, 2), (400, 224, 0), (1280, 720, 1)] {
        hall.set_viewport(bob, width, height);
        hall.run(5.0);
        let slot = hall.slot_of(bob, alice).unwrap();
        let view = &hall.seats[bob].page.slots[usize::from(slot)].2;
        let last = view.shown.last().unwrap();
        assert_eq!(last.value.encoding, expected, "{width}x{height}");
        assert!(hall.now - last.at < 100 * MS);
    }
    let slot = hall.slot_of(bob, alice).unwrap();
    let view = &hall.seats[bob].page.slots[usize::from(slot)].2;
    for pair in view.shown.windows(2) {
        let [before, after] = [pair[0].value, pair[1].value];
        if before.encoding != after.encoding {
            assert!(after.keyframe, "{before:?} {after:?}");
        }
    }
    let gap = view.longest_gap(hall.started + 2000 * MS, hall.now);
    assert!(gap <= 100 * MS, "{gap:?}");
}

#[test]
fn losses_are_repaired_and_a_member_follows_another() {
    let mut hall = Hall::new(61);
    hall.coding = Coding::H264;
    let (alice, bob) = (hall.join(SIMULCAST), hall.join(Setup { encodings: 1, slots: 1 }));
    hall.connect_all();
    hall.run(2.0);
    hall.link.impairment.delay = 15 * MS;
    hall.link.impairment.loss_permille = 50;
    let from = hall.now;
    hall.run(10.0);
    let view = &hall.seats[bob].page.slots[0].2;
    let shown = view.shown.iter().filter(|shown| shown.at >= from).count();
    assert!(shown >= 290, "{shown} of 300");
    assert!(view.longest_gap(from, hall.now) < 500 * MS);
    let key = hall.seats[alice].key;
    hall.act(Action::RemoveMember { member: key });
    let carol = hall.join(SIMULCAST);
    hall.connect_all();
    hall.run(3.0);
    let view = &hall.seats[bob].page.slots[0].2;
    let first = view.shown.iter().find(|shown| usize::from(shown.value.member) == carol + 1).unwrap();
    assert!(first.value.keyframe);
}
