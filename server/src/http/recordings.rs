//! `/recordings/<id>.mp4`: the file behind a link of REST, as players ask for it.
//!
//! in:  a link that is signed and not expired; `Range` (RFC 9110 §14)
//! out: the file, or one range of it

use std::io::SeekFrom;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use serde::Deserialize;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::app::App;
use crate::storage::UnixMs;

/// Read at a time.
const CHUNK: u64 = 64 * 1024;

/// What a link carries.
#[derive(Deserialize)]
pub(super) struct Signed {
    #[serde(default)]
    pub(super) expires: u64,
    #[serde(default)]
    pub(super) signature: String,
}

pub(super) async fn file(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(signed): Query<Signed>,
    headers: HeaderMap,
) -> axum::response::Response {
    let now = u64::try_from(UnixMs::now().0 / 1000).unwrap_or(0);
    let id = name.strip_suffix(".mp4").unwrap_or_default();
    let path = app.recordings.linked(id, signed.expires, &signed.signature, now);
    let Some(path) = path else { return (StatusCode::NOT_FOUND, "not found\n").into_response() };
    let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    match answer(&path, range).await {
        Ok(answer) => answer.into_response(),
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "a recording cannot be read");
            (StatusCode::NOT_FOUND, "not found\n").into_response()
        }
    }
}

async fn answer(path: &std::path::Path, range: Option<&str>) -> std::io::Result<Response<Body>> {
    let mut file = File::open(path).await?;
    let size = file.metadata().await?.len();
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("video/mp4"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private"));
    let text = |text: String| HeaderValue::from_str(&text).map_err(std::io::Error::other);
    let (from, length) = match ranged(range, size) {
        Ranged::Whole => (0, size),
        Ranged::Part { from, length } => {
            headers.insert(
                header::CONTENT_RANGE,
                text(format!("bytes {from}-{}/{size}", from + length.saturating_sub(1)))?,
            );
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            (from, length)
        }
        Ranged::Beyond => {
            headers.insert(header::CONTENT_RANGE, text(format!("bytes */{size}"))?);
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            return Ok(response);
        }
    };
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    file.seek(SeekFrom::Start(from)).await?;
    let chunks = futures_util::stream::try_unfold((file, length), |(mut file, left)| async move {
        let wanted = usize::try_from(left.min(CHUNK)).unwrap_or(0);
        if wanted == 0 {
            return Ok::<_, std::io::Error>(None);
        }
        let mut chunk = vec![0; wanted];
        let count = file.read(&mut chunk).await?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        chunk.truncate(count);
        Ok(Some((Bytes::from(chunk), (file, left.saturating_sub(count as u64)))))
    });
    *response.body_mut() = Body::from_stream(chunks);
    Ok(response)
}

/// What of the file is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Ranged {
    Whole,
    Part { from: u64, length: u64 },
    Beyond,
}

/// One range; what is none, or more, is answered with the whole file, as RFC 9110 §14.2 lets a server do.
fn ranged(range: Option<&str>, size: u64) -> Ranged {
    let Some((first, last)) = range
        .and_then(|range| range.strip_prefix("bytes="))
        .filter(|range| !range.contains(','))
        .and_then(|range| range.trim().split_once('-'))
    else {
        return Ranged::Whole;
    };
    let number = |text: &str| text.parse::<u64>().ok();
    match (first.is_empty(), number(first), last.is_empty(), number(last)) {
        (true, _, false, Some(0)) => Ranged::Beyond,
        (true, _, false, Some(suffix)) => part(size.saturating_sub(suffix), size, size),
        (false, Some(from), true, _) => part(from, size, size),
        (false, Some(from), false, Some(to)) if to >= from => part(from, to.saturating_add(1), size),
        (true | false, _, true | false, _) => Ranged::Whole,
    }
}

fn part(from: u64, end: u64, size: u64) -> Ranged {
    if from >= size { Ranged::Beyond } else { Ranged::Part { from, length: end.min(size) - from } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_the_rfc() {
        let part = |from, length| Ranged::Part { from, length };
        for (range, expected) in [
            (None, Ranged::Whole),
            (Some("bytes=0-"), part(0, 1000)),
            (Some("bytes=0-0"), part(0, 1)),
            (Some("bytes=10-19"), part(10, 10)),
            (Some("bytes=990-5000"), part(990, 10)),
            (Some("bytes=-10"), part(990, 10)),
            (Some("bytes=-5000"), part(0, 1000)),
            (Some("bytes=-0"), Ranged::Beyond),
            (Some("bytes=1000-"), Ranged::Beyond),
            (Some("bytes=5-4"), Ranged::Whole),
            (Some("bytes=0-1,5-6"), Ranged::Whole),
            (Some("bytes=-"), Ranged::Whole),
            (Some("bytes=a-b"), Ranged::Whole),
            (Some("bytes=0-18446744073709551615"), part(0, 1000)),
            (Some("pages=1-2"), Ranged::Whole),
        ] {
            assert_eq!(ranged(range, 1000), expected, "{range:?}");
        }
    }
}
