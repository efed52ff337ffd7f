//! The configuration as it is written: names, defaults, and the environment laid over it.
//!
//! in:  a TOML table and variables
//! out: [`File`]: every key present, none unknown, nothing checked yet beyond its type

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use media_core::units::VideoCodecs;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::environment::Variable;
use super::{ConfigError, DEV_LISTEN};

/// The project of `--dev`.
const DEV_PROJECT: &str = "dev";

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) listen: SocketAddr,
    pub(super) public_url: Option<String>,
    pub(super) data_dir: PathBuf,
    pub(super) tls: Tls,
    pub(super) http: Http,
    pub(super) metrics: Metrics,
    pub(super) auth: Auth,
    pub(super) storage: Storage,
    pub(super) tokens: Tokens,
    pub(super) media: Media,
    pub(super) turn: Turn,
    pub(super) room: Room,
    pub(super) recording: Recording,
    pub(super) session: Session,
    pub(super) limits: Limits,
    pub(super) egress: Egress,
    pub(super) demo: Demo,
    pub(super) webhooks: Vec<Webhook>,
    pub(super) layouts: Vec<serde_json::Value>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Tls {
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Http {
    pub(super) allowed_origins: Vec<String>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Metrics {
    pub(super) listen: Option<SocketAddr>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Auth {
    pub(super) project: String,
    pub(super) api_token: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Storage {
    pub(super) url: Option<String>,
    pub(super) keep_days: u32,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Tokens {
    pub(super) ttl: String,
    pub(super) key_file: Option<PathBuf>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Media {
    pub(super) bind: IpAddr,
    pub(super) port: u16,
    pub(super) tcp: bool,
    pub(super) advertise: Vec<IpAddr>,
    pub(super) shards: usize,
    pub(super) codec_workers: usize,
    pub(super) lend_above_percent: u8,
    pub(super) bundle: bool,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Turn {
    pub(super) urls: Vec<String>,
    pub(super) secret: Option<String>,
    pub(super) secret_file: Option<PathBuf>,
    pub(super) ttl: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Room {
    pub(super) canvas_width: u32,
    pub(super) canvas_height: u32,
    pub(super) fps: u32,
    pub(super) max_members: usize,
    pub(super) video_codecs: Vec<String>,
    pub(super) look: crate::catalogue::Look,
    pub(super) sound: crate::catalogue::Sound,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Recording {
    pub(super) ffmpeg: PathBuf,
    pub(super) min_bitrate_kbps: u64,
    pub(super) min_free_mb: u64,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Session {
    pub(super) leave_after_s: u64,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Limits {
    pub(super) max_connections: u32,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Egress {
    pub(super) allow: Vec<String>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Demo {
    pub(super) enabled: bool,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Webhook {
    pub(super) name: String,
    pub(super) url: String,
    pub(super) secret: Option<String>,
    pub(super) secret_file: Option<PathBuf>,
    pub(super) events: Vec<String>,
    pub(super) rooms: Option<Vec<String>>,
    pub(super) ca_file: Option<PathBuf>,
    #[serde(default = "first_retry_ms")]
    pub(super) first_retry_ms: u64,
    #[serde(default = "give_up_after_s")]
    pub(super) give_up_after_s: u64,
}

fn first_retry_ms() -> u64 {
    5000
}

fn give_up_after_s() -> u64 {
    24 * 3600
}

impl Default for File {
    fn default() -> Self {
        Self {
            listen: DEV_LISTEN,
            public_url: None,
            data_dir: PathBuf::from("/var/lib/signalbox"),
            tls: Tls::default(),
            http: Http::default(),
            metrics: Metrics::default(),
            auth: Auth::default(),
            storage: Storage::default(),
            tokens: Tokens::default(),
            media: Media::default(),
            turn: Turn::default(),
            room: Room::default(),
            recording: Recording::default(),
            session: Session::default(),
            limits: Limits::default(),
            egress: Egress::default(),
            demo: Demo::default(),
            webhooks: Vec::new(),
            layouts: Vec::new(),
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self { url: None, keep_days: 90 }
    }
}

impl Default for Tokens {
    fn default() -> Self {
        Self { ttl: "2h".to_owned(), key_file: None }
    }
}

impl Default for Media {
    fn default() -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port: 40_000,
            tcp: true,
            advertise: Vec::new(),
            shards: 0,
            codec_workers: 0,
            lend_above_percent: 60,
            bundle: false,
        }
    }
}

impl Default for Turn {
    fn default() -> Self {
        Self { urls: Vec::new(), secret: None, secret_file: None, ttl: "12h".to_owned() }
    }
}

impl Default for Room {
    fn default() -> Self {
        Self {
            canvas_width: 1280,
            canvas_height: 720,
            fps: 30,
            max_members: 20,
            video_codecs: VideoCodecs::default().iter().map(|codec| codec.name().to_owned()).collect(),
            look: crate::catalogue::Look::default(),
            sound: crate::catalogue::Sound::default(),
        }
    }
}

impl Default for Recording {
    fn default() -> Self {
        Self { ffmpeg: PathBuf::from("ffmpeg"), min_bitrate_kbps: 2000, min_free_mb: 1024 }
    }
}

impl Default for Session {
    fn default() -> Self {
        Self { leave_after_s: 15 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_connections: 4096 }
    }
}

impl File {
    /// The file's table with the variables laid over it.
    pub(super) fn merged(mut table: Table, variables: Vec<Variable>) -> Result<Self, ConfigError> {
        let kinds = Table::try_from(Self::default()).map_err(|error| ConfigError::new("defaults", error))?;
        for variable in variables {
            overlay(&mut table, &kinds, &variable)?;
        }
        // By hand to the typed value, because only this tells the key's whole path.
        serde_path_to_error::deserialize(table).map_err(|error| {
            let (path, reason) = (error.path().to_string(), error.into_inner());
            ConfigError::new(path, reason.to_string().trim())
        })
    }

    /// What `--dev` means, the variables over it.
    pub(super) fn dev(variables: Vec<Variable>) -> Result<Self, ConfigError> {
        let preset = Self {
            data_dir: PathBuf::from("signalbox-data"),
            auth: Auth { project: DEV_PROJECT.to_owned(), api_token: None },
            media: Media { bind: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 0, ..Media::default() },
            // This machine is the outside.
            egress: Egress { allow: vec!["127.0.0.0/8".to_owned(), "::1".to_owned()] },
            demo: Demo { enabled: true },
            ..Self::default()
        };
        let table = Table::try_from(preset).map_err(|error| ConfigError::new("defaults", error))?;
        Self::merged(table, variables)
    }
}

/// Puts the variable's text at its path, as the kind of value the default has there; a key without a
/// default is text, an unknown key is left for the deserializer to name.
fn overlay(table: &mut Table, kinds: &Table, variable: &Variable) -> Result<(), ConfigError> {
    let Some((last, sections)) = variable.path.split_last() else {
        return Ok(());
    };
    let (mut into, mut kinds) = (table, Some(kinds));
    for section in sections {
        let entry = into.entry(section.clone()).or_insert_with(|| Value::Table(Table::new()));
        into = entry
            .as_table_mut()
            .ok_or_else(|| ConfigError::new(&variable.name, format!("{section} is not a section")))?;
        kinds = kinds.and_then(|kinds| kinds.get(section)).and_then(Value::as_table);
    }
    let text = &variable.text;
    let value = match kinds.and_then(|kinds| kinds.get(last)) {
        Some(Value::Integer(_)) => text.parse().map(Value::Integer).map_err(|_| "a whole number"),
        Some(Value::Boolean(_)) => text.parse().map(Value::Boolean).map_err(|_| "true or false"),
        Some(Value::Array(_)) => Ok(Value::Array(
            text.split(',').map(str::trim).filter(|t| !t.is_empty()).map(Value::from).collect(),
        )),
        Some(Value::Table(_)) => Err("a key of that section"),
        Some(Value::String(_) | Value::Float(_) | Value::Datetime(_)) | None => {
            Ok(Value::String(text.clone()))
        }
    };
    let value = value
        .map_err(|wanted| ConfigError::new(&variable.name, format!("{wanted} is needed, not {text:?}")))?;
    into.insert(last.clone(), value);
    Ok(())
}
