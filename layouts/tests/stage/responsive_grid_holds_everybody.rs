//! `grid-responsive` from nobody to more than it can hold.

use crate::room::{CANVAS, Room};
use layouts::{LayoutId, Size, with_members};
use std::collections::BTreeSet;

#[test]
fn the_smallest_grid_that_holds_all_is_taken() {
    let mut room = Room::new("grid-responsive");
    for n in 0..=300 {
        if n > 0 {
            room.join(n);
        }
        room.pass(100);
        let slots = match n {
            0..=1 => 1,
            2 => 2,
            3 => 3,
            4 => 4,
            5..=9 => 9,
            10..=16 => 16,
            17..=25 => 25,
            26..=36 => 36,
            37..=64 => 64,
            65..=100 => 100,
            _ => 225,
        };
        assert_eq!(room.slots().len(), slots, "{n} members");
        let shown = room.shown();
        let distinct: BTreeSet<_> = shown.iter().copied().collect();
        assert_eq!(distinct.len(), shown.len(), "{n} members: nobody twice");
        assert_eq!(shown.len(), n.min(225) as usize, "{n} members: nobody lost");
        let in_join_order: Vec<u32> = (1..=n.min(225)).collect();
        assert_eq!(room.slots()[..shown.len()], in_join_order);
    }
}

#[test]
fn every_group_shows_everybody_it_has_room_for() {
    let upright = Size { width: 720, height: 1280 };
    for (name, canvas, most) in [
        ("grid-responsive", CANVAS, 225),
        ("grid-responsive-mobile", CANVAS, 225),
        ("grid-responsive-mobile", upright, 32),
        ("highlight-1-responsive", CANVAS, 49),
        ("grid-tight", CANVAS, 225),
        ("grid", CANVAS, 64),
        ("grid-zoom", CANVAS, 9),
        ("1up_top_left_plus", CANVAS, 10),
        ("3up_plus", CANVAS, 10),
    ] {
        let layout = LayoutId::by_name(name).unwrap();
        for n in 0..=300 {
            let shown: Vec<u32> = with_members(&layout, canvas, n)
                .iter()
                .filter_map(|layer| layer.source.map(|source| source.0))
                .collect();
            let expected: Vec<u32> = (1..=n.min(most)).collect();
            assert_eq!(shown, expected, "{name} with {n}");
        }
    }
}

#[test]
fn it_shrinks_the_way_it_grew_and_keeps_the_order() {
    let mut room = Room::with_members("grid-responsive", 20);
    for gone in [1, 5, 20] {
        room.leave(gone);
    }
    for gone in 6..=12 {
        room.leave(gone);
    }
    room.rest();
    let mut expected = vec![2, 3, 4, 13, 14, 15, 16, 17, 18, 19];
    expected.resize(16, 0);
    assert_eq!(room.slots(), expected);
}
