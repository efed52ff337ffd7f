//! How long history stays.
//!
//! in:  the passing of time
//! out: what is older than it should be is gone, a little at a time
//!
//! Small transactions with pauses between them, so that the writer is never held up for long. What belongs to a session
//! goes before the session, so that an interrupted sweep is taken up by the next.

use std::time::Duration;

use sqlx::{Any, Encode, Type};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::{Storage, UnixMs};

/// Pause between sweeps: what is kept for days need not go to the hour.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// Sessions looked up at once.
const SESSIONS: i64 = 50;

/// Rows of one transaction: some milliseconds.
const ROWS: i64 = 500;

/// The writer's turn.
const PAUSE: Duration = Duration::from_millis(20);

/// Sweeps for ever.
pub(super) async fn run(storage: Storage, keep: Duration) {
    let mut turns = interval(SWEEP_EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        let keep_ms = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
        match sweep(&storage, UnixMs(UnixMs::now().0.saturating_sub(keep_ms))).await {
            Ok(0) => {}
            Ok(sessions) => tracing::info!(sessions, "history that is older than storage.keep_days is gone"),
            Err(error) => tracing::warn!(%error, "old history stays until the next sweep"),
        }
    }
}

/// Deletes what ended before that moment; tells how many sessions.
pub(super) async fn sweep(storage: &Storage, before: UnixMs) -> sqlx::Result<usize> {
    let mut gone = 0;
    loop {
        let old: Vec<String> = sqlx::query_scalar(
            "SELECT id FROM room_sessions WHERE end_time < $1 ORDER BY end_time, id LIMIT $2",
        )
        .bind(before)
        .bind(SESSIONS)
        .fetch_all(storage.reader())
        .await?;
        if old.is_empty() {
            break;
        }
        for id in &old {
            delete_all(storage, EVENTS, id.as_str()).await?;
            delete_all(storage, MEMBERS, id.as_str()).await?;
            let mut transaction = storage.begin().await?;
            let session = sqlx::query("DELETE FROM room_sessions WHERE id = $1").bind(id.as_str());
            session.execute(&mut *transaction).await?;
            transaction.commit().await?;
        }
        gone += old.len();
    }
    delete_all(storage, DEAD, before).await?;
    Ok(gone)
}

const EVENTS: &str = "DELETE FROM room_session_events WHERE room_session_id = $1 AND number IN \
    (SELECT number FROM room_session_events WHERE room_session_id = $1 LIMIT $2)";

const MEMBERS: &str = "DELETE FROM room_session_members WHERE room_session_id = $1 AND stay IN \
    (SELECT stay FROM room_session_members WHERE room_session_id = $1 LIMIT $2)";

/// Messages that were given up.
const DEAD: &str = "DELETE FROM outbox WHERE id IN \
    (SELECT id FROM outbox WHERE dead = 1 AND created_at < $1 LIMIT $2)";

/// Deletes rows of that key until there is none.
async fn delete_all<'q, K>(storage: &Storage, some: &'static str, key: K) -> sqlx::Result<()>
where
    K: Encode<'q, Any> + Type<Any> + Copy,
{
    loop {
        let mut transaction = storage.begin().await?;
        let deleted = sqlx::query(some).bind(key).bind(ROWS).execute(&mut *transaction).await?;
        transaction.commit().await?;
        if deleted.rows_affected() == 0 {
            return Ok(());
        }
        sleep(PAUSE).await;
    }
}
