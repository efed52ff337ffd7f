//! The kept inputs: `corpus/<target>/*`.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Feeds each target its corpus; says which file it does not survive.
pub fn replay(targets: &[(&str, fn(&[u8]))]) {
    // Both crates that include this file stand beside `fuzz`.
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for (name, target) in targets {
        let mut files: Vec<_> =
            fs::read_dir(corpus.join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(!files.is_empty(), "{name} has no corpus");
        files.sort();
        for file in files {
            let bytes = fs::read(&file).unwrap();
            let survived = catch_unwind(AssertUnwindSafe(|| target(&bytes)));
            assert!(survived.is_ok(), "{name} does not survive {}", file.display());
        }
    }
}
