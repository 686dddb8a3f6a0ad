//! Rehearses failure: runs a pipeline on a cluster of this machine, hurts it by a schedule that a seed
//! decides about, and judges whether anything of it is left in what the pipeline has written.
//!
//! ```text
//!   Draw ──acts──► play ──hurt, heal──► cluster: n1, n2, ..      (in their home: processes, namespaces, containers)
//!                   │                      │  dial each other through
//!                   │                      ▼
//!                   └──orders, troubles──► proxy                 (frames: later, twice, in another order, torn, ..)
//!
//!   undisturbed run ──► outputs ─┐
//!   job on the cluster ─────────►├── judge ──► report: held, or what is wrong; how long each fault was felt
//!   checkpoints of the job ──────┘
//! ```
//!
//! It knows nothing of a pipeline but its name and parameters: the pipeline must write into a directory that its parameter
//! `output` names, and be one that comes to its end. Where it has a parameter `rate`, it is slowed down so that one
//! job lasts for the whole rehearsal; where it has none, it is run again and again. Where its binary has an audit of it,
//! what that prints is compared in the place of lines: it must exit with 0 and print something.
//!
//! A rehearsal has held where nothing is wrong and something was harmed: a fault counts only where it was felt.
//!
//! The [`Proxy`] can be had alone, by whoever has nodes of their own to harm.

mod away;
mod cluster;
mod dice;
mod disk;
mod drawing;
mod error;
mod fault;
mod harm;
mod home;
mod judge;
mod offspring;
mod open;
mod play;
mod proxy;
mod rehearsal;
mod report;
mod samples;
mod schedule;
mod undisturbed;

pub use error::ChaosError;
pub use fault::{Kind, UnknownKind};
pub use home::{Home, UnknownHome};
pub use judge::Verdict;
pub use offspring::die_with;
pub use proxy::{Proxy, Trouble, Way};
pub use rehearsal::Rehearsal;
pub use report::{Fault, Recovery, Report};
pub use samples::{Sample, Usage};
pub use schedule::{Act, Draw, Victim};
