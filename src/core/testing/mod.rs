//! For authors: run an operator alone, and have it checked against its contract.
//!
//! [`Harness`] pushes records, watermarks and time into one operator and collects what it emits.
//! [`verify`] and its kin restore it between any two elements, deal its keys out to several subtasks and mix the
//! order of keys, and demand the same output each time.

mod harness;
mod numbers;
mod verify;

pub use harness::{Harness, Input};
pub use numbers::Numbers;
pub use verify::{Grouped, verify, verify_co, verify_transform};
