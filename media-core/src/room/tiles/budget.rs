//! What of a tile leg's wishes its link can carry.
//!
//! in:  its budget; per slot, the most important first, the encodings up to the wished one and the one it shows
//! out: per slot the largest encoding it may have and how many of its pictures, or none; what all of them would need
//!
//! An encoding that has never flowed has no bit rate yet: it is taken for what a browser sends of its size.

use std::time::Instant;

use crate::bandwidth::allocate::{Allocator, Choice, EncodingRates, MAX_ENCODINGS, Slot};
use crate::forward::ALL_TEMPORAL;
use crate::room::watching::AUDIO;
use crate::units::{Bitrate, EncodingIndex};

/// A camera of 720 rows, as browsers send it.
const USUAL: Bitrate = Bitrate::kbps(1700);
const USUAL_ROWS: u64 = 720;
/// A picture that stands still may move the next moment.
const LEAST: Bitrate = Bitrate::kbps(30);

/// A slot and what it could show.
#[derive(Clone, Debug)]
pub(super) struct Want {
    /// From the smallest to the wished one.
    pub(super) encodings: Vec<Offered>,
    /// What it shows.
    pub(super) current: Option<Most>,
}

/// An encoding, and the highest temporal id of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Most {
    pub(super) encoding: EncodingIndex,
    pub(super) temporal: u8,
}

/// An encoding and what it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offered {
    pub(super) encoding: EncodingIndex,
    pub(super) rates: EncodingRates,
}

impl Offered {
    /// `measured` has no rates before anything has flowed.
    pub(super) fn new(encoding: EncodingIndex, rows: Option<u32>, measured: EncodingRates) -> Self {
        let rows = u64::from(rows.unwrap_or(0)).min(2160);
        // Twice the rows take three times the bits.
        let usual = USUAL.0 * rows * (rows + USUAL_ROWS) / (2 * USUAL_ROWS * USUAL_ROWS);
        let known = measured.whole().0 > 0;
        let rates = if known { measured } else { EncodingRates::new(&[Bitrate(usual)]) };
        Self { encoding, rates: rates.at_least(LEAST) }
    }
}

/// What the slots of a leg may have.
#[derive(Debug)]
pub(super) struct Share {
    /// Per slot; `None` is a pause.
    pub(super) most: Vec<Option<Most>>,
    /// What all wishes together need.
    pub(super) wished: Bitrate,
    /// What the next step up needs.
    pub(super) next: Option<Bitrate>,
}

/// Shares out again and again.
#[derive(Debug, Default)]
pub(super) struct Budget {
    allocator: Allocator,
    choices: Vec<Option<Choice>>,
}

impl Budget {
    /// The budget is small for a moment only.
    pub(super) fn set_draining(&mut self, drains: bool) {
        self.allocator.set_draining(drains);
    }

    /// Without a budget everything is allowed.
    pub(super) fn share(&mut self, now: Instant, budget: Option<Bitrate>, wants: &[Want]) -> Share {
        let last = |want: &Want| want.encodings.last().copied();
        let wished = wants.iter().filter_map(last).map(|it| it.rates.whole().0).sum::<u64>() + AUDIO.0;
        let Some(budget) = budget else {
            let whole = |it: Offered| Most { encoding: it.encoding, temporal: ALL_TEMPORAL };
            let most = wants.iter().map(|want| last(want).map(whole)).collect();
            return Share { most, wished: Bitrate(wished), next: None };
        };
        let rates: Vec<Vec<EncodingRates>> = wants.iter().map(rates).collect();
        let slots: Vec<Slot<'_>> = wants.iter().zip(&rates).map(|(want, rates)| slot(want, rates)).collect();
        let next = self.allocator.decide(now, budget, AUDIO, &slots, &mut self.choices);
        let most = wants.iter().zip(&self.choices).map(|(want, choice)| {
            let choice = (*choice)?;
            let offered = top(want).get(usize::from(choice.encoding.0))?;
            let whole = choice.temporal >= offered.rates.top();
            Some(Most {
                encoding: offered.encoding,
                // The whole of it also when it gets another temporal layer.
                temporal: if whole { ALL_TEMPORAL } else { choice.temporal },
            })
        });
        Share { most: most.collect(), wished: Bitrate(wished), next }
    }
}

/// The largest ones, as many as an allocation looks at.
fn top(want: &Want) -> &[Offered] {
    let skipped = want.encodings.len().saturating_sub(MAX_ENCODINGS);
    want.encodings.get(skipped..).unwrap_or_default()
}

fn rates(want: &Want) -> Vec<EncodingRates> {
    top(want).iter().map(|it| it.rates).collect()
}

fn slot<'a>(want: &Want, rates: &'a [EncodingRates]) -> Slot<'a> {
    let index = |at: usize| EncodingIndex(u8::try_from(at).unwrap_or(u8::MAX));
    let shown = want.current.map(|shown| {
        // What is larger than the wish is let go; what is not among them is as good as the smallest.
        let at = top(want).iter().position(|it| it.encoding == shown.encoding).unwrap_or(0);
        let highest = rates.get(at).map_or(0, EncodingRates::top);
        Choice { encoding: index(at), temporal: shown.temporal.min(highest) }
    });
    Slot { encodings: rates, largest: index(rates.len().saturating_sub(1)), current: shown }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn want(current: Option<u8>, encodings: &[(u8, u64)]) -> Want {
        let offered = |(index, kbps): &(u8, u64)| Offered {
            encoding: EncodingIndex(*index),
            rates: EncodingRates::new(&[Bitrate::kbps(*kbps)]),
        };
        let current = current.map(|it| Most { encoding: EncodingIndex(it), temporal: ALL_TEMPORAL });
        Want { encodings: encodings.iter().map(offered).collect(), current }
    }

    #[test]
    fn the_most_important_first_and_nobody_beyond_its_wish() {
        // A browser lists the largest first; the second camera is only wished small.
        let wants = [want(Some(1), &[(2, 150), (1, 500), (0, 1700)]), want(None, &[(2, 150)])];
        let start = Instant::now();
        let share = |kbps: Option<u64>| {
            let share = Budget::default().share(start, kbps.map(Bitrate::kbps), &wants);
            (share.most.iter().map(|it| it.map(|it| it.encoding.0)).collect::<Vec<_>>(), share.next)
        };
        assert_eq!(share(None).0, [Some(0), Some(2)]);
        assert_eq!(share(Some(9000)), (vec![Some(0), Some(2)], None));
        let (most, next) = share(Some(1000));
        assert_eq!(most, [Some(1), Some(2)]);
        assert_eq!(next, Some(Bitrate(1_850_000 * 118 / 100 + 50_000)));
        assert_eq!(share(Some(450)).0, [Some(2), Some(2)]);
        assert_eq!(share(Some(210)).0, [Some(2), None], "the last is paused first");
        let all = Budget::default().share(start, None, &wants).wished;
        assert_eq!(all, Bitrate::kbps(1900));
    }

    #[test]
    fn fewer_pictures_before_a_smaller_encoding() {
        let rates = EncodingRates::new(&[850, 1200, 1700].map(Bitrate::kbps));
        let mut want = want(Some(0), &[(1, 500), (0, 1700)]);
        want.encodings[1].rates = rates;
        let most = |kbps| {
            let share = Budget::default().share(Instant::now(), Some(Bitrate::kbps(kbps)), &[want.clone()]);
            share.most[0].map(|it| (it.encoding.0, it.temporal))
        };
        assert_eq!(most(2000), Some((0, ALL_TEMPORAL)));
        assert_eq!(most(1500), Some((0, 1)));
        assert_eq!(most(1000), Some((1, ALL_TEMPORAL)), "a quarter of the pictures is not better than that");
    }

    #[test]
    fn what_does_not_flow_is_taken_for_the_usual() {
        let rate = |rows, measured| {
            let measured = EncodingRates::new(&[Bitrate::kbps(measured)]);
            Offered::new(EncodingIndex(0), rows, measured).rates.whole().0 / 1000
        };
        assert_eq!([rate(Some(720), 0), rate(Some(720), 900)], [1700, 900]);
        assert!((550..700).contains(&rate(Some(360), 0)) && (200..300).contains(&rate(Some(180), 0)));
        assert_eq!(rate(None, 0), 30);
        let mut budget = Budget::default();
        let later = Instant::now() + Duration::from_secs(1);
        assert!(budget.share(later, Some(Bitrate(0)), &[want(None, &[])]).most == [None]);
    }
}
