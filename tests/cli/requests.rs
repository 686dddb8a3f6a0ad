//! Asking a job that runs: by its state directory, from another process.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::lasting::{Flights, WITHIN, ended, wait_for};
use crate::place::{Ended, Place, STARTS, refused};

fn asked(place: &Place, arguments: &[&str]) -> Ended {
    let ended = place.run(arguments);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{arguments:?}: {ended:?}");
    ended
}

/// Asks where nobody answers, and returns what is said.
fn unanswered(place: &Place, arguments: &[&str]) -> String {
    let ended = place.run(arguments);
    assert_eq!((ended.code, ended.out.as_str()), (Some(3), ""), "{arguments:?}: {ended:?}");
    ended.err
}

#[test]
fn a_savepoint_is_kept_when_later_checkpoints_are_not() {
    let flights = Flights::new();
    let child = flights.under_way(1);
    let taken = asked(&flights.0, &["savepoint", "state"]).out;
    let number: u64 = taken.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("it has a number");
    assert_eq!(
        taken,
        format!("checkpoint {number} (lineage 0) of state is a savepoint: it is kept until you delete it\n")
    );
    wait_for(&flights.0, number + 6);
    // The one behind it has been let go of, or is about to be.
    let until = Instant::now() + WITHIN;
    loop {
        let listing = asked(&flights.0, &["checkpoint", "list", "state", "--json"]).json();
        let all = listing["checkpoints"].as_array().expect("there are some");
        assert!(all.iter().any(|one| one["epoch"] == number && one["savepoint"] == true), "{listing}");
        if !all.iter().any(|one| one["epoch"] == number + 1) {
            break;
        }
        assert!(Instant::now() < until, "{} is kept: {listing}", number + 1);
        std::thread::sleep(Duration::from_millis(20));
    }
    let told = asked(&flights.0, &["cancel", "state", "--json"]).json();
    assert_eq!((&told["granted"], &told["lineage"]), (&"cancel".into(), &0.into()));
    let job = ended(child);
    assert!(job.err.contains("  the same command goes on from that checkpoint"), "{job:?}");
}

#[test]
fn a_job_that_is_suspended_says_how_to_go_on() {
    let flights = Flights::new();
    let child = flights.under_way(1);
    let told = asked(&flights.0, &["cancel", "state", "--with-savepoint"]).out;
    assert!(told.starts_with("suspended at checkpoint "), "{told}");
    let job = ended(child);
    assert_eq!(job.code, Some(0));
    assert!(job.err.contains("flight-delays: suspended after "), "{job:?}");
    assert!(job.err.contains("  the same command goes on behind the last record that was read"), "{job:?}");
}

#[test]
fn a_drained_job_has_come_to_its_end() {
    let flights = Flights::new();
    let child = flights.under_way(1);
    let told = asked(&flights.0, &["cancel", "state", "--drain"]).out;
    assert!(told.starts_with("drained; the job has come to its end with checkpoint "), "{told}");
    let job = ended(child);
    assert!(job.code == Some(0) && job.err.contains("flight-delays: drained after "), "{job:?}");
    let listing = asked(&flights.0, &["checkpoint", "list", "state"]).out;
    assert!(listing.starts_with("job flight-delays, which has come to its end: "), "{listing}");
    let again = flights.run(&["--state-dir", "state"]);
    assert!(again.code == Some(0) && again.err.contains("has come to its end before"), "{again:?}");
}

#[test]
fn nobody_answers_for_a_job_that_is_killed_and_the_next_one_does() {
    let flights = Flights::new();
    let mut child = flights.under_way(1);
    child.kill().expect("it runs");
    ended(child);
    let told = unanswered(&flights.0, &["savepoint", "state"]);
    assert_eq!(told, "error: no job runs on state: start one with --state-dir state\n");
    let before = wait_for(&flights.0, 1);
    let child = flights.start(&[]);
    wait_for(&flights.0, before + 1);
    asked(&flights.0, &["cancel", "state"]);
    assert_eq!(ended(child).code, Some(0));
    unanswered(&flights.0, &["cancel", "state"]);
    assert!(refused(&flights.0, &["cancel", "./nowhere"]).contains("there is no such directory"));
    let nowhere = ["cancel", "nowhere", "--node", "http://127.0.0.1:1", "--within", "0s"];
    assert!(unanswered(&flights.0, &nowhere).contains("error: no node answers at http://127.0.0.1:1"));
}

#[test]
fn a_state_directory_with_a_long_path_is_reached_too() {
    let flights = Flights::new();
    let long = ["deep"; 40].join("/");
    fs::create_dir_all(flights.0.path().join(&long)).expect("the directory is ours");
    std::os::unix::fs::symlink(&long, flights.0.path().join("state")).expect("the directory is ours");
    let long = format!("{}/{long}", flights.0.path().display());
    let mut command =
        flights.command(&["--state-dir", &long, "--checkpoint-interval", "50ms", "--set", "rate=100"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect(STARTS);
    wait_for(&flights.0, 1);
    asked(&flights.0, &["cancel", &long]);
    assert_eq!(ended(child).code, Some(0));
}

#[test]
fn nonsense_on_the_socket_is_refused_and_harms_nobody() {
    let flights = Flights::new();
    let child = flights.under_way(1);
    let say = |words: &[u8]| {
        let mut socket =
            UnixStream::connect(flights.0.path().join("state/requests.sock")).expect("a job listens");
        socket.write_all(words).expect("it takes this");
        let mut told = String::new();
        socket.read_to_string(&mut told).expect("it answers");
        told
    };
    assert!(say(b"savepoint\n").starts_with("{\"refused\":\"the request is not understood: "));
    assert!(say(b"{\"want\":\"everything\"}\n").contains("unknown variant `everything`"));
    assert!(say(&vec![b'x'; 1 << 20]).starts_with("{\"refused\":"));
    assert!(say(b"{\"want\":{\"query\":{\"state\":\"x\"}}}\n").contains("missing field `ask`"));
    drop(UnixStream::connect(flights.0.path().join("state/requests.sock")).expect("a job listens"));
    asked(&flights.0, &["cancel", "state"]);
    assert_eq!(ended(child).code, Some(0));
}
