//! Which encoding of a camera suits a rectangle.
//!
//! in:  the encodings there are, the rows of the rectangle
//! out: the one to wish for, and the one to show until that one flows

use crate::units::EncodingIndex;

/// An encoding of a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) encoding: EncodingIndex,
    /// Rows of its pictures; `None` before its first key frame.
    pub(super) height: Option<u32>,
    /// Packets come.
    pub(super) flows: bool,
}

/// A picture may be enlarged by a ninth before the next larger one is worth its bits.
const ENOUGH: (u64, u64) = (9, 10);

/// The smallest with nine tenths of the rows, else the largest; and of those that flow the nearest to it, rather smaller.
pub(super) fn choose(mut candidates: Vec<Candidate>, rows: u32) -> Option<(EncodingIndex, EncodingIndex)> {
    // Encodings of unknown size lie in the order in which they were offered, before those that are known.
    candidates.sort_by_key(|candidate| (candidate.height.unwrap_or(0), candidate.encoding));
    let is_enough = |candidate: &Candidate| candidate.height.is_some_and(|height| suffices(height, rows));
    let at = candidates.iter().position(is_enough).unwrap_or(candidates.len().checked_sub(1)?);
    let wished = candidates.get(at)?;
    let below = candidates.get(..=at)?.iter().rev();
    let above = candidates.get(at..)?.iter();
    let best = below.chain(above).find(|candidate| candidate.flows).unwrap_or(wished);
    Some((wished.encoding, best.encoding))
}

fn suffices(height: u32, rows: u32) -> bool {
    u64::from(height) * ENOUGH.1 >= u64::from(rows) * ENOUGH.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoding(index: u8, height: u32, flows: bool) -> Candidate {
        Candidate { encoding: EncodingIndex(index), height: (height > 0).then_some(height), flows }
    }

    #[test]
    fn the_smallest_that_is_enough() {
        let camera = [encoding(0, 720, true), encoding(1, 180, true), encoding(2, 360, true)];
        for (rows, expected) in [(0, 1), (200, 1), (201, 2), (400, 2), (401, 0), (5000, 0)] {
            let index = EncodingIndex(expected);
            assert_eq!(choose(camera.to_vec(), rows), Some((index, index)), "{rows}");
        }
        assert_eq!(choose(Vec::new(), 100), None);
    }

    #[test]
    fn until_it_flows_the_nearest_that_does() {
        let camera = |flow: [bool; 3]| {
            let [low, middle, high] = flow;
            vec![encoding(0, 180, low), encoding(1, 360, middle), encoding(2, 720, high)]
        };
        for (flows, rows, wished, best) in [
            ([true, true, false], 720, 2, 1),
            ([true, false, true], 360, 1, 0),
            ([false, false, true], 100, 0, 2),
            ([false, false, false], 360, 1, 1),
        ] {
            let expected = Some((EncodingIndex(wished), EncodingIndex(best)));
            assert_eq!(choose(camera(flows), rows), expected, "{flows:?} {rows}");
        }
        let unknown = vec![encoding(0, 0, true), encoding(1, 0, false), encoding(2, 360, false)];
        assert_eq!(choose(unknown, 300), Some((EncodingIndex(2), EncodingIndex(0))));
    }
}
