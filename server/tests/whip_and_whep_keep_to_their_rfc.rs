//! RFC 9725 and the draft of WHEP, request by request; media itself is not looked at.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use reqwest::header::{
    ACCEPT, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ALLOW, AUTHORIZATION, CONTENT_TYPE, ETAG, IF_MATCH, LINK, ORIGIN,
    RETRY_AFTER, WWW_AUTHENTICATE,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use support::offer::{OFFER, offer};
use support::whip::{FRAGMENT, SDP, Watcher, reason};
use support::{Client, Server};

const OBS: &str = include_str!("fixtures/whip/obs.sdp");
const WHIPCLIENTSINK: &str = include_str!("fixtures/whip/whipclientsink.sdp");

/// The offer of a browser that sends.
fn sending() -> String {
    offer("1001").replace("a=sendrecv", "a=sendonly")
}

/// The offer of a browser that receives.
fn receiving() -> String {
    offer("1002").replace("a=sendrecv", "a=recvonly")
}

/// Directions of an answer's sections.
fn directions(answer: &str) -> Vec<&str> {
    let names = ["a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"];
    answer.lines().filter(|line| names.contains(line)).collect()
}

fn line<'a>(sdp: &'a str, beginning: &str) -> &'a str {
    sdp.lines().find(|line| line.starts_with(beginning)).unwrap_or_else(|| panic!("{beginning} in {sdp}"))
}

/// Waits until nobody is in the room.
async fn is_empty(server: &Server) {
    server.metrics_with(&["signalbox_rooms 0", "signalbox_http_calls{protocol=\"whip\"} 0"]).await;
}

// RFC 9725 §4.2, §4.4.1: "201 Created", the session's URL, an answer that is bundled and receives.
#[tokio::test]
async fn an_offer_is_answered_with_a_url_and_the_member_is_one_like_any_other() {
    let server = Server::start();
    for (name, offer) in [
        ("Browser", sending()),
        ("Browser that could receive", offer("1003")),
        ("OBS", OBS.to_owned()),
        ("GStreamer", WHIPCLIENTSINK.to_owned()),
    ] {
        let call = server.call_by_http("/whip/studio", &server.token("studio", name).await, &offer).await;
        let secret = call.url.strip_prefix("/webrtc/sessions/").unwrap();
        assert!(secret.len() == 64 && secret.bytes().all(|byte| byte.is_ascii_hexdigit()), "{secret}");
        assert!(call.tag.starts_with('"') && call.tag.ends_with('"') && call.tag.len() > 10, "{}", call.tag);
        assert_eq!(directions(&call.answer), ["a=recvonly"; 2], "{name}: {}", call.answer);
        assert!(call.answer.contains("a=group:BUNDLE "), "{name}: {}", call.answer);
        // RFC 3264 §6: section for section.
        let mids = |sdp: &str| -> Vec<String> {
            sdp.lines().filter_map(|line| line.strip_prefix("a=mid:")).map(str::to_owned).collect()
        };
        assert_eq!(mids(&call.answer), mids(&offer), "{name}");
        assert!(call.answer.contains("H264/90000") && call.answer.contains("opus/48000"), "{}", call.answer);
        let credentials: Vec<&str> = call.answer.lines().filter(|l| l.starts_with("a=ice-ufrag:")).collect();
        assert!(credentials.windows(2).all(|pair| pair[0] == pair[1]), "{name}: one transport");

        let mut watcher = Watcher::of(&server).await;
        let member = watcher.members().await.remove(0);
        assert_eq!((&member["name"], &member["type"]), (&json!(name), &json!("member")));

        // §4.2: DELETE ends it.
        assert_eq!(server.delete(&call.url).await, StatusCode::OK);
        assert_eq!(server.delete(&call.url).await, StatusCode::NOT_FOUND);
        assert_eq!(watcher.event("video.member.left").await["member"]["id"], member["id"]);
        watcher.event("video.room.ended").await;
    }
    is_empty(&server).await;
}

#[tokio::test]
async fn who_plays_is_audience_whatever_the_token_would_allow() {
    let server = Server::start();
    let audience = json!({"room_name": "studio", "user_name": "Viewer", "join_as": "audience"});
    for token in [server.token_with(audience).await, server.token("studio", "Member").await] {
        for offer in [receiving(), offer("1003")] {
            let call = server.call_by_http("/whep/studio", &token, &offer).await;
            assert_eq!(directions(&call.answer), ["a=sendonly"; 2], "{}", call.answer);
            server.metrics_with(&["signalbox_http_calls{protocol=\"whep\"} 1", "signalbox_members 1"]).await;
            let (mut watcher, _) = Client::realtime(&server).await;
            let rooms = watcher.call("video.rooms.get", json!({})).await["result"]["rooms"].clone();
            assert_eq!((&rooms[0]["members"], &rooms[0]["audience_count"]), (&json!([]), &json!(1)));
            assert_eq!(server.delete(&call.url).await, StatusCode::OK);
            server.metrics_with(&["signalbox_rooms 0"]).await;
        }
    }
}

#[tokio::test]
async fn what_is_refused_says_why() {
    let server = Server::start();
    let token = server.token("studio", "Alice").await;
    let with = async |more: Value| {
        let mut body = json!({"room_name": "studio", "user_name": "Alice"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.token_with(body).await
    };
    let (send, receive) = (sending(), receiving());
    let only_video = OBS.replace("a=sendonly", "a=inactive").replacen("a=inactive", "a=sendonly", 1);
    let two_cameras = format!("{OBS}{}", &OBS[OBS.find("m=video").unwrap()..].replace("a=mid:1", "a=mid:2"));
    let apart = OBS.replace("a=group:BUNDLE 0 1\r\n", "");
    let no_codec = OBS.replace("H264/90000", "H265/90000");
    for (path, token, offer, status, why) in [
        ("/whip/studio", "", send.as_str(), 401, "a room token is needed"),
        ("/whip/studio", "nonsense", &send, 401, "not valid"),
        ("/whip/studio", &token[..token.len() - 3], &send, 401, "not valid"),
        ("/whip/other", &token, &send, 403, "another room"),
        ("/whep/other", &token, &receive, 403, "another room"),
        ("/whip/studio", &with(json!({"join_as": "audience"})).await, &send, 403, "audience"),
        ("/whip/studio", &with(json!({"join_from": "2999-01-01"})).await, &send, 403, "join_from"),
        ("/whip/studio", &with(json!({"join_until": "2020-01-01"})).await, &send, 403, "join_until"),
        ("/whip/studio", &with(json!({"auto_create_room": false})).await, &send, 404, "no such room"),
        ("/whip/studio", &with(json!({"media_allowed": "audio-only"})).await, &send, 403, "no picture"),
        ("/whip/studio", &with(json!({"media_allowed": "video-only"})).await, &only_video, 403, "no sound"),
        ("/whep/studio/nobody", &token, &receive, 404, "no such member"),
        ("/whip/studio", &token, "", 422, "not SDP"),
        ("/whip/studio", &token, "nonsense", 422, "not SDP"),
        ("/whip/studio", &token, &receive, 422, "no section sends"),
        ("/whep/studio", &token, &send, 422, "no section receives"),
        ("/whip/studio", &token, &two_cameras, 422, "others"),
        ("/whip/studio", &token, &apart, 422, "BUNDLE"),
        ("/whip/studio", &token, &no_codec, 422, "no common Video codec; offered were H265"),
        ("/whip/studio", &token, &OBS.replace("setup:actpass", "setup:passive"), 422, "setup"),
        ("/whip/studio", &token, &format!("{OBS}{}", "a=x\r\n".repeat(20_000)), 413, "64 kB"),
    ] {
        let reply = match token {
            "" => server.ask(Method::POST, path).header(CONTENT_TYPE, SDP).body(offer.to_owned()),
            token => server.offering(path, token, offer),
        };
        let reply = reply.send().await.unwrap();
        let challenge = reply.headers().get(WWW_AUTHENTICATE).map(|value| value.to_str().unwrap().to_owned());
        let (found, told) = reason(reply).await;
        assert_eq!((found.as_u16(), told.contains(why)), (status, true), "{path}, {why}: {told}");
        assert_eq!(challenge.is_some_and(|value| value.starts_with("Bearer ")), status == 401, "{told}");
    }
    for (name, value, status, why) in [
        (CONTENT_TYPE, "text/plain", 415, "application/sdp"),
        (CONTENT_TYPE, "application/json", 415, "application/sdp"),
        (ACCEPT, "application/json", 406, "Accept"),
        (AUTHORIZATION, "Basic ZGV2OmRldg==", 401, "token"),
    ] {
        let mut request = server.offering("/whip/studio", &token, OBS).build().unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
        let (found, told) = reason(reqwest::Client::new().execute(request).await.unwrap()).await;
        assert_eq!((found.as_u16(), told.contains(why)), (status, true), "{value}: {told}");
    }
    is_empty(&server).await;
    server
        .metrics_with(&[
            "signalbox_http_call_refusals_total{protocol=\"whip\",reason=\"bad_token\"} 2",
            "signalbox_http_call_refusals_total{protocol=\"whip\",reason=\"unusable\"} ",
            "signalbox_http_call_refusals_total{protocol=\"whep\",reason=\"other_room\"} 1",
        ])
        .await;
}

#[tokio::test]
async fn a_room_that_is_locked_or_full_says_so() {
    let server = Server::start();
    server.rest().make("/rooms", &json!({"name": "studio", "max_members": 1})).await;
    server.rest().make("/rooms", &json!({"name": "later", "join_from": "2999-01-01"})).await;
    let token = server.token("studio", "Alice").await;
    server.call_by_http("/whip/studio", &token, OBS).await;
    for (path, room, offer, why) in
        [("/whip/studio", "studio", OBS, "full"), ("/whip/later", "later", OBS, "join_from")]
    {
        let token = server.token(room, "Bob").await;
        let (status, told) = reason(server.offering(path, &token, offer).send().await.unwrap()).await;
        assert_eq!((status, told.contains(why)), (StatusCode::FORBIDDEN, true), "{told}");
    }

    let server = Server::start();
    server.call_by_http("/whip/quiet", &server.token("quiet", "Alice").await, OBS).await;
    Watcher::of(&server).await.call("video.lock", &Value::Null).await;
    for (path, offer) in [("/whip/quiet", sending()), ("/whep/quiet", receiving())] {
        let token = server.token("quiet", "Bob").await;
        let (status, told) = reason(server.offering(path, &token, &offer).send().await.unwrap()).await;
        assert_eq!((status, told.contains("locked")), (StatusCode::FORBIDDEN, true), "{told}");
    }
}

// RFC 9725 §4.3.
#[tokio::test]
async fn candidates_are_taken_and_ice_restarts_by_condition() {
    let server = Server::start();
    let call = server.call_by_http("/whip/studio", &server.token("studio", "Alice").await, OBS).await;
    let (ufrag, pwd) = (line(OBS, "a=ice-ufrag:"), line(OBS, "a=ice-pwd:"));
    let candidates = format!(
        "a=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n{ufrag}\r\n{pwd}\r\n\
         a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host\r\na=end-of-candidates\r\n"
    );
    let restart = "a=ice-ufrag:ysXw\r\na=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\na=end-of-candidates\r\n";
    for (condition, body, status) in [
        // §4.3.1: a request without If-Match is refused with 428, one for another ICE session with 412.
        (None, candidates.as_str(), 428),
        (Some("\"another\""), &candidates, 412),
        (Some("\"another\""), restart, 412),
        // §4.3.2: "204 No Content".
        (Some(call.tag.as_str()), &candidates, 204),
        (Some("*"), &candidates, 204),
        (Some(&format!("\"another\", {}", call.tag)), "a=end-of-candidates\r\n", 204),
        (Some("*"), "", 400),
        (Some("*"), "hello", 400),
        (Some("*"), "a=ice-ufrag:ysXw\r\n", 400),
        (Some("*"), "a=ice-ufrag:y\r\na=ice-pwd:short\r\n", 422),
    ] {
        let reply = server.patch(&call.url, condition, body).await;
        let (found, text) = (reply.status(), reply.text().await.unwrap());
        assert_eq!(found.as_u16(), status, "{condition:?} {body:?}: {text}");
        assert_eq!(text.is_empty(), status == 204, "{text}");
    }
    let wrong =
        server.ask(Method::PATCH, &call.url).header(IF_MATCH, "*").header(CONTENT_TYPE, SDP).body(restart);
    assert_eq!(wrong.send().await.unwrap().status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);

    // §4.3.3: "200 OK", our new credentials, the new tag; the one before is over.
    let (mut tag, mut known) = (call.tag.clone(), vec![line(&call.answer, "a=ice-ufrag:").to_owned()]);
    for (is_any, ufrag) in [(true, "aaaa"), (false, "bbbb")] {
        let condition = if is_any { "*".to_owned() } else { tag.clone() };
        let reply = server.patch(&call.url, Some(&condition), &restart.replace("ysXw", ufrag)).await;
        assert_eq!(reply.status(), StatusCode::OK);
        assert_eq!(reply.headers()[CONTENT_TYPE], FRAGMENT);
        let next = reply.headers()[ETAG].to_str().unwrap().to_owned();
        assert_ne!(next, tag);
        let stale = server.patch(&call.url, Some(&tag), "a=end-of-candidates\r\n").await;
        assert_eq!(stale.status(), StatusCode::PRECONDITION_FAILED);
        tag = next;
        let fragment = reply.text().await.unwrap();
        for needed in
            ["a=ice-lite", "a=group:BUNDLE 0 1", "m=audio ", "a=mid:0", "a=ice-pwd:", "a=candidate:"]
        {
            line(&fragment, needed);
        }
        let ours = line(&fragment, "a=ice-ufrag:").to_owned();
        assert!(!known.contains(&ours), "{ours}");
        known.push(ours);
    }
    assert_eq!(server.delete(&call.url).await, StatusCode::OK);
    let reply = server.patch(&call.url, Some("*"), restart).await;
    assert_eq!(reply.status(), StatusCode::NOT_FOUND);
}

// RFC 9725 §4.6.
#[tokio::test]
async fn turn_servers_are_linked_when_there_are_some() {
    let urls = "turn:turn.example:3478?transport=udp, turns:turn.example:443";
    let turn = [("SIGNALBOX__TURN__URLS", urls), ("SIGNALBOX__TURN__SECRET", "a-secret-of-the-tests")];
    for (variables, expected) in [(&turn[..], 2), (&[], 0)] {
        let server = Server::start_with(variables);
        let token = server.token("studio", "Alice").await;
        for (path, offer) in [("/whip/studio", sending()), ("/whep/studio", receiving())] {
            let reply = server.offering(path, &token, &offer).send().await.unwrap();
            assert_eq!(reply.status(), StatusCode::CREATED);
            let links: Vec<&str> =
                reply.headers().get_all(LINK).iter().map(|l| l.to_str().unwrap()).collect();
            assert_eq!(links.len(), expected, "{links:?}");
            for needed in
                ["rel=\"ice-server\"", "username=\"", "credential=\"", "credential-type=\"password\""]
            {
                assert!(
                    links.iter().all(|link| link.starts_with("<turn") && link.contains(needed)),
                    "{links:?}"
                );
            }
        }
    }
}

// RFC 9725 §4.2: other methods are answered with 405.
#[tokio::test]
async fn other_methods_are_named_and_options_answered() {
    let server = Server::start();
    let endpoint = "OPTIONS, POST";
    let call = "DELETE, OPTIONS, PATCH";
    for (path, methods, allowed) in [
        (
            "/whip/studio",
            vec![Method::GET, Method::HEAD, Method::PUT, Method::PATCH, Method::DELETE],
            endpoint,
        ),
        ("/whep/studio", vec![Method::GET, Method::HEAD, Method::PUT], endpoint),
        ("/whep/studio/member", vec![Method::GET, Method::PUT], endpoint),
        ("/webrtc/sessions/unknown", vec![Method::GET, Method::HEAD, Method::POST, Method::PUT], call),
    ] {
        for method in methods {
            let reply = server.ask(method.clone(), path).send().await.unwrap();
            assert_eq!(reply.status(), StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            assert_eq!(reply.headers()[ALLOW], allowed);
        }
        let reply = server.ask(Method::OPTIONS, path).send().await.unwrap();
        assert_eq!(reply.status(), StatusCode::NO_CONTENT);
        assert_eq!(reply.headers()[ALLOW], allowed);
        let (accept, expected) =
            if allowed == call { ("accept-patch", FRAGMENT) } else { ("accept-post", SDP) };
        assert_eq!(reply.headers()[accept], expected);
    }
}

#[tokio::test]
async fn pages_of_allowed_origins_may_use_it_and_read_its_headers() {
    let server = Server::start();
    let preflight = async |server: &Server, origin: &str| {
        let request = server.ask(Method::OPTIONS, "/whip/studio").header(ORIGIN, origin);
        request.header("access-control-request-method", "POST").send().await.unwrap()
    };
    let reply = preflight(&server, "https://anywhere.example").await;
    assert_eq!(reply.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "https://anywhere.example");
    assert_eq!(reply.headers()[ACCESS_CONTROL_ALLOW_METHODS], "OPTIONS, POST");
    let allowed = reply.headers()[ACCESS_CONTROL_ALLOW_HEADERS].to_str().unwrap().to_lowercase();
    assert!(["authorization", "content-type", "if-match"].iter().all(|name| allowed.contains(name)));
    assert!(!reply.headers().contains_key("access-control-allow-credentials"));

    let token = server.token("studio", "Alice").await;
    let offering = server.offering("/whip/studio", &token, OBS).header(ORIGIN, "https://anywhere.example");
    let exposed = offering.send().await.unwrap().headers()[ACCESS_CONTROL_EXPOSE_HEADERS].clone();
    let exposed = exposed.to_str().unwrap().to_lowercase();
    assert!(["location", "etag", "link"].iter().all(|name| exposed.contains(name)), "{exposed}");
    let refused = server.offering("/whip/studio", "x", OBS).header(ORIGIN, "https://anywhere.example");
    assert!(refused.send().await.unwrap().headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));

    let server = Server::start_with(&[("SIGNALBOX__HTTP__ALLOWED_ORIGINS", "https://app.example")]);
    assert_eq!(preflight(&server, "https://app.example").await.status(), StatusCode::NO_CONTENT);
    let reply = preflight(&server, "https://evil.example").await;
    assert_eq!(reply.status(), StatusCode::FORBIDDEN);
    assert!(!reply.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
    // REST stays as it is: for servers.
    let request = server.ask(Method::GET, "/api/video/rooms").header(ORIGIN, "https://app.example");
    assert!(!request.send().await.unwrap().headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
}

#[tokio::test]
async fn calls_are_bounded_and_a_full_server_says_when_to_come_again() {
    let server = Server::start_with(&[("SIGNALBOX__LIMITS__MAX_CONNECTIONS", "4")]);
    let token = server.token("studio", "Alice").await;
    let mut calls = Vec::new();
    for _ in 0..4 {
        calls.push(server.call_by_http("/whip/studio", &token, OBS).await);
    }
    let reply = server.offering("/whip/studio", &token, OBS).send().await.unwrap();
    assert!(reply.headers().contains_key(RETRY_AFTER));
    assert_eq!(reason(reply).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(server.delete(&calls[0].url).await, StatusCode::OK);
    server.metrics_with(&["signalbox_http_calls{protocol=\"whip\"} 3"]).await;
    server.call_by_http("/whip/studio", &token, OBS).await;
}

#[tokio::test]
async fn a_member_that_is_put_out_or_never_connects_leaves_nothing_behind() {
    let server = Server::start_with(&[("SIGNALBOX__SESSION__LEAVE_AFTER_S", "3")]);
    let token = server.token("studio", "Alice").await;
    for method in [Some("video.member.remove"), Some("video.member.demote"), None] {
        let call = server.call_by_http("/whip/studio", &token, OBS).await;
        let mut watcher = Watcher::of(&server).await;
        let member = watcher.members().await[0]["id"].clone();
        if let Some(method) = method {
            watcher.call(method, &member).await;
        }
        assert_eq!(watcher.event("video.member.left").await["member"]["id"], member, "{method:?}");
        is_empty(&server).await;
        assert_eq!(server.delete(&call.url).await, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn the_end_of_the_server_ends_calls() {
    let mut server = Server::start();
    server.call_by_http("/whip/studio", &server.token("studio", "Alice").await, OFFER).await;
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
}
