//! Windows: spans of time, and what is said of the records in them.
//!
//! ```
//! use std::time::Duration;
//! use watershed_actors::aggregate::{AggregateOf, Count, Mean};
//! use watershed_actors::window::{Tumbling, Windowed, Windows};
//! use watershed_core::testing::Numbers;
//! use watershed_core::{Chain, EventTime, EventTimes, Pipeline, Stream};
//!
//! fn hourly(pipeline: &Pipeline) -> Stream<impl Chain<Out = Windowed<u64, (u64, Option<f64>)>>> {
//!     pipeline
//!         .source(Numbers::up_to(1000))
//!         .key_by(|n| n % 10)
//!         .window(Tumbling::of(Duration::from_secs(3600)))
//!         .aggregate((Count, Mean.of(|n: &u64| *n)))
//! }
//! ```
//!
//! A window is closed when the watermark has reached its last millisecond; it then says its results, one
//! for each key that had a record in it, at the time of that last millisecond. A record whose windows are
//! all closed is late: it is counted, and goes to [`WindowedStream::late_to`].
//!
//! Time is cut into slices (a tumbling window is one slice; sliding windows share theirs), and state is
//! kept by slice first and by key second: a record costs one look-up of its key, however many windows it
//! is in, and no timer exists for a key.

mod assigner;
mod backlog;
mod early;
mod global;
pub(crate) mod grid;
mod progress;
mod rolling;
mod rules;
mod session;
mod sliced;
mod span;
mod stream;
#[cfg(test)]
mod tests;

pub use assigner::{Assigner, Sliding, Tumbling};
pub use global::{Global, GlobalState, Whole, WholeStream};
pub use grid::Grid;
pub use rules::{Every, Rules};
pub use session::{Session, SessionState, Sessions};
pub use sliced::{Sliced, SlicedState};
pub use span::{Firing, Span, Windowed};
pub use stream::{WindowedStream, Windows};
