//! One shard with its audio plane and codec workers, its pages, and the network between them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use layouts::{Layer, LayoutId, Placed, Position, Size};
use media_core::codec::Rgb;
use media_core::engine::{CodecLoad, Dispatch};
use media_core::mix::audio::{AudioOutput, AudioPlane};
use media_core::room::{
    Action, Command, Counters, Event, Job, JobDone, LegEnd, Liveness, MemberConfig, MemberKind, Receive,
    RoomConfig,
};
use media_core::rtcp::{NtpClock, NtpTime};
use media_core::sdp::Offer;
use media_core::shard::{Input, Output, Shard, ShardConfig};
use media_core::transport::{Candidate, Identity};
use media_core::units::{LegKey, MediaKind, MemberKey, RoomKey};

use crate::page::{Page, Setup};
use crate::sim::link::{Impairment, Link};
use crate::sim::server_address;
use crate::sound::strength;
use crate::values::Values;

pub const ROOM: RoomKey = RoomKey(7);
pub const CANVAS: Size = Size { width: 320, height: 180 };
const WORKERS: usize = 2;
const WALL: Duration = Duration::from_secs(1_790_000_000);

/// Says whether a datagram gets lost on top of what the link does.
pub type Filter = Box<dyn FnMut(SocketAddr, SocketAddr, &[u8]) -> bool>;

pub struct Conference {
    pub now: Instant,
    pub started: Instant,
    pub shard: Shard,
    pub plane: AudioPlane,
    pub link: Link,
    pub filter: Option<Filter>,
    pub pages: Vec<Member>,
    pub canvas: Size,
    /// What the rooms said, with the time since the beginning.
    pub events: Vec<(Duration, Event)>,
    workers: Workers,
    /// Does the codec jobs, where values stand for pictures.
    pub values: Option<Values>,
    /// Place of the latest arrangement among the events.
    arranged: Option<usize>,
    /// How often the shard was woken by its deadline.
    pub wakes: u64,
    legs: u32,
}

/// A page, and the keys under which the server knows it.
pub struct Member {
    pub key: MemberKey,
    pub leg: LegKey,
    pub page: Page,
}

/// How long a job takes.
pub type Cost = Box<dyn Fn(&Job) -> Duration>;

/// Two codec workers that take a while for each job.
struct Workers {
    cost: Cost,
    queue: Dispatch<Job>,
    busy: BinaryHeap<Reverse<(Instant, u64)>>,
    done: std::collections::BTreeMap<u64, (Duration, JobDone)>,
    jobs: u64,
    /// Most jobs under way at a time.
    most: usize,
}

impl Conference {
    pub fn new(seed: u64) -> Self {
        Self::with(seed, RoomConfig { canvas: CANVAS, fps: 15, layout: LayoutId::GRID_RESPONSIVE })
    }

    pub fn with(seed: u64, config: RoomConfig) -> Self {
        let now = Instant::now();
        let config_of_shard = ShardConfig {
            candidates: Candidate::of(&[server_address().ip()], server_address().port(), true),
            wall: WALL,
            seed,
        };
        let identity = Arc::new(Identity::generate().unwrap());
        let mut conference = Self {
            now,
            started: now,
            shard: Shard::new(now, identity, config_of_shard),
            plane: AudioPlane::new(now),
            link: Link::new(seed, Impairment::LOOPBACK),
            filter: None,
            pages: Vec::new(),
            canvas: config.canvas,
            events: Vec::new(),
            workers: Workers {
                cost: Box::new(|_| Duration::ZERO),
                queue: Dispatch::new(now, WORKERS),
                busy: BinaryHeap::new(),
                done: std::collections::BTreeMap::new(),
                jobs: 0,
                most: 0,
            },
            values: None,
            arranged: None,
            wakes: 0,
            legs: 0,
        };
        conference.act(Action::OpenRoom(config));
        conference
    }

    /// From now on each codec job takes this long on one of two workers.
    pub fn codec_jobs_take(&mut self, time: Duration) {
        self.codec_jobs_cost(Box::new(move |_| time));
    }

    /// From now on each codec job takes as long as is told of it.
    pub fn codec_jobs_cost(&mut self, cost: Cost) {
        self.workers.cost = cost;
    }

    /// What the codec workers have done.
    pub fn codec_load(&self) -> CodecLoad {
        self.workers.queue.load()
    }

    /// Most codec jobs that were under way at a time.
    pub fn most_jobs(&self) -> usize {
        self.workers.most
    }

    pub fn act(&mut self, action: Action) {
        self.act_in(ROOM, action);
    }

    pub fn act_in(&mut self, room: RoomKey, action: Action) {
        self.shard.handle(self.now, Input::Command(Command { room, action }));
        self.settle();
    }

    /// A member joins; gives its place in `pages`.
    pub fn join(&mut self, setup: Setup) -> usize {
        self.join_as(person(), setup)
    }

    pub fn join_as(&mut self, config: MemberConfig, setup: Setup) -> usize {
        let index = self.pages.len();
        let key = MemberKey(u32::try_from(index).unwrap() + 1);
        self.act(Action::AddMember { member: key, config });
        let (leg, page) = self.open(key, setup);
        self.pages.push(Member { key, leg, page });
        index
    }

    /// The page is loaded anew: another leg takes the place of the former one, as the control plane has it.
    pub fn reload(&mut self, member: usize, setup: Setup) {
        let Member { key, leg: former, .. } = self.pages[member];
        self.act(Action::CloseLeg { leg: former });
        let (leg, page) = self.open(key, setup);
        self.pages[member] = Member { key, leg, page };
    }

    /// Another leg of the same member while the former one is there; gives the place of its page.
    pub fn another_leg(&mut self, member: usize, setup: Setup) -> usize {
        let key = self.pages[member].key;
        let (leg, page) = self.open(key, setup);
        self.pages.push(Member { key, leg, page });
        self.pages.len() - 1
    }

    fn open(&mut self, member: MemberKey, setup: Setup) -> (LegKey, Page) {
        self.legs += 1;
        let leg = LegKey(self.legs);
        let mut page = Page::new(self.now, self.legs, setup);
        let offer = Box::new(Offer::parse(&page.offer()).unwrap());
        self.act(Action::OpenLeg {
            member,
            leg,
            offer,
            bundle: page.setup.bundled,
            receive: Receive::Canvas,
        });
        page.answered(self.now, &self.answer(leg));
        (leg, page)
    }

    /// A new offer of the same page.
    pub fn reoffer(&mut self, member: usize, offer: &str) -> String {
        let leg = self.pages[member].leg;
        self.act(Action::ReofferLeg { leg, offer: Box::new(Offer::parse(offer).unwrap()) });
        self.answer(leg)
    }

    fn answer(&self, leg: LegKey) -> String {
        let answer = self.events.iter().rev().find_map(|(_, event)| match event {
            Event::LegAnswered { leg: of, sdp, .. } if *of == leg => Some(sdp.clone()),
            _ => None,
        });
        answer.unwrap_or_else(|| panic!("no answer: {:?}", self.events))
    }

    pub fn run(&mut self, seconds: f64) {
        self.run_to(self.now + Duration::from_secs_f64(seconds));
    }

    /// Runs until the condition holds; gives how long that took.
    pub fn run_until(&mut self, limit: f64, mut done: impl FnMut(&Self) -> bool) -> Duration {
        let from = self.now;
        while !done(self) {
            assert!(self.now - from < Duration::from_secs_f64(limit), "waited {limit} s in vain");
            self.run_to(self.now + Duration::from_millis(5));
        }
        self.now - from
    }

    fn run_to(&mut self, end: Instant) {
        loop {
            self.settle();
            let Some(next) = self.next_happening().filter(|next| *next <= end) else { break };
            self.now = next.max(self.now);
            while let Some(datagram) = self.link.receive(self.now) {
                self.deliver(datagram.from, datagram.to, datagram.bytes);
            }
            while let Some(done) = self.finished_job() {
                self.shard.handle(self.now, Input::JobDone { done, spent: Duration::ZERO });
            }
            if self.deadline().is_some_and(|at| at <= self.now) {
                self.wakes += 1;
                self.shard.handle(self.now, Input::Timeout);
            }
            for member in &mut self.pages {
                member.page.handle_timeout(self.now);
            }
        }
        self.now = end;
    }

    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, mut bytes: Vec<u8>) {
        if to == server_address() {
            self.note_key_frame(&bytes);
            return self.shard.handle(self.now, Input::Datagram { from: from.into(), bytes: &mut bytes });
        }
        let pages = self.pages.iter_mut().map(|member| &mut member.page).filter(|page| !page.cut_off);
        for page in pages {
            if let Some(transport) = page.transports.iter_mut().find(|transport| transport.has_address(to)) {
                transport.receive(self.now, to, bytes);
                return page.take_received(self.now);
            }
        }
    }

    /// The head of a packet is in the clear.
    fn note_key_frame(&mut self, bytes: &[u8]) {
        let Some(head) = bytes.first_chunk::<12>() else { return };
        let [.., a, b, c, d] = *head;
        let packet = (u32::from_be_bytes([a, b, c, d]), u16::from_be_bytes([head[2], head[3]]));
        for page in self.pages.iter_mut().map(|member| &mut member.page) {
            if let Some(at) = page.keys_sent.iter().position(|key| *key == packet) {
                page.keys_sent.drain(..=at);
                page.keys_arrived.push(self.now);
            }
        }
    }

    /// Asks for the deadline; everything else has been taken out before.
    fn deadline(&mut self) -> Option<Instant> {
        self.settle();
        match self.shard.poll() {
            Output::Idle { until } => until,
            _ => panic!("settled"),
        }
    }

    fn next_happening(&mut self) -> Option<Instant> {
        let shard = self.deadline();
        let audio = match self.plane.poll(self.now) {
            AudioOutput::Idle { until } => until,
            other => panic!("settled: {other:?}"),
        };
        let pages = self.pages.iter().filter_map(|member| member.page.poll_timeout()).min();
        let others = [self.link.poll_timeout(), shard, pages, self.workers.next()];
        others.into_iter().flatten().chain([audio]).min()
    }

    /// Takes out of the shard and the audio plane what they have now, and puts it where it belongs.
    fn settle(&mut self) {
        loop {
            match self.shard.poll() {
                Output::Event(event) => {
                    if matches!(event, Event::Placed { .. }) {
                        self.arranged = Some(self.events.len());
                    }
                    self.events.push((self.now - self.started, event));
                }
                Output::Job(job) => {
                    self.workers.queue.push(self.now, job.class(), job);
                    self.start_jobs();
                }
                Output::Audio(input) => self.plane.handle(self.now, input),
                Output::Disconnect(connection) => panic!("nobody came by TCP, not even {connection:?}"),
                Output::Idle { .. } => {
                    if let Some(done) = self.finished_job() {
                        self.shard.handle(self.now, Input::JobDone { done, spent: Duration::ZERO });
                        continue;
                    }
                    match self.plane.poll(self.now) {
                        AudioOutput::Idle { .. } => break,
                        output => self.shard.handle(self.now, Input::Audio(output)),
                    }
                }
            }
        }
        self.flush();
    }

    /// Workers that are free begin with what is next.
    fn start_jobs(&mut self) {
        let arrangement = self.arranged.and_then(|at| match &self.events.get(at)?.1 {
            Event::Placed { placed, .. } => Some(placed),
            _ => None,
        });
        let (now, values) = (self.now, &mut self.values);
        self.workers.start(now, |job| match values {
            Some(values) => values.run(now, arrangement, job),
            None => job.run(),
        });
        self.shard.set_shed(self.workers.queue.load().shed);
    }

    fn finished_job(&mut self) -> Option<JobDone> {
        let done = self.workers.finished(self.now)?;
        self.start_jobs();
        Some(done)
    }

    fn flush(&mut self) {
        let (now, filter, link) = (self.now, &mut self.filter, &mut self.link);
        let mut send = |at, from, to, bytes: Vec<u8>| {
            if !filter.as_mut().is_some_and(|lost| lost(from, to, &bytes)) {
                link.send(at, from, to, bytes);
            }
        };
        for (to, bytes) in self.shard.outbox().datagrams() {
            let pages = self.pages.iter_mut().map(|member| &mut member.page);
            let mut page = pages.filter(|page| page.transports.iter().any(|it| it.has_address(to)));
            let passes_at = page.next().map_or(Some(now), |page| page.passes_at(now, bytes.len()));
            if let Some(at) = passes_at {
                send(at, server_address(), to, bytes.to_vec());
            }
        }
        self.shard.outbox().clear();
        for member in &mut self.pages {
            for transport in &mut member.page.transports {
                while let Some((from, bytes)) = transport.poll_transmit() {
                    if !member.page.cut_off {
                        send(now, from, server_address(), bytes);
                    }
                }
            }
        }
    }

    pub fn counters(&self) -> Counters {
        self.shard.counters()
    }

    /// Where the server's clock began.
    pub fn origin(&self) -> NtpTime {
        NtpClock::new(self.started, WALL).at(self.started)
    }

    /// Seconds since the beginning.
    pub fn seconds(&self) -> f64 {
        (self.now - self.started).as_secs_f64()
    }

    /// All runs have connected and have had time to get over their beginnings.
    pub fn warm_up(&mut self) {
        self.run_until(2.0, |it| it.pages.iter().all(|member| member.page.is_connected()));
        self.run(1.5);
    }

    /// The latest arrangement.
    pub fn placed(&self) -> &Placed {
        let placed = self.arranged.and_then(|at| match &self.events[at].1 {
            Event::Placed { placed, .. } => Some(placed),
            _ => None,
        });
        placed.expect("a room tells its arrangement")
    }

    pub fn layer_of(&self, member: usize) -> &Layer {
        let key = self.pages[member].key.0;
        let layer = self.placed().layers.iter().find(|layer| layer.source.is_some_and(|s| s.0 == key));
        layer.unwrap_or_else(|| panic!("not on the canvas: {:?}", self.placed()))
    }

    /// The middle of a member's layer.
    pub fn centre_of(&self, member: usize) -> (u32, u32) {
        let rect = self.layer_of(member).pixels(self.canvas);
        (rect.x + rect.width / 2, rect.y + rect.height / 2)
    }

    /// What a viewer sees now in the middle of a member's layer.
    pub fn sees(&self, viewer: usize, member: usize) -> Rgb {
        let (x, y) = self.centre_of(member);
        self.pages[viewer].page.seen.last().expect("it sees something").colour(x, y)
    }

    /// How loud a listener heard a tone, in decibels, between two moments of the server's clock, seconds: the median of
    /// short pieces, because stretching the sound turns its phase.
    pub fn hears(&self, listener: usize, hz: f64, from: f64, to: f64) -> f64 {
        self.hears_in_pieces(listener, hz, from, to, 4800)
    }

    /// The same in pieces of so many samples.
    pub fn hears_in_pieces(&self, listener: usize, hz: f64, from: f64, to: f64, samples: usize) -> f64 {
        let heard = self.pages[listener].page.heard(self.origin());
        let pcm: Vec<f32> = heard
            .filter(|(at, _)| (from..to).contains(at))
            .flat_map(|(_, pcm)| pcm.iter().copied())
            .collect();
        assert!(pcm.len() as f64 > (to - from) * 48_000.0 * 0.8, "heard only {} samples", pcm.len());
        let mut pieces: Vec<f64> = pcm.chunks_exact(samples).map(|piece| strength(piece, hz)).collect();
        pieces.sort_by(f64::total_cmp);
        crate::sound::db(pieces[pieces.len() / 2])
    }

    /// When a canvas frame was drawn, on the server's clock.
    pub fn drawn_at(&self, viewer: usize, timestamp: u32) -> f64 {
        self.pages[viewer].page.when(MediaKind::Video, timestamp, self.origin())
    }

    pub fn liveness_of(&self, member: usize) -> Vec<(u64, Liveness)> {
        let leg = self.pages[member].leg;
        let told = self.events.iter().filter_map(|(at, event)| match event {
            Event::LegLiveness { leg: of, liveness, .. } if *of == leg => Some((at.as_secs(), *liveness)),
            _ => None,
        });
        told.collect()
    }

    pub fn ended(&self, leg: LegKey) -> Option<&LegEnd> {
        self.events.iter().find_map(|(_, event)| match event {
            Event::LegEnded { leg: of, why, .. } if *of == leg => Some(why),
            _ => None,
        })
    }
}

impl Workers {
    fn start(&mut self, now: Instant, mut run: impl FnMut(Job) -> JobDone) {
        self.most = self.most.max(self.busy.len() + self.queue.len());
        while self.busy.len() < WORKERS
            && let Some(job) = self.queue.pop(now)
        {
            let takes = (self.cost)(&job);
            self.jobs += 1;
            self.busy.push(Reverse((now + takes, self.jobs)));
            self.done.insert(self.jobs, (takes, run(job)));
        }
    }

    fn next(&self) -> Option<Instant> {
        self.busy.peek().map(|Reverse((at, _))| *at)
    }

    fn finished(&mut self, now: Instant) -> Option<JobDone> {
        let Reverse((_, number)) = *self.busy.peek().filter(|Reverse((at, _))| *at <= now)?;
        self.busy.pop();
        let (took, done) = self.done.remove(&number)?;
        self.queue.finished(now, took);
        Some(done)
    }
}

/// A member as most are.
pub fn person() -> MemberConfig {
    MemberConfig {
        name: "Somebody".into(),
        kind: MemberKind::Member,
        parent: None,
        audience: false,
        audio_muted: false,
        video_muted: false,
        position: Position::Auto,
    }
}

/// Whether two colours are the same but for coding.
pub fn alike(a: Rgb, b: Rgb) -> bool {
    let far = |a: u8, b: u8| a.abs_diff(b) > 24;
    !(far(a.0, b.0) || far(a.1, b.1) || far(a.2, b.2))
}
