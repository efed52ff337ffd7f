//! The contract of every method, declared: who may call it, with what, and what follows.
//!
//! The matrix, the recordings and the documents are checked against this list, and this list against the product's own.

use serde_json::{Value, json};

/// One method.
pub(crate) struct Row {
    pub(crate) method: &'static str,
    pub(crate) rule: Rule,
    /// Beside `room_session_id` and `member_id`. [`OTHER`] stands for another member.
    pub(crate) params: Value,
    /// What a server of the project calls before, about the same member, so that there is something to change.
    pub(crate) before: Vec<(&'static str, Value)>,
    pub(crate) outcome: Outcome,
}

/// Stands for the other member's id in params.
pub(crate) const OTHER: &str = "<other>";

/// Stands for the id of the recording that was begun last.
pub(crate) const RECORDING: &str = "<recording>";

/// Stands for the caller's call in params.
pub(crate) const CALL: &str = "<call>";

/// Who may call it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rule {
    /// Who is in the room, audience too; servers.
    Anybody,
    /// The same, about one member.
    AnybodyAboutMember,
    /// Whose page has that call, audience too. Servers have none.
    Caller,
    /// Servers.
    Project,
    /// With one of these permissions; servers.
    Room(&'static [&'static str]),
    /// With `room.self.X` about oneself, with `room.member.X` about anybody; servers.
    Member(&'static str),
    /// With `room.member.X`; servers.
    Others(&'static str),
}

/// What follows when it is allowed, the params are right and the member exists.
pub(crate) enum Outcome {
    /// `"200"` with these fields beside `code` and `message`, then these events.
    Done(&'static [&'static str], Vec<Event>),
    /// That code and message; nothing happens.
    Refused(&'static str, &'static str),
}

/// An event's name and its `updated`.
pub(crate) type Event = (&'static str, &'static [&'static str]);

const LAYOUT: Event = ("video.layout.changed", &[]);

fn done(events: &[Event]) -> Outcome {
    Outcome::Done(&[], events.to_vec())
}

fn gives(fields: &'static [&'static str]) -> Outcome {
    Outcome::Done(fields, Vec::new())
}

fn room_updated(property: &'static [&'static str]) -> Outcome {
    done(&[("video.room.updated", property)])
}

fn member_updated(properties: &'static [&'static str]) -> Outcome {
    done(&[("video.member.updated", properties)])
}

/// All of it, in the order of the reference.
pub(crate) fn rows() -> Vec<Row> {
    let mut rows = room_rows();
    rows.extend(media_rows());
    rows.extend(member_rows());
    rows.extend(tile_rows());
    rows
}

fn row(method: &'static str, rule: Rule, params: Value, outcome: Outcome) -> Row {
    Row { method, rule, params, before: Vec::new(), outcome }
}

impl Row {
    fn after(mut self, method: &'static str, params: Value) -> Self {
        self.before.push((method, params));
        self
    }
}

fn room_rows() -> Vec<Row> {
    const META: Rule = Rule::Room(&["room.set_meta"]);
    let room = |permission| Rule::Room(permission);
    vec![
        row("video.rooms.get", Rule::Project, json!({}), gives(&["rooms"])),
        row("video.room.get", Rule::Project, json!({}), gives(&["room"])),
        row("video.members.get", Rule::Anybody, json!({}), gives(&["members"])),
        row(
            "video.list_available_layouts",
            room(&["room.list_available_layouts"]),
            json!({}),
            gives(&["layouts"]),
        ),
        row(
            "video.set_layout",
            room(&["room.set_layout"]),
            json!({"name": "2x1"}),
            done(&[("video.room.updated", &["layout_name"]), LAYOUT]),
        ),
        row(
            "video.layout.preview",
            room(&["room.list_available_layouts", "room.set_layout"]),
            json!({"name": "2x1"}),
            gives(&["layout"]),
        ),
        row(
            "video.set_position",
            room(&["room.set_position"]),
            json!({"positions": {OTHER: "standard-7"}}),
            done(&[
                ("video.member.updated", &["requested_position"]),
                ("video.member.updated", &["current_position"]),
                LAYOUT,
            ]),
        ),
        row(
            "video.hide_video_muted",
            room(&["room.hide_video_muted"]),
            json!({}),
            room_updated(&["hide_video_muted"]),
        ),
        row(
            "video.show_video_muted",
            room(&["room.show_video_muted"]),
            json!({}),
            room_updated(&["hide_video_muted"]),
        )
        .after("video.hide_video_muted", json!({})),
        row("video.lock", room(&["room.lock"]), json!({}), room_updated(&["locked"])),
        row("video.unlock", room(&["room.unlock"]), json!({}), room_updated(&["locked"]))
            .after("video.lock", json!({})),
        row("video.get_meta", Rule::Anybody, json!({}), gives(&["meta"])),
        row("video.set_meta", META, json!({"meta": {"topic": "tea"}}), room_updated(&["meta"])),
        row("video.update_meta", META, json!({"meta": {"topic": "tea"}}), room_updated(&["meta"])),
        row("video.delete_meta", META, json!({"keys": ["topic"]}), room_updated(&["meta"]))
            .after("video.set_meta", json!({"meta": {"topic": "tea"}})),
        row(
            "video.prioritize_handraise",
            room(&["room.prioritize_handraise", "video.prioritize_handraise"]),
            json!({"enable": true}),
            Outcome::Done(&["prioritize_handraise"], vec![("video.room.updated", &["prioritize_handraise"])]),
        ),
    ]
}

/// What records, plays and streams. Nothing plays and streams yet, and says so.
fn media_rows() -> Vec<Row> {
    const RECORDS: Rule = Rule::Room(&["room.recording"]);
    const START: &str = "video.recording.start";
    const PLAYBACK: Rule = Rule::Room(&["room.playback"]);
    const SEEK: Rule = Rule::Room(&["room.playback_seek"]);
    let none = |message| Outcome::Refused("404", message);
    let no = |message| Outcome::Refused("500", message);
    let recording = |method, events| {
        row(method, RECORDS, json!({"recording_id": RECORDING}), done(events)).after(START, json!({}))
    };
    let updated: &[Event] = &[("video.recording.updated", &[])];
    let playback = |method, rule, mut params: Value| {
        params["playback_id"] = json!("p");
        row(method, rule, params, none("Playback not found"))
    };
    let play = json!({"url": "https://example.org/film.mp4", "volume": 10, "layout": "2x1",
        "positions": {"self": "reserved-1", OTHER: "standard-1"}, "seek_position": 5000});
    vec![
        row("video.recording.list", RECORDS, json!({}), gives(&["recordings"])).after(START, json!({})),
        row(
            START,
            RECORDS,
            json!({}),
            Outcome::Done(
                &["recording", "recording_id"],
                vec![("video.recording.started", &[]), ("video.room.updated", &["recording"])],
            ),
        ),
        recording("video.recording.pause", updated),
        recording("video.recording.resume", updated)
            .after("video.recording.pause", json!({"recording_id": RECORDING})),
        recording(
            "video.recording.stop",
            &[("video.recording.ended", &[]), ("video.room.updated", &["recording"])],
        ),
        row("video.playback.list", PLAYBACK, json!({}), gives(&["playbacks"])),
        row("video.playback.start", PLAYBACK, play, no("Playback is not available")),
        playback("video.playback.pause", PLAYBACK, json!({})),
        playback("video.playback.resume", PLAYBACK, json!({})),
        playback("video.playback.stop", PLAYBACK, json!({})),
        playback("video.playback.set_volume", PLAYBACK, json!({"volume": -50})),
        playback("video.playback.seek_absolute", SEEK, json!({"position": 0})),
        playback("video.playback.seek_relative", SEEK, json!({"position": -5000})),
        row(
            "video.stream.list",
            Rule::Room(&["room.stream", "room.stream.start"]),
            json!({}),
            gives(&["streams"]),
        ),
        row(
            "video.stream.start",
            Rule::Room(&["room.stream", "room.stream.start"]),
            json!({"url": "rtmp://example.org/live/key"}),
            no("Streaming is not available"),
        ),
        row(
            "video.stream.stop",
            Rule::Room(&["room.stream"]),
            json!({"stream_id": "s"}),
            none("Stream not found"),
        ),
    ]
}

fn member_rows() -> Vec<Row> {
    let nothing = || json!({});
    let member = |method, action, params, outcome| row(method, Rule::Member(action), params, outcome);
    vec![
        member("video.member.audio_mute", "audio_mute", nothing(), member_updated(&["audio_muted"])),
        member("video.member.audio_unmute", "audio_unmute", nothing(), member_updated(&["audio_muted"]))
            .after("video.member.audio_mute", nothing()),
        member(
            "video.member.video_mute",
            "video_mute",
            nothing(),
            member_updated(&["video_muted", "visible"]),
        ),
        member(
            "video.member.video_unmute",
            "video_unmute",
            nothing(),
            member_updated(&["video_muted", "visible"]),
        )
        .after("video.member.video_mute", nothing()),
        member("video.member.deaf", "deaf", nothing(), member_updated(&["deaf", "audio_muted"])),
        member("video.member.undeaf", "undeaf", nothing(), member_updated(&["deaf", "audio_muted"]))
            .after("video.member.deaf", nothing()),
        member(
            "video.member.set_input_volume",
            "set_input_volume",
            json!({"volume": 10}),
            member_updated(&["input_volume"]),
        ),
        member(
            "video.member.set_output_volume",
            "set_output_volume",
            json!({"volume": -50}),
            member_updated(&["output_volume"]),
        ),
        member(
            "video.member.set_input_sensitivity",
            "set_input_sensitivity",
            json!({"value": 100}),
            member_updated(&["input_sensitivity"]),
        ),
        member(
            "video.member.set_position",
            "set_position",
            json!({"position": "standard-7"}),
            done(&[
                ("video.member.updated", &["requested_position"]),
                ("video.member.updated", &["current_position"]),
                LAYOUT,
            ]),
        ),
        row("video.member.get_meta", Rule::AnybodyAboutMember, nothing(), gives(&["meta"])),
        member(
            "video.member.set_meta",
            "set_meta",
            json!({"meta": {"mood": "good"}}),
            member_updated(&["meta"]),
        ),
        member(
            "video.member.update_meta",
            "set_meta",
            json!({"meta": {"mood": "good"}}),
            member_updated(&["meta"]),
        ),
        member("video.member.delete_meta", "set_meta", json!({"keys": ["mood"]}), member_updated(&["meta"]))
            .after("video.member.set_meta", json!({"meta": {"mood": "good"}})),
        member("video.member.raisehand", "raisehand", nothing(), member_updated(&["handraised"])),
        member("video.member.lowerhand", "lowerhand", nothing(), member_updated(&["handraised"]))
            .after("video.member.raisehand", nothing()),
        // Whoever is a member already cannot be promoted, so the matrix makes audience of it first.
        row("video.member.promote", Rule::Others("promote"), nothing(), gives(&[]))
            .after("video.member.demote", nothing()),
        row(
            "video.member.demote",
            Rule::Others("demote"),
            nothing(),
            done(&[("video.member.left", &[]), LAYOUT, ("video.room.audience_count", &[])]),
        ),
        row(
            "video.member.remove",
            Rule::Others("remove"),
            nothing(),
            done(&[("video.member.left", &[]), LAYOUT]),
        ),
    ]
}

/// What clients say that draw the layout themselves.
fn tile_rows() -> Vec<Row> {
    let params = json!({"call_id": CALL, "width": 1280, "height": 720});
    vec![row("video.tiles.set_viewport", Rule::Caller, params, gives(&[]))]
}
