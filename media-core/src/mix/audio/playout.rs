//! One source made continuous: its packets go in as the network brings them, 20 ms come out at every tick.
//!
//! in:  Opus packets in any order, the time
//! out: frames in the room's clock, and which of the source's timestamps is heard
//!
//! ```text
//!   packets ──► waiting, by timestamp ──► decode ──► pcm ──► stretch ──► frame
//!               (Delay says what is due)  conceal ──►│◄─ end: timestamp of what comes after pcm
//! ```
//!
//! * A packet missing between others is rebuilt from the redundancy of the next one, else concealed.
//! * When nothing is there at all, what comes next may only be late: concealment then does not move `end`, the packet
//!   is played whole when it comes, and the delay grown that way is taken back by shortening.
//! * A source that says it is silent is not decoded while nobody hears it (see [`super::doze`]).
//! * A source that pauses (DTX, RFC 7587 §3.1.3) leaves a gap of timestamps; the delay is corrected there for free.
//! * The clocks of source and room differ; single periods of the waveform are taken out or put in, pitch is kept.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::delay::{Continuity, Delay, MS};
use super::doze::{self, Awake, Doze, Trust, Undecoded};
use super::opus::{self, Decoder, FRAME, Frame, LONGEST, SHORTEST};
use super::stretch::{self, Seam};
use super::{AudioCounters, AudioLevels};

/// Packets kept per source; when full, the oldest goes. 2 s of 20 ms packets, more than is ever waited for.
const MAX_PACKETS: usize = 100;

/// No UDP datagram on the internet carries more.
const MAX_PAYLOAD: usize = 1500;

/// Later than due by this: shorten. Wider than one period, so that one step cannot cross to the other bound.
const LATE: i64 = 15 * MS;

/// Earlier than due by this: lengthen, before the margin is used up.
const EARLY: i64 = -8 * MS;

/// Behind by this: shorten at every tick and at any seam.
const FAR_BEHIND: i64 = 80 * MS;

/// Ticks between two steps when there is time: at most a sixth faster or slower.
const STEP_TICKS: u32 = 3;

/// Behind by more than this is not caught up by listening faster; the oldest packets go.
const HOPELESS: i64 = 1_000 * MS;

/// Made up at most for a gap (200 ms); after that there is silence, since nothing said can be guessed.
const MAX_MADE_UP: usize = 10 * FRAME;

/// Nothing came for so long (1 s): the next packet begins a new stretch of sound.
const STARVED: usize = 50 * FRAME;

/// A gap longer than this is a pause or a burst of loss; where sound resumes in it is free to choose.
const SHORT_GAP: usize = 2 * FRAME;

/// Concealment is made in pieces of 10 ms: SILK conceals no less, and what is cut off one piece is missing in the next.
const PIECE: usize = FRAME / 2;

/// Sound that begins out of nothing is faded in over this.
const FADE: usize = SHORTEST;

/// One source.
#[derive(Default)]
pub(super) struct Playout {
    waiting: BTreeMap<i64, Undecoded>,
    delay: Delay,
    trust: Trust,
    state: State,
}

/// What became of 20 ms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rendered {
    /// Silence: nothing comes.
    Nothing,
    /// A frame that begins with this timestamp.
    Frame(i64),
    /// A frame made up while nothing comes: what it stands for is not known before something does.
    MadeUp,
    /// No frame: the source says that it was no louder than this level, and would be heard from this timestamp on.
    Asleep(i64, f32),
}

#[derive(Default)]
enum State {
    /// Silent until a packet is due.
    #[default]
    Idle,
    /// Sound, or what covers its gaps.
    Playing(Box<Playing>),
    /// Quiet by its own account.
    Dozing(Box<Doze>),
}

struct Playing {
    decoder: Decoder,
    /// Decoded, not yet heard; always continues what was heard.
    pcm: Vec<f32>,
    /// Timestamp of what comes after `pcm`.
    end: i64,
    /// Sequence number of the last decoded packet.
    seq: u64,
    /// Samples made up since the last decoded packet.
    made_up: usize,
    /// Of these, the ones for which `end` has not moved: the packet could still have come.
    held: usize,
    /// Ticks since the last stretch.
    rested: u32,
}

impl Playout {
    /// Takes a packet, or counts why not.
    pub(super) fn accept(&mut self, packet: Arrival, counters: &mut AudioCounters) {
        let samples = opus::samples_of(&packet.payload).filter(|_| packet.payload.len() <= MAX_PAYLOAD);
        let Some(samples) = samples else {
            counters.malformed += 1;
            return;
        };
        if self.delay.arrived(packet.arrived, packet.timestamp) == Continuity::Restarted {
            self.restart(packet.arrived);
        }
        let taken = match &self.state {
            State::Idle => None,
            State::Playing(playing) => Some(playing.end),
            State::Dozing(doze) => Some(doze.end),
        };
        if taken.is_some_and(|end| packet.timestamp < end) {
            counters.late += 1;
            return;
        }
        if self.waiting.contains_key(&packet.timestamp) {
            counters.duplicates += 1;
            return;
        }
        let Arrival { seq, level, payload, .. } = packet;
        let waiting = Undecoded { seq, samples, level, payload };
        self.waiting.insert(packet.timestamp, waiting);
        if self.waiting.len() > MAX_PACKETS {
            self.waiting.pop_first();
            counters.dropped += 1;
        }
    }

    /// What has this timestamp is to be heard no sooner than `until`.
    pub(super) fn hold_back(&mut self, timestamp: i64, until: i64, now: i64) {
        self.delay.hold_back(timestamp, until, now);
    }

    /// Forgets everything of the sound, as if no packet had ever come.
    pub(super) fn clear(&mut self) {
        let mut delay = std::mem::take(&mut self.delay);
        delay.clear();
        *self = Self { delay, ..Self::default() };
    }

    /// The next 20 ms, heard at `now`. Below the level `unheard`, if any, nobody hears the source: then it may sleep, and
    /// the frame stays as it is.
    pub(super) fn render(
        &mut self,
        now: i64,
        unheard: Option<f32>,
        frame: &mut Frame,
        counters: &mut AudioCounters,
    ) -> Rendered {
        if let Some(rendered) = self.doze(now, unheard, counters) {
            return rendered;
        }
        if let State::Idle = self.state {
            self.begin(now);
        }
        let State::Playing(playing) = &mut self.state else {
            frame.fill(0.0);
            return Rendered::Nothing;
        };
        let heard = playing.end - playing.ahead();
        let Self { waiting, delay, trust, .. } = self;
        let mut coming = Coming { waiting, delay, trust };
        let due = coming.delay.due(now);
        let behind = due - heard;
        if behind > HOPELESS {
            playing.skip(due, coming.waiting, counters);
        } else {
            playing.stretch(behind, now, &mut coming, counters);
        }
        while playing.pcm.len() < FRAME {
            playing.extend(now, &mut coming, counters);
        }
        let heard = playing.end - playing.ahead();
        for (out, sample) in frame.iter_mut().zip(playing.pcm.drain(..FRAME)) {
            *out = if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 };
        }
        let is_known = playing.held <= SHORT_GAP;
        if playing.made_up > STARVED {
            self.state = State::Idle;
        }
        if is_known { Rendered::Frame(heard) } else { Rendered::MadeUp }
    }

    /// Sleeps on, falls asleep or wakes up; none when there is something to decode.
    fn doze(&mut self, now: i64, unheard: Option<f32>, counters: &mut AudioCounters) -> Option<Rendered> {
        let due = self.delay.due(now);
        let sleepy = self.trust.is_earned() || unheard.is_some_and(f32::is_infinite);
        match &self.state {
            State::Playing(playing) if unheard.is_some() && sleepy && playing.made_up == 0 => self.lie_down(),
            State::Idle | State::Playing(_) => return None,
            State::Dozing(_) => {}
        }
        let State::Dozing(doze) = &mut self.state else { return None };
        let at = due.max(doze.heard);
        // One packet beyond the frame is looked at, so that the first one that is loud finds the decoder awake.
        let is_quiet = unheard.is_some_and(|limit| {
            self.waiting.range(..at + 2 * FRAME as i64).all(|(_, packet)| packet.is_quiet(limit))
        });
        if !is_quiet || !doze.sleeps_on(&mut self.trust) {
            self.wake(at, counters);
            return None;
        }
        doze.heard = at;
        let (mut level, mut taken) = (0.0_f32, false);
        while let Some(entry) = self.waiting.first_entry().filter(|entry| *entry.key() < at + FRAME as i64) {
            let (timestamp, packet) = entry.remove_entry();
            level = level.max(packet.level.map_or(0.0, doze::amplitude));
            counters.spared += 1;
            taken = true;
            doze.take(timestamp, packet);
        }
        if !taken && doze.starve() > STARVED {
            self.state = State::Idle;
        }
        Some(Rendered::Asleep(at, level))
    }

    fn lie_down(&mut self) {
        if let State::Playing(playing) = std::mem::take(&mut self.state) {
            let heard = playing.end - playing.ahead();
            let doze = Doze::new(playing.decoder, heard, playing.end, playing.seq);
            self.state = State::Dozing(Box::new(doze));
        }
    }

    fn wake(&mut self, at: i64, counters: &mut AudioCounters) {
        if let State::Dozing(doze) = std::mem::take(&mut self.state) {
            let Awake { decoder, pcm, end, seq } = doze.wake(at, counters);
            let mut playing = Playing { decoder, pcm, end, seq, made_up: 0, held: 0, rested: 0 };
            if at - end > FRAME as i64 {
                // Nothing has come for a while: as after a pause.
                (playing.end, playing.made_up) = (at, SHORT_GAP + 1);
            }
            self.state = State::Playing(Box::new(playing));
        }
    }

    /// Adds whether it plays, and how long packets are kept.
    pub(super) fn look(&self, now: i64, levels: &mut AudioLevels) {
        match self.state {
            State::Idle => return,
            State::Playing(_) => levels.playing += 1,
            State::Dozing(_) => levels.dozing += 1,
        }
        levels.delay_ms += u64::try_from(self.delay.kept(now) / MS).unwrap_or(0);
    }

    /// Starts when the first packet is due within this frame.
    fn begin(&mut self, now: i64) {
        let Some((&first, packet)) = self.waiting.first_key_value() else { return };
        let due = self.delay.due(now);
        let Ok(silence) = usize::try_from((first - due).max(0)) else { return };
        if silence >= FRAME {
            return;
        }
        self.state = State::Playing(Box::new(Playing {
            decoder: Decoder::new(),
            pcm: vec![0.0; silence],
            end: first,
            seq: packet.seq.wrapping_sub(1),
            made_up: MAX_MADE_UP,
            held: 0,
            rested: 0,
        }));
    }

    /// The source has a new clock: what waits belongs to the old one.
    fn restart(&mut self, now: i64) {
        self.waiting.clear();
        match &mut self.state {
            State::Idle => {}
            State::Playing(playing) => {
                playing.end = self.delay.due(now) + playing.ahead();
                playing.made_up = playing.made_up.max(SHORT_GAP + 1);
            }
            State::Dozing(_) => self.state = State::Idle,
        }
    }
}

/// A packet as it came.
pub(super) struct Arrival {
    pub(super) seq: u64,
    pub(super) timestamp: i64,
    pub(super) arrived: i64,
    /// As its sender has announced it: −dBov.
    pub(super) level: Option<u8>,
    pub(super) payload: Bytes,
}

/// What a source that plays draws on.
struct Coming<'a> {
    waiting: &'a mut BTreeMap<i64, Undecoded>,
    delay: &'a mut Delay,
    trust: &'a mut Trust,
}

impl Playing {
    fn ahead(&self) -> i64 {
        i64::try_from(self.pcm.len()).unwrap_or(i64::MAX)
    }

    /// Adds to `pcm`: the next packet, or something in its place. Always at least one sample.
    fn extend(&mut self, now: i64, coming: &mut Coming<'_>, counters: &mut AudioCounters) {
        let Some((&next, packet)) = coming.waiting.first_key_value() else {
            // It may only be late, so `end` stays: no more than this frame needs is made up.
            let needed = FRAME.saturating_sub(self.pcm.len()).max(1).next_multiple_of(PIECE);
            self.make_up(needed, counters);
            self.held += needed;
            return;
        };
        let paused = packet.seq == self.seq.wrapping_add(1);
        if self.held > 0 && !paused && opus::has_redundancy(&packet.payload) {
            coming.delay.keep_for_repair(now);
        }
        match self.close_gap(next, paused, coming.delay.due(now) + self.ahead()) {
            0 => {
                if let Some((timestamp, packet)) = coming.waiting.pop_first() {
                    self.decode(timestamp, &packet, coming.trust, counters);
                }
            }
            gap if gap <= FRAME && !paused => self.recover(&packet.payload, gap, counters),
            gap => self.end += self.make_up(gap.min(FRAME), counters),
        }
    }

    /// What is still to be made up before `next`, in whole pieces.
    fn close_gap(&mut self, next: i64, paused: bool, due: i64) -> usize {
        let gap = |end: i64| usize::try_from(next - end).unwrap_or(0);
        if gap(self.end) < SHORTEST {
            return 0;
        }
        let held = std::mem::take(&mut self.held);
        if paused || self.made_up > SHORT_GAP {
            // Nothing in between exists any more: sound resumes where the delay wants it.
            self.end = next.min(due);
        } else {
            // What was held back for was lost after all, and has been covered already.
            self.end += i64::try_from(gap(self.end).min(held)).unwrap_or(0);
        }
        let left = gap(self.end);
        match left < PIECE && held == 0 && !paused {
            true => left - left % SHORTEST,
            false => left - left % PIECE,
        }
    }

    fn decode(
        &mut self,
        timestamp: i64,
        packet: &Undecoded,
        trust: &mut Trust,
        counters: &mut AudioCounters,
    ) {
        self.seq = packet.seq;
        self.end = timestamp;
        let from = self.pcm.len();
        if self.made_up >= MAX_MADE_UP {
            self.decoder.reset();
        }
        counters.decodes += 1;
        let decoded = self.decoder.decode(&packet.payload, &mut self.pcm);
        if decoded == 0 {
            counters.malformed += 1;
            self.end += self.make_up(packet.samples.min(LONGEST), counters);
            return;
        }
        trust.learn(packet.level, self.pcm.get(from..).unwrap_or_default());
        if self.made_up >= MAX_MADE_UP {
            fade_in(self.pcm.iter_mut().skip(from));
        }
        self.made_up = 0;
        self.held = 0;
        self.end += i64::try_from(decoded).unwrap_or(0);
    }

    /// The packet before `next` is lost, and `next` is there.
    fn recover(&mut self, next: &[u8], gap: usize, counters: &mut AudioCounters) {
        if self.made_up >= MAX_MADE_UP {
            self.end += self.make_up(gap, counters);
            return;
        }
        counters.decodes += 1;
        match opus::has_redundancy(next) {
            true => counters.repaired += 1,
            false => counters.concealed += 1,
        }
        let whole = self.pcm.len() + gap;
        self.decoder.recover(next, gap, &mut self.pcm);
        self.pcm.resize(whole, 0.0);
        self.made_up += gap;
        self.end += i64::try_from(gap).unwrap_or(0);
    }

    /// Continues what was heard, for some time; returns the samples added.
    fn make_up(&mut self, missing: usize, counters: &mut AudioCounters) -> i64 {
        let from = self.pcm.len();
        if self.made_up < MAX_MADE_UP {
            counters.concealed += 1;
            self.decoder.conceal(missing, &mut self.pcm);
        }
        self.pcm.resize(from + missing, 0.0);
        self.made_up = self.made_up.saturating_add(missing);
        if self.made_up >= MAX_MADE_UP {
            fade_out(self.pcm.iter_mut().skip(from), missing);
        }
        i64::try_from(missing).unwrap_or(0)
    }

    /// Moves what is heard towards what is due, one period at a time.
    fn stretch(&mut self, behind: i64, now: i64, coming: &mut Coming<'_>, counters: &mut AudioCounters) {
        self.rested = self.rested.saturating_add(1);
        let hurry = behind > FAR_BEHIND;
        if self.made_up > 0 || (self.rested < STEP_TICKS && !hurry) {
            return;
        }
        if behind > LATE {
            while self.pcm.len() < FRAME + stretch::WANTED && self.continues(coming.waiting) {
                self.extend(now, coming, counters);
            }
            let seam = if behind > 2 * LATE { Seam::Any } else { Seam::Good };
            if stretch::shorten(&mut self.pcm, seam) > 0 {
                counters.accelerated += 1;
                self.rested = 0;
            }
        } else if behind < EARLY {
            while self.pcm.len() < FRAME && self.continues(coming.waiting) {
                self.extend(now, coming, counters);
            }
            let seam = if behind < 2 * EARLY { Seam::Any } else { Seam::Good };
            if stretch::lengthen(&mut self.pcm, seam) > 0 {
                counters.expanded += 1;
                self.rested = 0;
            }
        }
    }

    /// Whether the next packet follows without a gap.
    fn continues(&self, waiting: &BTreeMap<i64, Undecoded>) -> bool {
        waiting.first_key_value().is_some_and(|(&next, _)| next - self.end < SHORTEST as i64)
    }

    /// Gives up what is hopelessly late.
    fn skip(&mut self, due: i64, waiting: &mut BTreeMap<i64, Undecoded>, counters: &mut AudioCounters) {
        let kept = waiting.split_off(&due);
        counters.dropped += waiting.len() as u64;
        *waiting = kept;
        self.end = due + self.ahead();
        self.made_up = self.made_up.max(SHORT_GAP + 1);
        while let Some((&next, _)) = waiting.first_key_value()
            && next < self.end
        {
            waiting.pop_first();
            counters.dropped += 1;
        }
    }
}

fn fade_in<'a>(samples: impl Iterator<Item = &'a mut f32>) {
    let mut gain = 0.0;
    for sample in samples.take(FADE) {
        *sample *= gain;
        gain += 1.0 / FADE as f32;
    }
}

fn fade_out<'a>(samples: impl Iterator<Item = &'a mut f32>, over: usize) {
    let step = 1.0 / over.max(1) as f32;
    let mut gain = 1.0;
    for sample in samples {
        gain = (gain - step).max(0.0);
        *sample *= gain;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use proptest::prelude::*;

    use super::super::mix::{Channels, Mix, Panner};
    use super::*;

    fn frames() -> Vec<Bytes> {
        let mut encoder = opus::Encoder::new(Channels::Mono);
        let tone = |index: usize| {
            let mut mix = Mix::silent(Channels::Mono);
            let tone = std::array::from_fn(|n| {
                0.3 * ((index * FRAME + n) as f32 / 48_000.0 * 440.0 * std::f32::consts::TAU).sin()
            });
            mix.add(&tone, &Panner::default());
            mix
        };
        (0..40).map(|index| encoder.encode(&tone(index), false).into()).collect()
    }

    fn bounded(playout: &Playout) {
        assert!(playout.waiting.len() <= MAX_PACKETS);
        if let State::Playing(playing) = &playout.state {
            assert!(playing.pcm.len() <= FRAME + stretch::WANTED + 2 * LONGEST);
        }
    }

    #[test]
    fn packets_in_any_order_are_heard_in_theirs() {
        let frames = frames();
        let hear = |order: &[usize]| {
            let (mut playout, mut counters, mut heard) =
                (Playout::default(), AudioCounters::default(), Vec::new());
            for &index in order {
                let (seq, timestamp) = (index as u64, (index * FRAME) as i64);
                let packet =
                    Arrival { seq, timestamp, arrived: 0, level: None, payload: frames[index].clone() };
                playout.accept(packet, &mut counters);
            }
            let mut frame = [0.0; FRAME];
            for tick in 0..12 {
                playout.render(tick * FRAME as i64, None, &mut frame, &mut counters);
                heard.extend_from_slice(&frame);
            }
            (heard, counters)
        };
        let (sorted, _) = hear(&[0, 1, 2, 3, 4, 5]);
        let (mixed, counters) = hear(&[0, 3, 1, 1, 5, 4, 2, 2]);
        assert_eq!(sorted, mixed);
        assert!(sorted.iter().any(|sample| *sample > 0.2));
        assert_eq!(counters.duplicates, 2);
    }

    proptest! {
        #[test]
        fn memory_is_bounded_whatever_comes(
            packets in prop::collection::vec((0..300_u64, -200_000..200_000_i64, 0..3_000_i64, 0..40_usize, any::<[u8; 3]>()), 1..400),
            unheard in prop::option::of(prop::sample::select(vec![0.001, f32::INFINITY])),
        ) {
            static FRAMES: OnceLock<Vec<Bytes>> = OnceLock::new();
            let frames = FRAMES.get_or_init(frames);
            let (mut playout, mut counters, mut frame) = (Playout::default(), AudioCounters::default(), [0.0; FRAME]);
            let (mut now, mut tick) = (0, 0);
            for (seq, timestamp, pause, index, bytes) in packets {
                now += pause;
                while tick < now {
                    playout.render(tick, unheard, &mut frame, &mut counters);
                    prop_assert!(frame.iter().all(|sample| sample.abs() <= 1.0));
                    bounded(&playout);
                    tick += FRAME as i64;
                }
                let level = (index % 3 != 0).then_some(if seq % 40 < 30 { 90 } else { 20 });
                let payload = if index < 20 { frames[index].clone() } else { Bytes::copy_from_slice(&bytes) };
                playout.accept(Arrival { seq, timestamp, arrived: now, level, payload }, &mut counters);
                bounded(&playout);
            }
        }
    }
}
