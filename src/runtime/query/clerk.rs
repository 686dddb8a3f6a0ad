//! Opens the tokens that are shown, and seals those that are given.

use std::time::Duration;

use watershed_core::causal::VectorClock;
use watershed_core::{Epoch, Lineage, ProcessingTime, Run};
use watershed_protocol::causal::{Audience, Needs, Submitted, Token, TokenError};

use super::QueryError;
use super::keyring::Keyring;
use super::limits::TOKEN_LIFE;
use crate::clock;

/// Opens and seals the tokens of one job.
#[derive(Clone, Debug)]
pub(crate) struct Clerk {
    cluster: String,
    /// What the job is called, so that no other job is meant, nor one that has its name later.
    job: String,
    /// The newest one seals.
    keys: Keyring,
}

impl Clerk {
    pub(crate) fn new(cluster: &str, job: String, keys: impl Into<Keyring>) -> Self {
        Clerk { cluster: cluster.to_owned(), job, keys: keys.into() }
    }

    pub(super) fn job(&self) -> &str {
        &self.job
    }

    /// Opens what is shown.
    pub(super) fn open(&self, shown: Option<&str>) -> Result<Option<Token>, QueryError> {
        let audience = Audience { cluster: &self.cluster, job: &self.job };
        let keys = self.keys.keys();
        let open = |text: &str| Token::open(text, &keys, audience, clock::now());
        shown.map(open).transpose().map_err(|error| match error {
            TokenError::Expired => QueryError::TokenExpired,
            error => QueryError::TokenInvalid { why: error.to_string() },
        })
    }

    /// What somebody has seen who has seen this much of a run, and a checkpoint, and has put something into sources.
    pub(super) fn token(
        &self,
        (lineage, run): (Lineage, Run),
        seen: VectorClock,
        completed: Option<Epoch>,
        shown: &Needs,
        inputs: &[Submitted],
    ) -> Token {
        let mut token = Token {
            cluster: self.cluster.clone(),
            job: self.job.clone(),
            lineage,
            run,
            seen,
            completed: completed.max(shown.checkpoint),
            inputs: inputs.to_vec(),
            expires: after(clock::now(), TOKEN_LIFE),
        };
        token.see(&shown.seen);
        if let Some(completed) = token.completed {
            token.reduce(completed);
        }
        token
    }

    pub(super) fn seal(&self, token: &Token) -> Result<String, QueryError> {
        let keys = self.keys.keys();
        let key = keys.last().ok_or_else(|| QueryError::Unavailable {
            missing: "the key with which the cluster seals tokens".to_owned(),
        })?;
        token.seal(key).map_err(|error| match error {
            TokenError::Long { found, max } => {
                QueryError::TooLarge { what: "the token".to_owned(), found: found as u64, max: max as u64 }
            }
            error => QueryError::TokenInvalid { why: error.to_string() },
        })
    }
}

fn after(now: ProcessingTime, time: Duration) -> ProcessingTime {
    let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    ProcessingTime::from_millis(now.as_millis().saturating_add(millis))
}
