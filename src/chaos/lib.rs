//! Rehearses failure: runs a pipeline on a cluster of processes on this machine, hurts it by a schedule that a seed
//! decides about, and judges whether anything of it is left in what the pipeline has written.
//!
//! ```text
//!   Draw ──acts──► play ──hurt, heal──► cluster: n1, n2, ..      (processes; SIGKILL, SIGSTOP, their directory)
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
//! job lasts for the whole rehearsal; where it has none, it is run again and again.

mod cluster;
mod dice;
mod drawing;
mod error;
mod fault;
mod harm;
mod judge;
mod offspring;
mod play;
mod proxy;
mod rehearsal;
mod report;
mod samples;
mod schedule;
mod undisturbed;

pub use error::ChaosError;
pub use fault::{Kind, UnknownKind};
pub use judge::Verdict;
pub use offspring::die_with;
pub use rehearsal::Rehearsal;
pub use report::{Fault, Recovery, Report};
pub use samples::{Sample, Usage};
pub use schedule::{Act, Draw, Victim};
