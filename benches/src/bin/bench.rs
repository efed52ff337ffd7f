//! `bench join|room|all`: measures the release binary, prints tables, writes `target/bench/<name>.json`.

use std::error::Error;
use std::path::PathBuf;

use benches::report::publish;
use benches::{join, room};
use clap::{Parser, ValueEnum};

#[derive(Parser)]
#[command(about = "Measures signalbox from outside")]
struct Arguments {
    /// What to measure.
    #[arg(value_enum)]
    what: What,
    /// The server's program; else `signalbox` beside this one.
    #[arg(long)]
    server: Option<PathBuf>,
    /// Folder of the results.
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
    /// Joins measured in a browser, one on each line:
    /// `{"case":"sequence|at-once","stage":"connected|picture|…","ms":12.3}`
    #[arg(long)]
    browser_joins: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum What {
    /// From the offer in hand to media.
    Join,
    /// Processor time of whole rooms, by stage.
    Room,
    /// Everything.
    All,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let server = match arguments.server {
        Some(server) => server,
        None => std::env::current_exe()?.with_file_name("signalbox"),
    };
    if !server.is_file() {
        return Err(
            format!("{} is not there: cargo build --release --bin signalbox", server.display()).into()
        );
    }
    if matches!(arguments.what, What::Join | What::All) {
        let rows = join::run(&server, arguments.browser_joins.as_deref()).await?;
        publish(&arguments.out, "join", &rows)?;
    }
    if matches!(arguments.what, What::Room | What::All) {
        publish(&arguments.out, "room", &room::run(&server).await?)?;
    }
    Ok(())
}
