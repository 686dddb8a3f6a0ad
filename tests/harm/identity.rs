//! A state directory that is somebody else's, or in use.

use nix::sys::signal::Signal;

use crate::ledger::Ledger;
use crate::process::{Process, watershed};

/// Runs what is refused before anything has run, and returns what it says.
#[track_caller]
fn refused(command: &mut std::process::Command) -> String {
    let ended = Process::start(command).end();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    ended.said
}

#[test]
fn a_state_directory_of_another_job_or_key_group_count_is_refused_and_stays_as_it_is() {
    let mut ledger = Ledger::new();
    (ledger.events, ledger.rate) = (500, 5000);
    ledger.book("", 2).expect_done("the job whose directory it is");
    let state = ledger.state().to_str().unwrap().to_owned();
    let said = refused(&mut watershed(ledger.state(), &["run", "hello", "--state-dir", &state]));
    assert!(said.contains("it has job \"two-phase-commit\", and this job has \"hello\""), "{said}");
    let said = refused(ledger.command("", 2).env("WATERSHED_KEY_GROUPS", "64"));
    assert!(said.contains("it has key-group count 128, and this job has 64"), "{said}");
    ledger.judge("behind the refusals");
}

#[test]
fn a_second_process_on_a_directory_is_refused_and_harms_the_first_in_nothing() {
    let mut ledger = Ledger::new();
    ledger.events = 3000;
    // It stops itself, and so has the directory for as long as it takes.
    let stops = "coordinator::after_decision=1*return(stop)->off";
    let mut first = Process::start(&mut ledger.command(stops, 2));
    first.wait_until("it stands still", Process::stands_still);
    let said = refused(&mut ledger.command("", 2));
    first.signal(Signal::SIGCONT);
    assert!(said.contains("is in use by another process"), "{said}");
    first.end().expect_done("the first process");
    ledger.judge("behind the second process");
}
