//! One member's stream in place of the encoded canvas, for viewers who then see the same for less.
//!
//! in:  the layers in force, what is drawn on them, the cameras' encodings, viewers of the canvas and what they may be sent
//! out: packets of the camera to those viewers; nothing of the canvas meanwhile
//!
//! ```text
//!            one member fills the canvas for a while        its key frame is due
//!   canvas ─────────────────────────────────────► Awaiting ─────────────────────► Passing
//!      ▲                                             │                               │ it does no more
//!      │◄── it does no more ─────────────────────────┘                               ▼
//!      └── key frame of the canvas ── Ended ◄── the canvas shows what is to be seen ── Returning
//! ```
//!
//! What is encoded next to it (a recorder, other viewers) goes on. While nobody else looks, the camera is not decoded either
//! and the canvas rests; the viewer's picture goes on until both are awake again. A camera that is muted, changes its size or
//! leaves ends at once, and its last picture stays.
//!
//! A frame of the canvas shows what was captured the playout delay before, so that lips and voice stay together. A camera's
//! packets are told to be as much later than they were captured, and begin when the canvas has come that far: seen from the
//! viewer time neither stops nor leaps at either end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use layouts::{Layer, Showing, SourceKey, fills_the_canvas};

use super::Room;
use super::leg::Leg;
use crate::forward::{MediaPacket, Source, SourceId, Taken, Watcher};
use crate::shard::Reach;
use crate::units::{EncodingIndex, LegKey, MemberKey};

/// One member has to fill the canvas for so long: speakers who change by the second would cost a key frame each time.
const HOLD: Duration = Duration::from_secs(1);
/// A key frame is begun with while what the canvas shows is at most this much later: a frame or two.
const BEHIND_MAX: Duration = Duration::from_millis(50);
/// Of the packets since the last key frame this is as far as is looked back.
const KEY_MAX_AGE: Duration = Duration::from_secs(1);
/// Decoding has so long to begin before the canvas is shown as it is.
const WAKES_WITHIN: Duration = Duration::from_millis(1500);
/// What a camera may take of what its viewer may be sent, in percent: its next second may be livelier.
const BEARABLE_PERCENT: u64 = 80;
/// The number of such a watcher, which no slot of a tile leg has.
pub(super) const PASSED: u8 = u8::MAX;

/// Who is on which way.
#[derive(Debug, Default)]
pub(super) struct PassThrough {
    /// Who fills the canvas with what, and since when.
    candidate: Option<(SourceId, Instant)>,
    viewers: BTreeMap<LegKey, State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The canvas goes on until a key frame of it can begin.
    Awaiting(SourceId),
    /// It flows. `last`: until when its pictures are to be seen.
    Passing { from: SourceId, last: Instant },
    /// It flows until the canvas can be shown.
    Returning { from: SourceId, last: Instant, since: Instant },
    /// It has ended; the canvas is awaited from `last` on.
    Ended { last: Instant, since: Instant, ready: bool },
}

impl State {
    fn from(self) -> Option<SourceId> {
        match self {
            Self::Awaiting(from) | Self::Passing { from, .. } | Self::Returning { from, .. } => Some(from),
            Self::Ended { .. } => None,
        }
    }
}

impl PassThrough {
    /// The viewer gets packets of it, or waits for them.
    pub(super) fn uses(&self, leg: LegKey, id: SourceId) -> bool {
        self.viewers.get(&leg).is_some_and(|state| state.from() == Some(id))
    }

    /// What a viewer sees in place of the canvas.
    pub(super) fn passed_to(&self, leg: LegKey) -> Option<SourceId> {
        match self.viewers.get(&leg)? {
            State::Passing { from, .. } | State::Returning { from, .. } => Some(*from),
            State::Awaiting(_) | State::Ended { .. } => None,
        }
    }

    /// Somebody waits for the canvas, which nobody may look at: cameras have to be decoded first.
    pub(super) fn wakes_the_canvas(&self) -> bool {
        self.viewers.values().any(|state| matches!(state, State::Returning { .. } | State::Ended { .. }))
    }

    /// A viewer is gone.
    pub(super) fn forget(&mut self, leg: LegKey) {
        self.viewers.remove(&leg);
    }

    /// Whether a packet of the canvas may end what a viewer is passed: its key frame shows nothing from before.
    pub(super) fn gives_way(&self, leg: LegKey, packet: &MediaPacket) -> bool {
        match self.viewers.get(&leg) {
            None | Some(State::Awaiting(_)) => true,
            Some(State::Passing { .. } | State::Returning { .. }) => false,
            Some(State::Ended { last, .. }) => packet.captured + BEHIND_MAX >= *last,
        }
    }

    /// A key frame of the canvas has begun at a viewer.
    pub(super) fn canvas_begun(&mut self, leg: LegKey) {
        self.viewers.remove(&leg);
    }
}

impl Room {
    /// Follows who fills the canvas, and moves viewers on.
    pub(super) fn settle_pass_through(&mut self, reach: &mut Reach<'_>) {
        let now = reach.now;
        let candidate = self.pass_candidate(now);
        let since = self.passing.candidate.filter(|(id, _)| Some(*id) == candidate).map(|(_, since)| since);
        self.passing.candidate = candidate.map(|id| (id, since.unwrap_or(now)));
        let settled =
            self.passing.candidate.filter(|(_, since)| now.saturating_duration_since(*since) >= HOLD);
        if settled.is_none() && self.passing.viewers.is_empty() {
            return;
        }
        let legs: Vec<LegKey> =
            self.legs.iter().filter(|(_, leg)| leg.watches().is_some()).map(|it| *it.0).collect();
        for leg in legs {
            let suits = settled.map(|(id, _)| id).filter(|id| self.suits(leg, *id));
            match (self.passing.viewers.get(&leg).copied(), suits) {
                (None, Some(id)) => self.await_passing(reach, leg, id),
                (Some(State::Awaiting(from)), Some(id)) if from == id => self.begin_passing(reach, leg, id),
                (Some(State::Awaiting(_)), _) => self.end_passing(leg),
                (Some(State::Passing { from, .. }), _)
                    if candidate == Some(from) && self.can_bear(leg, from) => {}
                (Some(State::Passing { from, last }), _) if self.may_be_seen(from) => {
                    self.passing.viewers.insert(leg, State::Returning { from, last, since: now });
                    self.tiles_stale = true;
                }
                (Some(State::Returning { from, since, .. }), _) if self.may_be_seen(from) => {
                    let late = now.saturating_duration_since(since) >= WAKES_WITHIN;
                    if late || self.shows_all(now) {
                        self.stop_passing(now, leg, true);
                    }
                }
                (Some(State::Passing { .. } | State::Returning { .. }), _) => {
                    self.stop_passing(now, leg, false);
                }
                (Some(State::Ended { last, since, ready }), _) => {
                    let late = now.saturating_duration_since(since) >= WAKES_WITHIN;
                    if last <= now && (ready || late || self.shows_all(now)) {
                        self.canvas.come_back(now, leg);
                    }
                }
                (None, None) => {}
            }
        }
    }

    /// The one encoding that shows what the canvas does, as large as that.
    fn pass_candidate(&self, now: Instant) -> Option<SourceId> {
        let layers = self.arrangement.layers();
        let member = MemberKey(fills_the_canvas(layers)?.0);
        let is_its = |layer: &&Layer| layer.visible && layer.source == Some(SourceKey(member.0));
        let border = layers.iter().find(is_its)?.border;
        let (look, owner) = (self.arrangement.look(), self.members.get(&member)?);
        let overlays = look.overlays;
        let has_hand = overlays.hand && owner.has_hand_raised();
        let is_covered = self.images.grounds.foreground.is_some();
        let is_drawn_on =
            look.border_of(border) > 0 || overlays.name || overlays.talking || has_hand || is_covered;
        if is_drawn_on || owner.is_changing_legs() {
            return None;
        }
        let leg = self.camera_of(member)?;
        let count = self.legs.get(&leg)?.camera().encodings();
        (0..count).map(|index| SourceId { leg, encoding: EncodingIndex(index) }).find(|id| {
            let source = self.sources.get(id);
            source.is_some_and(|source| source.flows(now) && self.is_whole_canvas(source))
        })
    }

    /// As it comes it is what the canvas would be.
    fn is_whole_canvas(&self, source: &Source) -> bool {
        source.size() == Some(self.canvas.size()) && source.layers() <= 1 && source.is_upright()
    }

    /// Its member lets itself be seen, and the camera is there.
    fn may_be_seen(&self, id: SourceId) -> bool {
        let member = self.legs.get(&id.leg).map(Leg::member);
        let source = self.sources.get(&id);
        member.is_some_and(|member| self.camera_of(member) == Some(id.leg))
            && source.is_some_and(|source| self.is_whole_canvas(source))
    }

    /// A viewer can decode it, and its line bears it.
    fn suits(&self, leg: LegKey, id: SourceId) -> bool {
        let codec = self.legs.get(&leg).and_then(Leg::watches);
        codec.is_some()
            && self.sources.get(&id).and_then(Source::codec) == codec
            && self.canvas.is_content(leg)
            && self.can_bear(leg, id)
    }

    fn can_bear(&self, leg: LegKey, id: SourceId) -> bool {
        let Some(budget) = self.legs.get(&leg).and_then(Leg::budget) else { return true };
        let rate = self.rates_of(id.leg, id.encoding).whole();
        rate.0 <= budget.0 * BEARABLE_PERCENT / 100
    }

    fn await_passing(&mut self, reach: &mut Reach<'_>, leg: LegKey, id: SourceId) {
        self.sources.entry(id).or_default().watch(Watcher { leg, slot: PASSED });
        self.passing.viewers.insert(leg, State::Awaiting(id));
        self.begin_passing(reach, leg, id);
    }

    /// Begins with a key frame that the canvas would show by now; else one is asked for.
    fn begin_passing(&mut self, reach: &mut Reach<'_>, leg: LegKey, id: SourceId) {
        let delay = self.picture_delay(id);
        let Some(source) = self.sources.get(&id) else { return };
        let packets: Vec<MediaPacket> =
            source.cache().since_keyframe(reach.now, KEY_MAX_AGE).cloned().collect();
        let due = packets.first().map(|key| key.captured + delay);
        let Some(due) = due.filter(|due| *due + BEHIND_MAX >= reach.now) else {
            if let Some(publisher) = self.legs.get_mut(&id.leg) {
                publisher.request_keyframe(reach, id.encoding);
            }
            return;
        };
        if due > reach.now {
            return;
        }
        self.passing.viewers.insert(leg, State::Passing { from: id, last: due });
        self.canvas.leave_to_another(leg);
        for (at, packet) in packets.iter().enumerate() {
            if self.passing.passed_to(leg) == Some(id) {
                self.pass(reach, leg, id, packet, delay, at == 0);
            }
        }
    }

    /// Packets of a camera that have come, for one who is passed them.
    pub(super) fn pass_held(&mut self, reach: &mut Reach<'_>, leg: LegKey, id: SourceId, held: &[Taken]) {
        let delay = self.picture_delay(id);
        for taken in held {
            if self.passing.passed_to(leg) != Some(id) {
                return;
            }
            match taken {
                Taken::Packet { packet, .. } => self.pass(reach, leg, id, packet, delay, false),
                Taken::Padding(seq) => {
                    if let Some(viewer) = self.legs.get_mut(&leg) {
                        viewer.skip_video(*seq);
                    }
                }
            }
        }
    }

    fn pass(
        &mut self,
        reach: &mut Reach<'_>,
        leg: LegKey,
        id: SourceId,
        packet: &MediaPacket,
        delay: Duration,
        begins: bool,
    ) {
        let starts = packet.begins && packet.keyframe;
        let is_whole = self.sources.get(&id).is_some_and(|source| self.is_whole_canvas(source));
        let Some(viewer) = self.legs.get_mut(&leg) else { return };
        let packet = MediaPacket { captured: packet.captured + delay, ..packet.clone() };
        // Another size begins with a key frame, which is not for this viewer any more.
        let sent = (is_whole || !starts) && viewer.send_video(reach, &packet, begins);
        if !sent {
            return self.stop_passing(reach.now, leg, false);
        }
        self.flush_at = self.flush_at.into_iter().chain(viewer.flush_at(reach.now)).min();
        match self.passing.viewers.get_mut(&leg) {
            Some(State::Passing { last, .. } | State::Returning { last, .. }) => {
                *last = packet.captured.max(*last)
            }
            Some(State::Awaiting(_) | State::Ended { .. }) | None => {}
        }
    }

    /// Nothing more of the camera; its last picture stays until the canvas comes. `ready`: all that is seen there is decoded.
    fn stop_passing(&mut self, now: Instant, leg: LegKey, ready: bool) {
        self.unwatch_passed(leg);
        let last = match self.passing.viewers.get(&leg) {
            Some(State::Passing { last, .. } | State::Returning { last, .. }) => *last,
            Some(State::Awaiting(_) | State::Ended { .. }) | None => now,
        };
        self.passing.viewers.insert(leg, State::Ended { last, since: now, ready });
        self.tiles_stale = true;
    }

    /// The canvas was never left.
    fn end_passing(&mut self, leg: LegKey) {
        self.unwatch_passed(leg);
        self.passing.viewers.remove(&leg);
    }

    fn unwatch_passed(&mut self, leg: LegKey) {
        let from = self.passing.viewers.get(&leg).and_then(|state| state.from());
        if let Some(source) = from.and_then(|id| self.sources.get_mut(&id)) {
            source.unwatch(Watcher { leg, slot: PASSED });
        }
        self.tiles_stale = true;
    }

    /// Every camera that is to be seen has a picture that is due.
    fn shows_all(&mut self, now: Instant) -> bool {
        let seen: Vec<MemberKey> =
            self.arrangement.largest_first().filter_map(|layer| Some(MemberKey(layer.source?.0))).collect();
        seen.into_iter().all(|member| {
            let camera = self.camera_of(member);
            let shows = self
                .members
                .get(&member)
                .is_some_and(|member| member.showing(camera.is_some()) == Showing::Video);
            let picture = camera.and_then(|leg| self.legs.get_mut(&leg)).and_then(|leg| leg.picture(now));
            !shows || picture.is_some()
        })
    }

    fn picture_delay(&self, id: SourceId) -> Duration {
        self.legs.get(&id.leg).map_or(Duration::ZERO, |leg| leg.camera().playout_delay())
    }
}
