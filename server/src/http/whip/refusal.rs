//! Why a request is not done, for the one who sent it and for metrics.

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::{FRAGMENT, SDP};
use crate::app::App;
use crate::wiring::{Unjoined, Unpatched};

/// Seconds until it may be worth another try.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

/// A refused request.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It carries no token.
    NoToken,
    /// Nobody accepts this one.
    BadToken,
    /// The token is for another room.
    OtherRoom,
    /// The token or the room does not allow it.
    NotAllowed(&'static str),
    /// No such room, and none is made.
    NoRoom,
    /// No such member in the room.
    NoMember,
    /// No such call, any more.
    NoCall,
    /// That is not done here; what is.
    Method(HeaderValue),
    /// The client takes no SDP.
    NotAcceptable,
    /// The body is of a type that is not read here.
    NoOffer,
    /// The same of a fragment.
    NoFragment,
    /// Larger than an offer may be.
    TooLarge,
    /// The body cannot be read.
    Malformed(&'static str),
    /// It can be read, and not be used.
    Unusable(String),
    /// Without `If-Match`.
    NoCondition,
    /// The state of the call is another.
    Stale,
    /// Too much is going on, or the server stops.
    Busy,
}

impl From<Unjoined> for Refusal {
    fn from(unjoined: Unjoined) -> Self {
        match unjoined {
            Unjoined::NotAllowed(why) => Self::NotAllowed(why),
            Unjoined::NoRoom => Self::NoRoom,
            Unjoined::NoMember => Self::NoMember,
            Unjoined::Unusable(why) => Self::Unusable(why),
            Unjoined::Busy => Self::Busy,
        }
    }
}

impl From<Unpatched> for Refusal {
    fn from(unpatched: Unpatched) -> Self {
        match unpatched {
            Unpatched::Stale => Self::Stale,
            Unpatched::Unusable(why) => Self::Unusable(why),
            Unpatched::Busy => Self::Busy,
        }
    }
}

impl Refusal {
    /// The same, counted.
    pub(super) fn counted(self, app: &App, protocol: &str) -> Self {
        app.metrics.http_call_refusals.with_label_values(&[protocol, self.reason()]).inc();
        if matches!(self, Self::NoToken | Self::BadToken) {
            app.metrics.auth_failures.inc();
        }
        tracing::debug!(protocol, refusal = ?self, "refused");
        self
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::BadToken => "bad_token",
            Self::OtherRoom => "other_room",
            Self::NotAllowed(_) => "not_allowed",
            Self::NoRoom => "no_room",
            Self::NoMember => "no_member",
            Self::NoCall => "no_call",
            Self::Method(_) => "method",
            Self::NotAcceptable => "not_acceptable",
            Self::NoOffer | Self::NoFragment => "media_type",
            Self::TooLarge => "too_large",
            Self::Malformed(_) => "malformed",
            Self::Unusable(_) => "unusable",
            Self::NoCondition => "no_condition",
            Self::Stale => "stale",
            Self::Busy => "busy",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::NoToken | Self::BadToken => StatusCode::UNAUTHORIZED,
            Self::OtherRoom | Self::NotAllowed(_) => StatusCode::FORBIDDEN,
            Self::NoRoom | Self::NoMember | Self::NoCall => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::NoOffer | Self::NoFragment => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Unusable(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NoCondition => StatusCode::PRECONDITION_REQUIRED,
            Self::Stale => StatusCode::PRECONDITION_FAILED,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn message(&self) -> String {
        let text = match self {
            Self::NoToken => "a room token is needed: Authorization: Bearer <token>",
            Self::BadToken => "the room token is not valid, or over",
            Self::OtherRoom => "the room token is for another room",
            Self::NotAllowed(why) | Self::Malformed(why) => why,
            Self::NoRoom => "there is no such room, and the token makes none: auto_create_room",
            Self::NoMember => "there is no such member in the room",
            Self::NoCall => "there is no such call, or it has ended",
            Self::Method(_) => "this method is not for this URL",
            Self::NotAcceptable => "the answer is application/sdp, which Accept leaves out",
            Self::NoOffer => "an offer is needed, as application/sdp",
            Self::NoFragment => "an ICE fragment is needed, as application/trickle-ice-sdpfrag",
            Self::TooLarge => "the body is too large: 64 kB at most",
            Self::Unusable(why) => return format!("the offer cannot be used: {why}"),
            Self::NoCondition => "If-Match is needed: the ETag of the call, or * to restart ICE",
            Self::Stale => "If-Match names an ICE session that is over",
            Self::Busy => "the server is busy, or about to stop",
        };
        text.to_owned()
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        match self {
            // RFC 6750 §3: without credentials there is nothing to say of them.
            Self::NoToken => {
                let challenge = HeaderValue::from_static("Bearer realm=\"signalbox\"");
                headers.insert(header::WWW_AUTHENTICATE, challenge);
            }
            Self::BadToken => {
                let challenge = "Bearer realm=\"signalbox\", error=\"invalid_token\"";
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
            }
            Self::Method(allowed) => {
                headers.insert(header::ALLOW, allowed.clone());
            }
            Self::NoOffer => {
                headers.insert("accept-post", HeaderValue::from_static(SDP));
            }
            Self::NoFragment => {
                headers.insert("accept-patch", HeaderValue::from_static(FRAGMENT));
            }
            Self::Busy => {
                headers.insert(header::RETRY_AFTER, RETRY_AFTER);
            }
            Self::OtherRoom
            | Self::NotAllowed(_)
            | Self::NoRoom
            | Self::NoMember
            | Self::NoCall
            | Self::NotAcceptable
            | Self::TooLarge
            | Self::Malformed(_)
            | Self::Unusable(_)
            | Self::NoCondition
            | Self::Stale => {}
        }
        headers
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let body = json!({"error": status.canonical_reason(), "message": self.message()});
        (status, self.headers(), Json(body)).into_response()
    }
}
