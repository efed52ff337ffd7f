//! A project's layouts and a room's own: made, refused with the reason, drawn, kept, offered in rooms.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use reqwest::{Client as Http, Method, StatusCode};
use serde_json::{Value, json};
use support::offer::offer;
use support::{API_TOKEN, Client, Server};

fn layout(name: &str, width: &str) -> Value {
    json!({"name": name, "slots": [
        {"position": "reserved-1", "x": "0", "y": "0", "w": width, "h": "2/3", "follow": "floor"},
        {"position": "standard-1", "x": width, "y": "0", "w": "1/4", "h": "1/3", "fit": "cover"},
    ]})
}

async fn svg(server: &Server, path: &str) -> (StatusCode, String, String) {
    let request = Http::new().get(server.http(&format!("/api/video/layouts/{path}")));
    let reply = request.basic_auth("dev", Some(API_TOKEN)).send().await.unwrap();
    let kind = reply.headers()["content-type"].to_str().unwrap().to_owned();
    (reply.status(), kind, reply.text().await.unwrap())
}

#[tokio::test]
async fn a_layout_of_the_project_from_its_making_to_its_end() {
    let mut server = Server::start();
    let rest = server.rest();
    let made = rest.make("/layouts", &layout("news", "2/3")).await;
    assert_eq!((&made["name"], &made["source"]), (&json!("news"), &json!("api")));
    assert_eq!(made["definition"], layout("news", "2/3"));
    rest.make("/layouts", &json!({"name": "any", "layouts": ["1x1", "news", "3x3"]})).await;

    let name = |code: &str| vec![("name".to_owned(), code.to_owned())];
    assert_eq!(
        rest.refused(Method::POST, "/layouts", &layout("news", "1/2")).await,
        name("value_not_unique")
    );
    assert_eq!(
        rest.refused(Method::POST, "/layouts", &layout("2x2", "1/2")).await,
        name("invalid_parameter")
    );
    let (status, refused) = rest.send(Method::POST, "/layouts", Some(&layout("wide", "4/5"))).await;
    assert_eq!(
        (status, &refused["errors"][0]["attribute"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("slots"))
    );
    let said = refused["errors"][0]["message"].as_str().unwrap();
    assert_eq!(said, r#"The layout is refused: slot 2 ("standard-1"): its right edge is outside the canvas"#);

    let changed = rest.change("/layouts/news", &layout("news", "1/2")).await;
    assert_eq!(changed["definition"], layout("news", "1/2"));
    let (status, _) = rest.send(Method::PUT, "/layouts/news", Some(&layout("olds", "1/2"))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "a name stays");
    let (status, _) = rest.send(Method::DELETE, "/layouts/news", None).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "a group needs it");

    server.restart();
    let rest = server.rest();
    let listed = rest.get("/layouts").await;
    let names: Vec<&str> =
        listed["data"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["any", "news"], "they outlive the process");
    rest.delete("/layouts/any").await;
    rest.delete("/layouts/news").await;
    assert_eq!(rest.status(Method::GET, "/layouts/news").await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn any_layout_is_drawn() {
    let server = Server::start();
    server.rest().make("/layouts", &layout("news", "2/3")).await;
    let (status, kind, drawn) = svg(&server, "news.svg?sources=2").await;
    assert_eq!((status, &*kind), (StatusCode::OK, "image/svg+xml"));
    assert!(
        drawn.starts_with("<svg ") && drawn.contains(">reserved-1<") && drawn.contains(">2</text>"),
        "{drawn}"
    );
    let (_, _, drawn) = svg(&server, "grid-responsive.svg?sources=5").await;
    assert!(drawn.contains(">standard-9<") && drawn.contains(">5</text>") && !drawn.contains(">6</text>"));
    let (_, _, upright) = svg(&server, "grid-responsive-mobile.svg?sources=2&width=720&height=1280").await;
    assert!(upright.contains("viewBox=\"0 0 720 1280\"") && upright.contains("M0 640h720v640"), "{upright}");
    for (path, expected) in [
        ("olds.svg", StatusCode::NOT_FOUND),
        ("%3Cscript%3E.svg", StatusCode::NOT_FOUND),
        ("news.svg?sources=301", StatusCode::UNPROCESSABLE_ENTITY),
        ("news.svg?sources=-1", StatusCode::UNPROCESSABLE_ENTITY),
        ("news.svg?width=63&height=99", StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        assert_eq!(svg(&server, path).await.0, expected, "{path}");
    }
}

#[tokio::test]
async fn rooms_offer_and_show_them() {
    let server = Server::start();
    let rest = server.rest();
    rest.make("/layouts", &layout("news", "2/3")).await;
    let own = layout("own", "1/2");
    let room = json!({"name": "lounge", "layout": "own", "layouts": [own]});
    assert_eq!(rest.make("/rooms", &room).await["layouts"], json!([own]));
    let bad = json!({"name": "hall", "layouts": [{"name": "own", "slots": [7]}]});
    let (_, refused) = rest.send(Method::POST, "/rooms", Some(&bad)).await;
    assert_eq!(
        refused["errors"][0]["message"],
        r#"Layouts are refused: layout 1 ("own"), slot 1: must be an object"#
    );

    let permissions = ["room.list_available_layouts", "room.set_layout"];
    let token = json!({"room_name": "lounge", "user_name": "Alice", "permissions": permissions});
    let (mut alice, _) = Client::browser(&server, &server.token_with(token).await).await;
    alice.invite("call-1", &offer("1001")).await;
    let session = alice.event("video.room.subscribed").await["room_session"].clone();
    assert_eq!(session["layout_name"], "own");
    let id = session["id"].clone();
    let shown = async |alice: &mut Client, name: &str| loop {
        let layout = alice.event("video.layout.changed").await["layout"].clone();
        if layout["name"] == name {
            return layout["layers"][0]["width"].clone();
        }
    };
    assert_eq!(shown(&mut alice, "own").await, 50);
    let list = alice.call("video.list_available_layouts", json!({"room_session_id": id})).await;
    let offered = list["result"]["layouts"].as_array().unwrap();
    assert_eq!(offered[offered.len() - 2..], [json!("own"), json!("news")]);
    alice.call("video.set_layout", json!({"room_session_id": id, "name": "news"})).await;
    assert_eq!(shown(&mut alice, "news").await, 66.6667);
}
