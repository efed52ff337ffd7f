//! `/conferences`: rooms with a ready-made page, and the tokens that open them.
//!
//! in:  attributes
//! out: the stored conference; two tokens with it, for moderators and for guests
//!
//! A conference token (`vpt_…`) is no room token but stands for one: it opens the conference until it is reset, and may
//! be put into a page. A reset makes a new secret; who is in already stays.

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
use super::settings::{describe, joined, read, show};
use super::values::{MAX_NAME, colour, date_of, flag, one_of, room_name};
use crate::app::App;
use crate::catalogue::{
    Catalogue, Change, Conference, ConferenceBody, ConferenceSize, ConferenceToken, Dates, Item, Named, Role,
    Theme,
};
use crate::random;

/// Characters that tell generated names apart.
const SUFFIX: usize = 8;

pub(super) async fn list(State(app): State<Arc<App>>, OriginalUri(uri): OriginalUri) -> Answer {
    let query = Query::of(&uri);
    let active = query.flag("include_active_session")?;
    let (after, before) = (query.moment("starts_after")?, query.moment("ends_before")?);
    let paging = query.paging()?;
    let keep = |conference: &Conference| {
        let settings = &conference.body.settings;
        after.is_none_or(|after| settings.join_from.is_some_and(|from| from >= after))
            && before.is_none_or(|before| settings.join_until.is_some_and(|until| until <= before))
    };
    let page = app.catalogue.conferences(&paging.slice, keep);
    let wire = |conference: &Arc<Conference>| wire(&app, conference, active);
    Ok(paging.render(&app.public_url.http(), &query, &page, |conference| conference.cursor(), wire))
}

pub(super) async fn create(State(app): State<Arc<App>>, body: Bytes) -> Answer {
    let mut attributes = Attributes::parse(&body)?;
    let mut name = None;
    attributes.set_optional("name", &mut name, room_name);
    let mut body = ConferenceBody::default();
    set(&mut attributes, &mut body, &app.catalogue.layouts());
    let changing = app.catalogue.change().await;
    let is_taken = |name: &str| app.catalogue.named(name).is_some();
    if name.as_deref().is_some_and(is_taken) {
        attributes.taken("name");
    }
    attributes.finish()?;
    let made_up = || made_up_name(body.settings.display_name.as_deref().unwrap_or_default(), is_taken);
    let name = name.unwrap_or_else(made_up);
    let conference = Conference { id: Uuid::new_v4(), name, dates: Dates::now(), body };
    let tokens = Role::ALL.map(|role| ConferenceToken::new(&conference, role)).into();
    changing.commit(Change::AddConference(conference.clone(), tokens)).await?;
    Ok(reply(StatusCode::CREATED, &wire(&app, &conference, false)))
}

pub(super) async fn read_one(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Answer {
    let active = Query::of(&uri).flag("include_active_session")?;
    let conference = find(&app.catalogue, &id)?;
    Ok(reply(StatusCode::OK, &wire(&app, &conference, active)))
}

pub(super) async fn update(State(app): State<Arc<App>>, Path(id): Path<String>, body: Bytes) -> Answer {
    let changing = app.catalogue.change().await;
    let mut conference = Conference::clone(&*find(&app.catalogue, &id)?);
    let mut attributes = Attributes::parse(&body)?;
    set(&mut attributes, &mut conference.body, &app.catalogue.layouts());
    attributes.finish()?;
    conference.dates = conference.dates.changed();
    changing.commit(Change::PutConference(conference.clone())).await?;
    Ok(reply(StatusCode::OK, &wire(&app, &conference, false)))
}

pub(super) async fn delete(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    let changing = app.catalogue.change().await;
    let conference = find(&app.catalogue, &id)?;
    changing.commit(Change::RemoveConference(conference.id)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn tokens(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Answer {
    let conference = find(&app.catalogue, &id)?;
    let query = Query::of(&uri);
    let paging = query.paging()?;
    let page = app.catalogue.tokens_of(conference.id, &paging.slice);
    let base = app.public_url.http();
    Ok(paging.render(&base, &query, &page, |token| token.cursor(), |token| token_wire(token)))
}

pub(super) async fn token(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    Ok(reply(StatusCode::OK, &token_wire(&*find_token(&app.catalogue, &id)?)))
}

pub(super) async fn reset_token(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    let changing = app.catalogue.change().await;
    let token = find_token(&app.catalogue, &id)?.reset();
    changing.commit(Change::PutToken(token.clone())).await?;
    Ok(reply(StatusCode::OK, &token_wire(&token)))
}

/// By id, or by name.
pub(super) fn find(catalogue: &Catalogue, id: &str) -> Result<Arc<Conference>, Refusal> {
    let by_id = Uuid::try_parse(id).ok().and_then(|id| catalogue.conference(id));
    let by_name = || match catalogue.named(id) {
        Some(Named::Conference(conference)) => Some(conference),
        Some(Named::Room(_)) | None => None,
    };
    by_id.or_else(by_name).ok_or(Refusal::NotFound)
}

fn find_token(catalogue: &Catalogue, id: &str) -> Result<Arc<ConferenceToken>, Refusal> {
    Uuid::try_parse(id).ok().and_then(|id| catalogue.token(id)).ok_or(Refusal::NotFound)
}

fn set(attributes: &mut Attributes, body: &mut ConferenceBody, project: &[LayoutId]) {
    describe(attributes, &mut body.description);
    read(attributes, &mut body.settings, project);
    let size = one_of(ConferenceSize::ALL, ConferenceSize::name);
    attributes.set("size", &mut body.size, ConferenceSize::default(), size);
    body.settings.max_members = body.size.max_members();
    attributes.set("enable_chat", &mut body.enable_chat, true, flag);
    let default = Theme::default();
    let Theme { primary, background, foreground, success, negative } = &mut body.dark;
    for (name, place, default) in [
        ("dark_primary", primary, &default.primary),
        ("dark_background", background, &default.background),
        ("dark_foreground", foreground, &default.foreground),
        ("dark_success", success, &default.success),
        ("dark_negative", negative, &default.negative),
    ] {
        attributes.set(name, place, default.clone(), colour);
    }
    let Theme { primary, background, foreground, success, negative } = &mut body.light;
    for (name, place, default) in [
        ("light_primary", primary, &default.primary),
        ("light_background", background, &default.background),
        ("light_foreground", foreground, &default.foreground),
        ("light_success", success, &default.success),
        ("light_negative", negative, &default.negative),
    ] {
        attributes.set(name, place, default.clone(), colour);
    }
    if body.settings.display_name.as_deref().is_none_or(str::is_empty) {
        attributes.wrong("display_name", "must be present");
    }
}

/// `Weekly team meeting` is `weekly-team-meeting`; with something after it when that is taken, or is nothing.
fn made_up_name(display_name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let letters =
        display_name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    let name: String = letters.take(MAX_NAME - SUFFIX - 1).collect();
    let name = name.split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-");
    if name.is_empty() {
        return format!("conference-{}", random::text(SUFFIX));
    }
    if is_taken(&name) { format!("{name}-{}", random::text(SUFFIX)) } else { name }
}

fn wire(app: &App, conference: &Conference, active: bool) -> Value {
    let body = &conference.body;
    let (dark, light) = (&body.dark, &body.light);
    let own = json!({
        "id": conference.id,
        "name": conference.name,
        "description": body.description,
        "size": body.size.name(),
        "enable_chat": body.enable_chat,
        "meta": body.settings.meta,
        "layouts": body.settings.layouts,
        "placement": body.settings.placement,
        "look": body.settings.look,
        "sound": body.settings.sound,
        "video_required_for_canvas": body.settings.video_required_for_canvas,
        "created_at": date_of(conference.dates.created),
        "updated_at": date_of(conference.dates.updated),
    });
    let theme = json!({
        "dark_primary": dark.primary,
        "dark_background": dark.background,
        "dark_foreground": dark.foreground,
        "dark_success": dark.success,
        "dark_negative": dark.negative,
        "light_primary": light.primary,
        "light_background": light.background,
        "light_foreground": light.foreground,
        "light_success": light.success,
        "light_negative": light.negative,
    });
    let session =
        if active { json!({"active_session": active_session(app, &conference.name)}) } else { json!({}) };
    joined([own, show(&body.settings, &conference.name), theme, session])
}

fn token_wire(token: &ConferenceToken) -> Value {
    json!({
        "id": token.id,
        "name": token.role.name(),
        "token": token.secret,
        "scopes": token.role.scopes(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Settings;

    fn change(mut body: ConferenceBody, sent: &Value) -> Result<ConferenceBody, Refusal> {
        let mut attributes = Attributes::parse(sent.to_string().as_bytes())?;
        set(&mut attributes, &mut body, &[]);
        attributes.finish().map(|()| body)
    }

    fn named() -> ConferenceBody {
        change(ConferenceBody::default(), &json!({"display_name": "Team"})).unwrap()
    }

    #[test]
    fn the_size_is_how_many_may_come() {
        for (size, max_members) in [("small", 10), ("medium", 50), ("large", 300)] {
            assert_eq!(change(named(), &json!({"size": size})).unwrap().settings.max_members, max_members);
        }
        assert_eq!(named().settings.max_members, 50);
    }

    #[test]
    fn what_a_page_looks_like_arrives() {
        let body = change(
            named(),
            &json!({"enable_chat": false, "dark_primary": "#000001", "light_negative": "#00000A"}),
        )
        .unwrap();
        let expected = ConferenceBody {
            enable_chat: false,
            dark: Theme { primary: "#000001".into(), ..Theme::default() },
            light: Theme { negative: "#00000A".into(), ..Theme::default() },
            settings: Settings { max_members: 50, display_name: Some("Team".into()), ..Settings::default() },
            ..ConferenceBody::default()
        };
        assert_eq!(body, expected);
        let back = json!({"enable_chat": null, "dark_primary": null, "light_negative": null});
        assert_eq!(change(body, &back).unwrap(), named());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let colours = ["primary", "background", "foreground", "success", "negative"];
        let colours = colours.iter().flat_map(|of| [format!("dark_{of}"), format!("light_{of}")]);
        let mut cases: Vec<(String, Value)> = colours.map(|colour| (colour, json!("red"))).collect();
        cases.extend([
            ("size".into(), json!("huge")),
            ("enable_chat".into(), json!(1)),
            ("display_name".into(), json!("")),
            ("display_name".into(), Value::Null),
            ("quality".into(), json!("1p")),
            ("description".into(), json!("x".repeat(3001))),
        ]);
        for (attribute, value) in cases {
            match change(named(), &json!({&attribute: value})) {
                Err(Refusal::Invalid(wrong)) if wrong.len() == 1 => assert_eq!(wrong[0].attribute, attribute),
                other => panic!("{attribute}: {other:?}"),
            }
        }
    }

    #[test]
    fn names_are_made_of_what_people_call_it() {
        let name = |display_name: &str| made_up_name(display_name, |name| name == "taken");
        assert_eq!(name("Weekly  team, meeting!"), "weekly-team-meeting");
        assert!(name("Taken").starts_with("taken-"));
        assert!(name("日本").starts_with("conference-"));
        for display_name in ["x".repeat(200), "Taken".into(), "日本".into()] {
            assert_eq!(super::super::check_room_name(&name(&display_name)), Ok(()));
        }
    }
}
