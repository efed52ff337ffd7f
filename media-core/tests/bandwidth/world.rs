//! A leg, a narrow link and a viewer who reports what comes.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use media_core::bandwidth::allocate::{Allocator, Choice, EncodingRates, Slot};
use media_core::bandwidth::{Bandwidth, Demand, Kind, Offered, Pacer};
use media_core::receive::TwccRecorder;
use media_core::rtcp::{self, Packet};
use media_core::units::{Bitrate, EncodingIndex, Ssrc};

use crate::link::{Link, Path, Rng};

pub(crate) const MS: Duration = Duration::from_millis(1);
const AUDIO_KBPS: u64 = 40;
const PACKET: usize = 1150;
/// Longer than anything is on its way.
const AUDIO_REMEMBERED: usize = 500;

/// What is sent beside the sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Video {
    /// A browser's camera in three encodings; the allocator chooses.
    Simulcast,
    /// An encoder that follows the target, up to this.
    Elastic { most_kbps: u64 },
    /// An encoder that sends so much, whatever is estimated; more could be used.
    Fixed { kbps: u64, most_kbps: u64 },
}

/// What was so at one moment; every 50 ms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) ms: u64,
    pub(crate) estimate: u64,
    pub(crate) queue_ms: f64,
    pub(crate) choice: Option<Choice>,
}

pub(crate) struct World {
    start: Instant,
    pub(crate) ms: u64,
    pub(crate) bandwidth: Bandwidth,
    pacer: Pacer<usize>,
    allocator: Allocator,
    video: Video,
    encodings: [EncodingRates; 3],
    choice: Option<Choice>,
    owes_key: bool,
    pub(crate) link: Link,
    rng: Rng,
    next_number: u16,
    viewer: TwccRecorder,
    /// Of the sound's numbers, when the viewer counts each transport by itself.
    listener: Option<TwccRecorder>,
    /// The latest numbers of sound.
    audio: VecDeque<u16>,
    path: Path,
    reports: VecDeque<(u64, Vec<u8>)>,
    pub(crate) samples: Vec<Sample>,
    pub(crate) padding: usize,
    pub(crate) sent: usize,
}

fn rates(kbps: [u64; 3]) -> EncodingRates {
    EncodingRates::new(&kbps.map(Bitrate::kbps))
}

impl World {
    pub(crate) fn new(path: Path, video: Video) -> Self {
        let start = Instant::now();
        Self {
            start,
            ms: 0,
            bandwidth: Bandwidth::new(start),
            pacer: Pacer::default(),
            allocator: Allocator::default(),
            video,
            encodings: [rates([60, 100, 150]), rates([300, 400, 500]), rates([900, 1200, 1700])],
            choice: None,
            owes_key: true,
            link: Link::new(path),
            rng: Rng::new(path.seed ^ 77),
            next_number: 60_000,
            viewer: TwccRecorder::default(),
            listener: None,
            audio: VecDeque::new(),
            path,
            reports: VecDeque::new(),
            samples: Vec::new(),
            padding: 0,
            sent: 0,
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.start + MS * u32::try_from(self.ms).unwrap()
    }

    /// The viewer counts sound and picture each by itself, as two transports without BUNDLE may.
    pub(crate) fn counted_apart(mut self) -> Self {
        self.listener = Some(TwccRecorder::default());
        self
    }

    /// Lets time pass over a link of this capacity.
    pub(crate) fn run(&mut self, seconds: u64, kbps: u64) {
        for _ in 0..seconds * 1000 {
            self.tick(kbps);
        }
    }

    /// Until something is so, at most so many seconds; gives the milliseconds it took.
    pub(crate) fn run_until(&mut self, seconds: u64, kbps: u64, done: impl Fn(&Sample) -> bool) -> u64 {
        let from = self.ms;
        while self.ms < from + seconds * 1000 {
            self.tick(kbps);
            if self.samples.last().is_some_and(|sample| sample.ms > from && done(sample)) {
                break;
            }
        }
        self.ms - from
    }

    fn tick(&mut self, kbps: u64) {
        self.ms += 1;
        let now = self.now();
        for number in self.link.tick(self.ms, kbps) {
            let apart = self.listener.as_mut().filter(|_| self.audio.contains(&number));
            apart.unwrap_or(&mut self.viewer).handle_packet(now, Ssrc(1), number);
        }
        let mut bytes = Vec::new();
        for recorder in [Some(&mut self.viewer), self.listener.as_mut()].into_iter().flatten() {
            while recorder.poll_feedback(now, Ssrc(2), &mut bytes) {
                self.reports.push_back((self.ms + self.path.rtt_ms / 2, std::mem::take(&mut bytes)));
            }
        }
        while self.reports.front().is_some_and(|(at, _)| *at <= self.ms) {
            let Some((_, bytes)) = self.reports.pop_front() else { break };
            for packet in rtcp::packets(&bytes) {
                let Packet::TransportCc(feedback) = packet else { panic!("{packet:?}") };
                self.bandwidth.on_feedback(now, &feedback);
            }
        }
        if self.ms.is_multiple_of(20) {
            self.send(Kind::Audio, 100);
            self.service();
        }
        if self.ms.is_multiple_of(33) {
            self.picture();
        }
        if self.ms.is_multiple_of(5) {
            while let Some(size) = self.pacer.poll(now) {
                self.put(Kind::Video, size);
            }
            let due = self.bandwidth.padding_due(now);
            self.pad(due);
        }
        if self.ms.is_multiple_of(50) {
            let estimate = self.bandwidth.estimate().map_or(0, |it| it.0 / 1000);
            let (queue_ms, choice) = (self.link.delay_ms(), self.choice);
            self.samples.push(Sample { ms: self.ms, estimate, queue_ms, choice });
        }
    }

    fn service(&mut self) {
        let now = self.now();
        self.bandwidth.on_tick(now);
        let target = self.bandwidth.target();
        self.pacer.set_estimate(target, Bitrate::kbps(1740));
        let audio = Bitrate::kbps(AUDIO_KBPS);
        let most = match self.video {
            Video::Simulcast => {
                let slot =
                    Slot { encodings: &self.encodings, largest: EncodingIndex(2), current: self.choice };
                let mut out = Vec::new();
                let budget = target.unwrap_or(Bitrate::kbps(600));
                let next = self.allocator.decide(now, budget, audio, &[slot], &mut out);
                if out[0].map(|it| it.encoding) != self.choice.map(|it| it.encoding) {
                    self.owes_key = true;
                }
                self.choice = out[0];
                self.bandwidth.set_demand(Demand { most: Bitrate::kbps(1740), next });
                return;
            }
            Video::Elastic { most_kbps } | Video::Fixed { most_kbps, .. } => most_kbps,
        };
        self.bandwidth.set_demand(Demand { most: Bitrate::kbps(most), next: None });
    }

    fn picture(&mut self) {
        let kbps = match (self.video, self.choice) {
            (Video::Simulcast, None) => return,
            (Video::Simulcast, Some(choice)) => {
                self.encodings[usize::from(choice.encoding.0)].whole().0 / 1000
                    * [50, 75, 100][usize::from(choice.temporal)]
                    / 100
            }
            (Video::Elastic { most_kbps }, _) => {
                let target = self.bandwidth.target().map_or(300, |it| it.0 / 1000);
                target.saturating_sub(AUDIO_KBPS).clamp(50, most_kbps)
            }
            (Video::Fixed { kbps, .. }, _) => kbps,
        };
        let key = std::mem::take(&mut self.owes_key);
        let bytes = kbps * 1000 / 8 / 30 * (80 + self.rng.below(41)) / 100 * if key { 5 } else { 1 };
        let mut left = usize::try_from(bytes).unwrap();
        let mut begins = true;
        while left > 0 {
            let size = left.min(PACKET);
            left -= size;
            match self.pacer.offer(self.now(), size, key && begins, || size) {
                Offered::Now => self.put(Kind::Video, size),
                Offered::Waits => {}
                Offered::Dropped => self.owes_key = true,
            }
            begins = false;
        }
    }

    fn pad(&mut self, due: usize) {
        let mut left = due;
        while left > 0 {
            // Repeats of real packets when much is needed, else what the padding field can count.
            let size = if left >= 600 { PACKET } else { left.clamp(100, 250) };
            left = left.saturating_sub(size);
            if self.send(Kind::Padding, size) {
                self.padding += size;
            }
        }
    }

    fn send(&mut self, kind: Kind, size: usize) -> bool {
        let passes = self.pacer.admits(self.now(), kind);
        if passes {
            self.put(kind, size);
        }
        passes
    }

    fn put(&mut self, kind: Kind, size: usize) {
        let number = self.next_number;
        self.next_number = number.wrapping_add(1);
        if kind == Kind::Audio {
            self.audio.push_back(number);
            self.audio.drain(..self.audio.len().saturating_sub(AUDIO_REMEMBERED));
        }
        self.sent += size;
        self.pacer.on_sent(self.now(), size);
        self.bandwidth.on_sent(self.now(), Some(number), size, kind);
        self.link.send(size, number);
    }

    /// Part of the capacity that was used since `from`, measured behind the queue.
    pub(crate) fn passed(&mut self) -> usize {
        std::mem::take(&mut self.link.passed)
    }

    pub(crate) fn since(&self, ms: u64) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |sample| sample.ms > ms)
    }
}
