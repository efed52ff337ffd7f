//! What REST stores outlives the process, and what is seen is what is stored.

use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::catalogue::{
    Catalogue, Change, Conference, ConferenceBody, ConferenceToken, Dates, ProjectLayout, Role, Room,
    RoomBody, Stream,
};

/// With what is there already.
async fn open(place: &Place) -> Catalogue {
    Catalogue::load(Opened::at(place).await.storage, Vec::new()).await.unwrap()
}

async fn commit(catalogue: &Catalogue, change: Change) {
    catalogue.change().await.commit(change).await.unwrap();
}

fn room(name: &str) -> Room {
    Room { id: Uuid::new_v4(), name: name.into(), dates: Dates::now(), body: RoomBody::default() }
}

fn conference(name: &str) -> (Conference, Vec<ConferenceToken>) {
    let conference = Conference {
        id: Uuid::new_v4(),
        name: name.into(),
        dates: Dates::now(),
        body: ConferenceBody::default(),
    };
    let tokens = Role::ALL.map(|role| ConferenceToken::new(&conference, role)).into();
    (conference, tokens)
}

fn stream(owner: Uuid) -> Stream {
    Stream { id: Uuid::new_v4(), owner, url: "rtmp://live.example.com/app".into(), dates: Dates::now() }
}

fn all() -> Slice<Cursor> {
    Slice { turn: Turn::First, limit: 100 }
}

#[tokio::test]
async fn what_is_stored_is_there_after_a_restart() {
    on_both(async |place| {
        let mut lounge = room("lounge");
        let (team, tokens) = conference("team");
        let (guest, reset) = (tokens[1].clone(), tokens[1].reset());
        let [of_lounge, of_team] = [lounge.id, team.id].map(stream);
        {
            let catalogue = open(&place).await;
            commit(&catalogue, Change::PutRoom(lounge.clone())).await;
            commit(&catalogue, Change::AddConference(team.clone(), tokens.clone())).await;
            commit(&catalogue, Change::PutStream(of_lounge.clone())).await;
            commit(&catalogue, Change::PutStream(of_team.clone())).await;
            commit(&catalogue, Change::PutToken(reset.clone())).await;
            lounge.body.settings.max_members = 7;
            commit(&catalogue, Change::PutRoom(lounge.clone())).await;
        }
        let catalogue = open(&place).await;
        assert_eq!(*catalogue.room(lounge.id).unwrap(), lounge);
        assert_eq!(*catalogue.conference(team.id).unwrap(), team);
        assert_eq!(*catalogue.stream(of_lounge.id).unwrap(), of_lounge);
        assert_eq!(*catalogue.token(reset.id).unwrap(), reset);
        assert_eq!(*catalogue.by_secret(&reset.secret).unwrap().1, team);
        assert!(catalogue.by_secret(&guest.secret).is_none());
        assert!(catalogue.by_secret(&tokens[0].secret).is_some());
        assert_eq!(catalogue.streams_of(team.id, &all()).rows, [Arc::new(of_team)]);
    })
    .await;
}

#[tokio::test]
async fn layouts_are_there_after_a_restart() {
    on_both(async |place| {
        let layout = |name: &str, side: u32| {
            let slot = json!({"position": "standard-1", "x": 0, "y": 0, "w": side, "h": side});
            let definition = json!({"name": name, "slots": [slot]});
            ProjectLayout { name: name.to_owned(), definition, dates: Dates::now() }
        };
        {
            let catalogue = open(&place).await;
            for change in [layout("news", 90), layout("talk", 90), layout("news", 180)] {
                commit(&catalogue, Change::PutLayout(change)).await;
            }
            commit(&catalogue, Change::RemoveLayout("talk".to_owned())).await;
            // Of a version that knew more.
            let unreadable =
                ProjectLayout { definition: json!({"name": "old", "round": true}), ..layout("old", 9) };
            commit(&catalogue, Change::PutLayout(unreadable)).await;
        }
        let catalogue = open(&place).await;
        let stored: Vec<_> = catalogue.stored_layouts().into_iter().map(|layout| layout.name).collect();
        assert_eq!(stored, ["news", "old"]);
        let offered = catalogue.layouts();
        assert_eq!(offered.len(), 1);
        assert_eq!(offered[0].definition(), Some(&layout("news", 180).definition));
    })
    .await;
}

#[tokio::test]
async fn what_is_removed_takes_what_belongs_to_it() {
    on_both(async |place| {
        let (lounge, hall) = (room("lounge"), room("hall"));
        let (team, tokens) = conference("team");
        let streams = [lounge.id, team.id, hall.id].map(stream);
        let check = |catalogue: &Catalogue| {
            assert!(catalogue.room(lounge.id).is_none() && catalogue.named("lounge").is_none());
            assert!(catalogue.named("team").is_none() && catalogue.owner(team.id).is_none());
            assert!(tokens.iter().all(|token| catalogue.token(token.id).is_none()));
            assert!(tokens.iter().all(|token| catalogue.by_secret(&token.secret).is_none()));
            assert_eq!(
                streams.each_ref().map(|stream| catalogue.stream(stream.id).is_some()),
                [false, false, true]
            );
        };
        {
            let catalogue = open(&place).await;
            for room in [&lounge, &hall] {
                commit(&catalogue, Change::PutRoom(room.clone())).await;
            }
            commit(&catalogue, Change::AddConference(team.clone(), tokens.clone())).await;
            for stream in &streams {
                commit(&catalogue, Change::PutStream(stream.clone())).await;
            }
            commit(&catalogue, Change::RemoveRoom(lounge.id)).await;
            commit(&catalogue, Change::RemoveConference(team.id)).await;
            check(&catalogue);
        }
        check(&open(&place).await);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_stored_is_not_seen() {
    on_both(async |place| {
        let catalogue = open(&place).await;
        let first = room("lounge");
        commit(&catalogue, Change::PutRoom(first.clone())).await;
        // The same name under another id: the database refuses what nobody checked.
        let second = room("lounge");
        assert!(catalogue.change().await.commit(Change::PutRoom(second.clone())).await.is_err());
        assert!(catalogue.room(second.id).is_none());
        assert_eq!(catalogue.named("lounge").unwrap().id(), first.id);
        // A conference whose token cannot be stored is not stored either.
        let (team, mut tokens) = conference("team");
        tokens[1].secret = tokens[0].secret.clone();
        assert!(catalogue.change().await.commit(Change::AddConference(team.clone(), tokens)).await.is_err());
        drop(catalogue);
        assert!(open(&place).await.conference(team.id).is_none());
    })
    .await;
}

#[tokio::test]
async fn a_change_goes_on_when_nobody_waits_for_it() {
    on_both(async |place| {
        let catalogue = open(&place).await;
        let lounge = room("lounge");
        let changing = catalogue.change().await;
        let mut commit = Box::pin(changing.commit(Change::PutRoom(lounge.clone())));
        // Asked once, then given up, as for a client that hangs up.
        let _ = futures_util::poll!(&mut commit);
        drop(commit);
        drop(catalogue.change().await);
        assert_eq!(*catalogue.room(lounge.id).unwrap(), lounge);
    })
    .await;
}

#[tokio::test]
async fn one_change_at_a_time() {
    on_both(async |place| {
        let catalogue = open(&place).await;
        let makers: Vec<_> = (0..20)
            .map(|_| {
                let catalogue = catalogue.clone();
                tokio::spawn(async move {
                    let changing = catalogue.change().await;
                    if catalogue.named("lounge").is_none() {
                        changing.commit(Change::PutRoom(room("lounge"))).await.unwrap();
                        return 1;
                    }
                    0
                })
            })
            .collect();
        let mut made = 0;
        for maker in makers {
            made += maker.await.unwrap();
        }
        assert_eq!((made, catalogue.rooms(&all()).rows.len()), (1, 1));
    })
    .await;
}
