//! Forwarding compared: ours, Janus tuned and as it comes, and the least there is, in turns.
//!
//! in:  our program, an installed `janus`
//! out: rows with the limits beside them
//!
//! Contention alone moves a server's cost per packet by half, so only turns minutes apart are compared: every round gives
//! each server its turn in each case, and a ratio is taken within its round.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use super::LoadError;
use super::engine::Profile;
use super::floor::{Floor, Way};
use super::janus::Janus;
use super::scenario::{self, Case, Outcome};
use super::signalbox::{Entrance, Receive, Signalbox};
use super::source::Pacing;
use crate::janus::Tuning;
use crate::report::{Row, percentile};
use crate::turns::{self, Compared, Turns, WINDOWS, median};

const CPU: &str = "cpu-us/packet";
const SETTLE: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Ours,
    Tuned,
    Default,
    Gso,
    Sendmmsg,
}

impl Who {
    const ALL: [Self; 5] = [Self::Ours, Self::Tuned, Self::Gso, Self::Default, Self::Sendmmsg];

    fn name(self) -> &'static str {
        match self {
            Self::Ours => "signalbox",
            Self::Tuned => "janus event_loops=2",
            Self::Default => "janus default",
            Self::Gso => "bare sender, GSO+GCM",
            Self::Sendmmsg => "bare sender, sendmmsg+GCM",
        }
    }

    /// Whether it has a turn; those that only give the scale have theirs once.
    fn has_turn(self, round: u16, planned: &Planned) -> bool {
        let is_heard = planned.case.feedback != Profile::None;
        match (planned.field, self) {
            (_, Self::Ours) | (Field::All | Field::Two, Self::Tuned) => true,
            (Field::All, Self::Default) => round == 0,
            (Field::All, Self::Gso) => !is_heard,
            (Field::All, Self::Sendmmsg) => !is_heard && round == 0,
            (Field::Two, Self::Default | Self::Gso | Self::Sendmmsg)
            | (Field::Ours(_), Self::Tuned | Self::Default | Self::Gso | Self::Sendmmsg) => false,
        }
    }
}

/// Who takes part in a case.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    /// Everybody; the bare senders where nobody reports, for they hear nobody.
    All,
    /// Ours and the tuned Janus.
    Two,
    /// Ours, through this entrance.
    Ours(Entrance),
}

/// One case, with the limits of its ratio to the tuned Janus.
struct Planned {
    name: &'static str,
    case: Case,
    field: Field,
    limits: Option<(f64, f64)>,
}

const NO_FEEDBACK: Option<(f64, f64)> = Some((0.40, 0.27));
const FEEDBACK: Option<(f64, f64)> = Some((0.50, 0.30));
/// A packet at a time cannot leave with others.
const PACED: Option<(f64, f64)> = Some((0.60, 0.40));

fn planned() -> Vec<Planned> {
    let fan_out = |subscribers, feedback| Case { subscribers, feedback, settle: SETTLE, ..Case::default() };
    let each_other =
        |feedback| Case { publishers: 8, subscribers: 0, feedback, settle: SETTLE, ..Case::default() };
    let (none, browser) = (Profile::None, Profile::Browser);
    let all = |name, case, limits| Planned { name, case, field: Field::All, limits };
    let ours = |name, case| Planned { name, case, field: Field::Ours(Entrance::Sdk), limits: None };
    vec![
        all("1x50 no-feedback", fan_out(50, none), NO_FEEDBACK),
        all("1x50 browser feedback", fan_out(50, browser), FEEDBACK),
        all("1x200 no-feedback", fan_out(200, none), NO_FEEDBACK),
        all("1x200 browser feedback", fan_out(200, browser), FEEDBACK),
        all("8x7 no-feedback", each_other(none), NO_FEEDBACK),
        // Seven cameras are 11 Mbit/s, which who reports must first be found able to take.
        all("8x7 browser feedback", Case { settle: 3 * SETTLE, ..each_other(browser) }, FEEDBACK),
        Planned {
            name: "1x50 paced, no-feedback",
            case: Case { pacing: Pacing::Paced, ..fan_out(50, none) },
            field: Field::Two,
            limits: PACED,
        },
        ours("1x50 lossy feedback, 1 % lost", fan_out(50, Profile::Lossy { per_mille: 10 })),
        ours("1x50 simulcast, browser feedback", Case { simulcast: true, ..fan_out(50, browser) }),
        ours("canvas to 200, browser feedback", Case { audience: 200, ..fan_out(0, browser) }),
        Planned {
            field: Field::Ours(Entrance::WhipWhep),
            ..ours("1x50 WHIP to WHEP, browser feedback", fan_out(50, browser))
        },
    ]
}

/// Everything; a row that could not be measured says why.
pub async fn run(plan: &Compared<'_>) -> Vec<Row> {
    let mut rows = Vec::new();
    for mut planned in planned() {
        if plan.only.is_some_and(|only| !planned.name.contains(only)) {
            continue;
        }
        planned.case = Case { window: plan.window, windows: WINDOWS, ..planned.case };
        let mut all = BTreeMap::<Who, Turns<Outcome>>::new();
        for round in 0..plan.rounds {
            for who in Who::ALL.into_iter().filter(|who| who.has_turn(round, &planned)) {
                let turn = turn(plan, who, &planned).await.map_err(|error| error.to_string());
                tell(planned.name, who, &turn);
                all.entry(who).or_default().push(turn);
            }
        }
        rows.extend(rows_of(&planned, &all));
    }
    rows
}

async fn turn(plan: &Compared<'_>, who: Who, planned: &Planned) -> Result<Outcome, LoadError> {
    let case = &planned.case;
    let entrance = match planned.field {
        Field::Ours(entrance) => entrance,
        Field::All | Field::Two => Entrance::Sdk,
    };
    let outcome = match who {
        Who::Ours => {
            scenario::run(&mut Signalbox::start(plan.program, entrance, Receive::Tiles)?, case).await?
        }
        Who::Tuned => scenario::run(&mut Janus::start(Tuning::TwoEventLoops).await?, case).await?,
        Who::Default => scenario::run(&mut Janus::start(Tuning::Default).await?, case).await?,
        Who::Gso => scenario::run(&mut Floor::new(Way::Gso), case).await?,
        Who::Sendmmsg => scenario::run(&mut Floor::new(Way::Sendmmsg), case).await?,
    };
    match outcome.refused() {
        Some(why) => Err(LoadError::Refused(why.to_owned())),
        None => Ok(outcome),
    }
}

/// Ten minutes are long without a word.
fn tell(name: &str, who: Who, turn: &Result<Outcome, String>) {
    let said = match turn {
        Ok(outcome) => format!(
            "{:.2} µs/packet, load tester {:.0} %, machine {:.0} % busy",
            median(&outcome.cpu_us_per_packet),
            median(&outcome.client) * 100.0,
            median(&outcome.machine) * 100.0
        ),
        Err(error) => format!("no result: {error}"),
    };
    let _ = writeln!(std::io::stderr(), "{name}: {}: {said}", who.name());
}

fn rows_of(planned: &Planned, all: &BTreeMap<Who, Turns<Outcome>>) -> Vec<Row> {
    let name = planned.name;
    let cpu = |outcome: &Outcome| median(&outcome.cpu_us_per_packet);
    let mut rows = Vec::new();
    for who in Who::ALL.into_iter().filter(|who| who.has_turn(0, planned)) {
        let row = match who {
            Who::Ours if matches!(planned.field, Field::Ours(_)) => alone(name.to_owned(), CPU, all, cpu),
            Who::Ours => continue,
            Who::Tuned => {
                let (must, aim) = planned.limits.unzip();
                Row { must, aim, ..against(name, CPU, who, all, cpu) }
            }
            // No more than an aim: it cannot be reached with a server around it for nothing.
            Who::Gso => Row { aim: Some(1.5), ..against(name, CPU, who, all, cpu) },
            Who::Default | Who::Sendmmsg => against(name, CPU, who, all, cpu),
        };
        rows.push(row);
    }
    let case = |what: &str| format!("{name}: {what}");
    let delay =
        |percent| move |outcome: &Outcome| percentile(&outcome.delays_ms, percent).unwrap_or(f64::NAN);
    // A canvas is drawn anew: nothing in it says when its parts were sent.
    if planned.case.subscribers > 0 || planned.case.audience == 0 {
        rows.push(alone(case("delay p50"), "ms", all, delay(50)).limits(0.5, 0.3));
        rows.push(alone(case("delay p99"), "ms", all, delay(99)).limits(5.0, 3.0));
    }
    rows.push(
        alone(case("memory per subscriber"), "kB", all, |outcome| outcome.memory_kb).limits(80.0, 50.0),
    );
    if planned.case.feedback == Profile::Browser && !planned.case.simulcast && planned.case.audience == 0 {
        let delivered = |outcome: &Outcome| outcome.delivered.map_or(f64::NAN, |share| share * 100.0);
        rows.push(alone(case("delivered of what is published"), "%", all, delivered));
    }
    let join = |outcome: &Outcome| median(&outcome.join_ms);
    rows.push(match planned.field {
        Field::Ours(_) => alone(case("join to DTLS p50"), "ms", all, join),
        Field::All | Field::Two => against(&case("join to DTLS p50"), "ms", Who::Tuned, all, join),
    });
    rows
}

fn against(
    case: &str,
    unit: &'static str,
    peer: Who,
    all: &BTreeMap<Who, Turns<Outcome>>,
    value: impl Fn(&Outcome) -> f64,
) -> Row {
    turns::against(case, unit, of(Who::Ours, all), (peer.name(), of(peer, all)), value)
}

fn alone(
    case: String,
    unit: &'static str,
    all: &BTreeMap<Who, Turns<Outcome>>,
    value: impl Fn(&Outcome) -> f64,
) -> Row {
    turns::alone(case, unit, of(Who::Ours, all), value)
}

fn of(who: Who, all: &BTreeMap<Who, Turns<Outcome>>) -> &[Result<Outcome, String>] {
    all.get(&who).map_or(&[][..], Vec::as_slice)
}
