//! What a client has seen of the jobs of a cluster, to be shown to any node, for any of its jobs.
//!
//! A client that has read or written gets a token with the answer, and shows the newest one with its next question. A
//! node that has not applied what the token names lets the question wait. So reads are monotonic and the client sees its
//! own writes, whichever nodes answer, and no node has to remember the client (Terry et al., *Session Guarantees for
//! Weakly Consistent Replicated Data*, 1994).
//!
//! One token goes with a client from job to job: each answers by what the token says of it, and hands on what it says of
//! the others. So who is told of something in one pipeline and given the token with it finds it there, whichever
//! pipelines and nodes it has been to meanwhile. What a job has never been asked for by a client is not in its token, and
//! is answered as if the client had seen nothing of that job, which is true.
//!
//! A token is signed by the cluster, so that nobody makes one up: a made-up clock would wait for ever. It holds no
//! secrets: whoever has it can read it.

mod seal;
#[cfg(test)]
mod tests;
mod text;

use serde::{Deserialize, Serialize};
use watershed_core::causal::VectorClock;
use watershed_core::{Epoch, Lineage, Position, ProcessingTime, Run, SplitId};

pub use seal::{KeyId, TOKEN_BYTES_MAX, TokenKey};

/// How deep the content of a token may nest: twice as deep as any does.
const DEPTH_MAX: usize = 16;

/// Of how many jobs a token may tell.
pub const TOKEN_JOBS_MAX: usize = 16;

/// What a client has seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The cluster that gave it.
    pub cluster: String,
    /// What was seen of each job, in the order of their names.
    jobs: Vec<JobToken>,
    /// When it ceases to be good.
    pub expires: ProcessingTime,
}

/// What a client has seen of one job: its part of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobToken {
    /// The job: by a name that no other one ever has.
    pub job: String,
    /// The history that was seen.
    pub lineage: Lineage,
    /// The run that was seen.
    pub run: Run,
    /// The updates that were seen, in lanes of that run. Those up to `completed` need not be named.
    pub seen: VectorClock,
    /// The newest complete checkpoint that was seen: all of it.
    pub completed: Option<Epoch>,
    /// What the client itself has put into the job's sources. A roll-back undoes what came of it and reads it again, so
    /// its position says when that has come about once more.
    pub inputs: Vec<Submitted>,
}

/// A record that a client has put into a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// The source's uid.
    pub source: String,
    /// The split.
    pub split: SplitId,
    /// The position behind the record.
    pub position: Position,
}

impl Submitted {
    /// Adds it to what was put in before: of each split the position that lies furthest behind stands for the rest.
    pub fn join(self, inputs: &mut Vec<Submitted>) {
        match inputs.iter_mut().find(|one| (&one.source, one.split) == (&self.source, self.split)) {
            Some(before) => before.position = before.position.max(self.position),
            None => inputs.push(self),
        }
    }
}

impl JobToken {
    /// Lets a complete checkpoint of the run that was seen stand for the updates up to it. What is left is smaller and
    /// asks for no less.
    pub fn reduce(&mut self, completed: Epoch) {
        self.seen.forget(completed);
        self.completed = self.completed.max(Some(completed));
    }

    /// Takes note of what somebody has seen of the same run.
    pub fn see(&mut self, seen: &VectorClock) {
        self.seen.merge(seen);
    }
}

impl Token {
    /// A token of whoever has seen this, of each job once.
    ///
    /// # Panics
    ///
    /// If a job is named twice.
    pub fn new(cluster: &str, jobs: impl IntoIterator<Item = JobToken>, expires: ProcessingTime) -> Self {
        let mut jobs: Vec<JobToken> = jobs.into_iter().collect();
        jobs.sort_by(|one, other| one.job.cmp(&other.job));
        assert!(is_in_order(&jobs), "what was seen of a job is told once");
        Token { cluster: cluster.to_owned(), jobs, expires }
    }

    /// What was seen of each job, in the order of their names.
    pub fn jobs(&self) -> &[JobToken] {
        &self.jobs
    }

    /// What was seen of a job, and what was seen of all others.
    pub fn split(mut self, job: &str) -> (Option<JobToken>, Vec<JobToken>) {
        let of = self.jobs.iter().position(|one| one.job == job).map(|place| self.jobs.remove(place));
        (of, self.jobs)
    }

    /// Signs the token, as text that may stand in a header or an address.
    ///
    /// # Errors
    ///
    /// Where it is of too many jobs, or longer than a header may be.
    pub fn seal(&self, key: &TokenKey) -> Result<String, TokenError> {
        self.check_jobs()?;
        let body = rmp_serde::to_vec(self).expect("a token is plain data, and a vector takes all bytes");
        seal::seal(key, &body)
    }

    /// Reads a token that somebody shows. Nothing of it is looked at before its seal is proved.
    ///
    /// # Errors
    ///
    /// Where it is none, was made by nobody who has one of these keys, is too old, or is another cluster's.
    pub fn open(
        text: &str,
        keys: &[TokenKey],
        cluster: &str,
        now: ProcessingTime,
    ) -> Result<Token, TokenError> {
        let body = seal::open(text, keys)?;
        let mut reader = rmp_serde::Deserializer::from_read_ref(&body);
        // Fields that are not known are skipped, by a call within a call for each level.
        reader.set_max_depth(DEPTH_MAX);
        let token = Token::deserialize(&mut reader);
        let token = token.map_err(|_| TokenError::Form("its content is of another form"))?;
        if !is_in_order(&token.jobs) {
            return Err(TokenError::Form("its jobs are not in order"));
        }
        token.check_jobs()?;
        if token.expires <= now {
            return Err(TokenError::Expired);
        }
        if token.cluster != cluster {
            return Err(TokenError::OtherCluster { found: token.cluster });
        }
        Ok(token)
    }

    fn check_jobs(&self) -> Result<(), TokenError> {
        let (found, max) = (self.jobs.len(), TOKEN_JOBS_MAX);
        if found > max { Err(TokenError::Jobs { found, max }) } else { Ok(()) }
    }
}

fn is_in_order(jobs: &[JobToken]) -> bool {
    jobs.is_sorted_by(|one, next| one.job < next.job)
}

/// Why a token is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It is none.
    #[error("this is no token: {0}")]
    Form(&'static str),
    /// It is of another version.
    #[error("the token is of version {found}, and version {expected} is taken: get a new one")]
    Version {
        /// Its version.
        found: u8,
        /// The one that is taken.
        expected: u8,
    },
    /// It is longer than any that is given.
    #[error("a token has {found} bytes, and at most {max} are taken")]
    Long {
        /// How many it has.
        found: usize,
        /// How many are taken.
        max: usize,
    },
    /// Its key is not, or no longer, one of the cluster's.
    #[error("the token is signed with key {0}, which is not in use: get a new one")]
    UnknownKey(KeyId),
    /// Its seal does not fit its content.
    #[error("the token is forged or damaged")]
    Forged,
    /// Its time is over.
    #[error("the token has expired: get a new one")]
    Expired,
    /// It was given by another cluster.
    #[error("the token is of cluster {found:?}")]
    OtherCluster {
        /// Which.
        found: String,
    },
    /// It tells of more jobs than any that is given.
    #[error("a token tells of {max} jobs at most, and this would of {found}: begin a new one for the others")]
    Jobs {
        /// Of how many.
        found: usize,
        /// Of how many it may.
        max: usize,
    },
}
