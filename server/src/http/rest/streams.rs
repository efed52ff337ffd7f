//! `/streams`, and those of a room or conference: where it is streamed to whenever it runs.
//!
//! in:  a URL, judged by the policy for outward connections as far as that needs no resolver
//! out: the stored stream

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{OriginalUri, Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse;
use serde_json::{Value, json};
use uuid::Uuid;

use super::attributes::Attributes;
use super::conferences;
use super::query::Query;
use super::reply::{Answer, Refusal, reply};
use super::rooms;
use super::values::date_of;
use crate::app::App;
use crate::catalogue::{Change, Dates, Item, Stream};
use crate::url_policy::{Purpose, UrlPolicy};

pub(super) async fn of_room(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Answer {
    list(&app, rooms::find(&app.catalogue, &id)?.id, &uri)
}

pub(super) async fn of_conference(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Answer {
    list(&app, conferences::find(&app.catalogue, &id)?.id, &uri)
}

pub(super) async fn create_for_room(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer {
    let changing = app.catalogue.change().await;
    let stream = made(&app, rooms::find(&app.catalogue, &id)?.id, &body)?;
    changing.commit(Change::PutStream(stream.clone())).await?;
    Ok(reply(StatusCode::CREATED, &wire(&app, &stream)))
}

pub(super) async fn create_for_conference(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answer {
    let changing = app.catalogue.change().await;
    let stream = made(&app, conferences::find(&app.catalogue, &id)?.id, &body)?;
    changing.commit(Change::PutStream(stream.clone())).await?;
    Ok(reply(StatusCode::CREATED, &wire(&app, &stream)))
}

pub(super) async fn read_one(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    Ok(reply(StatusCode::OK, &wire(&app, &*find(&app, &id)?)))
}

pub(super) async fn update(State(app): State<Arc<App>>, Path(id): Path<String>, body: Bytes) -> Answer {
    let changing = app.catalogue.change().await;
    let mut stream = Stream::clone(&*find(&app, &id)?);
    stream.url = url(&app.config.egress, &body)?;
    stream.dates = stream.dates.changed();
    changing.commit(Change::PutStream(stream.clone())).await?;
    Ok(reply(StatusCode::OK, &wire(&app, &stream)))
}

pub(super) async fn delete(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    let changing = app.catalogue.change().await;
    let stream = find(&app, &id)?;
    changing.commit(Change::RemoveStream(stream.id)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn list(app: &App, owner: Uuid, uri: &Uri) -> Answer {
    let query = Query::of(uri);
    let paging = query.paging()?;
    let page = app.catalogue.streams_of(owner, &paging.slice);
    let base = app.public_url.http();
    Ok(paging.render(&base, &query, &page, |stream| stream.cursor(), |stream| wire(app, stream)))
}

fn find(app: &App, id: &str) -> Result<Arc<Stream>, Refusal> {
    Uuid::try_parse(id).ok().and_then(|id| app.catalogue.stream(id)).ok_or(Refusal::NotFound)
}

fn made(app: &App, owner: Uuid, body: &[u8]) -> Result<Stream, Refusal> {
    let url = url(&app.config.egress, body)?;
    Ok(Stream { id: Uuid::new_v4(), owner, url, dates: Dates::now() })
}

fn url(policy: &UrlPolicy, body: &[u8]) -> Result<String, Refusal> {
    let mut attributes = Attributes::parse(body)?;
    let url = attributes.require("url", |value| {
        let Value::String(text) = value else { return Err("must be text".to_owned()) };
        match policy.read(Purpose::Stream, &text) {
            Ok(_) => Ok(text),
            Err(refusal) => Err(format!("cannot be used: {refusal}")),
        }
    });
    attributes.finish()?;
    Ok(url.unwrap_or_default())
}

/// The picture is the owner's.
fn wire(app: &App, stream: &Stream) -> Value {
    let owner = app.catalogue.owner(stream.owner);
    let settings = owner.as_ref().map(|owner| owner.settings());
    let canvas = settings.map(|settings| settings.quality.canvas());
    json!({
        "id": stream.id,
        "url": stream.url,
        "stream_type": "rtmp",
        "width": canvas.map(|canvas| canvas.width),
        "height": canvas.map(|canvas| canvas.height),
        "fps": settings.map(|settings| settings.fps),
        "created_at": date_of(stream.dates.created),
        "updated_at": date_of(stream.dates.updated),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_broadcasters_are_taken() {
        let policy = UrlPolicy::default();
        let good = ["rtmp://live.example.com/app/key", "rtmps://live.example.com:443/app/key"];
        let bad = ["", "live.example.com", "http://live.example.com/", "rtmp://127.0.0.1/app", "rtmp://"];
        for (text, is_good) in good.map(|text| (text, true)).into_iter().chain(bad.map(|text| (text, false)))
        {
            let read = url(&policy, json!({"url": text}).to_string().as_bytes());
            match read {
                Ok(url) => assert!(is_good && url == text, "{text}"),
                Err(Refusal::Invalid(wrong)) => {
                    assert!(!is_good && wrong[0].attribute == "url", "{text}: {wrong:?}")
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        for body in ["{}", r#"{"url": 7}"#, r#"{"url": null}"#] {
            assert!(matches!(url(&policy, body.as_bytes()), Err(Refusal::Invalid(_))), "{body}");
        }
    }
}
