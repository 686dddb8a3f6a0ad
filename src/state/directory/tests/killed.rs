//! A process that is killed while it writes and decides: what it had been told is there, and nothing is half
//! there.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use watershed_core::{Epoch, Lineage, Run};

use super::{identity, open};
use crate::fixture::subtask;
use crate::{Change, Guard, MetaStore, Object, ObjectKey};

/// Names the directory that a child process is to work in.
const WORK: &str = "WATERSHED_TEST_WORK";

/// Runs as a child of the test below: writes objects and makes decisions, and says each that has returned,
/// until it is killed. By itself it does nothing.
#[tokio::test]
async fn child_that_writes_and_decides() {
    let Some(path) = env::var_os(WORK).map(PathBuf::from) else { return };
    let directory = open(&path, identity()).unwrap();
    let mut meta = directory.meta.read().await.unwrap();
    println!();
    loop {
        let epoch = Epoch(meta.burnt.0 + 1);
        let key =
            ObjectKey { lineage: Lineage(0), epoch, run: Run(1), object: Object::Snapshot(subtask(0, 0)) };
        let object = directory.store.put(key, vec![epoch.0 as u8; 30_000]).await.unwrap();
        println!("put {}", object.path);
        meta = directory.meta.cas(Guard::of(&meta), Change::Burn(epoch)).await.unwrap();
        println!("decided {epoch}");
    }
}

/// Lets a child work until it has said a few things and for a while longer, kills it wherever it is, and
/// returns all that it said.
fn work_and_kill(path: &Path, longer: Duration) -> Vec<String> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "directory::tests::killed::child_that_writes_and_decides", "--nocapture"])
        .env(WORK, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut said = output.filter(|line| line.starts_with("put ") || line.starts_with("decided "));
    let mut heard: Vec<String> = said.by_ref().take(4).collect();
    std::thread::sleep(longer);
    child.kill().unwrap();
    child.wait().unwrap();
    heard.extend(said);
    heard
}

#[tokio::test]
async fn what_a_killed_process_had_been_told_is_there_and_nothing_is_half_there() {
    let root = tempfile::tempdir().unwrap();
    let mut before = 0;
    for round in 0..20 {
        let said = work_and_kill(root.path(), Duration::from_micros(731 * round));
        let decided = said.iter().rev().find_map(|line| line.strip_prefix("decided ")?.parse::<u64>().ok());
        let last = decided.expect("it came to decide something");
        assert!(last > before, "it went on where the one before had come to");
        let directory = open(root.path(), identity()).unwrap();
        let burnt = directory.meta.read().await.unwrap().burnt.0;
        assert!(
            (last..=last + 1).contains(&burnt),
            "{last} was the last decision that it heard of, not {burnt}"
        );
        before = burnt;
        let listed: Vec<String> =
            directory.store.list().await.unwrap().into_iter().map(|object| object.path).collect();
        for path in &listed {
            directory.store.identify(path).await.unwrap();
        }
        // The last thing that it said may have been cut short.
        for path in said[..said.len() - 1].iter().filter_map(|line| line.strip_prefix("put ")) {
            assert!(listed.iter().any(|listed| listed == path), "{path} is gone");
        }
    }
}
