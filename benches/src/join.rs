//! How long it takes to be in a room: from the offer in hand to one's own picture on the canvas.
//!
//! in:  the server's program; Janus if it is installed; what a browser measured, if somebody did
//! out: rows: 50 joins in sequence, each in a room of its own, and 20 at once in one room
//!
//! Janus joins between ours, so that both meet the same machine. A token and a connected socket are had before the
//! clock starts: the SDKs have them too when they make the offer.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use layouts::Size;
use media_core::codec::Rgb;
use media_core::units::VideoCodec;
use serde::Deserialize;

use crate::client::{Client, demo_token};
use crate::janus::{Janus, Tuning};
use crate::peer::{Camera, Decode, Microphone, Observed, Offering, Peer, PeerConfig, Protection};
use crate::process::Signalbox;
use crate::report::{Row, percentile};

const IN_SEQUENCE: usize = 50;
const AT_ONCE: usize = 20;
const PATIENCE: Duration = Duration::from_secs(20);
const JANUS: &str = "janus videoroom publisher, debian";

/// Milliseconds from the offer in hand, by stage in the order of the stages.
type Stages = Vec<(&'static str, f64)>;
/// The same of several joins.
type Samples = BTreeMap<&'static str, Vec<f64>>;

/// One line of what a browser measured.
#[derive(Debug, Deserialize)]
struct BrowserJoin {
    /// `sequence` or `at-once`.
    case: String,
    /// `connected` or `picture`.
    stage: String,
    /// From the offer in hand.
    ms: f64,
}

/// Runs it all.
///
/// # Errors
/// When our own server cannot be measured.
pub async fn run(program: &Path, browser: Option<&Path>) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut rows = Vec::new();
    let media = Media::new()?;
    for bundle in [false, true] {
        let server = Signalbox::start(program, bundle)?;
        let janus = if bundle {
            Janus::start(Tuning::Default).await
        } else {
            Err("compared with the bundled form".into())
        };
        let how = if bundle { "bundled" } else { "2 transports" };
        sequence(&mut rows, &server, janus, &media, how, bundle).await?;
        at_once(&mut rows, &server, &media, how, bundle).await?;
    }
    rows.extend(browser_rows(browser));
    Ok(rows)
}

async fn sequence(
    rows: &mut Vec<Row>,
    server: &Signalbox,
    mut janus: Result<Janus, Box<dyn Error + Send + Sync>>,
    media: &Media,
    how: &str,
    bundle: bool,
) -> Result<(), Box<dyn Error>> {
    let mut ours = Samples::new();
    let mut theirs = Vec::new();
    for n in 0..IN_SEQUENCE {
        let mut joined = Joined::join(server, &format!("sequence-{n}"), media.config(bundle)).await?;
        joined.wait("one's own picture", |o| o.first.oneself.is_some()).await?;
        collect(&mut ours, joined.stages());
        joined.leave().await?;
        if let Ok(peer) = &mut janus {
            match peer.join(media.config(true)).await {
                Ok(took) => theirs.push(took),
                Err(error) => janus = Err(error),
            }
        }
    }
    let case = format!("{IN_SEQUENCE} in sequence, {how}");
    rows.extend(stage_rows(&case, &ours));
    if bundle {
        let connected = ours.get("DTLS connected").map_or(&[][..], Vec::as_slice);
        let row = Row::ours(
            format!("{case}: DTLS connected p50, joins of both in turn"),
            "ms",
            percentile(connected, 50).unwrap_or(f64::NAN),
        )
        .spread_of(connected)
        .limits(1.0, 0.37);
        rows.push(match (janus, percentile(&theirs, 50)) {
            (Ok(_), Some(theirs)) => row.beside(JANUS, theirs),
            (Err(error), _) => row.without_peer(JANUS, error),
            (Ok(_), None) => row.without_peer(JANUS, "no join succeeded"),
        });
    }
    Ok(())
}

async fn at_once(
    rows: &mut Vec<Row>,
    server: &Signalbox,
    media: &Media,
    how: &str,
    bundle: bool,
) -> Result<(), Box<dyn Error>> {
    let joins = (0..AT_ONCE).map(|_| async {
        let mut joined = Joined::join(server, "at-once", media.config(bundle)).await?;
        joined.wait("a picture", |o| o.first.picture.is_some()).await?;
        Ok::<_, Box<dyn Error>>(joined)
    });
    let joined = futures_util::future::try_join_all(joins).await?;
    let mut ours = Samples::new();
    for joined in joined {
        collect(&mut ours, joined.stages());
        joined.leave().await?;
    }
    ours.remove("own picture in the middle");
    rows.extend(stage_rows(&format!("{AT_ONCE} at once in one room, {how}"), &ours));
    Ok(())
}

/// A member that has joined, and since when.
struct Joined {
    client: Client,
    call: crate::client::Call,
    peer: Peer,
    begin: Instant,
    seen: Observed,
}

impl Joined {
    async fn join(server: &Signalbox, room: &str, config: PeerConfig) -> Result<Self, Box<dyn Error>> {
        let token = demo_token(&server.http(), room, "Bench").await?;
        let mut client = Client::connect(&server.ws(), &token).await?;
        let offering = Offering::new(config).await?;
        let begin = Instant::now();
        let call = client.invite(offering.sdp()).await?;
        let peer = offering.accept(&call.answer)?;
        Ok(Self { client, call, peer, begin, seen: Observed::default() })
    }

    async fn wait(
        &mut self,
        what: &'static str,
        is_so: impl Fn(&Observed) -> bool,
    ) -> Result<(), Box<dyn Error>> {
        self.seen = self.peer.until(what, PATIENCE, is_so).await?;
        Ok(())
    }

    fn stages(&self) -> Stages {
        let first = self.seen.first;
        let stages = [
            ("answer", Some(self.call.answered)),
            ("ICE", first.ice),
            ("DTLS connected", first.connected),
            ("first media", first.media),
            ("first picture", first.picture),
            ("own picture in the middle", first.oneself),
        ];
        let since_begin = |at: Instant| at.saturating_duration_since(self.begin).as_secs_f64() * 1000.0;
        stages.into_iter().filter_map(|(stage, at)| Some((stage, since_begin(at?)))).collect()
    }

    async fn leave(self) -> Result<(), Box<dyn Error>> {
        self.client.bye(&self.call).await?;
        self.peer.stop().await;
        Ok(())
    }
}

/// What all peers send.
struct Media {
    camera: Arc<Camera>,
    microphone: Arc<Microphone>,
}

impl Media {
    fn new() -> Result<Self, Box<dyn Error>> {
        let size = Size { width: 640, height: 360 };
        Ok(Self {
            camera: Arc::new(Camera::moving(VideoCodec::Vp8, size, Rgb(200, 40, 40))?),
            microphone: Arc::new(Microphone::tone(440)?),
        })
    }

    fn config(&self, bundle: bool) -> PeerConfig {
        PeerConfig {
            bundle,
            protection: Protection::All,
            camera: Arc::clone(&self.camera),
            microphone: Arc::clone(&self.microphone),
            decode: Decode::UntilOneself,
        }
    }
}

fn collect(samples: &mut Samples, stages: Stages) {
    for (stage, ms) in stages {
        samples.entry(stage).or_default().push(ms);
    }
}

fn stage_rows(case: &str, samples: &Samples) -> Vec<Row> {
    let mut stages: Vec<_> = samples.iter().collect();
    stages.sort_by(|(_, a), (_, b)| {
        percentile(a, 50).partial_cmp(&percentile(b, 50)).unwrap_or(std::cmp::Ordering::Equal)
    });
    let row = |(stage, samples): (&&str, &Vec<f64>), percent| {
        let value = percentile(samples, percent)?;
        Some(Row::ours(format!("{case}: {stage} p{percent}"), "ms", value).spread_of(samples))
    };
    stages.into_iter().flat_map(|stage| [row(stage, 50), row(stage, 95)]).flatten().collect()
}

/// Rows of a file with a [`BrowserJoin`] on each line.
fn browser_rows(file: Option<&Path>) -> Vec<Row> {
    let limited = [
        ("connected", "Chromium, 50 in sequence: DTLS connected p95", 40.0, 20.0),
        ("picture", "Chromium, 50 in sequence: first composed picture p95", 600.0, 300.0),
    ];
    let lines =
        file.map(fs::read_to_string).unwrap_or_else(|| Err(std::io::Error::other("no --browser-joins file")));
    let joins: Result<Vec<BrowserJoin>, String> = lines.map_err(|error| error.to_string()).and_then(|text| {
        text.lines().map(|line| serde_json::from_str(line).map_err(|error| error.to_string())).collect()
    });
    let joins = match joins {
        Ok(joins) => joins,
        Err(error) => {
            let row = |(_, case, must, aim)| Row::error(case, "ms", &error).limits(must, aim);
            return limited.map(row).to_vec();
        }
    };
    let row = |(stage, case, must, aim): (&str, &str, f64, f64)| {
        let chosen = joins.iter().filter(|join| join.case == "sequence" && join.stage == stage);
        let samples: Vec<f64> = chosen.map(|join| join.ms).collect();
        match percentile(&samples, 95) {
            Some(p95) => Row::ours(case, "ms", p95).spread_of(&samples).limits(must, aim),
            None => Row::error(case, "ms", "not in the --browser-joins file").limits(must, aim),
        }
    };
    let mut rows: Vec<Row> = limited.into_iter().map(row).collect();
    let mut others = BTreeMap::<String, Vec<f64>>::new();
    for join in &joins {
        others.entry(format!("Chromium, {}: {}", join.case, join.stage)).or_default().push(join.ms);
    }
    for (case, samples) in others {
        for percent in [50, 95] {
            if let Some(value) = percentile(&samples, percent) {
                rows.push(Row::ours(format!("{case} p{percent}"), "ms", value).spread_of(&samples));
            }
        }
    }
    rows
}
