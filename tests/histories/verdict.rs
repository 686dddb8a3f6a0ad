//! The checker, and what it says.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use adya::{Opts, Valid, Workload, check};

use crate::history::History;

/// What causal consistency forbids, and with each whatever implies it. See the module of the tests.
const FORBIDDEN: [&str; 4] = ["G1-process", "G-single-item-process", "internal", "duplicate-elements"];

/// How long the checker may look for a cycle. Where it gives up, there is no verdict.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the checker says of all runs of a job together.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// How many histories there are.
    pub(crate) histories: usize,
    /// How many transactions were done in them.
    pub(crate) done: usize,
    /// What was found of what is forbidden.
    pub(crate) anomalies: BTreeSet<String>,
    /// How many histories the checker could say nothing of.
    pub(crate) unknown: usize,
    /// One of the anomalies, explained.
    pub(crate) explained: Option<String>,
}

impl Verdict {
    pub(crate) fn of<'a>(histories: impl Iterator<Item = &'a Arc<History>>) -> Verdict {
        let mut verdict = Verdict::default();
        // A run that ended as it began says nothing.
        for (number, history) in histories.filter(|history| history.done() > 20).enumerate() {
            keep(history, number);
            let parsed = adya::History::from_json(&history.elle()).unwrap();
            let anomalies = FORBIDDEN.map(str::to_owned).into();
            let opts = Opts { models: Vec::new(), anomalies, timeout: PATIENCE, ..Opts::default() };
            let report = check(&parsed, Workload::ListAppend, &opts);
            verdict.histories += 1;
            verdict.done += history.done();
            verdict.unknown += usize::from(report.valid == Valid::Unknown);
            let first = report.anomalies.values().flatten().next();
            verdict.explained = verdict.explained.or(first.map(|anomaly| anomaly.explanation.clone()));
            if report.valid == Valid::False {
                verdict.anomalies.extend(report.anomaly_types);
            }
        }
        verdict
    }

    /// Demands that so much was done, and that nothing forbidden was told.
    #[track_caller]
    pub(crate) fn expect_causal(&self, done_min: usize) {
        assert!(self.anomalies.is_empty() && self.unknown == 0, "{self:?}");
        assert!(self.done >= done_min, "too little was done: {self:?}");
    }
}

/// Keeps a history for other checkers in the folder that `HISTORIES` names, if it names one.
fn keep(history: &History, number: usize) {
    let Some(folder) = std::env::var_os("HISTORIES").map(PathBuf::from) else { return };
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("{number}.elle.json")), history.elle()).unwrap();
    fs::write(folder.join(format!("{number}.plume.txt")), history.plume()).unwrap();
}

/// A history by hand: who has done what, in its order.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Fate, Step};

    fn told(steps: &[(u64, Step)]) -> Verdict {
        let history = History::default();
        for (process, step) in steps {
            history.note(*process, Fate::Invoked, vec![step.clone()]);
            history.note(*process, Fate::Done, vec![step.clone()]);
        }
        // So that it is long enough to be looked at.
        for element in 0..30 {
            history.note(9, Fate::Invoked, vec![append(99, element)]);
            history.note(9, Fate::Done, vec![append(99, element)]);
        }
        Verdict::of([Arc::new(history)].iter())
    }

    fn append(list: u64, element: u64) -> Step {
        Step::Append { list, element }
    }

    fn read(list: u64, elements: &[u64]) -> Step {
        Step::Read { list, elements: Some(elements.to_vec()) }
    }

    #[test]
    fn a_session_that_does_not_read_its_own_append_is_caught() {
        let steps = [(1, append(7, 1)), (1, read(7, &[])), (2, read(7, &[1]))];
        assert!(told(&steps).anomalies.contains("G-single-item-process"), "{:?}", told(&steps));
    }

    #[test]
    fn a_session_that_has_seen_an_effect_and_not_its_cause_is_caught() {
        let steps =
            [(1, append(7, 1)), (1, append(8, 1)), (2, read(8, &[1])), (2, read(7, &[])), (3, read(7, &[1]))];
        assert!(told(&steps).anomalies.contains("G-single-item-process"), "{:?}", told(&steps));
    }

    #[test]
    fn reads_that_go_back_are_caught() {
        let steps = [(1, append(7, 1)), (2, read(7, &[1])), (2, read(7, &[]))];
        assert!(!told(&steps).anomalies.is_empty());
    }

    #[test]
    fn two_sessions_may_each_miss_what_the_other_does_at_the_same_time() {
        let reads = [(1, read(8, &[])), (2, read(7, &[])), (3, read(7, &[1])), (3, read(8, &[1]))];
        let steps = [&[(1, append(7, 1)), (2, append(8, 1))][..], &reads].concat();
        told(&steps).expect_causal(6);
    }
}
