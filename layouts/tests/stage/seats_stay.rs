//! Joining and leaving moves nobody else while the layout stays.

use crate::room::Room;
use layouts::{LayoutId, Position, SourceKey};
use proptest::prelude::*;
use std::collections::BTreeMap;

#[test]
fn a_freed_slot_stays_empty_until_somebody_comes() {
    let mut room = Room::with_members("3x3", 5);
    room.leave(2);
    room.rest();
    assert_eq!(room.slots(), [1, 0, 3, 4, 5, 0, 0, 0, 0]);
    room.join(6);
    room.rest();
    assert_eq!(room.slots(), [1, 6, 3, 4, 5, 0, 0, 0, 0]);
}

#[test]
fn another_layout_keeps_the_order_and_closes_holes() {
    let mut room = Room::with_members("3x3", 5);
    room.leave(2);
    room.rest();
    room.join(6);
    room.leave(3);
    room.rest();
    assert_eq!(room.slots(), [1, 6, 0, 4, 5, 0, 0, 0, 0]);
    room.set_layout("5up");
    room.rest();
    assert_eq!(room.slots(), [1, 6, 4, 5, 0]);
}

#[test]
fn the_same_layout_set_again_deals_anew() {
    let mut room = Room::with_members("3x3", 3);
    room.leave(1);
    room.join(4);
    room.rest();
    assert_eq!(room.slots()[..3], [4, 2, 3]);
    room.set_layout("3x3");
    room.rest();
    assert_eq!(room.slots()[..3], [2, 3, 4]);
}

/// Places of those who do not sit where the floor is followed: who is there may change with anybody.
fn seats(room: &Room) -> BTreeMap<SourceKey, layouts::GridRect> {
    let ordinary = room.placed.layers.iter().filter(|layer| matches!(layer.position, Position::Standard(_)));
    ordinary.filter_map(|layer| Some((layer.source?, layer.rect))).collect()
}

proptest! {
    #[test]
    fn nobody_else_moves(
        layout in 0..LayoutId::available().count(),
        there in 0_u32..30,
        steps in proptest::collection::vec((any::<bool>(), 0_usize..64), 1..20),
    ) {
        let layout = LayoutId::available().nth(layout).unwrap();
        let mut room = Room::with_members(layout.name(), there);
        let mut next = 1000;
        for (joins, who) in steps {
            let before = seats(&room);
            let slots_before = room.slots().len();
            if joins || room.sources.is_empty() {
                next += 1;
                room.join(next);
            } else {
                let gone = room.sources[who % room.sources.len()].key.0;
                room.leave(gone);
            }
            room.rest();
            if room.slots().len() == slots_before {
                for (source, rect) in seats(&room) {
                    prop_assert!(before.get(&source).is_none_or(|was| *was == rect), "{source:?} moved");
                }
                let stayed = room.sources.iter().filter(|s| before.contains_key(&s.key));
                for source in stayed {
                    prop_assert!(room.shown().contains(&source.key), "{:?} vanished", source.key);
                }
            }
        }
    }

    #[test]
    fn the_order_of_the_list_does_not_matter(there in 0_u32..20, seed in any::<u64>()) {
        let ordered = Room::with_members("3x3", there);
        let mut shuffled = Room::new("3x3");
        for key in 1..=there {
            shuffled.join(key);
        }
        let scramble = |source: &layouts::Source| {
            (u64::from(source.key.0) ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
        };
        shuffled.sources.sort_by_key(scramble);
        shuffled.rest();
        prop_assert_eq!(ordered.placed, shuffled.placed);
    }
}
