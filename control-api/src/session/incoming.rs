//! Requests of the client.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::connect::{self, ConnectRefusal};
use super::pending::Shape;
use super::request::{ChildKind, Command, ExtraLeg, Invite, LegRole, Reply, RoomRequest, Route, Sender, Via};
use super::subscriptions::Channel;
use super::{Session, SessionOutput};
use crate::clock::Now;
use crate::grant::Authority;
use crate::ids::{CallId, RoomSessionId};
use crate::receive::LegReceive;
use crate::room;
use crate::rpc::{self, Id};
use crate::wire::connect::{ReauthenticateParams, SubscribeParams};
use crate::wire::verto::{CallParams, DialogParams, MessageParams, VertoFrame};

/// What a request is answered with when nobody needs to be asked.
enum AtOnce {
    /// As a room would.
    Reply(Reply),
    /// As an error of the protocol.
    Rpc(i32, String),
}

impl From<Reply> for AtOnce {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

/// Listing rooms needs no room.
const ROOMS_GET: &str = "video.rooms.get";

/// Every method of rooms and room sessions there is.
pub fn methods() -> impl Iterator<Item = &'static str> {
    std::iter::once(ROOMS_GET).chain(room::method_names())
}

impl Session {
    pub(super) fn on_client_request(&mut self, now: Now, id: Id, method: &str, params: Value) {
        let outcome = match method {
            "signalwire.ping" => {
                let text = rpc::result(&id, &json!({"timestamp": params.get("timestamp")}));
                self.write(text);
                Ok(())
            }
            "signalwire.subscribe" => self.on_subscribe(now, &id, params),
            "signalwire.reauthenticate" => self.on_reauthenticate(now, &id, params),
            "video.message" | "webrtc.verto" => self.on_verto(now, &id, params),
            ROOMS_GET => self.on_rooms_get(now, &id),
            "signalwire.connect" => Err(AtOnce::Rpc(rpc::INVALID_REQUEST, "already connected".to_owned())),
            _ => self.on_room_method(now, &id, method, params),
        };
        match outcome {
            Ok(()) => {}
            Err(AtOnce::Reply(reply)) => self.answer_at_once(now, id, reply),
            Err(AtOnce::Rpc(code, message)) => self.write(rpc::error(Some(&id), code, &message)),
        }
    }

    fn on_room_method(&mut self, now: Now, id: &Id, method: &str, params: Value) -> Result<(), AtOnce> {
        let name = room::known_method(method)
            .ok_or_else(|| AtOnce::Rpc(rpc::UNKNOWN_METHOD, "Method not found".to_owned()))?;
        if !params.is_object() {
            return Err(AtOnce::Rpc(rpc::INVALID_PARAMS, "params must be an object".to_owned()));
        }
        let room = params.get("room_session_id").and_then(Value::as_str);
        let room = room.ok_or_else(|| Reply::invalid("room_session_id is required"))?;
        self.ask(
            now,
            id,
            Shape::Method,
            Route::Id(RoomSessionId::new(room)),
            Command::Method { name, params },
        )
    }

    fn on_rooms_get(&mut self, now: Now, id: &Id) -> Result<(), AtOnce> {
        let Authority::Project(grant) = &*self.authority else { return Err(Reply::unauthorized().into()) };
        let project = grant.project.clone();
        let request = self.open(now, id, Shape::Method)?;
        self.outputs.push_back(SessionOutput::ListRooms { request, project });
        Ok(())
    }

    fn on_reauthenticate(&mut self, now: Now, id: &Id, params: Value) -> Result<(), AtOnce> {
        let params: ReauthenticateParams = read(params)?;
        let credentials = connect::credentials(params.authentication)
            .ok_or_else(|| AtOnce::Rpc(rpc::INVALID_PARAMS, "authentication needs jwt_token".to_owned()))?;
        let request = self.open(now, id, Shape::Reauthenticate)?;
        self.outputs.push_back(SessionOutput::Reauthenticate { request, credentials });
        Ok(())
    }

    fn on_subscribe(&mut self, now: Now, id: &Id, params: Value) -> Result<(), AtOnce> {
        let params: SubscribeParams = read(params)?;
        match (Channel::of_name(&params.event_channel), &*self.authority) {
            (Channel::Project, Authority::Project(_)) => {
                self.subscriptions.add_project(&params.events);
                Err(Reply::done().into())
            }
            (Channel::Project, Authority::Room(_)) => Err(Reply::unauthorized().into()),
            (Channel::Unknown, _) => Err(Reply::room_not_found().into()),
            (Channel::Room(room), _) => self.on_subscribe_room(now, id, room, params),
        }
    }

    fn on_subscribe_room(
        &mut self,
        now: Now,
        id: &Id,
        room: RoomSessionId,
        params: SubscribeParams,
    ) -> Result<(), AtOnce> {
        let channel = params.event_channel;
        let first = self
            .subscriptions
            .add_room(&channel, &params.events)
            .map_err(|_| Reply::failed("too many subscriptions"))?;
        // The first time, because SDKs drop events of a session they have no state of; and whenever it is asked for by
        // name, because that is how v3 resolves `subscribe()`. Not more often: each copy starts another member tracker.
        let listed = params.events.iter().any(|name| name == "video.room.subscribed");
        let initial_state = params.get_initial_state && (first || listed);
        self.ask(
            now,
            id,
            Shape::Subscribe { channel, first },
            Route::Id(room),
            Command::Watch { initial_state },
        )
    }

    fn on_verto(&mut self, now: Now, id: &Id, params: Value) -> Result<(), AtOnce> {
        let params: MessageParams = read(params)?;
        let inner = Id::from_value(&params.message.id).ok_or_else(|| {
            AtOnce::Rpc(rpc::INVALID_PARAMS, "message.id must be a string or a number".to_owned())
        })?;
        let Authority::Room(grant) = &*self.authority else { return Err(Reply::unauthorized().into()) };
        let route = Route::Name(grant.room_name.clone());
        let Some(method) = params.message.method.as_deref() else {
            // The acknowledgement of a verto request of ours.
            let result = json!({"code": "200", "node_id": &*self.config.node_id, "result": {}});
            self.write(rpc::result(id, &result));
            return Ok(());
        };
        let command = match method {
            "verto.invite" => invite(&params, self.may_resume)?,
            "verto.modify" => modify(&params)?,
            "verto.info" => Command::Info { call: call_of(&params)? },
            "verto.bye" => Command::Bye { call: call_of(&params)? },
            "verto.pong" => {
                let inner = json!({"jsonrpc": "2.0", "id": inner, "result": {}});
                let result = json!({"code": "200", "node_id": &*self.config.node_id, "result": inner});
                self.write(rpc::result(id, &result));
                return Ok(());
            }
            _ => return Err(AtOnce::Rpc(rpc::UNKNOWN_METHOD, "Method not found".to_owned())),
        };
        if let (Command::Invite(Invite { role: LegRole::Person, .. }), Some(names)) =
            (&command, &params.subscribe)
        {
            self.subscriptions.add_page(names);
        }
        self.ask(now, id, Shape::Verto(inner), route, command)
    }

    fn ask(&mut self, now: Now, id: &Id, shape: Shape, route: Route, command: Command) -> Result<(), AtOnce> {
        let key = self.open(now, id, shape)?;
        let from = Sender { session: self.config.key, authority: self.authority.clone() };
        self.outputs.push_back(SessionOutput::Request(RoomRequest { route, from, key, command }));
        Ok(())
    }

    fn open(&mut self, now: Now, id: &Id, shape: Shape) -> Result<crate::ids::RequestKey, AtOnce> {
        self.pending.open(now.at, id.clone(), shape).map_err(|_| Reply::failed("busy").into())
    }

    pub(super) fn refuse_reauthentication(&mut self, id: &Id, refusal: ConnectRefusal) {
        self.write(refusal.reply(id));
    }
}

fn read<T: DeserializeOwned>(params: Value) -> Result<T, AtOnce> {
    serde_json::from_value(params).map_err(|e| AtOnce::Rpc(rpc::INVALID_PARAMS, e.to_string()))
}

fn call_params(frame: &VertoFrame) -> Result<CallParams, AtOnce> {
    read(frame.params.clone())
}

fn invite(params: &MessageParams, may_resume: bool) -> Result<Command, AtOnce> {
    let CallParams { dialog, sdp, layout, positions, .. } = call_params(&params.message)?;
    let sdp = sdp.ok_or_else(|| AtOnce::Rpc(rpc::INVALID_PARAMS, "missing field `sdp`".to_owned()))?;
    let child = |kind| LegRole::Child(ExtraLeg { kind, layout, positions: positions.unwrap_or_default() });
    let receive = receive(&dialog)?;
    let role = match (dialog.screen_share.unwrap_or(false), dialog.additional_device.unwrap_or(false)) {
        (false, false) => LegRole::Person,
        (true, _) => child(ChildKind::Screen),
        (false, true) => child(ChildKind::Device),
    };
    Ok(Command::Invite(Invite { call: dialog.call_id, sdp, role, may_resume, receive, via: Via::Verto }))
}

fn modify(params: &MessageParams) -> Result<Command, AtOnce> {
    let CallParams { dialog, sdp, action, .. } = call_params(&params.message)?;
    let receive = receive(&dialog)?;
    let call = dialog.call_id;
    match (action.as_deref(), sdp) {
        (Some("updateMedia"), Some(sdp)) => Ok(Command::UpdateMedia { call, sdp, receive }),
        (Some("updateMedia"), None) => {
            Err(AtOnce::Rpc(rpc::INVALID_PARAMS, "missing field `sdp`".to_owned()))
        }
        (Some("hold"), _) => Ok(Command::Hold { call, held: true }),
        (Some("unhold"), _) => Ok(Command::Hold { call, held: false }),
        _ => Err(AtOnce::Rpc(rpc::INVALID_PARAMS, "unknown action".to_owned())),
    }
}

fn receive(dialog: &DialogParams) -> Result<Option<LegReceive>, AtOnce> {
    let read = |value| LegReceive::read(value).map_err(Reply::invalid);
    Ok(dialog.receive.as_ref().map(read).transpose()?)
}

/// The leg a message is about: named inside, or beside the message.
fn call_of(params: &MessageParams) -> Result<CallId, AtOnce> {
    let outer = || params.call_id.clone().ok_or(());
    let inner = call_params(&params.message).map(|call| call.dialog.call_id);
    inner.or_else(|refusal| outer().map_err(|()| refusal))
}
