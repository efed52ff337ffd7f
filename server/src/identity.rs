//! What is ours on the wire: names of sessions, resume states, ids of rooms.
//!
//! in:  a project, a party, what a client offers from an earlier connect
//! out: signed text; whether we signed it
//!
//! Nothing is stored: a session that was forgotten, even by a restart, is still recognised by its signature, and its
//! client goes on with an empty session instead of failing for good (the SDKs of servers take any refusal as final).

use std::path::Path;

use aws_lc_rs::hmac;
use control_api::{Authority, ProjectId, Protocol, RoomId};
use uuid::Uuid;

use crate::config::ConfigError;
use crate::{random, secret_file};

/// The secret's file in the data directory. It is not the tokens' key: that one may be shared and changed.
const FILE: &str = "identity.key";

/// Signs and recognises. Each purpose has its own first part, so that no text passes for another.
pub(crate) struct Identity {
    key: hmac::Key,
}

impl Identity {
    /// Reads the secret, and makes it at first start.
    pub(crate) fn open(data_dir: &Path) -> Result<Self, ConfigError> {
        let wrong = |reason: String| ConfigError::new("data_dir", reason);
        let path = data_dir.join(FILE);
        let secret = secret_file::open_or_make(&path).map_err(|error| wrong(error.to_string()))?;
        match <[u8; secret_file::MADE_BYTES]>::try_from(secret) {
            Ok(secret) => Ok(Self::new(&secret)),
            Err(other) => Err(wrong(format!("{}: has {} bytes", path.display(), other.len()))),
        }
    }

    fn new(secret: &[u8; secret_file::MADE_BYTES]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret) }
    }

    /// A new session's name.
    pub(crate) fn new_protocol(&self, project: &ProjectId) -> Protocol {
        let uuid = Uuid::new_v4();
        let signature = random::hex(self.protocol_tag(uuid, project).as_ref());
        Protocol::new(&signature, uuid, project).expect("hexadecimal digits are alphanumeric")
    }

    /// The session's name a client offers, if it is one of ours in that project.
    pub(crate) fn protocol(&self, offered: &str, project: &ProjectId) -> Option<Protocol> {
        let (protocol, named) = Protocol::parse(offered)?;
        let text = tag_text(&["protocol", &protocol.uuid().to_string(), project.as_str()]);
        let signed = unhex(protocol.signature())?;
        (named == *project && hmac::verify(&self.key, &text, &signed).is_ok()).then_some(protocol)
    }

    fn protocol_tag(&self, uuid: Uuid, project: &ProjectId) -> hmac::Tag {
        self.tag(&["protocol", &uuid.to_string(), project.as_str()])
    }

    /// What a browser shows after a reload to go on with that session; `None` for others, which need nothing.
    pub(crate) fn state(&self, protocol: &Protocol, authority: &Authority) -> Option<String> {
        match authority {
            Authority::Room(grant) => Some(random::hex(
                self.tag(&["state", protocol.as_str(), &grant.room_name, &grant.user_name]).as_ref(),
            )),
            Authority::Project(_) => None,
        }
    }

    /// Whether a resume state is the one of that session and party.
    pub(crate) fn is_state(&self, offered: &str, protocol: &Protocol, authority: &Authority) -> bool {
        let Authority::Room(grant) = authority else { return false };
        let text = tag_text(&["state", protocol.as_str(), &grant.room_name, &grant.user_name]);
        unhex(offered).is_some_and(|signed| hmac::verify(&self.key, &text, &signed).is_ok())
    }

    /// Whether this has the form of a resume state, whosever it is.
    pub(crate) fn could_be_state(&self, offered: &str) -> bool {
        let tag_len = aws_lc_rs::digest::SHA256_OUTPUT_LEN;
        unhex(offered).is_some_and(|bytes| bytes.len() == tag_len)
    }

    /// The id of a room, the same for every run of it.
    pub(crate) fn room_id(&self, project: &ProjectId, name: &str) -> RoomId {
        let mut bytes = [0; 16];
        bytes
            .iter_mut()
            .zip(self.tag(&["room", project.as_str(), name]).as_ref())
            .for_each(|(to, from)| *to = *from);
        RoomId::new(uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string())
    }

    fn tag(&self, parts: &[&str]) -> hmac::Tag {
        hmac::sign(&self.key, &tag_text(parts))
    }
}

/// The parts with their lengths: no two lists give the same text.
fn tag_text(parts: &[&str]) -> Vec<u8> {
    parts.iter().flat_map(|part| format!("{}:{part}", part.len()).into_bytes()).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes()
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect()
}

#[cfg(test)]
mod tests {
    use control_api::{ProjectGrant, RoomGrant};

    use super::*;

    fn party(room: &str, user: &str) -> Authority {
        Authority::Room(RoomGrant::new(ProjectId::new("acme"), room, user))
    }

    #[test]
    fn our_protocols_are_known_again_and_no_others() {
        let (key, acme) = (random::bytes(), ProjectId::new("acme"));
        let identity = Identity::new(&key);
        let protocol = identity.new_protocol(&acme);
        assert_eq!(
            Identity::new(&key).protocol(protocol.as_str(), &acme),
            Some(protocol.clone()),
            "after a restart"
        );
        assert_eq!(identity.protocol(protocol.as_str(), &ProjectId::new("other")), None);
        assert_eq!(
            Identity::new(&random::bytes()).protocol(protocol.as_str(), &acme),
            None,
            "another server"
        );
        let other = identity.new_protocol(&acme);
        let mixed = Protocol::new(protocol.signature(), other.uuid(), &acme).unwrap();
        assert_eq!(identity.protocol(mixed.as_str(), &acme), None, "another's signature");
        for text in ["", "signalwire", "signalwire_x_y_z", &"_".repeat(100_000)] {
            assert_eq!(identity.protocol(text, &acme), None);
        }
    }

    #[test]
    fn a_resume_state_is_good_for_its_session_and_party() {
        let identity = Identity::new(&random::bytes());
        let [protocol, other] = [(); 2].map(|()| identity.new_protocol(&ProjectId::new("acme")));
        let alice = party("lounge", "Alice");
        let state = identity.state(&protocol, &alice).unwrap();
        assert!(identity.is_state(&state, &protocol, &alice));
        assert!(!identity.is_state(&state, &other, &alice));
        assert!(!identity.is_state(&state, &protocol, &party("lounge", "Bob")));
        assert!(!identity.is_state(&state, &protocol, &party("hall", "Alice")));
        assert!(!identity.is_state("", &protocol, &alice));
        assert!(!identity.is_state("€€", &protocol, &alice));
        let foreign = Identity::new(&random::bytes()).state(&other, &alice).unwrap();
        assert!(identity.could_be_state(&state) && identity.could_be_state(&foreign));
        for text in ["", "€€", "00ff", "nonsense", &state[1..], &format!("{state}00")] {
            assert!(!identity.could_be_state(text), "{text}");
        }
        let server = Authority::Project(ProjectGrant { project: ProjectId::new("acme") });
        assert_eq!(identity.state(&protocol, &server), None);
    }

    #[test]
    fn a_room_keeps_its_id() {
        let identity = Identity::new(&random::bytes());
        let acme = ProjectId::new("acme");
        assert_eq!(identity.room_id(&acme, "lounge"), identity.room_id(&acme, "lounge"));
        assert_ne!(identity.room_id(&acme, "lounge"), identity.room_id(&acme, "hall"));
    }
}
