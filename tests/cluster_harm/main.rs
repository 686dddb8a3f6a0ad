//! What happens to a job of a cluster when its nodes are killed, stand still, leave and come.
//!
//! Everything here starts the stock binary as processes on loopback, each a node with a certificate, harms them while `flight-delays` is at
//! work, and compares what the job has written, its lines sorted, with a run in one process that nobody disturbed. Every
//! checkpoint that is left is proved to the last byte and certified a consistent cut. What is printed is how long it took from the harm
//! to the first checkpoint that was completed behind it.
//!
//! | module | what happens |
//! | --- | --- |
//! | [`kills`] | SIGKILL of a worker, of the leader, of two nodes at once, of all, which are started again |
//! | [`stills`] | SIGSTOP of a worker and of the leader, and SIGCONT when others have taken over |
//! | [`steps`] | SIGKILL, SIGSTOP or sleep of one node alone or of all, exactly at a step of a checkpoint |
//! | [`changes`] | SIGTERM of a worker and of the leader; a node more, and a job that grows onto it |
//! | [`sizes`] | clusters of 3, 5 and 8 nodes: the job, and what membership costs each node |
//!
//! `cargo test` does a part of it. All of it, which takes some minutes:
//!
//! ```sh
//! cargo test --test cluster_harm -- --ignored --nocapture
//! ```
//!
//! The same from outside, with containers whose network is taken away as well: `docker/hurt.sh`.

#![expect(clippy::unwrap_used, reason = "a test that is surprised has failed")]

mod changes;
#[path = "../harm/cuts.rs"]
mod cuts;
mod http;
mod job;
mod kills;
mod node;
mod nodes;
mod order;
#[path = "../harm/process.rs"]
#[expect(dead_code, reason = "a process that is one job is killed elsewhere")]
mod process;
mod sizes;
mod steps;
mod stills;
