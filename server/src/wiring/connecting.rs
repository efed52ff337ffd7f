//! The first frame of a socket: whose is it, and which session does it go on with?
//!
//! in:  a parsed `signalwire.connect`
//! out: the session that has taken the socket, or the reply that refuses

use std::sync::Arc;
use std::time::SystemTime;

use control_api::{
    Authenticated, Authority, ConnectRefusal, ConnectRequest, Credentials, IceServer, ProjectGrant,
    ProjectId, Protocol, RoomGrant, SocketId,
};

use super::outbox::Outbox;
use super::registry::{SessionHandle, SessionMail};
use super::session_task;
use crate::app::App;
use crate::catalogue::ConferenceToken;
use crate::tokens::Claims;

/// A session may end between being found and being told; then another is made.
const ATTEMPTS: usize = 3;

/// Verifies, finds or makes the session, and hands it the socket. The error is the reply to send.
pub(crate) async fn connect(
    app: &Arc<App>,
    socket: SocketId,
    outbox: Outbox,
    request: ConnectRequest,
) -> Result<SessionHandle, String> {
    let refuse = |refusal| {
        app.metrics.auth_failures.inc();
        // Anybody can cause this at any rate: the log is not theirs to fill, the counter tells the operator.
        tracing::debug!(agent = request.agent, ?refusal, "connect refused");
        request.refuse(refusal)
    };
    let authority = authenticate(app, &request.credentials).map_err(refuse)?;
    let (protocol, may_resume) = protocol(app, &request, &authority).map_err(refuse)?;
    for _ in 0..ATTEMPTS {
        let session = app
            .registry
            .session(protocol.as_str(), || session_task::spawn(app, protocol.clone(), &authority))
            .ok_or_else(|| refuse(ConnectRefusal::Internal))?;
        if !session.authority.is_same_party(&authority) {
            return Err(refuse(ConnectRefusal::RequesterValidation));
        }
        let mail = SessionMail::Attach {
            socket,
            outbox: outbox.clone(),
            request: request.clone(),
            authenticated: Authenticated {
                may_resume,
                ..authenticated(app, &protocol, Arc::clone(&authority))
            },
        };
        if session.mailbox.send(mail).await.is_ok() {
            return Ok(session);
        }
    }
    Err(refuse(ConnectRefusal::Internal))
}

/// What a session learns of credentials that were found good.
pub(super) fn authenticated(app: &App, protocol: &Protocol, authority: Arc<Authority>) -> Authenticated {
    Authenticated {
        authorization_state: app.identity.state(protocol, &authority),
        ice_servers: ice_servers(app, protocol, &authority),
        authority,
        may_resume: true,
    }
}

/// Only browsers have media; each connect brings credentials that last for a while again.
fn ice_servers(app: &App, protocol: &Protocol, authority: &Authority) -> Vec<IceServer> {
    let turn = app.config.turn.as_ref().filter(|_| matches!(authority, Authority::Room(_)));
    turn.map(|turn| turn.mint(&protocol.uuid().to_string(), SystemTime::now())).into_iter().collect()
}

/// Whom these credentials are.
pub(crate) fn authenticate(app: &App, credentials: &Credentials) -> Result<Arc<Authority>, ConnectRefusal> {
    match credentials {
        Credentials::RoomToken(token) if ConferenceToken::looks_like(token) => {
            let (token, conference) = app.catalogue.by_secret(token).ok_or(ConnectRefusal::Unauthorized)?;
            let project = ProjectId::new(app.config.project.id.as_str());
            let grant = RoomGrant::new(project, conference.name.as_str(), token.role.name());
            // The conference opens its room as long as it is stored, and nothing else does.
            let grant = RoomGrant { scopes: token.role.scopes(), auto_create_room: false, ..grant };
            Ok(Arc::new(Authority::Room(grant)))
        }
        Credentials::RoomToken(token) => match app.tokens.verify(token, SystemTime::now()) {
            Ok(claims) => Ok(Arc::new(Authority::Room(grant(claims)))),
            Err(error) => {
                tracing::debug!(%error, "room token refused");
                Err(ConnectRefusal::Unauthorized)
            }
        },
        Credentials::Project { project, token } if app.config.project.accepts(project, token) => {
            Ok(Arc::new(Authority::Project(ProjectGrant { project: ProjectId::new(project.as_str()) })))
        }
        Credentials::Project { .. } => Err(ConnectRefusal::Unauthorized),
    }
}

/// The name of the session to go on with, or a new one; and whether its calls may be taken up. A state that could be one
/// of ours and is not this session's refuses only that, so that its page can begin anew.
fn protocol(
    app: &App,
    request: &ConnectRequest,
    authority: &Authority,
) -> Result<(Protocol, bool), ConnectRefusal> {
    let Some(offered) = &request.protocol else {
        return Ok((app.identity.new_protocol(authority.project()), true));
    };
    let protocol =
        app.identity.protocol(offered, authority.project()).ok_or(ConnectRefusal::RequesterValidation)?;
    let may_resume = match &request.authorization_state {
        Some(state) if !app.identity.could_be_state(state) => {
            return Err(ConnectRefusal::RequesterValidation);
        }
        Some(state) => app.identity.is_state(state, &protocol, authority),
        None => true,
    };
    Ok((protocol, may_resume))
}

fn grant(claims: Claims) -> RoomGrant {
    let Claims { project, expires_at, grant, .. } = claims;
    RoomGrant {
        room_display_name: grant.room_display_name.map(Into::into),
        scopes: grant.permissions,
        join_as: grant.join_as,
        media_allowed: grant.media_allowed,
        join_audio_muted: grant.join_audio_muted,
        join_video_muted: grant.join_video_muted,
        join_from: grant.join_from.map(seconds),
        join_until: grant.join_until.map(seconds),
        remove_at: grant.remove_at.map(seconds),
        remove_after_s: grant.remove_after_s.map(seconds),
        end_room_session_on_leave: grant.end_room_session_on_leave,
        enable_room_previews: grant.enable_room_previews,
        meta: grant.meta,
        room_meta: grant.room_meta,
        auto_create_room: grant.auto_create_room,
        expires_at: Some(seconds(expires_at)),
        ..RoomGrant::new(ProjectId::new(project), grant.room, grant.user)
    }
}

#[allow(clippy::cast_precision_loss, reason = "seconds are exact for 285 million years")]
fn seconds(whole: u64) -> f64 {
    whole as f64
}
