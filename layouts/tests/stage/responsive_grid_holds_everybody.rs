//! `grid-responsive` from nobody to more than it can hold.

use crate::room::Room;
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
