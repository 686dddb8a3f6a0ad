//! What a sink has prepared, and its name in the world outside.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::checkpoint::ObjectRef;
use crate::{Epoch, Lineage, Run, SubtaskId};

/// The name of one sink subtask's output of one epoch. Never given twice, since epochs that were not decided
/// are burnt and each recovery begins a new run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Xid {
    /// The job's history that it belongs to.
    pub lineage: Lineage,
    /// The checkpoint whose barrier closed it.
    pub epoch: Epoch,
    /// The execution that prepared it.
    pub run: Run,
    /// Who prepared it.
    pub subtask: SubtaskId,
}

impl fmt::Display for Xid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.lineage, self.run, self.subtask, self.epoch)
    }
}

/// Output that is durable but not visible, and what anybody needs to commit it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Staged {
    /// Its name.
    pub xid: Xid,
    /// The sink's own [`Staged`](crate::Sink::Staged) value as MessagePack.
    pub payload: Payload,
}

/// Bytes that ride along where they are few, and are an object of their own where they are many.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Payload {
    /// The bytes themselves.
    Inline(Vec<u8>),
    /// Where the bytes are.
    Object(ObjectRef),
}
