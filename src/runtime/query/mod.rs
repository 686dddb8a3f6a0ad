//! Questions about a job's state from outside, and updates of what it shares: how they are put and answered.
//!
//! ```text
//!              level         answered from                            when
//!   Query ---> eventual      any node's replica; the live owner       at once
//!              causal        any node's replica                       once it has all that the token names
//!              as of         a complete checkpoint                    at once; one cut of all state, never undone
//!              linearizable  a quorum of the coordinators             for state that is declared for it
//! ```
//!
//! Every answer says of which run it is, and has a token: what the asker has seen by now. Shown with the next question, to
//! whichever node, it lets that node answer with nothing older. A token of what a failure has undone is refused with the
//! updates that never happened; nobody is told a lie in silence.
//!
//! Whoever has put records into a source waits for what comes of them by their positions (`inputs` beside this file says
//! how); reads of checkpoints have a place in a session's order (`order` says which).
//!
//! Asked by [`JobHandle::query`](crate::JobHandle::query) of a job in one process, and by
//! [`NodeHandle::query`](crate::cluster::NodeHandle::query) of a job of a cluster, through any of its nodes.
//!
//! The state of an operator is its own: it is asked for, by the operator's uid, and changed by nobody from outside.

mod archive;
mod clerk;
mod error;
#[cfg(test)]
mod fixture;
mod found;
mod inputs;
mod keyring;
pub mod limits;
mod operators;
mod order;
mod question;
mod reading;
mod secret;
mod standing;
mod turn;
mod window;
mod windows;
mod writing;

pub(crate) use archive::{Archivist, ReadBack, read_until};
pub(crate) use clerk::Clerk;
pub use error::{QueryError, Undone};
pub use found::Found;
pub(crate) use operators::{Aim, LookUp, Operators, Reply, Sight, Sighted, Unseen, aim, not_seen, uids};
pub use question::{AsOf, Level, Query, Update};
pub(crate) use reading::{deadline, late};
pub(crate) use secret::{keys_of, new_secret};
pub use standing::{SharedReport, Tallies};
pub use watershed_protocol::causal::Submitted;
pub(crate) use window::{View, Window};
pub(crate) use windows::Windows;
