//! Lists read page by page.

use super::*;
use crate::storage::sessions::{SessionFilter, SessionStatus};

async fn page(opened: &Opened, filter: &SessionFilter, turn: Turn<Cursor>, limit: u32) -> Page<String> {
    let slice = Slice { turn, limit };
    let page = sessions::list(opened.storage.reader(), PROJECT, filter, &slice).await.unwrap();
    Page {
        rows: page.rows.iter().map(|session| session.cursor().to_string()).collect(),
        is_preceded: page.is_preceded,
        is_followed: page.is_followed,
    }
}

fn cursor(text: &str) -> Cursor {
    text.parse().unwrap()
}

#[tokio::test]
async fn sessions_come_newest_first_and_every_page_has_its_neighbours() {
    on_both(async |place| {
        let opened = Opened::at(&place).await;
        // Several begin at the same time: their ids decide.
        for number in 0..11 {
            let room = opened.room(&format!("s{number:02}"), "blue");
            room.started(f64::from(number / 4));
            room.ended(9.0);
        }
        opened.storage.close(PATIENCE).await;
        let all = SessionFilter::default();
        let expected: Vec<String> = (0..11).rev().map(|n| format!("{}.s{n:02}", n / 4 * 1000)).collect();

        let mut turn = Turn::First;
        let mut forwards = Vec::new();
        loop {
            let found = page(&opened, &all, turn.clone(), 3).await;
            assert_eq!(found.is_preceded, turn != Turn::First);
            forwards.extend(found.rows);
            turn = Turn::After(cursor(forwards.last().unwrap()));
            if !found.is_followed {
                break;
            }
        }
        assert_eq!(forwards, expected);

        let mut backwards = Vec::new();
        let mut turn = Turn::Before(cursor(expected.last().unwrap()));
        loop {
            let found = page(&opened, &all, turn, 4).await;
            assert!(found.is_followed);
            turn = Turn::Before(cursor(&found.rows[0]));
            backwards.extend(found.rows.into_iter().rev());
            if !found.is_preceded {
                break;
            }
        }
        backwards.reverse();
        assert_eq!(backwards, expected[..10]);

        let exact = page(&opened, &all, Turn::First, 11).await;
        assert!(!exact.is_followed && exact.rows.len() == 11);
        let beyond = page(&opened, &all, Turn::After(cursor("0.")), 3).await;
        assert_eq!((beyond.rows.len(), beyond.is_followed), (0, false));
    })
    .await;
}

#[tokio::test]
async fn sessions_are_found_by_room_name_and_state() {
    on_both(async |place| {
        let opened = Opened::at(&place).await;
        let rooms = [("s1", "blue", true), ("s2", "red", true), ("s3", "blue", false), ("s4", "red", false)]
            .map(|(id, name, ends)| {
                let room = opened.room(id, name);
                room.started(1.0);
                if ends {
                    room.ended(2.0);
                }
                room
            });
        until("all are there", async || opened.session("s4").await.is_some()).await;
        let (name, id) = (|name: &str| Some(name.to_owned()), |name: &str| Some(format!("room-{name}")));
        let cases = [
            (SessionFilter::default(), ["s4", "s3", "s2", "s1"].as_slice()),
            (SessionFilter { room_name: name("blue"), ..SessionFilter::default() }, &["s3", "s1"]),
            (SessionFilter { room_id: id("red"), ..SessionFilter::default() }, &["s4", "s2"]),
            (
                SessionFilter { status: Some(SessionStatus::InProgress), ..SessionFilter::default() },
                &["s4", "s3"],
            ),
            (
                SessionFilter { status: Some(SessionStatus::Completed), ..SessionFilter::default() },
                &["s2", "s1"],
            ),
            (
                SessionFilter {
                    room_id: id("blue"),
                    room_name: name("blue"),
                    status: Some(SessionStatus::Completed),
                    ..SessionFilter::default()
                },
                &["s1"],
            ),
            (SessionFilter { room_name_part: name("lu"), ..SessionFilter::default() }, &["s3", "s1"]),
            (SessionFilter { room_name_part: name("LU"), ..SessionFilter::default() }, &[]),
            (SessionFilter { room_name_part: name("%"), ..SessionFilter::default() }, &[]),
            (
                SessionFilter { from: Some(UnixMs(1000)), ..SessionFilter::default() },
                &["s4", "s3", "s2", "s1"],
            ),
            (SessionFilter { from: Some(UnixMs(1001)), ..SessionFilter::default() }, &[]),
            (SessionFilter { before: Some(UnixMs(1000)), ..SessionFilter::default() }, &[]),
            // Text is text, whatever it looks like.
            (SessionFilter { room_name: name("' OR '1'='1"), ..SessionFilter::default() }, &[]),
        ];
        for (filter, expected) in cases {
            let found = page(&opened, &filter, Turn::First, 10).await.rows;
            let found: Vec<&str> = found.iter().map(|cursor| cursor.split_once('.').unwrap().1).collect();
            assert_eq!(found, expected, "{filter:?}");
        }
        drop(rooms);
        opened.close().await;
    })
    .await;
}

#[tokio::test]
async fn members_and_events_come_in_their_order() {
    on_both(async |place| {
        let opened = Opened::at(&place).await;
        let room = opened.room("s1", "blue");
        room.started(1.0);
        for member in ["a", "b", "c", "d"] {
            room.member(EventKind::MemberJoined, 1.0, member);
        }
        room.ended(2.0);
        opened.storage.close(PATIENCE).await;
        let reader = opened.storage.reader();
        for (turn, expected, is_preceded, is_followed) in [
            (Turn::First, [1, 2], false, true),
            (Turn::After(2), [3, 4], true, true),
            (Turn::After(4), [5, 6], true, false),
            (Turn::Before(5), [3, 4], true, true),
            (Turn::Before(3), [1, 2], false, true),
        ] {
            let slice = Slice { turn, limit: 2 };
            let page = sessions::events(reader, "s1", &slice).await.unwrap();
            let numbers: Vec<i64> = page.rows.iter().map(|event| event.number).collect();
            assert_eq!(
                (numbers.as_slice(), page.is_preceded, page.is_followed),
                (expected.as_slice(), is_preceded, is_followed),
                "{slice:?}"
            );
        }
        let slice = Slice { turn: Turn::After(3), limit: 5 };
        let stays = sessions::members(reader, "s1", &slice).await.unwrap().rows;
        assert_eq!(stays.iter().map(|stay| stay.member_id.as_str()).collect::<Vec<_>>(), ["c", "d"]);
    })
    .await;
}

#[test]
fn a_cursor_is_text_and_back() {
    let cursor = Cursor { at: UnixMs(-5), id: "a.b".to_owned() };
    assert_eq!(cursor.to_string().parse(), Ok(cursor));
    for wrong in ["", "5", "x.y", "5,y"] {
        assert_eq!(wrong.parse::<Cursor>(), Err(()), "{wrong}");
    }
}
