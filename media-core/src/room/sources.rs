//! The encodings that publishers of a room send, and those who watch each.
//!
//! in:  packets of cameras; which slot is to show which encoding
//! out: the packets to the slots; key frame requests to the publishers
//!
//! ```text
//!   leg of a publisher ── Arrival ──► Source ──► MediaPacket ─┬─► slot 0 of leg 5
//!                                       │                     └─► slot 2 of leg 9
//!                                  PacketCache ◄── NACKs of all of them
//! ```

use rustc_hash::FxHashMap;

use super::Room;
use super::pass_through::PASSED;
use crate::bandwidth::TICK;
use crate::forward::{Arrival, Gate, Offered, Source, SourceId, Taken, Watcher};
use crate::shard::Reach;
use crate::units::LegKey;

/// By publisher's leg and encoding.
pub(crate) type Sources = FxHashMap<SourceId, Source>;

/// Packets of one encoding that have come and are still to be handed to those who watch it: a picture's burst is taken as a
/// whole, for a viewer at a time, so that what a viewer is made of is fetched once for all of them.
#[derive(Default)]
pub(super) struct Held {
    of: Option<SourceId>,
    packets: Vec<Taken>,
}

/// No more than the outbox recognises as the same payloads.
const HELD: usize = 8;

impl Room {
    /// A packet of an encoding: for all slots that watch it, before anything else happens in the room.
    pub(super) fn forward(&mut self, reach: &mut Reach<'_>, id: SourceId, arrival: &Arrival<'_>) {
        let source = self.sources.entry(id).or_default();
        let Some(taken) = source.take(reach.now, arrival) else { return };
        if self.held.of != Some(id) || self.held.packets.len() >= HELD {
            self.release(reach);
        }
        self.held.of = Some(id);
        self.held.packets.push(taken);
    }

    /// Something waits for [`Self::release`].
    pub(crate) fn holds(&self) -> bool {
        self.held.of.is_some()
    }

    /// Hands over what has come.
    pub(crate) fn release(&mut self, reach: &mut Reach<'_>) {
        let Some(id) = self.held.of.take() else { return };
        let (mut began, mut held_back) = (false, false);
        let watchers = self.sources.get(&id).map(Source::watchers).unwrap_or_default();
        let mut is_passed = false;
        for &Watcher { leg, slot } in watchers {
            if slot == PASSED {
                is_passed = true;
                continue;
            }
            let Some(leg) = self.legs.get_mut(&leg) else { continue };
            for taken in &self.held.packets {
                match taken {
                    Taken::Packet { codec, packet, layering } => {
                        let offered = Offered { from: id, codec: *codec, packet, layering };
                        match leg.send_slot(reach, slot, &offered) {
                            Gate::Began => began = true,
                            Gate::Sent | Gate::Filled | Gate::Dropped => {}
                        }
                        held_back |= leg.holds_back();
                    }
                    Taken::Padding(seq) => leg.skip_slot(slot, id, *seq),
                }
            }
        }
        if is_passed {
            self.release_passed(reach, id);
        }
        self.held.packets.clear();
        // What was shown before is watched in vain now, and the clients are to be told.
        self.tiles_stale |= began;
        if held_back {
            let soon = reach.now + TICK;
            self.flush_at = Some(self.flush_at.map_or(soon, |at| at.min(soon)));
        }
    }

    /// Those who are passed it in place of the canvas; from the last one on, because one may end with it.
    fn release_passed(&mut self, reach: &mut Reach<'_>, id: SourceId) {
        let held = std::mem::take(&mut self.held.packets);
        let count = self.sources.get(&id).map_or(0, |source| source.watchers().len());
        for at in (0..count).rev() {
            let watcher = self.sources.get(&id).and_then(|source| source.watchers().get(at)).copied();
            if let Some(Watcher { leg, slot: PASSED }) = watcher {
                self.pass_held(reach, leg, id, &held);
            }
        }
        self.held.packets = held;
    }

    /// Shows an encoding in a slot, or nothing.
    pub(super) fn show(&mut self, reach: &mut Reach<'_>, watcher: Watcher, wanted: Option<SourceId>) {
        let Some(leg) = self.legs.get_mut(&watcher.leg) else { return };
        let Some(slot) = leg.slot(watcher.slot) else { return };
        if slot.chosen() == wanted {
            // The key frame it awaits may be lost, or have come before the viewer had keys: it is asked for again, as often
            // as the publisher is asked at all.
            if let Some(awaited) = slot.target()
                && let Some(publisher) = self.legs.get_mut(&awaited.leg)
            {
                publisher.request_keyframe(reach, awaited.encoding);
            }
            return;
        }
        let before = [slot.current(), slot.target()];
        leg.select(watcher.slot, wanted);
        if let Some(wanted) = wanted {
            self.begin_to_watch(reach, watcher, wanted);
        }
        let after = self.legs.get(&watcher.leg).and_then(|leg| leg.slot(watcher.slot));
        let after = after.map_or([None, None], |slot| [slot.current(), slot.target()]);
        for id in before.into_iter().flatten().filter(|id| !after.contains(&Some(*id))) {
            self.unwatch(id, watcher);
        }
    }

    /// A young key frame is shown at once; else the publisher is asked for one.
    fn begin_to_watch(&mut self, reach: &mut Reach<'_>, watcher: Watcher, id: SourceId) {
        let source = self.sources.entry(id).or_default();
        let is_new = !source.watchers().contains(&watcher);
        source.watch(watcher);
        let Some(leg) = self.legs.get_mut(&watcher.leg) else { return };
        if is_new && let Some(codec) = source.codec() {
            for packet in source.fresh(reach.now) {
                let layering = &packet.layering(codec);
                leg.send_slot(reach, watcher.slot, &Offered { from: id, codec, packet, layering });
            }
        }
        let awaits = leg.slot(watcher.slot).is_some_and(|slot| slot.target() == Some(id));
        if let Some(publisher) = self.legs.get_mut(&id.leg) {
            publisher.set_wanted(id.encoding, true);
            if awaits {
                publisher.request_keyframe(reach, id.encoding);
            }
        }
    }

    /// Ends what slots watch although they show something else by now.
    pub(super) fn unwatch_replaced(&mut self) {
        let (legs, passing) = (&self.legs, &self.passing);
        for (&id, source) in &mut self.sources {
            let vain = |watcher: &Watcher| {
                if watcher.slot == PASSED {
                    return !passing.uses(watcher.leg, id);
                }
                let slot = legs.get(&watcher.leg).and_then(|leg| leg.slot(watcher.slot));
                slot.is_none_or(|slot| slot.current() != Some(id) && slot.target() != Some(id))
            };
            while let Some(watcher) = source.watchers().iter().copied().find(vain) {
                source.unwatch(watcher);
            }
        }
    }

    fn unwatch(&mut self, id: SourceId, watcher: Watcher) {
        if let Some(source) = self.sources.get_mut(&id) {
            source.unwatch(watcher);
        }
    }

    /// A leg has gone: it publishes and watches nothing any more.
    pub(super) fn forget_sources(&mut self, leg: LegKey) {
        self.sources.retain(|id, _| id.leg != leg);
        for source in self.sources.values_mut() {
            while let Some(watcher) = source.watchers().iter().copied().find(|watcher| watcher.leg == leg) {
                source.unwatch(watcher);
            }
        }
        self.tiles_stale = true;
    }
}
