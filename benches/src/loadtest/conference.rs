//! A conference by sound alone: all send and hear the mix, some of them talk.
//!
//! in:  how to join a server, how many, who talks
//! out: [`Heard`]: processor time of the server, and the proof that it mixed
//!
//! Two who talk have a faint tone in their voices. The last member must find both in what it hears, the first, whose
//! tone one of them is, only the other.

use std::time::{Duration, Instant};

use super::LoadError;
use super::driver::Joined;
use super::engine::{Engine, Plan, View};
use super::meter;
use super::speech::{self, Speech, Voices};

const PATIENCE: Duration = Duration::from_secs(15);
/// Above this share of a core we may have been what was slow.
const MOST_CLIENT: f64 = 0.35;
const PACKETS_PER_SECOND: f64 = 50.0;
/// Tones of the first two who talk, above most of what a hundred voices have.
const PILOTS: [f32; 2] = [4_300.0, 5_700.0];
/// By how much a tone stands out that is there, and one that is not.
const IS_THERE_DB: f32 = 10.0;
const IS_NOT_DB: f32 = 6.0;
/// Packets between the places in the loop at which members begin.
const APART: usize = 37;

/// How many take part.
#[derive(Clone, Copy, Debug)]
pub struct Conference {
    /// All.
    pub members: u16,
    /// Those that talk; at least two.
    pub talking: u16,
    /// Before the first window.
    pub settle: Duration,
    /// Of each window.
    pub window: Duration,
    /// How many windows.
    pub windows: u16,
}

/// How to join one kind of server.
pub trait Mixer {
    /// The process that is measured.
    fn pid(&self) -> u32;

    /// Joins a member that sends and hears.
    fn converse(
        &mut self,
        engine: &Engine,
        plan: Plan,
    ) -> impl Future<Output = Result<Joined, LoadError>> + Send;
}

/// What was measured.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// Processor time of the server, share of a core, by window.
    pub server: Vec<f64>,
    /// Ours, by window.
    pub client: Vec<f64>,
    /// Of the machine's processors, by window.
    pub machine: Vec<f64>,
    /// Resident memory per member, kB.
    pub memory_kb: f64,
    /// Mean payload of a packet that the server sent, bytes.
    pub payload: f64,
    /// Why the result counts for nothing.
    pub faults: Vec<String>,
}

/// What members send, coded once for all servers.
#[derive(Debug)]
pub struct Sounds {
    talkers: Vec<Speech>,
    others: Vec<Speech>,
    silence: Speech,
}

impl Sounds {
    /// Has them read and coded.
    ///
    /// # Errors
    /// When a program is missing.
    pub fn new() -> Result<Self, LoadError> {
        let voices = Voices::read()?;
        let talkers = PILOTS.iter().enumerate().map(|(n, hertz)| voices.speech(n, Some(*hertz)));
        let others = (0..4).map(|n| voices.speech(n, None));
        Ok(Self {
            talkers: talkers.collect::<Result<_, _>>()?,
            others: others.collect::<Result<_, _>>()?,
            silence: Speech::silence()?,
        })
    }

    /// Mean payload bytes of a voice and of silence.
    #[must_use]
    pub fn bytes(&self) -> (usize, usize) {
        (self.others.first().map_or(0, Speech::bytes), self.silence.bytes())
    }

    fn of(&self, member: u16, talking: u16) -> Speech {
        let n = usize::from(member);
        let silence = &self.silence;
        let voice = self.talkers.get(n).or_else(|| self.others.get(n % self.others.len().max(1)));
        let sound = if member < talking { voice.unwrap_or(silence) } else { silence };
        sound.from(n * APART)
    }
}

/// Runs a conference on a fresh server.
///
/// # Errors
/// [`LoadError`]: nothing could be measured.
pub async fn run<M: Mixer>(
    mixer: &mut M,
    conference: &Conference,
    sounds: &Sounds,
) -> Result<Heard, LoadError> {
    if !(2..=200).contains(&conference.members) || conference.talking < 2 {
        return Err(LoadError::Refused("2 to 200 members, two of whom talk".to_owned()));
    }
    let engine = Engine::start()?;
    let empty = meter::read(mixer.pid())?.rss_kb;
    let mut joined = Vec::new();
    for n in 0..conference.members {
        let plan = Plan {
            audio: Some(sounds.of(n, conference.talking)),
            hears: true,
            verifies: n == 0 || n + 1 == conference.members,
            ..Plan::default()
        };
        let member = mixer.converse(&engine, plan).await?;
        engine.until(member.peer, "a member's connection", PATIENCE, |view| view.connected.is_some()).await?;
        joined.push(member);
    }
    for member in &joined {
        engine.until(member.peer, "sound", PATIENCE, |view| view.audio > 0).await?;
    }
    tokio::time::sleep(conference.settle).await;
    let mut heard = measure(mixer.pid(), &engine, conference, empty).await?;
    let of = |member: Option<&Joined>| member.map(|joined| joined.peer).ok_or(LoadError::Ended);
    let first = engine.heard(of(joined.first())?).await?;
    let last = engine.heard(of(joined.last())?).await?;
    heard.payload = mean_payload(&last);
    heard.faults.extend(unmixed(&speech::decode(&first)?, &speech::decode(&last)?));
    Ok(heard)
}

async fn measure(pid: u32, engine: &Engine, conference: &Conference, empty: f64) -> Result<Heard, LoadError> {
    let mut heard = Heard::default();
    let mut before = (engine.look().await?, meter::read(pid)?);
    let (begin, begun) = (before.0.clone(), Instant::now());
    for _ in 0..conference.windows {
        tokio::time::sleep(conference.window).await;
        let after = (engine.look().await?, meter::read(pid)?);
        let window = meter::window(&before.1, &after.1);
        heard.server.push(window.server_us / 1e6 / window.seconds);
        heard.client.push(window.client);
        heard.machine.push(window.machine);
        before = after;
    }
    heard.memory_kb = (before.1.rss_kb - empty) / f64::from(conference.members);
    heard.faults = faults(&begin, &before.0, begun.elapsed().as_secs_f64());
    let busiest = heard.client.iter().copied().fold(0.0, f64::max);
    if busiest > MOST_CLIENT {
        heard.faults.push(format!("the load tester itself took {:.0} % of a core", busiest * 100.0));
    }
    Ok(heard)
}

fn faults(begin: &[View], end: &[View], seconds: f64) -> Vec<String> {
    let mut faults: Vec<String> = end
        .iter()
        .filter_map(|view| view.error.as_ref())
        .map(|error| format!("a peer ended: {error}"))
        .collect();
    let rise = |count: &dyn Fn(&View) -> u64| {
        let of = |view: &View| u32::try_from(count(view)).unwrap_or(u32::MAX);
        begin
            .iter()
            .zip(end)
            .map(|(begin, end)| f64::from(of(end)) - f64::from(of(begin)))
            .collect::<Vec<_>>()
    };
    let lost: f64 = rise(&|view| view.lost).iter().sum();
    if lost > 0.0 {
        faults.push(format!("{lost} packets were lost"));
    }
    let wanted = seconds * PACKETS_PER_SECOND;
    let fewest = rise(&|view| view.audio).into_iter().fold(f64::INFINITY, f64::min);
    if fewest < 0.96 * wanted - 4.0 {
        faults.push(format!("somebody got {fewest} packets of {wanted:.0}"));
    }
    faults
}

fn unmixed(first: &[f32], last: &[f32]) -> Option<String> {
    let [of_first, of_second] = PILOTS;
    let found = [(first, of_first), (first, of_second), (last, of_first), (last, of_second)]
        .map(|(pcm, hertz)| speech::stands_out_db(pcm, hertz));
    let [own, other, one, two] = found;
    let is_mixed = own < IS_NOT_DB && [other, one, two].iter().all(|db| *db > IS_THERE_DB);
    (!is_mixed).then(|| {
        format!("not mixed: the first hears itself at {own:.1} dB and the second at {other:.1} dB, the last both at {one:.1} and {two:.1} dB")
    })
}

fn mean_payload(packets: &[std::sync::Arc<[u8]>]) -> f64 {
    let sizes: Vec<f64> =
        packets.iter().map(|packet| f64::from(u16::try_from(packet.len()).unwrap_or(u16::MAX))).collect();
    sizes.iter().sum::<f64>() / (sizes.len().max(1) as f64)
}
