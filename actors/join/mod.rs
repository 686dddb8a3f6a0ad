//! Two streams that meet by key and time.
//!
//! | join | a left record meets | and is emitted |
//! | --- | --- | --- |
//! | [`IntervalJoin`] | right records whose times lie in an interval around its own | as soon as both are there |
//! | [`WindowJoin`] | right records that share a window with it | when the window closes, for each window |
//! | [`SessionJoin`] | right records that share a session with it, of both sides together | when the session closes |
//! | [`TemporalJoin`] | the newest right record at or before its time | when the watermark reaches it |
//!
//! Each is a [`CoOperator`](watershed_core::CoOperator); the fluent names are in [`Joins`]. Results do not
//! depend on how the two inputs interleave: a record that is behind the watermark is counted as late and
//! takes no part, and what waits for the watermark is decided by event times alone. State is dropped as the
//! watermark passes; the end of the input releases everything.

mod fluent;
mod interval;
#[cfg(test)]
mod model;
mod session;
mod temporal;
mod window;

pub use fluent::{JoinWindows, Joining, Joins};
pub use interval::{Interval, IntervalJoin, Meeting};
pub use session::{OpenSessions, SessionJoin};
pub use temporal::{Temporal, TemporalJoin, Versions};
pub use window::{Gathered, WindowJoin};
