//! What `txn` answers, for people and in JSON.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;
use watershed_actors::sink::{InDoubt, Lost};

use super::decisions::Verdict;
use crate::cli::failure::{Failure, one_line};
use crate::cli::settings::Options;
use crate::cli::streams::answer;

/// What there is in a database.
#[derive(Serialize)]
pub(super) struct Listing {
    transactions: Vec<Transaction>,
    lost: Vec<Loss>,
    /// Whether a job runs on the state directory.
    running: bool,
}

/// One prepared transaction.
#[derive(Serialize)]
struct Transaction {
    gid: String,
    job: String,
    operator: String,
    lineage: u32,
    epoch: u64,
    run: u32,
    subtask: u32,
    rows: u64,
    age_seconds: u64,
    verdict: Verdict,
}

/// One that is lost.
#[derive(Serialize)]
struct Loss {
    gid: String,
    table: Option<String>,
    lineage: u32,
    epoch: u64,
    run: u32,
    subtask: u32,
    rows: u64,
    /// What the database has lost beside it.
    gone_too: Option<String>,
}

impl Listing {
    pub(super) fn new(found: Vec<(Verdict, InDoubt)>, lost: &[Lost], running: bool) -> Self {
        let transaction = |(verdict, InDoubt { gid, job, operator, xid, rows, age })| Transaction {
            gid,
            job,
            operator,
            lineage: xid.lineage.0,
            epoch: xid.epoch.0,
            run: xid.run.0,
            subtask: xid.subtask.index,
            rows,
            age_seconds: Duration::as_secs(&age),
            verdict,
        };
        let loss = |lost: &Lost| {
            let xid = lost.staged.xid();
            Loss {
                gid: lost.staged.gid().to_owned(),
                table: lost.table.clone(),
                lineage: xid.lineage.0,
                epoch: xid.epoch.0,
                run: xid.run.0,
                subtask: xid.subtask.index,
                rows: lost.staged.rows(),
                gone_too: gone_too(lost),
            }
        };
        let transactions = found.into_iter().map(transaction).collect();
        Listing { transactions, lost: lost.iter().map(loss).collect(), running }
    }

    pub(super) fn show(&self, options: &Options) -> Result<(), Failure> {
        if options.json {
            return answer(&serde_json::to_string(self).expect("a listing is plain data"));
        }
        answer(self.to_text().trim_end())
    }

    fn to_text(&self) -> String {
        let mut text = String::new();
        let mut line = |line: &str| writeln!(text, "{line}").expect("a string takes everything");
        if self.transactions.is_empty() {
            line("no prepared transactions of jobs");
        } else {
            line(&format!(
                "{:<13}  {:>7}  {:>8}  {:>5}  {:>7}  {:>8}  {:>5}  transaction",
                "verdict", "lineage", "epoch", "run", "subtask", "rows", "age"
            ));
        }
        for one in &self.transactions {
            let Transaction { lineage, epoch, run, subtask, rows, gid, job, operator, .. } = one;
            let (verdict, age) = (one.verdict.word(), age(one.age_seconds));
            let whose = one_line(&format!("sink {operator:?} of job {job:?}"));
            line(&format!(
                "{verdict:<13}  {lineage:>7}  {epoch:>8}  {run:>5}  {subtask:>7}  {rows:>8}  {age:>5}  {gid} ({whose})"
            ));
        }
        let verdicts: BTreeSet<Verdict> = self.transactions.iter().map(|one| one.verdict).collect();
        for verdict in verdicts {
            line(&format!("{}: {}", verdict.word(), verdict.meaning(self.running)));
        }
        for Loss { gid, table, epoch, subtask, rows, gone_too, .. } in &self.lost {
            let table = table.as_deref().unwrap_or("a table that the database does not know any more");
            let too = gone_too.as_ref().map(|too| format!("; {too}")).unwrap_or_default();
            line(&one_line(&format!(
                "LOST: {rows} rows of epoch {epoch}, subtask {subtask}, for {table}: decided, and neither prepared nor \
                 committed ({gid}){too}"
            )));
        }
        if !self.lost.is_empty() {
            line(
                "The job stops at what is lost, until the database is brought back or `txn accept-loss` is said.",
            );
        }
        text
    }
}

/// What the database has lost beside a transaction.
pub(super) fn gone_too(lost: &Lost) -> Option<String> {
    let (from, to) = lost.gone_too?;
    Some(format!("with the epochs behind {from} up to {to}, which the database had before it was restored"))
}

fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} m", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// What became of a transaction.
pub(super) enum Outcome {
    /// It was resolved.
    Done {
        /// What was done.
        what: &'static str,
        /// What else there is to say.
        note: Option<String>,
    },
    /// Nothing was done to it.
    Left {
        /// Why.
        why: String,
        /// Whether it was asked for.
        refused: bool,
    },
}

/// What was done, transaction by transaction.
#[derive(Default, Serialize)]
pub(super) struct Resolved {
    done: Vec<Done>,
    left: Vec<Left>,
}

#[derive(Serialize)]
struct Done {
    gid: String,
    rows: u64,
    what: &'static str,
    note: Option<String>,
}

#[derive(Serialize)]
struct Left {
    gid: String,
    rows: u64,
    why: String,
    refused: bool,
}

impl Resolved {
    pub(super) fn add(&mut self, gid: String, rows: u64, outcome: Outcome) {
        match outcome {
            Outcome::Done { what, note } => self.done.push(Done { gid, rows, what, note }),
            Outcome::Left { why, refused } => self.left.push(Left { gid, rows, why, refused }),
        }
    }

    /// Whether all that was asked for was done.
    pub(super) fn is_clean(&self) -> bool {
        self.left.iter().all(|left| !left.refused)
    }

    pub(super) fn show(&self, options: &Options) -> Result<(), Failure> {
        if options.json {
            return answer(&serde_json::to_string(self).expect("what was done is plain data"));
        }
        let done = self.done.iter().map(|Done { gid, rows, what, note }| {
            let note = note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
            format!("{what}: {gid} with {rows} rows{note}")
        });
        let left = self
            .left
            .iter()
            .map(|Left { gid, rows, why, .. }| format!("left: {gid} with {rows} rows: {why}"));
        let lines: Vec<String> = done.chain(left).map(|line| one_line(&line)).collect();
        answer(if lines.is_empty() { "nothing is in doubt".to_owned() } else { lines.join("\n") }.as_str())
    }
}
