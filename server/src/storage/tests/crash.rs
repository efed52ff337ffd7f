//! What is left when the process does not end as it should.

use super::*;

/// Reports, waits until that is written, and lets the process die: nothing is closed.
async fn crashed(place: &Place, report: impl AsyncFn(&TestRoom)) {
    let opened = Opened::at(place).await;
    let room = opened.room("s1", "blue");
    report(&room).await;
    let last = i64::try_from(room.last.load(Ordering::Relaxed)).unwrap();
    until("all is written", async || {
        opened.events("s1").await.last().is_some_and(|event| event.number == last)
    })
    .await;
    // Held for ever, as by a process that is killed: no end is written.
    std::mem::forget((opened, room));
}

#[tokio::test]
async fn a_session_cut_off_ends_with_the_last_sign_of_life() {
    on_both(async |place| {
        crashed(&place, async |room| {
            room.started(1.0);
            room.member(EventKind::MemberJoined, 2.0, "ann");
        })
        .await;
        let opened = Opened::at(&place).await;
        let last_seen = opened.count("SELECT last_seen FROM heartbeat").await;
        let session = opened.session("s1").await.unwrap();
        assert_eq!(session.end_time, Some(UnixMs(last_seen)), "the server lived until then");
        assert_eq!(opened.members("s1").await[0].leave_time, Some(UnixMs(last_seen)));
        opened.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_session_cut_off_ends_with_the_last_thing_that_happened_when_that_is_later() {
    // Year 2096.
    const LATER: f64 = 4e9;
    on_both(async |place| {
        crashed(&place, async |room| {
            room.started(1.0);
            room.member(EventKind::MemberJoined, 2.0, "ann");
            room.member(EventKind::MemberLeft, 3.0, "ann");
            room.member(EventKind::MemberUpdated, LATER, "bob");
        })
        .await;
        let opened = Opened::at(&place).await;
        assert_eq!(opened.session("s1").await.unwrap().end_time, Some(UnixMs::from_seconds(LATER)));
        assert_eq!(opened.members("s1").await[0].leave_time, Some(UnixMs(3000)), "it had left before");
        opened.close().await;
    })
    .await;
}

#[tokio::test]
async fn what_ended_before_the_crash_keeps_its_end() {
    on_both(async |place| {
        crashed(&place, async |room| {
            room.started(1.0);
            room.ended(2.0);
        })
        .await;
        let opened = Opened::at(&place).await;
        assert_eq!(opened.session("s1").await.unwrap().end_time, Some(UnixMs(2000)));
        opened.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_clean_end_writes_all_that_was_reported_and_ends_what_still_runs() {
    on_both(async |place| {
        let opened = Opened::at(&place).await;
        let room = opened.room("s1", "blue");
        room.started(1.0);
        for _ in 0..2000 {
            room.member(EventKind::MemberUpdated, 2.0, "ann");
        }
        let before = UnixMs::now();
        opened.storage.close(PATIENCE).await;
        assert_eq!(opened.events("s1").await.len(), 2001);
        let end = opened.session("s1").await.unwrap().end_time.unwrap();
        assert!(end >= before, "{end:?} {before:?}");
        // Later reports are refused, and counted.
        room.ended(3.0);
        assert_eq!(opened.dropped("needed"), 1);
    })
    .await;
}

#[tokio::test]
async fn a_room_that_is_gone_without_a_word_is_over() {
    on_both(async |place| {
        let opened = Opened::at(&place).await;
        opened.room("s1", "blue").started(1.0);
        let other = opened.room("s2", "red");
        until("the session ends", async || {
            // Any commit does; the next sign of life would.
            other.updated(2.0, false);
            opened.session("s1").await.is_some_and(|session| session.end_time.is_some())
        })
        .await;
        assert!(opened.session("s2").await.unwrap().end_time.is_none());
        opened.close().await;
    })
    .await;
}
