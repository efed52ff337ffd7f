//! Members whose media stack is not ours are recorded into files that play, whoever dies meanwhile.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use benches::peer::Observed;
use media_core::codec::Rgb;
use media_core::units::VideoCodec;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use support::member::Member;
use support::{PATIENCE, Server};

const RED: Rgb = Rgb(200, 40, 40);
const BLUE: Rgb = Rgb(40, 60, 200);
/// Of either voice.
const HERTZ: [u32; 2] = [440, 1_000];
/// Microphones send a quarter of full scale.
const LEVEL_DB: f64 = -12.04;

async fn join(server: &Server, name: &str, colour: Rgb, hertz: u32) -> Member {
    let claims = json!({"room_name": "studio", "user_name": name, "permissions": ["room.recording"]});
    Member::join(server, claims, VideoCodec::H264, colour, hertz).await
}

/// Red on the left and blue on the right, who see and hear each other.
async fn two(server: &Server) -> [Member; 2] {
    let red = join(server, "Red", RED, HERTZ[0]).await;
    let blue = join(server, "Blue", BLUE, HERTZ[1]).await;
    for (member, other) in [(&red, HERTZ[1]), (&blue, HERTZ[0])] {
        let both = |o: &Observed| {
            let seen = [(250, RED), (750, BLUE)]
                .map(|(x, colour)| o.colour_at(x, 500).is_some_and(|it| alike(it, colour)));
            seen == [true; 2] && o.sound.len() == 48_000 && o.tone_db(f64::from(other)) > -20.0
        };
        member.peer.until("the other", PATIENCE, both).await.unwrap();
    }
    [red, blue]
}

fn alike(Rgb(r, g, b): Rgb, Rgb(r2, g2, b2): Rgb) -> bool {
    [(r, r2), (g, g2), (b, b2)].iter().all(|(a, b)| a.abs_diff(*b) < 30)
}

async fn start(member: &Member) -> String {
    let started = member.ask("video.recording.start", json!({})).await.unwrap();
    assert_eq!(started["recording"]["state"], "recording");
    started["recording_id"].as_str().unwrap().to_owned()
}

/// The recording in REST, once it is completed.
async fn completed(server: &Server, id: &str) -> Value {
    in_status(server, id, "completed").await
}

/// The recording in REST, once it has that status: the recorder says it, not who asked for it.
async fn in_status(server: &Server, id: &str, status: &str) -> Value {
    let begin = Instant::now();
    loop {
        let recording = server.rest().get(&format!("/room_recordings/{id}")).await;
        if recording["status"] == status {
            return recording;
        }
        assert_eq!(recording["uri"], Value::Null, "no link before");
        assert!(begin.elapsed() < PATIENCE * 2, "not {status}: {recording}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Its file, by its link.
async fn download(recording: &Value, to: &Path) {
    let reply = reqwest::get(recording["uri"].as_str().unwrap()).await.unwrap();
    assert_eq!(
        (reply.status(), &reply.headers()["content-type"]),
        (StatusCode::OK, &"video/mp4".parse().unwrap())
    );
    let bytes = reply.bytes().await.unwrap();
    assert_eq!(json!(bytes.len()), recording["size_in_bytes"]);
    std::fs::write(to, bytes).unwrap();
}

/// Runs a program of ffmpeg's; gives its standard output. It must have nothing to complain of.
fn run(program: &str, arguments: &[&str]) -> Vec<u8> {
    let done = Command::new(program).args(["-v", "error"]).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success() && said.is_empty(), "{program} {arguments:?}: {said}");
    done.stdout
}

fn probe(file: &str, entry: &str) -> Vec<String> {
    let out = run("ffprobe", &["-show_entries", entry, "-of", "csv=p=0", file]);
    String::from_utf8(out).unwrap().lines().map(|line| line.trim_end_matches(',').to_owned()).collect()
}

/// Power of a tone in dB against a full-scale sine, in most seconds: on a full machine whoever speaks may falter.
fn tone_db(pcm: &[f32], hertz: u32) -> f64 {
    let mut seconds: Vec<f64> = pcm.chunks_exact(48_000).map(|second| level_db(second, hertz)).collect();
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn level_db(second: &[f32], hertz: u32) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in second.iter().enumerate() {
        let angle = n as f64 * f64::from(hertz) * std::f64::consts::TAU / 48_000.0;
        re += f64::from(*sample) * angle.cos();
        im += f64::from(*sample) * angle.sin();
    }
    20.0 * (2.0 * (re * re + im * im).sqrt() / second.len() as f64).max(1e-9).log10()
}

/// The file plays from its beginning to its end, shows both and sounds like both; gives its seconds.
fn plays(file: &Path) -> f64 {
    let file = file.to_str().unwrap();
    let streams = probe(file, "stream=codec_name");
    assert_eq!(streams, ["h264", "aac"]);
    // Frames that were left out are no fault of the file: times go through as they are.
    run("ffmpeg", &["-i", file, "-fps_mode", "passthrough", "-f", "null", "-"]);
    let seconds: f64 = probe(file, "format=duration")[0].parse().unwrap();
    for at in [0.2, seconds / 2.0, seconds - 0.5] {
        let at = at.to_string();
        let picture = run(
            "ffmpeg",
            &["-ss", &at, "-i", file, "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
        );
        assert_eq!(picture.len(), 1280 * 720 * 3);
        for (x, colour) in [(320, RED), (960, BLUE)] {
            let pixel = &picture[(360 * 1280 + x) * 3..][..3];
            let seen = Rgb(pixel[0], pixel[1], pixel[2]);
            assert!(alike(seen, colour), "at {at} s, {x}: {seen:?} is to be {colour:?}");
        }
    }
    let sound = run("ffmpeg", &["-i", file, "-f", "f32le", "-ac", "1", "-ar", "48000", "-"]);
    let pcm: Vec<f32> = sound.chunks_exact(4).map(|it| f32::from_le_bytes(it.try_into().unwrap())).collect();
    assert!((pcm.len() as f64 / 48_000.0 - seconds).abs() < 0.1, "sound and picture are equally long");
    for hertz in HERTZ {
        let level = tone_db(&pcm, hertz);
        assert!((level - LEVEL_DB).abs() < 1.5, "{hertz} Hz at {level} dB");
    }
    assert!(tone_db(&pcm, 2_000) < -50.0, "nothing else");
    seconds
}

/// How far apart the key frames are, seconds.
fn key_frames(file: &Path) -> Vec<f64> {
    let arguments =
        ["-skip_frame", "nokey", "-select_streams", "v", "-show_entries", "frame=pts_time", "-of", "csv=p=0"];
    let out = run("ffprobe", &[&arguments[..], &[file.to_str().unwrap()]].concat());
    let times: Vec<f64> = String::from_utf8(out)
        .unwrap()
        .lines()
        .map(|line| line.trim_end_matches(',').parse().unwrap())
        .collect();
    times.windows(2).map(|two| two[1] - two[0]).collect()
}

fn folder(server: &Server) -> PathBuf {
    server.data_dir().join("recordings")
}

fn names(server: &Server) -> Vec<String> {
    let entries = std::fs::read_dir(folder(server)).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The process that writes it.
fn writer(server: &Server, id: &str) -> u32 {
    let record = std::fs::read(folder(server).join(format!("{id}.json"))).unwrap();
    let record: Value = serde_json::from_slice(&record).unwrap();
    u32::try_from(record["writer"]["pid"].as_u64().unwrap()).unwrap()
}

/// The child has nothing of ours but the end of a pipe.
fn is_confined(server: &Server, pid: u32) {
    let proc = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap();
    assert_eq!(proc("environ"), b"", "no environment");
    let group = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit_once(')').unwrap().1.split_whitespace().nth(2).unwrap().to_owned()
    };
    assert_ne!(group(pid), group(server.id()), "a group of its own");
    let open = |process: &str| -> BTreeMap<OsString, String> {
        let entries = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().map(Result::unwrap);
        let target = |entry: &std::fs::DirEntry| std::fs::read_link(entry.path()).ok();
        entries
            .filter_map(|entry| Some((entry.file_name(), target(&entry)?.to_string_lossy().into_owned())))
            .collect()
    };
    // What whoever runs tests has left open goes through this process and the server.
    let inherited = open("self");
    let mut targets = open(&pid.to_string());
    targets.retain(|number, target| inherited.get(number) != Some(target));
    let is_ours = |target: &&String| {
        !["/recordings/", "/usr/lib/", "/etc/ld"].iter().any(|known| target.contains(known))
            && *target != "/dev/null"
    };
    let others: Vec<&String> = targets.values().filter(is_ours).collect();
    assert!(matches!(others[..], [pipe] if pipe.starts_with("pipe:")), "{targets:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_survives_the_death_of_the_server() {
    let server = Server::start();
    let [red, _blue] = two(&server).await;
    let id = start(&red).await;
    let begin = Instant::now();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let running = server.rest().get(&format!("/room_recordings/{id}")).await;
    assert_eq!((&running["status"], &running["uri"]), (&json!("recording"), &Value::Null));
    let recorded = begin.elapsed().as_secs_f64();
    // Killed; its child goes on until it has read everything.
    let server = server.again(&[]);

    let recording = completed(&server, &id).await;
    assert_eq!(recording["reason"], "crash");
    assert!(recording["finished_at"].is_string());
    let file = server.data_dir().join("film.mp4");
    download(&recording, &file).await;
    let seconds = plays(&file);
    assert!((seconds - recorded).abs() < 1.0, "{seconds} s of {recorded}");
    assert_eq!(recording["duration"].as_f64(), Some(seconds.round()));
    assert_eq!(names(&server), [format!("{id}.json"), format!("{id}.mp4")]);
    let listed = server.rest().get("/room_recordings").await;
    assert_eq!((&listed["data"][0]["id"], listed["data"].as_array().unwrap().len()), (&json!(id), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_stopped_finished_linked_and_deleted() {
    let server = Server::start();
    let [red, blue] = two(&server).await;
    let (mut watcher, _) = support::Client::realtime(&server).await;
    let id = start(&red).await;
    let recorded = Instant::now();
    server.metrics_with(&["signalbox_recordings_active 1"]).await;
    is_confined(&server, writer(&server, &id));
    tokio::time::sleep(Duration::from_secs(3)).await;
    let which = json!({"recording_id": id});
    red.ask("video.recording.pause", which.clone()).await.unwrap();
    let first = recorded.elapsed();
    in_status(&server, &id, "paused").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    red.ask("video.recording.resume", which.clone()).await.unwrap();
    let second = Instant::now();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let room = watcher.call("video.rooms.get", json!({})).await["result"]["rooms"][0].clone();
    assert_eq!((&room["recording"], &room["recordings"][0]["id"]), (&json!(true), &json!(id)));
    red.ask("video.recording.stop", which).await.unwrap();
    let recorded = (first + second.elapsed()).as_secs_f64();
    server.metrics_with(&["signalbox_recordings_active 0"]).await;
    let frames = blue.peer.observed().video_frames;
    blue.peer.until("more pictures", PATIENCE, |o| o.video_frames > frames + 10).await.unwrap();

    let recording = completed(&server, &id).await;
    assert_eq!(recording["reason"], "stopped");
    let file = server.data_dir().join("film.mp4");
    download(&recording, &file).await;
    let seconds = plays(&file);
    assert!((seconds - recorded).abs() < 0.5, "{seconds} s of {recorded}");
    let apart = key_frames(&file);
    assert!(apart.len() >= 2 && apart.iter().all(|apart| *apart < 2.2), "{apart:?}");
    // Players need not have all of it to begin.
    let bytes = std::fs::read(&file).unwrap();
    let place = |name: &[u8]| bytes.windows(4).position(|four| four == name).unwrap();
    assert!(place(b"moov") < place(b"mdat"));

    // Links: a range of the file, and nothing without the right signature.
    let uri = recording["uri"].as_str().unwrap();
    let client = reqwest::Client::new();
    let part = client.get(uri).header("range", "bytes=4-7").send().await.unwrap();
    assert_eq!(
        (part.status(), part.bytes().await.unwrap().as_ref()),
        (StatusCode::PARTIAL_CONTENT, &b"ftyp"[..])
    );
    let other = uri.replace("expires=1", "expires=2");
    for bad in [&other, &uri[..uri.len() - 2], uri.split_once('?').unwrap().0] {
        assert_eq!(reqwest::get(bad).await.unwrap().status(), StatusCode::NOT_FOUND, "{bad}");
    }
    // What happened to it, in order.
    let events = server.rest().get(&format!("/room_recordings/{id}/events")).await;
    let names_of: Vec<&str> =
        events["data"].as_array().unwrap().iter().map(|event| event["name"].as_str().unwrap()).collect();
    assert_eq!(names_of, ["recording.started", "recording.updated", "recording.updated", "recording.ended"]);
    let ended = &events["data"][3];
    assert_eq!(ended["room_recording_id"], json!(id));
    let told = ended["payload"]["recording"]["duration"].as_f64().unwrap();
    assert!((told - seconds).abs() < 0.5, "{told} s were told, {seconds} are there");
    let session = recording["room_session_id"].as_str().unwrap();
    let listed = server.rest().get(&format!("/room_sessions/{session}/recordings?media_ttl=5")).await;
    assert_eq!(listed["data"][0]["id"], json!(id));
    server.rest().delete(&format!("/room_recordings/{id}")).await;
    assert_eq!(names(&server), [""; 0]);
    assert_eq!(
        server.rest().status(Method::GET, &format!("/room_recordings/{id}")).await,
        StatusCode::NOT_FOUND
    );
    assert_eq!(reqwest::get(uri).await.unwrap().status(), StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_survives_the_death_of_what_writes_it() {
    let server = Server::start();
    let [red, _blue] = two(&server).await;
    let id = start(&red).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let pid = writer(&server, &id);
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
    server.metrics_with(&["signalbox_recording_restarts_total 1"]).await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    let which = json!({"recording_id": id});
    red.ask("video.recording.stop", which).await.unwrap();
    let listed = red.ask("video.recording.list", json!({})).await.unwrap()["recordings"][0].clone();
    let (told, gap) = (listed["duration"].as_f64().unwrap(), listed["gap"].as_f64().unwrap());
    assert!(gap > 0.0 && gap < 3.0, "{listed}");
    let recording = completed(&server, &id).await;
    let file = server.data_dir().join("film.mp4");
    download(&recording, &file).await;
    let seconds = plays(&file);
    // Of the part that was killed the last second may be missing.
    assert!((seconds - told).abs() < 1.3, "{seconds} s, {told} were told");
    assert_eq!(names(&server), [format!("{id}.json"), format!("{id}.mp4")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_recorded_is_said_and_holds_up_nobody() {
    let server = Server::start_with(&[("SIGNALBOX__RECORDING__FFMPEG", "/nowhere/ffmpeg")]);
    let [red, _blue] = two(&server).await;
    let refused = red.ask("video.recording.start", json!({})).await.unwrap_err().to_string();
    assert!(refused.contains("needs the program ffmpeg") && refused.contains("/nowhere/ffmpeg"), "{refused}");
    assert_eq!(server.rest().get("/room_recordings").await["data"], json!([]));
    server
        .metrics_with(&[
            "signalbox_recording_failures_total{reason=\"start\"} 1",
            "signalbox_recordings_active 0",
        ])
        .await;

    let server = Server::start_with(&[("SIGNALBOX__RECORDING__MIN_FREE_MB", "999999999")]);
    let [red, _blue] = two(&server).await;
    let refused = red.ask("video.recording.start", json!({})).await.unwrap_err().to_string();
    assert!(refused.contains("too little free space"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_takes_nothing_holds_up_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("ffmpeg");
    std::fs::write(&program, "#!/bin/sh\nexec /bin/sleep 30\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, mode).unwrap();
    let server = Server::start_with(&[("SIGNALBOX__RECORDING__FFMPEG", program.to_str().unwrap())]);
    let [red, blue] = two(&server).await;
    let id = start(&red).await;
    // The pipe is full after a moment; pictures and sound of the members go on.
    let before = blue.peer.observed();
    let goes_on = |o: &Observed| {
        o.video_frames > before.video_frames + 100 && o.audio_packets > before.audio_packets + 200
    };
    blue.peer.until("the room", PATIENCE, goes_on).await.unwrap();
    red.ask("video.recording.stop", json!({"recording_id": id})).await.unwrap();
    assert_eq!(
        red.ask("video.recording.list", json!({})).await.unwrap()["recordings"][0]["state"],
        "completed"
    );
}
