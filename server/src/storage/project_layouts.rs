//! Layouts of the project.

use sqlx::{Any, Transaction};

use super::rooms::{json, text};
use super::{Storage, UnixMs};
use crate::catalogue::{Change, Dates, ProjectLayout};

/// Name, definition, made, changed.
type Row = (String, String, UnixMs, UnixMs);

pub(super) async fn all(storage: &Storage) -> sqlx::Result<Vec<Change>> {
    let rows: Vec<Row> = sqlx::query_as("SELECT name, definition, created_at, updated_at FROM layouts")
        .fetch_all(storage.reader())
        .await?;
    rows.into_iter()
        .map(|(name, definition, created, updated)| {
            let definition = json("definition", &definition)?;
            let dates = Dates { created, updated };
            Ok(Change::PutLayout(ProjectLayout { name, definition, dates }))
        })
        .collect()
}

pub(super) async fn put(transaction: &mut Transaction<'_, Any>, layout: &ProjectLayout) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO layouts (name, definition, created_at, updated_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (name) DO UPDATE SET definition = excluded.definition, updated_at = excluded.updated_at",
    )
    .bind(&*layout.name)
    .bind(text(&layout.definition))
    .bind(layout.dates.created)
    .bind(layout.dates.updated)
    .execute(&mut **transaction)
    .await
    .map(drop)
}

pub(super) async fn remove(transaction: &mut Transaction<'_, Any>, name: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM layouts WHERE name = $1").bind(name).execute(&mut **transaction).await.map(drop)
}
