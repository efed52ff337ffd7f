//! Whose sound goes to whom in a stream of its own.
//!
//! in:  packets of microphones with their levels; who is muted, deaf or gone
//! out: the same packets in slots for sound
//!
//! As in the mix, nobody hears itself, nor what its own screen or second microphone sends; who is deaf hears nobody, and
//! who is muted or audience is heard by nobody. Volumes are a matter of the mix alone: these packets pass as they are.

use std::time::Instant;

use rustc_hash::FxHashMap;

use super::Room;
use super::leg::Heard;
use super::tiles::Hears;
use crate::forward::{Candidate, Watcher};
use crate::shard::Reach;
use crate::units::{LegKey, MemberKey};

/// The slots that have the sound of each member.
#[derive(Default)]
pub(super) struct Hearers {
    slots: FxHashMap<MemberKey, Vec<Watcher>>,
}

impl Hearers {
    /// Who is heard in a slot from now on. True when it was somebody else.
    fn set(&mut self, slot: Watcher, member: Option<MemberKey>) -> bool {
        let is_there = |of: &MemberKey| self.slots.get(of).is_some_and(|slots| slots.contains(&slot));
        if member.as_ref().is_some_and(is_there) {
            return false;
        }
        let mut was_taken = false;
        self.slots.retain(|_, slots| {
            let before = slots.len();
            slots.retain(|other| *other != slot);
            was_taken |= slots.len() < before;
            !slots.is_empty()
        });
        if let Some(member) = member {
            self.slots.entry(member).or_default().push(slot);
        }
        was_taken || member.is_some()
    }

    /// A leg has gone.
    pub(super) fn forget(&mut self, leg: LegKey) {
        self.slots.retain(|_, slots| {
            slots.retain(|slot| slot.leg != leg);
            !slots.is_empty()
        });
    }
}

impl Room {
    /// Sound of a leg: for all slots that have its member.
    pub(super) fn pass_on(&mut self, reach: &mut Reach<'_>, from: LegKey, heard: &Heard) {
        let Some(speaker) = self.legs.get(&from).map(|leg| leg.member()) else { return };
        let Some(member) = self.members.get_mut(&speaker).filter(|member| member.voice == Some(from)) else {
            return;
        };
        if let Some(level) = heard.level {
            member.heard(reach.now, level);
        }
        let Some(slots) = self.tiles.hearers.slots.get(&speaker) else { return };
        for &Watcher { leg, slot } in slots {
            let Some(leg) = self.legs.get_mut(&leg) else { continue };
            for packet in heard.repaired.iter().chain(&heard.own) {
                leg.send_voice(reach, slot, from, packet);
            }
        }
    }

    /// Chooses whom a leg hears.
    pub(super) fn settle_voices(&mut self, now: Instant, leg: LegKey, hears: &mut Hears) {
        let Some(listener) = self.legs.get(&leg) else { return };
        let (own, slots) = (listener.member(), listener.voice_count());
        let chosen: Vec<Option<MemberKey>> = match hears {
            Hears::Mix => return,
            Hears::Member(member) => {
                let is_heard = self.is_heard(own, *member);
                vec![Some(*member).filter(|_| is_heard)]
            }
            Hears::Speakers(speakers) => {
                let heard = self.members.iter().filter(|(key, _)| self.is_heard(own, **key));
                let candidates: Vec<Candidate> =
                    heard.map(|(key, member)| Candidate { member: *key, dbov: member.dbov(now) }).collect();
                speakers.resize(slots);
                speakers.update(now, &candidates);
                speakers.members().collect()
            }
        };
        for (slot, member) in (0..slots).zip(chosen) {
            if self.tiles.hearers.set(Watcher { leg, slot }, member)
                && let Some(leg) = self.legs.get_mut(&leg)
            {
                leg.release_voice(slot);
            }
        }
    }

    /// One member may be heard by another.
    fn is_heard(&self, listener: MemberKey, speaker: MemberKey) -> bool {
        let is_deaf = self.members.get(&listener).is_some_and(|member| member.deaf);
        let Some(member) = self.members.get(&speaker) else { return false };
        let is_own = speaker == listener || member.config.parent == Some(listener);
        !is_deaf && !is_own && !member.is_silenced() && member.voice.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_has_one_member_at_a_time() {
        let mut it = Hearers::default();
        let (one, two) = (Watcher { leg: LegKey(1), slot: 0 }, Watcher { leg: LegKey(2), slot: 0 });
        assert!(it.set(one, Some(MemberKey(7))) && !it.set(one, Some(MemberKey(7))));
        assert!(it.set(two, Some(MemberKey(7))));
        assert_eq!(it.slots[&MemberKey(7)], [one, two]);
        assert!(it.set(one, Some(MemberKey(8))));
        assert_eq!((&it.slots[&MemberKey(7)][..], &it.slots[&MemberKey(8)][..]), (&[two][..], &[one][..]));
        assert!(it.set(one, None) && !it.set(one, None));
        it.forget(LegKey(2));
        assert!(it.slots.is_empty());
    }
}
