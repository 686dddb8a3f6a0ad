//! What is counted while a world runs, and how long the job took to be well again.

use std::collections::BTreeMap;

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
    /// How many savepoints were decided.
    pub savepoints: u64,
    /// How often the job was suspended.
    pub suspended: u64,
    /// How often it went back to a savepoint.
    pub forks: u64,
    /// How often a subtask panicked.
    pub panics: u64,
    /// How many dead letters came out.
    pub letters: u64,
    /// How many messages were sent.
    pub messages: u64,
    /// How often a subtask waited for its replica of shared state.
    pub waits: u64,
    /// How often a machine found an event unexpected.
    pub unexpected: u64,
    /// How many proposals were decided, and told to be.
    pub agreed: u64,
    /// How many registers were read.
    pub registers_read: u64,
    /// How many calls were refused.
    pub not_agreed: u64,
    /// Of how many calls nobody knows what became.
    pub not_known: u64,
    /// How many questions of clients were answered; durable updates and those who went on without what was undone are
    /// among them.
    pub answered: u64,
    /// How many updates of clients were told to be durable.
    pub durable: u64,
    /// How many clients went on without what was undone.
    pub rebased: u64,
    /// How many clients were told what never happened.
    pub rolled_back: u64,
    /// How many were told that the job has begun another history.
    pub forked: u64,
    /// How many were told that what they need is not there.
    pub unavailable: u64,
    /// How many asked where no run lived.
    pub not_running: u64,
    /// How many answers were of an older run than the client had heard of.
    pub older: u64,
    /// How many questions were never answered.
    pub unanswered: u64,
    /// When the job came to its end.
    pub finished_at: Option<u64>,
    /// How many writers were refused, whose clocks were ahead.
    pub skewed: u64,
    /// How many updates were refused, whose writers' clocks were ahead.
    pub distrusted: u64,
    /// How many decisions were refused, whose reign or run was over.
    pub late_decisions: u64,
    /// How many reigns began.
    pub elections: u64,
    /// How many of them while a fault lasted or was yet felt, by its kind, and those of note.
    pub elected_under: BTreeMap<&'static str, u64>,
    /// How many faults there were, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// How many of them came before the job had ended, and found anything that they could harm.
    pub struck: BTreeMap<&'static str, u64>,
    /// From each fault to the decision of a checkpoint that began behind it, by kind.
    pub recoveries: Vec<(&'static str, u64)>,
    /// What struck and was not recovered from.
    felt: Vec<(&'static str, u64)>,
}

impl Tally {
    pub(crate) fn strike(&mut self, kind: &'static str, at: u64) {
        *self.struck.entry(kind).or_default() += 1;
        self.felt.push((kind, at));
    }

    /// A checkpoint is decided that began at this time.
    pub(crate) fn decided(&mut self, began: u64, now: u64) {
        self.checkpoints += 1;
        let over = self.felt.extract_if(.., |(_, at)| *at <= began);
        self.recoveries.extend(over.map(|(kind, at)| (kind, now - at)));
    }

    /// Adds what was counted in another world.
    pub(crate) fn add(&mut self, other: &Tally) {
        let Tally {
            records,
            checkpoints,
            given_up,
            runs,
            roll_backs,
            savepoints,
            suspended,
            forks,
            panics,
            letters,
            messages,
            waits,
            unexpected,
            agreed,
            registers_read,
            not_agreed,
            not_known,
            answered,
            durable,
            rebased,
            rolled_back,
            forked,
            unavailable,
            not_running,
            older,
            unanswered,
            skewed,
            distrusted,
            late_decisions,
            elections,
            finished_at: _,
            elected_under,
            faults,
            struck,
            recoveries,
            felt: _,
        } = other;
        self.records += records;
        self.checkpoints += checkpoints;
        self.given_up += given_up;
        self.runs += runs;
        self.roll_backs += roll_backs;
        self.savepoints += savepoints;
        self.suspended += suspended;
        self.forks += forks;
        self.panics += panics;
        self.letters += letters;
        self.messages += messages;
        self.waits += waits;
        self.unexpected += unexpected;
        self.agreed += agreed;
        self.registers_read += registers_read;
        self.not_agreed += not_agreed;
        self.not_known += not_known;
        self.answered += answered;
        self.durable += durable;
        self.rebased += rebased;
        self.rolled_back += rolled_back;
        self.forked += forked;
        self.unavailable += unavailable;
        self.not_running += not_running;
        self.older += older;
        self.unanswered += unanswered;
        self.skewed += skewed;
        self.distrusted += distrusted;
        self.late_decisions += late_decisions;
        self.elections += elections;
        for (mine, others) in
            [(&mut self.elected_under, elected_under), (&mut self.faults, faults), (&mut self.struck, struck)]
        {
            others.iter().for_each(|(kind, times)| *mine.entry(kind).or_default() += times);
        }
        self.recoveries.extend(recoveries);
    }
}
