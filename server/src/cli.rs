//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use control_api::{JoinAs, MediaAllowed, Permission};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::tokens::Grant;
use crate::{config, http};

/// Video rooms for unmodified SignalWire SDKs.
#[derive(Parser)]
#[command(name = "signalbox", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the server.
    Serve(Serve),
    /// Print a room token.
    Token(Box<Token>),
    /// Check a configuration file without starting.
    CheckConfig {
        /// The file.
        file: PathBuf,
    },
}

/// Run the server.
#[derive(Args)]
pub(crate) struct Serve {
    /// For trying out: loopback only, project "dev", a demo page that gives tokens to anybody.
    #[arg(long, required_unless_present = "config", conflicts_with = "config")]
    pub(crate) dev: bool,
    /// Production: read this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Address and port of pages, REST and WebSocket; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where keys and data are kept.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// Print a room token.
#[derive(Args)]
pub(crate) struct Token {
    /// Name of the room: at most 100 letters, digits, hyphens and underscores.
    #[arg(long, value_name = "NAME")]
    pub(crate) room: String,
    /// Name of the member.
    #[arg(long, value_name = "NAME")]
    pub(crate) user: String,
    /// Data directory of a server that runs with --dev.
    #[arg(long, value_name = "DIR", required_unless_present = "config")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Configuration of a server that runs with --config.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where browsers reach the server, such as `https://video.example.org`; without it public_url of the configuration.
    #[arg(long)]
    pub(crate) url: Option<String>,
    /// How long it may be used to connect and join, such as 15m; without it tokens.ttl of the configuration.
    #[arg(long, value_parser = config::token_ttl)]
    pub(crate) ttl: Option<Duration>,
    /// A permission such as room.self.audio_mute; repeat for more. Without any: the usual ones for oneself.
    #[arg(long = "permission", value_name = "P", conflicts_with = "audience")]
    pub(crate) permissions: Vec<String>,
    /// Join as audience, who sees and hears and may do nothing.
    #[arg(long)]
    pub(crate) audience: bool,
    /// Kinds of media: all, audio-only or video-only.
    #[arg(long, value_name = "KIND", value_parser = media_allowed, default_value = "all")]
    pub(crate) media: MediaAllowed,
    /// Name of the room for people, when the token makes it.
    #[arg(long, value_name = "TEXT")]
    pub(crate) room_display_name: Option<String>,
    /// Do not make the room when it does not run.
    #[arg(long)]
    pub(crate) no_auto_create_room: bool,
    /// No join before, as unix seconds or 2026-05-01T09:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) join_from: Option<u64>,
    /// No join from then on.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) join_until: Option<u64>,
    /// Put out at that time.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) remove_at: Option<u64>,
    /// Put out so many seconds after joining.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) remove_after_seconds_elapsed: Option<u64>,
    /// Everybody is put out when this member leaves.
    #[arg(long)]
    pub(crate) end_room_session_on_leave: bool,
    /// Join with the microphone muted.
    #[arg(long)]
    pub(crate) join_audio_muted: bool,
    /// Join with the camera muted.
    #[arg(long)]
    pub(crate) join_video_muted: bool,
    /// The application's data of the member, a JSON object.
    #[arg(long, value_name = "JSON", value_parser = object, default_value = "{}")]
    pub(crate) meta: Object,
    /// The application's data of the room, a JSON object, when the token makes it.
    #[arg(long, value_name = "JSON", value_parser = object, default_value = "{}")]
    pub(crate) room_meta: Object,
}

/// The application's data.
type Object = Map<String, Value>;

/// Longest application data, as JSON text; REST grants no more.
const MAX_META: usize = 2000;

impl Token {
    /// What it asks for, once everything is known to mean something.
    pub(crate) fn grant(self) -> Result<Grant, String> {
        http::check_room_name(&self.room).map_err(|reason| format!("--room {:?}: {reason}", self.room))?;
        let permissions = match self.permissions {
            _ if self.audience => Vec::new(),
            none if none.is_empty() => Permission::DEFAULT.iter().map(ToString::to_string).collect(),
            names => http::permissions(names).map_err(|reason| format!("--permission: {reason}"))?,
        };
        if self.join_from.zip(self.join_until).is_some_and(|(from, until)| until <= from) {
            return Err("--join-until: is not after --join-from".to_owned());
        }
        let grant = Grant {
            room_display_name: self.room_display_name,
            join_as: if self.audience { JoinAs::Audience } else { JoinAs::Member },
            media_allowed: self.media,
            auto_create_room: !self.no_auto_create_room,
            join_from: self.join_from,
            join_until: self.join_until,
            remove_at: self.remove_at,
            remove_after_s: self.remove_after_seconds_elapsed,
            end_room_session_on_leave: self.end_room_session_on_leave,
            meta: self.meta,
            room_meta: self.room_meta,
            join_audio_muted: self.join_audio_muted,
            join_video_muted: self.join_video_muted,
            ..Grant::new(self.room, self.user, permissions)
        };
        match grant.misnamed() {
            Some("u") => Err("--user: at most 100 characters, none of them a control character".to_owned()),
            Some(_) => {
                Err("--room-display-name: at most 200 characters, none of them a control character"
                    .to_owned())
            }
            None => Ok(grant),
        }
    }
}

fn media_allowed(text: &str) -> Result<MediaAllowed, String> {
    serde_json::from_value(Value::from(text))
        .map_err(|_| "all, audio-only or video-only is needed".to_owned())
}

fn moment(text: &str) -> Result<u64, String> {
    let parsed = text.parse().ok().or_else(|| {
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        u64::try_from(moment.unix_timestamp()).ok()
    });
    parsed.ok_or_else(|| "unix seconds or a time such as 2026-05-01T09:00:00Z is needed".to_owned())
}

fn object(text: &str) -> Result<Object, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) if text.chars().count() <= MAX_META => Ok(object),
        Ok(Value::Object(_)) => Err(format!("at most {MAX_META} characters are allowed")),
        Ok(_) => Err("a JSON object such as {\"seat\":4} is needed".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn grant(options: &[&str]) -> Result<Grant, String> {
        let least = ["signalbox", "token", "--data-dir", "d", "--room", "lounge", "--user", "Alice"];
        let cli = Cli::try_parse_from(least.iter().chain(options)).map_err(|error| error.to_string())?;
        let Command::Token(token) = cli.command else { panic!("another command") };
        token.grant()
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn every_option_reaches_the_token() {
        let usual = Permission::DEFAULT.iter().map(ToString::to_string).collect();
        let least = Grant::new("lounge".into(), "Alice".into(), usual);
        assert_eq!(grant(&[]).unwrap(), least);
        let object = |value: Value| value.as_object().unwrap().clone();
        let options = [
            ["--permission", "room.set_layout"],
            ["--permission", "room.self.audio_mute"],
            ["--media", "audio-only"],
            ["--room-display-name", "The lounge"],
            ["--join-from", "2030-01-02T03:04:05+01:00"],
            ["--join-until", "1893556800"],
            ["--remove-at", "1893556801"],
            ["--remove-after-seconds-elapsed", "60"],
            ["--meta", r#"{"seat":4}"#],
            ["--room-meta", r#"{"floor":2}"#],
            ["--ttl", "15m"],
        ]
        .concat();
        let flags = [
            "--no-auto-create-room",
            "--end-room-session-on-leave",
            "--join-audio-muted",
            "--join-video-muted",
        ];
        let expected = Grant {
            permissions: vec!["room.set_layout".into(), "room.self.audio_mute".into()],
            media_allowed: MediaAllowed::AudioOnly,
            room_display_name: Some("The lounge".into()),
            auto_create_room: false,
            join_from: Some(1_893_549_845),
            join_until: Some(1_893_556_800),
            remove_at: Some(1_893_556_801),
            remove_after_s: Some(60),
            end_room_session_on_leave: true,
            meta: object(json!({"seat": 4})),
            room_meta: object(json!({"floor": 2})),
            join_audio_muted: true,
            join_video_muted: true,
            ..least.clone()
        };
        assert_eq!(grant(&[options, flags.to_vec()].concat()).unwrap(), expected);
        let audience = Grant { permissions: Vec::new(), join_as: JoinAs::Audience, ..least };
        assert_eq!(grant(&["--audience"]).unwrap(), audience);
    }

    #[test]
    fn what_is_wrong_is_named_by_its_option() {
        let long = "x".repeat(101);
        let meta = format!("{{\"a\":\"{}\"}}", "x".repeat(2000));
        let cases: [&[&str]; 14] = [
            &["--room", "a room"],
            &["--user", &long],
            &["--room-display-name", "a\nb"],
            &["--permission", "room.fly"],
            &["--permission", "room.set_layout", "--audience"],
            &["--media", "screen-only"],
            &["--join-from", "tomorrow"],
            &["--join-until", "5", "--join-from", "5"],
            &["--remove-at", "1.5"],
            &["--remove-after-seconds-elapsed", "0"],
            &["--meta", "[1]"],
            &["--room-meta", "{"],
            &["--meta", &meta],
            &["--ttl", "2 hours"],
        ];
        for options in cases {
            // `--room` and `--user` are given once already: said twice they would be refused for that.
            let least: Vec<&str> = [("--room", "lounge"), ("--user", "Alice")]
                .into_iter()
                .filter(|(name, _)| *name != options[0])
                .flat_map(|(name, value)| [name, value])
                .collect();
            let words = [&["signalbox", "token", "--data-dir", "d"], least.as_slice(), options].concat();
            let error = match Cli::try_parse_from(words) {
                Err(error) => error.to_string(),
                Ok(Cli { command: Command::Token(token) }) => token.grant().expect_err(options[0]),
                Ok(_) => panic!("another command"),
            };
            assert!(error.contains(options[0]), "{options:?}: {error}");
        }
    }
}
