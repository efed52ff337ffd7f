//! `signalbox-loadtest`: how much a video room server can carry, and what each packet costs it.

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use benches::janus::Tuning;
use benches::loadtest::audio;
use benches::loadtest::engine::Profile;
use benches::loadtest::floor::{self, Floor, Way};
use benches::loadtest::forward;
use benches::loadtest::janus::Janus;
use benches::loadtest::scenario::{Case, Outcome, run};
use benches::loadtest::signalbox::{Entrance, Receive, Signalbox};
use benches::loadtest::source::Pacing;
use benches::mixing;
use benches::report::{percentile, publish};
use benches::turns::Compared;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Loads a video room server on this machine and measures what that costs it.
///
/// Peers are sockets of one thread that speak ICE, DTLS and SRTP. Publishers send synthetic VP8 that a decoder shows
/// (1.5 Mbit/s by default); receivers count packets, and a few decrypt and compare every byte. Servers are started fresh,
/// on loopback only, and stopped again. A result is refused when packets were lost or when the load tester itself
/// may have been what was slow.
#[derive(Parser)]
#[command(name = "signalbox-loadtest", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// One server, one case.
    ///
    /// Example: one publisher, 200 subscribers that report as browsers do:
    /// signalbox-loadtest run --subscribers 200 --feedback browser
    Run(Box<Run>),
    /// Signalbox, Janus and the bare sender in turns; writes forward.json.
    Forward(Compare),
    /// Conferences by sound on Signalbox and on Janus' AudioBridge in turns; writes audio.json.
    Audio(Compare),
    /// Composing a canvas by Signalbox, ffmpeg and GStreamer in turns; writes mix.json.
    Mix(Mix),
    /// Our composer alone: decodes, composes, codes.
    #[command(hide = true)]
    Compose(Compose),
    /// The bare sender: seals packets and sends them to ports of this machine.
    #[command(hide = true)]
    Floor(Bare),
}

#[derive(Args)]
struct Run {
    /// The server to load.
    #[arg(long, value_enum, default_value = "signalbox")]
    server: Server,
    /// Signalbox' program; else `signalbox` beside this one.
    #[arg(long)]
    program: Option<PathBuf>,
    /// How peers come into Signalbox.
    #[arg(long, value_enum, default_value = "sdk")]
    driver: Entrance,
    /// Peers that publish (1 to 50).
    #[arg(long, default_value_t = 1)]
    publishers: u16,
    /// Peers that only watch (up to 500); with 0, and without audience, all publishers watch each other.
    #[arg(long, default_value_t = 50)]
    subscribers: u16,
    /// Peers that watch the composed picture, besides (Signalbox only).
    #[arg(long, default_value_t = 0)]
    audience: u16,
    /// What receivers report: nothing; as a browser (a report and ten transport-wide feedbacks a second); or the same where
    /// packets are lost (see --loss), which they ask for again.
    #[arg(long, value_enum, default_value = "none")]
    feedback: Feedback,
    /// Packets that receivers throw away, in per cent, with `--feedback lossy`.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=50))]
    loss: u8,
    /// Pictures per second.
    #[arg(long, default_value_t = 30)]
    fps: u32,
    /// Packets of a picture.
    #[arg(long, default_value_t = 5)]
    packets: u16,
    /// RTP payload bytes of a packet.
    #[arg(long, default_value_t = 1200)]
    payload: usize,
    /// Publish three encodings (90p, 180p, 360p) with RIDs q, h and f.
    #[arg(long)]
    simulcast: bool,
    /// A picture's packets 2.5 ms apart instead of back to back.
    #[arg(long)]
    paced: bool,
    /// Sound as well: speech that pauses for 2 of every 6 seconds.
    #[arg(long)]
    audio: bool,
    /// Receivers that decrypt and compare.
    #[arg(long, default_value_t = 2)]
    verified: u16,
    /// Joins a second; 0 joins the next when the one before is connected.
    #[arg(long, default_value_t = 0.0)]
    join_rate: f64,
    /// Seconds before the first window.
    #[arg(long, default_value_t = 3.0)]
    settle: f64,
    /// Seconds of a window.
    #[arg(long, default_value_t = 5.0)]
    window: f64,
    /// Windows.
    #[arg(long, default_value_t = 3)]
    windows: u16,
    /// The result as one line of JSON instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Compare {
    /// Signalbox' program; else `signalbox` beside this one.
    #[arg(long)]
    program: Option<PathBuf>,
    /// Folder of the results.
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
    /// Times that every server has its turn in every case.
    #[arg(long, default_value_t = 2)]
    rounds: u16,
    /// Seconds of a window, of which each turn has two.
    #[arg(long, visible_alias = "seconds", default_value_t = 3.0)]
    window: f64,
    /// Only cases whose name contains this.
    #[arg(long)]
    only: Option<String>,
}

#[derive(Args)]
struct Mix {
    /// Folder with bigbuckbunny.mp4 and bikes.mp4.
    #[arg(long)]
    footage: PathBuf,
    /// Folder of the results.
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
    /// Times that each has its turn in every case.
    #[arg(long, default_value_t = 2)]
    rounds: u16,
    /// Canvas frames of a run.
    #[arg(long, default_value_t = 180)]
    frames: u32,
    /// Only cases whose name contains this.
    #[arg(long)]
    only: Option<String>,
}

#[derive(Args)]
struct Compose {
    #[arg(long, value_enum)]
    grid: mixing::Grid,
    #[arg(long, value_enum)]
    coded: mixing::Coded,
    #[arg(long)]
    savings: bool,
    #[arg(long)]
    frames: u32,
    #[arg(long)]
    output: PathBuf,
    inputs: Vec<PathBuf>,
}

#[derive(Args)]
struct Bare {
    #[arg(long, value_enum)]
    way: Way,
    #[arg(long, value_delimiter = ',')]
    to: Vec<u16>,
    #[arg(long, default_value_t = floor::MOST_SECONDS)]
    seconds: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Server {
    /// Signalbox, members' own streams.
    Signalbox,
    /// Signalbox, the composed picture.
    SignalboxCanvas,
    /// Debian's Janus with two event loops.
    Janus,
    /// Debian's Janus with a thread for each connection, as it comes.
    JanusDefault,
    /// No server: sealed packets, sendmmsg.
    FloorSendmmsg,
    /// No server: sealed packets, UDP segmentation offload.
    FloorGso,
}

#[derive(Clone, Copy, ValueEnum)]
enum Feedback {
    /// Nothing.
    None,
    /// As a browser on a good path.
    Browser,
    /// As a browser where packets are lost.
    Lossy,
}

#[tokio::main(worker_threads = 1)]
async fn main() -> Result<(), Box<dyn Error>> {
    match Arguments::parse().command {
        Command::Run(arguments) => one(&arguments).await,
        Command::Forward(mut arguments) => {
            let program = program(arguments.program.take())?;
            let rows = forward::run(&compared(&arguments, &program)?).await;
            Ok(publish(&arguments.out, "forward", &rows)?)
        }
        Command::Audio(mut arguments) => {
            let program = program(arguments.program.take())?;
            let rows = audio::run(&compared(&arguments, &program)?).await;
            Ok(publish(&arguments.out, "audio", &rows)?)
        }
        Command::Mix(arguments) => {
            let plan = mixing::Plan {
                footage: &arguments.footage,
                rounds: arguments.rounds.clamp(1, 10),
                frames: arguments.frames,
                only: arguments.only.as_deref(),
            };
            Ok(publish(&arguments.out, "mix", &mixing::run(&plan)?)?)
        }
        Command::Compose(Compose { grid, coded, savings, frames, inputs, output }) => {
            let split = mixing::compose(&mixing::Compose { grid, coded, savings, frames, inputs, output })?;
            Ok(writeln!(std::io::stdout(), "{split}")?)
        }
        Command::Floor(arguments) => Ok(floor::send(arguments.way, &arguments.to, arguments.seconds)?),
    }
}

async fn one(arguments: &Run) -> Result<(), Box<dyn Error>> {
    let case = case(arguments)?;
    case.check()?;
    let program = || program(arguments.program.clone());
    let entrance = arguments.driver;
    let outcome = match arguments.server {
        Server::Signalbox => {
            run(&mut Signalbox::start(&program()?, entrance, Receive::Tiles)?, &case).await?
        }
        Server::SignalboxCanvas => {
            run(&mut Signalbox::start(&program()?, entrance, Receive::Canvas)?, &case).await?
        }
        Server::Janus => run(&mut Janus::start(Tuning::TwoEventLoops).await?, &case).await?,
        Server::JanusDefault => run(&mut Janus::start(Tuning::Default).await?, &case).await?,
        Server::FloorSendmmsg => run(&mut Floor::new(Way::Sendmmsg), &case).await?,
        Server::FloorGso => run(&mut Floor::new(Way::Gso), &case).await?,
    };
    print(&outcome, arguments.json)?;
    match outcome.refused() {
        Some(why) => Err(format!("no result: {why}").into()),
        None => Ok(()),
    }
}

fn case(arguments: &Run) -> Result<Case, Box<dyn Error>> {
    Ok(Case {
        publishers: arguments.publishers,
        subscribers: arguments.subscribers,
        audience: arguments.audience,
        fps: arguments.fps,
        packets: arguments.packets,
        payload: arguments.payload,
        simulcast: arguments.simulcast,
        pacing: if arguments.paced { Pacing::Paced } else { Pacing::Burst },
        audio: arguments.audio,
        feedback: match arguments.feedback {
            Feedback::None => Profile::None,
            Feedback::Browser => Profile::Browser,
            Feedback::Lossy => Profile::Lossy { per_mille: u16::from(arguments.loss) * 10 },
        },
        verified: arguments.verified,
        join_rate: arguments.join_rate.max(0.0),
        settle: seconds(arguments.settle)?,
        window: seconds(arguments.window)?,
        windows: arguments.windows,
    })
}

fn seconds(seconds: f64) -> Result<Duration, Box<dyn Error>> {
    Duration::try_from_secs_f64(seconds).map_err(|error| format!("{seconds} s: {error}").into())
}

fn compared<'a>(arguments: &'a Compare, program: &'a Path) -> Result<Compared<'a>, Box<dyn Error>> {
    Ok(Compared {
        program,
        rounds: arguments.rounds.clamp(1, 10),
        window: seconds(arguments.window)?,
        only: arguments.only.as_deref(),
    })
}

fn program(named: Option<PathBuf>) -> Result<PathBuf, Box<dyn Error>> {
    let program = match named {
        Some(program) => program,
        None => std::env::current_exe()?.with_file_name("signalbox"),
    };
    let is_there = Path::is_file(&program);
    is_there.then_some(program.clone()).ok_or_else(|| {
        format!("{} is not there: cargo build --release --bin signalbox", program.display()).into()
    })
}

fn print(outcome: &Outcome, as_json: bool) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    let quantile = |samples: &[f64], percent| percentile(samples, percent).unwrap_or(f64::NAN);
    if as_json {
        let mut json = serde_json::to_value(outcome)?;
        if let Some(fields) = json.as_object_mut() {
            for (name, percent) in [("delay_p50_ms", 50), ("delay_p99_ms", 99)] {
                fields.insert(name.to_owned(), quantile(&outcome.delays_ms, percent).into());
            }
        }
        return Ok(writeln!(out, "{json}")?);
    }
    let per_window = [
        ("CPU of the server per forwarded packet, µs", &outcome.cpu_us_per_packet, 1.0),
        ("CPU of the server, % of a core", &outcome.server, 100.0),
        ("CPU of the load tester, % of a core", &outcome.client, 100.0),
        ("machine busy, %", &outcome.machine, 100.0),
        ("ksoftirqd, % of a core", &outcome.ksoftirqd, 100.0),
        ("packets received, 1/s", &outcome.packets_per_second, 1.0),
    ];
    for (what, samples, scale) in per_window {
        let values: Vec<String> = samples.iter().map(|value| format!("{:.2}", value * scale)).collect();
        writeln!(out, "{what:44} {}", values.join("  "))?;
    }
    let single = [
        ("delay p50, ms", quantile(&outcome.delays_ms, 50)),
        ("delay p99, ms", quantile(&outcome.delays_ms, 99)),
        ("join to DTLS p50, ms", quantile(&outcome.join_ms, 50)),
        ("join to DTLS p95, ms", quantile(&outcome.join_ms, 95)),
        ("memory per receiver, kB", outcome.memory_kb),
        ("delivered of what was published, %", outcome.delivered.unwrap_or(f64::NAN) * 100.0),
    ];
    for (what, value) in single {
        writeln!(out, "{what:44} {value:.2}")?;
    }
    let counts = [
        ("threads", u64::from(outcome.threads)),
        ("packets lost", outcome.lost),
        ("payloads intact", outcome.intact),
        ("payloads damaged", outcome.damaged),
        ("receiver reports sent", outcome.reports),
        ("transport-wide feedback sent", outcome.transport_feedback),
        ("picture loss indications sent", outcome.picture_losses),
        ("sequence numbers asked for again", outcome.nacked),
    ];
    for (what, count) in counts {
        writeln!(out, "{what:44} {count}")?;
    }
    Ok(())
}
