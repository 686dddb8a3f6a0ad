//! The example pipelines, run by the stock binary as their readers run them, and judged by programs that share
//! nothing with the engine.

#![expect(clippy::unwrap_used, reason = "a test that is surprised has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use watershed::actors::source::Dice;

#[path = "../examples/sensor_statistics/reading.rs"]
#[expect(dead_code, reason = "only the simulation is of use here")]
mod reading;

use reading::Simulation;

/// The longest that a program may run.
const RUN_MAX: Duration = Duration::from_secs(600);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a program to its end.
fn finish(command: &mut Command) -> Output {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let read = |mut pipe: Box<dyn std::io::Read + Send>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            pipe.read_to_end(&mut bytes).unwrap();
            bytes
        })
    };
    let (stdout, stderr) = (read(Box::new(stdout)), read(Box::new(stderr)));
    let begun = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if begun.elapsed() > RUN_MAX => {
                child.kill().unwrap();
                panic!("{command:?} has not ended within {RUN_MAX:?}");
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    Output { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

/// What a program prints that ends well.
fn printed(command: &mut Command) -> String {
    let output = finish(command);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?} fails:\n{errors}{}",
        String::from_utf8_lossy(&output.stdout)
    );
    String::from_utf8(output.stdout).expect("output is text")
}

/// What a pipeline prints that is run in a folder, in lines; sorted, since subtasks take turns as they come.
fn run_in(folder: &Path, pipeline: &str, parallelism: u32, set: &[(&str, &str)]) -> Vec<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watershed"));
    command.current_dir(folder).args(["run", pipeline, "--parallelism", &parallelism.to_string()]);
    for (name, value) in set {
        command.arg("--set").arg(format!("{name}={value}"));
    }
    let mut lines: Vec<String> = printed(&mut command).lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

/// As [`run_in`], in a folder of its own: what a pipeline leaves where it runs is nobody's concern.
fn run(pipeline: &str, parallelism: u32, set: &[(&str, &str)]) -> Vec<String> {
    run_in(TempDir::new().unwrap().path(), pipeline, parallelism, set)
}

/// What a judge says.
fn judged(judge: &str, arguments: &[&Path]) -> String {
    printed(Command::new("python3").arg(root().join("tests/judge").join(judge)).args(arguments))
}

/// A path as a parameter's value.
fn text(path: &Path) -> &str {
    path.to_str().expect("the test's paths are text")
}

#[test]
fn hello_greets() {
    let expected = ["hello reader, number 1", "hello reader, number 2"];
    assert_eq!(run("hello", 1, &[("name", "reader"), ("times", "2")]), expected);
}

#[test]
fn custom_operator_reports_every_gauge_at_the_latest_at_the_end() {
    let lines = run("custom-operator", 2, &[]);
    for gauge in 0..10 {
        let of = format!("gauge {gauge} is silent since minute ");
        assert!(lines.iter().any(|line| line.starts_with(&of)), "none begins with {of:?} in {lines:#?}");
    }
    assert_eq!(lines, run("custom-operator", 1, &[]));
}

#[test]
fn custom_source_reads_every_day_of_every_gauge_without_the_damaged_readings() {
    let lines = run("custom-source", 3, &[("gauges", "2"), ("readings", "2000")]);
    let of = |gauge| {
        [
            format!("gauge {gauge}, day 0: 1439 readings, highest {gauge}"),
            format!("gauge {gauge}, day 1: 559 readings, highest {gauge}"),
        ]
    };
    let expected = [of(0), of(1)].concat();
    let without_level = |line: &String, expected: &str| {
        let (head, level) = line.rsplit_once(' ').and_then(|(head, _)| head.rsplit_once(' ')).unwrap();
        let gauge = &expected[expected.len() - 1..];
        assert_eq!(level, format!("{:.2}", 3.0 + gauge.parse::<f64>().unwrap()), "the tide's highest level");
        assert_eq!(head, &expected[..expected.len() - 2]);
    };
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    lines.iter().zip(&expected).for_each(|(line, expected)| without_level(line, expected));
}

#[test]
fn custom_sink_pins_each_reading_once() {
    let folder = TempDir::new().unwrap();
    run("custom-sink", 3, &[("readings", "1000"), ("output", text(folder.path()))]);
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        assert!(path.extension().is_some_and(|extension| extension == "txt"), "{path:?} is left over");
        for line in fs::read_to_string(path).unwrap().lines() {
            let number = line.strip_prefix("reading ").and_then(|rest| rest.split(':').next()).unwrap();
            numbers.push(number.parse::<u64>().unwrap());
        }
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..1000).collect::<Vec<u64>>());
}

#[test]
fn word_count_counts_what_the_judge_counts() {
    let folder = TempDir::new().unwrap();
    let tricky = folder.path().join("tricky.txt");
    let long = "Antidisestablishmentarianism".repeat(20);
    let text_of_all =
        format!("Don't-DON'T don\u{2019}t \u{c9}t\u{e9} 3.14 \t{long}\n\n{long} a''b 'x'\r\nlast");
    fs::write(&tricky, text_of_all.repeat(1000)).unwrap();
    fs::write(folder.path().join("bytes.txt"), (0..=255).cycle().take(100_000).collect::<Vec<u8>>()).unwrap();
    let texts = [root().join("examples/data/watersheds.txt"), tricky, folder.path().join("bytes.txt")];
    for input in &texts {
        let expected = judged("word_count.py", &[input]);
        assert!(expected.lines().count() > 2, "the judge finds words in {}", input.display());
        for parallelism in [1, 2, 7] {
            let output = folder.path().join("out").join("words.csv");
            run("word-count", parallelism, &[("input", text(input)), ("output", text(&output))]);
            let counted = fs::read_to_string(&output).unwrap();
            let mut rows: Vec<&str> = counted.lines().skip(1).collect();
            rows.sort_unstable();
            rows.insert(0, counted.lines().next().unwrap());
            let expected: Vec<&str> = expected.lines().collect();
            assert!(rows == expected, "{} with {parallelism} subtasks", input.display());
        }
    }
}

#[test]
fn word_count_without_parameters_counts_the_text_beside_it() {
    let folder = TempDir::new().unwrap();
    let text = folder.path().join("examples/data/watersheds.txt");
    fs::create_dir_all(text.parent().unwrap()).unwrap();
    fs::copy(root().join("examples/data/watersheds.txt"), text).unwrap();
    run_in(folder.path(), "word-count", 2, &[]);
    let counted = fs::read_to_string(folder.path().join("out/words.csv")).unwrap();
    assert!(counted.lines().any(|row| row == "watershed,4"), "{counted}");
}

#[test]
fn word_count_counts_a_directory_as_one_text() {
    let folder = TempDir::new().unwrap();
    let input = folder.path().join("texts");
    fs::create_dir(&input).unwrap();
    let files: Vec<PathBuf> = (0..3).map(|n| input.join(format!("{n}.txt"))).collect();
    for file in &files {
        fs::copy(root().join("examples/data/watersheds.txt"), file).unwrap();
    }
    let output = folder.path().join("words.csv");
    run("word-count", 2, &[("input", text(&input)), ("output", text(&output))]);
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    let mut rows: Vec<String> =
        fs::read_to_string(&output).unwrap().lines().skip(1).map(str::to_owned).collect();
    rows.sort_unstable();
    assert!(judged("word_count.py", &files).lines().skip(1).eq(rows), "the counts are of all files");
}

/// Simulated readings as the lines of a file, in the order of arrival.
fn readings(count: u64, seed: u64) -> Vec<u8> {
    let simulation = Simulation { sensors: 10, faults: 0.02, seed };
    let mut lines = Vec::new();
    for n in 0..count {
        serde_json::to_writer(&mut lines, &simulation.reading(n, &mut Dice::new(seed, n))).unwrap();
        lines.push(b'\n');
    }
    lines
}

#[test]
fn sensor_statistics_of_simulated_sensors_are_as_the_judge_says() {
    let folder = TempDir::new().unwrap();
    let simulated = folder.path().join("readings.jsonl");
    fs::write(&simulated, readings(20_000, 7)).unwrap();
    for parallelism in [1, 2, 7] {
        let output = folder.path().join(format!("out-{parallelism}"));
        run("sensor-statistics", parallelism, &[("readings", "20000"), ("output", text(&output))]);
        let verdict = judged("sensor_statistics.py", &[&simulated, &output]);
        assert!(!verdict.contains(" 0 rejected"), "the simulation has faults: {verdict}");
    }
}

#[test]
fn sensor_statistics_of_a_file_set_damaged_lines_aside_and_a_second_run_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let (input, output) = (folder.path().join("readings.jsonl"), folder.path().join("out"));
    let mut lines = readings(5000, 1);
    lines.write_all(b"{\"sensor\":1,\"time\":\"noon\",\"value\":1}\nno reading\n{\"sensor\":1}\n").unwrap();
    fs::write(&input, lines).unwrap();
    for _ in 0..2 {
        run("sensor-statistics", 2, &[("input", text(&input)), ("output", text(&output))]);
        judged("sensor_statistics.py", &[&input, &output]);
    }
}

#[test]
fn sensor_statistics_of_a_table_are_those_of_its_rows_as_lines() {
    let folder = TempDir::new().unwrap();
    let (table, file) = (folder.path().join("readings.csv"), folder.path().join("readings.jsonl"));
    let lines = readings(3000, 2);
    fs::write(&file, &lines).unwrap();
    let mut rows = String::from("value,sensor,time\n");
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let reading: serde_json::Value = serde_json::from_slice(line).unwrap();
        rows += &format!("{},{},{}\n", reading["value"], reading["sensor"], reading["time"]);
    }
    fs::write(&table, rows).unwrap();
    let output = folder.path().join("out");
    run("sensor-statistics", 2, &[("input", text(&table)), ("output", text(&output))]);
    judged("sensor_statistics.py", &[&file, &output]);
}

#[test]
fn sensor_analysis_reads_back_what_sensor_statistics_has_stored() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("out");
    run("sensor-statistics", 2, &[("readings", "43200"), ("output", text(&output))]);
    let stored = output.join("statistics.jsonl");
    let lines = run("sensor-analysis", 2, &[("input", text(&stored))]);
    assert_eq!(lines.len(), 30, "10 sensors had 3 days: {lines:#?}");

    let table = "SELECT sensor, substr(window_start, 1, 10), printf('%.2f', min(lowest)), \
                 printf('%.2f', max(highest)), sum(readings) FROM statistics GROUP BY 1, 2 ORDER BY 1, 2";
    let query = "import sqlite3, sys\n\
                 for row in sqlite3.connect(sys.argv[1]).execute(sys.argv[2]): print(*row)";
    let database = output.join("sensors.sqlite");
    let rows = printed(Command::new("python3").args(["-c", query, text(&database), table]));
    let found = |sensor: &str, day: &str, lowest: &str, highest: &str, readings: &str| {
        lines.iter().any(|line| {
            line.starts_with(&format!("sensor {sensor}, {day}: lowest {lowest} in {day}T"))
                && line.contains(&format!(", highest {highest} in {day}T"))
                && line.ends_with(&format!(" of {readings} readings"))
        })
    };
    for row in rows.lines() {
        let [sensor, day, lowest, highest, readings] = *row.split(' ').collect::<Vec<_>>() else {
            panic!("{row}")
        };
        assert!(found(sensor, day, lowest, highest, readings), "{row} is not among {lines:#?}");
    }
}

/// The rows of a table of comma-separated values, without its header.
fn table(path: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().skip(1).map(|row| row.split(',').map(str::to_owned).collect()).collect()
}

/// What votes come to, worked out once more.
fn tallied(rule: &str, mut votes: Vec<f64>) -> f64 {
    match rule {
        "mean" => votes.iter().sum::<f64>() / votes.len() as f64,
        _ => {
            votes.sort_by(f64::total_cmp);
            (votes[(votes.len() - 1) / 2] + votes[votes.len() / 2]) / 2.0
        }
    }
}

#[test]
fn sensor_consensus_shows_all_subtasks_one_history_that_is_what_the_counted_votes_come_to() {
    let rounds = 300_u64;
    for (voters, quorum, rule) in [(1, 1, "mean"), (2, 2, "mean"), (4, 3, "mean"), (4, 3, "median")] {
        let folder = TempDir::new().unwrap();
        let [voters_text, quorum_text, rounds_text] = [voters, quorum, rounds].map(|n| n.to_string());
        let set = [
            ("voters", voters_text.as_str()),
            ("quorum", &quorum_text),
            ("rule", rule),
            ("rounds", &rounds_text),
            ("output", text(folder.path())),
        ];
        run("sensor-consensus", voters as u32, &set);

        let mut observed = BTreeMap::new();
        for row in table(&folder.path().join("observations.csv")) {
            let [round, sensor, celsius] = &row[..] else { panic!("{row:?}") };
            let celsius: f64 = celsius.parse().unwrap();
            observed.insert((round.parse::<u64>().unwrap(), sensor.clone()), celsius);
        }
        assert_eq!(observed.len() as u64, rounds * voters);

        let mut histories: BTreeMap<u64, BTreeMap<u64, Vec<String>>> = BTreeMap::new();
        for part in fs::read_dir(folder.path().join("history")).unwrap() {
            for row in table(&part.unwrap().path()) {
                let [replica, round] = [0, 1].map(|column| row[column].parse::<u64>().unwrap());
                let twice = histories.entry(replica).or_default().insert(round, row[2..].to_vec());
                assert_eq!(twice, None, "round {round} of replica {replica} is there once");
            }
        }
        assert!(histories.keys().copied().eq(0..voters), "{voters} subtasks write down what they see");
        let history = &histories[&0];
        assert!(histories.values().all(|other| other == history), "all see the same");
        assert!(history.keys().copied().eq(0..rounds), "all rounds are decided");
        for (round, row) in history {
            let [decided, counted, latest, writer] = &row[..] else { panic!("{row:?}") };
            let votes: Vec<f64> =
                counted.split(' ').map(|voter| observed[&(*round, voter.to_owned())]).collect();
            assert!(votes.len() as u64 >= quorum, "round {round}: {row:?}");
            assert_eq!(decided.parse::<f64>().unwrap(), tallied(rule, votes), "round {round}: {row:?}");
            let written = observed[&(*round, writer.clone())];
            assert_eq!(latest.parse::<f64>().unwrap(), written, "round {round}: {row:?}");
        }
    }
}

#[test]
fn an_input_that_is_not_there_is_named() {
    let output = finish(Command::new(env!("CARGO_BIN_EXE_watershed")).args([
        "run",
        "word-count",
        "--set",
        "input=no/such/text",
    ]));
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("no/such/text"));
}
