//! Members whose ICE, DTLS, SRTP and RTP are not ours meet in a room of the real binary.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panic")]

mod support;

use std::sync::Arc;

use benches::client::{Call, Client};
use benches::peer::{Camera, Decode, Microphone, Observed, Offering, Peer, PeerConfig, Protection};
use layouts::Size;
use media_core::codec::Rgb;
use media_core::units::VideoCodec;
use serde_json::Value;
use support::{PATIENCE, Server};

const RED: Rgb = Rgb(200, 40, 40);
const BLUE: Rgb = Rgb(40, 60, 200);
const SIZE: Size = Size { width: 640, height: 360 };

struct Member {
    client: Client,
    call: Call,
    peer: Peer,
}

/// What a member sends and how.
#[derive(Clone, Copy)]
struct Kind {
    bundle: bool,
    codec: VideoCodec,
    protection: Protection,
}

async fn join(server: &Server, name: &str, kind: Kind, colour: Rgb, hertz: u32) -> Member {
    let token = server.token("meeting", name).await;
    let mut client = Client::connect(&format!("ws://{}", server.address), &token).await.unwrap();
    let offering = Offering::new(PeerConfig {
        bundle: kind.bundle,
        protection: kind.protection,
        camera: Arc::new(Camera::still(kind.codec, SIZE, colour).unwrap()),
        microphone: Arc::new(Microphone::tone(hertz).unwrap()),
        decode: Decode::Everything,
    })
    .await
    .unwrap();
    let call = client.invite(offering.sdp()).await.unwrap();
    let peer = offering.accept(&call.answer).unwrap();
    peer.until("DTLS", PATIENCE, |o| o.first.connected.is_some()).await.unwrap();
    Member { client, call, peer }
}

/// Where the layout puts the middle of that member, in thousandths of the canvas.
fn middle(layout: &Value, member_id: &str) -> Option<(u32, u32)> {
    let layers = layout["layout"]["layers"].as_array()?;
    let layer = layers.iter().find(|layer| layer["member_id"] == member_id)?;
    let number = |key: &str| layer[key].as_f64();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "per cent of the canvas")]
    let middle = |start: f64, length: f64| (10.0 * (start + length / 2.0)) as u32;
    Some((middle(number("x")?, number("width")?), middle(number("y")?, number("height")?)))
}

async fn layout_of(member: &mut Member, everybody: &[&str]) -> Vec<(u32, u32)> {
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            let layout = member.client.event("video.layout.changed").await.unwrap();
            let places: Option<Vec<_>> = everybody.iter().map(|id| middle(&layout, id)).collect();
            if let Some(places) = places {
                return places;
            }
        }
    });
    found.await.expect("a layout with everybody")
}

fn looks(observed: &Observed, (x, y): (u32, u32), Rgb(r, g, b): Rgb) -> bool {
    observed.colour_at(x, y).is_some_and(|Rgb(r2, g2, b2)| {
        [(r, r2), (g, g2), (b, b2)].iter().all(|(wanted, seen)| wanted.abs_diff(*seen) < 30)
    })
}

async fn meet(kinds: [Kind; 2]) {
    let bundle = kinds[0].bundle.to_string();
    let server = Server::start_with(&[("SIGNALBOX__MEDIA__BUNDLE", &bundle)]);
    let mut red = join(&server, "Red", kinds[0], RED, 440).await;
    let mut blue = join(&server, "Blue", kinds[1], BLUE, 1_000).await;
    let ids = [red.call.member_id.clone(), blue.call.member_id.clone()];
    let ids = ids.each_ref().map(String::as_str);

    for (member, own, other) in [(&mut red, 440.0, 1_000.0), (&mut blue, 1_000.0, 440.0)] {
        let places = layout_of(member, &ids).await;
        let both = |o: &Observed| looks(o, places[0], RED) && looks(o, places[1], BLUE);
        member.peer.until("a picture of both", PATIENCE, both).await.unwrap();
        let only_the_other =
            |o: &Observed| o.sound.len() == 48_000 && o.tone_db(other) > o.tone_db(own).max(-40.0) + 20.0;
        member.peer.until("the sound of the other alone", PATIENCE, only_the_other).await.unwrap();
    }

    blue.client.bye(&blue.call).await.unwrap();
    red.peer.until("a picture of one", PATIENCE, |o| looks(o, (500, 500), RED)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_transports_each_and_two_codecs() {
    let kind = |codec| Kind { bundle: false, codec, protection: Protection::All };
    meet([kind(VideoCodec::Vp8), kind(VideoCodec::H264)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bundled_transport_each_one_without_gcm() {
    let kind = |protection| Kind { bundle: true, codec: VideoCodec::Vp8, protection };
    meet([kind(Protection::All), kind(Protection::AesCm)]).await;
}
