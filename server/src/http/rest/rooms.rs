//! `/rooms`: rooms that exist whether they run or not.
//!
//! in:  attributes
//! out: the stored room; a change acts on its next session, the running one goes on as it began

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{OriginalUri, Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use layouts::LayoutId;
use serde_json::{Value, json};
use uuid::Uuid;

use super::attributes::Attributes;
use super::query::Query;
use super::reply::{Answer, Refusal, reply};
use super::room_sessions::active_session;
use super::settings::{describe, joined, limit, read, show, show_limits};
use super::values::{date_of, room_name};
use crate::app::App;
use crate::catalogue::{Catalogue, Change, Dates, Item, Named, Room, RoomBody};

pub(super) async fn list(State(app): State<Arc<App>>, OriginalUri(uri): OriginalUri) -> Answer {
    let query = Query::of(&uri);
    let active = query.flag("include_active_session")?;
    let paging = query.paging()?;
    let page = app.catalogue.rooms(&paging.slice);
    let wire = |room: &Arc<Room>| wire(&app, room, active);
    Ok(paging.render(&app.public_url.http(), &query, &page, |room| room.cursor(), wire))
}

pub(super) async fn create(State(app): State<Arc<App>>, body: Bytes) -> Answer {
    let mut attributes = Attributes::parse(&body)?;
    let name = attributes.require("name", room_name);
    let mut body = RoomBody::default();
    set(&mut attributes, &mut body, &app.catalogue.layouts());
    let changing = app.catalogue.change().await;
    if name.as_deref().is_some_and(|name| app.catalogue.named(name).is_some()) {
        attributes.taken("name");
    }
    attributes.finish()?;
    let room = Room { id: Uuid::new_v4(), name: name.unwrap_or_default(), dates: Dates::now(), body };
    changing.commit(Change::PutRoom(room.clone())).await?;
    Ok(reply(StatusCode::CREATED, &wire(&app, &room, false)))
}

pub(super) async fn read_one(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Answer {
    let active = Query::of(&uri).flag("include_active_session")?;
    let room = find(&app.catalogue, &id)?;
    Ok(reply(StatusCode::OK, &wire(&app, &room, active)))
}

pub(super) async fn update(State(app): State<Arc<App>>, Path(id): Path<String>, body: Bytes) -> Answer {
    let changing = app.catalogue.change().await;
    let mut room = Room::clone(&*find(&app.catalogue, &id)?);
    let mut attributes = Attributes::parse(&body)?;
    set(&mut attributes, &mut room.body, &app.catalogue.layouts());
    attributes.finish()?;
    room.dates = room.dates.changed();
    changing.commit(Change::PutRoom(room.clone())).await?;
    Ok(reply(StatusCode::OK, &wire(&app, &room, false)))
}

pub(super) async fn delete(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    let changing = app.catalogue.change().await;
    let room = find(&app.catalogue, &id)?;
    changing.commit(Change::RemoveRoom(room.id)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// By id, or by name.
pub(super) fn find(catalogue: &Catalogue, id: &str) -> Result<Arc<Room>, Refusal> {
    let by_id = Uuid::try_parse(id).ok().and_then(|id| catalogue.room(id));
    let by_name = || match catalogue.named(id) {
        Some(Named::Room(room)) => Some(room),
        Some(Named::Conference(_)) | None => None,
    };
    by_id.or_else(by_name).ok_or(Refusal::NotFound)
}

fn set(attributes: &mut Attributes, body: &mut RoomBody, project: &[LayoutId]) {
    describe(attributes, &mut body.description);
    limit(attributes, &mut body.settings);
    read(attributes, &mut body.settings, project);
}

fn wire(app: &App, room: &Room, active: bool) -> Value {
    let settings = &room.body.settings;
    let own = json!({
        "id": room.id,
        "name": room.name,
        "description": room.body.description,
        "meta": settings.meta,
        "layouts": settings.layouts,
        "placement": settings.placement,
        "look": settings.look,
        "sound": settings.sound,
        "video_required_for_canvas": settings.video_required_for_canvas,
        "created_at": date_of(room.dates.created),
        "updated_at": date_of(room.dates.updated),
    });
    let session = if active { json!({"active_session": active_session(app, &room.name)}) } else { json!({}) };
    joined([own, show(settings, &room.name), show_limits(settings), session])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Placement, Quality, Settings};

    fn change(mut body: RoomBody, sent: &Value) -> Result<RoomBody, Refusal> {
        let mut attributes = Attributes::parse(sent.to_string().as_bytes())?;
        set(&mut attributes, &mut body, &[]);
        attributes.finish().map(|()| body)
    }

    fn news() -> Value {
        json!({"name": "news", "slots": [{"position": "standard-1", "x": "0", "y": "0", "w": "1/2", "h": "1/2"}]})
    }

    fn full() -> Value {
        json!({
            "display_name": "Lounge", "description": "For all\nof us", "max_members": 300, "quality": "1080p",
            "fps": 30, "join_from": "2030-01-01", "join_until": 1_893_456_001, "remove_at": "2030-01-02T00:00:00Z",
            "remove_after_seconds_elapsed": 200_000, "layout": "news", "layouts": [news()], "record_on_start": true,
            "tone_on_entry_and_exit": true, "room_join_video_off": true, "user_join_video_off": true,
            "enable_room_previews": true, "sync_audio_video": false, "meta": {"floor": 2},
            "prioritize_handraise": true, "video_required_for_canvas": true,
            "look": {"border": 6, "overlays": {"name": false}}, "sound": {"stereo": true},
            "placement": {"compact": true, "solo_stays": true}, "video_codecs": ["vp9", "vp8"],
        })
    }

    fn full_body() -> RoomBody {
        RoomBody {
            description: Some("For all\nof us".into()),
            settings: Settings {
                display_name: Some("Lounge".into()),
                max_members: 300,
                quality: Quality::P1080,
                fps: 30,
                join_from: Some(1_893_456_000),
                join_until: Some(1_893_456_001),
                remove_at: Some(1_893_542_400),
                remove_after_s: Some(200_000),
                layout: "news".into(),
                layouts: vec![news()],
                record_on_start: true,
                tone_on_entry_and_exit: true,
                room_join_video_off: true,
                user_join_video_off: true,
                enable_room_previews: true,
                sync_audio_video: Some(false),
                meta: json!({"floor": 2}).as_object().unwrap().clone(),
                prioritize_handraise: true,
                video_required_for_canvas: true,
                placement: Placement { compact: true, solo_stays: true, screen_alone: false },
                look: serde_json::from_value(json!({"border": 6, "overlays": {"name": false}})).unwrap(),
                sound: crate::catalogue::Sound { stereo: true, ..Default::default() },
                video_codecs: crate::catalogue::video_codecs(["vp9", "vp8"]).unwrap(),
            },
        }
    }

    #[test]
    fn every_attribute_arrives() {
        assert_eq!(change(RoomBody::default(), &full()).unwrap(), full_body());
        assert_eq!(
            change(RoomBody::default(), &json!({"of_another_version": 1})).unwrap(),
            RoomBody::default()
        );
    }

    #[test]
    fn a_change_leaves_what_it_does_not_name() {
        let changed = change(full_body(), &json!({"max_members": 5})).unwrap();
        let expected = Settings { max_members: 5, ..full_body().settings };
        assert_eq!(changed, RoomBody { settings: expected, ..full_body() });
    }

    #[test]
    fn null_is_the_default() {
        let mut nulls = full();
        nulls.as_object_mut().unwrap().values_mut().for_each(|value| *value = Value::Null);
        assert_eq!(change(full_body(), &nulls).unwrap(), RoomBody::default());
    }

    #[test]
    fn each_attribute_has_its_bounds() {
        let long = |length: usize| json!("x".repeat(length));
        let cases = [
            ("display_name", json!("ä".repeat(200)), true),
            ("display_name", long(201), false),
            ("display_name", json!("two\nlines"), false),
            ("display_name", json!(7), false),
            ("description", long(3000), true),
            ("description", long(3001), false),
            ("max_members", json!(1), true),
            ("max_members", json!(0), false),
            ("max_members", json!(301), false),
            ("max_members", json!("20"), false),
            ("quality", json!("720p"), true),
            ("quality", json!("4k"), false),
            ("fps", json!(20), true),
            ("fps", json!(25), false),
            ("fps", json!("30"), false),
            ("join_from", json!("soon"), false),
            ("join_until", json!([]), false),
            ("remove_at", json!(-1), false),
            ("remove_after_seconds_elapsed", json!(1), true),
            ("remove_after_seconds_elapsed", json!(0), false),
            ("remove_after_seconds_elapsed", json!(200_001), false),
            ("layout", json!("10x10"), true),
            ("layout", json!("11x11"), false),
            ("layout", json!(1), false),
            ("placement", json!({}), true),
            ("placement", json!({"compact": 1}), false),
            ("placement", json!({"dense": true}), false),
            ("look", json!({"border_color": "#ffffff"}), true),
            ("look", json!({"border": 51}), false),
            ("sound", json!({"automatic_gain": true, "noise_suppression": true}), true),
            ("sound", json!({"stereo": 1}), false),
            ("sound", json!({"loud": true}), false),
            ("look", json!({"overlays": {"clock": true}}), false),
            ("video_required_for_canvas", json!("no"), false),
            ("layouts", json!([]), true),
            ("layouts", json!([news()]), true),
            ("layouts", json!(news()), false),
            ("layouts", json!([news(), news()]), false),
            ("layouts", json!([{"name": "news", "slots": []}]), false),
            ("record_on_start", json!("true"), false),
            ("tone_on_entry_and_exit", json!(1), false),
            ("room_join_video_off", json!({}), false),
            ("user_join_video_off", json!("no"), false),
            ("enable_room_previews", json!(0), false),
            ("sync_audio_video", json!("yes"), false),
            ("meta", json!({"a": "x".repeat(2000)}), false),
            ("meta", json!("{}"), false),
            ("prioritize_handraise", json!([]), false),
            ("video_codecs", json!(["av1", "h264"]), true),
            ("video_codecs", json!(["av1"]), false),
            ("video_codecs", json!(["vp8", 8]), false),
            ("video_codecs", json!("vp8"), false),
        ];
        for (attribute, value, good) in cases {
            match change(RoomBody::default(), &json!({attribute: value})) {
                Ok(_) => assert!(good, "{attribute}: {value}"),
                Err(Refusal::Invalid(wrong)) => {
                    assert!(!good && wrong.len() == 1, "{attribute}: {value}: {wrong:?}");
                    assert_eq!(wrong[0].attribute, attribute);
                }
                Err(other) => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn joining_ends_after_it_begins() {
        let wrong = |body, sent: &Value| match change(body, sent) {
            Err(Refusal::Invalid(wrong)) => wrong[0].attribute,
            other => panic!("{other:?}"),
        };
        assert_eq!(wrong(RoomBody::default(), &json!({"join_from": 5, "join_until": 5})), "join_until");
        // Also with what was there before.
        assert_eq!(wrong(full_body(), &json!({"join_until": 7})), "join_until");
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let Refusal::Invalid(wrong) =
            change(RoomBody::default(), &json!({"fps": 1, "quality": 1, "layout": 1})).unwrap_err()
        else {
            panic!("not invalid")
        };
        assert_eq!(wrong.len(), 3);
        assert!(wrong.iter().any(|wrong| wrong.message == "Fps must be 20 or 30"), "{wrong:?}");
    }
}
