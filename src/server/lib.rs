//! The HTTP interface of a node: what people and programs ask of a cluster, and what it shows of itself.
//!
//! ```text
//!   client ──► gate ──► routes ──► NodeHandle::request ──► the leader, wherever it is
//!              │          ├──► NodeHandle::query, update ──► a node on which the job lives
//!              │          │
//!              │          └── /metrics, /healthz, /readyz: of this node itself
//!              └── limits, bearer token, hosts and origins of browsers
//! ```
//!
//! Every node answers alike: what only the leader knows is asked of it. All that is wrong is told as a problem document
//! of [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457). It runs on threads of its own, so that no client holds up a link or a job.
//!
//! | to | look at |
//! | --- | --- |
//! | serve a node | [`Server`], [`ServerConfig`] |
//! | read the answers in Rust | [`view`] |
//! | read what is asked and answered | `openapi.json`, served at `/api/v1/openapi.json` |

mod body;
mod checkpoints;
mod config;
mod duration;
mod error;
mod gate;
mod health;
mod jobs;
mod metrics;
mod name;
mod nodes;
mod openapi;
mod problem;
mod routes;
mod server;
mod states;
mod unread;
pub mod view;

#[cfg(test)]
mod tests;

pub use config::{Access, ServerConfig};
pub use error::ServerError;
pub use server::Server;
