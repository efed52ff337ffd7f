//! Whose voices fill the audio slots of a leg.
//!
//! in:  how loud members are (RFC 6464), or that they speak; who may be heard at all; the time
//! out: a member for each slot
//!
//! ```text
//!   free slot ───── loudest of those without a slot, at once, silent or not
//!   taken slot ──── held for MIN_HOLD, then given up to a speaker who for PERSIST
//!                   has been louder by MARGIN than the quietest holder
//! ```
//!
//! Silent members keep their slots: while there are as many slots as members, nobody's first word waits for anything.

use std::time::{Duration, Instant};

use crate::rtp::AudioLevel;
use crate::units::MemberKey;

/// A newcomer is louder than a holder by so much: half again as loud to the ear.
const MARGIN_DB: f32 = 6.0;
/// And for so long. A cough or a door is shorter; a first syllable is not much longer.
const PERSIST: Duration = Duration::from_millis(100);
/// Two who speak at once do not take each other's slot turn by turn.
const MIN_HOLD: Duration = Duration::from_secs(2);
/// −dBov below which nobody displaces anybody: the noise of a quiet room.
const FLOOR_DBOV: f32 = -55.0;
/// Silence, RFC 6464 §3.
const SILENCE_DBOV: f32 = -127.0;
/// What counts for a member of whom is only known that it speaks: ordinary speech.
const SPEECH_DBOV: f32 = -30.0;
/// Levels rise with this time constant, so that a click of one packet does not count as speech …
const RISE: Duration = Duration::from_millis(60);
/// … and fall with this one: between words there are gaps of 300 ms.
const FALL: Duration = Duration::from_millis(600);

/// How loud a member is, smoothed.
#[derive(Clone, Copy, Debug)]
pub struct Loudness {
    dbov: f32,
    at: Instant,
    /// Known to speak, by other means than levels.
    speaks: bool,
}

/// A member that may be heard, and how loud it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Who.
    pub member: MemberKey,
    /// As [`Loudness::dbov`] tells.
    pub dbov: f32,
}

/// The audio slots of one leg.
#[derive(Clone, Debug)]
pub struct SpeakerSlots {
    slots: Vec<Option<Holder>>,
    /// Who has been louder than the quietest holder, and since when; only members without a slot.
    contenders: Vec<(MemberKey, Instant)>,
}

#[derive(Clone, Copy, Debug)]
struct Holder {
    member: MemberKey,
    since: Instant,
}

impl Loudness {
    /// Of somebody who has not been heard yet.
    #[must_use]
    pub const fn new(now: Instant) -> Self {
        Self { dbov: SILENCE_DBOV, at: now, speaks: false }
    }

    /// A packet with a level has come.
    pub fn hear(&mut self, now: Instant, level: AudioLevel) {
        self.approach(now, -f32::from(level.minus_dbov));
    }

    /// Speech has begun or ended, told by the mix: for members whose packets have no levels.
    pub fn set_speaking(&mut self, now: Instant, speaks: bool) {
        self.approach(now, self.rest());
        self.speaks = speaks;
    }

    /// In dB below the loudest. Who sends nothing any more becomes silent.
    #[must_use]
    pub fn dbov(&self, now: Instant) -> f32 {
        let mut later = *self;
        later.approach(now, self.rest());
        later.dbov
    }

    /// Where the level goes when no packet says otherwise.
    const fn rest(&self) -> f32 {
        if self.speaks { SPEECH_DBOV } else { SILENCE_DBOV }
    }

    fn approach(&mut self, now: Instant, target: f32) {
        let passed = now.saturating_duration_since(self.at).as_secs_f32();
        let constant = if target > self.dbov { RISE } else { FALL }.as_secs_f32();
        self.dbov += (target - self.dbov) * (1.0 - (-passed / constant).exp());
        self.at = self.at.max(now);
    }
}

impl Holder {
    /// It has had its slot long enough to be asked for it.
    fn is_settled(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= MIN_HOLD
    }
}

impl SpeakerSlots {
    /// So many, all free.
    #[must_use]
    pub fn new(slots: u8) -> Self {
        Self { slots: vec![None; usize::from(slots)], contenders: Vec::new() }
    }

    /// There are so many now; those who are in the first ones stay.
    pub fn resize(&mut self, slots: u8) {
        self.slots.resize(usize::from(slots), None);
    }

    /// Chooses anew among `candidates`: all who may be heard here, in any order. True when a slot has changed.
    pub fn update(&mut self, now: Instant, candidates: &[Candidate]) -> bool {
        let mut changed = self.release(candidates);
        let mut waiting: Vec<Candidate> =
            candidates.iter().filter(|candidate| self.slot_of(candidate.member).is_none()).copied().collect();
        // The loudest first; among equals, the one who was here first.
        waiting.sort_by(|a, b| b.dbov.total_cmp(&a.dbov).then(a.member.cmp(&b.member)));
        let mut waiting = waiting.into_iter().peekable();
        for slot in self.slots.iter_mut().filter(|slot| slot.is_none()) {
            let Some(next) = waiting.next() else { break };
            *slot = Some(Holder { member: next.member, since: now });
            changed = true;
        }
        let quietest = self.quietest(now, candidates);
        let is_louder = |c: &Candidate| {
            quietest.is_some_and(|(_, dbov)| c.dbov >= dbov + MARGIN_DB && c.dbov >= FLOOR_DBOV)
        };
        let louder: Vec<MemberKey> = waiting.take_while(is_louder).map(|c| c.member).collect();
        self.contenders.retain(|(member, _)| louder.contains(member));
        for member in louder {
            if !self.contenders.iter().any(|(known, _)| *known == member) {
                self.contenders.push((member, now));
            }
        }
        self.replace(now, candidates) || changed
    }

    /// Who is in each slot.
    pub fn members(&self) -> impl Iterator<Item = Option<MemberKey>> {
        self.slots.iter().map(|slot| slot.map(|holder| holder.member))
    }

    /// In which slot a member is.
    #[must_use]
    pub fn slot_of(&self, member: MemberKey) -> Option<u8> {
        let at = self.members().position(|holder| holder == Some(member))?;
        u8::try_from(at).ok()
    }

    /// Frees the slots of those who may not be heard any more.
    fn release(&mut self, candidates: &[Candidate]) -> bool {
        let mut changed = false;
        for slot in &mut self.slots {
            let gone = slot.is_some_and(|holder| candidates.iter().all(|c| c.member != holder.member));
            if gone {
                *slot = None;
                changed = true;
            }
        }
        changed
    }

    /// The slot of the quietest holder, and how loud that one is; of those who have held one long enough, if there are any.
    fn quietest(&self, now: Instant, candidates: &[Candidate]) -> Option<(usize, f32)> {
        let loudness = |member| candidates.iter().find(|c| c.member == member).map(|c| c.dbov);
        let held = self.slots.iter().enumerate().filter_map(|(at, slot)| {
            let holder = (*slot)?;
            Some((at, holder.is_settled(now), loudness(holder.member)?))
        });
        let order = |settled: bool, dbov: f32| if settled { dbov } else { dbov - SILENCE_DBOV };
        let quietest = held.min_by(|a, b| order(a.1, a.2).total_cmp(&order(b.1, b.2)));
        quietest.map(|(at, _, dbov)| (at, dbov))
    }

    /// Lets one contender have the quietest holder's slot, when both have waited long enough.
    fn replace(&mut self, now: Instant, candidates: &[Candidate]) -> bool {
        let Some((at, _)) = self.quietest(now, candidates) else { return false };
        let ready = |(_, since): &&(MemberKey, Instant)| now.saturating_duration_since(*since) >= PERSIST;
        let is_given_up = |slot: &&mut Option<Holder>| slot.is_none_or(|holder| holder.is_settled(now));
        let Some(slot) = self.slots.get_mut(at).filter(is_given_up) else { return false };
        let loudness =
            |member| candidates.iter().find(|c| c.member == member).map_or(SILENCE_DBOV, |c| c.dbov);
        let loudest = self
            .contenders
            .iter()
            .filter(ready)
            .max_by(|(a, _), (b, _)| loudness(*a).total_cmp(&loudness(*b)))
            .map(|(member, _)| *member);
        let Some(member) = loudest else { return false };
        *slot = Some(Holder { member, since: now });
        self.contenders.retain(|(contender, _)| *contender != member);
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TICK: Duration = Duration::from_millis(20);

    /// Members with levels, and the slots of one listener.
    struct Room {
        now: Instant,
        voices: Vec<(MemberKey, Loudness)>,
        slots: SpeakerSlots,
        changes: usize,
    }

    impl Room {
        fn new(members: u32, slots: u8) -> Self {
            let now = Instant::now();
            let voices = (0..members).map(|n| (MemberKey(n), Loudness::new(now))).collect();
            Self { now, voices, slots: SpeakerSlots::new(slots), changes: 0 }
        }

        /// Everybody sends a packet every 20 ms; `level` says how loud in −dBov.
        fn run(&mut self, time: Duration, level: impl Fn(u32) -> u8) {
            let until = self.now + time;
            while self.now < until {
                self.now += TICK;
                for (member, voice) in &mut self.voices {
                    voice.hear(self.now, AudioLevel { voice: true, minus_dbov: level(member.0) });
                }
                self.choose();
            }
        }

        fn choose(&mut self) {
            let now = self.now;
            let candidates: Vec<Candidate> = self
                .voices
                .iter()
                .map(|(member, voice)| Candidate { member: *member, dbov: voice.dbov(now) })
                .collect();
            self.changes += usize::from(self.slots.update(now, &candidates));
        }

        fn heard(&self) -> Vec<u32> {
            self.slots.members().flatten().map(|member| member.0).collect()
        }
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// One who speaks among silent ones.
    fn only(speaker: u32) -> impl Fn(u32) -> u8 {
        move |member| if member == speaker { 25 } else { 90 }
    }

    #[test]
    fn with_enough_slots_all_are_heard_from_the_first_word() {
        let mut room = Room::new(3, 3);
        room.run(ms(20), |_| 127);
        assert_eq!(room.heard(), [0, 1, 2]);
        for speaker in [2, 0, 1] {
            room.run(ms(5000), only(speaker));
        }
        assert_eq!((room.heard(), room.changes), (vec![0, 1, 2], 1));
    }

    #[test]
    fn one_who_begins_to_speak_is_heard_soon() {
        let mut room = Room::new(10, 3);
        room.run(ms(3000), |_| 90);
        let before = room.now;
        while !room.heard().contains(&9) {
            room.run(TICK, only(9));
            assert!(room.now - before < ms(300), "{:?}", room.heard());
        }
        assert!(room.now - before >= PERSIST);
        assert_eq!(room.heard().len(), 3);
    }

    #[test]
    fn a_click_is_not_speech() {
        let mut room = Room::new(10, 3);
        room.run(ms(3000), |_| 90);
        for _ in 0..20 {
            room.run(ms(40), only(9));
            room.run(ms(1960), |_| 90);
        }
        assert_eq!(room.heard(), [0, 1, 2]);
    }

    #[test]
    fn the_noise_of_a_quiet_room_takes_nobodys_slot() {
        let mut room = Room::new(4, 3);
        room.run(ms(3000), |_| 127);
        room.run(ms(5000), |member| if member == 3 { 60 } else { 127 });
        assert_eq!(room.heard(), [0, 1, 2]);
    }

    #[test]
    fn one_a_little_louder_waits() {
        let mut room = Room::new(3, 2);
        room.run(ms(3000), |member| [30, 30, 127][member as usize]);
        room.run(ms(10_000), |member| [30, 30, 26][member as usize]);
        assert_eq!(room.heard(), [0, 1], "4 dB are not enough");
        room.run(ms(1000), |member| [30, 34, 26][member as usize]);
        assert_eq!(room.heard(), [0, 2], "the quieter one gives way");
    }

    #[test]
    fn a_holder_stays_two_seconds() {
        let mut room = Room::new(3, 1);
        room.run(ms(2500), only(0));
        room.run(ms(400), only(1));
        assert_eq!(room.heard(), [1]);
        let taken = room.now;
        room.changes = 0;
        while room.heard() == [1] {
            room.run(TICK, only(2));
        }
        assert_eq!(room.heard(), [2]);
        let held = room.now - taken + ms(400);
        assert!(held >= MIN_HOLD && held < MIN_HOLD + ms(400), "{held:?}");
    }

    #[test]
    fn a_dialogue_of_more_than_there_are_slots_does_not_flap() {
        let mut room = Room::new(6, 2);
        let (start, mut taken) = (room.now, [room.now; 2]);
        let mut before: Vec<_> = room.slots.members().collect();
        // Three talk in turns of half a second.
        while room.now - start < ms(30_000) {
            let turn = (room.now - start).as_millis() / 500 % 3;
            room.run(TICK, only(u32::try_from(turn).unwrap()));
            let after: Vec<_> = room.slots.members().collect();
            for slot in (0..2).filter(|slot| before[*slot] != after[*slot]) {
                let held = room.now - taken[slot];
                assert!(before[slot].is_none() || held >= MIN_HOLD, "slot {slot} was held for {held:?}");
                taken[slot] = room.now;
            }
            before = after;
        }
        assert!(room.changes > 3, "all of them are heard in the end");
    }

    #[test]
    fn who_may_not_be_heard_gives_up_the_slot_at_once() {
        let mut room = Room::new(4, 2);
        room.run(ms(3000), only(1));
        assert_eq!(room.heard(), [1, 0], "the loudest first");
        room.voices.retain(|(member, _)| member.0 != 1);
        room.choose();
        assert_eq!(room.heard(), [2, 0], "the next one has it without waiting");
        room.voices.clear();
        room.choose();
        assert_eq!(room.heard(), [0_u32; 0]);
        assert_eq!(room.slots.members().collect::<Vec<_>>(), [None, None]);
    }

    #[test]
    fn speech_told_by_the_mix_counts_like_levels() {
        let mut room = Room::new(0, 1);
        room.voices = (0..2).map(|n| (MemberKey(n), Loudness::new(room.now))).collect();
        room.choose();
        room.now += ms(3000);
        room.voices[1].1.set_speaking(room.now, true);
        for _ in 0..15 {
            room.now += TICK;
            room.choose();
        }
        assert_eq!(room.heard(), [1]);
        room.voices[1].1.set_speaking(room.now, false);
        assert!(room.voices[1].1.dbov(room.now + ms(5000)) < FLOOR_DBOV);
    }

    #[test]
    fn who_stops_sending_becomes_silent() {
        let now = Instant::now();
        let mut voice = Loudness::new(now);
        (1..50).for_each(|n| voice.hear(now + TICK * n, AudioLevel { voice: true, minus_dbov: 20 }));
        let then = now + TICK * 50;
        assert!((-25.0..-19.0).contains(&voice.dbov(then)), "{}", voice.dbov(then));
        assert!(voice.dbov(then + ms(200)) > FLOOR_DBOV, "a gap between words");
        assert!(voice.dbov(then + ms(3000)) < -120.0);
    }

    proptest! {
        #[test]
        fn slots_hold_different_members_who_may_be_heard(
            count in 1..9_u8,
            steps in prop::collection::vec((0..2000_u64, prop::collection::btree_map(0..12_u32, -127.0..0.0_f32, 0..12)), 1..60),
        ) {
            let mut now = Instant::now();
            let mut slots = SpeakerSlots::new(count);
            for (pause, levels) in steps {
                now += ms(pause);
                let before: Vec<_> = slots.members().collect();
                let candidates: Vec<Candidate> =
                    levels.iter().map(|(n, dbov)| Candidate { member: MemberKey(*n), dbov: *dbov }).collect();
                let changed = slots.update(now, &candidates);
                let after: Vec<_> = slots.members().collect();
                prop_assert_eq!(changed, before != after);
                let mut heard: Vec<MemberKey> = after.iter().copied().flatten().collect();
                prop_assert_eq!(heard.len(), candidates.len().min(usize::from(count)), "no slot is left free");
                heard.sort_unstable();
                heard.dedup();
                prop_assert_eq!(heard.len(), after.iter().flatten().count());
                prop_assert!(heard.iter().all(|member| levels.contains_key(&member.0)));
                prop_assert!(slots.contenders.len() <= candidates.len());
            }
        }
    }
}
