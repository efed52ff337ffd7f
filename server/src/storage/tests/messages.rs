//! Messages on their way out.

use super::*;

fn message(id: &str, endpoint: &str) -> NewMessage {
    NewMessage { message_id: id.to_owned(), endpoint: endpoint.into(), body: format!("body of {id}").into() }
}

/// The first message of each lane that is due, endpoint after endpoint, the longest due first.
async fn due(outbox: &Outbox, now: i64) -> Vec<OutboxMessage> {
    let mut first = Vec::new();
    for endpoint in ["x", "y"] {
        for lane in outbox.lanes(endpoint, 100).await.unwrap() {
            if lane.due_at <= UnixMs(now) {
                first.append(&mut outbox.lane(endpoint, &lane.room_session_id, 1).await.unwrap());
            }
        }
    }
    first
}

async fn ids(outbox: &Outbox, now: i64) -> Vec<String> {
    due(outbox, now).await.into_iter().map(|message| message.message_id).collect()
}

async fn waiting(outbox: &Outbox) -> (i64, Option<UnixMs>) {
    let waiting = outbox.waiting().await.unwrap();
    (waiting.messages, waiting.oldest)
}

#[tokio::test]
async fn each_lane_gives_its_messages_in_order_one_at_a_time() {
    on_both(async |place| {
        let opened = Opened::at(&place).await;
        let outbox = opened.storage.outbox();
        assert_eq!(waiting(&outbox).await, (0, None));
        let mut added = outbox.added();
        let (blue, red) = (opened.room("s1", "blue"), opened.room("s2", "red"));
        let joined = EventKind::MemberJoined;
        blue.member_with(joined, 1.0, "a", vec![message("m1", "x"), message("m2", "y")]);
        blue.member_with(EventKind::MemberTalking, 2.0, "a", vec![message("m3", "x")]);
        red.member_with(joined, 3.0, "b", vec![message("m4", "x")]);
        added.changed().await.unwrap();

        assert_eq!(ids(&outbox, 999).await, [""; 0], "not before its time");
        assert_eq!(ids(&outbox, 9000).await, ["m1", "m4", "m2"], "the first of each lane");
        assert_eq!(waiting(&outbox).await, (4, Some(UnixMs(1000))));
        assert_eq!(
            outbox.lanes("x", 1).await.unwrap(),
            [Lane { room_session_id: "s1".to_owned(), due_at: UnixMs(1000) }]
        );
        let lane = outbox.lane("x", "s1", 10).await.unwrap();
        let ids_of_lane: Vec<&str> = lane.iter().map(|message| message.message_id.as_str()).collect();
        assert_eq!(ids_of_lane, ["m1", "m3"]);
        let first = lane[0].clone();
        assert_eq!(first.body, "body of m1");
        assert_eq!((first.created_at, first.attempts), (UnixMs(1000), 0));

        let later = Outcome::Retry { at: UnixMs(20_000), error: "refused".to_owned() };
        outbox.settle(first.id, later).await.unwrap();
        assert_eq!(ids(&outbox, 9000).await, ["m4", "m2"], "what follows in its lane waits with it");
        assert_eq!(ids(&outbox, 20_000).await, ["m4", "m1", "m2"], "the longest due first");
        assert_eq!(outbox.lane("x", "s1", 1).await.unwrap()[0].attempts, 1);

        outbox.settle(first.id, Outcome::Delivered).await.unwrap();
        assert_eq!(ids(&outbox, 9000).await, ["m3", "m4", "m2"]);
        assert_eq!(waiting(&outbox).await, (3, Some(UnixMs(1000))));
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
        let mut added = outbox.added();
        room.member_with(EventKind::MemberLeft, 2.0, "a", vec![message("m3", "x")]);
        added.changed().await.unwrap();
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
async fn messages_for_endpoints_that_are_no_more_are_given_up() {
    on_both(async |place| {
        let opened = Opened::at(&place).await;
        let outbox = opened.storage.outbox();
        let mut added = outbox.added();
        let room = opened.room("s1", "blue");
        let messages = vec![message("m1", "x"), message("m2", "y"), message("m3", "x"), message("m4", "y")];
        room.member_with(EventKind::MemberUpdated, 1.0, "a", messages);
        added.changed().await.unwrap();
        for (endpoints, given_up, left) in
            [(["x", "y"].as_slice(), 0, 4), (&["x"], 2, 2), (&["x"], 0, 2), (&[], 2, 0)]
        {
            let endpoints: Vec<Arc<str>> = endpoints.iter().map(|name| Arc::from(*name)).collect();
            assert_eq!(outbox.give_up_others(&endpoints).await.unwrap(), given_up, "{endpoints:?}");
            assert_eq!(waiting(&outbox).await.0, left, "{endpoints:?}");
        }
        assert_eq!(opened.count("SELECT COUNT(*) FROM outbox WHERE dead = 1").await, 4);
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
