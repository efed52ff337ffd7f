//! Verto inside `video.message` (client to server) and inside `webrtc.message` events (server to client).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{CallId, MemberId};

/// Params of `video.message`.
#[derive(Clone, Debug, Deserialize)]
pub struct MessageParams {
    /// The leg; also inside.
    #[serde(rename = "callID")]
    pub call_id: Option<CallId>,
    /// Events the leg's page wants; in an invite.
    pub subscribe: Option<Vec<String>>,
    /// The verto frame.
    pub message: VertoFrame,
}

/// A verto frame: a request, or without a method the acknowledgement of one of ours.
#[derive(Clone, Debug, Deserialize)]
pub struct VertoFrame {
    /// To be repeated.
    pub id: Value,
    /// What to do.
    pub method: Option<String>,
    /// With what.
    #[serde(default)]
    pub params: Value,
}

/// Params of `verto.invite` and `verto.modify`.
#[derive(Clone, Debug, Deserialize)]
pub struct CallParams {
    /// The leg.
    #[serde(rename = "dialogParams")]
    pub dialog: DialogParams,
    /// The offer.
    pub sdp: Option<String>,
    /// Of modify: `updateMedia`, `hold`, `unhold`.
    pub action: Option<String>,
    /// Of a screen share: the layout to take with it.
    pub layout: Option<String>,
    /// Of a screen share: places to take with it, by member.
    pub positions: Option<BTreeMap<String, String>>,
}

/// What a client says about its leg; only what matters.
#[derive(Clone, Debug, Deserialize)]
pub struct DialogParams {
    /// The leg.
    #[serde(rename = "callID")]
    pub call_id: CallId,
    /// It carries a screen.
    #[serde(rename = "screenShare")]
    pub screen_share: Option<bool>,
    /// It carries another camera or microphone.
    #[serde(rename = "additionalDevice")]
    pub additional_device: Option<bool>,
    /// What it receives; an extension of ours.
    pub receive: Option<Value>,
}

/// Inner result of an accepted invite.
#[derive(Clone, Debug, Serialize)]
pub struct CallCreated {
    /// `CALL CREATED`.
    pub message: &'static str,
    /// The leg.
    #[serde(rename = "callID")]
    pub call_id: CallId,
    /// The member it belongs to.
    #[serde(rename = "memberID")]
    pub member_id: MemberId,
}

/// Inner result of `verto.modify`.
#[derive(Clone, Debug, Serialize)]
pub struct Modified {
    /// Repeated.
    pub action: &'static str,
    /// The leg.
    #[serde(rename = "callID")]
    pub call_id: CallId,
    /// `active` or `held`.
    #[serde(rename = "holdState")]
    pub hold_state: &'static str,
    /// Which server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_id: Option<String>,
    /// The answer, to `updateMedia`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sdp: Option<String>,
}

/// Inner result of `verto.info`.
#[derive(Clone, Debug, Serialize)]
pub struct InfoSent {
    /// `SENT`.
    pub message: &'static str,
    /// The leg.
    #[serde(rename = "callID")]
    pub call_id: CallId,
}

/// Inner result of the client's `verto.bye`.
#[derive(Clone, Debug, Serialize)]
pub struct CallEnded {
    /// `CALL ENDED`.
    pub message: &'static str,
    /// The leg.
    #[serde(rename = "callID")]
    pub call_id: CallId,
    /// Why.
    #[serde(flatten)]
    pub cause: Cause,
}

/// Why a call ends: a Q.850 code as text, and its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// Number.
    #[serde(rename = "causeCode")]
    pub code: &'static str,
    /// Name.
    #[serde(rename = "cause")]
    pub name: &'static str,
}

impl Cause {
    /// Somebody wanted it so.
    pub const NORMAL: Self = Self { code: "16", name: "NORMAL_CLEARING" };
    /// The offer cannot be answered.
    pub const INCOMPATIBLE: Self = Self { code: "88", name: "INCOMPATIBLE_DESTINATION" };
    /// Nothing was heard for too long.
    pub const TIMED_OUT: Self = Self { code: "102", name: "RECOVERY_ON_TIMER_EXPIRE" };
}

/// Params of our `verto.answer`.
#[derive(Clone, Debug, Serialize)]
pub struct Answer<'a> {
    /// The leg: each filters on it.
    #[serde(rename = "callID")]
    pub call_id: &'a CallId,
    /// The answer.
    pub sdp: &'a str,
}

/// Params of our `verto.bye`.
#[derive(Clone, Debug, Serialize)]
pub struct Bye<'a> {
    /// The leg.
    #[serde(rename = "callID")]
    pub call_id: &'a CallId,
    /// Why.
    #[serde(flatten)]
    pub cause: Cause,
}

impl CallEnded {
    /// The usual end.
    #[must_use]
    pub fn normal(call_id: CallId) -> Self {
        Self { message: "CALL ENDED", call_id, cause: Cause::NORMAL }
    }

    pub(crate) fn into_value(self) -> Value {
        super::value(&self)
    }
}
