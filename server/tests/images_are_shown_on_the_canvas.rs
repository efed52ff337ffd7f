//! Images that an application gives: behind and over the members, in the place of who mutes its camera.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::io::Cursor;

use benches::peer::Observed;
use media_core::codec::Rgb;
use media_core::units::VideoCodec;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use support::member::Member;
use support::{API_TOKEN, PATIENCE, Server};

const RED: Rgb = Rgb(200, 40, 40);
const GREEN: Rgb = Rgb(40, 160, 60);
const PINK: Rgb = Rgb(220, 60, 200);
const YELLOW: Rgb = Rgb(220, 200, 50);

/// A PNG; `seen` says where it is opaque.
fn png(Rgb(red, green, blue): Rgb, seen: impl Fn(u32, u32) -> bool) -> Vec<u8> {
    let pixel = |x, y| image::Rgba([red, green, blue, if seen(x, y) { 255 } else { 0 }]);
    let mut bytes = Cursor::new(Vec::new());
    image::RgbaImage::from_fn(160, 90, pixel).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

async fn send(server: &Server, method: Method, name: &str, body: Vec<u8>) -> (StatusCode, Value) {
    let url = server.http(&format!("/api/video/images/{name}"));
    let request = reqwest::Client::new().request(method, url).basic_auth("dev", Some(API_TOKEN));
    let reply = request.body(body).send().await.unwrap();
    (reply.status(), reply.json().await.unwrap_or_default())
}

async fn join(server: &Server, meta: Value) -> Member {
    let permissions = ["room.set_layout", "room.self.video_mute", "room.self.video_unmute"];
    let claims = json!({"room_name": "stage", "user_name": "Red", "meta": meta, "permissions": permissions});
    Member::join(server, claims, VideoCodec::Vp8, RED, 440).await
}

/// Waits until the canvas has these colours, at places in thousandths.
async fn shows(member: &Member, what: &'static str, places: &[(u32, u32, Rgb)]) {
    let alike = |a: Rgb, b: Rgb| a.0.abs_diff(b.0) < 30 && a.1.abs_diff(b.1) < 30 && a.2.abs_diff(b.2) < 30;
    let all = |o: &Observed| {
        places.iter().all(|(x, y, colour)| o.colour_at(*x, *y).is_some_and(|it| alike(it, *colour)))
    };
    member.peer.until(what, PATIENCE, all).await.unwrap();
}

#[tokio::test]
async fn a_room_shows_its_images_and_those_of_its_layouts() {
    let server = Server::start();
    for (name, file) in [
        ("meadow", png(GREEN, |_, _| true)),
        ("logo", png(PINK, |x, y| x >= 120 && y >= 68)),
        ("away", png(YELLOW, |_, _| true)),
    ] {
        let (status, kept) = send(&server, Method::PUT, name, file).await;
        assert_eq!(
            (status, &kept["width"], &kept["format"]),
            (StatusCode::OK, &json!(160), &json!("image/png"))
        );
    }
    let look = json!({
        "background": "meadow", "foreground": "logo", "mute_image": "away", "overlays": {"talking": false},
    });
    let corner = json!([{"position": "standard-1", "x": "0", "y": "0", "w": "1/2", "h": "1/2"}]);
    let layouts = json!([{"name": "yellow", "background": "away", "slots": corner}]);
    let room = json!({"name": "stage", "layout": "2x2", "look": look, "layouts": layouts});
    server.rest().make("/rooms", &room).await;
    let red = join(&server, json!({})).await;
    let (face, behind, over) = ((250, 200), (750, 250), (900, 900));
    let place = |(x, y): (u32, u32), colour| (x, y, colour);
    shows(&red, "camera, background, logo", &[place(face, RED), place(behind, GREEN), place(over, PINK)])
        .await;
    let of_me = json!({"member_id": red.id()});
    red.ask("video.member.video_mute", of_me.clone()).await.unwrap();
    shows(&red, "the mute image", &[place(face, YELLOW), place(behind, GREEN), place(over, PINK)]).await;
    red.ask("video.member.video_unmute", of_me).await.unwrap();
    shows(&red, "the camera again", &[place(face, RED)]).await;
    let layout = json!({"name": "yellow"});
    red.ask("video.set_layout", layout).await.unwrap();
    shows(&red, "the layout's background", &[place(face, RED), place(behind, YELLOW), place(over, PINK)])
        .await;
}

#[tokio::test]
async fn a_member_brings_its_own_mute_image() {
    let server = Server::start();
    send(&server, Method::PUT, "portrait", png(PINK, |_, _| true)).await;
    let red = join(&server, json!({"mute_image": "portrait"})).await;
    shows(&red, "its camera", &[(500, 500, RED)]).await;
    let of_me = json!({"member_id": red.id()});
    red.ask("video.member.video_mute", of_me).await.unwrap();
    shows(&red, "its image", &[(500, 500, PINK)]).await;
}

#[tokio::test]
async fn images_are_listed_replaced_and_removed_and_bad_ones_refused() {
    let server = Server::start();
    let file = || png(GREEN, |_, _| true);
    assert_eq!(send(&server, Method::PUT, "meadow", file()).await.0, StatusCode::OK);
    let list = server.rest().get("/images").await;
    assert_eq!(list["data"][0]["name"], "meadow");
    assert_eq!(send(&server, Method::GET, "meadow", Vec::new()).await.1, list["data"][0]);
    assert_eq!(send(&server, Method::GET, "none", Vec::new()).await.0, StatusCode::NOT_FOUND);
    for (name, body, expected) in [
        ("Meadow", file(), StatusCode::UNPROCESSABLE_ENTITY),
        ("text", b"hello".to_vec(), StatusCode::UNPROCESSABLE_ENTITY),
        ("large", vec![0; (4 << 20) + 1], StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        assert_eq!(send(&server, Method::PUT, name, body).await.0, expected, "{name}");
    }
    let nobody =
        reqwest::Client::new().put(server.http("/api/video/images/meadow")).body(file()).send().await;
    assert_eq!(nobody.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(send(&server, Method::DELETE, "meadow", Vec::new()).await.0, StatusCode::NO_CONTENT);
    assert_eq!(send(&server, Method::DELETE, "meadow", Vec::new()).await.0, StatusCode::NOT_FOUND);
}
