//! Turns of ours beside turns of others, as rows.
//!
//! in:  what each had in each round, or why nothing
//! out: rows; a ratio is taken within its round, since rounds meet the machine in different states

use std::path::Path;
use std::time::Duration;

use crate::report::{Row, percentile};

/// Windows of each turn.
pub const WINDOWS: u16 = 2;

/// What is compared, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Compared<'a> {
    /// Our program.
    pub program: &'a Path,
    /// Turns of each server in each case.
    pub rounds: u16,
    /// Of each of [`WINDOWS`].
    pub window: Duration,
    /// Only cases whose name contains it.
    pub only: Option<&'a str>,
}

/// What one took part with, round by round.
pub type Turns<T> = Vec<Result<T, String>>;

/// The middle of the samples; NaN without any.
#[must_use]
pub fn median(samples: &[f64]) -> f64 {
    percentile(samples, 50).unwrap_or(f64::NAN)
}

/// Ours beside theirs; the spread is that of the rounds' ratios.
pub fn against<T>(
    case: &str,
    unit: &'static str,
    ours: &[Result<T, String>],
    (peer, theirs): (&str, &[Result<T, String>]),
    value: impl Fn(&T) -> f64,
) -> Row {
    let of = |turns: &[Result<T, String>]| turns.iter().flatten().map(&value).collect::<Vec<_>>();
    let pairs = ours.iter().zip(theirs).filter_map(|pair| match pair {
        (Ok(ours), Ok(theirs)) => Some(value(ours) / value(theirs)),
        (Err(_), _) | (_, Err(_)) => None,
    });
    let ratios: Vec<f64> = pairs.collect();
    let row = match percentile(&of(ours), 50) {
        Some(ours) => Row::ours(case, unit, ours),
        None => Row::error(case, unit, format!("signalbox: {}", why(ours))),
    };
    match (percentile(&ratios, 50), percentile(&of(theirs), 50)) {
        (Some(ratio), Some(theirs)) => {
            Row { ratio: Some(ratio), ..row.beside(peer, theirs).spread_of(&ratios) }
        }
        (_, Some(theirs)) => row.beside(peer, theirs),
        (_, None) => row.without_peer(peer, format!("{peer}: {}", why(theirs))),
    }
}

/// Ours against a limit; the spread is that of the rounds.
pub fn alone<T>(
    case: impl Into<String>,
    unit: &'static str,
    turns: &[Result<T, String>],
    value: impl Fn(&T) -> f64,
) -> Row {
    let samples: Vec<f64> = turns.iter().flatten().map(value).collect();
    match percentile(&samples, 50) {
        Some(ours) => Row::ours(case, unit, ours).spread_of(&samples),
        None => Row::error(case, unit, why(turns)),
    }
}

fn why<T>(turns: &[Result<T, String>]) -> String {
    let error = turns.iter().find_map(|turn| turn.as_ref().err());
    error.cloned().unwrap_or_else(|| "it had no turn".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_within_their_rounds() {
        let ours = [Ok(2.0), Ok(4.0), Err("lost".to_owned())];
        let row = against("c", "ms", &ours, ("janus", &[Ok(10.0), Ok(10.0), Ok(1.0)]), |n| *n);
        assert_eq!((row.ours, row.theirs, row.ratio), (Some(2.0), Some(10.0), Some(0.2)));
        assert_eq!(row.spread, Some([0.2, 0.4]));
        let row = against("c", "ms", &ours, ("janus", &[Err("no janus".to_owned())]), |n| *n);
        assert_eq!((row.ours, row.ratio), (Some(2.0), None));
        assert_eq!(row.error.as_deref(), Some("janus: no janus"));
        let row = against("c", "ms", &ours, ("nobody", &[]), |n| *n);
        assert_eq!(row.error.as_deref(), Some("nobody: it had no turn"));
        let gone: [Result<f64, String>; 1] = [Err("gone".to_owned())];
        assert_eq!(alone("m", "kB", &gone, |n| *n).error.as_deref(), Some("gone"));
    }
}
