//! Runs the fuzz targets natively on the committed corpus, so that old faults do not return. `make fuzz` looks for new
//! ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "a test says what went wrong by panicking"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

#[path = "../../fuzz/targets/mod.rs"]
mod targets;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_target_passes_on_its_corpus() {
    for (name, target) in targets::TARGETS {
        let files = files(&corpus().join(name));
        assert!(files.len() >= 3, "{name} has a corpus");
        for file in files {
            let data = std::fs::read(&file).unwrap();
            let ran = std::panic::catch_unwind(|| target(&data));
            assert!(ran.is_ok(), "{name} fails on {}", file.display());
        }
    }
}

#[test]
fn every_corpus_has_a_target_and_small_files() {
    let folders: BTreeSet<_> = files(&corpus()).into_iter().collect();
    let named: BTreeSet<_> = targets::TARGETS.iter().map(|(name, _)| corpus().join(name)).collect();
    assert_eq!(folders, named);
    let sizes = folders.iter().flat_map(|folder| files(folder)).map(|file| file.metadata().unwrap().len());
    assert!(sizes.sum::<u64>() < 1_000_000);
}
