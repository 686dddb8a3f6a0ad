//! A database that is down while a job writes to it.

use std::time::{Duration, Instant};

use watershed::core::Epoch;
use watershed_state::inspect::Offline;

use crate::job::{Job, NUMBERS};

/// How long the server is down: ten times as long as it is from one checkpoint to the next.
const DOWN: Duration = Duration::from_secs(1);

/// How long a checkpoint is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// The checkpoint that is decided last, and whether the job has come to its end.
fn decided(job: &Job) -> (Option<Epoch>, bool) {
    let offline = Offline::open(&job.state()).ok();
    let meta = offline.as_ref().and_then(Offline::meta);
    let newest = meta.and_then(|meta| meta.completed.as_ref()).map(|pointer| pointer.epoch);
    (newest, meta.is_some_and(|meta| meta.finished))
}

/// Waits for a checkpoint that is decided behind another; none where the job has come to its end.
fn wait_for_one_behind(job: &Job, before: Option<Epoch>) -> Option<Epoch> {
    let begun = Instant::now();
    loop {
        match decided(job) {
            (newest, _) if newest > before => return newest,
            (_, true) => return None,
            (_, false) => assert!(begun.elapsed() < PATIENCE, "no checkpoint behind {before:?}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Takes a job's server away for a while; whether the job was still on its way then, and went on when it was back.
fn outlives_its_server(job: &Job) -> bool {
    job.ends_though(|| {
        wait_for_one_behind(job, None);
        job.server().kill();
        let before = decided(job).0.expect("one was decided before");
        // One may have been prepared, and is decided without the server; the next one needs it.
        std::thread::sleep(DOWN);
        let stuck = decided(job).0.expect("one was decided before");
        assert!(stuck.0 <= before.0 + 2, "{before} was decided, and without a database all up to {stuck}");
        assert!(job.txn(&["list"]).code != Some(0), "the database is down");
        job.server().run();
        wait_for_one_behind(job, Some(stuck)).is_some()
    })
}

#[test]
fn a_job_whose_database_is_down_for_a_while_waits_for_it_and_writes_each_number_once() {
    let test = "a_job_whose_database_is_down_for_a_while_waits_for_it_and_writes_each_number_once";
    // The numbers last four seconds, and longer where the job is over before its server can be taken away.
    for rate in [500, 50] {
        let Some(job) = Job::apart(test, rate) else { return };
        if outlives_its_server(&job) {
            assert_eq!(job.counts(), (NUMBERS, NUMBERS), "each number once");
            assert!(job.txn(&["list"]).json()["transactions"].as_array().unwrap().is_empty());
            return;
        }
    }
    panic!("the job was over before its server was taken away");
}
