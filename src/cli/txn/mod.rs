//! `txn`: transactions in doubt, seen and resolved by a person.
//!
//! ```text
//!                       the newest manifest names it     it does not
//!   prepared            decided: txn commit              undecided: txn abort
//!   not prepared        committed, or lost: txn accept-loss
//! ```
//!
//! What is decided is read from the state directory, as a recovery would, and the directory is held meanwhile, so that
//! no job begins in between. Each transaction ends in what was decided, or somebody has said `--force`.

mod decisions;
mod report;

use std::process::ExitCode;

use watershed_actors::sink::{InDoubt, Lost, PreparedTransactions};
use watershed_core::SinkError;

use super::arguments::{AcceptLoss, Chosen, Place, Resolve, Txn};
use super::failure::{Failure, without_passwords};
use super::settings::Options;
use decisions::{Decisions, Verdict};
use report::{Listing, Outcome, Resolved};

/// The exit code where something was refused, or failed.
const LEFT: u8 = 1;

/// Carries the command out.
pub(super) fn resolve(command: &Txn, options: &Options) -> Result<ExitCode, Failure> {
    match command {
        Txn::List(place) => list(place, options),
        Txn::Commit(arguments) => decide(arguments, Decision::Commit, options),
        Txn::Abort(arguments) => decide(arguments, Decision::Abort, options),
        Txn::AcceptLoss(arguments) => accept_loss(arguments, options),
    }
}

/// What a person decides.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Decision {
    Commit,
    Abort,
}

impl Decision {
    /// Why this would go against what is known; nothing where a recovery would do the same.
    fn against(self, verdict: Verdict) -> Option<&'static str> {
        match (self, verdict) {
            (Decision::Commit, Verdict::Decided) | (Decision::Abort, Verdict::Undecided) => None,
            (Decision::Commit, Verdict::Undecided) => {
                Some("no checkpoint has decided it, and the job writes its rows again")
            }
            (Decision::Abort, Verdict::Decided) => {
                Some("a checkpoint has decided it, and its rows would be lost")
            }
            (_, Verdict::OtherHistory) => {
                Some("it is of a history or a run that the decision log does not know")
            }
            (_, Verdict::OtherJob) => Some("it is another job's than the state directory"),
            (_, Verdict::Unknown) => Some("nobody knows whether it was decided: name the job's --state-dir"),
        }
    }

    fn carry_out(self, database: &mut PreparedTransactions, gid: &str) -> Result<(), SinkError> {
        match self {
            Decision::Commit => database.commit(gid),
            Decision::Abort => database.abort(gid),
        }
    }

    fn done(self) -> &'static str {
        match self {
            Decision::Commit => "committed",
            Decision::Abort => "rolled back",
        }
    }
}

fn list(place: &Place, options: &Options) -> Result<ExitCode, Failure> {
    let mut database = open(place)?;
    let decisions = place.state_dir.as_deref().map(Decisions::read).transpose()?;
    let found = database.list().map_err(unable)?;
    let lost = match &decisions {
        Some(known) => database.lost(known.job(), known.decided()).map_err(unable)?,
        None => Vec::new(),
    };
    let found = found.into_iter().map(|one| (Verdict::of(&one, decisions.as_ref()), one)).collect();
    let running = decisions.as_ref().is_some_and(Decisions::job_runs);
    Listing::new(found, &lost, running).show(options)?;
    Ok(ExitCode::SUCCESS)
}

fn decide(arguments: &Resolve, decision: Decision, options: &Options) -> Result<ExitCode, Failure> {
    let Resolve { place, chosen, force } = arguments;
    let mut database = open(place)?;
    let decisions = place.state_dir.as_deref().map(Decisions::held).transpose()?;
    let found = database.list().map_err(unable)?;
    let mut resolved = Resolved::default();
    for one in chosen_of(chosen, found, decisions.as_ref())? {
        let verdict = Verdict::of(&one, decisions.as_ref());
        let outcome = match decision.against(verdict).filter(|_| !force) {
            // What the command is not for is no failure of `--all`: it is left, and said.
            Some(why) => Outcome::Left { why: why.to_owned(), refused: !chosen.all },
            None => match decision.carry_out(&mut database, &one.gid) {
                Ok(()) => {
                    let note = decision.against(verdict).map(|why| format!("forced: {why}"));
                    Outcome::Done { what: decision.done(), note }
                }
                Err(error) => Outcome::Left { why: error.to_string(), refused: true },
            },
        };
        resolved.add(one.gid, one.rows, outcome);
    }
    finish(&resolved, options)
}

/// The transactions that are chosen: by name, or all; with a state directory all of its job.
fn chosen_of(
    chosen: &Chosen,
    mut found: Vec<InDoubt>,
    decisions: Option<&Decisions>,
) -> Result<Vec<InDoubt>, Failure> {
    if chosen.all {
        found.retain(|one| decisions.is_none_or(|known| one.is_of(known.job())));
        return Ok(found);
    }
    let missing = chosen.gids.iter().find(|gid| !found.iter().any(|one| one.gid == **gid));
    if let Some(gid) = missing {
        let gid = without_passwords(gid);
        return Err(Failure::Unable(format!(
            "the database has no prepared transaction {gid}: `txn list` shows those that it has; nothing was done"
        )));
    }
    found.retain(|one| chosen.gids.contains(&one.gid));
    Ok(found)
}

fn accept_loss(arguments: &AcceptLoss, options: &Options) -> Result<ExitCode, Failure> {
    let AcceptLoss { place, chosen } = arguments;
    let Some(directory) = place.state_dir.as_deref() else {
        return Err(Failure::Usage(
            "only the decision log knows what is lost: name the job's state directory by --state-dir"
                .to_owned(),
        ));
    };
    let mut database = open(place)?;
    let decisions = Decisions::held(directory)?;
    let mut lost = database.lost(decisions.job(), decisions.decided()).map_err(unable)?;
    if !chosen.all {
        let missing = chosen.gids.iter().find(|gid| !lost.iter().any(|one| one.staged.gid() == **gid));
        if let Some(gid) = missing {
            let gid = without_passwords(gid);
            return Err(Failure::Unable(format!(
                "{gid} is not lost: `txn list --state-dir` shows what is; nothing was done"
            )));
        }
        lost.retain(|one| chosen.gids.iter().any(|gid| gid == one.staged.gid()));
    }
    let mut resolved = Resolved::default();
    for Lost { staged, .. } in lost {
        let outcome = match database.accept_loss(decisions.job(), &staged) {
            Ok(lost) => Outcome::Done { what: "accepted as lost", note: report::gone_too(&lost) },
            Err(error) => Outcome::Left { why: error.to_string(), refused: true },
        };
        resolved.add(staged.gid().to_owned(), staged.rows(), outcome);
    }
    finish(&resolved, options)
}

fn finish(resolved: &Resolved, options: &Options) -> Result<ExitCode, Failure> {
    resolved.show(options)?;
    Ok(if resolved.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(LEFT) })
}

/// The database at the address; what is wrong with the address is told without it.
fn open(place: &Place) -> Result<PreparedTransactions, Failure> {
    PreparedTransactions::of(&place.database).map_err(|error| Failure::Usage(error.to_string()))
}

fn unable(error: SinkError) -> Failure {
    Failure::Unable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_goes_with_the_log_or_says_why_not() {
        assert_eq!(Decision::Commit.against(Verdict::Decided), None);
        assert_eq!(Decision::Abort.against(Verdict::Undecided), None);
        let others = [Verdict::OtherHistory, Verdict::OtherJob, Verdict::Unknown];
        for verdict in others {
            assert!(
                Decision::Commit.against(verdict).is_some() && Decision::Abort.against(verdict).is_some()
            );
        }
        assert!(Decision::Commit.against(Verdict::Undecided).is_some());
        assert!(Decision::Abort.against(Verdict::Decided).is_some());
    }
}
