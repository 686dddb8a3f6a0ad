//! Transactions in doubt, as jobs that die leave them in a database, and what a person does about them at the command line.
//!
//! A job with a PostgreSQL table is killed at a step of a checkpoint; the stock binary's `txn` is asked; the job goes on;
//! and the table is counted. Where PostgreSQL is not installed, each test passes over itself, unless `REQUIRE=postgres` is set.

#![expect(clippy::unwrap_used, reason = "a test that is surprised has failed")]

mod down;
mod job;
mod loss;
mod secrets;
#[path = "../../actors/tests/postgres/server.rs"]
mod server;

use serde_json::Value;

use job::{Job, NUMBERS};

/// The only transaction of a listing, with this verdict.
fn only(listing: &Value, verdict: &str) -> String {
    let transactions = listing["transactions"].as_array().unwrap();
    assert_eq!(transactions.len(), 1, "{listing}");
    assert_eq!(transactions[0]["verdict"], verdict, "{listing}");
    transactions[0]["gid"].as_str().unwrap().to_owned()
}

#[test]
fn what_was_decided_is_committed_by_hand_and_never_again() {
    let test = "what_was_decided_is_committed_by_hand_and_never_again";
    let Some(job) = Job::died(test, "sink::before_commit=1*off->return(kill)") else { return };
    let before = job.count();
    let listing = job.txn(&["list"]);
    let gid = only(&listing.json(), "decided");
    let one = &listing.json()["transactions"][0];
    assert_eq!((&one["job"], &one["operator"]), (&"numbers".into(), &"table".into()));
    assert_eq!((one["run"].as_u64(), one["subtask"].as_u64()), (Some(1), Some(0)));
    let rows = one["rows"].as_u64().unwrap();

    let refused = job.txn(&["abort", &gid]);
    assert_eq!(refused.code, Some(1));
    let why = refused.json()["left"][0]["why"].as_str().unwrap().to_owned();
    assert_eq!(why, "a checkpoint has decided it, and its rows would be lost");
    assert_eq!(
        job.txn(&["abort", "--all"]).code,
        Some(0),
        "all that is to be rolled back is rolled back: nothing"
    );
    assert_eq!(job.count(), before);

    let done = job.txn(&["commit", "--all"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(done.json()["done"][0]["what"], "committed");
    assert_eq!(job.count(), before + rows);
    assert_eq!(job.txn(&["list"]).json()["transactions"], Value::Array(Vec::new()));
    job.ends();
    assert_eq!(job.counts(), (NUMBERS, NUMBERS), "each number once");
}

#[test]
fn what_nobody_decided_is_rolled_back_by_hand_and_written_again() {
    let test = "what_nobody_decided_is_rolled_back_by_hand_and_written_again";
    let Some(job) = Job::died(test, "sink::after_prepare=1*off->return(kill)") else { return };
    let gid = only(&job.txn(&["list"]).json(), "undecided");
    let refused = job.txn(&["commit", &gid]);
    assert_eq!(refused.code, Some(1));
    let why = refused.json()["left"][0]["why"].as_str().unwrap().to_owned();
    assert_eq!(why, "no checkpoint has decided it, and the job writes its rows again");

    let done = job.txn(&["abort", &gid]);
    assert_eq!((done.code, &done.json()["done"][0]["what"]), (Some(0), &"rolled back".into()));
    let again = job.txn(&["abort", &gid]);
    assert!(
        again.code == Some(1) && again.json()["error"].as_str().unwrap().contains("nothing was done"),
        "{again:?}"
    );
    job.ends();
    assert_eq!(job.counts(), (NUMBERS, NUMBERS), "each number once");
}

#[test]
fn against_the_log_it_takes_force_and_the_answer_says_what_was_broken() {
    let test = "against_the_log_it_takes_force_and_the_answer_says_what_was_broken";
    let Some(job) = Job::died(test, "sink::after_prepare=1*off->return(kill)") else { return };
    let rows = job.txn(&["list"]).json()["transactions"][0]["rows"].as_u64().unwrap();
    let forced = job.txn(&["commit", "--all", "--force"]);
    assert_eq!(forced.code, Some(0), "{forced:?}");
    let note = forced.json()["done"][0]["note"].as_str().unwrap().to_owned();
    assert_eq!(note, "forced: no checkpoint has decided it, and the job writes its rows again");
    job.ends();
    assert_eq!(job.counts(), (NUMBERS + rows, NUMBERS), "as was said: doubled");
}

#[test]
fn without_the_log_nothing_is_known_and_nothing_done() {
    let test = "without_the_log_nothing_is_known_and_nothing_done";
    let Some(job) = Job::died(test, "sink::before_commit=1*off->return(kill)") else { return };
    let url = job.url();
    let listing = job.run(&["txn", "list", "--json", "--database", &url]);
    let gid = only(&listing.json(), "unknown");
    let text = job.run(&["txn", "list", "--database", &url]).out;
    assert!(text.contains("unknown: the job's --state-dir would say whether it was decided"), "{text}");
    for decision in ["commit", "abort"] {
        let refused = job.run(&["txn", decision, "--database", &url, &gid]);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.out.contains("name the job's --state-dir"), "{refused:?}");
    }
    assert_eq!(only(&job.txn(&["list"]).json(), "decided"), gid, "it is still there");
}

#[test]
fn nothing_is_resolved_while_a_job_has_the_directory() {
    let test = "nothing_is_resolved_while_a_job_has_the_directory";
    let Some(job) = Job::died(test, "sink::before_commit=1*off->return(kill)") else { return };
    let held = watershed_state::FileMetaStore::hold(&job.state()).unwrap();
    let refused = job.txn(&["commit", "--all"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.json()["error"].as_str().unwrap().contains("is in use by another process"),
        "{refused:?}"
    );
    only(&job.txn(&["list"]).json(), "decided");
    drop(held);
    assert_eq!(job.txn(&["commit", "--all"]).code, Some(0));
}

#[test]
fn a_transaction_of_another_job_is_left_alone() {
    let test = "a_transaction_of_another_job_is_left_alone";
    let Some(job) = Job::died(test, "sink::before_commit=1*off->return(kill)") else { return };
    let other = format!("watershed/{}/another/sink/0/0/1/1/1", job.database);
    job.execute(&format!("BEGIN; CREATE TABLE of_another (a int); PREPARE TRANSACTION '{other}'"));
    let refused = job.txn(&["abort", &other]);
    assert_eq!(refused.code, Some(1));
    assert_eq!(refused.json()["left"][0]["why"], "it is another job's than the state directory");
    assert_eq!(job.txn(&["commit", "--all", "--force"]).json()["done"].as_array().unwrap().len(), 1);
    assert_eq!(only(&job.txn(&["list"]).json(), "other-job"), other);
    job.execute(&format!("ROLLBACK PREPARED '{other}'"));
}
