//! The sans-I/O core of one shard: the transports of one UDP port and the rooms behind them.
//!
//! in:  datagrams, commands, finished jobs, mixed audio, time
//! out: datagrams ([`Sealed`]), events, jobs, audio packets, the next deadline
//!
//! Every `handle` may be followed by `poll` until `Idle`; what waits to be sent is sealed by whoever owns the socket, at
//! the end of a turn of many inputs. A whole conference runs in a test with no socket, thread or clock.

mod ids;
mod lending;
mod level;
mod loan;
mod outbox;
mod reach;
mod schedule;
mod sealed;
mod spread;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

pub(crate) use self::ids::Ids;
pub(crate) use self::lending::{Borrower, pair};
use self::outbox::Outbox;
pub(crate) use self::reach::Reach;
use self::schedule::Schedule;
pub use self::sealed::{BATCH_RUNS, Sealed};
pub(crate) use self::spread::Spread;
use crate::mix::audio::{AudioCounters, AudioInput, AudioLevels, AudioOutput};
use crate::mix::video::Fonts;
use crate::room::{Action, Command, Counters, Event, Job, JobDone, LegEnd, Room, Shed};
use crate::rtcp::NtpClock;
use crate::transport::{Candidate, ConnectionId, Identity, Path, Received, Transports};
use crate::units::{LegKey, RoomKey, TransportKey};

/// The parts of a shard that a room reaches, borrowed beside `rooms`.
macro_rules! reach {
    ($shard:ident) => {
        Reach {
            now: $shard.now,
            epoch: $shard.epoch,
            clock: $shard.clock,
            transports: &mut $shard.transports,
            routes: &mut $shard.routes,
            candidates: &$shard.config.candidates,
            outbox: &mut $shard.outbox,
            outputs: &mut $shard.outputs,
            counters: &mut $shard.counters,
            shed: $shard.shed,
            scratch: &mut $shard.scratch,
            ids: &mut $shard.ids,
        }
    };
}

/// What a shard is made with.
#[derive(Clone, Debug)]
pub struct ShardConfig {
    /// Written into answers, best first.
    pub candidates: Vec<Candidate>,
    /// Wall clock at the moment of making, since 1970.
    pub wall: Duration,
    /// Seed of the numbers that only have to differ.
    pub seed: u64,
}

/// What a shard takes.
#[allow(missing_docs, reason = "each variant's sentence speaks of its fields")]
pub enum Input<'a> {
    /// From the port, over UDP or a connection; decrypted in place.
    Datagram { from: Path, bytes: &'a mut [u8] },
    /// A peer has made a connection; datagrams of it name it.
    Connected { connection: ConnectionId, from: SocketAddr },
    /// The connection is no more.
    Disconnected { connection: ConnectionId },
    /// From the control plane.
    Command(Command),
    /// A job that `poll` gave, finished; `spent` is CPU time.
    JobDone { done: JobDone, spent: Duration },
    /// From the audio plane.
    Audio(AudioOutput),
    /// Time has passed.
    Timeout,
}

/// What a shard gives.
#[allow(missing_docs, reason = "each variant's sentence speaks of its fields")]
pub enum Output {
    /// To the control plane.
    Event(Event),
    /// To a codec worker.
    Job(Job),
    /// To the audio plane.
    Audio(AudioInput),
    /// No peer uses this connection any more: it is to be closed when the outbox has been sent.
    Disconnect(ConnectionId),
    /// Nothing more now; call again by then.
    Idle { until: Option<Instant> },
}

/// See the module.
pub struct Shard {
    config: ShardConfig,
    clock: NtpClock,
    epoch: Instant,
    now: Instant,
    transports: Transports,
    routes: FxHashMap<TransportKey, (RoomKey, LegKey)>,
    rooms: BTreeMap<RoomKey, Room>,
    schedule: Schedule,
    /// Emptied after each use.
    due: Vec<RoomKey>,
    /// The room that holds packets of a burst which may still go on.
    holding: Option<RoomKey>,
    outbox: Outbox,
    /// For whoever takes all datagrams at once.
    sealed: Sealed,
    outputs: VecDeque<Output>,
    counters: Counters,
    shed: Shed,
    scratch: Vec<u8>,
    ids: Ids,
    /// What names on canvases are written in.
    fonts: Fonts,
}

impl Shard {
    /// A shard without rooms.
    #[must_use]
    pub fn new(now: Instant, identity: Arc<Identity>, config: ShardConfig) -> Self {
        let ids = Ids::new(config.seed);
        Self {
            clock: NtpClock::new(now, config.wall),
            config,
            epoch: now,
            now,
            transports: Transports::new(identity),
            routes: FxHashMap::default(),
            rooms: BTreeMap::new(),
            schedule: Schedule::default(),
            due: Vec::new(),
            holding: None,
            outbox: Outbox::default(),
            sealed: Sealed::unbounded(),
            outputs: VecDeque::new(),
            counters: Counters::default(),
            shed: Shed::Nothing,
            scratch: Vec::with_capacity(2048),
            ids,
            fonts: Fonts::default(),
        }
    }

    /// Names on canvases of rooms made from now on are written in these.
    pub fn set_fonts(&mut self, fonts: Fonts) {
        self.fonts = fonts;
    }

    /// Takes one input at `now`.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.now = now;
        match &input {
            Input::Datagram { .. } => {}
            Input::Connected { .. }
            | Input::Disconnected { .. }
            | Input::Command(_)
            | Input::JobDone { .. }
            | Input::Audio(_)
            | Input::Timeout => self.release(),
        }
        match input {
            Input::Datagram { from, bytes } => self.on_datagram(from, bytes),
            Input::Connected { connection, from } => self.transports.handle_connected(connection, from),
            Input::Disconnected { connection } => self.transports.handle_disconnected(now, connection),
            Input::Command(command) => self.on_command(command),
            Input::JobDone { done, spent } => {
                let room = done.room();
                self.with_room(room, |room, reach| room.on_job_done(reach, done, spent));
            }
            Input::Audio(output) => self.on_audio(output),
            Input::Timeout => self.on_timeout(),
        }
        self.after_transports();
    }

    /// What is ready, one at a time, then `Idle`.
    pub fn poll(&mut self) -> Output {
        self.release();
        match self.outputs.pop_front() {
            Some(output) => output,
            None => Output::Idle { until: self.deadline() },
        }
    }

    /// Seals what waits to be sent into `sealed`, after what is in it; false when that is full and more waits.
    pub fn seal(&mut self, sealed: &mut Sealed) -> bool {
        self.release();
        let done = self.outbox.seal(&mut self.transports, sealed);
        self.counters.count_dropped("seal_refused", self.outbox.take_refused());
        done
    }

    /// What its rooms are to leave out from now on.
    pub fn set_shed(&mut self, shed: Shed) {
        self.shed = shed;
    }

    /// Whether runs of equal packets leave as one message: then packets that differ by little are made equal.
    pub fn set_levels(&mut self, levels: bool) {
        self.outbox.set_levels(levels);
    }

    /// Hands over to those who help now what they are to seal and send of what waits.
    pub(crate) fn lend(&mut self, spread: &mut Spread) {
        self.release();
        self.outbox.lend(&mut self.transports, spread);
        let counted = spread.take_counted();
        self.counters.lent += counted.lent;
        self.counters.ring_full += counted.ring_full;
        self.counters.count_dropped("helper_full", counted.dropped);
    }

    /// Has sealed and sent so many packets for another shard.
    pub(crate) fn count_borrowed(&mut self, packets: u64) {
        self.counters.borrowed += packets;
    }

    /// So much waits to be sent that it should not wait for the end of a turn.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.outbox.is_full()
    }

    /// Nothing waits to be sent.
    #[must_use]
    pub fn has_nothing_to_send(&self) -> bool {
        self.outbox.is_empty() && self.holding.is_none()
    }

    /// All datagrams at once; whoever takes them clears it.
    pub fn outbox(&mut self) -> &mut Sealed {
        let mut sealed = std::mem::replace(&mut self.sealed, Sealed::unbounded());
        self.seal(&mut sealed);
        self.sealed = sealed;
        &mut self.sealed
    }

    /// Whether the peer that made this connection has shown who it is.
    #[must_use]
    pub fn serves(&self, connection: ConnectionId) -> bool {
        self.transports.serves(connection)
    }

    /// Totals so far, levels now.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let mut counters = self.counters.clone();
        counters.rooms = self.rooms.len() as u64;
        for room in self.rooms.values() {
            counters.members += room.member_count() as u64;
            counters.legs += room.leg_count() as u64;
            counters.lost_in += room.lost_in();
            counters.renditions += room.rendition_count() as u64;
            for estimate in room.estimates() {
                counters.estimated += 1;
                counters.estimate_bps += estimate.0;
            }
        }
        counters
    }

    /// Counts losses that the shell met.
    pub fn count_dropped(&mut self, reason: &'static str, count: u64) {
        self.counters.count_dropped(reason, count);
    }

    /// CPU time of the audio plane since its start.
    pub fn set_mix_time(&mut self, total: Duration) {
        self.counters.mix_ns = u64::try_from(total.as_nanos()).unwrap_or(u64::MAX);
    }

    /// What the audio plane has counted, and how it is there.
    pub(crate) fn set_sound(&mut self, counters: AudioCounters, levels: AudioLevels) {
        (self.counters.sound, self.counters.sound_levels) = (counters, levels);
    }

    /// Time that the shard's thread was not asleep, since its start.
    pub(crate) fn set_busy_time(&mut self, total: Duration) {
        self.counters.busy_ns = u64::try_from(total.as_nanos()).unwrap_or(u64::MAX);
    }

    fn deadline(&mut self) -> Option<Instant> {
        self.schedule.next().into_iter().chain(self.transports.poll_timeout()).min()
    }

    fn on_datagram(&mut self, from: Path, bytes: &mut [u8]) {
        let size = bytes.len();
        match self.transports.receive(self.now, from, bytes) {
            Received::Rtp { transport, packet } => {
                let Some(&(room, leg)) = self.routes.get(&transport) else { return };
                if self.holding.is_some_and(|holding| holding != room) {
                    self.release();
                }
                let Some(it) = self.rooms.get_mut(&room) else { return };
                let mut reach = reach!(self);
                it.on_rtp(&mut reach, leg, transport, packet, size);
                self.holding = it.holds().then_some(room);
                self.schedule.set(room, it.deadline());
            }
            Received::Rtcp { transport, packet } => {
                self.release();
                self.counters.rtcp_in.count(size);
                let Some(&(room, leg)) = self.routes.get(&transport) else { return };
                let Some(it) = self.rooms.get_mut(&room) else { return };
                let mut reach = reach!(self);
                it.on_rtcp(&mut reach, leg, packet);
                self.schedule.set(room, it.deadline());
            }
            Received::Taken => {
                self.release();
                self.counters.handshake_in.count(size);
            }
            Received::Refused(reason) => self.counters.count_dropped(reason.as_str(), 1),
        }
    }

    fn on_command(&mut self, command: Command) {
        let Command { room: key, action } = command;
        match action {
            Action::OpenRoom(config) => {
                let now = self.now;
                if self.rooms.contains_key(&key) {
                    return;
                }
                self.rooms.insert(key, Room::new(now, key, config, self.fonts.clone()));
                self.with_room(key, |room, reach| room.open(reach));
            }
            Action::CloseRoom => {
                self.with_room(key, |room, reach| room.close(reach));
                self.rooms.remove(&key);
                self.schedule.remove(key);
            }
            action @ (Action::AddMember { .. }
            | Action::RemoveMember { .. }
            | Action::OpenLeg { .. }
            | Action::ReofferLeg { .. }
            | Action::CloseLeg { .. }
            | Action::SetViewport { .. }
            | Action::OpenChannel { .. }
            | Action::SendData { .. }
            | Action::CloseChannel { .. }
            | Action::SetAudioMuted { .. }
            | Action::SetVideoMuted { .. }
            | Action::SetAudience { .. }
            | Action::SetHandRaised { .. }
            | Action::SetHideVideoMuted { .. }
            | Action::SetPrioritizeHandraise { .. }
            | Action::SetDeaf { .. }
            | Action::SetInputVolume { .. }
            | Action::SetOutputVolume { .. }
            | Action::SetInputSensitivity { .. }
            | Action::SetVideoCodecs { .. }
            | Action::TakePreview
            | Action::SetSound { .. }
            | Action::PlayTone { .. }
            | Action::StartRecording { .. }
            | Action::StopRecording
            | Action::SetCanvasRules { .. }
            | Action::SetLook { .. }
            | Action::SetImages { .. }
            | Action::SetMuteImage { .. }
            | Action::SetTags { .. }
            | Action::SetLayout { .. }
            | Action::SetPositions { .. }) => {
                if self.rooms.contains_key(&key) {
                    self.with_room(key, |room, reach| room.on_action(reach, action));
                } else if let Action::OpenLeg { leg, .. } | Action::ReofferLeg { leg, .. } = action {
                    // Whoever waits for an answer gets one.
                    let why = LegEnd::Refused("the room has ended".to_owned());
                    self.outputs.push_back(Output::Event(Event::LegEnded { room: key, leg, why }));
                }
            }
        }
    }

    fn on_audio(&mut self, output: AudioOutput) {
        let key = match &output {
            AudioOutput::Packet { room, .. }
            | AudioOutput::Talking { room, .. }
            | AudioOutput::Floor { room, .. }
            | AudioOutput::Playing { room, .. }
            | AudioOutput::Recorded { room, .. } => *room,
            AudioOutput::Idle { .. } => return,
        };
        self.with_room(key, |room, reach| room.on_audio(reach, output));
    }

    fn on_timeout(&mut self) {
        let now = self.now;
        if self.transports.poll_timeout().is_some_and(|deadline| deadline <= now) {
            self.transports.handle_timeout(now);
        }
        // Each once: what is due again at once has its turn with the next input.
        let mut due = std::mem::take(&mut self.due);
        due.extend(std::iter::from_fn(|| self.schedule.take_due(now)));
        for key in due.drain(..) {
            // It may have been put off since; `with_room` notes when it is due again.
            self.with_room(key, |room, reach| {
                if room.deadline().is_some_and(|deadline| deadline <= now) {
                    room.on_timeout(reach);
                }
            });
        }
        self.due = due;
    }

    /// Sends what the transports have ready and tells the rooms what became of them.
    fn after_transports(&mut self) {
        while let Some((to, bytes)) = self.transports.poll_transmit() {
            self.counters.handshake_out.count(bytes.len());
            self.outbox.push(to, &bytes);
        }
        while let Some(connection) = self.transports.poll_abandoned() {
            self.outputs.push_back(Output::Disconnect(connection));
        }
        while let Some((transport, event)) = self.transports.poll_event() {
            let Some(&(room, leg)) = self.routes.get(&transport) else { continue };
            self.with_room(room, |room, reach| room.on_transport(reach, leg, transport, event));
        }
    }

    /// The burst is over, or something else happens: what is held goes out first.
    fn release(&mut self) {
        if let Some(holding) = self.holding.take() {
            self.with_room(holding, Room::release);
        }
    }

    fn with_room(&mut self, key: RoomKey, act: impl FnOnce(&mut Room, &mut Reach<'_>)) {
        if let Some(room) = self.rooms.get_mut(&key) {
            let mut reach = reach!(self);
            act(room, &mut reach);
            self.schedule.set(key, room.deadline());
        }
    }
}
