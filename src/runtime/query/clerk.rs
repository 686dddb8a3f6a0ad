//! Opens the tokens that are shown, and seals those that are given.

use std::time::Duration;

use watershed_core::causal::VectorClock;
use watershed_core::{Epoch, Lineage, ProcessingTime, Run};
use watershed_protocol::causal::{JobToken, Needs, Submitted, Token, TokenError};

use super::QueryError;
use super::keyring::Keyring;
use super::limits::TOKEN_LIFE;
use crate::clock;

/// Opens and seals tokens for one job.
#[derive(Clone, Debug)]
pub(crate) struct Clerk {
    cluster: String,
    /// What the job is called, so that no other job is meant, nor one that has its name later.
    job: String,
    /// The newest one seals.
    keys: Keyring,
}

/// A token, as it is shown to one job.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    /// What it says of the job.
    pub(super) here: Option<JobToken>,
    /// What it says of others, which is handed on as it is.
    pub(super) elsewhere: Vec<JobToken>,
}

impl Clerk {
    pub(crate) fn new(cluster: &str, job: String, keys: impl Into<Keyring>) -> Self {
        Clerk { cluster: cluster.to_owned(), job, keys: keys.into() }
    }

    pub(super) fn job(&self) -> &str {
        &self.job
    }

    /// Opens what is shown.
    pub(super) fn open(&self, shown: Option<&str>) -> Result<Shown, QueryError> {
        let Some(text) = shown else { return Ok(Shown::default()) };
        let token = Token::open(text, &self.keys.keys(), &self.cluster, clock::now());
        let (here, elsewhere) = token.map_err(not_taken)?.split(&self.job);
        // What the client has seen of the one before is gone with it: to answer as if it had seen nothing would be a lie.
        let namesake = elsewhere.iter().find(|one| name(&one.job) == name(&self.job));
        match namesake {
            Some(namesake) => Err(QueryError::TokenInvalid {
                why: format!("it is of job {}, and this is {}: get a new one", namesake.job, self.job),
            }),
            None => Ok(Shown { here, elsewhere }),
        }
    }

    /// What somebody has seen of the job who has seen this much of a run, and a checkpoint, and has put something into sources.
    pub(super) fn token(
        &self,
        (lineage, run): (Lineage, Run),
        seen: VectorClock,
        completed: Option<Epoch>,
        shown: &Needs,
        inputs: &[Submitted],
    ) -> JobToken {
        let mut token = JobToken {
            job: self.job.clone(),
            lineage,
            run,
            seen,
            completed: completed.max(shown.checkpoint),
            inputs: inputs.to_vec(),
        };
        token.see(&shown.seen);
        if let Some(completed) = token.completed {
            token.reduce(completed);
        }
        token
    }

    /// The token of somebody who has seen this here, and that of other jobs.
    pub(super) fn seal(&self, here: JobToken, elsewhere: &[JobToken]) -> Result<String, QueryError> {
        let keys = self.keys.keys();
        let key = keys.last().ok_or_else(|| QueryError::Unavailable {
            missing: "the key with which the cluster seals tokens".to_owned(),
        })?;
        let jobs = elsewhere.iter().cloned().chain([here]);
        let token = Token::new(&self.cluster, jobs, after(clock::now(), TOKEN_LIFE));
        token.seal(key).map_err(not_given)
    }
}

/// The name of a job, which another one may have had before, or has later.
fn name(job: &str) -> &str {
    job.rsplit_once('/').map_or(job, |(name, _)| name)
}

fn not_taken(error: TokenError) -> QueryError {
    match error {
        TokenError::Expired => QueryError::TokenExpired,
        error => QueryError::TokenInvalid { why: error.to_string() },
    }
}

fn not_given(error: TokenError) -> QueryError {
    match error {
        TokenError::Long { found, max } => {
            QueryError::TooLarge { what: "the token".to_owned(), found: found as u64, max: max as u64 }
        }
        error => QueryError::TokenInvalid { why: error.to_string() },
    }
}

fn after(now: ProcessingTime, time: Duration) -> ProcessingTime {
    let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    ProcessingTime::from_millis(now.as_millis().saturating_add(millis))
}
