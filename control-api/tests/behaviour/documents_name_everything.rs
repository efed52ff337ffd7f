//! `docs/compatibility.md` names every method, event and permission, knows no other, and says of each what is true.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use control_api::{EventKind, LegEventKind, Permission};

use crate::contract::{Outcome, rows};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

fn document() -> String {
    std::fs::read_to_string(folder().join("compatibility.md")).unwrap()
}

/// What stands between that heading and the next of its kind.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let after = text.split_once(&format!("\n## {heading}\n")).unwrap().1;
    after.split_once("\n## ").map_or(after, |(section, _)| section)
}

/// The rows of its tables that are about something of the wire: name, then all cells.
fn table(section: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut rows = BTreeMap::new();
    for line in section.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let name = cells[1].trim_matches('`');
        if name.starts_with("video.") {
            assert!(!cells[0].is_empty(), "{name} has a name in SDKs");
            assert_eq!(rows.insert(name, cells), None, "{name} has one row");
        }
    }
    rows
}

fn state<'a>(rows: &BTreeMap<&str, Vec<&'a str>>, name: &str) -> &'a str {
    rows[name][3]
}

#[test]
fn every_method_with_what_it_answers() {
    let text = document();
    let table = table(section(&text, "Methods"));
    assert_eq!(table.keys().copied().collect::<BTreeSet<_>>(), control_api::methods().collect());
    for row in rows() {
        let expected = match row.outcome {
            Outcome::Done(..) => "yes",
            Outcome::Refused(code, _) => code,
        };
        assert_eq!(state(&table, row.method), expected, "{}", row.method);
        assert!(
            table[row.method][4].contains(&format!("/{}.json", row.method)),
            "{} is recorded",
            row.method
        );
    }
}

#[test]
fn every_event_and_those_that_are_not_yet() {
    let text = document();
    let table = table(section(&text, "Events"));
    // These two go to one session alone, which makes them; those of a leg to its page.
    let own = ["video.member.promoted", "video.member.demoted"];
    let of_leg = LegEventKind::ALL.map(LegEventKind::name);
    let known: BTreeSet<&str> = EventKind::all().map(EventKind::name).chain(own).chain(of_leg).collect();
    let happening = table.keys().copied().filter(|name| state(&table, name) == "yes");
    assert_eq!(happening.collect::<BTreeSet<_>>(), known);
    for (name, cells) in &table {
        assert!(["yes", "no"].contains(&cells[3]), "{name}");
        assert!(cells[3] == "no" || cells[4].contains(&format!("/{name}.json")), "{name} is recorded");
    }
}

#[test]
fn every_permission_and_no_other() {
    let text = document();
    let named: BTreeSet<&str> = section(&text, "Methods").split('`').skip(1).step_by(2).collect();
    for permission in Permission::all() {
        assert!(named.contains(permission.to_string().as_str()), "{permission}");
    }
    for name in named.iter().filter(|name| name.starts_with("room.") && !name.ends_with(".X")) {
        assert!(Permission::by_name(name).is_some(), "{name}");
    }
}

#[test]
fn every_proof_exists() {
    let text = document();
    let links = text.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(link, _)| link));
    let local: Vec<&str> = links.filter(|link| !link.contains("://")).collect();
    assert!(local.len() > 50);
    for link in local {
        let (file, _) = link.split_once('#').unwrap_or((link, ""));
        assert!(folder().join(file).exists(), "{link}");
    }
}
