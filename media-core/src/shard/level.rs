//! Packets of a picture made equally long, so that they leave as one message.
//!
//! in:  the sizes of packets to one receiver, in order
//! out: which of them are padded, up to which size
//!
//! ```text
//!   1180 1180 1181 1181  400        as a browser cuts a picture: its pieces differ by a byte
//!   1181 1181 1181 1181  400        one message: of a run only the last may be shorter
//! ```
//!
//! The kernel's part of a message costs more than that of a packet in it ([`super::Sealed`]), so a byte more is cheaper than a
//! message more. Padding is RTP's (RFC 3550 §5.1): the P bit, and a last byte that counts. Receivers take it off before they
//! look at the payload. A packet grows by a thirty-second at most, and the last of a run never.

/// Bytes that a packet may grow by: what header extensions of a picture's first packet take.
const MAX: usize = 24;
/// … and the part of it.
const PART: usize = 32;

/// Follows a payload that may be padded: however many bytes of it are taken, the last one is their count.
pub(super) const PADDING: [u8; MAX] =
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24];

/// Packets that follow each other and differ by so little that they are padded to one size.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Group {
    smallest: usize,
    largest: usize,
    last: usize,
    is_uneven: bool,
}

impl Group {
    /// Takes one more, unless it is too different.
    pub(super) fn takes(&mut self, size: usize) -> bool {
        if self.largest == 0 {
            *self = Self { smallest: size, largest: size, last: size, is_uneven: false };
            return true;
        }
        let (smallest, largest) = (self.smallest.min(size), self.largest.max(size));
        if largest - smallest > MAX.min(largest / PART) {
            return false;
        }
        // Only the last may be shorter than the others.
        let is_uneven = self.is_uneven || self.last < largest;
        *self = Self { smallest, largest, last: size, is_uneven };
        true
    }

    /// The size that all but the last of them are to have; `None` when they are one run as they are.
    pub(super) fn size(self) -> Option<usize> {
        self.is_uneven.then_some(self.largest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Groups of some sizes: how many, and the size they are padded to.
    fn check(sizes: &[usize], expected: &[(usize, Option<usize>)]) {
        let mut groups = Vec::new();
        let (mut group, mut count) = (Group::default(), 0);
        for &size in sizes {
            if !group.takes(size) {
                groups.push((count, group.size()));
                (group, count) = (Group::default(), 0);
                assert!(group.takes(size));
            }
            count += 1;
        }
        groups.push((count, group.size()));
        assert_eq!(groups, expected, "{sizes:?}");
    }

    #[test]
    fn what_differs_by_little_is_one_group() {
        check(&[1180], &[(1, None)]);
        check(&[1180, 1180, 1180], &[(3, None)]);
        check(&[1180, 1180, 1181, 1181], &[(4, Some(1181))]);
        check(&[1181, 1181, 1180], &[(3, None)]);
        check(&[1181, 1180, 1180], &[(3, Some(1181))]);
        check(&[1204, 1180, 1180, 400], &[(3, Some(1204)), (1, None)]);
        check(&[1205, 1180], &[(1, None), (1, None)]);
        check(&[100, 103, 103], &[(3, Some(103))]);
        check(&[100, 104], &[(1, None), (1, None)]);
        check(&[1170, 1180, 1194, 1195], &[(3, Some(1194)), (1, None)]);
    }

    #[test]
    fn any_beginning_of_the_padding_ends_with_its_length() {
        for count in 1..=MAX {
            assert_eq!(PADDING[..count].last().copied().map(usize::from), Some(count));
        }
    }
}
