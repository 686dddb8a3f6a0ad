//! What happens to a job when its process is killed, its disk fills up, or its checkpoints are damaged.
//!
//! Everything here starts the stock binary as a process of its own, harms it, starts it again, and lets somebody judge
//! who shares nothing with it: `tests/judge/ledger.py` for the pipeline `two-phase-commit`, and an undisturbed run
//! for `flight-delays`. Every checkpoint that is left is proved to the last byte, certified a consistent cut, and judged once
//! more by `tests/judge/cuts.py`.
//!
//! | module | harm |
//! | --- | --- |
//! | [`matrix`] | SIGKILL, or a panic, at each step of a checkpoint and of a restore |
//! | [`random`] | SIGKILL at random times |
//! | [`disk`] | a full disk; objects that are cut, changed or removed |
//! | [`ingress`] | SIGKILL while records come over a socket |
//! | [`identity`] | a state directory that is somebody else's |
//! | [`memory`] | state, or an operator, that takes more memory than there may be |
//! | [`poison`] | SIGKILL around a record by which an operator panics |
//!
//! `cargo test` does a part of it. All of it, which takes some minutes:
//!
//! ```sh
//! cargo test --test harm -- --ignored --nocapture whole_matrix sixty_times
//! ```
//!
//! What else is ignored there is a gap that is known, with its reason.
//!
//! The binary that Cargo builds for tests has the failpoints of `src/runtime/harm.rs`; others have not.

#![expect(clippy::unwrap_used, reason = "a test that is surprised has failed")]

mod cuts;
mod disk;
mod identity;
mod ingress;
mod ledger;
mod matrix;
mod memory;
#[path = "../conditions/need.rs"]
mod need;
mod poison;
#[path = "../conditions/ports.rs"]
mod ports;
mod process;
mod random;
mod state;
