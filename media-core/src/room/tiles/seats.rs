//! Who is in which slot.
//!
//! in:  the seats as they are, the members who could be shown, the most important first
//! out: the seats as they are to be

use crate::units::MemberKey;

/// As many of the first as there are seats are in; who was in and still is stays where it was.
pub(super) fn settle(seats: &mut [Option<MemberKey>], wanted: &[MemberKey]) {
    let chosen = wanted.get(..seats.len().min(wanted.len())).unwrap_or(wanted);
    for seat in seats.iter_mut() {
        *seat = seat.filter(|member| chosen.contains(member));
    }
    for member in chosen {
        if !seats.contains(&Some(*member))
            && let Some(free) = seats.iter_mut().find(|seat| seat.is_none())
        {
            *free = Some(*member);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seats(keys: &[u32]) -> Vec<Option<MemberKey>> {
        keys.iter().map(|key| (*key > 0).then_some(MemberKey(*key))).collect()
    }

    fn members(keys: &[u32]) -> Vec<MemberKey> {
        keys.iter().copied().map(MemberKey).collect()
    }

    #[test]
    fn who_is_in_stays_where_it_is() {
        for (before, wanted, after) in [
            (&[0, 0, 0][..], &[1, 2][..], &[1, 2, 0][..]),
            (&[1, 2, 0], &[3, 2, 1], &[1, 2, 3]),
            (&[1, 2, 3], &[4, 3, 1, 2], &[1, 4, 3]),
            (&[1, 2, 3], &[2], &[0, 2, 0]),
            (&[1, 2], &[], &[0, 0]),
            (&[], &[1], &[]),
        ] {
            let mut it = seats(before);
            settle(&mut it, &members(wanted));
            assert_eq!(it, seats(after), "{before:?} {wanted:?}");
        }
    }

    proptest! {
        #[test]
        fn the_first_are_in_once_and_nobody_moves(
            count in 1usize..26,
            rounds in prop::collection::vec(prop::collection::btree_set(1u32..40, 0..40), 1..12),
        ) {
            let mut it = vec![None; count];
            for round in rounds {
                let wanted: Vec<MemberKey> = round.into_iter().map(MemberKey).collect();
                let before = it.clone();
                settle(&mut it, &wanted);
                let mut seated: Vec<MemberKey> = it.iter().flatten().copied().collect();
                seated.sort();
                prop_assert_eq!(&seated[..], &wanted[..count.min(wanted.len())]);
                for (before, after) in before.iter().zip(&it) {
                    let kept = before.is_some_and(|member| seated.contains(&member));
                    prop_assert!(!kept || before == after);
                }
            }
        }
    }
}
