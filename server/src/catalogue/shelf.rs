//! Things of one kind in memory: by id, and as a list, newest first.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use uuid::Uuid;

use super::items::{Conference, ConferenceToken, Room, Stream};
use crate::storage::{Cursor, Page, Slice, Turn, UnixMs};

/// What can stand on a [`Shelf`].
pub(crate) trait Item {
    fn id(&self) -> Uuid;
    fn created(&self) -> UnixMs;

    /// Its place in the list.
    fn cursor(&self) -> Cursor {
        Cursor { at: self.created(), id: self.id().to_string() }
    }
}

/// Place in time, then by id.
type Age = (UnixMs, Uuid);

pub(super) struct Shelf<T> {
    by_id: HashMap<Uuid, Arc<T>>,
    by_age: BTreeSet<Age>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { by_id: HashMap::new(), by_age: BTreeSet::new() }
    }
}

impl<T: Item> Shelf<T> {
    /// Adds it, or puts it in the place of the one with its id; gives that one.
    pub(super) fn put(&mut self, item: T) -> Option<Arc<T>> {
        let former = self.remove(item.id());
        self.by_age.insert((item.created(), item.id()));
        self.by_id.insert(item.id(), Arc::new(item));
        former
    }

    pub(super) fn remove(&mut self, id: Uuid) -> Option<Arc<T>> {
        let item = self.by_id.remove(&id)?;
        self.by_age.remove(&(item.created(), id));
        Some(item)
    }

    /// Removes and gives those.
    pub(super) fn remove_all(&mut self, those: impl Fn(&T) -> bool) -> Vec<Arc<T>> {
        let ids: Vec<Uuid> = self.by_id.values().filter(|item| those(item)).map(|item| item.id()).collect();
        ids.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    pub(super) fn get(&self, id: Uuid) -> Option<Arc<T>> {
        self.by_id.get(&id).cloned()
    }

    /// A page of those that `keep`, newest first.
    pub(super) fn page(&self, slice: &Slice<Cursor>, keep: impl Fn(&T) -> bool) -> Page<Arc<T>> {
        let found = |ages: &mut dyn Iterator<Item = &Age>| {
            ages.filter_map(|(_, id)| self.by_id.get(id))
                .filter(|item| keep(item))
                .take(slice.look_for())
                .cloned()
                .collect()
        };
        let items = match &slice.turn {
            Turn::First => found(&mut self.by_age.iter().rev()),
            Turn::After(cursor) => found(&mut self.by_age.range(..age(cursor)).rev()),
            Turn::Before(cursor) => {
                found(&mut self.by_age.range((Bound::Excluded(age(cursor)), Bound::Unbounded)))
            }
        };
        slice.cut(items)
    }
}

/// A cursor comes from outside: an id that is none stands before all.
fn age(cursor: &Cursor) -> Age {
    (cursor.at, Uuid::try_parse(&cursor.id).unwrap_or_default())
}

impl Item for Room {
    fn id(&self) -> Uuid {
        self.id
    }

    fn created(&self) -> UnixMs {
        self.dates.created
    }
}

impl Item for Conference {
    fn id(&self) -> Uuid {
        self.id
    }

    fn created(&self) -> UnixMs {
        self.dates.created
    }
}

impl Item for ConferenceToken {
    fn id(&self) -> Uuid {
        self.id
    }

    fn created(&self) -> UnixMs {
        self.created
    }
}

impl Item for Stream {
    fn id(&self) -> Uuid {
        self.id
    }

    fn created(&self) -> UnixMs {
        self.dates.created
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Thing(u128, i64);

    impl Item for Thing {
        fn id(&self) -> Uuid {
            Uuid::from_u128(self.0)
        }

        fn created(&self) -> UnixMs {
            UnixMs(self.1)
        }
    }

    fn shelf() -> Shelf<Thing> {
        let mut shelf = Shelf::default();
        // Two of the same millisecond.
        for (id, at) in [(1, 10), (2, 20), (3, 20), (4, 30), (5, 40)] {
            shelf.put(Thing(id, at));
        }
        shelf
    }

    fn ids(page: &Page<Arc<Thing>>) -> (Vec<u128>, bool, bool) {
        (page.rows.iter().map(|thing| thing.0).collect(), page.is_preceded, page.is_followed)
    }

    fn at(shelf: &Shelf<Thing>, turn: Turn<Cursor>) -> (Vec<u128>, bool, bool) {
        ids(&shelf.page(&Slice { turn, limit: 2 }, |_| true))
    }

    #[test]
    fn pages_go_forth_and_back() {
        let shelf = shelf();
        let cursor = |id: u128| shelf.get(Uuid::from_u128(id)).unwrap().cursor();
        assert_eq!(at(&shelf, Turn::First), (vec![5, 4], false, true));
        assert_eq!(at(&shelf, Turn::After(cursor(4))), (vec![3, 2], true, true));
        assert_eq!(at(&shelf, Turn::After(cursor(2))), (vec![1], true, false));
        assert_eq!(at(&shelf, Turn::After(cursor(1))), (vec![], true, false));
        assert_eq!(at(&shelf, Turn::Before(cursor(1))), (vec![3, 2], true, true));
        assert_eq!(at(&shelf, Turn::Before(cursor(3))), (vec![5, 4], false, true));
        assert_eq!(at(&shelf, Turn::Before(cursor(5))), (vec![], false, true));
    }

    #[test]
    fn what_comes_and_goes_between_pages_disturbs_nothing() {
        let mut shelf = shelf();
        let last = shelf.get(Uuid::from_u128(4)).unwrap().cursor();
        shelf.put(Thing(6, 50));
        shelf.remove(Uuid::from_u128(4));
        assert_eq!(at(&shelf, Turn::After(last.clone())), (vec![3, 2], true, true));
        assert_eq!(at(&shelf, Turn::Before(last)), (vec![6, 5], false, true));
    }

    #[test]
    fn a_filter_fills_the_page() {
        let page = shelf().page(&Slice { turn: Turn::First, limit: 2 }, |thing| thing.0 % 2 == 1);
        assert_eq!(ids(&page), (vec![5, 3], false, true));
    }

    #[test]
    fn the_changed_one_takes_the_place() {
        let mut shelf = shelf();
        shelf.put(Thing(2, 60));
        assert_eq!(at(&shelf, Turn::First), (vec![2, 5], false, true));
        assert!(shelf.remove(Uuid::from_u128(9)).is_none());
    }
}
