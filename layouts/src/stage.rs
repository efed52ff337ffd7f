//! The stateful placement of one canvas: seats that stay, sizes that do not flap, changes that come together.
//!
//! in:  the state of the room, whole, whenever something in it may have changed; time
//! out: a new arrangement when there is one; when to be asked again
//!
//! All state is about time and about what was shown last. A guest keeps its slot while the layout stays; a change
//! waits 100 ms for others that belong to it; a smaller layout waits 2 s; a floor holder without a slot gets one
//! after 2 s from somebody who was shown for 10 s, and the large picture follows it after 1 s.

use std::collections::BTreeMap;

use crate::catalogue::LayoutId;
use crate::grid::Size;
use crate::headroom::Headroom;
use crate::layer::{Layer, Placed};
use crate::lead::Lead;
use crate::place::{self, Floor, Former};
use crate::plan::{Options, Plan};
use crate::queue::{self, Guest};
use crate::source::{Millis, Source, SourceKey};

/// Changes of this time are applied together.
const BATCH_MS: u64 = 100;
/// How long a source holds the floor before it takes a slot from another.
const FLOOR_TAKES_AFTER_MS: u64 = 2000;
/// How long a source is shown at least before the floor takes its slot.
const SHOWN_AT_LEAST_MS: u64 = 10_000;

/// Everything placement depends on.
#[derive(Clone, Debug)]
pub struct StageInput<'a> {
    /// The layout in force.
    pub layout: LayoutId,
    /// The canvas.
    pub canvas: Size,
    /// Who is there, in any order, each key once.
    pub sources: &'a [Source],
    /// Who has the floor, if anybody.
    pub floor: Option<SourceKey>,
    /// Muted videos leave the canvas.
    pub hide_video_muted: bool,
    /// Members without video leave the canvas.
    pub video_required: bool,
    /// Raised hands sort first.
    pub prioritize_handraise: bool,
    /// What else the room wants otherwise.
    pub options: Options,
}

/// The stateful placement of one canvas.
#[derive(Clone, Debug, Default)]
pub struct Stage {
    settled: Option<Settled>,
    /// Who sat in another layout, before anything is settled here.
    seated: Vec<SourceKey>,
    headroom: Headroom,
    /// Who has the floor, since when.
    floor: Option<(SourceKey, Millis)>,
    lead: Lead,
    /// When the changes being collected are applied.
    batch: Option<Millis>,
    redeal: bool,
    deadline: Option<Millis>,
}

/// What was handed out last.
#[derive(Clone, Debug)]
struct Settled {
    placed: Placed,
    plan: Plan,
    shown_since: BTreeMap<SourceKey, Millis>,
    /// The hands that were up then: lowering one moves nobody until the next change.
    hands: BTreeMap<SourceKey, Millis>,
}

/// What would be handed out now.
struct Next {
    plan: Plan,
    layers: Vec<Layer>,
    /// Time brought it about and not the caller: it has waited long enough.
    is_ripe: bool,
}

impl Stage {
    /// One that has shown these in another layout, in this order.
    pub(crate) fn after_another_layout(seated: &[SourceKey]) -> Self {
        Self { seated: seated.to_vec(), ..Self::default() }
    }

    /// Takes the state of the room at `now`; gives the new arrangement if it changed.
    pub fn update(&mut self, now: Millis, input: &StageInput<'_>) -> Option<Placed> {
        self.watch_floor(now, input);
        if self.settled.as_ref().is_some_and(|settled| settled.placed.layout != input.layout) {
            self.headroom = Headroom::default();
        }
        let next = self.next(now, input);
        let placed = self.apply(now, input, next);
        let wakes =
            [self.batch, self.headroom.shrinks_at(), self.lead.moves_at(), self.floor_takes_at(now, input)];
        self.deadline = wakes.into_iter().flatten().min();
        placed
    }

    /// When `update` wants to be called again without a new input.
    #[must_use]
    pub fn deadline(&self) -> Option<Millis> {
        self.deadline
    }

    /// Forgets who sat where, as if the room were fresh: for a layout that is set although it is in force.
    pub fn redeal(&mut self) {
        self.redeal = true;
        self.headroom = Headroom::default();
    }

    fn watch_floor(&mut self, now: Millis, input: &StageInput<'_>) {
        let since = |holder| match self.floor {
            Some((before, since)) if before == holder => since,
            Some(_) | None => now,
        };
        self.floor = input.floor.map(|holder| (holder, since(holder)));
    }

    fn next(&mut self, now: Millis, input: &StageInput<'_>) -> Next {
        let guests = queue::guests(now, input, |source| source.hand_raised);
        if self.redeal {
            self.lead = Lead::default();
        }
        let plans = input.layout.plans(input.canvas, input.options);
        let shown = self.settled.as_ref().filter(|_| !self.redeal);
        let shown_rank = shown.and_then(|s| plans.iter().position(|plan| *plan == s.plan));
        let rank = self.headroom.rank(now, rank_needed(&plans, input.options, &guests), shown_rank);
        let plan = plans.into_iter().nth(rank).expect("the rank of a need is an index of the plans");
        let lead = self.lead.follow(now, &guests, self.floor, &plan);

        let options = input.options.and(plan.options());
        let mut layers = self.arrange(now, &plan, options, &guests, lead);
        if let Some(settled) = self.settled.as_ref().filter(|s| !self.redeal && s.remembers_a_lowered(input))
        {
            let hand = |source: &Source| source.hand_raised.or(settled.hands.get(&source.key).copied());
            let as_if_still_up = self.arrange(now, &plan, options, &queue::guests(now, input, hand), lead);
            if as_if_still_up == settled.placed.layers {
                layers = as_if_still_up;
            }
        }
        let has_shrunk = shown_rank.is_some_and(|shown| rank < shown);
        let is_ripe = has_shrunk || self.floor_has_taken(now, &layers);
        Next { plan, layers, is_ripe }
    }

    fn arrange(
        &self,
        now: Millis,
        plan: &Plan,
        options: Options,
        guests: &[Guest],
        lead: Option<SourceKey>,
    ) -> Vec<Layer> {
        let before = || -> Vec<SourceKey> {
            self.settled.as_ref().map_or_else(
                || self.seated.clone(),
                |settled| settled.placed.layers.iter().filter_map(|layer| layer.source).collect(),
            )
        };
        let order: Vec<SourceKey>;
        let former = match &self.settled {
            Some(settled) if !self.redeal && settled.plan == *plan => Former::Here(&settled.placed.layers),
            Some(_) if self.redeal => Former::Nobody,
            Some(_) | None => {
                order = before();
                Former::Elsewhere(&order)
            }
        };
        let floor = self.floor.map(|(holder, since)| Floor {
            holder,
            takes_from_shown_before: (since.plus(FLOOR_TAKES_AFTER_MS) <= now)
                .then(|| Millis(now.0.saturating_sub(SHOWN_AT_LEAST_MS))),
        });
        place::place(plan.slots(options), options, guests, former, floor, lead, |source| {
            self.shown_since(source)
        })
    }

    /// Applies a change that is ripe, and keeps any other until its batch is due. Nothing waits while nobody is shown.
    fn apply(&mut self, now: Millis, input: &StageInput<'_>, next: Next) -> Option<Placed> {
        let is_same = |s: &Settled| s.placed.layers == next.layers && s.placed.layout == input.layout;
        if self.settled.as_ref().is_some_and(is_same) {
            self.batch = None;
            self.redeal = false;
            return None;
        }
        let is_anybody_shown = self.settled.as_ref().is_some_and(|s| !s.shown_since.is_empty());
        if is_anybody_shown && !next.is_ripe && *self.batch.get_or_insert(now.plus(BATCH_MS)) > now {
            return None;
        }
        self.batch = None;
        self.redeal = false;
        Some(self.settle(now, input, next))
    }

    fn settle(&mut self, now: Millis, input: &StageInput<'_>, next: Next) -> Placed {
        let version = self.settled.as_ref().map_or(0, |settled| settled.placed.version) + 1;
        let shown = next.layers.iter().filter_map(|layer| layer.source);
        let shown_since = shown.map(|source| (source, self.shown_since(source).unwrap_or(now))).collect();
        let hands = input.sources.iter().filter_map(|s| Some((s.key, s.hand_raised?))).collect();
        let placed = Placed { version, layout: input.layout.clone(), layers: next.layers };
        self.settled = Some(Settled { placed: placed.clone(), plan: next.plan, shown_since, hands });
        placed
    }

    fn shown_since(&self, source: SourceKey) -> Option<Millis> {
        self.settled.as_ref()?.shown_since.get(&source).copied()
    }

    /// Whether `layers` show a floor holder of 2 s who had no slot until now.
    fn floor_has_taken(&self, now: Millis, layers: &[Layer]) -> bool {
        self.floor.is_some_and(|(holder, since)| {
            since.plus(FLOOR_TAKES_AFTER_MS) <= now
                && self.shown_since(holder).is_none()
                && layers.iter().any(|layer| layer.source == Some(holder))
        })
    }

    /// When a floor holder who is not shown may take a slot, or the first of the others may lose one.
    fn floor_takes_at(&self, now: Millis, input: &StageInput<'_>) -> Option<Millis> {
        let (holder, since) = self.floor?;
        if self.shown_since(holder).is_some() || input.sources.iter().all(|source| source.key != holder) {
            return None;
        }
        let shown_since = &self.settled.as_ref()?.shown_since;
        let earliest = since.plus(FLOOR_TAKES_AFTER_MS);
        shown_since
            .values()
            .map(|shown| shown.plus(SHOWN_AT_LEAST_MS).max(earliest))
            .filter(|then| *then > now)
            .min()
    }
}

impl Settled {
    fn remembers_a_lowered(&self, input: &StageInput<'_>) -> bool {
        let is_lowered = |s: &Source| s.hand_raised.is_none() && self.hands.contains_key(&s.key);
        input.prioritize_handraise && input.sources.iter().any(is_lowered)
    }
}

/// The first of the plans with room for all members beside the playbacks, else the largest.
fn rank_needed(plans: &[Plan], options: Options, guests: &[Guest]) -> usize {
    let holds_all = |plan: &Plan| {
        let options = options.and(plan.options());
        place::holds_all(plan, options, guests)
    };
    plans.iter().position(holds_all).unwrap_or(plans.len().saturating_sub(1))
}
