//! Numbers as applications send them: also with a fraction, and as text, because a slider's `value` is text.

use serde::de::{Deserialize, Deserializer, Error, Unexpected};
use serde_json::Value;

/// A finite number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number(f64);

impl Number {
    /// The number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }

    /// The nearest whole number, if it was within `range`.
    pub(crate) fn within(self, range: std::ops::RangeInclusive<i8>) -> Option<i8> {
        let bounds = f64::from(*range.start())..=f64::from(*range.end());
        let nearest = self.0.round();
        range.into_iter().find(|whole| bounds.contains(&self.0) && f64::from(*whole) == nearest)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = match Value::deserialize(deserializer)? {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.parse().ok(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        let finite = number.filter(|number| number.is_finite());
        finite
            .map(Self)
            .ok_or_else(|| D::Error::invalid_type(Unexpected::Other("something else"), &"a number"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(value: Value, expected: Option<i8>) {
        let read = serde_json::from_value::<Number>(value.clone()).ok().and_then(|n| n.within(-50..=50));
        assert_eq!(read, expected, "{value}");
    }

    #[test]
    fn numbers_of_every_spelling() {
        check(json!(0), Some(0));
        check(json!(-50), Some(-50));
        check(json!(50.0), Some(50));
        check(json!(12.5), Some(13));
        check(json!(-0.4), Some(0));
        check(json!("25"), Some(25));
        check(json!("-7.2"), Some(-7));
    }

    #[test]
    fn what_is_no_number_or_out_of_range() {
        for value in [
            json!(51),
            json!(50.1),
            json!(-50.1),
            json!(1e308),
            json!(u64::MAX),
            json!(i64::MIN),
            json!(""),
            json!(" 1"),
            json!("1x"),
            json!("inf"),
            json!("NaN"),
            json!(null),
            json!(true),
            json!([1]),
            json!({"volume": 1}),
        ] {
            check(value, None);
        }
    }
}
