//! What a job asks of its sources when it keeps checkpoints, and what becomes of their logs.

#![expect(clippy::unwrap_used, reason = "a test that is surprised has failed")]

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use watershed::prelude::*;
use watershed::runtime::{CheckpointConfig, IngressLimits, JobHandle, Wish};
use watershed::{Config, Job, JobEnd, JobError};

/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

const ANY: &str = "127.0.0.1:0";

/// A job that ends when this does: also where whoever has it fails, so that nobody waits for it.
struct Ending(JobHandle);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what} has not come about");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A job that listens, with many checkpoints and small segments.
fn job(listener: &source::TcpListen, state: &Path, guarantee: Guarantee) -> (Job, sink::Collected<String>) {
    let (sink, collected) = Collect::new();
    let source = listener.clone();
    let job = Job::describe("wire", move |pipeline| {
        pipeline.source(source).uid("lines").parallelism(1).sink(sink);
        Ok(())
    });
    let checkpoints = CheckpointConfig {
        interval: Some(Duration::from_millis(10)),
        pause_min: Duration::ZERO,
        retain: 2,
        ..CheckpointConfig::default()
    };
    let ingress = IngressLimits { segment_bytes: 2000, ..IngressLimits::default() };
    let config = Config { checkpoints, guarantee, ingress, arbiters: 1, parallelism: 1, ..Config::default() };
    (job.unwrap().config(config).state_directory(state), collected)
}

#[test]
fn a_log_is_trimmed_behind_checkpoints_and_what_is_gone_is_not_skipped() {
    let folder = TempDir::new().unwrap();
    let state = folder.path().join("state");
    let log = state.join("ingress/lines-0");
    let listener = source::TcpListen::lines(ANY);
    let (job, _collected) = job(&listener, &state, Guarantee::ExactlyOnce);
    let (handles, handed) = mpsc::channel();
    let sender = {
        let log = log.clone();
        thread::spawn(move || {
            let job = Ending(handed.recv().unwrap());
            wait_for("the listener", || listener.local_address().is_some());
            let first = job.0.ask(Wish::Savepoint).wait();
            let mut peer = TcpStream::connect(listener.local_address().unwrap()).unwrap();
            let (lines, segment) = (("x".repeat(100) + "\n").repeat(10), log.join(format!("{:020}.log", 0)));
            peer.write_all(lines.as_bytes()).unwrap();
            wait_for("the first segment", || segment.exists());
            // It goes when two checkpoints are complete that lie behind all of it.
            wait_for("trimming", || {
                peer.write_all(lines.as_bytes()).unwrap();
                thread::sleep(Duration::from_millis(10));
                !segment.exists()
            });
            first.unwrap().expect("a savepoint names a checkpoint").epoch
        })
    };
    let summary = job.run_observed(move |handle| handles.send(handle).unwrap()).unwrap();
    let savepoint = sender.join().unwrap();
    assert!(matches!(summary.end, JobEnd::Suspended(_)), "{:?}", summary.end);
    // Behind the savepoint lies input that is gone: whoever goes back to it is told so, and nothing is skipped.
    let refused = job.from_checkpoint(Some(savepoint)).run().unwrap_err();
    assert!(matches!(refused, JobError::Start { .. }), "{refused}");
    let says = "and the checkpoint goes on from position 0: what lies between was let go of";
    assert!(refused.to_string().contains(says), "{refused}");
}

#[test]
fn a_job_that_would_lose_without_a_word_is_refused_before_anything_is_opened() {
    let folder = TempDir::new().unwrap();
    let state = folder.path().join("state");
    let listener = source::TcpListen::lines(ANY).without_log();
    for asked in [Guarantee::ExactlyOnce, Guarantee::AtLeastOnce] {
        let refused = job(&listener, &state, asked).0.run().unwrap_err();
        assert!(matches!(refused, JobError::Guarantee { .. }), "{refused}");
        let says = format!("source lines holds to at-most-once, and the job asks for {asked}");
        assert!(refused.to_string().starts_with(&says), "{refused}");
    }
    assert!(!state.exists() && listener.local_address().is_none(), "something was opened");
}

#[test]
fn a_job_that_puts_up_with_loss_keeps_no_log() {
    let folder = TempDir::new().unwrap();
    let state = folder.path().join("state");
    let listener = source::TcpListen::lines(ANY);
    let (job, _collected) = job(&listener, &state, Guarantee::AtMostOnce);
    let (handles, handed) = mpsc::channel();
    let canceller = thread::spawn(move || {
        let _job = Ending(handed.recv().unwrap());
        wait_for("the listener", || listener.local_address().is_some());
    });
    job.run_observed(move |handle| handles.send(handle).unwrap()).unwrap();
    canceller.join().unwrap();
    assert!(state.join("meta.log").exists() && !state.join("ingress").exists());
}
