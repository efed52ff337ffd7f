//! Messages on their way out.

use super::*;

fn message(id: &str, endpoint: &str) -> NewMessage {
    NewMessage { message_id: id.to_owned(), endpoint: endpoint.into(), body: format!("body of {id}").into() }
}

async fn due(outbox: &Outbox, now: i64) -> Vec<OutboxMessage> {
    outbox.due(UnixMs(now), 100).await.unwrap()
}

async fn ids(outbox: &Outbox, now: i64) -> Vec<String> {
    due(outbox, now).await.into_iter().map(|message| message.message_id).collect()
}

#[tokio::test]
async fn each_lane_gives_its_messages_in_order_one_at_a_time() {
    on_both(async |place| {
        let opened = Opened::at(&place).await;
        let outbox = opened.storage.outbox();
        assert_eq!(outbox.next_due().await.unwrap(), None);
        let (blue, red) = (opened.room("s1", "blue"), opened.room("s2", "red"));
        let joined = EventKind::MemberJoined;
        blue.member_with(joined, 1.0, "a", vec![message("m1", "x"), message("m2", "y")]);
        blue.member_with(EventKind::MemberTalking, 2.0, "a", vec![message("m3", "x")]);
        red.member_with(joined, 3.0, "b", vec![message("m4", "x")]);
        outbox.added().await;

        assert_eq!(ids(&outbox, 999).await, [""; 0], "not before its time");
        assert_eq!(outbox.next_due().await.unwrap(), Some(UnixMs(1000)));
        assert_eq!(ids(&outbox, 9000).await, ["m1", "m2", "m4"], "the first of each lane");
        assert_eq!(outbox.due(UnixMs(9000), 1).await.unwrap().len(), 1);
        let first = due(&outbox, 9000).await.remove(0);
        assert_eq!((first.endpoint.as_str(), first.room_session_id.as_str()), ("x", "s1"));
        assert_eq!((first.event.as_str(), first.body.as_str()), ("video.member.joined", "body of m1"));
        assert_eq!((first.created_at, first.attempts), (UnixMs(1000), 0));

        let later = Outcome::Retry { at: UnixMs(20_000), error: "refused".to_owned() };
        outbox.settle(first.id, later).await.unwrap();
        assert_eq!(ids(&outbox, 9000).await, ["m2", "m4"], "what follows in its lane waits with it");
        let again = due(&outbox, 20_000).await.into_iter().find(|message| message.id == first.id).unwrap();
        assert_eq!(again.attempts, 1);

        outbox.settle(first.id, Outcome::Delivered).await.unwrap();
        assert_eq!(ids(&outbox, 9000).await, ["m2", "m3", "m4"], "the longest due first");
        opened.close().await;
    })
    .await;
}

#[tokio::test]
async fn messages_survive_a_restart_and_the_dead_stand_in_nobodys_way() {
    on_both(async |place| {
        let opened = Opened::at(&place).await;
        let room = opened.room("s1", "blue");
        room.member_with(EventKind::MemberJoined, 1.0, "a", vec![message("m1", "x"), message("m2", "x")]);
        opened.close().await;

        let opened = Opened::at(&place).await;
        let outbox = opened.storage.outbox();
        let first = due(&outbox, 9000).await.remove(0);
        assert_eq!(first.message_id, "m1");
        outbox.settle(first.id, Outcome::Dead { error: "410 Gone".to_owned() }).await.unwrap();
        assert_eq!(ids(&outbox, 9000).await, ["m2"]);
        // Newer messages come after what was there before the restart.
        let room = opened.room("s1", "blue");
        room.member_with(EventKind::MemberLeft, 2.0, "a", vec![message("m3", "x")]);
        outbox.added().await;
        let second = due(&outbox, 9000).await.remove(0);
        assert_eq!(second.message_id, "m2");
        outbox.settle(second.id, Outcome::Delivered).await.unwrap();
        assert_eq!(ids(&outbox, 9000).await, ["m3"]);
        assert_eq!(opened.count("SELECT COUNT(*) FROM outbox WHERE dead = 1").await, 1);
        opened.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_message_is_there_exactly_when_its_event_is() {
    on_both(async |place| {
        let opened = Opened::at(&place).await;
        // The second event with a member cannot be stored.
        opened.execute("CREATE UNIQUE INDEX one_member ON room_session_events (member_id)").await;
        let room = opened.room("s1", "blue");
        room.started(1.0);
        for id in ["m1", "m2"] {
            room.member_with(EventKind::MemberUpdated, 2.0, "a", vec![message(id, "x")]);
        }
        room.member_with(EventKind::MemberUpdated, 2.0, "b", vec![message("m3", "y")]);
        opened.storage.close(PATIENCE).await;
        let numbers: Vec<i64> = opened.events("s1").await.iter().map(|event| event.number).collect();
        assert_eq!(numbers, [1, 2, 4], "the others are not lost with it");
        assert_eq!(ids(&opened.storage.outbox(), 9000).await, ["m1", "m3"]);
        assert_eq!(opened.dropped("unstorable"), 1);
    })
    .await;
}
