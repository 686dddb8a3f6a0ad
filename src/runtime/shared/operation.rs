//! What one update does: to which state, to which key, what.

use serde::{Deserialize, Serialize};
use watershed_core::SharedId;
use watershed_protocol::causal::Size;

/// What one update does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Operation {
    pub(crate) shared: SharedId,
    /// As MessagePack.
    #[serde(with = "serde_bytes")]
    pub(crate) key: Vec<u8>,
    /// As MessagePack.
    #[serde(with = "serde_bytes")]
    pub(crate) delta: Vec<u8>,
}

impl Size for Operation {
    fn bytes(&self) -> usize {
        self.key.len() + self.delta.len()
    }
}
