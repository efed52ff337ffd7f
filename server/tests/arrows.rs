//! The arrows between the crates: what may use what.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// Crate, and every crate of the workspace it may use in what it ships.
const ARROWS: [(&str, &[&str]); 5] = [
    ("layouts", &[]),
    ("media-core", &["layouts"]),
    ("control-api", &["layouts"]),
    ("server", &["control-api", "layouts", "media-core"]),
    ("benches", &["layouts", "media-core"]),
];

/// What the pure crates must not know: I/O, and each other's world. `layouts` knows JSON as a value, because that is what a
/// definition is; text becomes a value outside of it.
const UNKNOWN: [(&str, &[&str]); 3] = [
    ("layouts", &["tokio", "axum", "toml", "socket2", "rtp"]),
    ("media-core", &["serde", "serde_json", "tokio", "axum", "toml", "uuid"]),
    ("control-api", &["tokio", "axum", "socket2", "rtp", "rtcp", "rtc-sdp", "openh264", "jsonwebtoken"]),
];

fn metadata() -> Metadata {
    MetadataCommand::new().no_deps().other_options(["--offline".to_owned()]).exec().unwrap()
}

fn shipped(metadata: &Metadata, name: &str) -> BTreeSet<String> {
    let package = metadata.packages.iter().find(|package| package.name == name).expect(name);
    package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind != DependencyKind::Development)
        .map(|dependency| dependency.rename.clone().unwrap_or_else(|| dependency.name.clone()))
        .collect()
}

#[test]
fn crates_use_each_other_only_along_the_arrows() {
    let metadata = metadata();
    let ours: BTreeSet<&str> = metadata.packages.iter().map(|package| package.name.as_str()).collect();
    assert_eq!(ours, ARROWS.iter().map(|(name, _)| *name).collect(), "a crate without a row in ARROWS");
    for (name, allowed) in ARROWS {
        let used: BTreeSet<String> = shipped(&metadata, name)
            .into_iter()
            .filter(|dependency| ours.contains(dependency.as_str()))
            .collect();
        let allowed = allowed.iter().map(|crate_| (*crate_).to_owned()).collect();
        assert!(used.is_subset(&allowed), "{name} uses {used:?}, may use {allowed:?}");
    }
}

#[test]
fn server_joins_control_and_media() {
    let used = shipped(&metadata(), "server");
    assert!(used.contains("control-api") && used.contains("media-core"));
}

#[test]
fn pure_crates_stay_pure() {
    let metadata = metadata();
    for (name, unknown) in UNKNOWN {
        let used = shipped(&metadata, name);
        for dependency in unknown {
            assert!(!used.contains(*dependency), "{name} uses {dependency}");
        }
    }
}
