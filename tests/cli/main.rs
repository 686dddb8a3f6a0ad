//! The command line of the stock binary, as a person or a script meets it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use serde_json::Value;

mod checkpoints;
mod failures;
mod lasting;
mod place;
mod requests;
mod states;

use place::{Ended, Place, refused, run};

#[test]
fn a_run_prints_its_records_on_standard_output_and_its_summary_on_standard_error() {
    let ended = run(&["run", "hello", "--set", "name=you", "--set", "times=2"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(lines(&ended.out), ["hello you, number 1", "hello you, number 2"]);
    // How far it has come is told before that, where the run takes its time.
    let summary = ended.err.lines().find(|line| !line.contains(", watermark "));
    assert!(summary.is_some_and(|line| line.starts_with("hello: done in ")), "{ended:?}");
    assert!(ended.err.contains("2 records read"), "{ended:?}");
    assert!(ended.err.contains("late: 0, dead letters: 0"), "{ended:?}");
}

fn lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn quiet_leaves_the_records_alone() {
    let ended = run(&["run", "hello", "--quiet", "--set", "times=1"]);
    assert_eq!(
        (ended.out.as_str(), ended.err.as_str(), ended.code),
        ("hello stream, number 1\n", "", Some(0))
    );
}

#[test]
fn a_run_without_dead_letters_leaves_no_file_for_them() {
    let place = Place::new();
    assert_eq!(place.run(&["run", "hello"]).code, Some(0));
    assert!(!place.path().join("dead-letters").exists());
}

#[test]
fn the_json_summary_is_the_last_line_of_standard_output() {
    let ended = run(&["run", "hello", "--json", "--set", "times=5"]);
    let summary = ended.json();
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert_eq!(summary["end"], "complete");
    assert_eq!(summary["records_read"], 5);
    assert_eq!(summary["sources"][0]["records"], 5);
    assert_eq!(summary["sinks"][0]["records"], 5);
    assert_eq!(summary["sinks"].as_array().unwrap().len(), 1, "the dead letters' own sink is not counted");
    assert_eq!(summary["dead_letters_kept"], Value::Null);
}

#[test]
fn pipelines_are_listed_with_parameters_and_defaults() {
    let ended = run(&["pipelines"]);
    assert_eq!(ended.code, Some(0));
    assert!(ended.out.contains("hello: "), "{ended:?}");
    assert!(ended.out.contains("    --set name=stream\n    --set times=3\n"), "{ended:?}");
    let listed = run(&["pipelines", "--json"]).json();
    let hello = listed["pipelines"].as_array().unwrap().iter().find(|one| one["name"] == "hello").unwrap();
    assert_eq!(hello["parameters"][1], serde_json::json!({ "name": "times", "default": "3" }));
}

#[test]
fn a_plan_is_shown_as_text_as_a_graph_and_as_json() {
    let text = run(&["plan", "hello"]);
    assert!(text.out.starts_with("hello (128 key groups, fingerprint "), "{text:?}");
    let dot = run(&["plan", "hello", "--dot"]);
    assert!(dot.out.starts_with("digraph \"hello\" {\n"), "{dot:?}");
    assert!(dot.out.trim_end().ends_with('}'), "{dot:?}");
    let json = run(&["plan", "hello", "--json", "--parallelism", "3"]).json();
    assert_eq!(json["vertices"][0]["parallelism"], 3);
    assert_eq!(json["vertices"][0]["operators"][0]["kind"], "source");
    assert!(text.out.contains(json["fingerprint"].as_str().unwrap()));
}

#[test]
fn whatever_remembers_something_in_an_example_has_a_uid_of_its_own() {
    let stateless = ["map", "filter", "flat-map", "inspect", "event-times"];
    let listed = run(&["pipelines", "--json"]).json();
    for pipeline in listed["pipelines"].as_array().unwrap() {
        let name = pipeline["name"].as_str().unwrap();
        let plan = run(&["plan", name, "--json"]).json();
        let vertices = plan["vertices"].as_array().unwrap();
        for operator in vertices.iter().flat_map(|vertex| vertex["operators"].as_array().unwrap()) {
            let (uid, kind) = (operator["uid"].as_str().unwrap(), operator["kind"].as_str().unwrap());
            let numbered = uid.strip_prefix(kind).is_some_and(|rest| rest.starts_with('-'));
            assert!(!numbered || stateless.contains(&kind), "{name}: {uid} is a number, and no name");
        }
    }
}

#[test]
fn an_unknown_pipeline_or_parameter_is_answered_with_the_nearest_known_one() {
    let place = Place::new();
    let error = refused(&place, &["run", "helo"]);
    assert!(error.contains("there is no pipeline \"helo\", did you mean \"hello\"?"), "{error}");
    let error = refused(&place, &["plan", "hello", "--set", "tiems=3"]);
    assert_eq!(error, "error: --set: there is no \"tiems\", did you mean \"times\"?\n");
    let error = refused(&place, &["run", "hello", "--set", "times=many"]);
    assert!(error.starts_with("error: --set: times=\"many\": expected a whole number"), "{error}");
    let error = refused(&place, &["run", "hello", "--set", "times"]);
    assert_eq!(error, "error: --set times: write --set times=VALUE\n");
}

#[test]
fn parallelism_lies_between_one_and_the_key_groups() {
    let place = Place::new();
    assert!(refused(&place, &["run", "hello", "--parallelism", "0"]).contains("at least 1"));
    assert!(
        refused(&place, &["run", "hello", "--parallelism", "129"])
            .contains("between 1 and the 128 key groups")
    );
    assert_eq!(place.run(&["run", "hello", "--parallelism", "7"]).code, Some(0));
}

#[test]
fn what_becomes_of_a_poisonous_record_is_checked_before_anything_runs() {
    let place = Place::new();
    let error = refused(&place, &["run", "hello", "--poison", "quarantine"]);
    assert!(error.contains("--poison needs a state directory: add --state-dir DIR"), "{error}");
    let error = refused(&place, &["run", "hello", "--state-dir", "state", "--poison", "bury"]);
    assert!(error.contains("--poison: policy=\"bury\": ") && error.contains("quarantine"), "{error}");
    place.write("wrong.toml", "[poison]\nmax_attemps = 2\n");
    let error = refused(&place, &["run", "hello", "--config", "wrong.toml"]);
    assert!(
        error.contains("[poison]: there is no \"max_attemps\", did you mean \"max_attempts\"?"),
        "{error}"
    );
    let none = place.command(&["run", "hello"]).env("WATERSHED_POISON_MAX_ATTEMPTS", "0").output();
    let none = Ended::of(none.expect(place::STARTS));
    assert_eq!(none.code, Some(2), "{none:?}");
    assert!(none.err.contains("[poison] max_attempts is 0: it must be at least 1"), "{none:?}");
    place.write("right.toml", "[poison]\npolicy = \"quarantine\"\nmax_attempts = 2\nquarantine_max = 5\n");
    let flags = ["--config", "right.toml", "--state-dir", "state", "--poison", "quarantine"];
    assert_eq!(place.run(&[&["run", "hello"], &flags[..]].concat()).code, Some(0));
}

#[test]
fn errors_are_told_in_json_where_json_was_asked_for() {
    let ended = run(&["run", "helo", "--json"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(2), ""));
    assert_eq!(ended.json()["exit_code"], 2);
    assert!(ended.json()["error"].as_str().unwrap().contains("did you mean \"hello\"?"));
    let ended = run(&["rnu", "--json"]);
    assert_eq!((ended.code, ended.json()["exit_code"].as_i64()), (Some(2), Some(2)));
}

#[test]
fn control_characters_in_a_message_are_escaped() {
    let error = refused(&Place::new(), &["run", "hello", "--set", "times=\u{1b}[2J\nerror: forged"]);
    assert!(!error.trim_end().contains(['\u{1b}', '\n']), "{error:?}");
}

#[test]
fn the_later_setting_wins_file_then_environment_then_flag() {
    let place = Place::new();
    let read = |ended: Ended| ended.json()["records_read"].as_i64();
    place.write("watershed.toml", "json = true\n[pipelines.hello]\ntimes = 4\n");
    assert_eq!(read(place.run(&["run", "hello"])), Some(4));
    let variable = [("WATERSHED_SET_TIMES", "5")];
    assert_eq!(read(place.run_with(&variable, &["run", "hello"])), Some(5));
    assert_eq!(read(place.run_with(&variable, &["run", "hello", "--set", "times=6"])), Some(6));
    place.write("other.toml", "json = true\n[pipelines.hello]\ntimes = 7\n");
    assert_eq!(read(place.run(&["run", "hello", "--config", "other.toml"])), Some(7));
    assert_eq!(read(place.run_with(&[("WATERSHED_CONFIG", "other.toml")], &["run", "hello"])), Some(7));
}

#[test]
fn the_runtime_limits_have_their_names_in_file_and_environment() {
    let place = Place::new();
    place.write("watershed.toml", "[runtime]\nparallelism = 3\nflush_after = \"2ms\"\nkey_groups = 16\n");
    let plan = place.run(&["plan", "hello", "--json"]).json();
    assert_eq!((&plan["key_groups"], &plan["vertices"][0]["parallelism"]), (&16.into(), &3.into()));
    let plan = place.run_with(&[("WATERSHED_PARALLELISM", "4")], &["plan", "hello", "--json"]).json();
    assert_eq!(plan["vertices"][0]["parallelism"], 4);
    assert!(refused(&place, &["run", "hello", "--parallelism", "17"]).contains("the 16 key groups"));
}

#[test]
fn the_limits_of_checkpoints_have_their_names_in_file_and_environment() {
    let place = Place::new();
    let kept = |ended: Ended| {
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let listing = place.run(&["checkpoint", "list", "state", "--json"]).json();
        std::fs::remove_dir_all(place.path().join("state")).expect("the directory is ours");
        listing["checkpoints"].as_array().map(Vec::len)
    };
    place.write("watershed.toml", "[checkpoints]\ninterval = \"1ms\"\nretain = 1\n");
    let quietly = |times: &str, variables: &[(&str, &str)]| {
        let mut command = place.command(&["run", "hello", "--quiet", "--set", times, "--state-dir", "state"]);
        command.envs(variables.iter().copied()).stdout(Stdio::null());
        Ended::of(command.output().unwrap())
    };
    assert_eq!(kept(quietly("times=1000000", &[])), Some(1));
    // A run that has time for its last checkpoint alone is tried again, longer.
    let two = |times| kept(quietly(times, &[("WATERSHED_CHECKPOINT_RETAIN", "2")])) == Some(2);
    assert!(["times=1000000", "times=10000000"].into_iter().any(two), "not two are kept");
    let says = |text: &str, expected: &str| {
        place.write("watershed.toml", text);
        assert_eq!(refused(&place, &["run", "hello"]), format!("error: {expected}\n"));
    };
    says("[checkpoints]\nretain = 0", "[checkpoints] retain is 0: it must be at least 1");
    says("[checkpoints]\ntimeout = \"0s\"", "[checkpoints] timeout is 0: write a duration, as 1s");
    says(
        "[checkpoints]\nretian = 2",
        "watershed.toml [checkpoints]: there is no \"retian\", did you mean \"retain\"?",
    );
    place.write("watershed.toml", "");
    for flag in [&["--checkpoint-interval", "1s"][..], &["--from-savepoint", "1"], &["--allow-other-plan"]] {
        let told = refused(&place, &[&["run", "hello"], flag].concat());
        assert_eq!(told, format!("error: {} needs a state directory: add --state-dir DIR\n", flag[0]));
    }
}

#[test]
fn the_log_has_no_colours_where_nobody_sees_them() {
    let logged = Place::new().run_with(&[("RUST_LOG", "info")], &["run", "hello"]);
    assert!(logged.err.contains("the run has begun"), "{logged:?}");
    assert!(!logged.err.contains('\u{1b}'), "{logged:?}");
}

#[test]
fn a_wrong_setting_is_named_with_its_place_and_the_nearest_known_one() {
    let place = Place::new();
    let says = |text: &str, expected: &str| {
        place.write("watershed.toml", text);
        let error = refused(&place, &["run", "hello"]);
        assert_eq!(error, format!("error: {expected}\n"));
    };
    says("quite = true", "watershed.toml: there is no \"quite\", did you mean \"quiet\"?");
    says(
        "[runtime]\nparalelism = 2",
        "watershed.toml [runtime]: there is no \"paralelism\", did you mean \"parallelism\"?",
    );
    says("[pipelines.helo]", "watershed.toml [pipelines]: there is no \"helo\", did you mean \"hello\"?");
    says(
        "[pipelines.hello]\nnmae = \"you\"",
        "watershed.toml [pipelines.hello]: there is no \"nmae\", did you mean \"name\"?",
    );
    says("[runtime]\nbatch_records = 0", "batch_records is 0: it must be at least 1");
    place.write("watershed.toml", "[runtime]\nparallelism = = 2");
    assert!(refused(&place, &["run", "hello"]).starts_with("error: watershed.toml line 2: "));
    assert!(refused(&place, &["run", "hello", "--config", "none.toml"]).contains("none.toml cannot be read"));
}

#[test]
fn an_unknown_variable_is_answered_with_the_nearest_known_one() {
    let ended = Place::new().run_with(&[("WATERSHED_PARALELISM", "2")], &["run", "hello"]);
    assert_eq!(ended.code, Some(2));
    let expected = "there is no \"WATERSHED_PARALELISM\", did you mean \"WATERSHED_PARALLELISM\"?";
    assert!(ended.err.contains(expected), "{ended:?}");
}

#[test]
fn an_output_that_cannot_be_written_is_found_before_the_start() {
    let ended = run(&["run", "hello", "--dead-letters", "/dev/null/letters.jsonl"]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{ended:?}");
    assert!(ended.err.starts_with("error: the job did not start: dead-letters: "), "{ended:?}");
    assert!(ended.err.contains("/dev/null"), "{ended:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_job_that_fails_on_the_way_exits_with_one() {
    let full = Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    let output = Place::new().command(&["run", "hello"]).stdout(full).output().unwrap();
    let ended = Ended::of(output);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("error: operator "), "{ended:?}");
}

#[test]
fn every_command_has_a_help_with_an_example() {
    for command in ["run", "pipelines", "plan", "checkpoint", "state", "savepoint", "cancel", "wait"] {
        let ended = run(&[command, "--help"]);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
        assert!(ended.out.contains(&format!("  watershed {command}")), "{ended:?}");
    }
    let ended = run(&["--help"]);
    assert!(ended.out.contains("Exit codes: 0 done"), "{ended:?}");
    assert_eq!(run(&[]).code, Some(2));
}

#[cfg(unix)]
#[test]
fn the_first_signal_finishes_what_has_been_read() {
    for signal in ["-INT", "-TERM"] {
        let place = Place::new();
        let mut child = place
            .command(&["run", "hello", "--set", "times=1000000000000000"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut String::new()).unwrap();
        let pid = child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let mut rest = Vec::new();
        out.read_to_end(&mut rest).unwrap();
        assert_eq!(rest.last(), Some(&b'\n'), "the last line is whole");
        let ended = Ended::of(child.wait_with_output().unwrap());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.err.contains("stopping: finishing what has been read"), "{ended:?}");
        assert!(ended.err.contains("hello: cancelled after "), "{ended:?}");
    }
}

#[cfg(unix)]
#[test]
fn the_second_signal_ends_a_job_that_does_not_end_by_itself() {
    let place = Place::new();
    let mut child = place
        .command(&["run", "hello", "--set", "times=1000000000000000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    // Nobody reads on: the sink stands in a full pipe and cannot finish.
    let pid = child.id().to_string();
    let interrupt = || assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    interrupt();
    // What is before it tells how far a run has come that takes its time.
    let mut err = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(err.any(|line| line.starts_with("stopping: ")), "it does not say that it stops");
    interrupt();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
