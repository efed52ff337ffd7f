//! `/room_sessions`: every run of every room, the running ones too.
//!
//! in:  filters, pages
//! out: what the history of a session tells, at most some 50 ms behind the room

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{OriginalUri, Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::query::Query;
use super::reply::{Answer, Refusal, reply};
use super::settings::{joined, show, show_limits};
use super::values::date_of;
use crate::app::App;
use crate::catalogue::{Opening, Origin};
use crate::storage::UnixMs;
use crate::storage::sessions::{
    self, SessionFilter, SessionStatus, StoredEvent, StoredMember, StoredSession,
};

/// How long a link to a preview is good.
const PREVIEW_LINK: Duration = Duration::from_secs(900);

pub(super) async fn list(State(app): State<Arc<App>>, OriginalUri(uri): OriginalUri) -> Answer {
    let query = Query::of(&uri);
    let text = |name: &str| query.text(name).map(str::to_owned);
    let status = query.text("status").map(|text| {
        SessionStatus::by_name(text)
            .ok_or_else(|| Refusal::invalid("status", "Status must be one of in-progress, completed"))
    });
    let filter = SessionFilter {
        room_id: text("room_id"),
        room_name: text("room_name"),
        room_name_part: text("room_name_matches"),
        status: status.transpose()?,
        ..SessionFilter::default()
    };
    let paging = query.paging()?;
    let project = &app.config.project.id;
    let page = sessions::list(app.storage.reader(), project, &filter, &paging.slice).await?;
    let wire = |session: &StoredSession| listed(session, preview_url(&app, session));
    Ok(paging.render(&app.public_url.http(), &query, &page, StoredSession::cursor, wire))
}

pub(super) async fn read_one(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    let session = find(&app, &id).await?;
    Ok(reply(StatusCode::OK, &wire(&session, preview_url(&app, &session))))
}

pub(super) async fn members(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Answer {
    let session = find(&app, &id).await?;
    let query = Query::of(&uri);
    let paging = query.paging()?;
    let page = sessions::members(app.storage.reader(), &session.id, &paging.slice).await?;
    let wire = |member: &StoredMember| member_wire(&session, member);
    Ok(paging.render(&app.public_url.http(), &query, &page, |member| member.stay, wire))
}

pub(super) async fn events(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Answer {
    let session = find(&app, &id).await?;
    let query = Query::of(&uri);
    let paging = query.paging()?;
    let page = sessions::events(app.storage.reader(), &session.id, &paging.slice).await?;
    let wire = |event: &StoredEvent| event_wire(&app.config.project.id, &session, event);
    Ok(paging.render(&app.public_url.http(), &query, &page, |event| event.number, wire))
}

pub(super) async fn find(app: &App, id: &str) -> Result<StoredSession, Refusal> {
    sessions::find(app.storage.reader(), &app.config.project.id, id).await?.ok_or(Refusal::NotFound)
}

/// What a room says of its running session; `null` without one.
pub(super) fn active_session(app: &App, name: &str) -> Value {
    let Some(running) = app.registry.running(&app.config.project.id, name) else { return Value::Null };
    let settings = &running.begun.opening.settings;
    let own = json!({
        "id": running.now.id,
        "room_id": room_id(&running.begun.opening, running.begun.room_id.as_str()),
        "name": name,
        "start_time": date_of(running.begun.at),
        "end_time": null,
        "duration": null,
        "status": SessionStatus::InProgress.name(),
        "locked": running.now.locked,
        "preview_url": settings.enable_room_previews.then(|| app.preview_url(running.now.id.as_str(), PREVIEW_LINK)),
    });
    joined([show(settings, name), show_limits(settings), own])
}

/// While it runs, where it has previews.
fn preview_url(app: &App, session: &StoredSession) -> Option<String> {
    let is_made = Opening::of(&session.settings).settings.enable_room_previews;
    (is_made && session.end_time.is_none()).then(|| app.preview_url(&session.id, PREVIEW_LINK))
}

/// As the list has it.
fn listed(session: &StoredSession, preview_url: Option<String>) -> Value {
    joined([wire(session, preview_url), json!({"cost_in_dollars": 0.0, "locked_cover": null})])
}

fn wire(session: &StoredSession, preview_url: Option<String>) -> Value {
    let opening = Opening::of(&session.settings);
    let own = json!({
        "id": session.id,
        "room_id": room_id(&opening, &session.room_id),
        "name": session.name,
        "display_name": session.display_name,
        "locked": session.locked,
        "prioritize_handraise": session.prioritize_handraise,
        "start_time": date_of(session.start_time),
        "end_time": session.end_time.map(date_of),
        "duration": session.end_time.map(|end| seconds(session.start_time, end)),
        "status": session.status().name(),
        "preview_url": preview_url,
        "created_at": date_of(session.start_time),
        "updated_at": date_of(session.updated_at),
    });
    joined([show(&opening.settings, &session.name), show_limits(&opening.settings), own])
}

/// A room that only its members keep alive is no resource, so it has no id here; events and SDKs know one.
fn room_id<'a>(opening: &Opening, id: &'a str) -> Option<&'a str> {
    match opening.origin {
        Origin::Room | Origin::Conference => Some(id),
        Origin::Token => None,
    }
}

fn member_wire(session: &StoredSession, member: &StoredMember) -> Value {
    json!({
        "id": member.member_id,
        "room_session_id": session.id,
        "name": member.name,
        "join_time": date_of(member.join_time),
        "leave_time": member.leave_time.map(date_of),
        "duration": member.leave_time.map(|leave| seconds(member.join_time, leave)),
        "cost_in_dollars": 0.0,
    })
}

pub(super) fn event_wire(project: &str, session: &StoredSession, event: &StoredEvent) -> Value {
    let wire = json!({
        "id": event_id(&session.id, event.number),
        "project_id": project,
        "room_id": session.room_id,
        "room_session_id": session.id,
        "level": event.level,
        "name": event.name.strip_prefix("video.").unwrap_or(&event.name),
        "payload": serde_json::from_str::<Value>(&event.payload).unwrap_or_default(),
        "created_at": date_of(event.created_at),
    });
    let member = event.member_id.as_ref().map(|member| json!({"room_participant_id": member}));
    joined(Some(wire).into_iter().chain(member))
}

/// An event is named by its session and its number; here that is a UUID, always the same.
fn event_id(session: &str, number: i64) -> String {
    let digest = digest(&SHA256, format!("{session}#{number}").as_bytes());
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

fn seconds(from: UnixMs, to: UnixMs) -> i64 {
    (to.0 - from.0).max(0) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Settings;

    fn row(origin: Origin) -> StoredSession {
        let settings = Settings { max_members: 7, layout: "5up".into(), ..Settings::default() };
        StoredSession {
            id: "s".into(),
            room_id: "r".into(),
            name: "lounge".into(),
            display_name: "Lounge".into(),
            settings: serde_json::from_str(&Opening { origin, settings }.to_json()).unwrap(),
            layout: "2x2".into(),
            locked: true,
            prioritize_handraise: false,
            start_time: UnixMs(1_640_995_200_500),
            end_time: None,
            updated_at: UnixMs(1_640_995_201_000),
        }
    }

    #[test]
    fn a_session_tells_what_it_began_with() {
        let running = wire(&row(Origin::Room), None);
        let expected = json!({
            "id": "s", "room_id": "r", "name": "lounge", "display_name": "Lounge", "max_members": 7,
            "layout": "5up", "quality": "720p", "fps": 20, "locked": true, "prioritize_handraise": false,
            "status": "in-progress", "start_time": "2022-01-01T00:00:00Z", "end_time": null, "duration": null,
            "join_from": null, "join_until": null, "remove_at": null, "remove_after_seconds_elapsed": null,
            "record_on_start": false, "tone_on_entry_and_exit": false, "room_join_video_off": false,
            "user_join_video_off": false, "enable_room_previews": false, "sync_audio_video": null,
            "video_codecs": ["h264", "vp8"], "preview_url": null, "created_at": "2022-01-01T00:00:00Z", "updated_at": "2022-01-01T00:00:01Z",
        });
        assert_eq!(running, expected);
        let over = StoredSession { end_time: Some(UnixMs(1_640_995_203_400)), ..row(Origin::Room) };
        let over = wire(&over, None);
        assert_eq!(
            (&over["status"], &over["duration"], &over["end_time"]),
            (&json!("completed"), &json!(2), &json!("2022-01-01T00:00:03Z"))
        );
        assert_eq!(listed(&row(Origin::Room), None)["cost_in_dollars"], json!(0.0));
    }

    #[test]
    fn only_stored_rooms_have_an_id() {
        assert_eq!(wire(&row(Origin::Token), None)["room_id"], Value::Null);
        assert_eq!(wire(&row(Origin::Conference), None)["room_id"], "r");
    }

    #[test]
    fn events_have_an_id_of_their_own() {
        let event = |number| StoredEvent {
            room_session_id: "s".into(),
            number,
            name: "video.member.joined".into(),
            level: "info".into(),
            member_id: Some("m".into()),
            payload: r#"{"a":1}"#.into(),
            created_at: UnixMs(0),
        };
        let one = event_wire("dev", &row(Origin::Room), &event(1));
        assert_eq!(
            (&one["name"], &one["payload"], &one["room_participant_id"]),
            (&json!("member.joined"), &json!({"a": 1}), &json!("m"))
        );
        assert_eq!(one, event_wire("dev", &row(Origin::Room), &event(1)));
        assert_ne!(one["id"], event_wire("dev", &row(Origin::Room), &event(2))["id"]);
    }
}
