//! The audio of all rooms of one shard: what members say in, what everybody hears out.
//!
//! in:  Opus packets of members in any order, who is there and who listens, the time
//! out: one Opus packet per listener and 20 ms, who talks, what is heard when
//!
//! ```text
//!   packet ─► jitter buffer ─► decode ─► gate ─► mix ─► minus own ─► limiter ─► encode ─► packet
//!             (playout, delay) (opus)  (member)  (room)             (limiter)  (rendition)
//!                          stretch ▲       ▲ activity
//! ```
//!
//! Sans-I/O: every [`AudioPlane::handle`] is followed by [`AudioPlane::poll`] until [`AudioOutput::Idle`].

mod activity;
mod crowd;
mod delay;
mod doze;
mod fader;
mod floor;
mod gain;
mod guard;
mod limiter;
mod listening;
mod loss;
mod member;
mod mix;
mod noise;
mod opus;
mod pitch;
mod playout;
mod rendition;
mod room;
mod sensitivity;
mod stretch;
mod tone;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustc_hash::FxHashMap;

pub use self::fader::Volume;
use self::member::Cleaning;
use self::mix::Channels;
use self::playout::Arrival;
use self::room::Room;
pub use self::sensitivity::Sensitivity;
pub use self::tone::Tone;
use crate::units::{LegKey, MediaTime, MemberKey, RoomKey, SeqNo};

/// Length of a packet towards listeners.
const TICK: Duration = Duration::from_millis(20);

/// Ticks that are made up for when the thread was late; with more, time has been lost and is skipped. Listeners'
/// buffers hold about so much, and a burst of more would only be thrown away there.
const MAX_LATE: u32 = 3;

/// Nothing to do for so long when there are no rooms.
const IDLE: Duration = Duration::from_secs(1);

/// What a member's sound is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SoundKind {
    /// A microphone: what is no louder than the room around it is left out, and speech is told.
    Voice,
    /// Music, a film: heard down to what can be heard at all, and never speech.
    Program,
}

/// What happens to the audio plane.
#[derive(Debug)]
pub enum AudioInput {
    /// Its clock begins now. A second one for the same key is ignored.
    OpenRoom {
        /// The room.
        room: RoomKey,
    },
    /// Forget it with all members and listeners.
    CloseRoom {
        /// The room.
        room: RoomKey,
    },
    /// A member whose packets may come.
    AddMember {
        /// The room.
        room: RoomKey,
        /// The member.
        member: MemberKey,
        /// Whose screen or device it is; that one's listeners do not hear it either.
        parent: Option<MemberKey>,
        /// What it sends.
        sound: SoundKind,
        /// Not heard at first.
        muted: bool,
    },
    /// Its voice is faded out; its listeners stay until they are removed.
    RemoveMember {
        /// The room.
        room: RoomKey,
        /// The member.
        member: MemberKey,
    },
    /// Whether the member is heard. While muted its packets are dropped.
    SetMuted {
        /// The room.
        room: RoomKey,
        /// The member.
        member: MemberKey,
        /// Not heard.
        muted: bool,
    },
    /// Whether the member's listeners hear silence.
    SetDeaf {
        /// The room.
        room: RoomKey,
        /// The member.
        member: MemberKey,
        /// They do.
        deaf: bool,
    },
    /// How loud the others hear the member.
    SetInputVolume {
        /// The room.
        room: RoomKey,
        /// The member.
        member: MemberKey,
        /// How loud.
        volume: Volume,
    },
    /// How loud the member's listeners hear the others.
    SetOutputVolume {
        /// The room.
        room: RoomKey,
        /// The member.
        member: MemberKey,
        /// How loud.
        volume: Volume,
    },
    /// How little sound of the member counts as speech.
    SetInputSensitivity {
        /// The room.
        room: RoomKey,
        /// The member.
        member: MemberKey,
        /// How little.
        sensitivity: Sensitivity,
    },
    /// The sound of this timestamp is to be heard no sooner than then: its picture is not there before. Said again and
    /// again while it is so; forgotten after two seconds.
    HoldBack {
        /// The room.
        room: RoomKey,
        /// The member.
        member: MemberKey,
        /// In the source's clock.
        timestamp: MediaTime,
        /// In ours.
        until: Instant,
    },
    /// What is done with microphones of the room; never with programs.
    SetCleaning {
        /// The room.
        room: RoomKey,
        /// They are made about equally loud.
        automatic_gain: bool,
        /// What is no voice is taken out of them.
        noise_suppression: bool,
    },
    /// From where those who hear in stereo hear the member.
    SetPan {
        /// The room.
        room: RoomKey,
        /// The member.
        member: MemberKey,
        /// From −1000, left, to 1000, right.
        place: i16,
    },
    /// All who are not deaf hear a short tone.
    PlayTone {
        /// The room.
        room: RoomKey,
        /// Which.
        tone: Tone,
    },
    /// Whether the whole mix is given as it is, too.
    SetRecorded {
        /// The room.
        room: RoomKey,
        /// It is.
        recorded: bool,
    },
    /// A leg that gets a packet every 20 ms from the next tick on.
    AddListener {
        /// The room.
        room: RoomKey,
        /// The leg.
        leg: LegKey,
        /// Whose voice is left out.
        member: Option<MemberKey>,
        /// It hears everybody from where they are, in two channels.
        stereo: bool,
    },
    /// It gets nothing more.
    RemoveListener {
        /// The room.
        room: RoomKey,
        /// The leg.
        leg: LegKey,
    },
    /// What a listener reports to have lost since its last report.
    Loss {
        /// The room.
        room: RoomKey,
        /// The leg.
        leg: LegKey,
        /// Of its packets; 0 … 100.
        percent: u8,
    },
    /// An authenticated RTP packet of a member, in the order of arrival.
    Packet {
        /// The room.
        room: RoomKey,
        /// The member.
        member: MemberKey,
        /// Its sequence number.
        seq: SeqNo,
        /// Its RTP timestamp, 48 kHz (RFC 7587 §4.1).
        timestamp: MediaTime,
        /// One Opus packet.
        payload: Bytes,
        /// When it came off the socket.
        arrived: Instant,
        /// How loud its sender says it is, −dBov (RFC 6464).
        level: Option<u8>,
    },
}

/// What the audio plane has to say.
#[derive(Clone, Debug)]
pub enum AudioOutput {
    /// 20 ms of sound for these listeners, each of whom gets exactly one per tick.
    Packet {
        /// The room.
        room: RoomKey,
        /// Who gets it.
        listeners: Arc<[LegKey]>,
        /// 48 kHz, one clock per room: 960 more in each tick.
        timestamp: MediaTime,
        /// One Opus packet; never empty.
        payload: Bytes,
        /// The tick it was mixed for.
        at: Instant,
    },
    /// Speech began or ended.
    Talking {
        /// The room.
        room: RoomKey,
        /// The member.
        member: MemberKey,
        /// It began.
        talking: bool,
    },
    /// A member has the floor from now on.
    Floor {
        /// The room.
        room: RoomKey,
        /// The member.
        member: MemberKey,
    },
    /// What is heard of a member now: its RTP `timestamp` goes into the packet of the tick `at`. As soon as something is
    /// heard, then every 100 ms while the member sends; the picture follows it.
    Playing {
        /// The room.
        room: RoomKey,
        /// The member.
        member: MemberKey,
        /// In the source's clock.
        timestamp: MediaTime,
        /// In ours.
        at: Instant,
    },
    /// 20 ms of the whole mix, of a room that is recorded. After a tick that was skipped there is a gap.
    Recorded {
        /// The room.
        room: RoomKey,
        /// 48 kHz, mono; limited like what is heard.
        samples: Arc<[i16]>,
        /// The tick it was mixed for.
        at: Instant,
    },
    /// Nothing more before then.
    Idle {
        /// When to poll again.
        until: Instant,
    },
}

/// What the audio plane has counted; totals only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AudioCounters {
    /// Pieces of sound (≤ 20 ms) made up for packets that were lost or late.
    pub concealed: u64,
    /// Lost packets rebuilt from the redundancy in the next one.
    pub repaired: u64,
    /// Periods put in, because a source is slower than we are or the network became slower.
    pub expanded: u64,
    /// Periods taken out, because a source is faster than we are or the network became faster.
    pub accelerated: u64,
    /// Packets that came after their time.
    pub late: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets thrown away because too many waited.
    pub dropped: u64,
    /// Packets that are not Opus.
    pub malformed: u64,
    /// Packets of muted members.
    pub muted: u64,
    /// Packets of rooms or members that do not exist.
    pub unknown: u64,
    /// Frames encoded, all together.
    pub encodes: u64,
    /// Of these, for one member alone: its own sound is left out, or its volume changes.
    pub private_encodes: u64,
    /// Packets decoded.
    pub decodes: u64,
    /// Packets not decoded, because their senders say that they are silent and nobody hears them.
    pub spared: u64,
    /// Frames of microphones that were freed of noise.
    pub denoised: u64,
    /// Ticks skipped because the thread was far too late.
    pub skipped_ticks: u64,
}

impl AudioCounters {
    /// Adds those of another plane.
    pub(crate) fn add(&mut self, other: &Self) {
        let Self {
            concealed,
            repaired,
            expanded,
            accelerated,
            late,
            duplicates,
            dropped,
            malformed,
            muted,
            unknown,
            encodes,
            private_encodes,
            decodes,
            spared,
            denoised,
            skipped_ticks,
        } = other;
        self.concealed += concealed;
        self.repaired += repaired;
        self.expanded += expanded;
        self.accelerated += accelerated;
        self.late += late;
        self.duplicates += duplicates;
        self.dropped += dropped;
        self.malformed += malformed;
        self.muted += muted;
        self.unknown += unknown;
        self.encodes += encodes;
        self.private_encodes += private_encodes;
        self.decodes += decodes;
        self.spared += spared;
        self.denoised += denoised;
        self.skipped_ticks += skipped_ticks;
    }
}

/// How it is in the audio plane now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AudioLevels {
    /// Sources that are decoded.
    pub playing: u64,
    /// Sources that send and are not decoded, because nobody hears them.
    pub dozing: u64,
    /// Sum of the time that their packets are kept for, so that they are there when due; milliseconds.
    pub delay_ms: u64,
    /// Sources in the mix.
    pub mixed: u64,
    /// Microphones left out because too many others are louder.
    pub left_out: u64,
}

impl AudioLevels {
    /// Adds those of another plane.
    pub(crate) fn add(&mut self, other: Self) {
        self.playing += other.playing;
        self.dozing += other.dozing;
        self.delay_ms += other.delay_ms;
        self.mixed += other.mixed;
        self.left_out += other.left_out;
    }
}

/// The audio of all rooms of one shard.
pub struct AudioPlane {
    epoch: Instant,
    rooms: FxHashMap<RoomKey, Clocked>,
    /// The next tick of every room.
    schedule: BTreeSet<(Instant, RoomKey)>,
    /// Of the tick that was made last; emptied before the next one is made.
    queue: VecDeque<AudioOutput>,
    counters: AudioCounters,
}

struct Clocked {
    room: Room,
    next: Instant,
}

impl AudioPlane {
    /// An empty plane. No time before `now` may be named later.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            epoch: now,
            rooms: FxHashMap::default(),
            schedule: BTreeSet::new(),
            queue: VecDeque::new(),
            counters: AudioCounters::default(),
        }
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> AudioCounters {
        self.counters
    }

    /// How it is at `now`.
    #[must_use]
    pub fn levels(&self, now: Instant) -> AudioLevels {
        let (now, mut levels) = (self.ticks(now), AudioLevels::default());
        self.rooms.values().for_each(|clocked| clocked.room.look(now, &mut levels));
        levels
    }

    /// There is something to do in every tick.
    #[must_use]
    pub fn has_rooms(&self) -> bool {
        !self.rooms.is_empty()
    }

    /// Takes one input; what concerns an unknown room is ignored.
    pub fn handle(&mut self, now: Instant, input: AudioInput) {
        match input {
            AudioInput::OpenRoom { room } => self.open(now, room),
            AudioInput::CloseRoom { room } => self.close(room),
            AudioInput::AddMember { room, member, parent, sound, muted } => {
                self.with(room, |room| room.add_member(member, parent, sound, muted))
            }
            AudioInput::RemoveMember { room, member } => self.with(room, |room| room.remove_member(member)),
            AudioInput::SetMuted { room, member, muted } => {
                self.with(room, |room| room.set_muted(member, muted))
            }
            AudioInput::SetInputVolume { room, member, volume } => {
                self.with(room, |room| room.set_input_volume(member, volume))
            }
            AudioInput::SetInputSensitivity { room, member, sensitivity } => {
                self.with(room, |room| room.set_input_sensitivity(member, sensitivity))
            }
            AudioInput::SetDeaf { room, member, deaf } => self.with(room, |room| room.set_deaf(member, deaf)),
            AudioInput::SetOutputVolume { room, member, volume } => {
                self.with(room, |room| room.set_output_volume(member, volume))
            }
            AudioInput::HoldBack { room, member, timestamp, until } => {
                let (now, until) = (self.ticks(now), self.ticks(until));
                if let Some(timestamp) = bounded(timestamp) {
                    self.with(room, |room| room.hold_back(member, timestamp, until, now));
                }
            }
            AudioInput::PlayTone { room, tone } => self.with(room, |room| room.play_tone(tone)),
            AudioInput::SetRecorded { room, recorded } => self.with(room, |room| room.set_recorded(recorded)),
            AudioInput::AddListener { room, leg, member, stereo } => {
                let channels = if stereo { Channels::Stereo } else { Channels::Mono };
                self.with(room, |room| room.add_listener(leg, member, channels))
            }
            AudioInput::SetCleaning { room, automatic_gain, noise_suppression } => {
                let cleaning = Cleaning { automatic_gain, noise_suppression };
                self.with(room, |room| room.set_cleaning(cleaning));
            }
            AudioInput::SetPan { room, member, place } => self.with(room, |room| room.set_pan(member, place)),
            AudioInput::RemoveListener { room, leg } => self.with(room, |room| room.remove_listener(leg)),
            AudioInput::Loss { room, leg, percent } => self.with(room, |room| room.report_loss(leg, percent)),
            AudioInput::Packet { room, member, seq, timestamp, payload, arrived, level } => {
                let arrived = self.ticks(arrived);
                match bounded(timestamp) {
                    Some(timestamp) => {
                        self.accept(room, member, Arrival { seq: seq.0, timestamp, arrived, level, payload });
                    }
                    None => self.counters.malformed += 1,
                }
            }
        }
    }

    /// The next output, making ticks as they become due.
    pub fn poll(&mut self, now: Instant) -> AudioOutput {
        loop {
            if let Some(output) = self.queue.pop_front() {
                return output;
            }
            match self.schedule.first() {
                None => return AudioOutput::Idle { until: now + IDLE },
                Some(&(due, _)) if due > now => return AudioOutput::Idle { until: due },
                Some(&(due, room)) => self.tick(now, due, room),
            }
        }
    }

    fn open(&mut self, now: Instant, key: RoomKey) {
        if let std::collections::hash_map::Entry::Vacant(entry) = self.rooms.entry(key) {
            entry.insert(Clocked { room: Room::new(key), next: now });
            self.schedule.insert((now, key));
        }
    }

    fn close(&mut self, room: RoomKey) {
        if let Some(closed) = self.rooms.remove(&room) {
            self.schedule.remove(&(closed.next, room));
        }
    }

    fn with(&mut self, room: RoomKey, act: impl FnOnce(&mut Room)) {
        if let Some(clocked) = self.rooms.get_mut(&room) {
            act(&mut clocked.room);
        }
    }

    fn accept(&mut self, room: RoomKey, member: MemberKey, packet: Arrival) {
        match self.rooms.get_mut(&room) {
            Some(clocked) => clocked.room.accept(member, packet, &mut self.counters),
            None => self.counters.unknown += 1,
        }
    }

    fn tick(&mut self, now: Instant, due: Instant, key: RoomKey) {
        self.schedule.remove(&(due, key));
        let at = self.resynchronised(now, due, key);
        let ticks = self.ticks(at);
        let Some(clocked) = self.rooms.get_mut(&key) else { return };
        clocked.room.tick(at, ticks, &mut self.counters, &mut self.queue);
        clocked.next = at + TICK;
        self.schedule.insert((clocked.next, key));
    }

    /// The tick to make now: the one that is due, unless that was too long ago.
    fn resynchronised(&mut self, now: Instant, due: Instant, key: RoomKey) -> Instant {
        let late = now.saturating_duration_since(due).as_nanos() / TICK.as_nanos();
        let Ok(late) = u32::try_from(late) else { return now };
        if late <= MAX_LATE {
            return due;
        }
        self.with(key, |room| room.skip(u64::from(late)));
        self.counters.skipped_ticks += u64::from(late);
        due + TICK * late
    }

    /// Ticks of 48 kHz since this plane began.
    fn ticks(&self, at: Instant) -> i64 {
        let since = at.saturating_duration_since(self.epoch);
        i64::try_from(since.as_nanos() * 48 / 1_000_000).unwrap_or(i64::MAX / 4)
    }
}

/// Extended timestamps begin near 2^32; sums of numbers below 2^48 cannot overflow.
fn bounded(timestamp: MediaTime) -> Option<i64> {
    i64::try_from(timestamp.ticks).ok().filter(|ticks| *ticks < 1 << 48)
}
