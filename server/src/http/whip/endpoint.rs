//! POST: an offer in, an answer out, and a member or listener more.
//!
//! Checked in this order: token, room, role, headers, body, offer, what the token allows of it. Whoever has no token for
//! the room learns nothing of it.

use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Bytes;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use control_api::{Authority, Credentials, JoinAs, LegMedia, MemberId, RoomGrant, Via};
use media_core::room::check_offer;
use media_core::sdp::{Offer, OfferedMedia};

use super::refusal::Refusal;
use super::{SDP, headers};
use crate::app::App;
use crate::random;
use crate::wiring::{Joined, Joining, authenticate, join_by_http, protocol};

/// Characters of the name under which a session uses TURN.
const TURN_NAME: usize = 16;

/// `/whip/{room}`.
pub(super) async fn publish(
    State(app): State<Arc<App>>,
    Path(room): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    answer(&app, Asked { room, via: Via::Whip, watched: None }, request).await
}

/// `/whep/{room}`.
pub(super) async fn play(
    State(app): State<Arc<App>>,
    Path(room): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    answer(&app, Asked { room, via: Via::Whep, watched: None }, request).await
}

/// `/whep/{room}/{member}`.
pub(super) async fn play_member(
    State(app): State<Arc<App>>,
    Path((room, member)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Refusal> {
    answer(&app, Asked { room, via: Via::Whep, watched: Some(MemberId::new(member)) }, request).await
}

/// What a URL says.
struct Asked {
    room: String,
    via: Via,
    watched: Option<MemberId>,
}

async fn answer(app: &Arc<App>, asked: Asked, request: Request) -> Result<Response, Refusal> {
    let via = asked.via;
    let joined = join(app, asked, request).await.map_err(|refusal| refusal.counted(app, protocol(via)))?;
    Ok(created(app, joined))
}

async fn join(app: &Arc<App>, asked: Asked, request: Request) -> Result<Joined, Refusal> {
    let Asked { room, via, watched } = asked;
    if app.shutdown.is_draining() {
        return Err(Refusal::Busy);
    }
    let grant = admit(app, request.headers(), &room, via)?;
    if !headers::is_of_type(request.headers(), SDP) {
        return Err(Refusal::NoOffer);
    }
    if !headers::takes_sdp(request.headers()) {
        return Err(Refusal::NotAcceptable);
    }
    let offer = body(request).await?;
    let authority = Arc::new(Authority::Room(grant));
    check(&offer, LegMedia::of(&authority), via)?;
    Ok(join_by_http(app, Joining { authority, offer, via, watched }).await?)
}

/// The grant of the request's token, if it is one for this room and this use.
fn admit(app: &App, headers: &HeaderMap, room: &str, via: Via) -> Result<RoomGrant, Refusal> {
    let token = headers::bearer(headers).ok_or(Refusal::NoToken)?;
    let credentials = Credentials::RoomToken(token.to_owned());
    let authority = authenticate(app, &credentials).map_err(|_| Refusal::BadToken)?;
    let Authority::Room(grant) = &*authority else { return Err(Refusal::BadToken) };
    if &*grant.room_name != room {
        return Err(Refusal::OtherRoom);
    }
    match (via, grant.join_as) {
        (Via::Whip, JoinAs::Audience) => {
            Err(Refusal::NotAllowed("the token is for audience, which publishes nothing: join_as"))
        }
        // Who only watches is audience, whatever else the token would allow.
        (Via::Whep, _) => Ok(RoomGrant { join_as: JoinAs::Audience, ..grant.clone() }),
        (Via::Whip | Via::Verto, _) => Ok(grant.clone()),
    }
}

/// The body of a request as text, as long as it is no longer than it may be.
pub(super) async fn body(request: Request) -> Result<String, Refusal> {
    let bytes = Bytes::from_request(request, &()).await.map_err(|rejection| {
        match rejection.into_response().status() {
            StatusCode::PAYLOAD_TOO_LARGE => Refusal::TooLarge,
            _ => Refusal::Malformed("the body did not come to its end"),
        }
    })?;
    String::from_utf8(bytes.into()).map_err(|_| Refusal::Malformed("the body is not UTF-8"))
}

/// Whether the offer makes sense here. Of what is published nothing is left out in silence: RFC 9725 §4.4.3 wants no
/// answer to a part of an offer.
fn check(text: &str, allowed: LegMedia, via: Via) -> Result<(), Refusal> {
    let unusable = |why: &str| Err(Refusal::Unusable(why.to_owned()));
    let offer = Offer::parse_many(text).map_err(|error| Refusal::Unusable(error.to_string()))?;
    check_offer(&offer).map_err(|error| Refusal::Unusable(error.to_string()))?;
    let (audio, video) = (offer.audio(), offer.video());
    let taken = audio.iter().chain(&video);
    if taken.clone().count() > 1 && !taken.clone().all(|section| offer.bundle.contains(&section.mid)) {
        return unusable("its sections are not in one BUNDLE group");
    }
    let sends = |section: Option<&OfferedMedia>| section.is_some_and(|s| s.direction.sends());
    let receives = |section: Option<&OfferedMedia>| section.is_some_and(|s| s.direction.receives());
    match via {
        Via::Whip if !sends(audio) && !sends(video) => unusable("no section sends anything"),
        Via::Whip if offer.sections.len() > taken.count() => {
            unusable("besides one audio and one video section it has others")
        }
        Via::Whip if sends(audio) && !allowed.audio.sends() => {
            Err(Refusal::NotAllowed("the token allows no sound: media_allowed"))
        }
        Via::Whip if sends(video) && !allowed.video.sends() => {
            Err(Refusal::NotAllowed("the token allows no picture: media_allowed"))
        }
        Via::Whep if !receives(audio) && !receives(video) => unusable("no section receives anything"),
        Via::Whep
            if !(receives(audio) && allowed.audio.receives()
                || receives(video) && allowed.video.receives()) =>
        {
            Err(Refusal::NotAllowed("the token allows nothing of what is asked for: media_allowed"))
        }
        Via::Whip | Via::Whep | Via::Verto => Ok(()),
    }
}

fn created(app: &App, joined: Joined) -> Response {
    let headers = [
        (header::LOCATION, format!("/webrtc/sessions/{}", joined.id)),
        (header::ETAG, joined.tag),
        (header::CONTENT_TYPE, SDP.to_owned()),
    ];
    let mut response = (StatusCode::CREATED, headers, joined.answer).into_response();
    // RFC 9725 §4.6. The TURN server's log shows a name that tells nothing: the session's own is its secret.
    let who = random::text(TURN_NAME);
    let links = app.config.turn.iter().flat_map(|turn| turn.links(&who, SystemTime::now()));
    for link in links.filter_map(|link| HeaderValue::try_from(link).ok()) {
        response.headers_mut().append(header::LINK, link);
    }
    response
}
