//! `/layouts`: layouts that the whole project has beside those of this build, and a drawing of any.
//!
//! in:  a definition, as `docs/layouts.md` describes it
//! out: the stored layout, which rooms offer from their next session on; SVG
//!
//! Those of the configuration file are shown and not changed here.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{OriginalUri, Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use layouts::{Drawing, LayoutId, MAX_DEFINED, MAX_PREVIEWED, Size, define, with_members};
use serde_json::{Map, Value, json};

use super::query::Query;
use super::reply::{Answer, Refusal, reply};
use super::values::date_of;
use crate::app::App;
use crate::catalogue::{Change, Dates, ProjectLayout};

/// What a drawing shows when nobody says how many.
const DRAWN_MEMBERS: u32 = 9;
/// Longer side of a drawing of a layout that names its canvas.
const DRAWN_EDGE: u32 = 1280;

pub(super) async fn list(State(app): State<Arc<App>>) -> Answer {
    let stored = app.catalogue.stored_layouts();
    let configured = app.config.layouts.iter().map(of_configuration);
    let data: Vec<Value> = configured.chain(stored.iter().map(wire)).collect();
    let link = format!("{}/api/video/layouts", app.public_url.http());
    Ok(reply(StatusCode::OK, &json!({"links": {"self": link, "first": link}, "data": data})))
}

pub(super) async fn create(State(app): State<Arc<App>>, body: Bytes) -> Answer {
    let definition = Value::Object(parsed(&body)?);
    let changing = app.catalogue.change().await;
    let layout = define(&definition, &app.catalogue.layouts()).map_err(refused)?;
    let name = layout.name().to_owned();
    if is_of_configuration(&app, &name) || app.catalogue.stored_layout(&name).is_some() {
        return Err(Refusal::taken("name"));
    }
    if app.catalogue.stored_layouts().len() >= MAX_DEFINED {
        return Err(Refusal::invalid("name", format!("A project has at most {MAX_DEFINED} layouts")));
    }
    let layout = ProjectLayout { name, definition, dates: Dates::now() };
    changing.commit(Change::PutLayout(layout.clone())).await?;
    Ok(reply(StatusCode::CREATED, &wire(&layout)))
}

/// The layout of that name, or a drawing when `.svg` follows.
pub(super) async fn read_one(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Answer {
    if let Some(name) = name.strip_suffix(".svg") {
        return drawing(&app, name, &Query::of(&uri));
    }
    if let Some(layout) = app.config.layouts.iter().find(|layout| layout.name() == name) {
        return Ok(reply(StatusCode::OK, &of_configuration(layout)));
    }
    Ok(reply(StatusCode::OK, &wire(&find(&app, &name)?)))
}

pub(super) async fn update(State(app): State<Arc<App>>, Path(name): Path<String>, body: Bytes) -> Answer {
    let mut definition = parsed(&body)?;
    let changing = app.catalogue.change().await;
    let mut layout = find(&app, &name)?;
    // The name is in the path; in the body it may be left out.
    let named = definition.entry("name").or_insert_with(|| Value::String(name.clone()));
    if *named != Value::String(name.clone()) {
        return Err(Refusal::invalid("name", "Name cannot be changed"));
    }
    let others: Vec<LayoutId> =
        app.catalogue.layouts().iter().filter(|other| other.name() != name).cloned().collect();
    let definition = Value::Object(definition);
    define(&definition, &others).map_err(refused)?;
    still_usable(&app, &name, Some(&definition))?;
    layout.definition = definition;
    layout.dates = layout.dates.changed();
    changing.commit(Change::PutLayout(layout.clone())).await?;
    Ok(reply(StatusCode::OK, &wire(&layout)))
}

pub(super) async fn delete(State(app): State<Arc<App>>, Path(name): Path<String>) -> Answer {
    let changing = app.catalogue.change().await;
    let layout = find(&app, &name)?;
    still_usable(&app, &name, None)?;
    changing.commit(Change::RemoveLayout(layout.name)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The groups of the project can still be read after that change.
fn still_usable(app: &App, name: &str, now: Option<&Value>) -> Result<(), Refusal> {
    let others = app.catalogue.stored_layouts().into_iter().filter(|other| other.name != name);
    let all: Vec<Value> = others.map(|other| other.definition).chain(now.cloned()).collect();
    match layouts::define_all(&all, &app.config.layouts) {
        Ok(_) => Ok(()),
        Err(refusal) => Err(Refusal::invalid("layouts", format!("Other layouts need it: {refusal}"))),
    }
}

fn drawing(app: &App, name: &str, query: &Query) -> Answer {
    let layout = LayoutId::find(name, &app.catalogue.layouts()).ok_or(Refusal::NotFound)?;
    let within = |name: &'static str, least: u32, most: u32| match query.number(name, least)? {
        Some(number) if number > most => {
            Err(Refusal::invalid(name, format!("{name} must be a whole number from {least} to {most}")))
        }
        number => Ok(number),
    };
    let side = |name| within(name, 64, 4096);
    let members = within("sources", 0, MAX_PREVIEWED)?.unwrap_or(DRAWN_MEMBERS);
    let canvas = match (side("width")?, side("height")?, layout.aspect()) {
        (Some(width), Some(height), _) => Size { width, height },
        (_, _, Some((width, height))) => {
            let scale = |side: u32| (DRAWN_EDGE * side / width.max(height)).max(2);
            Size { width: scale(width), height: scale(height) }
        }
        (_, _, None) => Size { width: 1280, height: 720 },
    };
    let layers = with_members(&layout, canvas, members);
    let drawing = Drawing { canvas, background: layout.background(), layers: &layers, with_positions: true };
    let svg = drawing.document(layout.name(), |source| source.0.to_string());
    // Nothing in it may run or load, even opened by itself.
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((StatusCode::OK, headers, svg).into_response())
}

fn parsed(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(definition)) => Ok(definition),
        Ok(_) => Err(Refusal::Malformed("The body must be a JSON object".to_owned())),
        Err(error) => Err(Refusal::Malformed(format!("The body must be JSON: {error}"))),
    }
}

fn refused(refusal: layouts::Refusal) -> Refusal {
    let attribute = match &refusal.place {
        Some(place) if place.starts_with("playback") => "playback",
        Some(_) => "slots",
        None if refusal.reason.starts_with("name") || refusal.reason.contains("built-in") => "name",
        None => "layout",
    };
    Refusal::invalid(attribute, format!("The layout is refused: {refusal}"))
}

fn find(app: &App, name: &str) -> Result<ProjectLayout, Refusal> {
    app.catalogue.stored_layout(name).ok_or(Refusal::NotFound)
}

fn is_of_configuration(app: &App, name: &str) -> bool {
    app.config.layouts.iter().any(|layout| layout.name() == name)
}

fn wire(layout: &ProjectLayout) -> Value {
    json!({
        "name": layout.name,
        "definition": layout.definition,
        "source": "api",
        "created_at": date_of(layout.dates.created),
        "updated_at": date_of(layout.dates.updated),
    })
}

fn of_configuration(layout: &LayoutId) -> Value {
    json!({
        "name": layout.name(),
        "definition": layout.definition(),
        "source": "configuration",
        "created_at": null,
        "updated_at": null,
    })
}
