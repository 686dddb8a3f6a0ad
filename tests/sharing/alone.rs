//! Both pipelines in one process, as their readers run them first.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::job::judged;
use crate::process::{Process, watershed};

/// Runs a pipeline in a folder of its own, and returns that.
fn run(pipeline: &str, parallelism: u32, set: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    let parallelism = parallelism.to_string();
    let mut command = watershed(folder.path(), &["run", pipeline, "--quiet", "--parallelism", &parallelism]);
    command.args(["--set", "output=."]);
    command.args(set.iter().flat_map(|set| ["--set", set]));
    Process::start(&mut command).end().expect_done(pipeline);
    folder
}

/// The lines of a file, sorted.
fn lines(folder: &Path, file: &str) -> Vec<String> {
    let text = fs::read_to_string(folder.join(file)).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn inventory_adds_up_to_the_same_at_every_parallelism() {
    let first = run("inventory", 1, &["orders=5000"]);
    assert_eq!(lines(first.path(), "report.csv").len(), 21, "a header and 20 articles");
    for parallelism in [1, 2, 5] {
        let folder = run("inventory", parallelism, &["orders=5000"]);
        let found = judged("inventory.py", folder.path(), &[("orders", 5000)]);
        assert!(found["reserved"] > 50, "there are reservations: {found:?}");
        assert_eq!((found["lost"], found["doubled"], found["different"]), (0, 0, 0), "{found:?}");
        assert_eq!(lines(folder.path(), "report.csv"), lines(first.path(), "report.csv"));
    }
}

#[test]
fn live_rules_decides_each_payment_once_by_a_rule_that_was_in_force() {
    let options = [("records", 6000), ("changes", 60)];
    let mut before = None;
    let mut decide = |parallelism, rate: &str| {
        let folder = run("live-rules", parallelism, &["records=6000", "changes=60", rate]);
        let found = judged("live_rules.py", folder.path(), &options);
        assert_eq!(found.values().sum::<u64>(), found["decisions"], "{found:?}");
        // By which version a payment is decided depends on when it comes, but not what each version says.
        let rules = lines(folder.path(), "rules.csv");
        assert_eq!(*before.get_or_insert_with(|| rules.clone()), rules);
        let decided: Vec<String> = lines(folder.path(), "decisions.csv");
        decided.iter().filter(|line| !line.ends_with(",,false")).count()
    };
    for parallelism in [1, 3] {
        // Where a thread has to wait for a processor, many payments come before the first rule.
        let mut rates = ["rate=6000", "rate=1000", "rate=200"].into_iter();
        assert!(rates.any(|rate| decide(parallelism, rate) > 3000), "most are decided by a rule");
    }
}
