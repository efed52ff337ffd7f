//! What REST answers besides resources, in the shapes of the hosted service.
//!
//! | status | body |
//! |---|---|
//! | 400 | `{"error": "Bad Request", "message": …}`: the body is not a JSON object |
//! | 401, 404, 405, 413, 503 | `{"error": "Not Found"}` and so on |
//! | 422 | `{"errors": [{"type", "code", "message", "attribute", "url"}]}`: all that is wrong, not only the first |

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::catalogue::NotStored;

/// Of a handler.
pub(super) type Answer = Result<Response, Refusal>;

/// An attribute and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Invalid {
    pub(super) code: Code,
    pub(super) attribute: &'static str,
    pub(super) message: String,
}

/// Words of the hosted service for what is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    /// It is missing, of another type, too long, out of range.
    InvalidParameter,
    /// Somebody else has it.
    ValueNotUnique,
}

/// Why a request is not done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The body is not a JSON object.
    Malformed(String),
    /// Wrong credentials, or none.
    Unauthorized,
    /// No such resource, or none for this project.
    NotFound,
    /// The resource is there, this is not done to it.
    NotAllowed,
    /// More than a request may have.
    TooLarge,
    /// What is wrong with it.
    Invalid(Vec<Invalid>),
    /// The database is away.
    Unavailable,
}

impl From<NotStored> for Refusal {
    fn from(_: NotStored) -> Self {
        Self::Unavailable
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        tracing::error!(%error, "the database did not answer");
        Self::Unavailable
    }
}

impl Refusal {
    /// One attribute is wrong.
    pub(super) fn invalid(attribute: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![Invalid { code: Code::InvalidParameter, attribute, message: message.into() }])
    }
}

impl Refusal {
    /// Somebody else has that name.
    pub(super) fn taken(attribute: &'static str) -> Self {
        let message = "Name has already been taken".to_owned();
        Self::Invalid(vec![Invalid { code: Code::ValueNotUnique, attribute, message }])
    }
}

impl Code {
    fn name(self) -> &'static str {
        match self {
            Self::InvalidParameter => "invalid_parameter",
            Self::ValueNotUnique => "value_not_unique",
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Malformed(message) => {
                reply(StatusCode::BAD_REQUEST, &json!({"error": "Bad Request", "message": message}))
            }
            Self::Unauthorized => {
                let mut response = named(StatusCode::UNAUTHORIZED);
                let challenge = HeaderValue::from_static("Basic realm=\"signalbox\"");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
                response
            }
            Self::NotFound => named(StatusCode::NOT_FOUND),
            Self::NotAllowed => named(StatusCode::METHOD_NOT_ALLOWED),
            Self::TooLarge => named(StatusCode::PAYLOAD_TOO_LARGE),
            Self::Unavailable => named(StatusCode::SERVICE_UNAVAILABLE),
            Self::Invalid(errors) => {
                let errors: Vec<Value> = errors.iter().map(Invalid::wire).collect();
                reply(StatusCode::UNPROCESSABLE_ENTITY, &json!({"errors": errors}))
            }
        }
    }
}

impl Invalid {
    fn wire(&self) -> Value {
        json!({
            "type": "validation_error",
            "code": self.code.name(),
            "message": self.message,
            "attribute": self.attribute,
            "url": null,
        })
    }
}

pub(super) fn reply(status: StatusCode, body: &Value) -> Response {
    (status, Json(body)).into_response()
}

fn named(status: StatusCode) -> Response {
    reply(status, &json!({"error": status.canonical_reason()}))
}
