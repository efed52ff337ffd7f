//! `/images`: pictures for canvases, which rooms name in their look and layouts in `background` and `foreground`.
//!
//! in:  a file as the body of PUT
//! out: what is known of it; it is shown from a room's next session on

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::reply::{Answer, Refusal, reply};
use crate::app::App;
use crate::images::{Kept, Refused};

pub(super) async fn list(State(app): State<Arc<App>>) -> Answer {
    let data: Vec<Value> = app.images.list().iter().map(|(name, kept)| wire(name, kept)).collect();
    let link = format!("{}/api/video/images", app.public_url.http());
    Ok(reply(StatusCode::OK, &json!({"links": {"self": link, "first": link}, "data": data})))
}

pub(super) async fn read_one(State(app): State<Arc<App>>, Path(name): Path<String>) -> Answer {
    let kept = app.images.find(&name).ok_or(Refusal::NotFound)?;
    Ok(reply(StatusCode::OK, &wire(&name, &kept)))
}

pub(super) async fn put(State(app): State<Arc<App>>, Path(name): Path<String>, body: Bytes) -> Answer {
    let shown = name.clone();
    let kept = waiting(move || app.images.put(&name, &body)).await?;
    match kept {
        Ok(kept) => Ok(reply(StatusCode::OK, &wire(&shown, &kept))),
        Err(refused @ (Refused::Name | Refused::TooMany)) => {
            Err(Refusal::invalid("name", refused.to_string()))
        }
        Err(refused @ Refused::Content(_)) => Err(Refusal::invalid("image", refused.to_string())),
        Err(Refused::Disk(error)) => Err(of_disk(&error)),
    }
}

pub(super) async fn delete(State(app): State<Arc<App>>, Path(name): Path<String>) -> Answer {
    match waiting(move || app.images.remove(&name)).await? {
        Ok(true) => Ok(StatusCode::NO_CONTENT.into_response()),
        Ok(false) => Err(Refusal::NotFound),
        Err(error) => Err(of_disk(&error)),
    }
}

/// On a thread that may wait.
async fn waiting<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "work on an image broke off");
        Refusal::Unavailable
    })
}

fn of_disk(error: &std::io::Error) -> Refusal {
    tracing::error!(%error, "an image was not stored");
    Refusal::Unavailable
}

fn wire(name: &str, kept: &Kept) -> Value {
    json!({
        "name": name,
        "format": kept.kind.media_type(),
        "width": kept.size.width,
        "height": kept.size.height,
        "size_in_bytes": kept.bytes,
    })
}
