//! One server, one case: everybody joins, windows are measured, the result is judged.
//!
//! in:  a driver, a case
//! out: [`Outcome`], or why it counts for nothing

use std::time::{Duration, Instant};

use serde::Serialize;

use super::LoadError;
use super::driver::{Driver, Joined, Whom};
use super::engine::{Engine, Plan, Profile, View};
use super::meter::{self, Window};
use super::source::{Pacing, Video};
use super::speech::Speech;

/// Patience with one join.
const PATIENCE: Duration = Duration::from_secs(15);
/// Above this share of a core we may have been what was slow.
const MOST_CLIENT: f64 = 0.30;
/// Packets that may be on the way when a window begins or ends: two frames of each stream.
const EDGE: f64 = 10.0;

/// Publishers of one case.
pub const MOST_PUBLISHERS: u16 = 50;
/// Subscribers of one case.
pub const MOST_SUBSCRIBERS: u16 = 500;
/// Packets a second to all subscribers together.
pub const MOST_RATE: f64 = 150_000.0;
/// Who reports may be given fewer streams than there are, as its path seems to carry; so much of them it must get.
const LEAST_DELIVERED: f64 = 0.75;

/// Seconds of all windows together.
pub const MOST_SECONDS: f64 = 600.0;

/// What is done.
#[derive(Clone, Debug)]
pub struct Case {
    /// Who publish.
    pub publishers: u16,
    /// Who only watch; without any, and without audience, all publishers watch each other.
    pub subscribers: u16,
    /// Who watch the composed picture, besides.
    pub audience: u16,
    /// Pictures per second.
    pub fps: u32,
    /// Packets of a picture.
    pub packets: u16,
    /// RTP payload bytes of a packet.
    pub payload: usize,
    /// Three encodings by RID instead of one.
    pub simulcast: bool,
    /// How a frame's packets follow each other.
    pub pacing: Pacing,
    /// Whether there is sound.
    pub audio: bool,
    /// What receivers report.
    pub feedback: Profile,
    /// How many receivers decrypt and compare.
    pub verified: u16,
    /// Joins a second; 0: one after another.
    pub join_rate: f64,
    /// Before the first window.
    pub settle: Duration,
    /// Of each window.
    pub window: Duration,
    /// How many.
    pub windows: u16,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            publishers: 1,
            subscribers: 50,
            audience: 0,
            fps: 30,
            packets: 5,
            payload: 1200,
            simulcast: false,
            pacing: Pacing::Burst,
            audio: false,
            feedback: Profile::None,
            verified: 2,
            join_rate: 0.0,
            settle: Duration::from_secs(3),
            window: Duration::from_secs(5),
            windows: 3,
        }
    }
}

/// What was measured.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outcome {
    /// Processor time of the server per packet that reached a receiver, µs, by window.
    pub cpu_us_per_packet: Vec<f64>,
    /// Processor time of the server, share of a core, by window.
    pub server: Vec<f64>,
    /// Ours, by window.
    pub client: Vec<f64>,
    /// Of the machine's processors, by window.
    pub machine: Vec<f64>,
    /// Of the kernel's deferred interrupts, by window.
    pub ksoftirqd: Vec<f64>,
    /// Packets a second that reached receivers, by window.
    pub packets_per_second: Vec<f64>,
    /// Packets that did not come in the windows.
    pub lost: u64,
    /// Packets that came, of those that were published for their receivers; `None` where they cannot be compared.
    pub delivered: Option<f64>,
    /// Payloads that were decrypted and found as sent.
    pub intact: u64,
    /// Payloads that were decrypted and found otherwise.
    pub damaged: u64,
    /// Milliseconds from the publisher's stamp to the receiver's socket, of the verifying.
    #[serde(skip)]
    pub delays_ms: Vec<f64>,
    /// Milliseconds from the beginning of signalling to DTLS.
    pub join_ms: Vec<f64>,
    /// Resident memory, kB: growth by receiver from before the first joined to the last window.
    pub memory_kb: f64,
    /// Threads of the server at the end.
    pub threads: u32,
    /// RTCP that receivers sent in the windows, by kind.
    pub reports: u64,
    /// Transport-wide feedback.
    pub transport_feedback: u64,
    /// Picture loss indications.
    pub picture_losses: u64,
    /// Sequence numbers asked for again.
    pub nacked: u64,
    /// What went wrong with peers or packets.
    pub faults: Vec<String>,
    /// How we ourselves may have been what was slow.
    pub bottleneck: Option<String>,
}

impl Outcome {
    /// Why the result counts for nothing.
    #[must_use]
    pub fn refused(&self) -> Option<&str> {
        self.faults.first().or(self.bottleneck.as_ref()).map(String::as_str)
    }
}

impl Case {
    /// Within the caps.
    ///
    /// # Errors
    /// [`LoadError::Refused`] says which cap.
    pub fn check(&self) -> Result<(), LoadError> {
        // A canvas counts as one camera.
        let streams = f64::from(self.streams()) * f64::from(self.receivers()) + f64::from(self.audience);
        let rate = f64::from(self.fps) * f64::from(self.packets) * streams;
        let seconds = self.window.as_secs_f64() * f64::from(self.windows) + self.settle.as_secs_f64();
        let wrong = [
            (
                self.publishers == 0 || self.publishers > MOST_PUBLISHERS,
                format!("1 to {MOST_PUBLISHERS} publishers"),
            ),
            (
                u32::from(self.subscribers) + u32::from(self.audience) > u32::from(MOST_SUBSCRIBERS),
                format!("at most {MOST_SUBSCRIBERS} subscribers and audience"),
            ),
            (
                self.watch_each_other() && self.publishers < 2,
                "subscribers, audience, or two publishers".to_owned(),
            ),
            (rate > MOST_RATE, format!("at most {MOST_RATE} packets a second to all, this is {rate}")),
            (seconds > MOST_SECONDS, format!("at most {MOST_SECONDS} s")),
            (
                !(1..=120).contains(&self.fps) || self.packets == 0,
                "1 to 120 frames a second of 1 packet or more".to_owned(),
            ),
            (!(100..=1300).contains(&self.payload), "100 to 1300 bytes of payload".to_owned()),
            (
                self.windows == 0 || self.window < Duration::from_millis(500),
                "one window or more, 0.5 s or more".to_owned(),
            ),
        ];
        match wrong.into_iter().find(|(is_wrong, _)| *is_wrong) {
            Some((_, cap)) => Err(LoadError::Refused(cap)),
            None => Ok(()),
        }
    }

    /// Video streams that each receiver gets.
    #[must_use]
    pub fn streams(&self) -> u16 {
        if self.watch_each_other() { self.publishers.saturating_sub(1) } else { self.publishers }
    }

    fn watch_each_other(&self) -> bool {
        self.subscribers == 0 && self.audience == 0
    }

    /// Who receive members' own streams.
    fn receivers(&self) -> u16 {
        if self.watch_each_other() { self.publishers } else { self.subscribers }
    }

    fn publisher(&self, n: u16) -> Result<Plan, LoadError> {
        let seed = u32::from(n) + 1;
        let video = match self.simulcast {
            true => Video::simulcast(seed, self.fps, self.payload)?,
            false => Video::single(seed, self.fps, self.packets, self.payload)?,
        };
        Ok(Plan {
            video: Some(Video { pacing: self.pacing, ..video }),
            audio: self.audio.then(|| Speech::new(seed)).transpose()?,
            ..self.receiver(n, if self.watch_each_other() { self.streams() } else { 0 })
        })
    }

    fn receiver(&self, n: u16, streams: u16) -> Plan {
        Plan {
            video: None,
            audio: None,
            video_slots: u8::try_from(streams).unwrap_or(u8::MAX),
            hears: self.audio && streams > 0,
            verifies: n < self.verified && streams > 0,
            feedback: if streams > 0 { self.feedback } else { Profile::None },
            h264: false,
        }
    }
}

/// Runs a case against a fresh server.
///
/// # Errors
/// [`LoadError`]: nothing could be measured.
pub async fn run<D: Driver>(driver: &mut D, case: &Case) -> Result<Outcome, LoadError> {
    case.check()?;
    let engine = Engine::start()?;
    let mut room = Room {
        driver,
        case,
        engine: &engine,
        publishers: Vec::new(),
        receivers: Vec::new(),
        audience: Vec::new(),
    };
    let mut outcome = Outcome::default();
    let empty = room.join(&mut outcome).await?;
    room.flows().await?;
    tokio::time::sleep(case.settle).await;
    room.measure(empty, &mut outcome).await?;
    Ok(outcome)
}

/// Everybody who is there.
struct Room<'a, D> {
    driver: &'a mut D,
    case: &'a Case,
    engine: &'a Engine,
    publishers: Vec<Joined>,
    receivers: Vec<Joined>,
    audience: Vec<Joined>,
}

impl<D: Driver> Room<'_, D> {
    /// The server's memory before the first receiver came, kB.
    async fn join(&mut self, outcome: &mut Outcome) -> Result<f64, LoadError> {
        let case = self.case;
        let is_bare = self.driver.pid().is_err();
        let all_in_one = case.watch_each_other() && self.driver.is_one_connection();
        let mut empty = None;
        if !is_bare {
            if all_in_one {
                empty = Some(self.memory()?);
            }
            for n in 0..case.publishers {
                let joined = self.driver.publish(self.engine, case.publisher(n)?).await?;
                self.connected(joined, "a publisher's connection", outcome, all_in_one).await?;
                self.publishers.push(joined);
            }
            if all_in_one {
                self.receivers.clone_from(&self.publishers);
            }
            // Buffers that grow with the first pictures are the publishers'.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let empty = match empty {
            Some(empty) => empty,
            None if is_bare => f64::NAN,
            None => self.memory()?,
        };
        if !all_in_one {
            self.subscribe(is_bare, outcome).await?;
        }
        for _ in 0..case.audience {
            let plan = Plan { verifies: false, ..case.receiver(0, 1) };
            let joined = self.driver.watch_canvas(self.engine, plan).await?;
            self.connected(joined, "the connection of somebody in the audience", outcome, true).await?;
            self.audience.push(joined);
        }
        self.driver.begin()?;
        Ok(empty)
    }

    async fn subscribe(&mut self, is_bare: bool, outcome: &mut Outcome) -> Result<(), LoadError> {
        let case = self.case;
        // The bare sender knows one stream: a receiver of seven is seven receivers to it.
        let receivers = if is_bare { case.receivers() * case.streams() } else { case.receivers() };
        let begin = Instant::now();
        for n in 0..receivers {
            if case.join_rate > 0.0 {
                let due = begin + Duration::from_secs_f64(f64::from(n) / case.join_rate);
                tokio::time::sleep_until(due.into()).await;
            }
            let whom = if case.watch_each_other() { Whom::AllBut(usize::from(n)) } else { Whom::All };
            let plan = case.receiver(n, case.streams());
            let plan = Plan { verifies: plan.verifies && self.driver.forwards(), ..plan };
            let joined = self.driver.subscribe(self.engine, plan, whom).await?;
            if !is_bare {
                self.connected(joined, "a subscriber's connection", outcome, true).await?;
            }
            self.receivers.push(joined);
        }
        Ok(())
    }

    async fn connected(
        &self,
        joined: Joined,
        what: &str,
        outcome: &mut Outcome,
        counts: bool,
    ) -> Result<(), LoadError> {
        let view = self.engine.until(joined.peer, what, PATIENCE, |view| view.connected.is_some()).await?;
        if let Some(connected) = view.connected.filter(|_| counts) {
            let took = connected.saturating_duration_since(joined.begun);
            outcome.join_ms.push(took.as_secs_f64() * 1e3);
        }
        Ok(())
    }

    /// Until everybody got a first packet.
    async fn flows(&self) -> Result<(), LoadError> {
        for joined in self.receivers.iter().chain(&self.audience) {
            self.engine.until(joined.peer, "a first packet", PATIENCE, |view| view.video > 0).await?;
        }
        Ok(())
    }

    fn memory(&self) -> Result<f64, LoadError> {
        Ok(meter::read(self.driver.pid()?)?.rss_kb)
    }

    async fn measure(&mut self, empty: f64, outcome: &mut Outcome) -> Result<(), LoadError> {
        let case = self.case;
        let pid = self.driver.pid()?;
        let mut before = (self.engine.look().await?, meter::read(pid)?);
        let begin = before.0.clone();
        for _ in 0..case.windows {
            tokio::time::sleep(case.window).await;
            let after = (self.engine.look().await?, meter::read(pid)?);
            let window = meter::window(&before.1, &after.1);
            self.take(&before.0, &after.0, &window, outcome);
            before = after;
        }
        let (views, reading) = before;
        let receivers = self.receivers.len() + self.audience.len();
        let receivers = f64::from(u16::try_from(receivers).unwrap_or(u16::MAX)).max(1.0);
        outcome.memory_kb = (reading.rss_kb - empty) / receivers;
        outcome.threads = reading.threads;
        self.judge(&begin, &views, outcome);
        Ok(())
    }

    /// One window.
    fn take(&self, before: &[View], after: &[View], window: &Window, outcome: &mut Outcome) {
        let of = |views: &[View], count: &dyn Fn(&View) -> u64| views.iter().map(count).sum::<u64>();
        let rise = |count: &dyn Fn(&View) -> u64| of(after, count).saturating_sub(of(before, count));
        let packets = number(rise(&|view| view.video + view.audio));
        outcome.cpu_us_per_packet.push(window.server_us / packets);
        outcome.server.push(window.server_us / 1e6 / window.seconds);
        outcome.client.push(window.client);
        outcome.machine.push(window.machine);
        outcome.ksoftirqd.push(window.ksoftirqd);
        outcome.packets_per_second.push(packets / window.seconds);
        outcome.lost += rise(&|view| view.lost);
        outcome.intact += rise(&|view| view.verified.intact);
        outcome.damaged += rise(&|view| view.verified.damaged);
        outcome.delays_ms.extend(after.iter().flat_map(|view| &view.verified.delays_ms));
        outcome.reports += rise(&|view| view.said.reports);
        outcome.transport_feedback += rise(&|view| view.said.transport);
        outcome.picture_losses += rise(&|view| view.said.picture_losses);
        outcome.nacked += rise(&|view| view.said.nacked);
    }

    fn judge(&self, begin: &[View], end: &[View], outcome: &mut Outcome) {
        let case = self.case;
        let is_lossy = matches!(case.feedback, Profile::Lossy { .. });
        let busiest = outcome.client.iter().copied().fold(0.0, f64::max);
        let fewest = outcome.packets_per_second.iter().copied().fold(f64::INFINITY, f64::min);
        let failed = end.iter().find_map(|view| view.error.as_ref());
        let is_whole = self.driver.forwards() && !case.simulcast && !is_lossy;
        let (missing, delivered) = self.missing(begin, end);
        outcome.delivered = delivered.filter(|_| is_whole);
        let is_free =
            case.feedback != Profile::None && delivered.is_some_and(|share| share >= LEAST_DELIVERED);
        let missing = missing.filter(|_| is_whole && !is_free);
        let verified = case.verified > 0 && self.driver.forwards() && !self.receivers.is_empty();
        let silent = self.audience.iter().filter(|joined| {
            let of = |views: &[View]| views.get(joined.peer.index()).map_or(0, |view| view.video);
            of(end) <= of(begin)
        });
        let silent = silent.count();
        let reasons = [
            failed.map(|error| format!("a peer ended: {error}")),
            (fewest <= 0.0).then(|| "nothing came".to_owned()),
            (silent > 0).then(|| format!("{silent} of the audience got no picture")),
            (outcome.lost > 0 && !is_lossy).then(|| format!("{} packets were lost", outcome.lost)),
            missing,
            (outcome.damaged > 0).then(|| format!("{} payloads were not as sent", outcome.damaged)),
            (verified && outcome.intact == 0).then(|| "no payload was verified".to_owned()),
        ];
        outcome.faults = reasons.into_iter().flatten().collect();
        outcome.bottleneck = (busiest > MOST_CLIENT)
            .then(|| format!("the load tester itself took {:.0} % of a core", busiest * 100.0));
    }

    /// Who got less than was published for it in all windows, and how much all got together.
    fn missing(&self, begin: &[View], end: &[View]) -> (Option<String>, Option<f64>) {
        let rise = |n: usize, count: &dyn Fn(&View) -> u64| {
            let of = |views: &[View]| views.get(n).map_or(0, count);
            number(of(end).saturating_sub(of(begin)))
        };
        let index = |joined: &Joined| joined.peer.index();
        let published: Vec<f64> =
            self.publishers.iter().map(|p| rise(index(p), &|view| view.published)).collect();
        let all: f64 = published.iter().sum();
        let counts = self.receivers.iter().enumerate().map(|(n, receiver)| {
            let own =
                if self.case.watch_each_other() { published.get(n).copied().unwrap_or(0.0) } else { 0.0 };
            (rise(index(receiver), &|view| view.video), all - own)
        });
        let counts: Vec<(f64, f64)> = counts.collect();
        let edge = EDGE * f64::from(self.case.streams());
        let short = counts.iter().enumerate().find(|(_, (got, wanted))| got + edge < *wanted);
        let (got, wanted) =
            counts.iter().fold((0.0, 0.0), |(got, wanted), (g, w)| (got + g.min(*w), wanted + w));
        let missing = short.map(|(n, (got, wanted))| format!("receiver {n} got {got} of {wanted} packets"));
        (missing, (wanted > 0.0).then_some(got / wanted))
    }
}

/// A count as a number: none here comes near 2⁵³.
#[allow(clippy::cast_precision_loss, reason = "see above")]
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_hold() {
        let check = |case: Case| case.check().err().map(|error| error.to_string());
        assert_eq!(check(Case::default()), None);
        assert_eq!(check(Case { subscribers: 0, audience: 1, ..Case::default() }), None);
        let wrong = [
            Case { publishers: 0, ..Case::default() },
            Case { publishers: 51, ..Case::default() },
            Case { subscribers: 501, ..Case::default() },
            Case { subscribers: 0, ..Case::default() },
            Case { subscribers: 300, audience: 201, ..Case::default() },
            Case { subscribers: 500, publishers: 10, ..Case::default() },
            Case { fps: 0, ..Case::default() },
            Case { payload: 1_400, ..Case::default() },
            Case { windows: 0, ..Case::default() },
            Case { window: Duration::from_secs(601), ..Case::default() },
        ];
        for case in wrong {
            let said = check(case.clone());
            assert!(said.as_ref().is_some_and(|said| said.starts_with("refused")), "{case:?}: {said:?}");
        }
    }
}
