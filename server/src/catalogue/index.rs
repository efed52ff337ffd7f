//! Everything stored by REST, in memory, found by whatever it is asked for by.
//!
//! in:  [`Change`]s that are stored already
//! out: rooms and conferences by id, name or secret; lists

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use layouts::{LayoutId, define_what_can_be};
use serde_json::Value;
use uuid::Uuid;

use super::items::{Conference, ConferenceToken, ProjectLayout, Room, Stream};
use super::settings::Settings;
use super::shelf::{Item, Shelf};

/// One change, done as a whole or not at all.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    PutRoom(Room),
    /// With its streams.
    RemoveRoom(Uuid),
    /// A new one, with its tokens.
    AddConference(Conference, Vec<ConferenceToken>),
    PutConference(Conference),
    /// With its tokens and streams.
    RemoveConference(Uuid),
    PutToken(ConferenceToken),
    PutStream(Stream),
    RemoveStream(Uuid),
    PutLayout(ProjectLayout),
    RemoveLayout(String),
}

/// A room or a conference: what a name means.
#[derive(Clone, Debug)]
pub(crate) enum Named {
    Room(Arc<Room>),
    Conference(Arc<Conference>),
}

impl Named {
    pub(crate) fn id(&self) -> Uuid {
        match self {
            Self::Room(room) => room.id,
            Self::Conference(conference) => conference.id,
        }
    }

    pub(crate) fn settings(&self) -> &Settings {
        match self {
            Self::Room(room) => &room.body.settings,
            Self::Conference(conference) => &conference.body.settings,
        }
    }
}

#[derive(Default)]
pub(crate) struct Index {
    pub(super) rooms: Shelf<Room>,
    pub(super) conferences: Shelf<Conference>,
    pub(super) tokens: Shelf<ConferenceToken>,
    pub(super) streams: Shelf<Stream>,
    /// Rooms and conferences share their names: a room token knows nothing else.
    names: HashMap<String, Uuid>,
    secrets: HashMap<String, Uuid>,
    pub(super) layouts: BTreeMap<String, ProjectLayout>,
    /// Those of the configuration, which do not change.
    configured: Vec<LayoutId>,
    /// All that rooms offer beside those of this build.
    pub(super) offered: Arc<[LayoutId]>,
}

impl Index {
    pub(super) fn with(configured: Vec<LayoutId>) -> Self {
        let offered = configured.clone().into();
        Self { configured, offered, ..Self::default() }
    }

    /// What was stored by another version, and cannot be read now, is left out.
    fn offer_layouts(&mut self) {
        let definitions: Vec<Value> = self.layouts.values().map(|layout| layout.definition.clone()).collect();
        let stored = define_what_can_be(&definitions, &self.configured);
        self.offered = self.configured.iter().cloned().chain(stored).collect();
    }

    pub(super) fn named(&self, name: &str) -> Option<Named> {
        self.owner(*self.names.get(name)?)
    }

    /// The room or conference of that id.
    pub(super) fn owner(&self, id: Uuid) -> Option<Named> {
        let room = self.rooms.get(id).map(Named::Room);
        room.or_else(|| self.conferences.get(id).map(Named::Conference))
    }

    pub(super) fn by_secret(&self, secret: &str) -> Option<(Arc<ConferenceToken>, Arc<Conference>)> {
        let token = self.tokens.get(*self.secrets.get(secret)?)?;
        let conference = self.conferences.get(token.conference)?;
        Some((token, conference))
    }

    pub(super) fn apply(&mut self, change: Change) {
        match change {
            Change::PutRoom(room) => {
                self.names.insert(room.name.clone(), room.id);
                self.rooms.put(room);
            }
            Change::RemoveRoom(id) => {
                if let Some(room) = self.rooms.remove(id) {
                    self.names.remove(&room.name);
                }
                self.streams.remove_all(|stream| stream.owner == id);
            }
            Change::AddConference(conference, tokens) => {
                self.apply(Change::PutConference(conference));
                for token in tokens {
                    self.apply(Change::PutToken(token));
                }
            }
            Change::PutConference(conference) => {
                self.names.insert(conference.name.clone(), conference.id);
                self.conferences.put(conference);
            }
            Change::RemoveConference(id) => {
                if let Some(conference) = self.conferences.remove(id) {
                    self.names.remove(&conference.name);
                }
                for token in self.tokens.remove_all(|token| token.conference == id) {
                    self.secrets.remove(&token.secret);
                }
                self.streams.remove_all(|stream| stream.owner == id);
            }
            Change::PutToken(token) => {
                self.secrets.insert(token.secret.clone(), token.id());
                if let Some(former) = self.tokens.put(token.clone())
                    && former.secret != token.secret
                {
                    self.secrets.remove(&former.secret);
                }
            }
            Change::PutStream(stream) => {
                self.streams.put(stream);
            }
            Change::PutLayout(layout) => {
                self.layouts.insert(layout.name.clone(), layout);
                self.offer_layouts();
            }
            Change::RemoveLayout(name) => {
                self.layouts.remove(&name);
                self.offer_layouts();
            }
            Change::RemoveStream(id) => {
                self.streams.remove(id);
            }
        }
    }
}
