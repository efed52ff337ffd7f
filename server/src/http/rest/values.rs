//! The kinds of values that attributes and query parameters have.
//!
//! in:  a JSON value, or the text of a parameter
//! out: the typed value, or what it must be: the rest of a sentence that begins with the attribute

use std::ops::RangeInclusive;

use layouts::LayoutId;
use serde_json::{Map, Value};
use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime};

use crate::storage::UnixMs;

/// Longest name of a room or a member.
pub(super) const MAX_NAME: usize = 100;

/// Longest name for people.
pub(super) const MAX_DISPLAY_NAME: usize = 200;

/// Longest application data, as JSON text.
const MAX_META: usize = 2000;

/// The last second that RFC 3339 can write: the end of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

/// Text of at most `max` characters; lines may end in it, nothing else of a terminal's may be in it.
pub(super) fn text(max: usize) -> impl FnOnce(Value) -> Result<String, String> {
    move |value| match value {
        Value::String(text) if text.chars().count() > max => {
            Err(format!("is too long (maximum is {max} characters)"))
        }
        Value::String(text) if text.chars().any(|c| c.is_control() && !"\n\r\t".contains(c)) => {
            Err("must not contain control characters".to_owned())
        }
        Value::String(text) => Ok(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err("must be text".to_owned())
        }
    }
}

/// Text in one line.
pub(super) fn line(max: usize) -> impl FnOnce(Value) -> Result<String, String> {
    move |value| {
        let text = text(max)(value)?;
        if text.chars().any(char::is_control) {
            return Err("must not contain control characters".to_owned());
        }
        Ok(text)
    }
}

/// What names a room in tokens and paths.
pub(super) fn room_name(value: Value) -> Result<String, String> {
    let Value::String(name) = value else { return Err("must be text".to_owned()) };
    check_room_name(&name).map(|()| name)
}

/// Whether a room can have that name; else the rest of a sentence.
pub(crate) fn check_room_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("must be present".to_owned());
    }
    if name.len() > MAX_NAME {
        return Err(format!("is too long (maximum is {MAX_NAME} characters)"));
    }
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
        return Err("must consist of letters, digits, hyphens and underscores".to_owned());
    }
    Ok(())
}

pub(super) fn flag(value: Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| "must be true or false".to_owned())
}

/// A whole number within.
pub(super) fn whole(range: RangeInclusive<u64>) -> impl FnOnce(Value) -> Result<u64, String> {
    move |value| {
        let (min, max) = (*range.start(), *range.end());
        value
            .as_u64()
            .filter(|number| range.contains(number))
            .ok_or_else(|| format!("must be a whole number from {min} to {max}"))
    }
}

/// How long a member may stay, seconds.
pub(super) fn stay(value: Value) -> Result<u64, String> {
    whole(1..=200_000)(value)
}

/// One of the words.
pub(super) fn one_of<T: Copy>(
    all: impl IntoIterator<Item = T>,
    name: impl Fn(T) -> &'static str,
) -> impl FnOnce(Value) -> Result<T, String> {
    let all: Vec<(T, &'static str)> = all.into_iter().map(|one| (one, name(one))).collect();
    move |value| {
        let found = all.iter().find(|(_, name)| value.as_str() == Some(name));
        found.map(|(one, _)| *one).ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|(_, name)| *name).collect();
            format!("must be one of {}", names.join(", "))
        })
    }
}

/// The name of one of this build or of `defined`.
pub(super) fn layout(value: &Value, defined: &[LayoutId]) -> Result<String, String> {
    let known = value.as_str().and_then(|name| LayoutId::find(name, defined));
    known.map(|layout| layout.name().to_owned()).ok_or_else(|| {
        let offered = LayoutId::available().chain(defined.iter().cloned());
        let names: Vec<String> = offered.map(|layout| layout.name().to_owned()).collect();
        format!("must be one of {}", names.join(", "))
    })
}

/// The application's data.
pub(super) fn meta(value: Value) -> Result<Map<String, Value>, String> {
    match value {
        Value::Object(object) if length(&object) <= MAX_META => Ok(object),
        Value::Object(_) => Err(format!("is too long (maximum is {MAX_META} characters as JSON)")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err("must be an object".to_owned())
        }
    }
}

fn length(object: &Map<String, Value>) -> usize {
    serde_json::to_string(object).map_or(usize::MAX, |text| text.chars().count())
}

/// `#RRGGBB`
pub(super) fn colour(value: Value) -> Result<String, String> {
    let digits = |text: &str| text.len() == 6 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let text = value.as_str().filter(|text| text.strip_prefix('#').is_some_and(digits));
    text.map(str::to_owned).ok_or_else(|| "must be a colour like #044EF4".to_owned())
}

/// Unix seconds: from a number, or from RFC 3339 text, whose time may be left out.
pub(super) fn moment(value: Value) -> Result<u64, String> {
    let refuse = || "must be an RFC 3339 date or unix seconds".to_owned();
    match &value {
        Value::Number(number) => whole_seconds(number).filter(|&s| s <= LAST_SECOND).ok_or_else(refuse),
        Value::String(text) => moment_in(text).ok_or_else(refuse),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(refuse()),
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bounded by what a date can be, before the cast"
)]
fn whole_seconds(number: &serde_json::Number) -> Option<u64> {
    const LAST: f64 = 253_402_300_800.0;
    number.as_u64().or_else(|| number.as_f64().filter(|s| (0.0..LAST).contains(s)).map(|s| s as u64))
}

/// [`moment`] of a parameter's text, which may be a number.
pub(super) fn moment_in(text: &str) -> Option<u64> {
    let written = OffsetDateTime::parse(text, &Rfc3339).ok().or_else(|| midnight(text));
    let seconds = match written {
        Some(written) => u64::try_from(written.unix_timestamp()).ok()?,
        None => text.parse().ok()?,
    };
    (seconds <= LAST_SECOND).then_some(seconds)
}

/// `2022-01-01` is its first second.
fn midnight(text: &str) -> Option<OffsetDateTime> {
    if text.len() != 10 {
        return None;
    }
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let month = month.parse::<u8>().ok().and_then(|month| time::Month::try_from(month).ok())?;
    let date = Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()?;
    Some(date.midnight().assume_utc())
}

/// RFC 3339 with whole seconds, or `null`.
pub(super) fn date(seconds: Option<u64>) -> Value {
    let written = seconds
        .and_then(|seconds| i64::try_from(seconds).ok())
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|moment| moment.format(&Rfc3339).ok());
    written.map_or(Value::Null, Value::String)
}

/// [`date`] of a stored moment.
pub(super) fn date_of(moment: UnixMs) -> Value {
    date(u64::try_from(moment.0 / 1000).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn moments_are_read_in_every_spelling() {
        let cases = [
            (json!("2022-01-01T00:00:00Z"), Some(1_640_995_200)),
            (json!("2022-01-01T01:00:00+01:00"), Some(1_640_995_200)),
            (json!("2022-01-01T00:00:00.999Z"), Some(1_640_995_200)),
            (json!("2022-01-01"), Some(1_640_995_200)),
            (json!("1640995200"), Some(1_640_995_200)),
            (json!(1_640_995_200), Some(1_640_995_200)),
            (json!(1_640_995_200.75), Some(1_640_995_200)),
            (json!("9999-12-31T23:59:59Z"), Some(LAST_SECOND)),
            (json!(LAST_SECOND), Some(LAST_SECOND)),
            (json!(0), Some(0)),
            (json!(LAST_SECOND + 1), None),
            (json!(-1), None),
            (json!(1e300), None),
            (json!("1969-12-31T23:59:59Z"), None),
            (json!("2022-02-30"), None),
            (json!("2022-1-1"), None),
            (json!("tomorrow"), None),
            (json!(""), None),
            (json!(true), None),
            (json!({}), None),
        ];
        for (value, expected) in cases {
            assert_eq!(moment(value.clone()).ok(), expected, "{value}");
        }
    }

    #[test]
    fn dates_are_written_to_the_second() {
        assert_eq!(date(Some(1_640_995_200)), json!("2022-01-01T00:00:00Z"));
        assert_eq!(date_of(UnixMs(1_640_995_200_999)), json!("2022-01-01T00:00:00Z"));
        assert_eq!(date(Some(LAST_SECOND)), json!("9999-12-31T23:59:59Z"));
        assert_eq!(date(None), Value::Null);
    }

    #[test]
    fn text_has_a_length_in_characters() {
        assert_eq!(text(3)(json!("äöü")), Ok("äöü".to_owned()));
        assert!(text(3)(json!("äöüß")).is_err());
        assert!(text(9)(json!("a\nb")).is_ok() && line(9)(json!("a\nb")).is_err());
        assert!(text(9)(json!("a\u{1b}[31m")).is_err() && text(9)(json!(7)).is_err());
    }

    #[test]
    fn meta_is_an_object_within_its_length() {
        let with = |length: usize| json!({"a": "x".repeat(length)});
        assert!(meta(with(1992)).is_ok(), "with its eight other characters exactly 2000");
        assert!(meta(with(1993)).is_err());
        assert!(meta(json!([])).is_err() && meta(json!("{}")).is_err());
    }

    #[test]
    fn numbers_words_and_colours_have_their_bounds() {
        for (value, good) in [(json!(0), false), (json!(1), true), (json!(300), true), (json!(301), false)] {
            assert_eq!(whole(1..=300)(value.clone()).is_ok(), good, "{value}");
        }
        assert!(whole(1..=300)(json!(1.5)).is_err() && whole(1..=300)(json!("7")).is_err());
        assert!(
            layout(&json!("grid-responsive"), &[]).is_ok()
                && layout(&json!("spiral"), &[]).unwrap_err().contains("5up")
        );
        for (value, good) in
            [("#044EF4", true), ("#044ef4", true), ("044EF4", false), ("#044EFG", false), ("#44E", false)]
        {
            assert_eq!(colour(json!(value)).is_ok(), good, "{value}");
        }
    }
}
