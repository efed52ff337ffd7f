//! The fields of one object of a definition: each is taken once, and none may be left.

use serde_json::{Map, Value};

/// What has not been taken yet.
pub(super) struct Fields<'a> {
    all: &'a Map<String, Value>,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(value: &'a Value) -> Result<Self, String> {
        let all = value.as_object().ok_or("must be an object")?;
        Ok(Self { all, known: Vec::new() })
    }

    /// The value, unless it is absent or `null`.
    pub(super) fn take(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.push(name);
        self.all.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<&'a str>, String> {
        let text = |value: &'a Value| value.as_str().ok_or_else(|| format!("{name} must be text"));
        self.take(name).map(text).transpose()
    }

    pub(super) fn flag(&mut self, name: &'static str) -> Result<Option<bool>, String> {
        let flag = |value: &Value| value.as_bool().ok_or_else(|| format!("{name} must be true or false"));
        self.take(name).map(flag).transpose()
    }

    /// One of these words.
    pub(super) fn word<T: Copy>(
        &mut self,
        name: &'static str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, String> {
        let meant = |value: &Value| {
            let word = value.as_str();
            words.iter().find(|(known, _)| word == Some(known)).map(|(_, meaning)| *meaning).ok_or_else(
                || {
                    let known: Vec<_> = words.iter().map(|(known, _)| *known).collect();
                    format!("{name} must be one of {}", known.join(", "))
                },
            )
        };
        self.take(name).map(meant).transpose()
    }

    /// A whole number within.
    pub(super) fn whole(&mut self, name: &'static str, least: i64, most: i64) -> Result<Option<i64>, String> {
        let whole = |value: &Value| {
            value
                .as_i64()
                .filter(|n| (least..=most).contains(n))
                .ok_or_else(|| format!("{name} must be a whole number, {least} to {most}"))
        };
        self.take(name).map(whole).transpose()
    }

    pub(super) fn list(&mut self, name: &'static str, most: usize) -> Result<Option<&'a [Value]>, String> {
        let list = |value: &'a Value| {
            let items = value.as_array().ok_or_else(|| format!("{name} must be a list"))?;
            if items.len() > most {
                return Err(format!("{name} has {} entries, and at most {most} are allowed", items.len()));
            }
            Ok(items.as_slice())
        };
        self.take(name).map(list).transpose()
    }

    pub(super) fn nothing_else(&self) -> Result<(), String> {
        match self.all.keys().find(|name| !self.known.contains(&name.as_str())) {
            Some(name) => {
                let shown: String = name.chars().take(40).collect();
                Err(format!("{shown:?} is not known here; known are {}", self.known.join(", ")))
            }
            None => Ok(()),
        }
    }
}
