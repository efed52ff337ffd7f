//! Mixing of sound compared: ours and Janus' AudioBridge, in turns.
//!
//! in:  our program, an installed `janus`
//! out: rows with the limits beside them
//!
//! Both get the same packets and code mixes alike: mono, 40 kbit/s, complexity 5, in-band FEC for 10 % of loss.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use super::LoadError;
use super::audiobridge::AudioBridge;
use super::conference::{self, Conference, Heard, Sounds};
use super::signalbox::{Entrance, Receive, Signalbox};
use crate::report::Row;
use crate::turns::{Compared, Turns, WINDOWS, against, alone, median};

const CPU: &str = "% of a core";
const PEER: &str = "janus audiobridge, event_loops=2";
const SETTLE: Duration = Duration::from_secs(3);

/// Everything; a row that could not be measured says why.
pub async fn run(plan: &Compared<'_>) -> Vec<Row> {
    let sounds = Sounds::new();
    if let Ok(sounds) = &sounds {
        let (voice, silence) = sounds.bytes();
        say(&format!("a voice is {voice} bytes a packet, a silent member's noise {silence}"));
    }
    let mut rows = Vec::new();
    let cases = [(10, 10, 0.90, 0.75), (100, 100, 0.90, 0.75), (100, 3, 0.30, 0.10)];
    for (members, talking, must, aim) in cases {
        let name = format!("{members} members, {talking} talking");
        if plan.only.is_some_and(|only| !name.contains(only)) {
            continue;
        }
        let sounds = match &sounds {
            Ok(sounds) => sounds,
            Err(error) => {
                rows.push(Row::error(name, CPU, error).limits(must, aim));
                continue;
            }
        };
        let conference =
            Conference { members, talking, settle: SETTLE, window: plan.window, windows: WINDOWS };
        let (mut ours, mut theirs): (Turns<Heard>, Turns<Heard>) = (Vec::new(), Vec::new());
        for _ in 0..plan.rounds {
            ours.push(turn(&name, "signalbox", ours_of(plan.program, &conference, sounds).await));
            theirs.push(turn(&name, PEER, theirs_of(&conference, sounds).await));
        }
        let cpu = |heard: &Heard| median(&heard.server) * 100.0;
        rows.push(against(&name, CPU, &ours, (PEER, &theirs), cpu).limits(must, aim));
        let memory = format!("{name}: memory per member");
        rows.push(against(&memory, "kB", &ours, (PEER, &theirs), |heard| heard.memory_kb));
        rows.push(alone(format!("{name}: payload sent"), "bytes", &ours, |heard| heard.payload));
        rows.push(alone(format!("{name}: payload sent by {PEER}"), "bytes", &theirs, |heard| heard.payload));
    }
    rows
}

async fn ours_of(program: &Path, conference: &Conference, sounds: &Sounds) -> Result<Heard, LoadError> {
    let mut server = Signalbox::start(program, Entrance::Sdk, Receive::Canvas)?;
    conference::run(&mut server, conference, sounds).await
}

async fn theirs_of(conference: &Conference, sounds: &Sounds) -> Result<Heard, LoadError> {
    conference::run(&mut AudioBridge::start().await?, conference, sounds).await
}

/// A turn is told and, when something was wrong, counts for nothing.
fn turn(case: &str, who: &str, heard: Result<Heard, LoadError>) -> Result<Heard, String> {
    let heard = heard.map_err(|error| error.to_string());
    let heard = heard.and_then(|heard| match heard.faults.is_empty() {
        true => Ok(heard),
        false => Err(heard.faults.join("; ")),
    });
    let said = match &heard {
        Ok(heard) => format!(
            "{:.1} % of a core, load tester {:.0} %, machine {:.0} % busy",
            median(&heard.server) * 100.0,
            median(&heard.client) * 100.0,
            median(&heard.machine) * 100.0
        ),
        Err(error) => format!("no result: {error}"),
    };
    say(&format!("{case}: {who}: {said}"));
    heard
}

/// Minutes are long without a word.
fn say(what: &str) {
    let _ = writeln!(std::io::stderr(), "{what}");
}
