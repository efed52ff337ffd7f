//! Statements whose conditions depend on what was asked, and lists that are read page by page.
//!
//! in:  pieces of SQL written in this program, values
//! out: one statement with `$1`, `$2` …; a page and whether there is more

use std::fmt;
use std::str::FromStr;

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::{AnyConnection, AnyPool, Arguments, AssertSqlSafe, Encode, FromRow, Type};

use super::UnixMs;

/// Grows from left to right. Values never become part of the text.
#[derive(Default)]
pub(crate) struct Query {
    text: String,
    values: AnyArguments,
}

impl Query {
    pub(crate) fn new(text: &'static str) -> Self {
        Self { text: text.to_owned(), values: AnyArguments::default() }
    }

    /// Adds text.
    #[must_use]
    pub(crate) fn add(mut self, text: &'static str) -> Self {
        self.text.push_str(text);
        self
    }

    /// Adds a value and its placeholder.
    #[must_use]
    pub(crate) fn value<'t, T: Encode<'t, sqlx::Any> + Type<sqlx::Any>>(mut self, value: T) -> Self {
        self.values.add(value).expect("text and numbers can always be encoded");
        self.text.push_str(&format!("${}", self.values.len()));
        self
    }

    /// Changes rows; gives how many.
    pub(crate) async fn execute(self, to: &mut AnyConnection) -> sqlx::Result<u64> {
        // Safe, because `new` and `add` take only text of this program.
        let done = sqlx::query_with(AssertSqlSafe(self.text), self.values).execute(to).await?;
        Ok(done.rows_affected())
    }

    /// The rows.
    pub(crate) async fn all<T>(self, from: &AnyPool) -> sqlx::Result<Vec<T>>
    where
        T: for<'r> FromRow<'r, AnyRow> + Send + Unpin,
    {
        // Safe, because `new` and `add` take only text of this program.
        sqlx::query_as_with(AssertSqlSafe(self.text), self.values).fetch_all(from).await
    }
}

/// A place in a list that is ordered by time, newest first, and by id where the time is the same. It stays right when
/// rows come and go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) at: UnixMs,
    pub(crate) id: String,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at.0, self.id)
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (at, id) = text.split_once('.').ok_or(())?;
        Ok(Self { at: UnixMs(at.parse().map_err(|_| ())?), id: id.to_owned() })
    }
}

/// Which part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Turn<C> {
    /// From its beginning.
    First,
    /// What follows the last row of a page.
    After(C),
    /// What precedes the first row of a page.
    Before(C),
}

/// A part of a list, and how long it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slice<C> {
    pub(crate) turn: Turn<C>,
    pub(crate) limit: u32,
}

/// Some rows in the order of their list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Page<T> {
    pub(crate) rows: Vec<T>,
    /// Rows precede these.
    pub(crate) is_preceded: bool,
    /// Rows follow these.
    pub(crate) is_followed: bool,
}

impl<C> Slice<C> {
    /// Runs a query that begins at the slice's cursor and goes away from it.
    pub(super) async fn page<T>(&self, query: Query, from: &AnyPool) -> sqlx::Result<Page<T>>
    where
        T: for<'r> FromRow<'r, AnyRow> + Send + Unpin,
    {
        query.add(" LIMIT ").value(i64::from(self.limit) + 1).all(from).await.map(|rows| self.cut(rows))
    }

    /// How many rows to look for: one more than asked for tells whether there is more.
    pub(crate) fn look_for(&self) -> usize {
        self.limit as usize + 1
    }

    /// The page of the rows nearest to the slice's cursor, in the order one meets them going away from it.
    pub(crate) fn cut<T>(&self, mut rows: Vec<T>) -> Page<T> {
        let limit = self.limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        match self.turn {
            Turn::First => Page { rows, is_preceded: false, is_followed: more },
            Turn::After(_) => Page { rows, is_preceded: true, is_followed: more },
            Turn::Before(_) => {
                rows.reverse();
                Page { rows, is_preceded: more, is_followed: true }
            }
        }
    }
}
