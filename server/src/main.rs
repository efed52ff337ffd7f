//! The `signalbox` binary: configuration, HTTP and WebSocket, REST, and the wiring of control and media plane.
//!
//! in:  command line, configuration, HTTP and WebSocket connections, signals
//! out: a running server; tokens; a checked configuration
//!
//! Exit codes: 0 after a clean end, 78 when the configuration is wrong, 1 otherwise.

mod cli;
mod config;

mod app;
mod descriptors;
mod http;
mod recording;
mod reload;
mod shutdown;
mod wiring;

mod catalogue;
mod identity;
mod images;
mod links;
mod storage;
mod tls;
mod tokens;
mod turn;

mod url_policy;
mod webhooks;

mod random;
mod secret_file;

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clap::Parser;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use app::App;
use cli::{Cli, Command};
use config::{Config, ConfigError, Overrides, PublicUrl, Scheme};
use http::{Handshakes, Port};
use tls::Tls;
use tokens::Tokens;

/// `EX_CONFIG` of sysexits.h.
const EXIT_CONFIG: u8 = 78;

/// Connections of the metrics' own port.
const MAX_SCRAPERS: u32 = 64;

/// How long tasks have after the last word of [`serve`].
const GRACE: Duration = Duration::from_secs(1);

/// How long recordings have to be finished.
const RECORD_TIME: Duration = Duration::from_secs(10);

/// How long the database has to take what happened last.
const STORE_TIME: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(args) => serve_command(args),
        Command::Token(args) => token_command(*args),
        Command::CheckConfig { file } => check_config(&file),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed; there is nobody else to tell.
            let _ = writeln!(std::io::stderr(), "signalbox: {error}");
            ExitCode::from(if error.is::<ConfigError>() { EXIT_CONFIG } else { 1 })
        }
    }
}

fn check_config(file: &std::path::Path) -> Result<(), Box<dyn Error>> {
    let config = Config::load(file, &Overrides::default())?;
    Tokens::check(&config.tokens)?;
    let mut warnings = config.warnings();
    if let Some(files) = &config.tls {
        let (_, certificate) = Tls::open(files, config.public_host().as_deref())?;
        warnings.extend(certificate.warnings);
    }
    for warning in warnings {
        say(&format!("warning: {warning}"))?;
    }
    say("configuration is good")
}

fn token_command(args: cli::Token) -> Result<(), Box<dyn Error>> {
    let overrides = Overrides { listen: None, data_dir: args.data_dir.clone() };
    let mut config = match &args.config {
        Some(file) => Config::load(file, &overrides)?,
        None => Config::dev(&overrides)?,
    };
    config.tokens.ttl = args.ttl.unwrap_or(config.tokens.ttl);
    if let Some(url) = &args.url {
        let own = Scheme::with_tls(config.tls.is_some());
        config.public_url = Some(PublicUrl::parse(url, own).map_err(|reason| format!("--url: {reason}"))?);
    }
    let grant = args.grant()?;
    let key = &config.tokens.key_file;
    if !key.exists() {
        let reason = format!("{} is not there; a server makes it at its first start", key.display());
        return Err(ConfigError::new("tokens.key_file", reason).into());
    }
    let tokens = Tokens::open(&config.tokens, &config.project.id)?;
    // Where a server listens is known only when it is configured; without, the SDK takes its `host` option.
    let url = config.public_url.as_ref().map(PublicUrl::ws);
    say(&tokens.mint(grant, url.as_deref(), SystemTime::now()))
}

fn serve_command(args: cli::Serve) -> Result<(), Box<dyn Error>> {
    let overrides = Overrides { listen: args.listen, data_dir: args.data_dir };
    let config = match &args.config {
        Some(file) => Config::load(file, &overrides)?,
        None => Config::dev(&overrides)?,
    };
    // The handshake library logs every peer that goes away as a warning.
    let filter = EnvFilter::try_from_default_env().or_else(|_| EnvFilter::try_new("info,rtc_dtls=error"))?;
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).init();
    descriptors::raise_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(serve(config, args.dev));
    runtime.shutdown_timeout(GRACE);
    served
}

async fn serve(config: Config, dev: bool) -> Result<(), Box<dyn Error>> {
    config.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
    let listener = bound(config.listen).await?;
    let address = listener.local_addr()?;
    let scheme = Scheme::with_tls(config.tls.is_some());
    let public_url = config.public_url.clone().unwrap_or_else(|| PublicUrl::of_listener(scheme, address));
    let app = App::start(config, public_url).await?;
    let metrics = metrics_port(&app).await?;
    announce(&app, scheme, address, dev)?;
    if let Some(port) = &metrics {
        say(&format!("metrics on http://{}/metrics", port.listener.local_addr()?))?;
    }
    let main = Port {
        listener,
        router: http::router(Arc::clone(&app)),
        max_connections: app.config.max_connections,
        handshakes: app.tls.clone().map(|tls| Handshakes::new(tls, Arc::clone(&app.metrics))),
        shutdown: app.shutdown.clone(),
    };
    let signals = app.shutdown.on_signals(|| app.registry.rooms_running());
    let ((), (), signalled, refreshed) =
        tokio::join!(main.serve(), serve_metrics(metrics), signals, reload::keep_fresh(&app));
    let closing = Arc::clone(&app);
    // Of recordings only the last moment's work is left; a thread that may wait is used to wait for it.
    tokio::task::spawn_blocking(move || closing.recordings.close(RECORD_TIME)).await?;
    app.storage.close(STORE_TIME).await;
    tracing::info!("stopped");
    Ok(signalled.and(refreshed)?)
}

async fn bound(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| format!("cannot listen on {address}: {error}"))
}

/// The metrics' own port, if there is one.
async fn metrics_port(app: &Arc<App>) -> Result<Option<Port>, String> {
    let Some(address) = app.config.metrics_listen else { return Ok(None) };
    Ok(Some(Port {
        listener: bound(address).await?,
        router: http::metrics_router(Arc::clone(app)),
        max_connections: MAX_SCRAPERS,
        handshakes: None,
        shutdown: app.shutdown.clone(),
    }))
}

async fn serve_metrics(port: Option<Port>) {
    if let Some(port) = port {
        port.serve().await;
    }
}

/// Tells that the port is open, and in `--dev` all that is needed to use it.
fn announce(app: &App, scheme: Scheme, address: SocketAddr, dev: bool) -> Result<(), Box<dyn Error>> {
    say(&format!("listening on {}://{address}", scheme.http()))?;
    if dev {
        let url = app.public_url.http();
        say(&format!("project {}, API token {}", app.config.project.id, app.config.project.api_token))?;
        say(&format!("demo room: {url}/?room=demo"))?;
    }
    Ok(())
}

fn say(line: &str) -> Result<(), Box<dyn Error>> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
