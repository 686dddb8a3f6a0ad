//! What a simulation comes to, one seed and many of them.

use std::collections::BTreeMap;
use std::fmt;

use crate::faults::Fault;
use crate::properties::Broken;
use crate::tally::Tally;

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
}

impl Summary {
    /// What was counted over all seeds.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Adds a seed.
    pub fn add(&mut self, report: &Report) {
        self.seeds += 1;
        self.expected += report.expected;
        self.tally.add(&report.tally);
        match report.broken {
            None => {}
            Some((Broken::I2 | Broken::D11 | Broken::C7 | Broken::C8, _)) => self.lost += 1,
            Some((Broken::I1 | Broken::State, _)) => self.doubled += 1,
            Some(_) => self.failed += 1,
        }
    }
}

impl Summary {
    fn write_recoveries(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { faults, struck, recoveries, .. } = &self.tally;
        let times = |of: &BTreeMap<_, u64>| of.values().sum::<u64>();
        writeln!(
            f,
            "{} faults, of which {} struck; from each to the decision of a checkpoint behind it, in ticks:",
            times(faults),
            times(struck)
        )?;
        let mut by_kind: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for &(kind, ticks) in recoveries {
            by_kind.entry(kind).or_default().push(ticks);
        }
        for (kind, mut ticks) in by_kind {
            ticks.sort_unstable();
            let at = |percent: usize| ticks[(ticks.len() - 1) * percent / 100];
            let (all, drawn, recovered) = (struck.get(kind).unwrap_or(&0), &faults[kind], ticks.len());
            let (median, most, last) = (at(50), at(99), at(100));
            writeln!(
                f,
                "  {kind:<30} {drawn:>6} drawn, {all:>6} struck, {recovered:>6} recovered from, \
                 median {median:>5}, p99 {most:>5}, max {last:>5}"
            )?;
        }
        Ok(())
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
        let Tally { savepoints, suspended, forks, panics, letters, .. } = tally;
        writeln!(
            f,
            "{savepoints} savepoints, {suspended} times suspended, {forks} times back; {panics} panics, {letters} dead letters;"
        )?;
        let Tally { answered, durable, rebased, rolled_back, forked, .. } = tally;
        let Tally { unavailable, not_running, older, unanswered, .. } = tally;
        writeln!(
            f,
            "clients: {answered} answers ({durable} durable updates, {rebased} without what was undone), refused: \
             {rolled_back} rolled back, {forked} forked, {unavailable} unavailable, {not_running} not running, \
             {older} older runs; {unanswered} unanswered;"
        )?;
        let Tally { agreed, registers_read, not_agreed, not_known, .. } = tally;
        writeln!(
            f,
            "agreements: {agreed} decided, {registers_read} read, {not_agreed} refused, {not_known} unknown;"
        )?;
        writeln!(f, "seeds with records lost {lost}, doubled {doubled}, with another failure {failed}")?;
        let Tally { skewed, distrusted, late_decisions, .. } = tally;
        writeln!(
            f,
            "refused: {skewed} writers and {distrusted} updates with clocks ahead, {late_decisions} late decisions;"
        )?;
        let Tally { elections, elected_under, .. } = tally;
        writeln!(f, "{elections} elections, by what was going wrong then or just before:")?;
        for (kind, times) in elected_under {
            writeln!(f, "  {kind:<44} {times:>6}")?;
        }
        self.write_recoveries(f)
    }
}
