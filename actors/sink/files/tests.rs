//! The whole of it, over real directories.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use watershed_core::testing::{SinkHarness, verify_sink};
use watershed_core::{Data, EventTime, Record, Sink, SinkPlace};

use crate::sink::{Csv, Files};

#[derive(Clone, Serialize, Deserialize, Data)]
struct Row {
    name: String,
    flights: u64,
}

fn row(number: u64) -> Row {
    Row { name: format!("r{number}"), flights: number }
}

fn rows(numbers: std::ops::Range<u64>) -> Vec<Record<Row>> {
    numbers.map(|number| Record::new(row(number), EventTime::from_millis(0))).collect()
}

/// All files below a directory, with what they hold; the locks of those who write excepted.
fn tree(directory: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_none_or(|extension| extension != "lock") {
                let name = path.strip_prefix(directory).unwrap().to_str().unwrap().to_owned();
                found.push((name, fs::read_to_string(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// The rows that a reader sees: of the file or of the parts, without headers.
fn visible(directory: &Path) -> Vec<String> {
    let files = tree(directory).into_iter().filter(|(name, _)| !name.starts_with(".inprogress"));
    files
        .flat_map(|(_, content)| {
            content.lines().filter(|line| *line != "name,flights").map(str::to_owned).collect::<Vec<_>>()
        })
        .collect()
}

/// Runs a whole job without checkpoints.
fn run(path: &Path, parallelism: u32, edit: impl Fn(Files<Row, Csv>) -> Files<Row, Csv>) {
    let mut harnesses: Vec<_> = (0..parallelism)
        .map(|index| SinkHarness::subtask(edit(Files::csv(path)), index, parallelism))
        .collect();
    for number in 0..4 {
        harnesses[number % parallelism as usize].write(row(number as u64), 0);
    }
    let staged: Vec<_> = harnesses.iter_mut().map(SinkHarness::prepare).collect();
    for (harness, staged) in harnesses.iter_mut().zip(&staged) {
        harness.commit(staged);
    }
}

fn file(name: &str, content: &str) -> (String, String) {
    (name.to_owned(), content.to_owned())
}

const ALL: &str = "name,flights\nr0,0\nr1,1\nr2,2\nr3,3\n";

#[test]
fn the_one_file_keeps_the_contract_of_sinks() {
    let place = tempfile::tempdir().unwrap();
    let trials = std::cell::Cell::new(0);
    let fresh = || {
        trials.set(trials.get() + 1);
        let directory: PathBuf = place.path().join(trials.get().to_string());
        (Files::csv(directory.join("hourly.csv")), move || visible(&directory))
    };
    verify_sink(fresh, &rows(0..6));
}

#[test]
fn parts_keep_the_contract_of_sinks() {
    let place = tempfile::tempdir().unwrap();
    let trials = std::cell::Cell::new(0);
    let fresh = || {
        trials.set(trials.get() + 1);
        let directory: PathBuf = place.path().join(trials.get().to_string());
        (Files::csv(directory.join("hourly.csv")).rolling_bytes(20), move || visible(&directory))
    };
    verify_sink(fresh, &rows(0..6));
}

#[test]
fn one_subtask_writes_one_file_and_nothing_beside_it() {
    let place = tempfile::tempdir().unwrap();
    run(&place.path().join("out/hourly.csv"), 1, |files| files);
    assert_eq!(tree(place.path()), [file("out/hourly.csv", ALL)]);
    assert!(!place.path().join("out/.inprogress").exists());
}

#[test]
fn several_subtasks_write_parts_each_with_the_header() {
    let place = tempfile::tempdir().unwrap();
    run(&place.path().join("hourly.csv"), 2, |files| files);
    let expected = [
        file("hourly/part-00000-00000.csv", "name,flights\nr0,0\nr2,2\n"),
        file("hourly/part-00001-00000.csv", "name,flights\nr1,1\nr3,3\n"),
    ];
    assert_eq!(tree(place.path()), expected);
}

#[test]
fn a_repeated_job_replaces_its_output_at_any_parallelism() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("hourly.csv");
    for parallelism in [1, 1, 3, 3, 2, 7, 1] {
        run(&path, parallelism, |files| files);
        let mut seen = visible(place.path());
        seen.sort();
        assert_eq!(seen, ["r0,0", "r1,1", "r2,2", "r3,3"], "after a run at parallelism {parallelism}");
        assert_ne!(path.exists(), place.path().join("hourly").exists());
    }
    assert_eq!(tree(place.path()), [file("hourly.csv", ALL)]);
}

/// As where the clock of the file system has not gone on between two short jobs.
#[test]
fn an_output_as_long_and_as_old_as_the_one_it_replaces_is_not_taken_for_it() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("hourly.csv");
    run(&path, 1, |files| files);
    let made = fs::metadata(&path).unwrap().modified().unwrap();
    let mut harness = SinkHarness::new(Files::csv(&path));
    (0..4).for_each(|number| harness.write(row(number), 0));
    let staged = harness.prepare();
    let draft = place.path().join(".inprogress/hourly.csv-00000-00001-00000");
    fs::File::options().write(true).open(draft).unwrap().set_modified(made).unwrap();
    harness.commit(&staged);
    assert_eq!(fs::read_to_string(&path).unwrap(), ALL);
}

#[test]
fn an_earlier_output_stays_until_the_next_is_committed() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("hourly.csv");
    run(&path, 1, |files| files);
    let mut harness = SinkHarness::new(Files::csv(&path));
    harness.write(row(9), 0);
    let staged = harness.prepare();
    assert_eq!(fs::read_to_string(&path).unwrap(), ALL);
    harness.commit(&staged);
    assert_eq!(fs::read_to_string(&path).unwrap(), "name,flights\nr9,9\n");
}

#[test]
fn a_job_without_records_leaves_the_header() {
    let place = tempfile::tempdir().unwrap();
    for (name, parallelism) in [("hourly", 1), ("daily", 2)] {
        for index in 0..parallelism {
            let path = place.path().join(name).with_extension("csv");
            let mut harness = SinkHarness::subtask(Files::<Row, _>::csv(path), index, parallelism);
            let staged = harness.prepare();
            harness.commit(&staged);
        }
    }
    let header = "name,flights\n";
    assert_eq!(tree(place.path()), [file("daily/part-00000-00000.csv", header), file("hourly.csv", header)]);
}

#[test]
fn a_file_that_is_made_when_needed_is_not_made_before_and_not_left_from_an_earlier_job() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("late.csv");
    run(&path, 1, Files::when_needed);
    assert_eq!(tree(place.path()), [file("late.csv", ALL)]);
    let mut harness = SinkHarness::new(Files::<Row, _>::csv(&path).when_needed());
    let staged = harness.prepare();
    harness.commit(&staged);
    assert_eq!(tree(place.path()), []);
    harness.write(row(1), 0);
    let next = harness.prepare();
    harness.commit(&next);
    harness.commit(&staged);
    assert_eq!(tree(place.path()), [file("late.csv", "name,flights\nr1,1\n")]);
}

#[test]
fn parts_roll_by_size() {
    let place = tempfile::tempdir().unwrap();
    run(&place.path().join("hourly.csv"), 1, |files| files.rolling_bytes(20));
    let expected = [
        file("hourly/part-00000-00000.csv", "name,flights\nr0,0\nr1,1\n"),
        file("hourly/part-00000-00001.csv", "name,flights\nr2,2\nr3,3\n"),
    ];
    assert_eq!(tree(place.path()), expected);
}

#[test]
fn parts_roll_by_age_when_the_stream_pauses() {
    let place = tempfile::tempdir().unwrap();
    let files = Files::csv(place.path().join("hourly.csv")).rolling_after(Duration::ZERO);
    let mut harness = SinkHarness::new(files);
    for number in 0..2 {
        harness.write(row(number), 0);
        harness.flush();
        harness.flush();
    }
    let staged = harness.prepare();
    harness.commit(&staged);
    assert_eq!(tree(place.path()).len(), 2);
}

#[test]
fn json_lines_and_message_pack_are_files_too() {
    let place = tempfile::tempdir().unwrap();
    let mut json = SinkHarness::new(Files::json_lines(place.path().join("a.jsonl")));
    let mut pack = SinkHarness::new(Files::message_pack(place.path().join("a.msgpack")));
    json.write(row(1), 0);
    pack.write(7_u8, 0);
    let (staged_json, staged_pack) = (json.prepare(), pack.prepare());
    json.commit(&staged_json);
    pack.commit(&staged_pack);
    let expected = [file("a.jsonl", "{\"name\":\"r1\",\"flights\":1}\n"), file("a.msgpack", "\u{7}")];
    assert_eq!(tree(place.path()), expected);
}

#[test]
fn a_copy_that_was_cut_short_is_made_again() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("hourly.csv");
    let mut harness = SinkHarness::new(Files::csv(&path));
    harness.write(row(0), 0);
    let first = harness.prepare();
    harness.commit(&first);
    harness.write(row(1), 0);
    let second = harness.prepare();
    let half = fs::read_to_string(&path).unwrap() + "r1";
    fs::write(&path, half).unwrap();
    harness.commit(&second);
    assert_eq!(fs::read_to_string(&path).unwrap(), "name,flights\nr0,0\nr1,1\n");
}

#[test]
fn a_committed_file_that_was_changed_is_an_error() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("hourly.csv");
    let mut harness = SinkHarness::new(Files::csv(&path));
    harness.write(row(0), 0);
    let staged = harness.prepare();
    harness.commit(&staged);
    fs::write(&path, "name,flights\nr8,0\n").unwrap();
    let error = harness.try_commit(&staged).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("{}: holds other bytes than were staged: somebody else has written it", path.display())
    );
    fs::remove_file(&path).unwrap();
    assert!(harness.try_commit(&staged).is_err());
}

#[test]
fn a_draft_that_lost_bytes_is_not_committed() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("hourly.csv");
    let mut harness = SinkHarness::new(Files::csv(&path));
    harness.write(row(0), 0);
    let staged = harness.prepare();
    fs::write(place.path().join(".inprogress/hourly.csv-00000-00001-00000"), "name").unwrap();
    let error = harness.try_commit(&staged).unwrap_err().to_string();
    assert!(error.ends_with("holds 4 bytes where 18 were staged"), "{error}");
    assert!(!path.exists());
}

#[test]
fn a_place_that_cannot_be_written_is_refused_before_the_first_record() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("hourly.csv");
    let refused = |path: &Path, parallelism| {
        SinkHarness::try_subtask(Files::<Row, _>::csv(path), 0, parallelism).err().unwrap().to_string()
    };
    fs::create_dir(&path).unwrap();
    assert_eq!(refused(&path, 1), format!("{}: is a directory, and has to be a file", path.display()));
    fs::write(place.path().join("daily"), "").unwrap();
    let folder = place.path().join("daily");
    let expected = format!("{}: is a file, and has to be a folder of parts", folder.display());
    assert_eq!(refused(&folder.with_extension("csv"), 2), expected);
    let below_a_file = refused(&folder.join("hourly.csv"), 1);
    assert!(below_a_file.starts_with(&format!("{}: ", folder.display())), "{below_a_file}");
    let no_place = refused(Path::new("/proc/watershed/hourly.csv"), 1);
    assert!(no_place.starts_with("/proc/watershed: "), "{no_place}");
}

#[test]
fn a_job_that_fails_leaves_no_drafts() {
    let place = tempfile::tempdir().unwrap();
    let mut harness = SinkHarness::new(Files::csv(place.path().join("hourly.csv")).rolling_bytes(20));
    (0..3).for_each(|number| harness.write(row(number), 0));
    assert_eq!(tree(place.path()).len(), 2);
    drop(harness);
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn drafts_of_a_job_that_was_killed_are_removed_by_the_next_at_any_parallelism() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("hourly.csv");
    let folder = place.path().join(".inprogress");
    fs::create_dir(&folder).unwrap();
    for index in 0..3 {
        for left in ["-00001-00000", "-00001-00001", ".lock"] {
            fs::write(folder.join(format!("hourly.csv-{index:05}{left}")), "name,flights\nr9,9\n").unwrap();
        }
    }
    assert_eq!(tree(place.path()).len(), 6);
    run(&path, 2, |files| files);
    assert_eq!(tree(place.path()).len(), 2);
    assert!(!place.path().join(".inprogress").exists());
}

#[test]
fn a_resumed_subtask_leaves_the_drafts_of_others_to_them() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("hourly.csv");
    let mut first = SinkHarness::subtask(Files::csv(&path), 0, 2);
    let mut second = SinkHarness::subtask(Files::csv(&path), 1, 2);
    second.write(row(1), 0);
    let staged = second.prepare();
    second.crash();
    first.resume();
    first.write(row(2), 0);
    second.commit(&staged);
    assert_eq!(visible(place.path()), ["r1,1"]);
}

#[test]
fn a_job_does_not_go_on_from_before_what_is_committed() {
    for in_parts in [false, true] {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("hourly.csv");
        let sink = || if in_parts { Files::csv(&path).in_parts() } else { Files::csv(&path) };
        let mut harness = SinkHarness::new(sink());
        harness.write(row(1), 0);
        let first = harness.prepare();
        harness.commit(&first);
        harness.write(row(2), 0);
        let second = harness.prepare();
        harness.crash();
        harness.commit(&first);
        harness.try_resume().expect("the second was not committed");
        harness.crash();
        // Somebody knows of the second decision, and the next one only of the first.
        harness.commit(&second);
        harness.crash();
        harness.commit(&first);
        let why = harness.try_resume().unwrap_err().to_string();
        assert!(
            why.contains("was committed behind the newest checkpoint that is known to be decided"),
            "{why}"
        );
        harness.crash();
        harness.commit(&first);
        harness.commit(&second);
        harness.try_resume().expect("both are known");
    }
}

#[test]
fn a_second_job_is_refused_and_harms_the_first_in_nothing() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("hourly.csv");
    let mut first = SinkHarness::subtask(Files::csv(&path), 0, 2);
    first.write(row(1), 0);
    let refused = SinkHarness::try_subtask(Files::<Row, _>::csv(&path), 0, 1).err().unwrap().to_string();
    let start = format!("{}: another job that is running", place.path().display());
    assert!(refused.starts_with(&start) && refused.contains("writes hourly.csv"), "{refused}");
    assert!(refused.ends_with("wait for its end, or choose another directory"), "{refused}");
    run(&place.path().join("daily.csv"), 2, |files| files);
    let staged = first.prepare();
    first.commit(&staged);
    drop(first);
    assert_eq!(tree(place.path()).len(), 3);
    assert!(visible(place.path()).contains(&"r1,1".to_owned()));
    run(&path, 1, |files| files);
}

#[test]
fn a_link_is_not_replaced_by_the_finished_file() {
    let place = tempfile::tempdir().unwrap();
    let (real, link) = (place.path().join("real.csv"), place.path().join("link.csv"));
    std::fs::write(&real, "keep").unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let refused = Sink::open(&Files::<Row, Csv>::csv(&link), &SinkPlace::alone("sink")).err().unwrap();
    assert!(refused.to_string().contains("a link"), "{refused}");
    assert!(link.is_symlink());
}
