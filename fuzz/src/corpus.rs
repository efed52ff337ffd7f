//! The kept inputs: `corpus/<target>/*`.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Feeds each target its corpus; says which file it does not survive.
pub fn replay(targets: &[(&str, fn(&[u8]))]) {
    for (name, target) in targets {
        for (file, bytes) in inputs(name) {
            let survived = catch_unwind(AssertUnwindSafe(|| target(&bytes)));
            assert!(survived.is_ok(), "{name} does not survive {}", file.display());
        }
    }
}

/// A target's files and what is in them, in one order everywhere.
pub fn inputs(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    // Both crates that include this file stand beside `fuzz`.
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty(), "{target} has no corpus");
    files.sort();
    files.into_iter().map(|file| (file.clone(), fs::read(&file).unwrap())).collect()
}
