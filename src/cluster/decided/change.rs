//! What may be decided of a cluster, and under which condition.
//!
//! Data and a pure function: consensus agrees on the order of changes, and here is what each of them does.

use serde::{Deserialize, Serialize};
use watershed_core::checkpoint::{Guard, Meta};

pub use watershed_core::checkpoint::Change;

use crate::decided::limits::{JOBS_MAX, NAME_BYTES_MAX, NODES_MAX, REASON_BYTES_MAX, SPEC_BYTES_MAX};
use crate::decided::{ClusterState, JobRecord, JobSpec, NodeRecord, Outcome, TokenSecret, Wanted};

/// A decision to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClusterChange {
    /// A new job comes, with a number of its own. Its name may be that of a job that has ended, which is forgotten.
    Submit {
        /// Its name.
        name: String,
        /// What is to be run.
        spec: JobSpec,
    },
    /// A person wants something else of a job.
    Want {
        /// Its name.
        name: String,
        /// What is wanted.
        wanted: Wanted,
    },
    /// A job that is to be suspended has come to rest.
    Rest {
        /// Its name.
        name: String,
        /// Its number.
        number: u32,
    },
    /// A job goes on with another number of subtasks.
    Rescale {
        /// Its name.
        name: String,
        /// How many subtasks a vertex has that does not say so itself.
        parallelism: u32,
    },
    /// A job is brought to life, for the first time or again.
    Live {
        /// Its name.
        name: String,
        /// Its number.
        number: u32,
    },
    /// Something of a job's checkpoints is decided. With [`Change::Finish`] the job ends, and with [`Change::Fork`] one
    /// that has finished lives again.
    Decide {
        /// Its name.
        name: String,
        /// Its number.
        number: u32,
        /// What must still hold.
        guard: Guard,
        /// What is decided.
        change: Change,
    },
    /// A job ends, other than by [`Change::Finish`].
    End {
        /// Its name.
        name: String,
        /// Its number.
        number: u32,
        /// How.
        outcome: Outcome,
    },
    /// A job that has ended is forgotten.
    Remove {
        /// Its name.
        name: String,
    },
    /// A node begins a life.
    Register {
        /// Its name.
        node: String,
        /// The number of the life, higher than those of all before.
        incarnation: u64,
    },
    /// The cluster gets a key to seal clients' tokens with. Where it has one, that one stays: whoever comes first has
    /// made it, and the others learn it.
    TokenKey {
        /// The secret, from a source of true randomness.
        secret: TokenSecret,
    },
}

/// Why a change was not applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No such name can be given.
    #[error("{name:?} is no name: take 1 to {NAME_BYTES_MAX} of a-z, 0-9, - and _")]
    Name {
        /// The name, shortened.
        name: String,
    },
    /// The job's name is taken.
    #[error("a job {name} lives already; take another name, or cancel it first")]
    InUse {
        /// The name.
        name: String,
    },
    /// There is no such job.
    #[error("there is no job {name}")]
    NoJob {
        /// The name.
        name: String,
    },
    /// The job's name belongs to another one now.
    #[error("job {name} is number {current} now, and number {asked} is gone")]
    Replaced {
        /// The name.
        name: String,
        /// The number that was meant.
        asked: u32,
        /// The number that the job has.
        current: u32,
    },
    /// The job has ended.
    #[error("job {name} has ended; submit it anew")]
    Ended {
        /// The name.
        name: String,
    },
    /// The job lives.
    #[error("job {name} lives; cancel it first")]
    Lives {
        /// The name.
        name: String,
    },
    /// The guard of a decision does not hold, or it breaks a rule of the job.
    #[error("{reason}")]
    Job {
        /// Why.
        reason: String,
    },
    /// The node has lived on, or was copied.
    #[error(
        "node {node} has lived as incarnation {current}, and {asked} is not newer; if this disk is a copy of another \
         node's, give the node a name of its own and an empty disk"
    )]
    Incarnation {
        /// The node.
        node: String,
        /// The number that was to be registered.
        asked: u64,
        /// The newest one.
        current: u64,
    },
    /// There is no room.
    #[error("there is no room for more {what} than {max}; remove some that have ended")]
    Full {
        /// Of what.
        what: String,
        /// How many there may be.
        max: u64,
    },
    /// A job's description is too long.
    #[error("the job's description has {found} bytes, and {max} is the limit")]
    SpecBytes {
        /// How many it has.
        found: u64,
        /// How many it may have.
        max: u64,
    },
    /// A number has come to its end.
    #[error("no number is left for it")]
    Exhausted,
}

impl ClusterState {
    /// Applies a change, or changes nothing.
    ///
    /// # Errors
    ///
    /// Where the change's condition does not hold, or it is more than the [limits](super::limits) allow.
    pub fn apply(&mut self, change: ClusterChange) -> Result<(), Refusal> {
        match change {
            ClusterChange::Submit { name, spec } => self.submit(name, spec),
            ClusterChange::Want { name, wanted } => {
                let job = self.living(&name)?;
                job.wanted = wanted;
                job.rests &= wanted == Wanted::Suspended;
                Ok(())
            }
            ClusterChange::Rest { name, number } => {
                let job = self.numbered(&name, number)?;
                lives(job, &name)?;
                if job.wanted != Wanted::Suspended {
                    let reason = format!("job {name} is not to be suspended any more");
                    return Err(Refusal::Job { reason });
                }
                job.rests = true;
                Ok(())
            }
            ClusterChange::Rescale { name, parallelism } => {
                self.living(&name)?.spec.parallelism = parallelism;
                Ok(())
            }
            ClusterChange::Live { name, number } => {
                let job = self.numbered(&name, number)?;
                lives(job, &name)?;
                job.lives = job.lives.checked_add(1).ok_or(Refusal::Exhausted)?;
                Ok(())
            }
            ClusterChange::Decide { name, number, guard, change } => {
                decide(self.numbered(&name, number)?, &name, guard, &change)
            }
            ClusterChange::End { name, number, outcome } => {
                let job = self.numbered(&name, number)?;
                lives(job, &name)?;
                job.outcome = Some(bounded(outcome));
                Ok(())
            }
            ClusterChange::Remove { name } => match self.jobs.get(&name) {
                None => Err(Refusal::NoJob { name }),
                Some(job) if job.lives_on() => Err(Refusal::Lives { name }),
                Some(_) => {
                    self.jobs.remove(&name);
                    Ok(())
                }
            },
            ClusterChange::Register { node, incarnation } => self.register(node, incarnation),
            ClusterChange::TokenKey { secret } => {
                if self.token_keys.is_empty() {
                    self.token_keys.push(secret);
                }
                Ok(())
            }
        }
    }

    fn submit(&mut self, name: String, spec: JobSpec) -> Result<(), Refusal> {
        named(&name)?;
        named(&spec.pipeline)?;
        let (found, max) = (spec_bytes(&spec) as u64, SPEC_BYTES_MAX as u64);
        if found > max {
            return Err(Refusal::SpecBytes { found, max });
        }
        match self.jobs.get(&name) {
            Some(job) if job.lives_on() => return Err(Refusal::InUse { name }),
            None if self.jobs.len() >= JOBS_MAX => {
                return Err(Refusal::Full { what: "jobs".to_owned(), max: JOBS_MAX as u64 });
            }
            Some(_) | None => {}
        }
        // 0 is for what belongs to no job.
        let number = self.next_job_number.max(1);
        self.next_job_number = number.checked_add(1).ok_or(Refusal::Exhausted)?;
        let (meta, wanted) = (Meta::default(), Wanted::Running);
        self.jobs
            .insert(name, JobRecord { number, spec, meta, wanted, outcome: None, lives: 0, rests: false });
        Ok(())
    }

    fn register(&mut self, node: String, incarnation: u64) -> Result<(), Refusal> {
        named(&node)?;
        match self.nodes.get(&node).map(|known| known.incarnation) {
            Some(current) if incarnation <= current => {
                return Err(Refusal::Incarnation { node, asked: incarnation, current });
            }
            None if self.nodes.len() >= NODES_MAX => {
                return Err(Refusal::Full { what: "nodes".to_owned(), max: NODES_MAX as u64 });
            }
            Some(_) | None => {}
        }
        self.nodes.insert(node, NodeRecord { incarnation });
        Ok(())
    }

    fn living(&mut self, name: &str) -> Result<&mut JobRecord, Refusal> {
        let job = self.jobs.get_mut(name).ok_or_else(|| Refusal::NoJob { name: name.to_owned() })?;
        lives(job, name)?;
        Ok(job)
    }

    fn numbered(&mut self, name: &str, asked: u32) -> Result<&mut JobRecord, Refusal> {
        let job = self.jobs.get_mut(name).ok_or_else(|| Refusal::NoJob { name: name.to_owned() })?;
        if job.number != asked {
            return Err(Refusal::Replaced { name: name.to_owned(), asked, current: job.number });
        }
        Ok(job)
    }
}

fn decide(job: &mut JobRecord, name: &str, guard: Guard, change: &Change) -> Result<(), Refusal> {
    // A job that was cancelled or has failed decides nothing more, by whatever is left of its runs.
    if matches!(job.outcome, Some(Outcome::Cancelled | Outcome::Failed { .. })) {
        return Err(Refusal::Ended { name: name.to_owned() });
    }
    job.meta =
        change.apply(guard, &job.meta).map_err(|refusal| Refusal::Job { reason: refusal.to_string() })?;
    job.outcome = job.meta.finished.then_some(Outcome::Finished);
    Ok(())
}

fn lives(job: &JobRecord, name: &str) -> Result<(), Refusal> {
    if job.lives_on() { Ok(()) } else { Err(Refusal::Ended { name: name.to_owned() }) }
}

fn named(name: &str) -> Result<(), Refusal> {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    if (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(Refusal::Name { name: name.chars().take(NAME_BYTES_MAX).collect() })
}

fn spec_bytes(spec: &JobSpec) -> usize {
    let texts = spec.parameters.iter().chain(&spec.settings);
    texts.map(|(name, value)| name.len() + value.len()).sum::<usize>() + spec.submitted_by.len()
}

fn bounded(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Failed { mut reason } if reason.len() > REASON_BYTES_MAX => {
            let cut = (0..=REASON_BYTES_MAX).rev().find(|at| reason.is_char_boundary(*at));
            reason.truncate(cut.unwrap_or(0));
            Outcome::Failed { reason }
        }
        Outcome::Finished | Outcome::Cancelled | Outcome::Failed { .. } => outcome,
    }
}
