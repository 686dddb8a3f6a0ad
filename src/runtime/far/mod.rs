//! Channels whose ends are on different nodes.
//!
//! ```text
//!   node A                                       node B
//!   Outbound --Lane: Records, Element frames--->  RunIntake --Deliver--> subtask
//!   subtask <--GiveBack-- RunIntake <--- Credit frames :Lane-- Inbound
//! ```
//!
//! A batch is written into a frame on the thread of its sender, where it goes back into the sender's pool at once;
//! its credit comes back when the receiver has emptied its own copy, which is read on the receiver's thread. So the
//! thread of the links copies bytes, and decides nothing but where they go.
//!
//! Body of a frame of records: an array of the watermark, the origin (or nil) and the batch, see
//! `watershed_core::columns`. Body of any other element: a [`Mark`]. Body of credit: none; the header counts the
//! records of the batch that is returned, 0 for a control element.

mod intake;
mod lane;
mod mark;

pub(crate) use intake::{Inflow, Outflow, RunIntake};
pub(crate) use lane::{Framed, Lane};
pub(crate) use mark::{FarError, Packed};

#[cfg(test)]
mod tests;
