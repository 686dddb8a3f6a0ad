//! Watershed is a distributed stream processor: event time, keyed state, windows, joins, and output that appears exactly
//! once, from one static binary.
//!
//! A pipeline is a function that describes it; [`main`] gives it a command line, [`run`] runs it inside a
//! program or a test:
//!
//! ```
//! use watershed::prelude::*;
//!
//! # fn main() -> Result<(), watershed::JobError> {
//! let (sink, squares) = Collect::new();
//! let summary = watershed::run(|pipeline| {
//!     let numbers = pipeline.source(Generator::new(7, |n, _| n).take(1000));
//!     numbers.filter(|n| n % 250 == 0).map(|n| n * n).sink(sink);
//!     Ok(())
//! })?;
//! let mut squares: Vec<u64> = squares.take();
//! squares.sort();
//! assert_eq!(squares, [0, 62_500, 250_000, 562_500]);
//! assert_eq!(summary.vertices[0].counters.records_in, 1000);
//! # Ok(())
//! # }
//! ```
//!
//! A crate that uses this one also depends on `serde` (with the feature `derive`): records, states and
//! parameters derive its traits.
//!
//! | to | look at |
//! | --- | --- |
//! | write a pipeline | [`prelude`] |
//! | give it parameters | [`parameters`] |
//! | give it a command line | [`App`], [`main`] |
//! | run it from a program or a test | [`run`], [`Job`] |
//! | write an operator, a source, a sink | [`core::spi`] |
//! | test what you wrote: restored, moved, reordered | [`testing`] |
//! | reach actors of your own from other nodes | [`App::on_node`], [`link`] |
//! | ask a job that runs on a cluster, from any program | [`client`] |
//! | see what is built in | [`actors`] |

extern crate self as watershed;

mod app;
mod cli;
pub mod client;
mod job;
mod memory;
pub mod parameters;
pub mod prelude;

pub use watershed_actors as actors;
pub use watershed_core as core;
pub use watershed_core::testing;
pub use watershed_link as link;
pub use watershed_runtime as runtime;

pub use app::{App, Describe, DescribeError};
pub use cli::main;
pub use job::{Job, StateBackend, run};
pub use watershed_core::{Pipeline, Plan, PlanError};
pub use watershed_runtime::{Config, JobEnd, JobError, Summary};

/// What a pipeline's function returns where it cannot describe its pipeline: any error, or a text
/// (`Err("the gap must be positive".into())`).
pub type Error = Box<dyn std::error::Error + Send + Sync>;
