//! What is old goes, and nothing else.

use super::*;
use crate::storage::retention::sweep;

#[tokio::test]
async fn what_ended_too_long_ago_goes_with_all_that_belongs_to_it() {
    on_both(async |place| {
        let opened = Opened::at(&place).await;
        let dead = NewMessage { message_id: "m".to_owned(), endpoint: "x".into(), body: "{}".into() };
        let rooms = [("s1", Some(10.0)), ("s2", Some(20.0)), ("s3", None)].map(|(id, ends)| {
            let room = opened.room(id, "blue");
            room.started(1.0);
            room.member_with(EventKind::MemberJoined, 2.0, "ann", vec![dead.clone()]);
            // More than one transaction deletes.
            for _ in 0..600 {
                room.updated(3.0, false);
            }
            if let Some(at) = ends {
                room.ended(at);
            }
            room
        });
        until("all is written", async || opened.events("s3").await.len() == 602).await;
        let outbox = opened.storage.outbox();
        let first = outbox.lane("x", "s1", 1).await.unwrap().remove(0);
        outbox.settle(first.id, Outcome::Dead { error: "gone".to_owned() }).await.unwrap();

        assert_eq!(sweep(&opened.storage, UnixMs(10_000)).await.unwrap(), 0, "not the moment itself");
        assert_eq!(sweep(&opened.storage, UnixMs(10_001)).await.unwrap(), 1);
        for (id, sessions, stays, events) in [("s1", 0, 0, 0), ("s2", 1, 1, 603), ("s3", 1, 1, 602)] {
            let session = opened.session(id).await;
            assert_eq!(
                (
                    usize::from(session.is_some()),
                    opened.members(id).await.len(),
                    opened.events(id).await.len()
                ),
                (sessions, stays, events),
                "{id}"
            );
        }
        assert_eq!(opened.count("SELECT COUNT(*) FROM outbox").await, 2, "what is not delivered is not old");
        drop(rooms);
        opened.close().await;
    })
    .await;
}
