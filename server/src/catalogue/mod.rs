//! What REST stores: rooms, conferences with their tokens, streams, layouts. All of it is in memory, so that a join never waits
//! for the database; a change is stored first and seen then.
//!
//! in:  one change at a time, checked against what is there
//! out: the stored room of a name, the conference of a token, resources and their lists
//!
//! The server is alone with its database: what somebody else writes into it is seen at the next start.

mod index;
mod items;
mod look;
mod settings;
mod shelf;
mod sound;

use std::sync::{Arc, PoisonError, RwLock};

use layouts::LayoutId;
use tokio::sync::{Mutex, OwnedMutexGuard};
use uuid::Uuid;

pub(crate) use index::{Change, Named};
pub(crate) use items::{
    Conference, ConferenceBody, ConferenceSize, ConferenceToken, Dates, ProjectLayout, Role, Room, RoomBody,
    Stream, Theme,
};
pub(crate) use look::{ImageName, Look};
pub(crate) use settings::{Opening, Origin, Placement, Quality, Settings, video_codecs};
pub(crate) use shelf::Item;
pub(crate) use sound::Sound;

use crate::storage::{Cursor, Page, Slice, Storage};
use index::Index;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Catalogue {
    storage: Storage,
    /// Held for a look or a write, never across a wait.
    index: Arc<RwLock<Index>>,
    changing: Arc<Mutex<()>>,
}

impl Catalogue {
    /// With everything that is stored.
    pub(crate) async fn load(storage: Storage, configured: Vec<LayoutId>) -> sqlx::Result<Self> {
        let mut index = Index::with(configured);
        for change in storage.catalogue().await? {
            index.apply(change);
        }
        Ok(Self { storage, index: Arc::new(RwLock::new(index)), changing: Arc::default() })
    }

    /// The stored room or conference of that name.
    pub(crate) fn named(&self, name: &str) -> Option<Named> {
        self.look(|index| index.named(name))
    }

    pub(crate) fn room(&self, id: Uuid) -> Option<Arc<Room>> {
        self.look(|index| index.rooms.get(id))
    }

    pub(crate) fn conference(&self, id: Uuid) -> Option<Arc<Conference>> {
        self.look(|index| index.conferences.get(id))
    }

    /// The room or conference of that id.
    pub(crate) fn owner(&self, id: Uuid) -> Option<Named> {
        self.look(|index| index.owner(id))
    }

    pub(crate) fn token(&self, id: Uuid) -> Option<Arc<ConferenceToken>> {
        self.look(|index| index.tokens.get(id))
    }

    /// What a conference token opens.
    pub(crate) fn by_secret(&self, secret: &str) -> Option<(Arc<ConferenceToken>, Arc<Conference>)> {
        self.look(|index| index.by_secret(secret))
    }

    pub(crate) fn stream(&self, id: Uuid) -> Option<Arc<Stream>> {
        self.look(|index| index.streams.get(id))
    }

    pub(crate) fn rooms(&self, slice: &Slice<Cursor>) -> Page<Arc<Room>> {
        self.look(|index| index.rooms.page(slice, |_| true))
    }

    pub(crate) fn conferences(
        &self,
        slice: &Slice<Cursor>,
        keep: impl Fn(&Conference) -> bool,
    ) -> Page<Arc<Conference>> {
        self.look(|index| index.conferences.page(slice, keep))
    }

    pub(crate) fn tokens_of(&self, conference: Uuid, slice: &Slice<Cursor>) -> Page<Arc<ConferenceToken>> {
        self.look(|index| index.tokens.page(slice, |token| token.conference == conference))
    }

    pub(crate) fn streams_of(&self, owner: Uuid, slice: &Slice<Cursor>) -> Page<Arc<Stream>> {
        self.look(|index| index.streams.page(slice, |stream| stream.owner == owner))
    }

    /// What rooms offer beside the layouts of this build: those of the configuration, then those that are stored.
    pub(crate) fn layouts(&self) -> Arc<[LayoutId]> {
        self.look(|index| Arc::clone(&index.offered))
    }

    /// By name.
    pub(crate) fn stored_layouts(&self) -> Vec<ProjectLayout> {
        self.look(|index| index.layouts.values().cloned().collect())
    }

    pub(crate) fn stored_layout(&self, name: &str) -> Option<ProjectLayout> {
        self.look(|index| index.layouts.get(name).cloned())
    }

    /// Waits until nobody else changes anything. What is looked at while this is held stays so.
    pub(crate) async fn change(&self) -> Changing {
        let only = Arc::clone(&self.changing).lock_owned().await;
        Changing { catalogue: self.clone(), only }
    }

    fn look<T>(&self, ask: impl FnOnce(&Index) -> T) -> T {
        ask(&self.index.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The right to change.
pub(crate) struct Changing {
    catalogue: Catalogue,
    only: OwnedMutexGuard<()>,
}

impl Changing {
    /// Stores it, then lets everybody see it. Goes on to the end even when nobody waits for it any more: what is stored
    /// and what is seen never differ.
    pub(crate) async fn commit(self, change: Change) -> Result<(), NotStored> {
        let Self { catalogue, only } = self;
        let stored = tokio::spawn(async move {
            catalogue.storage.store(&change).await?;
            catalogue.index.write().unwrap_or_else(PoisonError::into_inner).apply(change);
            // Named, so that the task holds it to here and not only who waits for the task.
            drop(only);
            Ok(())
        });
        stored.await.map_err(|_| NotStored)?.map_err(|error: sqlx::Error| {
            tracing::error!(%error, "a resource was not stored");
            NotStored
        })
    }
}

/// The database refused or is away; the log says why.
#[derive(Debug)]
pub(crate) struct NotStored;
