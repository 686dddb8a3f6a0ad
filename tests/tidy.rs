//! House rules that a person would otherwise have to remember.

use std::fs;
use std::path::{Path, PathBuf};

/// A file longer than this holds two ideas.
const LINES_MAX: usize = 500;

/// All source files of the workspace.
fn sources() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<PathBuf> = ["src", "actors", "tests", "examples", "benches", "fuzz"]
        .iter()
        .map(|folder| root.join(folder))
        .collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            // What a compiler has made is nobody's style.
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    assert!(files.len() > 50, "the sources were not found under {}", root.display());
    files
}

fn offenders(offends: impl Fn(&Path, &str) -> bool) -> Vec<PathBuf> {
    let found = |path: &PathBuf| offends(path, &fs::read_to_string(path).expect("a source file is readable"));
    sources().into_iter().filter(found).collect()
}

#[test]
fn every_file_opens_by_saying_what_it_is() {
    let silent = offenders(|_, text| !text.starts_with("//!"));
    assert_eq!(silent, [] as [PathBuf; 0], "these files do not open with a module doc");
}

#[test]
fn no_file_holds_two_ideas() {
    let long = offenders(|_, text| text.lines().count() > LINES_MAX);
    assert_eq!(long, [] as [PathBuf; 0], "these files are longer than {LINES_MAX} lines");
}

#[test]
fn no_file_is_a_drawer_for_odds_and_ends() {
    let drawers = ["util", "utils", "common", "types", "helpers", "misc", "manager"];
    let named = offenders(|path, _| {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let folder =
            path.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
        drawers.contains(&stem) || drawers.contains(&folder)
    });
    assert_eq!(named, [] as [PathBuf; 0], "these files are named after nothing");
}

#[test]
fn nothing_is_left_marked_to_do() {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let marked = offenders(|_, text| marks.iter().any(|mark| text.contains(mark)));
    assert_eq!(marked, [] as [PathBuf; 0], "these files have marks of unfinished work");
}

#[test]
fn decisions_read_no_clock_and_draw_no_lots() {
    let impure = ["SystemTime", "Instant::now", "thread_rng", "HashMap", "std::net", "std::fs"];
    let leaked = offenders(|path, text| {
        path.components().any(|part| part.as_os_str() == "protocol")
            && impure.iter().any(|word| text.contains(word))
    });
    assert_eq!(leaked, [] as [PathBuf; 0], "these protocol files are not pure");
}

#[test]
fn built_in_actors_use_the_public_face_only() {
    let actors = Path::new(env!("CARGO_MANIFEST_DIR")).join("actors");
    let private = offenders(|path, text| {
        path.starts_with(&actors) && (text.contains("watershed_runtime") || text.contains("actix"))
    });
    assert_eq!(private, [] as [PathBuf; 0], "these built-in actors use what a stranger's crate could not");
}
