//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

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
    Token(Token),
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
    /// Name of the room.
    #[arg(long)]
    pub(crate) room: String,
    /// Name of the member.
    #[arg(long)]
    pub(crate) user: String,
    /// A permission such as room.self.audio_mute; repeat for more. Without any: the usual ones for oneself.
    #[arg(long = "permission", value_name = "P")]
    pub(crate) permissions: Vec<String>,
    /// Data directory of a server that runs with --dev.
    #[arg(long, value_name = "DIR", required_unless_present = "config")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Configuration of a server that runs with --config.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}
