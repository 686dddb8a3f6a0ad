//! A pipeline that shares state, as a job of a cluster, and what its judge says.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::nodes::Nodes;

/// What a judge has found, by its words.
pub(crate) type Found = BTreeMap<String, u64>;

/// Lets the judge of a pipeline look at what was written, with these options.
pub(crate) fn judged(judge: &str, output: &Path, options: &[(&str, u64)]) -> Found {
    let judge = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judge").join(judge);
    let mut command = Command::new("python3");
    command.arg("-B").arg(judge).arg(output);
    command.args(options.iter().map(|(name, value)| format!("--{name}={value}")));
    let said = command.output().expect("python3 can be run; install it to run the judges");
    let text = String::from_utf8(said.stdout).unwrap();
    let errors = String::from_utf8_lossy(&said.stderr);
    assert!(!text.is_empty(), "the judge has no verdict: {errors}");
    let pair = |pair: &str| {
        let (what, count) = pair.trim().rsplit_once(' ').unwrap();
        (what.to_owned(), count.parse().unwrap())
    };
    let found: Found = text.split(',').map(pair).collect();
    let wrong = found
        .iter()
        .any(|(what, count)| !["decisions", "orders", "reserved"].contains(&&**what) && *count > 0);
    assert_eq!(said.status.success(), !wrong, "the exit code says what the line says: {text}{errors}");
    found
}

/// Submits a pipeline with these parameters, on one slot of each of three nodes.
pub(crate) fn submit(nodes: &Nodes, pipeline: &str, name: &str, set: &[(&str, &str)]) {
    let mut arguments = vec!["submit", pipeline, "--name", name, "--parallelism", "3"];
    arguments.extend(["--checkpoint-interval", "200ms"]);
    let set: Vec<String> = set.iter().map(|(name, value)| format!("{name}={value}")).collect();
    set.iter().for_each(|set| arguments.extend(["--set", set]));
    nodes.command(&arguments);
}

/// How a job stands, if anybody can say.
pub(crate) fn standing(nodes: &Nodes, job: &str) -> Option<Value> {
    let said = nodes.ask(&format!("/api/v1/jobs/{job}"))?;
    let failed = said["state"] == "failed" || said["state"] == "cancelled";
    assert!(!failed, "{job} has failed: {said}\n{}", nodes.said());
    Some(said)
}

/// Waits until a job stands as is wanted.
#[track_caller]
pub(crate) fn wait_for(nodes: &Nodes, job: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    nodes.wait_for(&format!("{what} of {job}"), || standing(nodes, job).filter(|standing| wanted(standing)))
}

/// Waits for the end of a job.
#[track_caller]
pub(crate) fn finished(nodes: &Nodes, job: &str) {
    wait_for(nodes, job, "the end", |standing| standing["state"] == "finished");
}
