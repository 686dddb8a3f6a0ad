//! What a simulation comes to: what was counted, and how long the job took to be well again.

use std::collections::BTreeMap;
use std::fmt;

use crate::faults::Fault;
use crate::properties::Broken;

/// What is counted while a world runs.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How many records the sources have read, those that were read again too.
    pub records: u64,
    /// How many checkpoints were decided.
    pub checkpoints: u64,
    /// How many were given up.
    pub given_up: u64,
    /// How many runs there were.
    pub runs: u64,
    /// How many runs ended before the job did.
    pub roll_backs: u64,
    /// How many messages were sent.
    pub messages: u64,
    /// How often a subtask waited for its replica of shared state.
    pub waits: u64,
    /// How often a machine found an event unexpected.
    pub unexpected: u64,
    /// When the job came to its end.
    pub finished_at: Option<u64>,
    /// From each fault to the next decision, by kind.
    pub recoveries: Vec<(&'static str, u64)>,
    struck: Vec<(&'static str, u64)>,
}

impl Tally {
    pub(crate) fn struck(&mut self, kind: &'static str, at: u64) {
        self.struck.push((kind, at));
    }

    pub(crate) fn decided(&mut self, now: u64) {
        self.checkpoints += 1;
        self.recoveries.extend(self.struck.drain(..).map(|(kind, at)| (kind, now - at)));
    }
}

/// What became of one seed.
#[derive(Clone, Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What was simulated, in words.
    pub shape: String,
    /// How many records had to come out, over all sinks.
    pub expected: u64,
    /// What went wrong in it.
    pub faults: Vec<Fault>,
    /// What was counted.
    pub tally: Tally,
    /// The first property that did not hold, and how.
    pub broken: Option<(Broken, String)>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: {}", self.seed, self.shape)?;
        for fault in &self.faults {
            writeln!(f, "  {fault}")?;
        }
        let Tally { checkpoints, given_up, roll_backs, finished_at, .. } = &self.tally;
        writeln!(
            f,
            "  {checkpoints} checkpoints, {given_up} given up, {roll_backs} roll-backs, end at {finished_at:?}"
        )?;
        match &self.broken {
            None => write!(f, "  all properties hold"),
            Some((broken, reason)) => write!(f, "  {broken:?} is broken: {reason}"),
        }
    }
}

/// What many seeds come to.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    seeds: u64,
    expected: u64,
    tally: Tally,
    lost: u64,
    doubled: u64,
    failed: u64,
    recoveries: BTreeMap<&'static str, Vec<u64>>,
}

impl Summary {
    /// Adds a seed.
    pub fn add(&mut self, report: &Report) {
        self.seeds += 1;
        self.expected += report.expected;
        self.tally.records += report.tally.records;
        self.tally.checkpoints += report.tally.checkpoints;
        self.tally.given_up += report.tally.given_up;
        self.tally.runs += report.tally.runs;
        self.tally.roll_backs += report.tally.roll_backs;
        self.tally.messages += report.tally.messages;
        for &(kind, ticks) in &report.tally.recoveries {
            self.recoveries.entry(kind).or_default().push(ticks);
        }
        match report.broken {
            None => {}
            Some((Broken::I2 | Broken::D11, _)) => self.lost += 1,
            Some((Broken::I1 | Broken::State, _)) => self.doubled += 1,
            Some(_) => self.failed += 1,
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { seeds, expected, tally, lost, doubled, failed, .. } = self;
        let Tally { records, checkpoints, given_up, runs, roll_backs, messages, .. } = tally;
        writeln!(f, "{seeds} seeds: {expected} records due at sinks, {records} read, {messages} messages,")?;
        writeln!(
            f,
            "{checkpoints} checkpoints decided, {given_up} given up, {runs} runs, {roll_backs} roll-backs;"
        )?;
        writeln!(f, "seeds with records lost {lost}, doubled {doubled}, with another failure {failed}")?;
        writeln!(f, "from a fault to the next decision, in ticks:")?;
        for (kind, ticks) in &self.recoveries {
            let mut sorted = ticks.clone();
            sorted.sort_unstable();
            let at = |percent: usize| sorted[(sorted.len() - 1) * percent / 100];
            let (median, most, last) = (at(50), at(99), at(100));
            writeln!(
                f,
                "  {kind:<30} {:>6} times, median {median:>5}, p99 {most:>5}, max {last:>5}",
                ticks.len()
            )?;
        }
        Ok(())
    }
}
