//! A disk on which nothing more can be written is the storage's trouble alone, and passes without loss.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::AnyPool;
use support::offer::offer;
use support::{Client, PATIENCE, Server};

/// How large the server's files may grow from now on. At 0 every write fails, as on a full disk.
fn limit_files(server: &Server, bytes: &str) {
    let limit = format!("--fsize={bytes}:unlimited");
    let done = Command::new("prlimit").args(["--pid", &server.id().to_string(), &limit]).status().unwrap();
    assert!(done.success());
}

#[tokio::test]
async fn a_full_disk_holds_up_no_room() {
    // The kernel also sends a signal, which by default ends the process; a full disk sends none.
    let server = Server::start_after("trap '' XFSZ");
    let permissions = ["room.self.audio_mute", "room.self.audio_unmute"];
    let token = server
        .token_with(json!({"room_name": "lounge", "user_name": "Alice", "permissions": permissions}))
        .await;
    let (mut alice, _) = Client::browser(&server, &token).await;
    let (member, _) = alice.invite("call", &offer("1001")).await;
    let room = alice.event("video.room.subscribed").await["room_session"]["id"].clone();
    server.metrics_with(&["signalbox_storage_up 1"]).await;

    limit_files(&server, "0");
    let about = json!({"room_session_id": room, "member_id": member});
    for _ in 0..20 {
        for (method, muted) in [("video.member.audio_mute", true), ("video.member.audio_unmute", false)] {
            assert_eq!(alice.call(method, about.clone()).await["result"]["code"], "200");
            // Other changes of the member come between.
            while alice.event("video.member.updated").await["member"]["audio_muted"] != muted {}
        }
    }
    server.metrics_with(&["signalbox_storage_up 0"]).await;

    limit_files(&server, "unlimited");
    server.metrics_with(&["signalbox_storage_up 1", "signalbox_storage_queue 0"]).await;
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}", server.data_dir().join("signalbox.db").display());
    let database = AnyPool::connect(&url).await.unwrap();
    let mutes = "SELECT COUNT(*) FROM room_session_events WHERE name = 'video.member.updated' \
         AND payload LIKE '%\"updated\":[\"audio_muted\"%'";
    let begin = Instant::now();
    while sqlx::query_scalar::<_, i64>(mutes).fetch_one(&database).await.unwrap() != 40 {
        assert!(begin.elapsed() < PATIENCE, "what happened meanwhile is not written");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
