//! What a rehearsal has shown.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::fault::Kind;
use crate::judge::Verdict;
use crate::samples::Sample;
use crate::schedule::Act;

/// What a rehearsal has shown.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The pipeline.
    pub pipeline: String,
    /// How many nodes there were.
    pub nodes: usize,
    /// What decided about the faults.
    pub seed: u64,
    /// Whether everything is as it would be if nobody had hurt it.
    pub held: bool,
    /// The command that does the same again.
    pub command: String,
    /// How long it took, with the judgement.
    pub elapsed_seconds: f64,
    /// What was done.
    pub faults: Vec<Fault>,
    /// How long it took to be back, by kind.
    pub recovery: BTreeMap<String, Recovery>,
    /// What became of each job.
    pub jobs: Vec<Verdict>,
    /// How many checkpoints were seen to be completed.
    pub checkpoints_completed: usize,
    /// How many of them were proved.
    pub checkpoints_proved: usize,
    /// How often a node ended that nobody had killed.
    pub deaths: Vec<String>,
    /// Panics that nobody has caught.
    pub panics: Vec<String>,
    /// All that is wrong, for people to read.
    pub wrong: Vec<String>,
    /// What the nodes took up.
    pub samples: Vec<Sample>,
}

/// A harm that was done.
#[derive(Clone, Debug, Serialize)]
pub struct Fault {
    /// As it was planned.
    #[serde(flatten)]
    pub act: Act,
    /// When it was done, in seconds from the begin of the first job.
    pub at_seconds: f64,
    /// To whom, where the plan left that open, and how.
    pub detail: String,
    /// How long it took from then to the next checkpoint that began behind it and was completed; none where the job came
    /// to its end before.
    pub recovery_seconds: Option<f64>,
}

/// How long it took to be back from the faults of a kind, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Recovery {
    /// How many there were.
    pub count: usize,
    /// The longest of 50 in 100.
    pub p50_seconds: f64,
    /// The longest of 99 in 100.
    pub p99_seconds: f64,
}

/// The smallest value that so many in a hundred do not exceed.
fn percentile(sorted: &[f64], hundredths: usize) -> f64 {
    let rank = (sorted.len() * hundredths).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

/// How long it took to be back, by kind, and of all.
pub(crate) fn recovery(faults: &[Fault]) -> BTreeMap<String, Recovery> {
    let mut spans: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for fault in faults {
        if let Some(seconds) = fault.recovery_seconds {
            spans.entry(fault.act.kind.to_string()).or_default().push(seconds);
            spans.entry(ALL.to_owned()).or_default().push(seconds);
        }
    }
    let sum_up = |mut spans: Vec<f64>| {
        spans.sort_unstable_by(f64::total_cmp);
        let (p50_seconds, p99_seconds) = (percentile(&spans, 50), percentile(&spans, 99));
        Recovery { count: spans.len(), p50_seconds, p99_seconds }
    };
    spans.into_iter().map(|(kind, spans)| (kind, sum_up(spans))).collect()
}

/// How much of what is wrong is shown as text.
const WRONG_SHOWN: usize = 20;

/// The name under which all kinds are summed up.
const ALL: &str = "all";

impl Report {
    /// How many faults of a kind were done.
    fn done(&self, kind: Kind) -> usize {
        self.faults.iter().filter(|fault| fault.act.kind == kind).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, seconds) = (self.faults.len(), self.elapsed_seconds);
        let Report { pipeline, nodes, seed, .. } = self;
        writeln!(f, "{pipeline} on {nodes} nodes, seed {seed}: {count} faults in {seconds:.0} s")?;
        writeln!(f, "      AT  FAULT      VICTIM       LASTED     BACK  HOW")?;
        for fault in &self.faults {
            let Fault { act, at_seconds, detail, recovery_seconds } = fault;
            let victim = act.victim.to_string();
            let lasted = act.lasts.as_secs_f64();
            let lasted = if lasted > 0.0 { format!("{lasted:.1} s") } else { String::new() };
            let back = recovery_seconds.map_or("-".to_owned(), |seconds| format!("{seconds:.2} s"));
            writeln!(
                f,
                "{at_seconds:6.1} s  {:<9}  {victim:<11}  {lasted:>6}  {back:>7}  {detail}",
                act.kind
            )?;
        }
        writeln!(f, "FAULT      DONE  P50 BACK  P99 BACK")?;
        let kinds = Kind::ALL.iter().map(|kind| (kind.name(), self.done(*kind)));
        for (kind, done) in kinds.chain([(ALL, count)]).filter(|(_, done)| *done > 0) {
            let [p50, p99] = self.recovery.get(kind).map_or(["-".to_owned(), "-".to_owned()], |recovery| {
                [recovery.p50_seconds, recovery.p99_seconds].map(|seconds| format!("{seconds:.2} s"))
            });
            writeln!(f, "{kind:<9}  {done:>4}  {p50:>8}  {p99:>8}")?;
        }
        for Verdict { job, by, compared, wrong, .. } in &self.jobs {
            let how = if wrong.is_empty() { "as if nobody had hurt it" } else { "not as it should be" };
            writeln!(f, "{job}: {how}, by {by}: {compared}")?;
        }
        let (completed, proved) = (self.checkpoints_completed, self.checkpoints_proved);
        writeln!(f, "checkpoints: {completed} completed, {proved} proved")?;
        for death in &self.deaths {
            writeln!(f, "a node ended by itself: {death}")?;
        }
        for wrong in self.wrong.iter().take(WRONG_SHOWN) {
            writeln!(f, "WRONG: {wrong}")?;
        }
        if self.wrong.len() > WRONG_SHOWN {
            writeln!(f, "WRONG: {} more, see --report", self.wrong.len() - WRONG_SHOWN)?;
        }
        writeln!(f, "{}", if self.held { "held" } else { "NOT HELD" })?;
        write!(f, "again: {}", self.command)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::schedule::Victim;

    fn fault(kind: Kind, recovery_seconds: Option<f64>) -> Fault {
        let (at, lasts) = (Duration::from_secs(1), Duration::from_secs(2));
        let act = Act { number: 1, at, kind, victim: Victim::Node(0), lasts, lot: 0 };
        Fault { act, at_seconds: 1.0, detail: String::new(), recovery_seconds }
    }

    #[test]
    fn recoveries_are_summed_up_by_kind() {
        let mut faults: Vec<Fault> = (1..=100).rev().map(|n| fault(Kind::Kill, Some(f64::from(n)))).collect();
        faults.push(fault(Kind::Flip, Some(1000.0)));
        faults.push(fault(Kind::Cut, None));
        let found = recovery(&faults);
        let kill = Recovery { count: 100, p50_seconds: 50.0, p99_seconds: 99.0 };
        let flip = Recovery { count: 1, p50_seconds: 1000.0, p99_seconds: 1000.0 };
        assert_eq!((found.len(), found["kill"], found["flip"]), (3, kill, flip));
        assert_eq!((found["all"].count, found["all"].p99_seconds), (101, 100.0));
    }
}
