//! A server, its tile pages, and the network between them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use layouts::{LayoutId, Position, Size};
use media_core::mix::audio::{AudioOutput, AudioPlane};
use media_core::room::{
    Action, Command, Event, MemberConfig, MemberKind, Receive, RoomConfig, TileAudio, TileConfig, Tiles,
};
use media_core::sdp::Offer;
use media_core::shard::{Input, Output, Shard, ShardConfig};
use media_core::transport::{Candidate, Identity};
use media_core::units::{LegKey, MemberKey, RoomKey};

use crate::camera::Coding;
use crate::microphone::Sound;
use crate::page::{Page, Setup};
use crate::sim::link::{Impairment, Link};
use crate::sim::server_address;

const ROOM: RoomKey = RoomKey(1);

pub struct Seat {
    pub key: MemberKey,
    pub leg: LegKey,
    pub page: Page,
}

pub struct Hall {
    pub now: Instant,
    pub started: Instant,
    pub shard: Shard,
    plane: AudioPlane,
    pub link: Link,
    pub seats: Vec<Seat>,
    pub events: Vec<(Duration, Event)>,
    /// Whether publishers do as they are told about encodings.
    pub dynacast: bool,
    /// Whether pages that join tell of packets' arrivals.
    pub estimated: bool,
    /// What media costs the shard on its way in and out, as far as somebody counts.
    pub cost: Cost,
    /// What cameras of pages that join encode with.
    pub coding: Coding,
    /// Pages that join do not know dependency descriptors.
    pub undescribed: bool,
}

/// Something that is counted while media is handled and while what waits is sealed.
#[derive(Default)]
pub struct Cost {
    /// Gives the count so far.
    pub counter: Option<fn() -> u64>,
    /// What came at one moment.
    pub each: Vec<Burst>,
    burst: Burst,
}

/// Datagrams of media that came together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Burst {
    pub packets: usize,
    /// Datagrams that went out for them.
    pub out: usize,
    pub count: u64,
}

impl Cost {
    pub fn counting(counter: fn() -> u64) -> Self {
        Self { counter: Some(counter), ..Self::default() }
    }

    fn now(&self) -> u64 {
        self.counter.map_or(0, |counter| counter())
    }
}

impl Hall {
    pub fn new(seed: u64) -> Self {
        let now = Instant::now();
        let config = ShardConfig {
            candidates: Candidate::of(&[server_address().ip()], server_address().port(), false),
            wall: Duration::from_secs(1_700_000_000),
            seed,
        };
        let mut hall = Self {
            now,
            started: now,
            shard: Shard::new(now, Arc::new(Identity::generate().unwrap()), config),
            plane: AudioPlane::new(now),
            link: Link::new(seed, Impairment::LOOPBACK),
            seats: Vec::new(),
            events: Vec::new(),
            dynacast: true,
            estimated: true,
            cost: Cost::default(),
            coding: Coding::Vp8,
            undescribed: false,
        };
        let canvas = Size { width: 1280, height: 720 };
        hall.act(Action::OpenRoom(RoomConfig { canvas, fps: 30, layout: LayoutId::GRID_RESPONSIVE }));
        hall
    }

    pub fn act(&mut self, action: Action) {
        self.shard.handle(self.now, Input::Command(Command { room: ROOM, action }));
        self.settle();
    }

    /// A member joins in tile mode; gives its number.
    pub fn join(&mut self, setup: Setup) -> usize {
        let slots = setup.slots.max(1);
        let receive = Receive::Tiles(TileConfig { video_slots: slots, audio: TileAudio::Mix });
        self.join_to(setup, receive)
    }

    pub fn join_to(&mut self, setup: Setup, receive: Receive) -> usize {
        self.join_with(setup, Sound::default(), receive)
    }

    pub fn join_with(&mut self, setup: Setup, sound: Sound, receive: Receive) -> usize {
        let number = self.seats.len();
        let key = MemberKey(number as u32 + 1);
        let config = MemberConfig {
            name: "somebody".into(),
            kind: MemberKind::Member,
            parent: None,
            audience: setup.encodings == 0 && !sound.speaks,
            audio_muted: false,
            video_muted: false,
            position: Position::Auto,
        };
        self.act(Action::AddMember { member: key, config });
        let leg = LegKey(number as u32 + 1);
        let mut page = Page::new(self.now, number as u32 + 1, key.0 as u8, setup);
        page.sound = sound;
        page.coding = self.coding;
        if self.undescribed {
            page.ids.dependency = 0;
        }
        page.is_estimated = self.estimated;
        let offer = Box::new(Offer::parse_many(&page.offer()).unwrap());
        self.act(Action::OpenLeg { member: key, leg, offer, bundle: true, receive });
        page.answered(self.now, &self.answer(leg));
        self.seats.push(Seat { key, leg, page });
        number
    }

    pub fn set_viewport(&mut self, seat: usize, width: u32, height: u32) {
        let leg = self.seats[seat].leg;
        self.act(Action::SetViewport { leg, size: Size { width, height } });
    }

    fn answer(&self, leg: LegKey) -> String {
        let answer = self.events.iter().rev().find_map(|(_, event)| match event {
            Event::LegAnswered { leg: of, sdp, .. } if *of == leg => Some(sdp.clone()),
            _ => None,
        });
        answer.unwrap_or_else(|| panic!("no answer: {:?}", self.events))
    }

    /// What a tile leg was told last.
    pub fn tiles(&self, seat: usize) -> &Tiles {
        let leg = self.seats[seat].leg;
        let tiles = self.events.iter().rev().find_map(|(_, event)| match event {
            Event::Tiles { leg: of, tiles, .. } if *of == leg => Some(tiles),
            _ => None,
        });
        tiles.expect("a tile leg is told")
    }

    /// In which slot one sees another.
    pub fn slot_of(&self, viewer: usize, member: usize) -> Option<u8> {
        let key = self.seats[member].key;
        self.tiles(viewer).video.iter().find(|tile| tile.member == key)?.slot
    }

    pub fn run(&mut self, seconds: f64) {
        self.run_to(self.now + Duration::from_secs_f64(seconds));
    }

    pub fn connect_all(&mut self) {
        for _ in 0..2000 {
            if self.seats.iter().all(|seat| seat.page.is_connected()) {
                return;
            }
            self.run(0.005);
        }
        panic!("not all have connected");
    }

    fn run_to(&mut self, end: Instant) {
        loop {
            self.settle();
            let Some(next) = self.next_happening().filter(|next| *next <= end) else { break };
            self.now = next.max(self.now);
            while let Some(datagram) = self.link.receive(self.now) {
                self.deliver(datagram.from, datagram.to, datagram.bytes);
            }
            self.end_burst();
            if self.deadline().is_some_and(|at| at <= self.now) {
                self.shard.handle(self.now, Input::Timeout);
            }
            for seat in &mut self.seats {
                seat.page.handle_timeout(self.now);
            }
        }
        self.now = end;
    }

    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, mut bytes: Vec<u8>) {
        if to == server_address() {
            // RFC 7983, RFC 5761: RTP.
            let is_media = bytes[0] >> 6 == 2 && !(192..224).contains(&bytes[1]);
            if is_media && self.cost.burst.packets == 0 && self.cost.counter.is_some() {
                self.settle();
            }
            let before = self.cost.now();
            self.shard.handle(self.now, Input::Datagram { from: from.into(), bytes: &mut bytes });
            if is_media {
                self.cost.burst.packets += 1;
                self.cost.burst.count += self.cost.now() - before;
            }
            return;
        }
        if let Some(seat) = self.seats.iter_mut().find(|seat| seat.page.browser.has_address(to)) {
            seat.page.browser.receive(self.now, to, bytes);
            seat.page.take_received(self.now);
        }
    }

    /// What goes out for the media that came at this moment.
    fn end_burst(&mut self) {
        let burst = std::mem::take(&mut self.cost.burst);
        if burst.packets > 0 && self.cost.counter.is_some() {
            let before = self.cost.now();
            let out = self.shard.outbox().len();
            let count = burst.count + self.cost.now() - before;
            self.cost.each.push(Burst { out, count, ..burst });
        }
    }

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
        let pages = self.seats.iter().filter_map(|seat| seat.page.poll_timeout()).min();
        [self.link.poll_timeout(), shard, pages].into_iter().flatten().chain([audio]).min()
    }

    fn settle(&mut self) {
        loop {
            match self.shard.poll() {
                Output::Event(event) => {
                    self.follow(&event);
                    self.events.push((self.now - self.started, event));
                }
                Output::Disconnect(_) => panic!("nobody comes by TCP"),
                Output::Job(_) => panic!("nothing is decoded where nobody watches a canvas"),
                Output::Audio(input) => self.plane.handle(self.now, input),
                Output::Idle { .. } => match self.plane.poll(self.now) {
                    AudioOutput::Idle { .. } => break,
                    output => self.shard.handle(self.now, Input::Audio(output)),
                },
            }
        }
        for (to, bytes) in self.shard.outbox().datagrams() {
            self.link.send(self.now, server_address(), to, bytes.to_vec());
        }
        self.shard.outbox().clear();
        for seat in &mut self.seats {
            while let Some((from, bytes)) = seat.page.browser.poll_transmit() {
                self.link.send(self.now, from, server_address(), bytes);
            }
        }
    }

    fn follow(&mut self, event: &Event) {
        if let Event::Wanted { leg, encodings, .. } = event
            && self.dynacast
        {
            let seat = self.seats.iter_mut().find(|seat| seat.leg == *leg);
            let Some(camera) = seat.and_then(|seat| seat.page.camera.as_mut()) else { return };
            encodings.iter().for_each(|wanted| camera.set_active(&wanted.rid.0, wanted.active));
        }
    }
}
