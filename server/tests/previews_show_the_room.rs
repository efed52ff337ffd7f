//! A small picture of a room, for whoever has a link that was signed and is not too old.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use aws_lc_rs::hmac;
use media_core::codec::Rgb;
use media_core::units::VideoCodec;
use reqwest::StatusCode;
use serde_json::{Value, json};
use support::member::Member;
use support::{PATIENCE, Server};

const RED: Rgb = Rgb(200, 40, 40);
const BLUE: Rgb = Rgb(40, 60, 200);

async fn join(server: &Server, room: &str, name: &str, colour: Rgb) -> Member {
    let claims = json!({"room_name": room, "user_name": name});
    Member::join(server, claims, VideoCodec::Vp8, colour, 440).await
}

fn alike(pixel: image::Rgb<u8>, Rgb(red, green, blue): Rgb) -> bool {
    pixel.0.iter().zip([red, green, blue]).all(|(a, b)| a.abs_diff(b) < 30)
}

async fn status(url: &str) -> StatusCode {
    reqwest::get(url).await.unwrap().status()
}

#[tokio::test]
async fn a_link_shows_the_room_as_it_is() {
    let server = Server::start();
    let rest = server.rest();
    rest.make("/rooms", &json!({"name": "studio", "enable_room_previews": true})).await;
    let red = join(&server, "studio", "Red", RED).await;
    let blue = join(&server, "studio", "Blue", BLUE).await;
    for member in [&red, &blue] {
        let both = |o: &benches::peer::Observed| {
            let near = |x: u32, colour: Rgb| {
                o.colour_at(x, 500).is_some_and(|it| alike(image::Rgb([it.0, it.1, it.2]), colour))
            };
            near(250, RED) && near(750, BLUE)
        };
        member.peer.until("both on the canvas", PATIENCE, both).await.unwrap();
    }
    let id = red.session["id"].as_str().unwrap();
    let session = rest.get(&format!("/room_sessions/{id}")).await;
    let room = rest.get("/rooms/studio?include_active_session=true").await;
    for url in [&red.session["preview_url"], &session["preview_url"], &room["active_session"]["preview_url"]]
    {
        let reply = reqwest::get(url.as_str().unwrap()).await.unwrap();
        assert_eq!(
            (reply.status(), &reply.headers()["content-type"]),
            (StatusCode::OK, &"image/jpeg".parse().unwrap()),
            "{url}"
        );
        let jpeg = reply.bytes().await.unwrap();
        assert!(jpeg.len() < 20_000, "{} bytes", jpeg.len());
        let picture = image::load_from_memory(&jpeg).unwrap().to_rgb8();
        assert_eq!(picture.dimensions(), (320, 180));
        let (left, right) = (*picture.get_pixel(80, 90), *picture.get_pixel(240, 90));
        assert!(alike(left, RED) && alike(right, BLUE), "{left:?} {right:?}");
    }
}

#[tokio::test]
async fn only_signed_links_that_are_not_too_old_show_anything() {
    let server = Server::start();
    let rest = server.rest();
    rest.make("/rooms", &json!({"name": "open", "enable_room_previews": true})).await;
    rest.make("/rooms", &json!({"name": "closed"})).await;
    let red = join(&server, "open", "Red", RED).await;
    let blue = join(&server, "closed", "Blue", BLUE).await;
    assert_eq!(blue.session["preview_url"], Value::Null);
    let url = red.session["preview_url"].as_str().unwrap();
    assert_eq!(status(url).await, StatusCode::OK);

    let [open, closed] = [&red, &blue].map(|member| member.session["id"].as_str().unwrap());
    let key = std::fs::read(server.data_dir().join("previews.key")).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let signed = |id: &str, expires: u64| {
        let tag = hmac::sign(&key, format!("preview {id} until {expires}").as_bytes());
        let digits: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("http://{}/previews/{id}.jpg?expires={expires}&signature={digits}", server.address)
    };
    let far = 4_000_000_000;
    assert_eq!(status(&signed(open, far)).await, StatusCode::OK, "this is how links are signed");
    let forged = [
        ("expired", signed(open, 1_700_000_000)),
        ("longer than it was signed for", url.replace("expires=", "expires=1")),
        ("of another session", signed(open, far).replace(open, closed)),
        ("of a room without previews", signed(closed, far)),
        ("of no room", signed("00000000-0000-0000-0000-000000000000", far)),
        ("not signed", url.split('&').next().unwrap().to_owned()),
        ("of nobody", url.split('?').next().unwrap().to_owned()),
        (
            "a changed signature",
            format!("{}{}", &url[..url.len() - 1], if url.ends_with('0') { '1' } else { '0' }),
        ),
        ("another ending", signed(open, far).replace(".jpg", ".png")),
    ];
    for (what, url) in forged {
        assert_eq!(status(&url).await, StatusCode::NOT_FOUND, "{what}: {url}");
    }
}
