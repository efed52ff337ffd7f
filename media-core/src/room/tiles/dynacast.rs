//! Which encodings of simulcast cameras somebody looks at, as their publishers are told.
//!
//! in:  what is wanted now
//! out: news for a publisher: at once when an encoding is wanted, after a while when it is not any more

use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use crate::room::event::WantedEncoding;
use crate::units::{LegKey, Rid};

/// An encoding nobody looks at goes on for this long: whoever changes the layout back finds it there.
const LINGER: Duration = Duration::from_secs(3);

/// See the module.
#[derive(Default)]
pub(in crate::room) struct Dynacast {
    publishers: FxHashMap<LegKey, Publisher>,
}

struct Publisher {
    /// When each encoding was wanted last.
    wanted_at: Vec<Instant>,
    told: Vec<bool>,
}

impl Dynacast {
    /// What to tell the publisher of these encodings; nothing where there is one only, and nothing new.
    pub(super) fn update(
        &mut self,
        now: Instant,
        leg: LegKey,
        rids: &[Rid],
        wanted: &[bool],
    ) -> Option<Vec<WantedEncoding>> {
        if rids.is_empty() {
            return None;
        }
        // A publisher begins with all of them.
        let publisher = self
            .publishers
            .entry(leg)
            .or_insert_with(|| Publisher { wanted_at: vec![now; rids.len()], told: vec![true; rids.len()] });
        publisher.wanted_at.resize(rids.len(), now);
        for (at, _) in publisher.wanted_at.iter_mut().zip(wanted).filter(|(_, wanted)| **wanted) {
            *at = now;
        }
        let active = |at: &Instant| now.saturating_duration_since(*at) < LINGER;
        let active: Vec<bool> = publisher.wanted_at.iter().map(active).collect();
        if active == publisher.told {
            return None;
        }
        publisher.told.clone_from(&active);
        let news = rids.iter().zip(active).map(|(rid, active)| WantedEncoding { rid: rid.clone(), active });
        Some(news.collect())
    }

    /// The publisher has gone.
    pub(super) fn forget(&mut self, leg: LegKey) {
        self.publishers.remove(&leg);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wanted_at_once_and_let_go_after_a_while() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let rids = ["q", "h", "f"].map(|rid| Rid(rid.to_owned()));
        let mut it = Dynacast::default();
        let mut update = |ms, wanted: [bool; 3]| {
            let news = it.update(at(ms), LegKey(1), &rids, &wanted)?;
            assert!(news.iter().zip(&rids).all(|(news, rid)| news.rid == *rid));
            Some(news.iter().map(|news| news.active).collect::<Vec<bool>>())
        };
        assert_eq!(update(0, [true, false, false]), None, "it begins with all");
        assert_eq!(update(2999, [true, false, true]), None);
        assert_eq!(update(3000, [true, false, false]), Some(vec![true, false, true]));
        assert_eq!(update(5998, [true, false, false]), None);
        assert_eq!(update(6000, [true, false, false]), Some(vec![true, false, false]));
        assert_eq!(update(6001, [true, false, true]), Some(vec![true, false, true]));
        assert_eq!(it.update(start, LegKey(2), &[], &[true]), None, "one encoding is not worth a word");
    }
}
