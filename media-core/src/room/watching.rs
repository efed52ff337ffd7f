//! Who watches which rendition of the canvas, and where they move.
//!
//! in:  what may be sent to each viewer, key frames as they pass, losses that retransmission did not mend
//! out: which packets a viewer gets, which renditions are needed, at which rate each is to be encoded
//!
//! ```text
//!            budget below the rendition's least, or a loss among many          budget with headroom, after a hold
//!   Full ───────────────────────────────────────────────────────► Small ───────────────────────────────────────► Full
//!        the old picture goes on until a key frame of the new rendition passes
//! ```
//!
//! A rendition is encoded at the 25th percentile of its viewers' budgets: a quarter of them is then asked to bear more than
//! it can, and those far below it move to the smaller one. Whom nobody measures gets the full one.

use std::time::{Duration, Instant};

use layouts::Size;

use super::job::canvas_bitrate;
use crate::bandwidth::allocate::{Allocator, Choice, EncodingRates, Slot};
use crate::units::{Bitrate, EncodingIndex, VideoCodec};

/// Room for the mix beside the picture, with headers.
pub(crate) const AUDIO: Bitrate = Bitrate::kbps(50);
/// The full rendition is worth looking at from this part of its best rate on, in percent; the small one from so much.
const FULL_LEAST_PERCENT: u64 = 45;
const SMALL_LEAST_PERCENT: u64 = 14;
/// … and nobody stays who can bear less than this part of what is sent.
const BEARABLE_PERCENT: u64 = 85;
/// A viewer moved because of losses stays there for so long.
const STAYS_SMALL: Duration = Duration::from_secs(5);
/// Who asks again so soon after its first key frame has not seen it: what is sent with the end of a handshake, and overtakes
/// it, is lost.
const NEWCOMER: Duration = Duration::from_secs(2);
/// What was just repeated, or asked for, is waited for so long beyond a round trip before a loss is one.
const REPAIR: Duration = Duration::from_millis(150);
/// Who asks for a key frame asked before the one it got could arrive, for so long beyond a round trip: browsers ask as soon as
/// the first packet that comes is of another picture.
const ARRIVES: Duration = Duration::from_millis(50);

/// Which size of the canvas: the order is that of the stairs of an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum SizeClass {
    /// Half as wide and high.
    Small,
    /// As it is composed.
    Full,
}

impl SizeClass {
    const ALL: [Self; 2] = [Self::Small, Self::Full];

    /// Pixels of a canvas of `full` size.
    pub(crate) fn size(self, full: Size) -> Size {
        match self {
            Self::Full => full,
            // Encoders want even sides, and no tiny ones.
            Self::Small => {
                Size { width: (full.width / 4 * 2).max(16), height: (full.height / 4 * 2).max(16) }
            }
        }
    }

    /// The best rate of such a rendition.
    pub(crate) fn most(self, full: Size) -> Bitrate {
        let size = self.size(full);
        canvas_bitrate(size.width, size.height)
    }

    /// Below this it shows less than the smaller one, or nothing.
    pub(crate) fn least(self, full: Size) -> Bitrate {
        let percent = match self {
            Self::Full => FULL_LEAST_PERCENT,
            Self::Small => SMALL_LEAST_PERCENT,
        };
        Bitrate(self.most(full).0 * percent / 100)
    }

    fn index(self) -> EncodingIndex {
        match self {
            Self::Small => EncodingIndex(0),
            Self::Full => EncodingIndex(1),
        }
    }

    fn of(choice: Choice) -> Self {
        if choice.encoding == EncodingIndex(0) { Self::Small } else { Self::Full }
    }
}

/// Names a rendition of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RenditionKey {
    pub(crate) codec: VideoCodec,
    pub(crate) size: SizeClass,
}

/// What becomes of a packet at one viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// It goes on.
    Send,
    /// It is the first of another rendition.
    Begin,
    /// It is of a rendition the viewer does not watch.
    Drop,
}

/// What is to be done about a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// It is under way.
    Wait,
    /// A key frame of this rendition, or a young one again.
    KeyFrame(SizeClass),
    /// The same for one who has seen none yet.
    First(SizeClass),
}

/// One viewer of the canvas.
#[derive(Debug)]
pub(crate) struct Viewer {
    pub(crate) codec: VideoCodec,
    state: State,
    allocator: Allocator,
    choices: Vec<Option<Choice>>,
    budget: Option<Bitrate>,
    stays_small_until: Option<Instant>,
    repaired_at: Option<Instant>,
    /// When a key frame began what it shows …
    began_at: Option<Instant>,
    /// … and when the first one was sent.
    first_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing yet, or nothing that goes on: a key frame of it is awaited.
    Awaits(SizeClass),
    Shows(SizeClass),
    /// The old picture goes on until a key frame of the new one passes.
    Moves {
        from: SizeClass,
        to: SizeClass,
    },
    /// Not even the small one fits.
    Paused,
    /// It gets its picture from elsewhere.
    Elsewhere,
}

impl Viewer {
    pub(crate) fn new(codec: VideoCodec) -> Self {
        Self {
            codec,
            state: State::Awaits(SizeClass::Full),
            allocator: Allocator::default(),
            choices: Vec::new(),
            budget: None,
            stays_small_until: None,
            repaired_at: None,
            began_at: None,
            first_at: None,
        }
    }

    /// The rendition whose packets it gets.
    pub(crate) fn shows(&self) -> Option<SizeClass> {
        match self.state {
            State::Shows(size) | State::Moves { from: size, .. } => Some(size),
            State::Awaits(_) | State::Paused | State::Elsewhere => None,
        }
    }

    /// The rendition it is to have.
    pub(crate) fn wants(&self) -> Option<SizeClass> {
        match self.state {
            State::Awaits(size) | State::Shows(size) | State::Moves { to: size, .. } => Some(size),
            State::Paused | State::Elsewhere => None,
        }
    }

    /// A key frame of it is what it waits for.
    pub(crate) fn awaits(&self) -> Option<SizeClass> {
        match self.state {
            State::Awaits(size) | State::Moves { to: size, .. } => Some(size),
            State::Shows(_) | State::Paused | State::Elsewhere => None,
        }
    }

    /// It has the full rendition and waits for nothing.
    pub(crate) fn is_content(&self) -> bool {
        self.state == State::Shows(SizeClass::Full)
    }

    /// It gets its picture from elsewhere for a while.
    pub(crate) fn leave_to_another(&mut self) {
        self.state = State::Elsewhere;
    }

    /// … and is back; gives whether it was away.
    pub(crate) fn come_back(&mut self) -> bool {
        let was_away = self.state == State::Elsewhere;
        if was_away {
            self.state = State::Awaits(SizeClass::Full);
        }
        was_away
    }

    pub(crate) fn needs(&self, size: SizeClass) -> bool {
        self.shows() == Some(size) || self.wants() == Some(size)
    }

    /// What becomes of a packet of `size`; `key`: it is the first of a key frame.
    pub(crate) fn gate(&mut self, now: Instant, size: SizeClass, key: bool) -> Gate {
        if key && self.awaits() == Some(size) {
            self.state = State::Shows(size);
            self.began_at = Some(now);
            self.first_at.get_or_insert(now);
            return Gate::Begin;
        }
        if self.shows() == Some(size) { Gate::Send } else { Gate::Drop }
    }

    /// What it may be sent, for those who set the rates.
    pub(crate) fn set_budget(&mut self, budget: Option<Bitrate>) {
        self.budget = budget;
    }

    /// What it may be sent now, and what is sent of the full rendition; gives the rendition that it begins to wait for.
    pub(crate) fn on_budget(
        &mut self,
        now: Instant,
        budget: Option<Bitrate>,
        full: Size,
        rate: Bitrate,
    ) -> Option<SizeClass> {
        self.budget = budget;
        if self.state == State::Elsewhere {
            return None;
        }
        let Some(budget) = budget else {
            return self.wants().is_none().then(|| self.turn_to(Some(SizeClass::Full))).flatten();
        };
        let bearable = Bitrate(rate.0 * BEARABLE_PERCENT / 100);
        let least = |size: SizeClass| match size {
            SizeClass::Full => size.least(full).max(bearable),
            SizeClass::Small => size.least(full),
        };
        let rates = SizeClass::ALL.map(|size| EncodingRates::new(&[least(size)]));
        let small_only = self.stays_small_until.is_some_and(|until| now < until);
        let largest = if small_only { SizeClass::Small } else { SizeClass::Full };
        let current = self.wants().map(|size| Choice { encoding: size.index(), temporal: 0 });
        let slot = Slot { encodings: &rates, largest: largest.index(), current };
        self.allocator.decide(now, budget, AUDIO, &[slot], &mut self.choices);
        let wanted = self.choices.first().copied().flatten().map(SizeClass::of);
        if wanted == self.wants() { None } else { self.turn_to(wanted) }
    }

    /// Budget for its picture, when it watches this rendition and is measured.
    pub(crate) fn picture_budget(&self, size: SizeClass) -> Option<Bitrate> {
        let budget = self.budget.filter(|_| self.wants() == Some(size))?;
        Some(Bitrate(budget.0.saturating_sub(AUDIO.0)))
    }

    fn turn_to(&mut self, wanted: Option<SizeClass>) -> Option<SizeClass> {
        self.state = match (wanted, self.shows()) {
            (None, _) => State::Paused,
            (Some(wanted), Some(shown)) if wanted == shown => State::Shows(shown),
            (Some(wanted), Some(shown)) => State::Moves { from: shown, to: wanted },
            (Some(wanted), None) => State::Awaits(wanted),
        };
        self.awaits()
    }

    /// It lost something. `repaired`: packets it missed were sent again just now; `many`: a key frame would be at the cost of
    /// many others.
    pub(crate) fn on_loss(
        &mut self,
        now: Instant,
        repaired: bool,
        rtt: Duration,
        many: bool,
    ) -> Option<Remedy> {
        let wanted = self.wants()?;
        if let Some(awaited) = self.awaits() {
            return Some(Remedy::KeyFrame(awaited));
        }
        let within = |since: Option<Instant>, time: Duration| {
            since.is_some_and(|at| now.saturating_duration_since(at) < time)
        };
        if within(self.began_at, rtt + ARRIVES) {
            return Some(Remedy::Wait);
        }
        if within(self.first_at, NEWCOMER) && !repaired {
            self.state = State::Awaits(wanted);
            return Some(Remedy::First(wanted));
        }
        let waits = within(self.repaired_at, rtt + REPAIR);
        if waits {
            return Some(Remedy::Wait);
        }
        // What is still missed after a repair is not mended by another one.
        let tried = within(self.repaired_at, (rtt + REPAIR) * 3);
        if repaired && !tried {
            self.repaired_at = Some(now);
            return Some(Remedy::Wait);
        }
        if many && wanted == SizeClass::Full {
            self.stays_small_until = Some(now + STAYS_SMALL);
            self.state = State::Moves { from: SizeClass::Full, to: SizeClass::Small };
            return Some(Remedy::KeyFrame(SizeClass::Small));
        }
        Some(Remedy::KeyFrame(wanted))
    }

    /// Its packets were given up: nothing of what it shows goes on before a key frame.
    pub(crate) fn on_given_up(&mut self) -> Option<SizeClass> {
        let wanted = self.wants()?;
        self.state = State::Awaits(wanted);
        Some(wanted)
    }
}

/// The rate for viewers with these budgets: the 25th percentile of those who can bear such a rendition at all, within what
/// it is good for.
pub(crate) fn rate_for(size: SizeClass, full: Size, budgets: &mut Vec<Bitrate>) -> Bitrate {
    let (least, most) = (size.least(full), size.most(full));
    if budgets.is_empty() {
        return most;
    }
    budgets.retain(|budget| *budget >= least);
    budgets.sort_unstable();
    let at = budgets.len().saturating_sub(1) / 4;
    budgets.get(at).copied().unwrap_or(least).clamp(least, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HD: Size = Size { width: 1280, height: 720 };
    const MS: Duration = Duration::from_millis(1);
    const RTT: Duration = Duration::from_millis(50);
    const FULL: Bitrate = Bitrate::kbps(1500);

    fn showing(size: SizeClass) -> Viewer {
        let mut viewer = Viewer::new(VideoCodec::Vp8);
        viewer.state = State::Awaits(size);
        assert_eq!(viewer.gate(Instant::now(), size, true), Gate::Begin);
        viewer
    }

    #[test]
    fn sizes_and_rates() {
        assert_eq!(SizeClass::Small.size(HD), Size { width: 640, height: 360 });
        assert_eq!(SizeClass::Small.size(Size { width: 30, height: 30 }), Size { width: 16, height: 16 });
        assert_eq!(SizeClass::Full.most(HD), FULL);
        assert_eq!(SizeClass::Small.most(HD), Bitrate::kbps(750));
        assert!(SizeClass::Small.least(HD) < SizeClass::Full.least(HD));
    }

    #[test]
    fn the_25th_percentile_within_bounds() {
        let check = |kbps: &[u64], expected| {
            let mut budgets: Vec<_> = kbps.iter().map(|it| Bitrate::kbps(*it)).collect();
            assert_eq!(rate_for(SizeClass::Full, HD, &mut budgets), Bitrate::kbps(expected), "{kbps:?}");
        };
        check(&[], 1500);
        check(&[900], 900);
        check(&[5000, 900], 900);
        check(&[5000, 800, 1200, 1100, 5000], 1100);
        check(&[100], 675);
        check(&[9000], 1500);
    }

    #[test]
    fn the_old_picture_goes_on_until_a_key_frame_of_the_new_rendition() {
        use SizeClass::{Full, Small};
        let start = Instant::now();
        let mut viewer = showing(Full);
        let budget = |viewer: &mut Viewer, ms: u32, kbps| {
            viewer.on_budget(start + MS * ms, Some(Bitrate::kbps(kbps)), HD, FULL)
        };
        assert_eq!(budget(&mut viewer, 0, 2000), None);
        assert_eq!(budget(&mut viewer, 100, 500), Some(Small));
        assert_eq!(
            (viewer.gate(start, Full, false), viewer.gate(start, Small, false)),
            (Gate::Send, Gate::Drop)
        );
        assert!(viewer.needs(Full) && viewer.needs(Small));
        assert_eq!(
            (viewer.gate(start, Small, true), viewer.gate(start, Full, false)),
            (Gate::Begin, Gate::Drop)
        );
        assert!(!viewer.needs(Full));
        assert_eq!(viewer.picture_budget(Small), Some(Bitrate::kbps(450)));
        // Up needs headroom, and a little patience.
        assert_eq!(budget(&mut viewer, 200, 1400), None);
        assert_eq!(budget(&mut viewer, 700, 2000), Some(Full));
        // It turned out otherwise before the key frame came: nothing has moved.
        assert_eq!(budget(&mut viewer, 800, 500), None);
        assert_eq!(
            (viewer.gate(start, Small, false), viewer.gate(start, Full, true)),
            (Gate::Send, Gate::Drop)
        );
        // Not even half of it fits.
        assert_eq!(budget(&mut viewer, 900, 100), None);
        assert_eq!(viewer.gate(start, Small, true), Gate::Drop);
        assert_eq!((viewer.shows(), viewer.wants()), (None, None));
        assert_eq!(budget(&mut viewer, 8000, 500), Some(Small));
    }

    #[test]
    fn a_loss_is_mended_by_repeats_then_by_the_small_rendition_then_by_a_key_frame() {
        use SizeClass::{Full, Small};
        let start = Instant::now();
        let mut viewer = showing(Full);
        let loss = |viewer: &mut Viewer, ms: u32, repaired, many| {
            viewer.on_loss(start + MS * ms + NEWCOMER * 2, repaired, RTT, many).unwrap()
        };
        assert_eq!(loss(&mut viewer, 0, true, true), Remedy::Wait);
        assert_eq!(loss(&mut viewer, 100, true, true), Remedy::Wait);
        assert_eq!(loss(&mut viewer, 250, true, true), Remedy::KeyFrame(Small), "repeats did not help");
        assert_eq!(viewer.gate(start, Full, false), Gate::Send);
        assert_eq!(loss(&mut viewer, 300, false, true), Remedy::KeyFrame(Small), "it comes");
        assert_eq!(viewer.gate(start, Small, true), Gate::Begin);
        let budget = Some(Bitrate::kbps(5000));
        assert_eq!(viewer.on_budget(start + MS * 5000, budget, HD, FULL), None);
        assert_eq!(viewer.on_budget(start + MS * 10_000, budget, HD, FULL), Some(Full));
        // Among few a key frame is cheaper than a second encoder.
        let mut viewer = showing(Full);
        assert_eq!(loss(&mut viewer, 0, false, false), Remedy::KeyFrame(Full));
        let mut viewer = showing(Small);
        assert_eq!(loss(&mut viewer, 0, false, true), Remedy::KeyFrame(Small));
    }

    #[test]
    fn who_asks_before_its_first_key_frame_can_have_come_gets_no_other() {
        let mut viewer = showing(SizeClass::Full);
        let began = viewer.began_at.unwrap();
        for ms in [0, 50, 99] {
            assert_eq!(viewer.on_loss(began + MS * ms, false, RTT, true), Some(Remedy::Wait), "{ms} ms");
        }
        // It has not come.
        let remedy = viewer.on_loss(began + MS * 100, false, RTT, true);
        assert_eq!(remedy, Some(Remedy::First(SizeClass::Full)));
        assert_eq!(viewer.gate(began + MS * 101, SizeClass::Full, false), Gate::Drop);
        assert_eq!(viewer.gate(began + MS * 110, SizeClass::Full, true), Gate::Begin);
        // Later it is a loss like any other's.
        let remedy = viewer.on_loss(began + NEWCOMER, false, RTT, true);
        assert_eq!(remedy, Some(Remedy::KeyFrame(SizeClass::Small)));
    }
}
