//! What a job that runs in one process agrees on: set and read through its handle.

use std::time::Duration;

use watershed_core::checkpoint::{Agreement, Register, Voice};
use watershed_core::shared::encode_key;
use watershed_core::{Data, Key};
use watershed_protocol::agree::{Proposal, Refused};

use super::JobHandle;
use crate::agree::{LOCAL, Reading, WAIT_MAX};
use crate::coordinator::{Agree, AskAgreed};

/// Why a register is neither set nor read.
const OVER: &str = "the job is over";

impl JobHandle {
    /// Sets a register of a shared state whose values are agreed on by one vote, within a time of up to
    /// [`WAIT_MAX`](crate::agree::WAIT_MAX). To be awaited where timers of tokio run.
    ///
    /// # Errors
    ///
    /// Where it is not set, or nobody knows whether it is: [`Refused::is_definite`] tells which.
    pub async fn set_register<K: Key, V: Data>(
        &self,
        state: &str,
        key: &K,
        value: &V,
        within: Duration,
    ) -> Result<Agreement, Refused> {
        let value = rmp_serde::to_vec_named(value).map_err(|error| Refused::Vote(error.to_string()))?;
        let votes = vec![Voice { voter: LOCAL.to_owned(), value }];
        let proposal = Proposal { register: register(state, key)?, round: None, votes, value: None };
        self.agree(proposal, within).await
    }

    /// Has a proposal decided, whose one voter is [`LOCAL`](crate::agree::LOCAL).
    ///
    /// # Errors
    ///
    /// As [`JobHandle::set_register`].
    pub async fn agree(&self, proposal: Proposal, within: Duration) -> Result<Agreement, Refused> {
        let agree = Agree { proposal, within: within.min(WAIT_MAX) };
        self.coordinator.send(agree).await.unwrap_or_else(|_| Err(Refused::Unknown(OVER.to_owned())))
    }

    /// Reads a register: no older than what any agreement has set that was answered before.
    ///
    /// # Errors
    ///
    /// Where there is no such register, or the job is over.
    pub async fn read_register<K: Key>(
        &self,
        state: &str,
        key: &K,
        within: Duration,
    ) -> Result<Option<Agreement>, Refused> {
        let reading = self.read_agreed(register(state, key)?, within).await?;
        Ok(reading.map(|reading| reading.agreement))
    }

    /// Reads a register whose key is MessagePack.
    pub(super) async fn read_agreed(
        &self,
        register: Register,
        within: Duration,
    ) -> Result<Option<Reading>, Refused> {
        let ask = AskAgreed { register, within: within.min(WAIT_MAX) };
        self.coordinator.send(ask).await.unwrap_or_else(|_| Err(Refused::Unavailable(OVER.to_owned())))
    }
}

fn register<K: Key>(state: &str, key: &K) -> Result<Register, Refused> {
    let key = encode_key(key).map_err(|refusal| Refused::Vote(refusal.to_string()))?;
    Ok(Register { state: state.to_owned(), key })
}
