//! Channels whose ends are on different nodes.
//!
//! ```text
//!   node A                                       node B
//!   Outbound --Route: Records, Element, Clock--->  RunIntake --Deliver--> subtask
//!   subtask <--GiveBack-- RunIntake <--- Credit frames :Route-- Inbound
//! ```
//!
//! A batch is written into a frame on the thread of its sender, where it goes back into the sender's pool at once;
//! its credit comes back when the receiver has emptied its own copy, which is read on the receiver's thread. So the
//! thread of the links copies bytes, and decides nothing but where they go.
//!
//! Body of a frame of records: an array of the watermark, the origin (or nil) and the batch, see
//! `watershed_core::columns`, compressed as `watershed_wire::compress` says where the node is told to. Body of any other
//! element: a [`Mark`]. Body of credit: none; the header counts the records of the batch that is returned, 0 for a control
//! element, and numbers the frames of credit of each channel from 0, as those that go the other way are numbered: one that
//! is lost, doubled or overtaken on its way ends the link, and with it the run. Body of a clock: what the sender of the frames behind it has seen of shared state, see
//! `watershed_protocol::causal::FrameClock`; it needs no credit.

mod intake;
mod mark;
mod route;

pub(crate) use intake::{Inflow, Outflow, RunIntake};
pub(crate) use mark::{FarError, Packed};
pub(crate) use route::{Framed, Route};

#[cfg(test)]
mod tests;
