//! JSON-RPC 2.0 frames.
//!
//! in:  text of at most [`MAX_FRAME`] bytes
//! out: a request or a response; text of requests and replies
//!
//! What does not parse becomes the error reply the peer gets. Nesting is bounded by `serde_json` (128), so a deep frame
//! is an error and not a stack overflow.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value, json};

/// Longest text frame a socket may deliver; beyond it the shell closes with 1009. An offer with many candidates has
/// about 20 kB.
pub const MAX_FRAME: usize = 256 * 1024;

/// Longest textual id taken; SDKs send UUIDs.
const MAX_ID: usize = 256;

/// Not JSON.
pub const PARSE_ERROR: i32 = -32700;
/// JSON, but no request and no response.
pub const INVALID_REQUEST: i32 = -32600;
/// Nobody knows the method.
pub const UNKNOWN_METHOD: i32 = -32601;
/// The params are not of the method.
pub const INVALID_PARAMS: i32 = -32602;
/// Ours failed.
pub const INTERNAL: i32 = -32603;
/// Faster than a client may ask; it may ask again later.
pub const TOO_MANY_REQUESTS: i32 = -32029;
/// Authentication failed, or a verto call error.
pub const AUTH_FAILED: i32 = -32002;

/// What matches a reply to its request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Id {
    /// The usual UUID.
    Text(String),
    /// Verto and old clients.
    Number(Number),
}

impl Id {
    pub(crate) fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) if text.len() <= MAX_ID => Some(Self::Text(text.clone())),
            Value::Number(number) => Some(Self::Number(number.clone())),
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

/// A frame from the peer.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// Wants a reply.
    Request {
        /// To be repeated in the reply.
        id: Id,
        /// What to do.
        method: String,
        /// With what; an empty object when absent.
        params: Value,
    },
    /// Answers a request of ours (an acknowledgement, a pong).
    Response {
        /// Of our request.
        id: Id,
    },
}

/// Takes a frame apart; what cannot be taken comes back as the text of the error reply.
///
/// # Errors
/// The reply to send: parse error, or invalid request.
pub fn parse(text: &str) -> Result<Incoming, String> {
    if text.len() > MAX_FRAME {
        return Err(error(None, INVALID_REQUEST, "frame too large"));
    }
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        return Err(error(None, PARSE_ERROR, "Parse error"));
    };
    let Value::Object(mut frame) = value else {
        return Err(error(None, INVALID_REQUEST, "Invalid request"));
    };
    let id = frame.get("id").and_then(Id::from_value);
    let version_is_right = frame.get("jsonrpc").and_then(Value::as_str) == Some("2.0");
    match (id, frame.remove("method")) {
        (Some(id), Some(Value::String(method))) if version_is_right => Ok(Incoming::Request {
            id,
            method,
            params: frame.remove("params").unwrap_or_else(|| Value::Object(Map::new())),
        }),
        (Some(id), None)
            if version_is_right && (frame.contains_key("result") || frame.contains_key("error")) =>
        {
            Ok(Incoming::Response { id })
        }
        (id, _) => Err(error(id.as_ref(), INVALID_REQUEST, "Invalid request")),
    }
}

/// A request of ours.
#[must_use]
pub fn request(id: &str, method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()
}

/// An event: a request whose params are already text, because many receive the same.
#[must_use]
pub(crate) fn event(id: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":"{id}","method":"signalwire.event","params":{params}}}"#)
}

/// A reply with a result.
#[must_use]
pub fn result(id: &Id, result: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string()
}

/// An error reply; `id` is null when the request's could not be read.
#[must_use]
pub fn error(id: Option<&Id>, code: i32, message: &str) -> String {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Option<i64> {
        let reply: Value = serde_json::from_str(&parse(text).err()?).unwrap();
        reply.pointer("/error/code").and_then(Value::as_i64)
    }

    #[test]
    fn frames_that_are_no_requests_get_their_error() {
        for (text, expected) in [
            ("", -32700),
            ("{", -32700),
            ("\u{0}", -32700),
            ("[]", -32600),
            ("null", -32600),
            ("{}", -32600),
            (r#"{"jsonrpc":"2.0","method":"m"}"#, -32600),
            (r#"{"jsonrpc":"2.0","id":null,"method":"m"}"#, -32600),
            (r#"{"jsonrpc":"2.0","id":{},"method":"m"}"#, -32600),
            (r#"{"jsonrpc":"2.0","id":"1","method":7}"#, -32600),
            (r#"{"jsonrpc":"1.0","id":"1","method":"m"}"#, -32600),
            (r#"{"jsonrpc":"2.0","id":"1"}"#, -32600),
            (r#"{"jsonrpc":"2.0","id":1e999,"method":"m"}"#, -32700),
        ] {
            assert_eq!(code(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn depth_and_size_are_bounded() {
        let deep = format!(
            r#"{{"jsonrpc":"2.0","id":"1","method":"m","params":{}1{}}}"#,
            "[".repeat(9000),
            "]".repeat(9000)
        );
        assert_eq!(code(&deep), Some(-32700));
        let long = format!(r#"{{"jsonrpc":"2.0","id":"1","method":"{}"}}"#, "m".repeat(MAX_FRAME));
        assert_eq!(code(&long), Some(-32600));
        let long_id = format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"m"}}"#, "1".repeat(MAX_ID + 1));
        assert_eq!(code(&long_id), Some(-32600));
    }

    #[test]
    fn ids_are_text_or_numbers_and_come_back_as_they_were() {
        for id in [r#""a""#, r#""""#, "1", "-3", "18446744073709551615"] {
            let Ok(Incoming::Request { id: read, .. }) =
                parse(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"m"}}"#))
            else {
                panic!("{id}");
            };
            assert_eq!(serde_json::to_string(&read).unwrap(), id);
        }
    }

    #[test]
    fn acknowledgements_are_responses() {
        assert_eq!(
            parse(r#"{"jsonrpc":"2.0","id":"s1","result":{}}"#),
            Ok(Incoming::Response { id: Id::Text("s1".into()) })
        );
        assert!(matches!(parse(r#"{"jsonrpc":"2.0","id":1,"error":{}}"#), Ok(Incoming::Response { .. })));
    }
}
