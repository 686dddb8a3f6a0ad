//! Values that a job agrees on: decided once a round, by the votes of its nodes, and never undone.
//!
//! A mean of votes cannot be joined, so what was decided has to be a function of one fixed set of votes; and a read that
//! must see the newest write has to ask one place. Both are the job's meta store: a round of a register is decided by a
//! compare-and-swap of the votes that were counted together with what they come to.
//!
//! ```text
//!   Proposal{register, round, votes}      from any node
//!      │ judge: voters of the view, one vote each, a quorum, the value worked out again, the round open
//!      ▼
//!   Swap(Agree(Agreement)) ── done ──────► the answer, and an update of shared state like any other
//!      │         ▲  └──────── refused ───► somebody was first: judged again, or the round is closed
//!      └ unknown ─ Read ┘                  read back: it is there, or it is asked for again
//! ```
//!
//! [`judge`] is the rule and [`Agreeing`] the machine around it. It never says that a proposal was not decided where it may
//! be: then it says that nobody knows, and whoever asked reads the register. [`Telling`] sees to it that the tasks hear of
//! what is decided, also then.
//!
//! After: Lamport, *Paxos Made Simple* (2001), for a value that is chosen once; Ongaro and Ousterhout, *In Search of an
//! Understandable Consensus Algorithm* (2014), for reads that are confirmed by a quorum. Both are below, in the meta store.

mod judge;
mod machine;
mod proposal;
mod telling;
#[cfg(test)]
mod tests;

pub use judge::{Rule, Verdict, judge};
pub use machine::{AgreeEffect, AgreeEvent, Agreeing, TRIES_MAX};
pub use proposal::{Proposal, Refused};
pub use telling::{LOOK_AGAIN, LOOKS_MAX, TellEffect, TellEvent, Telling};
