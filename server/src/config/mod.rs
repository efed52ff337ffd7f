//! Configuration: one file, the environment over it, validated once into typed values.
//!
//! in:  TOML text, variables `SIGNALBOX__SECTION__KEY`, command line
//! out: [`Config`], or the key that is wrong and why
//!
//! Nothing outside this module reads the environment or sees an unchecked value.

mod environment;
mod file;
mod lint;
mod project;
mod public_url;
mod webhooks;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use layouts::{LayoutId, Size, define_all};
use media_core::engine::EngineConfig;
use media_core::units::{Bitrate, VideoCodecs};

use file::File;

use crate::recording::RecordingRules;
use crate::storage::Place;
use crate::turn::{Turn, check_urls};
use crate::url_policy::{Allowed, UrlPolicy};

pub(crate) use project::Project;
pub(crate) use public_url::{PublicUrl, Scheme};

/// A key and what is wrong with its value; the process exits with 78 (`EX_CONFIG`).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ConfigError {
    key: String,
    reason: String,
}

impl ConfigError {
    pub(crate) fn new(key: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self { key: key.into(), reason: reason.to_string() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "configuration: {}: {}", self.key, self.reason)
    }
}

impl std::error::Error for ConfigError {}

/// How room tokens are made and checked.
#[derive(Clone, Debug)]
pub(crate) struct TokenRules {
    /// Life of a new token.
    pub(crate) ttl: Duration,
    /// Where the signing key is; made at first start.
    pub(crate) key_file: PathBuf,
}

/// Where rooms and their history are kept, and how long.
#[derive(Clone, Debug)]
pub(crate) struct StorageRules {
    pub(crate) place: Place,
    /// How long the history of a room session stays after its end; `None`: for ever.
    pub(crate) keep: Option<Duration>,
}

/// The files of the server's certificate.
#[derive(Clone, Debug)]
pub(crate) struct TlsFiles {
    /// PEM: the server's certificate, then those that lead to a root.
    pub(crate) certificate: PathBuf,
    /// PEM: its private key.
    pub(crate) key: PathBuf,
}

/// What every room starts with.
#[derive(Clone, Debug)]
pub(crate) struct RoomDefaults {
    pub(crate) canvas: Size,
    pub(crate) fps: u32,
    /// The next one is refused.
    pub(crate) max_members: usize,
    /// What members may send and get.
    pub(crate) video_codecs: VideoCodecs,
    /// What canvases show besides pictures.
    pub(crate) look: crate::catalogue::Look,
    /// What is done with sound.
    pub(crate) sound: crate::catalogue::Sound,
}

/// Everything the process needs to know, checked.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    /// Where the server keeps its files.
    pub(crate) data_dir: PathBuf,
    /// `None`: the address that was bound.
    pub(crate) public_url: Option<PublicUrl>,
    /// `None`: plain HTTP.
    pub(crate) tls: Option<TlsFiles>,
    /// What browsers may send as `Origin`; empty allows all.
    pub(crate) allowed_origins: Vec<String>,
    /// A port of its own for metrics; `None` serves them with the rest.
    pub(crate) metrics_listen: Option<SocketAddr>,
    pub(crate) project: Project,
    pub(crate) tokens: TokenRules,
    pub(crate) storage: StorageRules,
    pub(crate) media: EngineConfig,
    /// `None`: clients reach us directly or not at all.
    pub(crate) turn: Option<Turn>,
    /// Whether SDK legs are answered with BUNDLE.
    pub(crate) bundle: bool,
    pub(crate) room: RoomDefaults,
    pub(crate) recording: RecordingRules,
    /// How long a member without a sign of life is kept.
    pub(crate) leave_after: Duration,
    pub(crate) max_connections: u32,
    /// Where the server may connect when somebody says so.
    pub(crate) egress: UrlPolicy,
    pub(crate) webhooks: Vec<crate::webhooks::Settings>,
    /// What all rooms offer beside the layouts of this build.
    pub(crate) layouts: Vec<LayoutId>,
    /// Whether `POST /demo/tokens` exists.
    pub(crate) demo: bool,
}

/// Who can reach the server, and so which secrets will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Production,
    /// `--dev`: only this machine.
    Dev,
}

/// What the command line may say beside the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) data_dir: Option<PathBuf>,
}

impl Config {
    /// Production: the file, the environment over it, the command line over both.
    pub(crate) fn load(path: &Path, overrides: &Overrides) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::new(path.display().to_string(), error))?;
        let table = text
            .parse::<toml::Table>()
            .map_err(|error| ConfigError::new(path.display().to_string(), error.message()))?;
        let file = File::merged(table, environment::variables())?;
        Self::validated(file, overrides, Mode::Production)
    }

    /// `--dev`: loopback, project `dev`, demo page on; the environment over that.
    pub(crate) fn dev(overrides: &Overrides) -> Result<Self, ConfigError> {
        let file = File::dev(environment::variables())?;
        let listen = overrides.listen.unwrap_or(file.listen);
        let metrics = file.metrics.listen.map(|address| ("metrics.listen", address.ip()));
        for (key, address) in
            [("listen", listen.ip()), ("media.bind", file.media.bind)].into_iter().chain(metrics)
        {
            if !address.is_loopback() {
                let reason = format!("{address} is not loopback, and --dev is not for others");
                return Err(ConfigError::new(key, reason));
            }
        }
        let mut config = Self::validated(file, overrides, Mode::Dev)?;
        if config.project.api_token.is_empty() {
            config.project.api_token = match std::env::var("SIGNALBOX_DEV_TOKEN") {
                Ok(token) if !token.is_empty() => token,
                Ok(_) | Err(_) => crate::random::text(24),
            };
        }
        Ok(config)
    }

    /// Host of the public URL, which a certificate must be for.
    pub(crate) fn public_host(&self) -> Option<String> {
        self.public_url.as_ref().map(PublicUrl::host)
    }

    fn validated(file: File, overrides: &Overrides, mode: Mode) -> Result<Self, ConfigError> {
        let data_dir = overrides.data_dir.clone().unwrap_or(file.data_dir);
        if data_dir.as_os_str().is_empty() {
            return Err(ConfigError::new("data_dir", "is needed"));
        }
        let listen = overrides.listen.unwrap_or(file.listen);
        let tls = tls(file.tls)?;
        let public_url = public_url(file.public_url, listen, tls.is_some())?;
        let published = public_url.as_ref().and_then(PublicUrl::address);
        let own = [listen.ip(), file.media.bind].into_iter().chain(published);
        let egress = egress(&file.egress, own.chain(file.media.advertise.iter().copied()).collect())?;
        Ok(Self {
            listen,
            allowed_origins: allowed_origins(file.http.allowed_origins, public_url.as_ref())?,
            public_url,
            tls,
            metrics_listen: file.metrics.listen,
            project: project(file.auth, mode)?,
            tokens: TokenRules {
                ttl: token_ttl(&file.tokens.ttl).map_err(|reason| ConfigError::new("tokens.ttl", reason))?,
                key_file: file.tokens.key_file.unwrap_or_else(|| data_dir.join("token.key")),
            },
            storage: storage(file.storage, &data_dir)?,
            turn: turn(file.turn)?,
            bundle: file.media.bundle,
            media: media(file.media, &[Some(listen), file.metrics.listen])?,
            webhooks: webhooks::webhooks(file.webhooks, &egress)?,
            egress,
            layouts: define_all(&file.layouts, &[])
                .map_err(|refusal| ConfigError::new("layouts", refusal))?,
            room: room(&file.room)?,
            recording: recording(file.recording)?,
            leave_after: Duration::from_secs(within(
                "session.leave_after_s",
                file.session.leave_after_s,
                3,
                300,
            )?),
            max_connections: within("limits.max_connections", file.limits.max_connections, 1, 1_000_000)?,
            demo: file.demo.enabled,
            data_dir,
        })
    }
}

fn tls(tls: file::Tls) -> Result<Option<TlsFiles>, ConfigError> {
    match (tls.certificate, tls.key) {
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate, key })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(ConfigError::new("tls.key", "is needed with tls.certificate")),
        (None, Some(_)) => Err(ConfigError::new("tls.certificate", "is needed with tls.key")),
    }
}

fn public_url(text: Option<String>, listen: SocketAddr, tls: bool) -> Result<Option<PublicUrl>, ConfigError> {
    let wrong = |reason: String| ConfigError::new("public_url", reason);
    let Some(text) = text else {
        return match listen.ip().is_unspecified() {
            // Tokens would send browsers to 0.0.0.0.
            true => Err(wrong(format!("is needed when listen is {listen}: tokens tell it to browsers"))),
            false => Ok(None),
        };
    };
    let url = PublicUrl::parse(&text, Scheme::with_tls(tls)).map_err(wrong)?;
    if tls && url.scheme() == Scheme::Plain {
        return Err(wrong(format!("{text:?} is not https://…, but tls.certificate is set")));
    }
    Ok(Some(url))
}

/// As browsers write them, that of our own pages among them.
fn allowed_origins(origins: Vec<String>, own: Option<&PublicUrl>) -> Result<Vec<String>, ConfigError> {
    let mut allowed = origins
        .iter()
        .map(|text| match url::Url::parse(text) {
            Ok(url) if ["http", "https"].contains(&url.scheme()) && url.path() == "/" => {
                Ok(url.origin().ascii_serialization())
            }
            Ok(_) | Err(_) => {
                let reason = format!("{text:?} is not an origin such as https://app.example.org");
                Err(ConfigError::new("http.allowed_origins", reason))
            }
        })
        .collect::<Result<Vec<_>, _>>()?;
    if !allowed.is_empty() {
        allowed.extend(own.map(PublicUrl::origin));
    }
    Ok(allowed)
}

/// What the sample configuration has in the place of a secret.
const SAMPLE_API_TOKEN: &str = "change-me-change-me";

fn project(auth: file::Auth, mode: Mode) -> Result<Project, ConfigError> {
    let (id, api_token) = (auth.project, auth.api_token.unwrap_or_default());
    // `protocol` strings and Basic credentials carry the project between `_` and `:`.
    if id.is_empty() || !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Err(ConfigError::new("auth.project", "letters, digits and hyphens are needed"));
    }
    let fault = match (mode, api_token.as_str()) {
        // Without one, `--dev` makes one.
        (Mode::Dev, _) => None,
        (Mode::Production, "") => Some("is needed"),
        (Mode::Production, SAMPLE_API_TOKEN) => Some("is the one of the sample, which everybody knows"),
        (Mode::Production, short) if short.len() < 16 => Some("at least 16 characters are needed"),
        (Mode::Production, _) => None,
    };
    match fault {
        Some(fault) => Err(ConfigError::new("auth.api_token", fault)),
        None => Ok(Project { id, api_token }),
    }
}

fn egress(egress: &file::Egress, own: Vec<IpAddr>) -> Result<UrlPolicy, ConfigError> {
    let allowed = Allowed::parse(egress.allow.iter().map(String::as_str))
        .map_err(|reason| ConfigError::new("egress.allow", reason))?;
    Ok(UrlPolicy::new(allowed, own))
}

fn storage(storage: file::Storage, data_dir: &Path) -> Result<StorageRules, ConfigError> {
    let place = match storage.url {
        None => Place::File(data_dir.join("signalbox.db")),
        Some(url) => Place::postgres(&url).map_err(|reason| ConfigError::new("storage.url", reason))?,
    };
    let days = within("storage.keep_days", storage.keep_days, 0, 36_500)?;
    let keep = (days > 0).then(|| Duration::from_secs(u64::from(days) * 24 * 3600));
    Ok(StorageRules { place, keep })
}

/// `http`: where this server listens for TCP already.
fn media(media: file::Media, http: &[Option<SocketAddr>]) -> Result<EngineConfig, ConfigError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let advertise: Vec<IpAddr> = media.advertise;
    if media.bind.is_unspecified() && advertise.is_empty() {
        return Err(ConfigError::new(
            "media.advertise",
            format!("is needed when media.bind is {}: browsers must be told where to send", media.bind),
        ));
    }
    let advertise: Vec<IpAddr> = advertise.iter().map(IpAddr::to_canonical).collect();
    if let Some(bad) = advertise.iter().find(|address| address.is_unspecified() || address.is_multicast()) {
        return Err(ConfigError::new("media.advertise", format!("{bad} cannot be reached")));
    }
    let shards = within("media.shards", media.shards, 0, 256)?;
    let shards = if shards == 0 { cores } else { shards };
    if media.port != 0 && usize::from(media.port) + shards > usize::from(u16::MAX) {
        return Err(ConfigError::new(
            "media.port",
            format!("{} leaves no room for {shards} shards", media.port),
        ));
    }
    let ports = usize::from(media.port)..usize::from(media.port) + shards;
    let same = |other: &&SocketAddr| {
        ports.contains(&usize::from(other.port()))
            && (other.ip() == media.bind || other.ip().is_unspecified() || media.bind.is_unspecified())
    };
    if let Some(taken) = http.iter().flatten().find(same).filter(|_| media.tcp && media.port != 0) {
        let reason =
            format!("its TCP ports, {ports:?}, are also to listen on {taken}; set media.tcp or another port");
        return Err(ConfigError::new("media.port", reason));
    }
    let workers = within("media.codec_workers", media.codec_workers, 0, 1024)?;
    Ok(EngineConfig {
        shards,
        port: media.port,
        tcp: media.tcp,
        bind: media.bind,
        advertise,
        codec_workers: if workers == 0 { cores } else { workers },
        lend_above_percent: within("media.lend_above_percent", media.lend_above_percent, 0, 100)?,
    })
}

/// The reasons never contain the secret.
fn turn(turn: file::Turn) -> Result<Option<Turn>, ConfigError> {
    if turn.urls.is_empty() {
        return match (turn.secret, turn.secret_file) {
            (None, None) => Ok(None),
            (Some(_), _) | (_, Some(_)) => Err(ConfigError::new("turn.urls", "is needed with a secret")),
        };
    }
    check_urls(&turn.urls).map_err(|reason| ConfigError::new("turn.urls", reason))?;
    let ttl = token_ttl(&turn.ttl).map_err(|reason| ConfigError::new("turn.ttl", reason))?;
    let (key, secret) = match (turn.secret, turn.secret_file) {
        (Some(secret), None) => ("turn.secret", secret),
        (None, Some(path)) => {
            let read = crate::secret_file::open(&path).map_err(|error| error.to_string());
            let text = read.and_then(|bytes| {
                String::from_utf8(bytes).map_err(|_| format!("{}: is no text", path.display()))
            });
            let text = text.map_err(|reason| ConfigError::new("turn.secret_file", reason))?;
            ("turn.secret_file", text.trim_end().to_owned())
        }
        (None, None) => {
            return Err(ConfigError::new("turn.secret", "is needed with turn.urls, or turn.secret_file"));
        }
        (Some(_), Some(_)) => {
            return Err(ConfigError::new("turn.secret", "is given twice, by turn.secret_file too"));
        }
    };
    Turn::new(turn.urls, &secret, ttl).map(Some).map_err(|reason| ConfigError::new(key, reason))
}

fn room(room: &file::Room) -> Result<RoomDefaults, ConfigError> {
    let even = |key: &str, value: u32, max: u32| match value {
        // 4:2:0 pictures have even sides.
        v if v % 2 == 0 => within(key, v, 64, max),
        v => Err(ConfigError::new(key, format!("{v} is odd"))),
    };
    Ok(RoomDefaults {
        canvas: Size {
            width: even("room.canvas_width", room.canvas_width, 1920)?,
            height: even("room.canvas_height", room.canvas_height, 1080)?,
        },
        fps: within("room.fps", room.fps, 1, 60)?,
        max_members: within("room.max_members", room.max_members, 1, 300)?,
        video_codecs: crate::catalogue::video_codecs(room.video_codecs.iter().map(String::as_str))
            .map_err(|reason| ConfigError::new("room.video_codecs", reason))?,
        look: room.look.clone(),
        sound: room.sound,
    })
}

fn recording(recording: file::Recording) -> Result<RecordingRules, ConfigError> {
    if recording.ffmpeg.as_os_str().is_empty() {
        return Err(ConfigError::new("recording.ffmpeg", "is needed"));
    }
    let kbps = within("recording.min_bitrate_kbps", recording.min_bitrate_kbps, 100, 20_000)?;
    let free_mb = within("recording.min_free_mb", recording.min_free_mb, 0, 1_000_000_000)?;
    Ok(RecordingRules {
        ffmpeg: recording.ffmpeg,
        min_bitrate: Bitrate::kbps(kbps),
        min_free: free_mb * 1_000_000,
    })
}

fn within<T: PartialOrd + fmt::Display>(key: &str, value: T, min: T, max: T) -> Result<T, ConfigError> {
    if value < min || value > max {
        return Err(ConfigError::new(key, format!("{value} is not within {min} to {max}")));
    }
    Ok(value)
}

/// `90s`, `15m`, `2h`: from a minute to a week.
pub(crate) fn token_ttl(text: &str) -> Result<Duration, String> {
    let refuse = || format!("{text:?} is not a time such as 90s, 15m or 2h, from 60s to 168h");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(refuse)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(refuse()),
    };
    let seconds = number.parse::<u64>().ok().and_then(|n| n.checked_mul(unit)).ok_or_else(refuse)?;
    if !(60..=7 * 24 * 3600).contains(&seconds) {
        return Err(refuse());
    }
    Ok(Duration::from_secs(seconds))
}

/// Where `--dev` listens when nothing else is said.
const DEV_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

#[cfg(test)]
mod tests;
