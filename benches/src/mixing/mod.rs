//! Composing a canvas compared: ours, ffmpeg's `xstack` and GStreamer's `compositor`, in turns.
//!
//! in:  footage, our own decoder, compositor and encoder as a process, the two programs
//! out: rows: processor time per canvas frame, PSNR and SSIM against the ideal composition, bit rate
//!
//! ```text
//!   footage ─► inputs, uncompressed ─┬─► VP8 in IVF ─► each of the three ─► coded canvas ─┐
//!                                    └─► scaled well, put together: the ideal ────────────┴─► PSNR-Y, SSIM-Y
//! ```
//!
//! All decode the same bytes and code with one thread at the same rate. Ours has two turns where that differs: with the same
//! settings as the others, and saving work as the product does. Processor time is what a run of all frames takes
//! beyond a run of the first second, so that starting up is in nobody's figure.

mod inputs;
mod ivf;
mod ours;
mod quality;
mod rivals;
mod shape;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::loadtest::LoadError;
use crate::report::Row;
use crate::turns::{Turns, against, alone, median};

pub use ours::{Compose, Split, compose};
pub use rivals::Rival;
pub use shape::{Content, Grid};

use inputs::Inputs;

const CPU: &str = "cpu-ms/frame";

/// What the canvas is coded in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Coded {
    /// libvpx, realtime, cpu-used -8.
    Vp8,
    /// OpenH264; ffmpeg has x264 ultrafast in its place.
    H264,
}

impl Coded {
    fn name(self) -> &'static str {
        match self {
            Self::Vp8 => "VP8 out",
            Self::H264 => "H.264 out",
        }
    }
}

/// What is compared.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// A folder with `bigbuckbunny.mp4` and `bikes.mp4`.
    pub footage: &'a Path,
    /// Turns of each in each case.
    pub rounds: u16,
    /// Canvas frames of a run.
    pub frames: u32,
    /// Only cases whose name contains it.
    pub only: Option<&'a str>,
}

/// What one run gave.
#[derive(Clone, Copy, Debug)]
struct Made {
    cpu_ms: f64,
    psnr: f64,
    ssim: f64,
    kbps: f64,
}

/// Limits of the ratios to ffmpeg and to GStreamer.
type Limits = Option<[(f64, f64); 2]>;

const CASES: [(Grid, Content); 5] = [
    (Grid::ThreeByThree, Content::Moving),
    (Grid::TwoByTwo, Content::Moving),
    (Grid::FiveByFive, Content::Moving),
    (Grid::ThreeByThree, Content::Still),
    (Grid::Screen, Content::Moving),
];

fn cases() -> impl Iterator<Item = (Grid, Content, Coded)> {
    let coded = [Coded::Vp8, Coded::H264].into_iter();
    coded.flat_map(|coded| CASES.into_iter().map(move |(grid, content)| (grid, content, coded)))
}

/// What one of ours has to reach.
fn limits(ours: Rival, grid: Grid, content: Content, coded: Coded) -> Limits {
    match (grid, content, coded, ours) {
        (Grid::ThreeByThree, Content::Moving, Coded::Vp8, Rival::Ours) => Some([(1.00, 0.92), (0.75, 0.70)]),
        (Grid::ThreeByThree, Content::Moving, Coded::Vp8, Rival::Saving) => {
            Some([(0.80, 0.75), (0.60, 0.55)])
        }
        (Grid::ThreeByThree, Content::Still, Coded::Vp8, Rival::Saving) => Some([(0.40, 0.25), (0.30, 0.20)]),
        (Grid::ThreeByThree, Content::Moving, Coded::H264, _) => Some([(0.70, 0.55), (0.50, 0.40)]),
        _ => None,
    }
}

/// Everything; a row that could not be measured says why.
///
/// # Errors
/// When there is no room for files.
pub fn run(plan: &Plan<'_>) -> Result<Vec<Row>, LoadError> {
    let mut rows = Vec::new();
    let mut made: Vec<(Grid, Content, Result<Inputs, String>)> = Vec::new();
    for (grid, content, coded) in cases() {
        let name = format!("{}, {}, {}", grid.name(), content.name(), coded.name());
        if plan.only.is_some_and(|only| !name.contains(only)) {
            continue;
        }
        if !made.iter().any(|(g, c, _)| (*g, *c) == (grid, content)) {
            say(&format!("{}, {}: making inputs", grid.name(), content.name()));
            let inputs = Inputs::make(plan.footage, grid, content, plan.frames);
            made.push((grid, content, inputs.map_err(|error| error.to_string())));
        }
        let inputs = made.iter().find(|(g, c, _)| (*g, *c) == (grid, content));
        let inputs = match inputs {
            Some((.., Ok(inputs))) => inputs,
            Some((.., Err(error))) => {
                rows.push(Row::error(name, CPU, error));
                continue;
            }
            None => continue,
        };
        let mut all: Vec<(Rival, Turns<Made>)> =
            Rival::of(coded).map(|rival| (rival, Turns::new())).collect();
        for _ in 0..plan.rounds {
            for (rival, turns) in &mut all {
                let made = turn(*rival, inputs, coded).map_err(|error| error.to_string());
                tell(&name, *rival, &made);
                turns.push(made);
            }
        }
        for ours in Rival::of(coded).filter(|rival| rival.is_ours()) {
            let name = format!("{name}{}", ours.remark());
            rows.extend(rows_of(&name, coded, ours, limits(ours, grid, content, coded), &all));
        }
    }
    Ok(rows)
}

fn turn(rival: Rival, inputs: &Inputs, coded: Coded) -> Result<Made, LoadError> {
    let (long, file) = rival.run(inputs, coded, inputs.frames())?;
    let psnr_ssim = quality::against_ideal(&file, inputs)?;
    let bytes = quality::bytes(&file)?;
    let (short, _) = rival.run(inputs, coded, inputs::FIRST)?;
    let frames = f64::from(inputs.frames());
    Ok(Made {
        cpu_ms: (long - short).as_secs_f64() * 1e3 / (frames - f64::from(inputs::FIRST)),
        psnr: psnr_ssim.0,
        ssim: psnr_ssim.1,
        kbps: bytes * 8.0 / 1e3 / (frames / f64::from(inputs::FPS)),
    })
}

/// Something a row tells: its name, its unit, how it is had.
type Value = (&'static str, &'static str, fn(&Made) -> f64);

fn rows_of(name: &str, coded: Coded, ours: Rival, limits: Limits, all: &[(Rival, Turns<Made>)]) -> Vec<Row> {
    let of = |rival: Rival| {
        all.iter().find(|(other, _)| *other == rival).map_or(&[][..], |(_, turns)| turns.as_slice())
    };
    let ours = of(ours);
    let mut rows = Vec::new();
    let peers = [Rival::Ffmpeg, Rival::GStreamer].map(|rival| (rival, rival.name(coded)));
    for (n, (rival, peer)) in peers.iter().enumerate() {
        let (must, aim) = limits.and_then(|limits| limits.get(n).copied()).unzip();
        let row = against(name, CPU, ours, (peer, of(*rival)), |made| made.cpu_ms);
        rows.push(Row { must, aim, ..row });
    }
    let values: [Value; 3] = [
        ("PSNR-Y", "dB", |made| made.psnr),
        ("SSIM-Y", "", |made| made.ssim),
        ("bit rate", "kbit/s", |made| made.kbps),
    ];
    for (what, unit, value) in values {
        for (rival, peer) in &peers {
            let theirs: Vec<f64> = of(*rival).iter().flatten().map(value).collect();
            let row = alone(format!("{name}: {what}"), unit, ours, value);
            // A ratio of decibels says nothing.
            rows.push(Row { peer: Some(peer.to_string()), theirs: Some(median(&theirs)), ..row });
        }
    }
    rows
}

fn tell(name: &str, rival: Rival, made: &Result<Made, String>) {
    let said = match made {
        Ok(made) => format!(
            "{:.2} ms a frame, PSNR-Y {:.2} dB, SSIM-Y {:.4}, {:.0} kbit/s",
            made.cpu_ms, made.psnr, made.ssim, made.kbps
        ),
        Err(error) => format!("no result: {error}"),
    };
    say(&format!("{name}: {}: {said}", rival.short()));
}

/// Minutes are long without a word.
fn say(what: &str) {
    let _ = writeln!(std::io::stderr(), "{what}");
}

/// A file of a run.
fn file(inputs: &Inputs, name: &str) -> PathBuf {
    inputs.folder().join(name)
}
