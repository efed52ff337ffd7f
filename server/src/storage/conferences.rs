//! Conferences and their tokens.

use sqlx::{Any, Transaction};
use uuid::Uuid;

use super::rooms::{json, remove as remove_rows, text, unreadable, uuid};
use super::{Storage, UnixMs};
use crate::catalogue::{Change, Conference, ConferenceToken, Dates, Role};

/// Id, name, body, made, changed.
type Row = (String, String, String, UnixMs, UnixMs);

/// Id, conference, role, secret, made.
type TokenRow = (String, String, String, String, UnixMs);

pub(super) async fn all(storage: &Storage) -> sqlx::Result<Vec<Change>> {
    let rows: Vec<Row> = sqlx::query_as("SELECT id, name, body, created_at, updated_at FROM conferences")
        .fetch_all(storage.reader())
        .await?;
    let conferences = rows.into_iter().map(|(id, name, body, created, updated)| {
        let dates = Dates { created, updated };
        Ok(Change::PutConference(Conference { id: uuid(&id)?, name, dates, body: json("body", &body)? }))
    });
    let rows: Vec<TokenRow> =
        sqlx::query_as("SELECT id, conference_id, role, secret, created_at FROM conference_tokens")
            .fetch_all(storage.reader())
            .await?;
    let tokens = rows.into_iter().map(|(id, conference, role, secret, created)| {
        let role = Role::by_name(&role).ok_or_else(|| unreadable("role", "is not a role"))?;
        let conference = uuid(&conference)?;
        Ok(Change::PutToken(ConferenceToken { id: uuid(&id)?, conference, role, secret, created }))
    });
    conferences.chain(tokens).collect()
}

pub(super) async fn put(transaction: &mut Transaction<'_, Any>, conference: &Conference) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO conferences (id, name, body, created_at, updated_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (id) DO UPDATE SET body = excluded.body, updated_at = excluded.updated_at",
    )
    .bind(conference.id.to_string())
    .bind(&*conference.name)
    .bind(text(&conference.body))
    .bind(conference.dates.created)
    .bind(conference.dates.updated)
    .execute(&mut **transaction)
    .await
    .map(drop)
}

/// With its tokens.
pub(super) async fn remove(transaction: &mut Transaction<'_, Any>, id: Uuid) -> sqlx::Result<()> {
    remove_rows(transaction, "DELETE FROM conference_tokens WHERE conference_id = $1", id).await?;
    remove_rows(transaction, "DELETE FROM conferences WHERE id = $1", id).await
}

pub(super) async fn put_token(
    transaction: &mut Transaction<'_, Any>,
    token: &ConferenceToken,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO conference_tokens (id, conference_id, role, secret, created_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (id) DO UPDATE SET secret = excluded.secret",
    )
    .bind(token.id.to_string())
    .bind(token.conference.to_string())
    .bind(token.role.name())
    .bind(&*token.secret)
    .bind(token.created)
    .execute(&mut **transaction)
    .await
    .map(drop)
}
