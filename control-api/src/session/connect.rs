//! The first frame of a socket.

use serde_json::{Value, json};

use crate::rpc::{self, Id, Incoming};
use crate::wire::connect::{Authentication, ConnectParams};

/// A `signalwire.connect` that parsed. The shell verifies its credentials, then either hands it to
/// [`Session::attach`](crate::Session::attach) or answers with [`ConnectRequest::refuse`].
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectRequest {
    pub(crate) id: Id,
    /// Who.
    pub credentials: Credentials,
    /// The session it wants to go on with.
    pub protocol: Option<String>,
    /// Proof of that, given by the shell earlier. Only browsers send it.
    pub authorization_state: Option<String>,
    /// Which SDK, for the log; at most 200 characters.
    pub agent: String,
    /// It will acknowledge events.
    pub event_acks: bool,
}

/// What the shell must verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// A video room token.
    RoomToken(String),
    /// A project and its API token.
    Project {
        /// Which.
        project: String,
        /// Its secret.
        token: String,
    },
}

/// Why a connect or reauthenticate fails. SDKs take all of them as final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectRefusal {
    /// Token or secret is wrong or expired.
    Unauthorized,
    /// `protocol` or `authorization_state` is not ours, or belongs to another party: browsers then forget both and
    /// connect cleanly.
    RequesterValidation,
    /// Ours failed; realtime v4 retries on this one.
    Internal,
}

impl ConnectRequest {
    /// Reads the first frame.
    ///
    /// # Errors
    /// The reply to send before closing.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (id, params) = match rpc::parse(text)? {
            Incoming::Request { id, method, params } if method == "signalwire.connect" => (id, params),
            Incoming::Request { id, .. } | Incoming::Response { id } => {
                return Err(rpc::error(
                    Some(&id),
                    rpc::INVALID_REQUEST,
                    "signalwire.connect must come first",
                ));
            }
        };
        let invalid = |message: &str| rpc::error(Some(&id), rpc::INVALID_PARAMS, message);
        let params: ConnectParams = serde_json::from_value(params).map_err(|e| invalid(&e.to_string()))?;
        let credentials = credentials(params.authentication)
            .ok_or_else(|| invalid("authentication needs jwt_token, or project and token"))?;
        Ok(Self {
            credentials,
            protocol: params.protocol,
            authorization_state: params.authorization_state,
            agent: params.agent.unwrap_or_default().chars().take(200).collect(),
            event_acks: params.event_acks.unwrap_or(false),
            id,
        })
    }

    /// The reply that says no.
    #[must_use]
    pub fn refuse(&self, refusal: ConnectRefusal) -> String {
        refusal.reply(&self.id)
    }
}

pub(super) fn credentials(authentication: Authentication) -> Option<Credentials> {
    match (authentication.jwt_token, authentication.project, authentication.token) {
        (Some(jwt), _, _) => Some(Credentials::RoomToken(jwt)),
        (None, Some(project), Some(token)) => Some(Credentials::Project { project, token }),
        (None, _, _) => None,
    }
}

impl ConnectRefusal {
    pub(super) fn reply(self, id: &Id) -> String {
        let (code, message) = match self {
            Self::Unauthorized => (
                rpc::AUTH_FAILED,
                "Authentication service failed with status ProtocolError, 401 Unauthorized: {}",
            ),
            Self::RequesterValidation => (rpc::AUTH_FAILED, "Requester validation failed"),
            Self::Internal => (rpc::INTERNAL, "Internal error"),
        };
        rpc::error(Some(id), code, message)
    }
}

/// Params of the event that gives a browser its resume state.
pub(super) fn authorization_state(state: &str) -> Value {
    json!({ "authorization_state": state })
}
