//! One process at a time.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::StoreError;
use crate::meta::FileMetaStore;

/// Names the directory that a child process is to hold.
const HOLD: &str = "WATERSHED_TEST_HOLD";

/// Runs as a child of the test below, and holds a directory until its input ends. By itself it does nothing.
#[test]
fn child_that_holds_a_directory() {
    let Some(directory) = env::var_os(HOLD).map(PathBuf::from) else { return };
    let held = FileMetaStore::open(&directory).unwrap();
    println!("\nheld");
    let _ = std::io::stdin().read_line(&mut String::new());
    drop(held);
}

#[test]
fn a_second_process_is_refused_until_the_first_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "meta::tests::one_process::child_that_holds_a_directory", "--nocapture"])
        .env(HOLD, directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(output.any(|line| line == "held"), "the child did not get to hold the directory");
    let refused = FileMetaStore::open(directory.path()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!(
            "{} is in use by another process ({}); stop that one first, or choose another state directory",
            directory.path().display(),
            child.id()
        )
    );
    // Even where it is killed, the lock goes with it.
    child.kill().unwrap();
    child.wait().unwrap();
    FileMetaStore::open(directory.path()).unwrap();
}

#[test]
fn a_second_store_in_the_same_process_is_refused_too() {
    let directory = tempfile::tempdir().unwrap();
    let held = FileMetaStore::open(directory.path()).unwrap();
    assert!(matches!(FileMetaStore::open(directory.path()), Err(StoreError::InUse { .. })));
    drop(held);
    FileMetaStore::open(directory.path()).unwrap();
    assert!(fs::exists(directory.path().join("meta.lock")).unwrap());
}
