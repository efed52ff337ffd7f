//! The mix of one room, on its own clock of 20 ms.
//!
//! in:  members' packets, who listens and how loud, ticks
//! out: one packet per listener and tick, who talks, what is heard when; the whole mix for a recorder
//!
//! ```text
//!   member ─► frame ─┐                  ┌─► rendition ────────────────► all who are silent
//!   member ─► frame ─┼─► total ─────────┼─► rendition at another volume ► those who chose it
//!   tones ───────────┘        − own ────┴─► rendition of a member ──────► its legs, while it is heard
//!                                           rendition of silence ───────► the deaf
//! ```
//!
//! So the cost is one decode per member who sends and one encode per member who is heard, plus one per volume in use.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use super::crowd::{self, Voice};
use super::fader::Volume;
use super::floor::{Claim, Floor};
use super::limiter::{LOOK_AHEAD, Limiter};
use super::listening::{Listening, Wanted};
use super::member::{Cleaning, Member};
use super::mix::{Channels, Mix, Panner};
use super::opus::FRAME;
use super::playout::Arrival;
use super::sensitivity::Sensitivity;
use super::tone::{Tone, Tones};
use super::{AudioCounters, AudioLevels, AudioOutput, SoundKind};
use crate::units::{ClockRate, LegKey, MediaTime, MemberKey, RoomKey};

/// Ticks between two reports of what is heard: 100 ms.
const PLAYING_TICKS: u64 = 5;

/// The audio of one room.
pub(super) struct Room {
    key: RoomKey,
    seats: Seats,
    listening: Listening,
    tones: Tones,
    floor: Floor,
    cleaning: Cleaning,
    /// Of what is recorded.
    recorder: Option<Limiter>,
    ticks: u64,
}

/// Who is there.
#[derive(Default)]
struct Seats {
    members: BTreeMap<MemberKey, Seat>,
    /// Screens and devices, after whose they are.
    children: BTreeSet<(MemberKey, MemberKey)>,
    /// Some are left out.
    crowded: bool,
}

struct Seat {
    member: Member,
    /// From where it is heard in stereo.
    panner: Panner,
    /// As last told.
    talking: bool,
    /// Something of it was there to be heard in the last tick.
    playing: bool,
    /// Its listeners hear nothing.
    deaf: bool,
    /// How loud its listeners hear.
    output: Volume,
}

impl Seat {
    fn new(sound: SoundKind, muted: bool) -> Self {
        let (talking, playing, deaf) = (false, false, false);
        let (panner, output) = (Panner::default(), Volume::default());
        Self { member: Member::new(sound, muted), panner, talking, playing, deaf, output }
    }
}

impl Room {
    pub(super) fn new(key: RoomKey) -> Self {
        Self {
            key,
            seats: Seats::default(),
            listening: Listening::default(),
            tones: Tones::default(),
            floor: Floor::default(),
            cleaning: Cleaning::default(),
            recorder: None,
            ticks: 0,
        }
    }

    /// A second time for the same member is ignored, except that a member on its way out comes back afresh.
    pub(super) fn add_member(
        &mut self,
        member: MemberKey,
        parent: Option<MemberKey>,
        sound: SoundKind,
        muted: bool,
    ) {
        let known = self.seats.members.entry(member).or_insert_with(|| Seat::new(sound, muted));
        if known.member.is_leaving() {
            *known = Seat { talking: known.talking, panner: known.panner, ..Seat::new(sound, muted) };
        }
        known.member.set_cleaning(self.cleaning);
        if let Some(parent) = parent {
            self.seats.children.insert((parent, member));
        }
    }

    pub(super) fn remove_member(&mut self, member: MemberKey) {
        self.with(member, |seat| seat.member.leave());
    }

    pub(super) fn set_muted(&mut self, member: MemberKey, muted: bool) {
        self.with(member, |seat| seat.member.set_muted(muted));
    }

    pub(super) fn set_deaf(&mut self, member: MemberKey, deaf: bool) {
        self.with(member, |seat| seat.deaf = deaf);
    }

    pub(super) fn set_input_volume(&mut self, member: MemberKey, volume: Volume) {
        self.with(member, |seat| seat.member.set_volume(volume));
    }

    pub(super) fn set_output_volume(&mut self, member: MemberKey, volume: Volume) {
        self.with(member, |seat| seat.output = volume);
    }

    pub(super) fn set_input_sensitivity(&mut self, member: MemberKey, sensitivity: Sensitivity) {
        self.with(member, |seat| seat.member.set_sensitivity(sensitivity));
    }

    fn with(&mut self, member: MemberKey, act: impl FnOnce(&mut Seat)) {
        if let Some(seat) = self.seats.members.get_mut(&member) {
            act(seat);
        }
    }

    pub(super) fn set_cleaning(&mut self, cleaning: Cleaning) {
        self.cleaning = cleaning;
        self.seats.members.values_mut().for_each(|seat| seat.member.set_cleaning(cleaning));
    }

    pub(super) fn set_pan(&mut self, member: MemberKey, place: i16) {
        self.with(member, |seat| seat.panner.set(place));
    }

    pub(super) fn hold_back(&mut self, member: MemberKey, timestamp: i64, until: i64, now: i64) {
        self.with(member, |seat| seat.member.hold_back(timestamp, until, now));
    }

    pub(super) fn play_tone(&mut self, tone: Tone) {
        self.tones.play(tone, self.ticks);
    }

    pub(super) fn set_recorded(&mut self, recorded: bool) {
        self.recorder = recorded.then(|| self.recorder.take().unwrap_or_default());
    }

    pub(super) fn add_listener(&mut self, leg: LegKey, member: Option<MemberKey>, channels: Channels) {
        self.listening.add(leg, member, channels);
    }

    pub(super) fn remove_listener(&mut self, leg: LegKey) {
        self.listening.remove(leg);
    }

    pub(super) fn report_loss(&mut self, leg: LegKey, percent: u8) {
        self.listening.report_loss(leg, percent, self.ticks);
    }

    pub(super) fn accept(&mut self, member: MemberKey, packet: Arrival, counters: &mut AudioCounters) {
        match self.seats.members.get_mut(&member) {
            Some(seat) => seat.member.accept(packet, counters),
            None => counters.unknown += 1,
        }
    }

    /// Adds how it is with the members at `now`.
    pub(super) fn look(&self, now: i64, levels: &mut AudioLevels) {
        self.seats.members.values().for_each(|seat| seat.member.look(now, levels));
    }

    /// The clock jumped over this many ticks.
    pub(super) fn skip(&mut self, ticks: u64) {
        self.ticks += ticks;
    }

    /// Makes the 20 ms that begin `at`, which is `now` in ticks of 48 kHz.
    pub(super) fn tick(
        &mut self,
        at: Instant,
        now: i64,
        counters: &mut AudioCounters,
        out: &mut VecDeque<AudioOutput>,
    ) {
        self.seats.forget_who_has_left();
        for seat in self.seats.members.values_mut() {
            seat.panner.turn(seat.member.is_heard());
            seat.member.render(now, counters);
        }
        self.seats.thin_out();
        self.report(at, out);
        self.send(at, counters, out);
        self.ticks += 1;
    }

    fn report(&mut self, at: Instant, out: &mut VecDeque<AudioOutput>) {
        let claims = self.seats.members.iter().filter_map(|(&member, seat)| {
            let level = seat.member.claim()?;
            Some(Claim { member, level, talks: seat.member.is_talking() })
        });
        if let Some(member) = self.floor.pass(claims) {
            out.push_back(AudioOutput::Floor { room: self.key, member });
        }
        for (&member, seat) in &mut self.seats.members {
            let talking = seat.member.is_talking();
            if talking != seat.talking {
                seat.talking = talking;
                out.push_back(AudioOutput::Talking { room: self.key, member, talking });
            }
            let heard = seat.member.heard();
            let begins = !std::mem::replace(&mut seat.playing, heard.is_some());
            if (begins || self.ticks.is_multiple_of(PLAYING_TICKS))
                && let Some(ticks) = heard.and_then(|heard| u64::try_from(heard - LOOK_AHEAD as i64).ok())
            {
                let timestamp = MediaTime { ticks, rate: ClockRate::OPUS };
                out.push_back(AudioOutput::Playing { room: self.key, member, timestamp, at });
            }
        }
    }

    fn send(&mut self, at: Instant, counters: &mut AudioCounters, out: &mut VecDeque<AudioOutput>) {
        if self.listening.is_empty() && self.recorder.is_none() {
            return self.tones.stop();
        }
        let seats = &self.seats;
        self.listening.follow(self.ticks, |member| seats.wanted(member));
        let mut tone = [0.0; FRAME];
        self.tones.add_to(&mut tone);
        let total = |channels| {
            let mut total = seats.mix(channels);
            total.add(&tone, &Panner::default());
            total
        };
        let mono = total(Channels::Mono);
        let stereo = if self.listening.has_stereo() { Some(total(Channels::Stereo)) } else { None };
        let (room, ticks) = (self.key, self.ticks * FRAME as u64);
        if let Some(limiter) = &mut self.recorder {
            let mut whole = mono.clone();
            limiter.apply(whole.frames_mut());
            let samples = whole.frames().iter().flatten().map(pcm).collect();
            out.push_back(AudioOutput::Recorded { room, samples, at });
        }
        let timestamp = MediaTime { ticks, rate: ClockRate::OPUS };
        let mix = |channels, without: Option<MemberKey>| {
            let total = stereo.as_ref().filter(|_| channels == Channels::Stereo).unwrap_or(&mono);
            without.map_or_else(|| total.clone(), |member| seats.without_family(total, member))
        };
        self.listening.encode(counters, mix, |listeners, payload| {
            out.push_back(AudioOutput::Packet { room, listeners, timestamp, payload, at });
        });
    }
}

impl Seats {
    /// Leaves out of the next frame whoever cannot be told apart in a crowd.
    fn thin_out(&mut self) {
        let voice = |(&member, seat): (&MemberKey, &Seat)| {
            let in_place = seat.member.is_heard();
            seat.member.voice().map(|level| Voice { member, level, in_place })
        };
        let is_crowd =
            self.members.values().filter(|seat| seat.member.voice().is_some()).count() > crowd::MOST;
        if !is_crowd && !std::mem::take(&mut self.crowded) {
            return;
        }
        self.crowded = is_crowd;
        let out = crowd::left_out(self.members.iter().filter_map(voice).collect());
        for (member, seat) in &mut self.members {
            seat.member.leave_out(out.contains(member));
        }
    }

    fn forget_who_has_left(&mut self) {
        let before = self.members.len();
        self.members.retain(|_, seat| !seat.member.has_left());
        if self.members.len() != before {
            self.children.retain(|(_, child)| self.members.contains_key(child));
        }
    }

    /// What the listeners of a member are to hear.
    fn wanted(&self, member: Option<MemberKey>) -> Wanted {
        let seat = member.and_then(|member| self.members.get(&member));
        let volume =
            seat.map_or(Volume::default(), |seat| if seat.deaf { Volume::SILENT } else { seat.output });
        let own = |member: &MemberKey| self.family(*member).any(|seat| seat.member.needs_own_mix());
        Wanted { without: member.filter(own), volume }
    }

    /// A member and its children; in the order of the mix, because parents come first.
    fn family(&self, parent: MemberKey) -> impl Iterator<Item = &Seat> {
        let children = self.children.range((parent, MemberKey(0))..=(parent, MemberKey(u32::MAX)));
        let all = std::iter::once(parent).chain(children.map(|(_, child)| *child));
        all.filter_map(|member| self.members.get(&member))
    }

    /// The sum of all who are heard.
    fn mix(&self, channels: Channels) -> Mix {
        let mut total = Mix::silent(channels);
        for seat in self.members.values().filter(|seat| seat.member.is_heard()) {
            total.add(seat.member.frame(), &seat.panner);
        }
        total
    }

    /// What is left is exactly silent when nobody else is heard, because then the sum is made of the same frames in the
    /// same order.
    fn without_family(&self, total: &Mix, member: MemberKey) -> Mix {
        let mut own = Mix::silent(total.channels());
        for seat in self.family(member).filter(|seat| seat.member.is_heard()) {
            own.add(seat.member.frame(), &seat.panner);
        }
        total.without(&own)
    }
}

/// Full scale is ±1.
#[allow(clippy::cast_possible_truncation, reason = "held within the range")]
fn pcm(sample: &f32) -> i16 {
    (sample.clamp(-1.0, 1.0) * f32::from(i16::MAX)).round() as i16
}
