//! What subtasks share while their job runs, as the pipelines `live-rules` and `inventory` use it: in one process, and on three
//! nodes, each a process of the stock binary on loopback. What they write is judged by programs that share nothing with it.
//!
//! | module | what happens |
//! | --- | --- |
//! | [`alone`] | both in one process, at several parallelisms, which has to put out the same |
//! | [`cluster`] | both on three nodes; with updates that travel slowly; with a node that is killed; with the wait taken away |
//!
//! Taken away, the wait is missed: the judge has to find decisions that were made by older rules than had been announced, or it
//! would find none where there are some.

#![expect(clippy::unwrap_used, reason = "a test that is surprised has failed")]

mod alone;
mod cluster;
#[path = "../cluster_harm/http.rs"]
mod http;
mod job;
#[path = "../cluster_harm/node.rs"]
#[expect(dead_code, reason = "nodes stand still and leave elsewhere")]
mod node;
#[path = "../cluster_harm/nodes.rs"]
#[expect(dead_code, reason = "clusters grow elsewhere")]
mod nodes;
#[path = "../harm/process.rs"]
#[expect(dead_code, reason = "a process that is one job is killed elsewhere")]
mod process;
