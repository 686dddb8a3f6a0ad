//! Jobs that last: a binary with a state directory, killed, asked, stopped and started again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::place::{Ended, Place, STARTS, refused};

/// How long a job is given to get somewhere.
pub(crate) const WITHIN: Duration = Duration::from_secs(120);

/// The examples' pipeline over real data, slowed down so that it can be met on the way.
pub(crate) struct Flights(pub(crate) Place);

impl Flights {
    pub(crate) fn new() -> Self {
        Flights(Place::new())
    }

    fn data(file: &str) -> String {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data").join(file).display().to_string()
    }

    /// The command, with more arguments.
    pub(crate) fn command(&self, more: &[&str]) -> Command {
        let input = format!("input={}", Flights::data("flights-2013-01.csv.gz"));
        let weather = format!("weather={}", Flights::data("weather-2013-01.csv.gz"));
        let run = ["run", "flight-delays", "--parallelism", "2", "--set", &input, "--set", &weather];
        self.0.command(&[run.as_slice(), more].concat())
    }

    /// Starts it slowly, so that it lasts for minutes, with a state directory and short intervals.
    pub(crate) fn start(&self, more: &[&str]) -> Child {
        let slow = ["--state-dir", "state", "--checkpoint-interval", "50ms", "--set", "rate=100"];
        let mut command = self.command(&[slow.as_slice(), more].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect(STARTS)
    }

    /// Starts it, and waits until it has taken some checkpoints.
    pub(crate) fn under_way(&self, checkpoints: u64) -> Child {
        let child = self.start(&[]);
        wait_for(&self.0, checkpoints);
        child
    }

    pub(crate) fn run(&self, more: &[&str]) -> Ended {
        Ended::of(self.command(more).output().expect(STARTS))
    }

    /// What it has written, each file's lines in their order of letters.
    pub(crate) fn output(&self) -> BTreeMap<PathBuf, Vec<String>> {
        let folder = self.0.path().join("out/flight-delays");
        let files =
            fs::read_dir(folder).expect("it has written").map(|entry| entry.expect("it is there").path());
        let read = |path: PathBuf| {
            let text = fs::read_to_string(&path).expect("results are text");
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort_unstable();
            (PathBuf::from(path.file_name().expect("a file has a name")), lines)
        };
        files.filter(|path| path.is_file()).map(read).collect()
    }
}

/// Waits until a job has taken so many checkpoints, and returns the newest.
pub(crate) fn wait_for(place: &Place, checkpoints: u64) -> u64 {
    let until = Instant::now() + WITHIN;
    while Instant::now() < until {
        let listed = place.run(&["checkpoint", "list", "state", "--json"]);
        if listed.code == Some(0)
            && let Some(newest) = newest(&listed.json()).filter(|newest| *newest >= checkpoints)
        {
            return newest;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("no checkpoint {checkpoints} within {WITHIN:?}");
}

/// The newest decided checkpoint of a listing.
pub(crate) fn newest(listing: &Value) -> Option<u64> {
    let all = listing["checkpoints"].as_array()?;
    all.iter().filter(|one| one["standing"] == "newest").find_map(|one| one["epoch"].as_u64())
}

/// Waits for a job's end.
pub(crate) fn ended(child: Child) -> Ended {
    Ended::of(child.wait_with_output().expect("it ends"))
}

#[test]
fn a_job_that_is_killed_goes_on_and_writes_what_an_undisturbed_one_writes() {
    let (killed, undisturbed) = (Flights::new(), Flights::new());
    let mut child = killed.under_way(3);
    child.kill().expect("it runs");
    let ended = ended(child);
    assert_eq!(ended.code, None, "it was killed: {ended:?}");
    let left = killed.0.run(&["checkpoint", "verify", "state"]);
    assert_eq!(left.code, Some(0), "{left:?}");
    let again = killed.run(&["--state-dir", "state"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    let first = again.err.lines().next().unwrap_or_default();
    assert!(
        first.starts_with("going on from checkpoint ") && first.contains(" (lineage 0), taken 20"),
        "{again:?}"
    );
    assert_eq!(undisturbed.run(&[]).code, Some(0));
    assert_eq!(killed.output(), undisturbed.output());
    let third = killed.run(&["--state-dir", "state"]);
    assert_eq!(third.code, Some(0), "{third:?}");
    assert!(third.err.contains("the job has come to its end before (checkpoint "), "{third:?}");
    let json = killed.run(&["--state-dir", "state", "--json"]).json();
    assert_eq!((&json["end"], &json["records_read"]), (&"complete-before".into(), &0.into()));
}

#[test]
fn a_job_goes_back_to_a_savepoint_as_a_new_history() {
    let flights = Flights::new();
    let child = flights.under_way(2);
    let taken = flights.0.run(&["savepoint", "state", "--json"]);
    assert_eq!(taken.code, Some(0), "{taken:?}");
    let savepoint = taken.json()["checkpoint"].as_u64().expect("it has a number");
    assert_eq!(flights.0.run(&["cancel", "state", "--with-savepoint"]).code, Some(0));
    assert_eq!(ended(child).code, Some(0));
    // The old history may have gone on some checkpoints beyond the savepoint.
    let before = wait_for(&flights.0, savepoint);
    let number = savepoint.to_string();
    let child = flights.start(&["--from-savepoint", &number]);
    wait_for(&flights.0, before + 1);
    assert_eq!(flights.0.run(&["cancel", "state"]).code, Some(0));
    let back = ended(child);
    let first = back.err.lines().next().unwrap_or_default();
    assert!(first.starts_with(&format!("going back to checkpoint {savepoint} (lineage 0)")), "{back:?}");
    let listing = flights.0.run(&["checkpoint", "list", "state", "--json"]).json();
    let all = listing["checkpoints"].as_array().expect("there are some");
    let newest = all.iter().find(|one| one["standing"] == "newest").expect("one is the newest");
    assert_eq!(newest["lineage"], 1, "{listing}");
    let kept = all.iter().find(|one| one["epoch"] == savepoint).expect("savepoints are kept");
    assert_eq!((&kept["savepoint"], &kept["standing"]), (&true.into(), &"decided".into()));
    let none = flights.run(&["--state-dir", "state", "--from-savepoint", "99999"]);
    assert_eq!(none.code, Some(2), "{none:?}");
    assert!(none.err.starts_with("error: there is no checkpoint 99999; those that there are: "), "{none:?}");
}

#[test]
fn a_second_process_is_kept_from_the_directory() {
    let flights = Flights::new();
    let child = flights.under_way(1);
    let second = flights.run(&["--state-dir", "state"]);
    assert_eq!(second.code, Some(2), "{second:?}");
    assert!(second.err.contains("state is in use by another process"), "{second:?}");
    assert_eq!(flights.0.run(&["cancel", "state"]).code, Some(0), "and leaves the first one's door alone");
    let first = ended(child);
    assert!(first.err.contains("flight-delays: cancelled after "), "{first:?}");
}

#[test]
fn state_on_disk_lies_below_the_state_directory_and_is_gone_afterwards() {
    let place = Place::new();
    let input = format!("input={}/examples/data/watersheds.txt", env!("CARGO_MANIFEST_DIR"));
    let run = ["run", "word-count", "--quiet", "--parallelism", "1", "--set", &input];
    let on = |backend| [&run[..], &["--state-backend", backend]].concat();
    let told = refused(&place, &on("disk"));
    assert_eq!(told, "error: state on disk needs a state directory: add --state-dir DIR\n");
    let told = refused(&place, &on("tape"));
    assert!(told.contains("state_backend") && told.contains("memory") && told.contains("disk"), "{told}");
    let tiny = [("WATERSHED_STATE_MEMORY_MIB", "0")];
    let done = place.run_with(&tiny, &[on("disk"), vec!["--state-dir", "state"]].concat());
    assert_eq!(done.code, Some(0), "{done:?}");
    let counted = || fs::read_to_string(place.path().join("out/words.csv")).expect("words were counted");
    let on_disk = counted();
    assert_eq!(place.run(&run).code, Some(0));
    assert_eq!(on_disk, counted());
    assert!(!place.path().join("state/work").exists());
}
