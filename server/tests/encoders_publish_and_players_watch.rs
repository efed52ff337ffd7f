//! An encoder by WHIP and a player by WHEP, whose ICE, DTLS, SRTP and RTP are not ours, meet a member in a room.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use benches::peer::{Camera, Decode, Microphone, Observed, Offering, Peer, PeerConfig, Protection};
use layouts::Size;
use media_core::codec::Rgb;
use media_core::units::VideoCodec;
use reqwest::StatusCode;
use serde_json::Value;
use support::whip::{Call, Watcher};
use support::{PATIENCE, Server};

const RED: Rgb = Rgb(200, 40, 40);
const BLUE: Rgb = Rgb(40, 60, 200);
const SIZE: Size = Size { width: 640, height: 360 };
const HERTZ: u32 = 1_000;
const OTHER_HERTZ: u32 = 440;

/// An encoder sends red and a tone, or blue and another tone when it is called so. It offers both ways, as a careless client does; the answer says
/// which one it is.
async fn peer(server: &Server, path: &str, name: &str, codec: VideoCodec) -> (Call, Peer) {
    let (colour, hertz) = if name == "Blue" { (BLUE, OTHER_HERTZ) } else { (RED, HERTZ) };
    let offering = Offering::new(PeerConfig {
        bundle: true,
        protection: Protection::All,
        camera: Arc::new(Camera::still(codec, SIZE, colour).unwrap()),
        microphone: Arc::new(Microphone::tone(hertz).unwrap()),
        decode: Decode::Everything,
    })
    .await
    .unwrap();
    let call = server.call_by_http(path, &server.token("studio", name).await, offering.sdp()).await;
    let peer = offering.accept(&call.answer).unwrap();
    peer.until("DTLS", PATIENCE, |o| o.first.connected.is_some()).await.unwrap();
    (call, peer)
}

fn looks(observed: &Observed, (x, y): (u32, u32), Rgb(r, g, b): Rgb) -> bool {
    observed.colour_at(x, y).is_some_and(|Rgb(r2, g2, b2)| {
        [(r, r2), (g, g2), (b, b2)].iter().all(|(wanted, seen)| wanted.abs_diff(*seen) < 30)
    })
}

/// Where the layout puts the middle of that member, in thousandths of the canvas.
async fn middle(watcher: &mut Watcher, member: &Value) -> (u32, u32) {
    loop {
        let layout = watcher.event("video.layout.changed").await["layout"].clone();
        let layers = layout["layers"].as_array().unwrap();
        let Some(layer) = layers.iter().find(|layer| layer["member_id"] == *member) else { continue };
        let number = |key: &str| layer[key].as_f64().unwrap();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "per cent of the canvas")]
        let middle = |start: &str, length: &str| (10.0 * (number(start) + number(length) / 2.0)) as u32;
        return (middle("x", "width"), middle("y", "height"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_is_seen_and_heard_until_it_is_ended() {
    let server = Server::start();
    let (_, player) = peer(&server, "/whep/studio", "Player", VideoCodec::H264).await;
    let mut watcher = Watcher::of(&server).await;
    for codec in [VideoCodec::H264, VideoCodec::Vp8] {
        let (call, encoder) = peer(&server, "/whip/studio", "Encoder", codec).await;
        let member = watcher.event("video.member.joined").await["member"]["id"].clone();
        let place = middle(&mut watcher, &member).await;
        player.until("the picture of the encoder", PATIENCE, |o| looks(o, place, RED)).await.unwrap();
        let is_heard = |o: &Observed| o.sound.len() == 48_000 && o.tone_db(f64::from(HERTZ)) > -30.0;
        player.until("its sound", PATIENCE, is_heard).await.unwrap();
        assert_eq!(encoder.observed().video_frames, 0, "an encoder receives nothing");

        assert_eq!(server.delete(&call.url).await, StatusCode::OK);
        assert_eq!(watcher.event("video.member.left").await["member"]["id"], member);
        player.until("nobody", PATIENCE, |o| !looks(o, place, RED)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encoder_is_controlled_as_any_member() {
    let server = Server::start();
    let (_, player) = peer(&server, "/whep/studio", "Player", VideoCodec::Vp8).await;
    let mut watcher = Watcher::of(&server).await;
    let (_, _encoder) = peer(&server, "/whip/studio", "Encoder", VideoCodec::H264).await;
    let member = watcher.event("video.member.joined").await["member"]["id"].clone();
    let place = middle(&mut watcher, &member).await;
    player.until("the encoder", PATIENCE, |o| looks(o, place, RED)).await.unwrap();
    watcher.call("video.member.video_mute", &member).await;
    player.until("its mute image", PATIENCE, |o| !looks(o, place, RED)).await.unwrap();
    watcher.call("video.member.video_unmute", &member).await;
    player.until("the encoder again", PATIENCE, |o| looks(o, place, RED)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encoder_or_a_player_that_vanishes_leaves() {
    let server = Server::start_with(&[("SIGNALBOX__SESSION__LEAVE_AFTER_S", "5")]);
    let (call, encoder) = peer(&server, "/whip/studio", "Encoder", VideoCodec::Vp8).await;
    let (watching, player) = peer(&server, "/whep/studio", "Player", VideoCodec::Vp8).await;
    let mut watcher = Watcher::of(&server).await;
    let member = watcher.members().await[0]["id"].clone();
    player.stop().await;
    encoder.stop().await;
    assert_eq!(watcher.event("video.member.left").await["member"]["id"], member);
    server.metrics_with(&["signalbox_rooms 0", "signalbox_http_calls{protocol=\"whep\"} 0"]).await;
    for url in [call.url, watching.url] {
        assert_eq!(server.delete(&url).await, StatusCode::NOT_FOUND);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_member_is_played_alone_until_it_leaves() {
    let server = Server::start();
    for codec in [VideoCodec::Vp8, VideoCodec::H264] {
        let (red, _red) = peer(&server, "/whip/studio", "Red", codec).await;
        let mut watcher = Watcher::of(&server).await;
        let members = watcher.members().await;
        let member = members.iter().find(|member| member["name"] == "Red").unwrap()["id"].clone();
        let member = member.as_str().unwrap();
        let (_, _blue) = peer(&server, "/whip/studio", "Blue", codec).await;
        let (watching, player) = peer(&server, &format!("/whep/studio/{member}"), "Player", codec).await;
        let fills = |o: &Observed| [(20, 100), (500, 500), (980, 900)].iter().all(|at| looks(o, *at, RED));
        let seen = player.until("the picture of one", PATIENCE, fills).await.unwrap();
        let size = seen.picture.map(|picture| picture.size());
        assert_eq!(size, Some(SIZE), "its own stream, and no canvas");
        let is_alone = |o: &Observed| {
            let [own, other] = [HERTZ, OTHER_HERTZ].map(|hertz| o.tone_db(f64::from(hertz)));
            o.sound.len() == 48_000 && own > (-30.0_f64).max(other + 20.0)
        };
        player.until("its sound alone", PATIENCE, is_alone).await.unwrap();

        assert_eq!(server.delete(&red.url).await, StatusCode::OK);
        server.metrics_with(&["signalbox_http_calls{protocol=\"whep\"} 0"]).await;
        assert_eq!(server.delete(&watching.url).await, StatusCode::NOT_FOUND);
    }
}
