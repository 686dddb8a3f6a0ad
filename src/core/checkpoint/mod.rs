//! The words of a checkpoint: what a subtask votes, what a manifest holds, what the meta store decides.
//!
//! ```text
//!   Meta --completed--> Manifest --votes--> Vote --snapshot--> objects: the subtask's state, oldest first
//!                                              \--staged----> Staged: what its sink has prepared
//! ```
//!
//! Data only. The machines that decide over it live in the protocol crate, what writes it to disk in the
//! state crate, and neither needs to know the other.

mod agreed;
mod change;
mod manifest;
mod meta;
mod object;
mod shared;
mod vote;
mod xid;

pub use agreed::{AGREED_BYTES_MAX, Agreed, Agreement, REGISTERS_MAX, Register, VOTES_MAX, Voice};
pub use change::{Change, Guard, Refusal};
pub use manifest::Manifest;
pub use meta::{Meta, Pointer, ROLL_BACKS_MAX, RollBack};
pub use object::{ContentHash, ObjectRef};
pub use shared::{SharedBase, SharedCut, SharedLog, SiteShare};
pub use vote::{ChannelCut, ChannelKey, InFlight, SplitCut, Vote};
pub use xid::{Payload, Staged, Xid};
