//! Measurements as a table for people and a file for machines.
//!
//! in:  rows
//! out: text on standard output; `<folder>/<name>.json`

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;

use serde::Serialize;

/// One measurement.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    /// What was done.
    pub case: String,
    /// Of the numbers.
    pub unit: &'static str,
    /// Ours; `None` when it could not be measured.
    pub ours: Option<f64>,
    /// Who stood beside us, if anybody.
    pub peer: Option<String>,
    /// Theirs.
    pub theirs: Option<f64>,
    /// Ours by theirs.
    pub ratio: Option<f64>,
    /// Smallest and largest of ours.
    pub spread: Option<[f64; 2]>,
    /// What `ratio`, or `ours` without a peer, must not exceed.
    pub must: Option<f64>,
    /// What it shall come to.
    pub aim: Option<f64>,
    /// Why it could not be measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Row {
    /// A row of ours alone.
    #[must_use]
    pub fn ours(case: impl Into<String>, unit: &'static str, ours: f64) -> Self {
        Self { case: case.into(), unit, ours: Some(ours), ..Self::default() }
    }

    /// A row that says why there is no number.
    #[must_use]
    pub fn error(case: impl Into<String>, unit: &'static str, error: impl ToString) -> Self {
        Self { case: case.into(), unit, error: Some(error.to_string()), ..Self::default() }
    }

    /// With the smallest and largest of the samples.
    #[must_use]
    pub fn spread_of(mut self, samples: &[f64]) -> Self {
        let smallest = samples.iter().copied().reduce(f64::min);
        self.spread = smallest.zip(samples.iter().copied().reduce(f64::max)).map(|(a, b)| [a, b]);
        self
    }

    /// With limits.
    #[must_use]
    pub fn limits(mut self, must: f64, aim: f64) -> Self {
        (self.must, self.aim) = (Some(must), Some(aim));
        self
    }

    /// With a competitor beside.
    #[must_use]
    pub fn beside(mut self, peer: &str, theirs: f64) -> Self {
        self.peer = Some(peer.to_owned());
        self.theirs = Some(theirs);
        self.ratio = self.ours.map(|ours| ours / theirs);
        self
    }

    /// With a competitor that could not be measured.
    #[must_use]
    pub fn without_peer(mut self, peer: &str, error: impl ToString) -> Self {
        self.peer = Some(peer.to_owned());
        self.error = Some(error.to_string());
        self
    }

    fn verdict(&self) -> &'static str {
        let value = if self.peer.is_some() { self.ratio } else { self.ours };
        match (value, self.must, self.aim) {
            (Some(value), _, Some(aim)) if value <= aim => "aim",
            (Some(value), Some(must), _) if value <= must => "must",
            (Some(_), Some(_), _) => "MISSED",
            _ => "",
        }
    }
}

#[derive(Serialize)]
struct File<'a> {
    machine: String,
    commit: String,
    rows: &'a [Row],
}

/// Prints the rows and writes `<folder>/<name>.json`.
///
/// # Errors
/// When the folder cannot be written.
pub fn publish(folder: &Path, name: &str, rows: &[Row]) -> io::Result<()> {
    print(name, rows)?;
    fs::create_dir_all(folder)?;
    let file = File { machine: machine(), commit: commit(), rows };
    let text = serde_json::to_string_pretty(&file)?;
    fs::write(folder.join(format!("{name}.json")), text + "\n")
}

/// The middle, or any other share of the samples in order, by nearest rank; `None` without samples.
#[must_use]
pub fn percentile(samples: &[f64], percent: usize) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

fn print(name: &str, rows: &[Row]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let widest = rows.iter().map(|row| row.case.chars().count()).max().unwrap_or(0);
    writeln!(out, "\n{name}")?;
    writeln!(
        out,
        "{:widest$} {:>12} {:>9} {:>9} {:>6} {:>17} {:>6} {:>6}",
        "case", "unit", "ours", "theirs", "ratio", "spread", "must", "aim"
    )?;
    for row in rows {
        let number = |n: Option<f64>| n.map_or_else(|| "-".to_owned(), |n| format!("{n:.2}"));
        let spread = row.spread.map_or_else(|| "-".to_owned(), |[a, b]| format!("{a:.2}–{b:.2}"));
        writeln!(
            out,
            "{:widest$} {:>12} {:>9} {:>9} {:>6} {spread:>17} {:>6} {:>6} {:6} {} {}",
            row.case,
            row.unit,
            number(row.ours),
            number(row.theirs),
            number(row.ratio),
            number(row.must),
            number(row.aim),
            row.verdict(),
            row.peer.as_deref().unwrap_or(""),
            row.error.as_deref().unwrap_or(""),
        )?;
    }
    Ok(())
}

fn machine() -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    format!("{model}, {cores} cores, Linux {}, load {load} at the end", kernel.trim())
}

fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok().filter(|o| o.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let changed = git(&["status", "--porcelain"]).is_some_and(|changes| !changes.is_empty());
    let hash = git(&["rev-parse", "--short", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
    if changed { format!("{hash}-changed") } else { hash }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples() {
        let samples: Vec<f64> = (1..=50).rev().map(f64::from).collect();
        assert_eq!(percentile(&samples, 50), Some(25.0));
        assert_eq!(percentile(&samples, 95), Some(48.0));
        assert_eq!(percentile(&[7.0], 95), Some(7.0));
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn files_have_the_agreed_form() {
        let rows = [
            Row::ours("a", "ms", 2.0).spread_of(&[1.0, 3.0]).limits(1.0, 0.3).beside("janus", 10.0),
            Row::error("b", "ms", "no such thing"),
        ];
        let json = serde_json::to_value(&rows).unwrap();
        let expected = serde_json::json!([
            {"case": "a", "unit": "ms", "ours": 2.0, "peer": "janus", "theirs": 10.0, "ratio": 0.2,
             "spread": [1.0, 3.0], "must": 1.0, "aim": 0.3},
            {"case": "b", "unit": "ms", "ours": null, "peer": null, "theirs": null, "ratio": null,
             "spread": null, "must": null, "aim": null, "error": "no such thing"},
        ]);
        assert_eq!(json, expected);
        assert_eq!(rows.map(|row| row.verdict()), ["aim", ""]);
        assert_eq!(Row::ours("c", "ms", 2.0).limits(1.0, 0.3).verdict(), "MISSED");
    }
}
