//! Divides a leg's budget among what its viewer watches.
//!
//! in:  a budget, the sound to be protected, per slot the encodings there are, the largest one useful, its importance
//! out: per slot an encoding and a temporal limit, or nothing
//!
//! [`plan`] is pure. It walks up one fixed staircase and stops at the first step that does not fit, so that with more
//! budget nobody ever gets less:
//!
//! ```text
//!  1. the least of the smallest encoding, slot by slot, the most important first      (from the end: who is paused first)
//!  2. the whole of the smallest
//!  3. the next encoding, first with half its pictures, then with all; the most important slot one round ahead
//! ```
//!
//! [`Allocator`] adds time: down at once, by one encoding a time; what would have to rest keeps the least of it for a while,
//! for an estimate that dips comes back, and a picture that stops is worse than a queue; up one encoding at a time, with
//! headroom, and after a wait that grows when a step up had to be taken back soon.

use std::time::{Duration, Instant};

use crate::units::{Bitrate, EncodingIndex};

/// Temporal layers an encoding may have.
pub const MAX_TEMPORAL: usize = 4;
/// Encodings a camera may send.
pub const MAX_ENCODINGS: usize = 4;
/// Upward, this much of the budget stays free, in percent of what is used: the noise of an estimate is ±5 %.
const HEADROOM_PERCENT: u64 = 18;
/// What was paused for want of budget comes back when this much is free: it begins with a key frame, which on a narrow link
/// makes a queue that would pause it again.
const BACK_PERCENT: u64 = 50;
/// What does not fit even at its least is shown for this long nevertheless, when half of it does; the most important slot as
/// long as half of its own does.
const PATIENCE: Duration = Duration::from_secs(1);
/// Steps down that follow each other within this time have one cause.
const ONE_FALL: Duration = Duration::from_secs(1);
/// Between two steps up, and at most after failures.
const HOLD: (Duration, Duration) = (Duration::from_millis(400), Duration::from_secs(20));
/// With a budget this much above what failed before, in percent, the path is another one, and the failure does not count.
const PLENTY_PERCENT: u64 = 60;
/// A step up that is taken back within this time has failed.
const FAILED_WITHIN: Duration = Duration::from_secs(5);
/// Failures are forgotten after this long without one.
const FORGIVEN_AFTER: Duration = Duration::from_secs(30);

/// One encoding of a camera: bit rates when pictures up to a temporal id are sent, rising.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EncodingRates {
    rates: [Bitrate; MAX_TEMPORAL],
    count: u8,
}

impl EncodingRates {
    /// Rates by temporal id, the first one of the base alone; what exceeds [`MAX_TEMPORAL`] is left out, what falls is
    /// raised.
    #[must_use]
    pub fn new(by_temporal: &[Bitrate]) -> Self {
        let mut it = Self::default();
        let mut least = Bitrate(0);
        for (place, rate) in it.rates.iter_mut().zip(by_temporal) {
            least = least.max(*rate);
            *place = least;
            it.count += 1;
        }
        it
    }

    /// Both together; where one has fewer temporal ids, the whole of it counts.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let mut it = Self { count: self.count.max(other.count), ..Self::default() };
        for (temporal, place) in (0..it.count).zip(&mut it.rates) {
            *place = Bitrate(self.rate(temporal).0 + other.rate(temporal).0);
        }
        it
    }

    /// The whole of it.
    #[must_use]
    pub fn whole(&self) -> Bitrate {
        self.rate(self.top())
    }

    /// Highest temporal id.
    #[must_use]
    pub fn top(&self) -> u8 {
        self.count.saturating_sub(1)
    }

    /// None of them less than this.
    #[must_use]
    pub fn at_least(self, least: Bitrate) -> Self {
        Self { rates: self.rates.map(|rate| rate.max(least)), ..self }
    }

    fn rate(&self, temporal: u8) -> Bitrate {
        self.rates.get(usize::from(temporal.min(self.top()))).copied().unwrap_or_default()
    }
}

/// What one slot shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Choice {
    /// Which encoding.
    pub encoding: EncodingIndex,
    /// Pictures of higher temporal ids are left out.
    pub temporal: u8,
}

/// One slot and what could be shown in it.
#[derive(Clone, Copy, Debug)]
pub struct Slot<'a> {
    /// What flows, the smallest first; an encoding that does not flow has no rates.
    pub encodings: &'a [EncodingRates],
    /// A larger one than this shows no more at the viewer's size.
    pub largest: EncodingIndex,
    /// What it shows now.
    pub current: Option<Choice>,
}

impl Slot<'_> {
    fn rate(&self, choice: Option<Choice>) -> Bitrate {
        let Some(choice) = choice else { return Bitrate(0) };
        let rates = self.encodings.get(usize::from(choice.encoding.0));
        rates.map_or(Bitrate(0), |rates| rates.rate(choice.temporal))
    }
}

/// Within a tenth of each other.
fn is_alike(one: Bitrate, other: Bitrate) -> bool {
    one.0.abs_diff(other.0) * 10 <= one.0.max(other.0)
}

/// What a slot shows, and where on its own stairs that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rung {
    choice: Choice,
    rate: Bitrate,
}

/// The stairs of one slot, each higher than the one before.
#[derive(Clone, Copy, Debug, Default)]
struct Stairs {
    rungs: [Option<Rung>; 2 * MAX_ENCODINGS],
    count: usize,
}

impl Stairs {
    fn of(slot: &Slot<'_>) -> Self {
        let mut stairs = Self::default();
        let usable = slot.encodings.iter().take(usize::from(slot.largest.0) + 1).take(MAX_ENCODINGS);
        for (encoding, rates) in (0..).map(EncodingIndex).zip(usable) {
            if rates.count == 0 {
                continue;
            }
            // Of the smallest the base alone is better than nothing; of a larger one a quarter of its pictures is not
            // better than the whole of the smaller one.
            let part = if stairs.count == 0 { 0 } else { rates.top().saturating_sub(1) };
            // Half the pictures of it for what the whole of the smaller one takes are no step, and the noise of their rates
            // would make one of it now and then.
            if stairs.last().is_none_or(|last| !is_alike(last.rate, rates.rate(part))) {
                stairs.push(Choice { encoding, temporal: part }, rates.rate(part));
            }
            stairs.push(Choice { encoding, temporal: rates.top() }, rates.whole());
        }
        stairs
    }

    /// A step that costs no more than the one before takes its place.
    fn push(&mut self, choice: Choice, rate: Bitrate) {
        if self.last().is_some_and(|last| last.rate >= rate) {
            self.count -= 1;
        }
        if let Some(place) = self.rungs.get_mut(self.count) {
            *place = Some(Rung { choice, rate });
            self.count += 1;
        }
    }

    fn rung(&self, at: usize) -> Option<Rung> {
        self.rungs.get(at).copied().flatten().filter(|_| at < self.count)
    }

    fn last(&self) -> Option<Rung> {
        self.rung(self.count.checked_sub(1)?)
    }

    /// Down towards `goal`, but to the next smaller encoding only, and there to the least of it.
    fn one_down(&self, current: Choice, goal: Choice) -> Choice {
        let rungs = || self.rungs.iter().take(self.count).flatten().map(|rung| rung.choice);
        let next = rungs().filter(|it| it.encoding < current.encoding).map(|it| it.encoding).max();
        let least = rungs().find(|it| Some(it.encoding) == next);
        least.map_or(goal, |least| least.max(goal))
    }
}

/// How far each slot has come, and what the first step that did not fit would have cost in all.
#[derive(Debug, Default)]
struct Walk {
    /// Rungs taken, per slot.
    taken: Vec<usize>,
    next: Option<Bitrate>,
}

impl Walk {
    fn walk(&mut self, budget: Bitrate, stairs: &[Stairs]) {
        self.taken.clear();
        self.taken.resize(stairs.len(), 0);
        self.next = None;
        let mut used = 0;
        for round in 0..2 * MAX_ENCODINGS {
            for (at, (stairs, taken)) in stairs.iter().zip(&mut self.taken).enumerate() {
                let goal = if at == 0 && round >= 2 { round + 3 } else { round + 1 };
                while *taken < goal {
                    let Some(rung) = stairs.rung(*taken) else { break };
                    let before = taken.checked_sub(1).and_then(|before| stairs.rung(before));
                    let dearer = rung.rate.0 - before.map_or(0, |before| before.rate.0.min(rung.rate.0));
                    if before.is_none() && rung.rate > budget {
                        // Not even alone: the others are not to be dark because of it.
                        self.next = self.next.or(Some(rung.rate));
                        break;
                    }
                    if used + dearer > budget.0 {
                        self.next = Some(Bitrate(used + dearer));
                        return;
                    }
                    used += dearer;
                    *taken += 1;
                }
            }
        }
    }

    fn choice(&self, at: usize, stairs: &Stairs) -> Option<Choice> {
        let top = self.taken.get(at)?.checked_sub(1)?;
        stairs.rung(top).map(|rung| rung.choice)
    }
}

/// The best division of `budget`, sound taken off first; slots in the order of their importance.
#[must_use]
pub fn plan(budget: Bitrate, audio: Bitrate, slots: &[Slot<'_>]) -> Vec<Option<Choice>> {
    let stairs: Vec<_> = slots.iter().map(Stairs::of).collect();
    let mut walk = Walk::default();
    walk.walk(Bitrate(budget.0.saturating_sub(audio.0)), &stairs);
    stairs.iter().enumerate().map(|(at, stairs)| walk.choice(at, stairs)).collect()
}

/// Divides again and again, without haste upward. See the module.
#[derive(Debug)]
pub struct Allocator {
    raised_at: Option<Instant>,
    failed_at: Option<Instant>,
    /// What was too much then.
    failed: Bitrate,
    /// The budget is small for a moment only.
    drains: bool,
    /// Since then something does not fit at all.
    short_since: Option<Instant>,
    hold: Duration,
    stairs: Vec<Stairs>,
    down: Walk,
    up: Walk,
    back: Walk,
}

impl Default for Allocator {
    fn default() -> Self {
        Self {
            raised_at: None,
            failed_at: None,
            failed: Bitrate(0),
            drains: false,
            short_since: None,
            hold: HOLD.0,
            stairs: Vec::new(),
            down: Walk::default(),
            up: Walk::default(),
            back: Walk::default(),
        }
    }
}

impl Allocator {
    /// The budget is less than the path carries until a queue has drained: the most important slot is not paused for that.
    pub fn set_draining(&mut self, drains: bool) {
        self.drains = drains;
    }

    /// Writes what each slot is to show into `out`; gives the whole budget that the next step up waits for.
    pub fn decide(
        &mut self,
        now: Instant,
        budget: Bitrate,
        audio: Bitrate,
        slots: &[Slot<'_>],
        out: &mut Vec<Option<Choice>>,
    ) -> Option<Bitrate> {
        let video = budget.0.saturating_sub(audio.0);
        self.stairs.clear();
        self.stairs.extend(slots.iter().map(Stairs::of));
        self.down.walk(Bitrate(video), &self.stairs);
        self.up.walk(Bitrate(video * 100 / (100 + HEADROOM_PERCENT)), &self.stairs);
        self.back.walk(Bitrate(video * 100 / (100 + BACK_PERCENT)), &self.stairs);

        let plenty = video >= self.failed.0 * (100 + PLENTY_PERCENT) / 100;
        let hold = if plenty { HOLD.0 } else { self.hold };
        let mut may_raise = self.raised_at.is_none_or(|at| now.saturating_duration_since(at) >= hold);
        let (mut raised, mut lowered, mut falling) = (false, false, false);
        let is_patient = self.is_patient(now, video, slots);
        out.clear();
        for (at, (slot, stairs)) in slots.iter().zip(&self.stairs).enumerate() {
            let (most, safe) = (self.down.choice(at, stairs), self.up.choice(at, stairs));
            let next = match (slot.current, most) {
                (Some(current), Some(most)) if current <= most => {
                    let step = safe.filter(|safe| *safe > current).map(|safe| one_step(current, safe, slot));
                    match step {
                        Some(step) if may_raise => {
                            (may_raise, raised) = (false, true);
                            Some(step)
                        }
                        Some(_) | None => Some(current),
                    }
                }
                // What was full before it was paused comes back as slowly as anything rises.
                (None, Some(_)) if self.failed_at.is_none() => safe,
                (None, Some(_)) if may_raise && self.back.choice(at, stairs).is_some() => {
                    (may_raise, raised) = (false, true);
                    safe
                }
                (None, Some(_) | None) => None,
                (Some(current), most) => {
                    let half_fits = |rung: &Rung| video * 2 >= rung.rate.0;
                    let is_kept = |rung: &Rung| is_patient || (at == 0 && (self.drains || half_fits(rung)));
                    let least = stairs.rung(0).filter(is_kept).map(|rung| rung.choice);
                    let next = most.or(least).map(|goal| stairs.one_down(current, goal.min(current)));
                    lowered |= next != slot.current;
                    falling |= next != most;
                    next
                }
            };
            out.push(next);
        }
        if !falling {
            self.fit(Bitrate(video), slots, out);
        }
        self.learn(now, raised, lowered.then(|| slots.iter().map(|slot| slot.rate(slot.current).0).sum()));
        let wanted = self.up.next?;
        Some(Bitrate(wanted.0 * (100 + HEADROOM_PERCENT) / 100 + audio.0))
    }

    /// Encodings whose larger one is cheaper do not follow the stairs.
    fn fit(&self, video: Bitrate, slots: &[Slot<'_>], out: &mut [Option<Choice>]) {
        let used: u64 = slots.iter().zip(&*out).map(|(slot, choice)| slot.rate(*choice).0).sum();
        if used > video.0 {
            for (at, (stairs, out)) in self.stairs.iter().zip(out).enumerate() {
                *out = self.down.choice(at, stairs);
            }
        }
    }

    /// What does not fit at all has not been so for long, and half of it does.
    fn is_patient(&mut self, now: Instant, video: u64, slots: &[Slot<'_>]) -> bool {
        let shown =
            || slots.iter().zip(&self.stairs).enumerate().filter(|(_, (slot, _))| slot.current.is_some());
        let short = shown().any(|(at, (_, stairs))| self.down.choice(at, stairs).is_none());
        let least: u64 = shown().filter_map(|(_, (_, stairs))| stairs.rung(0)).map(|rung| rung.rate.0).sum();
        self.short_since = self.short_since.filter(|_| short).or(short.then_some(now));
        let soon = self.short_since.is_none_or(|since| now.saturating_duration_since(since) < PATIENCE);
        soon && video * 2 >= least
    }

    /// `lowered`: what all took before, when it was too much.
    fn learn(&mut self, now: Instant, raised: bool, lowered: Option<u64>) {
        let since = |at: Option<Instant>| at.map(|at| now.saturating_duration_since(at));
        if let Some(before) = lowered {
            if since(self.failed_at).is_some_and(|since| since < ONE_FALL) {
                self.failed.0 = self.failed.0.max(before);
            } else {
                self.failed.0 = before;
                if since(self.raised_at).is_some_and(|since| since < FAILED_WITHIN) {
                    self.hold = (self.hold * 2).min(HOLD.1);
                }
            }
            self.failed_at = Some(now);
            self.raised_at = Some(now);
        } else if raised {
            self.raised_at = Some(now);
        }
        if since(self.failed_at).is_some_and(|since| since > FORGIVEN_AFTER) {
            self.hold = HOLD.0;
            self.failed_at = None;
        }
    }
}

/// Towards `goal`, but to the next encoding only.
fn one_step(current: Choice, goal: Choice, slot: &Slot<'_>) -> Choice {
    let next = slot.encodings.iter().enumerate().skip(usize::from(current.encoding.0) + 1);
    let next = next.filter(|(_, rates)| rates.count > 0).map(|(at, rates)| (at, rates.top())).next();
    match next {
        Some((at, temporal)) if at < usize::from(goal.encoding.0) => {
            Choice { encoding: EncodingIndex(u8::try_from(at).unwrap_or(u8::MAX)), temporal }
        }
        Some(_) | None => goal,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn encoding(kbps: &[u64]) -> EncodingRates {
        EncodingRates::new(&kbps.iter().map(|it| Bitrate::kbps(*it)).collect::<Vec<_>>())
    }

    /// What a browser sends of a 720p camera.
    fn camera() -> [EncodingRates; 3] {
        [encoding(&[90, 120, 150]), encoding(&[300, 400, 500]), encoding(&[900, 1200, 1700])]
    }

    fn slot(encodings: &[EncodingRates]) -> Slot<'_> {
        Slot { encodings, largest: EncodingIndex(2), current: None }
    }

    fn choice(encoding: u8, temporal: u8) -> Option<Choice> {
        Some(Choice { encoding: EncodingIndex(encoding), temporal })
    }

    fn total(slots: &[Slot<'_>], choices: &[Option<Choice>]) -> u64 {
        slots.iter().zip(choices).map(|(slot, choice)| slot.rate(*choice).0).sum()
    }

    #[test]
    fn the_staircase() {
        let camera = camera();
        let three = [slot(&camera), slot(&camera), slot(&camera)];
        let check = |kbps, expected: [Option<Choice>; 3]| {
            assert_eq!(plan(Bitrate::kbps(kbps), Bitrate::kbps(40), &three), expected, "{kbps}");
        };
        check(0, [None, None, None]);
        check(40 + 90, [choice(0, 0), None, None]);
        check(40 + 269, [choice(0, 0), choice(0, 0), None]);
        check(40 + 450, [choice(0, 2), choice(0, 2), choice(0, 2)]);
        check(40 + 800, [choice(1, 2), choice(0, 2), choice(0, 2)]);
        check(40 + 1500, [choice(2, 1), choice(0, 2), choice(0, 2)]);
        check(40 + 2200, [choice(2, 1), choice(1, 1), choice(1, 1)]);
        check(40 + 2700, [choice(2, 2), choice(1, 2), choice(1, 2)]);
        check(40 + 5100, [choice(2, 2), choice(2, 2), choice(2, 2)]);
        // A screen that fits nowhere does not make the cameras dark.
        let screen = [encoding(&[1500])];
        let two = [slot(&screen), slot(&camera)];
        assert_eq!(plan(Bitrate::kbps(640), Bitrate::kbps(40), &two), [None, choice(1, 2)]);
        // A small tile has no use for more.
        let small = [Slot { largest: EncodingIndex(0), ..slot(&camera) }];
        assert_eq!(plan(Bitrate::kbps(9000), Bitrate(0), &small), [choice(0, 2)]);
    }

    /// Applies decisions for a while; gives every change as (milliseconds, choices).
    fn run(
        allocator: &mut Allocator,
        encodings: &[EncodingRates],
        slots: &mut [Option<Choice>],
        (from, to): (u32, u32),
        start: Instant,
        budget: impl Fn(u32) -> u64,
    ) -> Vec<(u32, Vec<Option<Choice>>)> {
        let (mut changes, mut out) = (Vec::new(), Vec::new());
        for ms in (from..to).step_by(100) {
            let offered: Vec<_> =
                slots.iter().map(|current| Slot { current: *current, ..slot(encodings) }).collect();
            let budget = Bitrate::kbps(budget(ms));
            allocator.decide(start + MS * ms, budget, Bitrate::kbps(40), &offered, &mut out);
            let falls = out.iter().zip(&*slots).any(|(to, from)| to < from);
            assert!(falls || total(&offered, &out) + 40_000 <= budget.0.max(40_000));
            if out != slots {
                slots.copy_from_slice(&out);
                changes.push((ms, out.clone()));
            }
        }
        changes
    }

    #[test]
    fn down_at_once_up_by_one_encoding_with_headroom_and_later_after_failures() {
        let (camera, start) = (camera(), Instant::now());
        let (mut allocator, mut slots) = (Allocator::default(), vec![choice(2, 2)]);
        let down = run(&mut allocator, &camera, &mut slots, (0, 1000), start, |_| 330);
        assert_eq!(down, [(0, vec![choice(1, 1)]), (100, vec![choice(0, 2)])]);
        // 400 fits into 500, but not with headroom.
        assert_eq!(run(&mut allocator, &camera, &mut slots, (1000, 9000), start, |_| 500), []);
        let up = run(&mut allocator, &camera, &mut slots, (9000, 12_000), start, |_| 4000);
        assert_eq!(up, [(9000, vec![choice(1, 2)]), (9400, vec![choice(2, 2)])]);

        // A link that never carries what it promised, and promises little more than is needed.
        let mut held = Vec::new();
        let mut at = 12_000;
        for _ in 0..4 {
            let fell = run(&mut allocator, &camera, &mut slots, (at, at + 200), start, |_| 330);
            assert_eq!(fell.len(), 2);
            let rose = run(&mut allocator, &camera, &mut slots, (at + 200, at + 20_000), start, |_| 2200);
            held.push(rose[0].0 - at);
            at = rose.last().unwrap().0 + 100;
        }
        assert!(held.windows(2).all(|pair| pair[1] > pair[0]), "{held:?}");
    }

    #[test]
    fn what_does_not_fit_at_all_is_kept_at_its_least_for_a_while() {
        let (camera, start) = (camera(), Instant::now());
        let (mut allocator, mut slots) = (Allocator::default(), vec![choice(0, 2); 2]);
        let mut decide = |slots: &mut Vec<Option<Choice>>, ms: u32, kbps| {
            let mut out = Vec::new();
            let offered = [0, 1].map(|at: usize| Slot { current: slots[at], ..slot(&camera) });
            allocator.decide(start + MS * ms, Bitrate::kbps(kbps), Bitrate::kbps(40), &offered, &mut out);
            slots.clone_from(&out);
            [out[0], out[1]]
        };
        assert_eq!(decide(&mut slots, 100, 140), [choice(0, 0), choice(0, 0)]);
        assert_eq!(decide(&mut slots, 900, 140), [choice(0, 0), choice(0, 0)]);
        assert_eq!(decide(&mut slots, 950, 240), [choice(0, 0), choice(0, 0)], "a dip was all it was");
        assert_eq!(decide(&mut slots, 1100, 140), [choice(0, 0), choice(0, 0)]);
        assert_eq!(decide(&mut slots, 2100, 140), [choice(0, 0), None]);
        assert_eq!(
            decide(&mut slots, 2200, 90),
            [choice(0, 0), None],
            "the first as long as half of it fits"
        );
        assert_eq!(decide(&mut slots, 2300, 60), [None, None]);
    }

    #[test]
    fn tells_what_the_next_step_needs() {
        let (camera, mut out) = (camera(), Vec::new());
        let offered = [Slot { current: choice(1, 2), ..slot(&camera) }];
        let mut allocator = Allocator::default();
        let mut next = |kbps| {
            allocator.decide(Instant::now(), Bitrate::kbps(kbps), Bitrate::kbps(40), &offered, &mut out)
        };
        assert_eq!(next(700), Some(Bitrate(1_200_000 * 118 / 100 + 40_000)));
        assert_eq!(next(5000), None);
    }

    fn slots_strategy() -> impl Strategy<Value = Vec<Vec<Vec<u64>>>> {
        let rates = prop::collection::vec(1_u64..3000, 0..4);
        prop::collection::vec(prop::collection::vec(rates, 1..5), 1..9)
    }

    proptest! {
        #[test]
        fn never_over_the_budget_and_nobody_gets_less_of_more(
            cameras in slots_strategy(), budget in 0_u64..20_000, more in 0_u64..5000, audio in 0_u64..100,
        ) {
            let cameras: Vec<Vec<_>> =
                cameras.iter().map(|it| it.iter().map(|rates| encoding(rates)).collect()).collect();
            let slots: Vec<_> = cameras.iter().map(|it| slot(it)).collect();
            let less = plan(Bitrate::kbps(budget), Bitrate::kbps(audio), &slots);
            prop_assert!(total(&slots, &less) <= budget.saturating_sub(audio) * 1000);
            let greater = plan(Bitrate::kbps(budget + more), Bitrate::kbps(audio), &slots);
            // A slot that could not be shown even alone, and now can, takes its place.
            let alone = |budget: u64| -> Vec<bool> {
                let video = Bitrate::kbps(budget.saturating_sub(audio));
                slots.iter().map(|it| Stairs::of(it).rung(0).is_some_and(|least| least.rate > video)).collect()
            };
            if alone(budget) == alone(budget + more) {
                for (less, greater) in less.iter().zip(&greater) {
                    prop_assert!(less <= greater, "{:?} {:?}", less, greater);
                }
            }
        }

        #[test]
        fn the_noise_of_an_estimate_changes_nothing(
            cameras in 1_usize..6, kbps in 200_u64..8000, noise in prop::collection::vec(95_u64..=105, 300),
        ) {
            let (camera, start) = (camera(), Instant::now());
            let (mut allocator, mut slots) = (Allocator::default(), vec![None; cameras]);
            let budget = |ms: u32| kbps * noise[(ms / 100) as usize % 300] / 100;
            run(&mut allocator, &camera, &mut slots, (0, 15_000), start, budget);
            // Settled: no step up that is taken back, at most late steps up.
            let before = slots.clone();
            let changes = run(&mut allocator, &camera, &mut slots, (15_000, 60_000), start, budget);
            for (before, after) in before.iter().zip(&slots) {
                prop_assert!(before <= after);
            }
            prop_assert!(changes.len() <= 3 * cameras, "{:?}", changes);
        }
    }
}
