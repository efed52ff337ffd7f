//! Names of things. Those on the wire are text; those between the shell and this crate are numbers.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the text as it is.
            #[must_use]
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// As on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// The tenant everything belongs to.
    ProjectId
);
text_id!(
    /// A room, across its sessions.
    RoomId
);
text_id!(
    /// One run of a room, from the first member's arrival to the last one's departure.
    RoomSessionId
);
text_id!(
    /// A member of a room session.
    MemberId
);
text_id!(
    /// A recording of a room session.
    RecordingId
);
text_id!(
    /// A media leg as its client names it: `callID`. Chosen by the client, so only meaningful within its session.
    CallId
);

/// Longest `callID` taken. SDKs send UUIDs of 36 characters.
const MAX_CALL_ID: usize = 128;

impl<'de> Deserialize<'de> for CallId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() || text.len() > MAX_CALL_ID {
            return Err(serde::de::Error::custom("callID must have 1 to 128 characters"));
        }
        Ok(Self::new(text))
    }
}

/// A session in the shell's tables; the shell numbers them and never reuses a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionKey(pub u64);

/// One WebSocket; the shell numbers them and never reuses a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId(pub u64);

/// A request of a session that waits for its reply; numbered by the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestKey(pub u64);

/// A media leg of a room session; numbered by the room session, never reused. A reloaded page keeps its
/// [`CallId`] and gets a new `LegId`, so that late news of the old leg cannot be mistaken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LegId(pub u64);

/// The name of a session: `signalwire_<signature>_<uuid>_<project>`.
///
/// Realtime SDKs offer it again on reconnect only if its second part equals `authorization.signature`; so the
/// signature holds no underscore.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Protocol {
    text: Arc<str>,
    signature: Arc<str>,
    uuid: Uuid,
}

impl Protocol {
    /// The name made of its parts. `None` when the signature is empty or not alphanumeric.
    #[must_use]
    pub fn new(signature: &str, uuid: Uuid, project: &ProjectId) -> Option<Self> {
        let clean = !signature.is_empty() && signature.bytes().all(|b| b.is_ascii_alphanumeric());
        clean.then(|| Self {
            text: format!("signalwire_{signature}_{uuid}_{project}").into(),
            signature: signature.into(),
            uuid,
        })
    }

    /// Takes a name apart that a client offers: what the shell needs to check the signature.
    #[must_use]
    pub fn parse(text: &str) -> Option<(Self, ProjectId)> {
        let mut parts = text.splitn(4, '_');
        let (name, signature, uuid, project) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let uuid = Uuid::try_parse(uuid).ok()?;
        let project = ProjectId::new(project);
        let protocol = Self::new(signature, uuid, &project)?;
        (name == "signalwire" && protocol.as_str() == text).then_some((protocol, project))
    }

    /// As on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The second part.
    #[must_use]
    pub fn signature(&self) -> &str {
        &self.signature
    }

    /// The third part.
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        self.uuid
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Makes the UUIDs of one room session from a seed, so that a test sees the same ones on every run.
/// They name, they do not protect: no secret comes from here.
#[derive(Clone, Debug)]
pub struct IdSource {
    state: u128,
}

impl IdSource {
    /// Ids from that seed; the shell passes 128 random bits.
    #[must_use]
    pub fn seeded(seed: u128) -> Self {
        Self { state: seed }
    }

    /// Another id.
    pub(crate) fn uuid(&mut self) -> Uuid {
        // A Weyl sequence through two rounds of the splitmix64 finaliser: distinct for 2^128 steps of one seed.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let [low, high] = [self.state & u128::from(u64::MAX), self.state >> 64]
            .map(|half| u64::try_from(half).unwrap_or(0));
        let low = mix(low ^ mix(high));
        let high = mix(high ^ low);
        uuid::Builder::from_random_bytes(((u128::from(high) << 64) | u128::from(low)).to_be_bytes())
            .into_uuid()
    }
}

fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocol_survives_the_wire() {
        let project = ProjectId::new("dev");
        let uuid = IdSource::seeded(1).uuid();
        let protocol = Protocol::new("00ff", uuid, &project).unwrap();
        assert_eq!(Protocol::parse(protocol.as_str()), Some((protocol.clone(), project)));
        assert_eq!(protocol.as_str().split('_').nth(1), Some(protocol.signature()));
    }

    #[test]
    fn foreign_protocols_are_not_taken() {
        let uuid = "5f7f5bd0-2f44-4a49-bb13-a0ad5fbb8b5b";
        for text in [
            String::new(),
            "signalwire".into(),
            format!("signalwire_ab_{uuid}"),
            format!("signalwire__{uuid}_dev"),
            format!("signalwire_a-b_{uuid}_dev"),
            format!("other_ab_{uuid}_dev"),
            "signalwire_ab_nouuid_dev".into(),
            format!("signalwire_ab_{}_dev", uuid.to_uppercase()),
        ] {
            assert_eq!(Protocol::parse(&text), None, "{text}");
        }
    }

    #[test]
    fn ids_are_distinct_and_repeatable() {
        let take = || {
            let mut ids = IdSource::seeded(7);
            (0..1000).map(|_| ids.uuid()).collect::<std::collections::HashSet<_>>()
        };
        assert_eq!(take().len(), 1000);
        assert_eq!(take(), take());
    }
}
