//! Every recording there is, in memory, as the files say.
//!
//! in:  records, as they change
//! out: one by its id; lists page by page, newest first

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::record::Record;
use crate::storage::{Cursor, Page, Slice, Turn};

/// By the time of their beginning, then by id.
type Rows = BTreeMap<(i64, String), Record>;

#[derive(Default)]
pub(super) struct Shelf(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    rows: Rows,
    started: HashMap<String, i64>,
}

impl Shelf {
    /// Takes the place of what was known of it.
    pub(super) fn put(&self, record: Record) {
        let mut inner = self.lock();
        inner.started.insert(record.id.clone(), record.started_at);
        inner.rows.insert((record.started_at, record.id.clone()), record);
    }

    pub(super) fn take(&self, id: &str) {
        let mut inner = self.lock();
        if let Some(started) = inner.started.remove(id) {
            inner.rows.remove(&(started, id.to_owned()));
        }
    }

    pub(super) fn find(&self, id: &str) -> Option<Record> {
        let inner = self.lock();
        let started = *inner.started.get(id)?;
        inner.rows.get(&(started, id.to_owned())).cloned()
    }

    /// A part of the list, of one room session or of all.
    pub(super) fn list(&self, session: Option<&str>, slice: &Slice<Cursor>) -> Page<Record> {
        let inner = self.lock();
        let fits = |row: &&Record| session.is_none_or(|session| row.room_session_id == session);
        let key = |cursor: &Cursor| (cursor.at.0, cursor.id.clone());
        let count = slice.look_for();
        let rows: Vec<Record> = match &slice.turn {
            Turn::First => inner.rows.values().rev().filter(fits).take(count).cloned().collect(),
            Turn::After(cursor) => {
                let older = inner.rows.range(..key(cursor)).rev();
                older.map(|row| row.1).filter(fits).take(count).cloned().collect()
            }
            Turn::Before(cursor) => {
                let newer = inner.rows.range((Bound::Excluded(key(cursor)), Bound::Unbounded));
                newer.map(|row| row.1).filter(fits).take(count).cloned().collect()
            }
        };
        slice.cut(rows)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::Status;
    use super::super::record::tests::record;
    use super::*;

    #[test]
    fn pages_go_from_the_newest_to_the_oldest_and_back() {
        let shelf = Shelf::default();
        for number in 1..=5 {
            shelf.put(record(number, 1000 + i64::try_from(number / 2).unwrap(), Status::Completed));
        }
        let mut other = record(9, 1002, Status::Completed);
        other.room_session_id = "other".into();
        shelf.put(other);
        let numbers = |page: &Page<Record>| -> Vec<u128> {
            page.rows.iter().map(|row| uuid::Uuid::try_parse(&row.id).unwrap().as_u128()).collect()
        };
        let all = |turn, limit| shelf.list(None, &Slice { turn, limit });
        let first = all(Turn::First, 4);
        assert_eq!((numbers(&first), first.is_preceded, first.is_followed), (vec![9, 5, 4, 3], false, true));
        let second = all(Turn::After(first.rows[3].cursor()), 4);
        assert_eq!((numbers(&second), second.is_preceded, second.is_followed), (vec![2, 1], true, false));
        let back = all(Turn::Before(second.rows[0].cursor()), 2);
        assert_eq!((numbers(&back), back.is_preceded, back.is_followed), (vec![4, 3], true, true));
        let of_session = shelf.list(Some("other"), &Slice { turn: Turn::First, limit: 4 });
        assert_eq!((numbers(&of_session), of_session.is_followed), (vec![9], false));
        let id = first.rows[0].id.clone();
        shelf.take(&id);
        assert_eq!((shelf.find(&id), numbers(&all(Turn::First, 1))), (None, vec![5]));
    }
}
