//! A length as people write it, exactly.
//!
//! in:  `"2/3"`, `"0.6667"`, or a whole number of 360ths
//! out: steps of the grid
//!
//! Edges are rounded and sizes are not: slots that touch as they are written touch on the grid.

use serde_json::Value;

use crate::grid::GRID;

/// Largest number above or below a stroke: products of two still fit.
const MAX_PART: u64 = 1_000_000;

/// A part of the canvas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Measure {
    above: u64,
    below: u64,
}

impl Measure {
    pub(super) fn read(value: &Value) -> Result<Self, String> {
        let measure = match value {
            Value::String(text) => Self::of_text(text),
            Value::Number(number) => number.as_u64().map(|n| Self { above: n, below: 360 }),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        measure.filter(|m| m.above <= MAX_PART && (1..=MAX_PART).contains(&m.below)).ok_or_else(|| {
            "must be a part as text (\"2/3\", \"0.25\") or a whole number of 360ths".to_owned()
        })
    }

    fn of_text(text: &str) -> Option<Self> {
        let number = |digits: &str| {
            let is_plain =
                !digits.is_empty() && digits.len() <= 7 && digits.bytes().all(|b| b.is_ascii_digit());
            digits.parse::<u64>().ok().filter(|_| is_plain)
        };
        if let Some((above, below)) = text.split_once('/') {
            return Some(Self { above: number(above)?, below: number(below)? });
        }
        let Some((whole, part)) = text.split_once('.') else {
            return Some(Self { above: number(text)?, below: 1 });
        };
        let below = 10_u64.checked_pow(u32::try_from(part.len()).ok()?).filter(|below| *below <= MAX_PART)?;
        Some(Self { above: number(whole)?.checked_mul(below)?.checked_add(number(part)?)?, below })
    }

    pub(super) fn is_more_than_all(self) -> bool {
        self.above > self.below
    }

    /// Less than 1/`parts` of the canvas.
    pub(super) fn is_less_than_one_of(self, parts: u64) -> bool {
        self.above * parts < self.below
    }

    /// Both together; too large to be told counts as more than all.
    pub(super) fn plus(self, other: Self) -> Self {
        Self { above: self.above * other.below + other.above * self.below, below: self.below * other.below }
    }

    /// The nearest edge on the grid; more than all is all.
    pub(super) fn steps(self) -> u16 {
        let twice = self.above.min(self.below) * 2 * u64::from(GRID) + self.below;
        u16::try_from(twice / (2 * self.below)).unwrap_or(GRID)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lengths_are_read_exactly() {
        let cases = [
            (json!("0"), Some(0)),
            (json!("1"), Some(5040)),
            (json!("2/3"), Some(3360)),
            (json!("1/7"), Some(720)),
            (json!("1/11"), Some(458)),
            (json!("0.25"), Some(1260)),
            (json!("0.333333"), Some(1680)),
            (json!("1.0"), Some(5040)),
            (json!(90), Some(1260)),
            (json!(360), Some(5040)),
            (json!("1000000/1000000"), Some(5040)),
        ];
        for (value, steps) in cases {
            assert_eq!(Measure::read(&value).ok().map(Measure::steps), steps, "{value}");
        }
        for wrong in [
            json!(""),
            json!("1/0"),
            json!("-1/2"),
            json!("1/2/3"),
            json!("a"),
            json!(" 1"),
            json!("1e-1"),
            json!("."),
            json!(".5"),
            json!("1."),
            json!("+1"),
            json!("99999999/99999999"),
            json!("0.33333333"),
            json!(-1),
            json!(0.5),
            json!(1_000_001),
            json!(true),
            json!([]),
            json!("١/٢"),
            json!("1000001/1000001"),
        ] {
            assert!(Measure::read(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_touches_as_written_touches_on_the_grid() {
        for parts in 2..200_u64 {
            let measure = |above| Measure { above, below: parts };
            for n in 0..parts {
                assert_eq!(measure(n).plus(measure(1)).steps(), measure(n + 1).steps(), "{n} of {parts}");
            }
            assert!(!measure(parts - 1).plus(measure(1)).is_more_than_all());
            assert!(measure(parts).plus(measure(1)).is_more_than_all());
        }
        let largest = Measure { above: MAX_PART, below: 1 };
        assert_eq!(largest.plus(largest).steps(), GRID);
        let finest = Measure { above: MAX_PART - 1, below: MAX_PART };
        assert!(finest.plus(finest).is_more_than_all());
    }
}
