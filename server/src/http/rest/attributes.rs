//! The attributes of a JSON request body, taken one by one; what is wrong is named as the wire does.
//!
//! in:  a body
//! out: typed values; [`Invalid`], which answers 422

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Most entries of a list of names; there are some fifty permissions.
const MAX_LIST: usize = 200;

/// An attribute and what is wrong with it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Invalid {
    pub(super) attribute: String,
    pub(super) message: String,
}

impl Invalid {
    pub(super) fn new(attribute: impl Into<String>, message: impl Into<String>) -> Self {
        Self { attribute: attribute.into(), message: message.into() }
    }
}

impl IntoResponse for Invalid {
    fn into_response(self) -> Response {
        let error = json!({
            "type": "validation_error",
            "code": "invalid_parameter",
            "message": self.message,
            "attribute": self.attribute,
            "url": null,
        });
        (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({"errors": [error]}))).into_response()
    }
}

/// What was sent and nobody has taken yet. `null` counts as not sent.
pub(super) struct Attributes(Map<String, Value>);

impl Attributes {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Invalid> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(map)) => Ok(Self(map)),
            Ok(_) => Err(Invalid::new("", "The body must be a JSON object")),
            Err(error) => Err(Invalid::new("", format!("The body must be JSON: {error}"))),
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    /// Text of at most `max` characters, none of them a control character.
    pub(super) fn text(&mut self, name: &str, max: usize) -> Result<Option<String>, Invalid> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text))
                if text.chars().count() <= max && !text.chars().any(char::is_control) =>
            {
                Ok(Some(text))
            }
            Some(_) => Err(Invalid::new(name, format!("{name} must be text of at most {max} characters"))),
        }
    }

    pub(super) fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, Invalid> {
        let refuse = || Invalid::new(name, format!("{name} must be a list of at most {MAX_LIST} names"));
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(list)) if list.len() <= MAX_LIST => list
                .into_iter()
                .map(|value| value.as_str().map(str::to_owned).ok_or_else(refuse))
                .collect::<Result<_, _>>()
                .map(Some),
            Some(_) => Err(refuse()),
        }
    }

    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, Invalid> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(Invalid::new(name, format!("{name} must be true or false"))),
        }
    }

    pub(super) fn whole(&mut self, name: &str) -> Result<Option<u64>, Invalid> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let refuse = || Invalid::new(name, format!("{name} must be a whole number"));
        value.as_u64().map(Some).ok_or_else(refuse)
    }

    /// One of the words of an enum.
    pub(super) fn word<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, Invalid> {
        let Some(value) = self.take(name) else { return Ok(None) };
        serde_json::from_value(value)
            .map(Some)
            .map_err(|error| Invalid::new(name, format!("{name}: {error}")))
    }

    /// An object of at most `max` characters as JSON.
    pub(super) fn object(&mut self, name: &str, max: usize) -> Result<Option<Map<String, Value>>, Invalid> {
        match self.take(name) {
            None => Ok(None),
            Some(value) if value.to_string().chars().count() > max => {
                Err(Invalid::new(name, format!("{name} must have at most {max} characters")))
            }
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(Invalid::new(name, format!("{name} must be an object"))),
        }
    }

    /// Unix seconds, from a number or from RFC 3339 text.
    pub(super) fn moment(&mut self, name: &str) -> Result<Option<u64>, Invalid> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let moment = match &value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => OffsetDateTime::parse(text, &Rfc3339)
                .ok()
                .and_then(|moment| u64::try_from(moment.unix_timestamp()).ok()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        moment
            .map(Some)
            .ok_or_else(|| Invalid::new(name, format!("{name} must be an RFC 3339 date or unix seconds")))
    }

    /// Accepts the value that changes nothing.
    pub(super) fn only(&mut self, name: &str, accepted: &Value) -> Result<(), Invalid> {
        match self.take(name) {
            Some(value) if value != *accepted => {
                let instead = if accepted.is_null() { String::new() } else { format!(", only {accepted}") };
                Err(Invalid::new(name, format!("{name} {value} is not supported by this server{instead}")))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Refuses what is left: a misspelt attribute would otherwise be silently without effect.
    pub(super) fn finish(self) -> Result<(), Invalid> {
        match self.0.into_iter().next() {
            Some((name, _)) => {
                Err(Invalid::new(&name, format!("{name} is not an attribute of a room token")))
            }
            None => Ok(()),
        }
    }
}
