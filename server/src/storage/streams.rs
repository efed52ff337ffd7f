//! Streams of rooms and conferences.

use sqlx::{Any, Transaction};
use uuid::Uuid;

use super::rooms::{remove, uuid};
use super::{Storage, UnixMs};
use crate::catalogue::{Change, Dates, Stream};

/// Id, owner, URL, made, changed.
type Row = (String, String, String, UnixMs, UnixMs);

pub(super) async fn all(storage: &Storage) -> sqlx::Result<Vec<Change>> {
    let rows: Vec<Row> = sqlx::query_as("SELECT id, owner_id, url, created_at, updated_at FROM streams")
        .fetch_all(storage.reader())
        .await?;
    rows.into_iter()
        .map(|(id, owner, url, created, updated)| {
            let dates = Dates { created, updated };
            Ok(Change::PutStream(Stream { id: uuid(&id)?, owner: uuid(&owner)?, url, dates }))
        })
        .collect()
}

pub(super) async fn put(transaction: &mut Transaction<'_, Any>, stream: &Stream) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO streams (id, owner_id, url, created_at, updated_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (id) DO UPDATE SET url = excluded.url, updated_at = excluded.updated_at",
    )
    .bind(stream.id.to_string())
    .bind(stream.owner.to_string())
    .bind(&*stream.url)
    .bind(stream.dates.created)
    .bind(stream.dates.updated)
    .execute(&mut **transaction)
    .await
    .map(drop)
}

pub(super) async fn remove_of(transaction: &mut Transaction<'_, Any>, owner: Uuid) -> sqlx::Result<()> {
    remove(transaction, "DELETE FROM streams WHERE owner_id = $1", owner).await
}
