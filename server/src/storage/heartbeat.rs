//! What a crash cut off, and when.
//!
//! in:  the writer's sign of life; a start of the server
//! out: an end for every session that has none

use sqlx::{AnyConnection, Connection};

use super::UnixMs;
use super::history::end_session;

/// Writes down that the server lives.
pub(super) async fn write(to: &mut AnyConnection, now: UnixMs) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO heartbeat (id, last_seen) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET last_seen = $1",
    )
    .bind(now)
    .execute(to)
    .await
    .map(drop)
}

/// Ends every session that a former process left open, at the last moment it is known to have run: the last sign of
/// life or the last thing that happened, whichever is later. Tells how many.
pub(super) async fn end_cut_off(of: &mut AnyConnection, begin: &'static str) -> sqlx::Result<usize> {
    let mut transaction = of.begin_with(begin).await?;
    let last_seen: Option<UnixMs> =
        sqlx::query_scalar("SELECT last_seen FROM heartbeat").fetch_optional(&mut *transaction).await?;
    // `updated_at` is the session's own beginning or last change.
    let open: Vec<(String, UnixMs)> =
        sqlx::query_as("SELECT id, updated_at FROM room_sessions WHERE end_time IS NULL")
            .fetch_all(&mut *transaction)
            .await?;
    for (id, changed) in &open {
        let listed = latest(
            &mut transaction,
            "SELECT MAX(created_at) FROM room_session_events WHERE room_session_id = $1",
            id,
        )
        .await?;
        let joined = latest(
            &mut transaction,
            "SELECT MAX(join_time) FROM room_session_members WHERE room_session_id = $1",
            id,
        )
        .await?;
        let end = [last_seen, listed, joined].into_iter().flatten().fold(*changed, UnixMs::max);
        end_session(&mut transaction, id, end).await?;
    }
    transaction.commit().await?;
    Ok(open.len())
}

async fn latest(of: &mut AnyConnection, query: &'static str, id: &str) -> sqlx::Result<Option<UnixMs>> {
    sqlx::query_scalar(query).bind(id).fetch_one(of).await
}
