//! What is kept of a room session.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::storage::sessions::SessionStatus;

#[tokio::test]
async fn a_session_is_kept_with_every_stay_and_every_event_and_survives_a_restart() {
    on_both(async |place| {
        let opened = Opened::at(&place).await;
        let room = opened.room("s1", "blue");
        room.started(100.0);
        room.member(EventKind::MemberJoined, 100.5, "ann");
        room.member(EventKind::MemberJoined, 101.0, "bob");
        room.member(EventKind::MemberTalking, 101.5, "ann");
        room.updated(102.0, true);
        room.report(EventKind::AudienceCount, 102.5, None, json!({"total": 3}), Vec::new());
        room.member(EventKind::MemberLeft, 103.0, "ann");
        room.member(EventKind::MemberJoined, 104.0, "ann");
        // Those who are still there leave with the room.
        room.member(EventKind::MemberLeft, 105.0, "ann");
        room.ended(106.25);
        opened.close().await;

        let opened = Opened::at(&place).await;
        let session = opened.session("s1").await.unwrap();
        assert_eq!((session.name.as_str(), session.display_name.as_str()), ("blue", "The blue"));
        assert_eq!((session.room_id.as_str(), session.layout.as_str()), ("room-blue", "grid-responsive"));
        assert_eq!(session.settings.get("max_members"), Some(&json!(7)));
        assert!(session.locked && !session.prioritize_handraise);
        assert_eq!((session.start_time, session.end_time), (UnixMs(100_000), Some(UnixMs(106_250))));
        assert_eq!((session.status(), session.updated_at), (SessionStatus::Completed, UnixMs(106_250)));

        let stays: Vec<_> = opened
            .members("s1")
            .await
            .into_iter()
            .map(|stay| (stay.member_id, stay.name, stay.join_time.0, stay.leave_time.unwrap().0))
            .collect();
        let stay = |id: &str, name: &str, from, to| (id.to_owned(), name.to_owned(), from, to);
        assert_eq!(
            stays,
            [
                stay("ann", "Name of \u{fffd}ann", 100_500, 103_000),
                stay("bob", "Name of \u{fffd}bob", 101_000, 106_250),
                stay("ann", "Name of \u{fffd}ann", 104_000, 105_000)
            ]
        );

        let events = opened.events("s1").await;
        let numbers: Vec<i64> = events.iter().map(|event| event.number).collect();
        assert_eq!(numbers, [1, 2, 3, 5, 7, 8, 9, 10], "neither who speaks when nor how many listen");
        let first = &events[0];
        assert_eq!((first.name.as_str(), first.level.as_str()), ("video.room.started", "info"));
        assert_eq!((first.created_at, first.member_id.as_deref()), (UnixMs(100_000), None));
        assert_eq!(events[1].member_id.as_deref(), Some("ann"));
        let payload: Value = serde_json::from_str(&events[3].payload).unwrap();
        let expected = json!({"room_session": {"layout_name": "grid-responsive", "locked": true,
            "prioritize_handraise": false, "updated": ["locked"]}});
        assert_eq!(payload, expected, "without the twin and without lists");
        opened.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_running_session_is_in_progress() {
    on_both(async |place| {
        let opened = Opened::at(&place).await;
        let room = opened.room("s1", "blue");
        room.started(1.0);
        until("the session is there", async || opened.session("s1").await.is_some()).await;
        let session = opened.session("s1").await.unwrap();
        assert_eq!((session.end_time, session.status()), (None, SessionStatus::InProgress));
        assert!(sessions::find(opened.storage.reader(), "other", "s1").await.unwrap().is_none());
        opened.close().await;
    })
    .await;
}

#[tokio::test]
async fn many_rooms_resources_and_readers_at_once_lose_nothing() {
    const ROOMS: usize = 12;
    const EVENTS: i64 = 50;
    on_both(async |place| {
        let opened = Arc::new(Opened::at(&place).await);
        opened.execute("CREATE TABLE resources (id BIGINT NOT NULL PRIMARY KEY)").await;
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..ROOMS {
            let opened = Arc::clone(&opened);
            tasks.spawn(async move {
                let room = opened.room(&format!("s{number}"), "blue");
                room.started(1.0);
                for _ in 0..EVENTS {
                    room.member(EventKind::MemberUpdated, 2.0, "ann");
                    tokio::task::yield_now().await;
                }
                let mut transaction = opened.storage.begin().await.unwrap();
                let id = i64::try_from(number).unwrap();
                let insert = sqlx::query("INSERT INTO resources (id) VALUES ($1)").bind(id);
                insert.execute(&mut *transaction).await.unwrap();
                transaction.commit().await.unwrap();
                let all = Slice { turn: Turn::First, limit: 100 };
                let filter = sessions::SessionFilter::default();
                sessions::list(opened.storage.reader(), PROJECT, &filter, &all).await.unwrap();
                room.ended(3.0);
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        opened.storage.close(PATIENCE).await;
        assert_eq!(opened.count("SELECT COUNT(*) FROM resources").await, 12);
        for number in 0..ROOMS {
            let events = opened.events(&format!("s{number}")).await;
            let numbers: Vec<i64> = events.iter().map(|event| event.number).collect();
            assert_eq!(numbers, (1..=EVENTS + 2).collect::<Vec<_>>());
        }
    })
    .await;
}

#[tokio::test]
async fn others_may_not_read_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made").join("signalbox.db");
    let opened = Opened::at(&Place::File(path.clone())).await;
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    opened.close().await;
}

#[tokio::test]
async fn a_database_that_is_not_there_is_told_without_its_password() {
    let place = Place::postgres("postgres://signalbox:secret@127.0.0.1:1/video").unwrap();
    let error = Storage::open(place, Arc::new(Metrics::new().unwrap())).await.err().unwrap().to_string();
    assert!(
        error.starts_with("database postgres://127.0.0.1:1/video: ") && !error.contains("secret"),
        "{error}"
    );
    let folder = Place::File(tempfile::tempdir().unwrap().path().to_owned());
    std::fs::create_dir(match &folder {
        Place::File(path) => path,
        Place::Postgres(_) => unreachable!(),
    })
    .unwrap();
    let error = Storage::open(folder, Arc::new(Metrics::new().unwrap())).await.err().unwrap().to_string();
    assert!(error.contains("directory"), "{error}");
}
