//! What the catalogue keeps: rooms, and how the rows of all its things are read and written.

use sqlx::{Any, Transaction};
use uuid::Uuid;

use super::{Storage, UnixMs, conferences, project_layouts, streams};
use crate::catalogue::{Change, Dates, Room};

/// Id, name, body, made, changed.
type Row = (String, String, String, UnixMs, UnixMs);

impl Storage {
    /// Everything the catalogue begins with, as the changes that make it.
    pub(crate) async fn catalogue(&self) -> sqlx::Result<Vec<Change>> {
        let mut all = all(self).await?;
        all.extend(conferences::all(self).await?);
        all.extend(streams::all(self).await?);
        all.extend(project_layouts::all(self).await?);
        Ok(all)
    }

    /// Stores one change as a whole.
    pub(crate) async fn store(&self, change: &Change) -> sqlx::Result<()> {
        let mut transaction = self.begin().await?;
        match change {
            Change::PutRoom(room) => put(&mut transaction, room).await?,
            Change::RemoveRoom(id) => {
                streams::remove_of(&mut transaction, *id).await?;
                remove(&mut transaction, "DELETE FROM rooms WHERE id = $1", *id).await?;
            }
            Change::AddConference(conference, tokens) => {
                conferences::put(&mut transaction, conference).await?;
                for token in tokens {
                    conferences::put_token(&mut transaction, token).await?;
                }
            }
            Change::PutConference(conference) => conferences::put(&mut transaction, conference).await?,
            Change::RemoveConference(id) => {
                streams::remove_of(&mut transaction, *id).await?;
                conferences::remove(&mut transaction, *id).await?;
            }
            Change::PutToken(token) => conferences::put_token(&mut transaction, token).await?,
            Change::PutStream(stream) => streams::put(&mut transaction, stream).await?,
            Change::PutLayout(layout) => project_layouts::put(&mut transaction, layout).await?,
            Change::RemoveLayout(name) => project_layouts::remove(&mut transaction, name).await?,
            Change::RemoveStream(id) => {
                remove(&mut transaction, "DELETE FROM streams WHERE id = $1", *id).await?;
            }
        }
        transaction.commit().await
    }
}

async fn all(storage: &Storage) -> sqlx::Result<Vec<Change>> {
    let rows: Vec<Row> = sqlx::query_as("SELECT id, name, body, created_at, updated_at FROM rooms")
        .fetch_all(storage.reader())
        .await?;
    rows.into_iter()
        .map(|(id, name, body, created, updated)| {
            let room =
                Room { id: uuid(&id)?, name, dates: Dates { created, updated }, body: json("body", &body)? };
            Ok(Change::PutRoom(room))
        })
        .collect()
}

async fn put(transaction: &mut Transaction<'_, Any>, room: &Room) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO rooms (id, name, body, created_at, updated_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (id) DO UPDATE SET body = excluded.body, updated_at = excluded.updated_at",
    )
    .bind(room.id.to_string())
    .bind(&*room.name)
    .bind(text(&room.body))
    .bind(room.dates.created)
    .bind(room.dates.updated)
    .execute(&mut **transaction)
    .await
    .map(drop)
}

/// Removes the rows that belong to that id.
pub(super) async fn remove(
    transaction: &mut Transaction<'_, Any>,
    statement: &'static str,
    id: Uuid,
) -> sqlx::Result<()> {
    sqlx::query(statement).bind(id.to_string()).execute(&mut **transaction).await.map(drop)
}

/// As a body is kept.
pub(super) fn text(body: &impl serde::Serialize) -> String {
    serde_json::to_string(body).expect("names, numbers and text are JSON")
}

pub(super) fn uuid(text: &str) -> sqlx::Result<Uuid> {
    Uuid::try_parse(text).map_err(|error| unreadable("id", error))
}

pub(super) fn json<T: serde::de::DeserializeOwned>(column: &str, text: &str) -> sqlx::Result<T> {
    serde_json::from_str(text).map_err(|error| unreadable(column, error))
}

pub(super) fn unreadable(
    column: &str,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: error.into() }
}
