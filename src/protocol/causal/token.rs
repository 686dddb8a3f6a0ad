//! What a client has seen of a job's shared state, to be shown to any node of the job.
//!
//! A client that has read or written gets a token with the answer, and shows the newest one with its next question. A
//! node that has not applied what the token names lets the question wait. So reads are monotonic and the client sees its
//! own writes, whichever nodes answer, and no node has to remember the client (Terry et al., *Session Guarantees for
//! Weakly Consistent Replicated Data*, 1994).
//!
//! A token is signed by the cluster, so that nobody makes one up: a made-up clock would wait for ever, and might tell of
//! other jobs. It holds no secrets: whoever has it can read it.

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

/// What a client has seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The cluster that gave it.
    pub cluster: String,
    /// The job.
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
    /// When it ceases to be good.
    pub expires: ProcessingTime,
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

/// For whom a token must have been made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audience<'a> {
    /// The cluster.
    pub cluster: &'a str,
    /// The job.
    pub job: &'a str,
}

impl Token {
    /// Lets a complete checkpoint of the token's run stand for the updates up to it. What is left is smaller and asks
    /// for no less.
    pub fn reduce(&mut self, completed: Epoch) {
        self.seen.forget(completed);
        self.completed = self.completed.max(Some(completed));
    }

    /// Takes note of what somebody has seen of the same run.
    pub fn see(&mut self, seen: &VectorClock) {
        self.seen.merge(seen);
    }

    /// Signs the token, as text that may stand in a header or an address.
    ///
    /// # Errors
    ///
    /// Where it is longer than a header may be.
    pub fn seal(&self, key: &TokenKey) -> Result<String, TokenError> {
        let body = rmp_serde::to_vec(self).expect("a token is plain data, and a vector takes all bytes");
        seal::seal(key, &body)
    }

    /// Reads a token that somebody shows. Nothing of it is looked at before its seal is proved.
    ///
    /// # Errors
    ///
    /// Where it is none, was made by nobody who has one of these keys, is too old, or was made for others.
    pub fn open(
        text: &str,
        keys: &[TokenKey],
        audience: Audience<'_>,
        now: ProcessingTime,
    ) -> Result<Token, TokenError> {
        let body = seal::open(text, keys)?;
        let mut reader = rmp_serde::Deserializer::from_read_ref(&body);
        // Fields that are not known are skipped, by a call within a call for each level.
        reader.set_max_depth(DEPTH_MAX);
        let token = Token::deserialize(&mut reader);
        let token = token.map_err(|_| TokenError::Form("its content is of another form"))?;
        if token.expires <= now {
            return Err(TokenError::Expired);
        }
        if token.cluster != audience.cluster {
            return Err(TokenError::OtherCluster { found: token.cluster });
        }
        if token.job != audience.job {
            return Err(TokenError::OtherJob { found: token.job });
        }
        Ok(token)
    }
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
    /// It was given for another job.
    #[error("the token is of job {found:?}")]
    OtherJob {
        /// Which.
        found: String,
    },
}
