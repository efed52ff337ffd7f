//! The shapes on the wire, as plain data. Defined only here; recorded in `tests/wire/`.

pub mod connect;
pub mod layout;
pub mod member;
pub mod method;
pub mod number;
pub mod recording;
pub mod room;
pub mod tiles;
pub mod verto;

/// As JSON. Our shapes have text keys and finite numbers, so nothing can fail; if it did, the peer would read `null`.
pub(crate) fn value<T: serde::Serialize>(shape: &T) -> serde_json::Value {
    serde_json::to_value(shape).unwrap_or_default()
}

/// As JSON text, on the same terms.
pub(crate) fn text<T: serde::Serialize>(shape: &T) -> String {
    serde_json::to_string(shape).unwrap_or_else(|_| "null".to_owned())
}
