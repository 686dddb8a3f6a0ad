//! Values that the nodes of a job agree on, proposed and read from outside.
//!
//! ```text
//!   JobHandle, NodeHandle ──► Coordinator of the job ──► meta store: read, judge, compare-and-swap
//!                                   │                                         │
//!                                   └── crew of the first site ◄── agreed ────┘
//!                                         └── an update of shared state, to all sites
//! ```
//!
//! What decides is `watershed_protocol::agree`; here it is done. A read is answered by the meta store, which has its leadership
//! confirmed by a quorum first: it sees all that was agreed on before it was asked, through whichever node that was. The
//! tasks of the job see it later, as an update like any other; where the job is set back, the next run is told again.
//!
//! | to | look at |
//! | --- | --- |
//! | declare a state whose values are agreed on | `watershed_actors::resolver::Consensus` |
//! | propose and read in one process | [`JobHandle::set_register`](crate::JobHandle::set_register), [`read_register`](crate::JobHandle::read_register) |
//! | propose and read over a cluster | [`NodeHandle::agree`](crate::cluster::NodeHandle::agree), [`agreed`](crate::cluster::NodeHandle::agreed) |

mod answering;
mod driving;
mod rule;

use std::time::Duration;

use serde::{Deserialize, Serialize};
pub use watershed_core::checkpoint::{Agreement, Register, Voice};
pub use watershed_protocol::agree::{Proposal, Refused};

pub(crate) use answering::{answered, at_once, before, proposal_of, register_of, set, unanswered, undecided};
pub(crate) use driving::{decide, read};
pub(crate) use rule::TableRule;

/// The longest that anybody waits for an agreement or a read of it; who asks for longer waits so long.
pub const WAIT_MAX: Duration = Duration::from_secs(60);

/// What a register is read as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The newest agreement.
    pub agreement: Agreement,
    /// What the resolver of the shared state makes of it, as MessagePack: what a task reads that has heard of it.
    #[serde(with = "serde_bytes")]
    pub value: Vec<u8>,
}

/// The voter of a job that runs in one process alone.
pub const LOCAL: &str = "local";
