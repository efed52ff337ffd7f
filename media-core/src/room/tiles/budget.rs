//! What of a tile leg's wishes its link can carry.
//!
//! in:  its budget; per slot, the most important first, the encodings up to the wished one and the one it shows
//! out: per slot the largest encoding it may have, or none; what all of them would need
//!
//! An encoding that does not flow has no bit rate yet: it is taken for what a browser sends of its size.

use std::time::Instant;

use crate::bandwidth::allocate::{Allocator, Choice, EncodingRates, MAX_ENCODINGS, Slot};
use crate::room::watching::AUDIO;
use crate::units::{Bitrate, EncodingIndex};

/// A camera of 720 rows, as browsers send it.
const USUAL: Bitrate = Bitrate::kbps(1700);
const USUAL_ROWS: u64 = 720;

/// A slot and what it could show.
#[derive(Clone, Debug)]
pub(super) struct Want {
    /// From the smallest to the wished one.
    pub(super) encodings: Vec<Offered>,
    /// What it shows.
    pub(super) current: Option<EncodingIndex>,
}

/// An encoding and what it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offered {
    pub(super) encoding: EncodingIndex,
    pub(super) rate: Bitrate,
}

impl Offered {
    /// `measured` is 0 when nothing flows.
    pub(super) fn new(encoding: EncodingIndex, rows: Option<u32>, measured: Bitrate) -> Self {
        let rows = u64::from(rows.unwrap_or(0)).min(2160);
        // Twice the rows take three times the bits.
        let usual = USUAL.0 * rows * (rows + USUAL_ROWS) / (2 * USUAL_ROWS * USUAL_ROWS);
        let rate = if measured.0 > 0 { measured } else { Bitrate(usual) };
        Self { encoding, rate: rate.max(Bitrate::kbps(30)) }
    }
}

/// What the slots of a leg may have.
#[derive(Debug)]
pub(super) struct Share {
    /// Per slot; `None` is a pause.
    pub(super) most: Vec<Option<EncodingIndex>>,
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
    /// Without a budget everything is allowed.
    pub(super) fn share(&mut self, now: Instant, budget: Option<Bitrate>, wants: &[Want]) -> Share {
        let last = |want: &Want| want.encodings.last().copied();
        let wished = wants.iter().filter_map(last).map(|it| it.rate.0).sum::<u64>() + AUDIO.0;
        let everything = wants.iter().map(|want| last(want).map(|it| it.encoding)).collect();
        let Some(budget) = budget else {
            return Share { most: everything, wished: Bitrate(wished), next: None };
        };
        let rates: Vec<Vec<EncodingRates>> = wants.iter().map(rates).collect();
        let slots: Vec<Slot<'_>> = wants.iter().zip(&rates).map(|(want, rates)| slot(want, rates)).collect();
        let next = self.allocator.decide(now, budget, AUDIO, &slots, &mut self.choices);
        let most = wants.iter().zip(&self.choices).map(|(want, choice)| {
            let at = usize::from(choice.as_ref()?.encoding.0);
            top(want).get(at).map(|it| it.encoding)
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
    top(want).iter().map(|it| EncodingRates::new(&[it.rate])).collect()
}

fn slot<'a>(want: &Want, rates: &'a [EncodingRates]) -> Slot<'a> {
    let index = |at: usize| EncodingIndex(u8::try_from(at).unwrap_or(u8::MAX));
    let shown = want.current.map(|shown| {
        // What is larger than the wish is let go; what is not among them is as good as the smallest.
        top(want).iter().position(|it| it.encoding == shown).unwrap_or(0)
    });
    Slot {
        encodings: rates,
        largest: index(rates.len().saturating_sub(1)),
        current: shown.map(|at| Choice { encoding: index(at), temporal: 0 }),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn want(current: Option<u8>, encodings: &[(u8, u64)]) -> Want {
        let offered = |(index, kbps): &(u8, u64)| Offered {
            encoding: EncodingIndex(*index),
            rate: Bitrate::kbps(*kbps),
        };
        Want { encodings: encodings.iter().map(offered).collect(), current: current.map(EncodingIndex) }
    }

    #[test]
    fn the_most_important_first_and_nobody_beyond_its_wish() {
        // A browser lists the largest first; the second camera is only wished small.
        let wants = [want(Some(1), &[(2, 150), (1, 500), (0, 1700)]), want(Some(2), &[(2, 150)])];
        let start = Instant::now();
        let share = |kbps: Option<u64>| {
            let share = Budget::default().share(start, kbps.map(Bitrate::kbps), &wants);
            (share.most.iter().map(|it| it.map(|it| it.0)).collect::<Vec<_>>(), share.next)
        };
        assert_eq!(share(None).0, [Some(0), Some(2)]);
        assert_eq!(share(Some(9000)), (vec![Some(0), Some(2)], None));
        let (most, next) = share(Some(1000));
        assert_eq!(most, [Some(1), Some(2)]);
        assert_eq!(next, Some(Bitrate(1_850_000 * 118 / 100 + 50_000)));
        assert_eq!(share(Some(400)).0, [Some(2), Some(2)]);
        assert_eq!(share(Some(210)).0, [Some(2), None], "the last is paused first");
        let all = Budget::default().share(start, None, &wants).wished;
        assert_eq!(all, Bitrate::kbps(1900));
    }

    #[test]
    fn what_does_not_flow_is_taken_for_the_usual() {
        let rate =
            |rows, measured| Offered::new(EncodingIndex(0), rows, Bitrate::kbps(measured)).rate.0 / 1000;
        assert_eq!([rate(Some(720), 0), rate(Some(720), 900)], [1700, 900]);
        assert!((550..700).contains(&rate(Some(360), 0)) && (200..300).contains(&rate(Some(180), 0)));
        assert_eq!(rate(None, 0), 30);
        let mut budget = Budget::default();
        let later = Instant::now() + Duration::from_secs(1);
        assert!(budget.share(later, Some(Bitrate(0)), &[want(None, &[])]).most == [None]);
    }
}
