//! The checkers, and what they say: the crate `adya` of Elle's form of a history, and a program of a few lines that shares
//! nothing with either, `tests/judge/causal_history.py`, of Plume's.
//!
//! SUBTLE: between two transactions `adya` sees one dependency at most, and a missed update before the order of a session. So it
//! overlooks what comes to light by a session that reads a part and appends to it in its very next step. The judge does not.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use adya::{Opts, Report, Valid, Workload, check};

use crate::clients::told::Told;

/// What causal consistency forbids, and with each whatever implies it. See the module of the tests. The last two are what the
/// checker says of what is no history at all; where nobody asks for them, it finds nothing wrong with it.
const FORBIDDEN: [&str; 6] = [
    "G1-process",
    "G-single-item-process",
    "internal",
    "duplicate-elements",
    "duplicate-appends",
    "unexpected-txn-micro-op-types",
];

/// A history with fewer transactions says nothing: its run ended as it began.
const DONE_MIN: usize = 20;

/// How long the checker may look for a cycle. Where it gives up, there is no verdict.
const PATIENCE: Duration = Duration::from_secs(900);

/// What the checker says of all runs of a job together.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// How many histories there are.
    pub(crate) histories: usize,
    /// How many transactions were done in them.
    pub(crate) done: usize,
    /// What `adya` has found of what is forbidden.
    pub(crate) anomalies: BTreeSet<String>,
    /// What the judge has found of patterns that make a history bad.
    pub(crate) patterns: BTreeSet<String>,
    /// How many histories the checker could say nothing of.
    pub(crate) unknown: usize,
    /// One of the anomalies, explained.
    pub(crate) explained: Option<String>,
}

impl Verdict {
    /// Of the histories of all runs.
    pub(crate) fn of(histories: &[(u64, Told)]) -> Verdict {
        let mut verdict = Verdict::default();
        for (run, told) in histories.iter().filter(|(_, told)| told.done() > DONE_MIN) {
            if let Some(folder) = std::env::var_os("HISTORIES") {
                told.keep(&Path::new(&folder).join("history"), *run).unwrap();
            }
            verdict.judge(told);
        }
        verdict
    }

    fn judge(&mut self, told: &Told) {
        let report = anomalies(told);
        self.histories += 1;
        self.done += told.done();
        self.unknown += usize::from(report.valid == Valid::Unknown);
        let first = report.anomalies.values().flatten().next();
        self.explained = self.explained.take().or(first.map(|anomaly| anomaly.explanation.clone()));
        if report.valid == Valid::False {
            self.anomalies.extend(report.anomaly_types);
        }
        self.patterns.extend(patterns(told));
    }

    /// Demands that so much was done, and that nothing forbidden was told.
    #[track_caller]
    pub(crate) fn expect_causal(&self, done_min: usize) {
        assert!(self.anomalies.is_empty() && self.unknown == 0 && self.patterns.is_empty(), "{self:?}");
        assert!(self.done >= done_min, "too little was done: {self:?}");
    }
}

/// What `adya` finds.
fn anomalies(told: &Told) -> Report {
    let parsed = adya::History::from_json(&told.elle()).unwrap();
    let anomalies = FORBIDDEN.map(str::to_owned).into();
    let opts = Opts { models: Vec::new(), anomalies, timeout: PATIENCE, ..Opts::default() };
    check(&parsed, Workload::ListAppend, &opts)
}

/// The bad patterns that the judge finds.
fn patterns(told: &Told) -> BTreeSet<String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), told.plume()).unwrap();
    let judge = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judge/causal_history.py");
    let judged = Command::new("python3").arg(judge).arg(file.path()).output();
    let judged = judged.expect("python3 judges the histories: install it, and see that it is in PATH");
    let (said, trouble) = (String::from_utf8_lossy(&judged.stdout), String::from_utf8_lossy(&judged.stderr));
    assert!(matches!(judged.status.code(), Some(0 | 1)) && trouble.is_empty(), "{trouble}");
    assert_eq!(judged.status.success(), said.is_empty(), "{said}");
    said.lines().filter_map(|line| Some(line.split_once(':')?.0.to_owned())).collect()
}

/// Histories by hand: who has done what, in its order.
#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::clients::history::{self, Fate, Heritage, History, Step};
    use crate::clients::lists::{List, Part};

    fn part(list: u64, writer: u64) -> Part {
        List::of(1, list, 8).part(writer)
    }

    /// One of a run in which each of these transactions was done.
    fn history(run: u64, steps: &[(u64, Vec<Step>)]) -> History {
        let history = History::default();
        for (process, steps) in steps {
            history.note(*process, Fate::Invoked, steps.clone());
            history.note(*process, Fate::Done, steps.clone());
        }
        // So that it is long enough to be looked at.
        let other = List::of(run, 6, 8).part(6);
        for element in 1..31 {
            history.note(9, Fate::Invoked, vec![append(other, element)]);
            history.note(9, Fate::Done, vec![append(other, element)]);
        }
        history
    }

    /// Of runs that follow each other.
    fn of(histories: Vec<History>) -> Verdict {
        let histories: BTreeMap<u64, Arc<History>> = (1..).zip(histories.into_iter().map(Arc::new)).collect();
        Verdict::of(&history::told(&histories))
    }

    fn told(steps: &[(u64, Vec<Step>)]) -> Verdict {
        of(vec![history(1, steps)])
    }

    /// Both find it, each in its own words.
    #[track_caller]
    fn caught(verdict: &Verdict, anomaly: &str, pattern: &str) {
        let is_caught = verdict.anomalies.contains(anomaly) && verdict.patterns.contains(pattern);
        assert!(is_caught, "{verdict:?}");
    }

    fn append(part: Part, element: u64) -> Step {
        Step::Append { part, element }
    }

    fn read(part: Part, elements: &[u64]) -> Step {
        Step::Read { part, elements: Some(elements.to_vec()) }
    }

    #[test]
    fn a_session_that_does_not_read_its_own_append_is_caught() {
        let own = part(0, 0);
        let steps = [(1, vec![append(own, 1)]), (1, vec![read(own, &[])]), (2, vec![read(own, &[1])])];
        caught(&told(&steps), "G-single-item-process", "WriteCOInitRead");
    }

    #[test]
    fn a_session_that_has_seen_an_effect_and_not_its_cause_is_caught() {
        let (cause, effect) = (part(0, 0), part(1, 0));
        let steps = [
            (1, vec![append(cause, 1)]),
            (1, vec![append(effect, 1)]),
            (2, vec![read(effect, &[1])]),
            (2, vec![read(cause, &[])]),
            (3, vec![read(cause, &[1])]),
        ];
        caught(&told(&steps), "G-single-item-process", "WriteCOInitRead");
    }

    #[test]
    fn a_list_that_shows_an_effect_of_one_writer_and_not_its_cause_by_another_is_caught() {
        let (cause, effect) = (part(2, 2), part(2, 1));
        let steps = |rest: &[(u64, Vec<Step>)]| {
            let first = [(2, vec![append(cause, 1)]), (1, vec![read(cause, &[1]), read(effect, &[])])];
            let last = [(1, vec![append(effect, 1)]), (3, vec![read(cause, &[]), read(effect, &[1])])];
            [&first, rest, &last].concat()
        };
        let between = [(1, vec![append(part(1, 1), 1)])];
        caught(&told(&steps(&between)), "G-single-item-process", "WriteCOInitRead");
        let overlooked = told(&steps(&[]));
        assert!(overlooked.anomalies.is_empty() && overlooked.patterns.contains("WriteCOInitRead"));
    }

    #[test]
    fn what_is_no_history_is_refused() {
        let own = part(0, 0);
        let parts = [(1, vec![append(own, 1)]), (2, vec![append(own, 1)])];
        let told = history(1, &parts).told(None);
        assert!(anomalies(&told).anomaly_types.contains(&"duplicate-appends".to_owned()));
    }

    #[test]
    fn two_readers_may_meet_what_two_writers_append_in_either_order() {
        let (one, other) = (part(2, 2), part(2, 1));
        let steps = [
            (1, vec![append(one, 1)]),
            (2, vec![append(other, 1)]),
            (3, vec![read(one, &[1]), read(other, &[])]),
            (4, vec![read(one, &[]), read(other, &[1])]),
        ];
        told(&steps).expect_causal(4);
    }

    #[test]
    fn reads_that_go_back_are_caught() {
        let list = part(0, 0);
        let steps = [(1, vec![append(list, 1)]), (2, vec![read(list, &[1])]), (2, vec![read(list, &[])])];
        caught(&told(&steps), "G-single-item-process", "WriteCOInitRead");
    }

    #[test]
    fn two_sessions_may_each_miss_what_the_other_does_at_the_same_time() {
        let (one, other) = (part(0, 0), part(1, 1));
        let steps = [
            (1, vec![append(one, 1)]),
            (2, vec![append(other, 1)]),
            (1, vec![read(other, &[])]),
            (2, vec![read(one, &[])]),
            (3, vec![read(one, &[1])]),
            (3, vec![read(other, &[1])]),
        ];
        told(&steps).expect_causal(6);
    }

    #[test]
    fn what_a_run_has_left_undone_must_not_be_read_in_the_next() {
        let (own, now) = (part(0, 0), List::of(2, 0, 8).part(0));
        let verdict = |elements: &[u64]| {
            let before = history(1, &[(1, vec![append(own, 1)]), (1, vec![append(own, 2)])]);
            let after =
                history(2, &[(1, vec![append(own, 1), append(now, 1)]), (2, vec![read(own, elements)])]);
            after.inherit(Heritage { run: 1, parts: BTreeMap::from([(own, vec![1])]) });
            of(vec![before, after])
        };
        verdict(&[1]).expect_causal(4);
        caught(&verdict(&[1, 2]), "G1a", "AbortedRead");
    }
}
