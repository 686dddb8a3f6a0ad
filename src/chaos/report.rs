//! What a rehearsal has shown.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::fault::Kind;
use crate::home::Home;
use crate::judge::Verdict;
use crate::samples::Sample;
use crate::schedule::{Act, count_of};

/// What a rehearsal has shown.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The pipeline.
    pub pipeline: String,
    /// How many nodes there were.
    pub nodes: usize,
    /// Where they lived.
    #[serde(rename = "in")]
    pub home: Home,
    /// Kinds of harm that were meant by `all` and could not be done there, and why.
    pub left_out: BTreeMap<Kind, String>,
    /// What decided about the faults.
    pub seed: u64,
    /// Whether everything is as it would be if nobody had hurt it.
    pub held: bool,
    /// The command that does the same again.
    pub command: String,
    /// How long it took, with the judgement.
    pub elapsed_seconds: f64,
    /// How many faults the schedule has: those that the job's end came before, too.
    pub faults_planned: usize,
    /// What was done.
    pub faults: Vec<Fault>,
    /// What came of that, by kind, and of `all`.
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
    /// Whether it was felt: whether a node died of it or stood still, something was held up, a frame was harmed, nothing
    /// could be written. A fault that nobody felt shows nothing.
    pub struck: bool,
    /// How long it took from when it was done until a checkpoint was completed that was triggered after that. None where it
    /// has not struck, and where the job came to its end before.
    pub recovery_seconds: Option<f64>,
}

/// What came of the faults of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Recovery {
    /// How many were done.
    pub done: usize,
    /// How many of these have struck.
    pub struck: usize,
    /// From how many of these the cluster was seen to be back.
    pub recovered: usize,
    /// How long that took: the longest of 50 in 100 of these, in seconds.
    pub p50_seconds: Option<f64>,
    /// The longest of 99 in 100.
    pub p99_seconds: Option<f64>,
}

/// The smallest value that so many in a hundred do not exceed.
fn percentile(sorted: &[f64], hundredths: usize) -> Option<f64> {
    let rank = (sorted.len() * hundredths).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

impl Recovery {
    fn of<'a>(faults: impl Iterator<Item = &'a Fault>) -> Recovery {
        let (mut sum, mut spans) = (Recovery::default(), Vec::new());
        for fault in faults {
            sum.done += 1;
            sum.struck += usize::from(fault.struck);
            spans.extend(fault.recovery_seconds);
        }
        spans.sort_unstable_by(f64::total_cmp);
        let (p50_seconds, p99_seconds) = (percentile(&spans, 50), percentile(&spans, 99));
        Recovery { recovered: spans.len(), p50_seconds, p99_seconds, ..sum }
    }
}

/// What came of the faults, by kind, and of all.
pub(crate) fn recovery(faults: &[Fault]) -> BTreeMap<String, Recovery> {
    let of = |kind: Kind| Recovery::of(faults.iter().filter(|fault| fault.act.kind == kind));
    let kinds = Kind::ALL.into_iter().map(|kind| (kind.to_string(), of(kind)));
    let all = (ALL.to_owned(), Recovery::of(faults.iter()));
    kinds.chain([all]).filter(|(_, recovery)| recovery.done > 0).collect()
}

/// What is wrong with a schedule of which nothing was felt: to be as if nobody had done any harm is no merit then.
pub(crate) fn nothing_harmed(faults: &[Fault], planned: usize) -> Option<String> {
    let done = faults.len();
    let nothing = !faults.iter().any(|fault| fault.struck);
    nothing.then(|| {
        format!(
            "nothing was harmed: of {planned} faults of the schedule {done} were done, and none has struck"
        )
    })
}

/// Which kinds were left out, a line for each reason.
pub(crate) fn left_out(kinds: &BTreeMap<Kind, String>) -> Vec<String> {
    let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (kind, why) in kinds {
        by_reason.entry(why).or_default().push(kind.name());
    }
    let line = |(why, kinds): (&str, Vec<&str>)| format!("left out: {}: {why}", kinds.join(", "));
    by_reason.into_iter().map(line).collect()
}

/// How much of what is wrong is shown as text.
const WRONG_SHOWN: usize = 20;

/// The name under which all kinds are summed up.
const ALL: &str = "all";

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { act, at_seconds, detail, struck, recovery_seconds } = self;
        let Act { kind, victim, lasts, .. } = act;
        let lasted = if lasts.is_zero() { String::new() } else { format!("{:.1} s", lasts.as_secs_f64()) };
        let back = match (struck, recovery_seconds) {
            (true, Some(seconds)) => format!("{seconds:.2} s"),
            (true, None) => "never".to_owned(),
            (false, _) => "missed".to_owned(),
        };
        write!(f, "{at_seconds:6.1} s  {kind:<9}  {victim:<11}  {lasted:>6}  {back:>7}  {detail}")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, planned, seconds) = (self.faults.len(), self.faults_planned, self.elapsed_seconds);
        let (Report { pipeline, home, seed, .. }, nodes) = (self, count_of(self.nodes));
        writeln!(
            f,
            "{pipeline} on {nodes} in {home}, seed {seed}: {count} of {planned} faults in {seconds:.0} s"
        )?;
        writeln!(f, "      AT  FAULT      VICTIM       LASTED     BACK  HOW")?;
        for fault in &self.faults {
            writeln!(f, "{fault}")?;
        }
        writeln!(f, "FAULT      DONE  STRUCK  RECOVERED  P50 BACK  P99 BACK")?;
        let kinds = Kind::ALL.iter().map(|kind| kind.name()).chain([ALL]);
        for (kind, sum) in kinds.filter_map(|kind| Some((kind, self.recovery.get(kind)?))) {
            let Recovery { done, struck, recovered, .. } = sum;
            let [p50, p99] = [sum.p50_seconds, sum.p99_seconds]
                .map(|seconds| seconds.map_or("-".to_owned(), |seconds| format!("{seconds:.2} s")));
            writeln!(f, "{kind:<9}  {done:>4}  {struck:>6}  {recovered:>9}  {p50:>8}  {p99:>8}")?;
        }
        for fault in self.faults.iter().filter(|fault| fault.struck && fault.recovery_seconds.is_none()) {
            let Fault { act, at_seconds, .. } = fault;
            let (kind, victim) = (act.kind, act.victim);
            writeln!(f, "the job's end came before it was back: {kind} of {victim} at {at_seconds:.1} s")?;
        }
        for Verdict { job, by, compared, wrong, .. } in &self.jobs {
            let how = if wrong.is_empty() { "as if nobody had hurt it" } else { "not as it should be" };
            writeln!(f, "{job}: {how}, by {by}: {compared}")?;
        }
        let (completed, proved) = (self.checkpoints_completed, self.checkpoints_proved);
        writeln!(f, "checkpoints: {completed} completed, {proved} proved")?;
        for line in left_out(&self.left_out) {
            writeln!(f, "{line}")?;
        }
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

    fn fault(kind: Kind, struck: bool, recovery_seconds: Option<f64>) -> Fault {
        let (at, lasts) = (Duration::from_secs(1), Duration::from_secs(2));
        let act = Act { number: 1, at, kind, victim: Victim::Node(0), lasts, lot: 0 };
        Fault { act, at_seconds: 1.0, detail: "how".to_owned(), struck, recovery_seconds }
    }

    fn report(faults: Vec<Fault>, faults_planned: usize) -> Report {
        let wrong: Vec<String> = nothing_harmed(&faults, faults_planned).into_iter().collect();
        Report {
            pipeline: "p".to_owned(),
            nodes: 3,
            home: Home::Processes,
            left_out: BTreeMap::new(),
            seed: 7,
            held: wrong.is_empty(),
            command: "again".to_owned(),
            elapsed_seconds: 30.0,
            faults_planned,
            recovery: recovery(&faults),
            faults,
            jobs: Vec::new(),
            checkpoints_completed: 0,
            checkpoints_proved: 0,
            deaths: Vec::new(),
            panics: Vec::new(),
            wrong,
            samples: Vec::new(),
        }
    }

    #[test]
    fn kinds_that_were_left_out_are_told_by_their_reasons() {
        let out = [(Kind::Slow, "a"), (Kind::Disk, "b"), (Kind::Partition, "a")];
        let out = out.map(|(kind, why)| (kind, why.to_owned())).into();
        assert_eq!(left_out(&out), ["left out: partition, slow: a", "left out: disk: b"]);
    }

    #[test]
    fn recoveries_are_summed_up_by_kind() {
        let mut faults: Vec<Fault> =
            (1..=100).rev().map(|n| fault(Kind::Kill, true, Some(f64::from(n)))).collect();
        faults.push(fault(Kind::Flip, true, Some(1000.0)));
        faults.push(fault(Kind::Cut, true, None));
        faults.push(fault(Kind::Cut, false, None));
        let found = recovery(&faults);
        let sum = |done, struck, recovered, p50_seconds, p99_seconds| Recovery {
            done,
            struck,
            recovered,
            p50_seconds,
            p99_seconds,
        };
        assert_eq!(found["kill"], sum(100, 100, 100, Some(50.0), Some(99.0)));
        assert_eq!(found["flip"], sum(1, 1, 1, Some(1000.0), Some(1000.0)));
        assert_eq!(found["cut"], sum(2, 1, 0, None, None));
        assert_eq!(found["all"], sum(103, 102, 101, Some(51.0), Some(100.0)));
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn a_rehearsal_that_harmed_nothing_has_not_held() {
        let missed = report(vec![fault(Kind::Reorder, false, None)], 2);
        assert!(!missed.held);
        let said = missed.to_string();
        let why = "WRONG: nothing was harmed: of 2 faults of the schedule 1 were done, and none has struck";
        assert!(said.contains(why) && said.contains("NOT HELD") && said.contains(" missed  how"), "{said}");
        assert!(!report(Vec::new(), 0).held, "nothing was even planned");
        assert!(report(vec![fault(Kind::Cut, false, None), fault(Kind::Kill, true, None)], 2).held);
    }

    #[test]
    fn what_was_done_what_has_struck_and_what_was_recovered_from_are_told_apart() {
        let kills = [Some(1.0), None].map(|back| fault(Kind::Kill, true, back));
        let faults = kills.into_iter().chain([fault(Kind::Reorder, false, None)]).collect();
        let said = report(faults, 4).to_string();
        for line in [
            "p on 3 nodes in processes, seed 7: 3 of 4 faults in 30 s\n",
            "kill          2       2          1    1.00 s    1.00 s\n",
            "reorder       1       0          0         -         -\n",
            "all           3       2          1    1.00 s    1.00 s\n",
            "the job's end came before it was back: kill of n1 at 1.0 s\n",
        ] {
            assert!(said.contains(line), "{line}{said}");
        }
    }
}
