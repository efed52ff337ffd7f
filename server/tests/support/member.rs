//! Members whose media stack is not ours: a colour as camera, a tone as microphone, and eyes and ears for what comes back.

use std::sync::Arc;

use benches::client::{Call, Client, ClientError};
use benches::peer::{Camera, Decode, Microphone, Offering, Peer, PeerConfig, Protection};
use layouts::Size;
use media_core::codec::Rgb;
use media_core::units::VideoCodec;
use serde_json::Value;

use super::{PATIENCE, Server};

const CAMERA: Size = Size { width: 640, height: 360 };

pub(crate) struct Member {
    client: Client,
    _call: Call,
    pub(crate) peer: Peer,
    /// The room session, as it was told first.
    pub(crate) session: Value,
}

impl Member {
    /// Joins with what `claims` a token is to have.
    pub(crate) async fn join(
        server: &Server,
        claims: Value,
        codec: VideoCodec,
        colour: Rgb,
        hertz: u32,
    ) -> Self {
        let token = server.token_with(claims).await;
        let mut client = Client::connect(&format!("ws://{}", server.address), &token).await.unwrap();
        let offering = Offering::new(PeerConfig {
            bundle: false,
            protection: Protection::All,
            camera: Arc::new(Camera::still(codec, CAMERA, colour).unwrap()),
            microphone: Arc::new(Microphone::tone(hertz).unwrap()),
            decode: Decode::Everything,
        })
        .await
        .unwrap();
        let call = client.invite(offering.sdp()).await.unwrap();
        let peer = offering.accept(&call.answer).unwrap();
        let session = client.event("video.room.subscribed").await.unwrap()["room_session"].clone();
        peer.until("DTLS", PATIENCE, |o| o.first.connected.is_some()).await.unwrap();
        Self { client, _call: call, peer, session }
    }

    /// Its own id, when it came first.
    pub(crate) fn id(&self) -> &Value {
        &self.session["members"][0]["id"]
    }

    /// Calls a method of the room.
    pub(crate) async fn ask(&self, method: &str, mut params: Value) -> Result<Value, ClientError> {
        params["room_session_id"] = self.session["id"].clone();
        self.client.call(method, params).await
    }
}
