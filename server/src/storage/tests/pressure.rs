//! A database that is slow, stuck or gone.

use super::*;
use crate::storage::queue::ROWS;

/// Keeps the writer out until it is dropped or committed.
async fn hold(opened: &Opened) -> Transaction<'static, Any> {
    let mut transaction = opened.storage.begin().await.unwrap();
    if !opened.storage.database.is_file() {
        sqlx::raw_sql("LOCK TABLE heartbeat IN ACCESS EXCLUSIVE MODE")
            .execute(&mut *transaction)
            .await
            .unwrap();
    }
    transaction
}

#[tokio::test]
async fn many_rows_share_a_commit() {
    on_both(async |place| {
        let opened = Opened::at(&place).await;
        let room = opened.room("s1", "blue");
        let held = hold(&opened).await;
        for _ in 0..2000 {
            room.updated(1.0, false);
        }
        held.rollback().await.unwrap();
        opened.storage.close(PATIENCE).await;
        assert_eq!(opened.events("s1").await.len(), 2000);
        let commits = opened.metrics.storage_commit_seconds.get_sample_count();
        assert!(commits < 100, "{commits} commits");
    })
    .await;
}

#[tokio::test]
async fn a_room_goes_on_when_the_database_is_stuck_and_what_matters_most_is_kept() {
    const TOO_MANY: usize = ROWS + 5000;
    on_both(async |place| {
        let opened = Opened::at(&place).await;
        let room = opened.room("s1", "blue");
        let noisy = [opened.room("s2", "red"), opened.room("s3", "red")];
        let held = hold(&opened).await;
        room.started(1.0);
        room.member(EventKind::MemberJoined, 1.0, "ann");
        for number in 0..TOO_MANY {
            noisy[number % 2].updated(2.0, true);
        }
        assert!(opened.storage.is_pressed());
        assert!(opened.metrics.storage_queue.get() >= i64::try_from(ROWS).unwrap());
        let dropped = opened.dropped("event");
        assert!(dropped > 0);
        room.member(EventKind::MemberLeft, 3.0, "ann");
        room.ended(4.0);
        assert_eq!(opened.dropped("needed"), 0);
        held.rollback().await.unwrap();

        opened.storage.close(PATIENCE).await;
        assert_eq!(opened.events("s1").await.len(), 4);
        let kept = [opened.events("s2").await, opened.events("s3").await];
        assert_eq!(kept[0].len() + kept[1].len() + usize::try_from(dropped).unwrap(), TOO_MANY);
        assert_eq!(opened.members("s1").await[0].leave_time, Some(UnixMs(3000)));
        assert_eq!(opened.session("s1").await.unwrap().end_time, Some(UnixMs(4000)));
        assert!(!opened.storage.is_pressed());
        assert_eq!(opened.metrics.storage_queue.get(), 0);
    })
    .await;
}

#[tokio::test]
async fn messages_of_lesser_events_leave_the_reserve_to_who_goes() {
    let folder = tempfile::tempdir().unwrap();
    let opened = Opened::at(&Place::File(folder.path().join("signalbox.db"))).await;
    let room = opened.room("s1", "blue");
    let held = hold(&opened).await;
    let message =
        crate::storage::NewMessage { message_id: "m".into(), endpoint: "e".into(), body: "{}".into() };
    for _ in 0..4 * ROWS {
        room.report(EventKind::MemberTalking, 1.0, None, json!({}), vec![message.clone()]);
    }
    assert!(opened.dropped("message") > 0);
    room.ended(2.0);
    assert_eq!(opened.dropped("needed"), 0);
    drop(held);
    opened.close().await;
}

#[tokio::test]
async fn text_that_waits_is_bounded_too() {
    on_both(async |place| {
        let opened = Opened::at(&place).await;
        let room = opened.room("s1", "blue");
        let held = hold(&opened).await;
        let megabyte = json!({"text": "x".repeat(1 << 20)});
        for _ in 0..100 {
            room.report(EventKind::MemberUpdated, 1.0, None, megabyte.clone(), Vec::new());
        }
        assert!((20..50).contains(&opened.dropped("event")), "{}", opened.dropped("event"));
        drop(held);
        opened.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_locked_file_is_told_once_and_written_when_it_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let opened = Opened::at(&Place::File(folder.path().join("signalbox.db"))).await;
    let room = opened.room("s1", "blue");
    let held = hold(&opened).await;
    room.started(1.0);
    until("the metric falls", async || opened.metrics.storage_up.get() == 0).await;
    held.rollback().await.unwrap();
    until("the metric rises", async || opened.metrics.storage_up.get() == 1).await;
    assert!(opened.session("s1").await.is_some());
    opened.close().await;
}

#[tokio::test]
async fn a_server_that_goes_away_and_comes_back_has_everything() {
    let postgres = Postgres::start();
    let opened = Opened::at(&Place::postgres(&postgres.database()).unwrap()).await;
    let room = opened.room("s1", "blue");
    room.started(1.0);
    until("it is written", async || opened.session("s1").await.is_some()).await;
    postgres.halt();
    room.updated(2.0, true);
    until("the metric falls", async || opened.metrics.storage_up.get() == 0).await;
    room.ended(3.0);
    postgres.resume();
    until("the metric rises", async || opened.metrics.storage_up.get() == 1).await;
    opened.storage.close(PATIENCE).await;
    let session = opened.session("s1").await.unwrap();
    assert_eq!((session.locked, session.end_time), (true, Some(UnixMs(3000))));
    assert_eq!(opened.events("s1").await.len(), 3);
}
