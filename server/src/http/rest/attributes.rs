//! The attributes of a JSON request body, put one by one into the thing they describe.
//!
//! in:  a body, a thing with its present values
//! out: the thing with the new ones; everything that is wrong, named
//!
//! One rule for making and changing: an attribute that is not sent leaves what is there, `null` sets the default. What
//! nobody asks for is ignored, as the hosted service does: applications send attributes of other versions.

use serde_json::{Map, Value};

use super::reply::{Code, Invalid, Refusal};

/// A request body, and what has been found wrong with it so far.
#[derive(Debug)]
pub(super) struct Attributes {
    sent: Map<String, Value>,
    wrong: Vec<Invalid>,
}

impl Attributes {
    /// An empty body is one without attributes.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self { sent: Map::new(), wrong: Vec::new() });
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(sent)) => Ok(Self { sent, wrong: Vec::new() }),
            Ok(_) => Err(Refusal::Malformed("The body must be a JSON object".to_owned())),
            Err(error) => Err(Refusal::Malformed(format!("The body must be JSON: {error}"))),
        }
    }

    /// Puts what was sent into its place; `read` says what is wrong with it: `must be …`.
    pub(super) fn set<T>(
        &mut self,
        name: &'static str,
        place: &mut T,
        default: T,
        read: impl FnOnce(Value) -> Result<T, String>,
    ) {
        match self.sent.remove(name) {
            None => {}
            Some(Value::Null) => *place = default,
            Some(value) => match read(value) {
                Ok(value) => *place = value,
                Err(reason) => self.wrong(name, &reason),
            },
        }
    }

    /// [`Attributes::set`] for what may be absent.
    pub(super) fn set_optional<T>(
        &mut self,
        name: &'static str,
        place: &mut Option<T>,
        read: impl FnOnce(Value) -> Result<T, String>,
    ) {
        self.set(name, place, None, |value| read(value).map(Some));
    }

    /// What must be sent.
    pub(super) fn require<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Value) -> Result<T, String>,
    ) -> Option<T> {
        let known = self.wrong.len();
        let mut place = None;
        self.set_optional(name, &mut place, read);
        if place.is_none() && self.wrong.len() == known {
            self.wrong(name, "must be present");
        }
        place
    }

    /// `reason` goes on where the attribute's name ends.
    pub(super) fn wrong(&mut self, attribute: &'static str, reason: &str) {
        let message = format!("{} {reason}", for_people(attribute));
        self.wrong.push(Invalid { code: Code::InvalidParameter, attribute, message });
    }

    /// Somebody else has that name.
    pub(super) fn taken(&mut self, attribute: &'static str) {
        let message = format!("{} has already been taken", for_people(attribute));
        self.wrong.push(Invalid { code: Code::ValueNotUnique, attribute, message });
    }

    /// Joining must end after it begins.
    pub(super) fn check_window(&mut self, join_from: Option<u64>, join_until: Option<u64>) {
        if let (Some(from), Some(until)) = (join_from, join_until)
            && until <= from
        {
            self.wrong("join_until", "must be after join_from");
        }
    }

    /// Everything that was found wrong.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        if self.wrong.is_empty() { Ok(()) } else { Err(Refusal::Invalid(self.wrong)) }
    }
}

/// `max_members` is `Max members` in a message.
fn for_people(attribute: &str) -> String {
    let words = attribute.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
