//! Clients that append to lists of the job `sessions` and read them, each through whichever node and with the tokens that it
//! was given, and the histories of what they did and were told.
//!
//! Several sessions append to each list, at the same time and through different nodes; [`lists`] says how a checker that wants
//! one order gets one. A session counts up, so that every two reads of what it has appended can be compared. After a failure the
//! job goes on from a checkpoint, and younger appends never happened. A client who has seen one is told so, and begins anew; so
//! each run of the job has lists and a history of its own. A history begins with a transaction that writes every list of its
//! run, and every session first reads a marker that was written last, for a checker knows nothing of values that nobody wrote.
//!
//! The lists of the run before stay: that transaction has found them as they are from then on, and they are read on. What it has
//! not found has failed, and must never be read again. Neither must a session be told that all it has seen still holds where it
//! has seen such an append: where a token of the run before is not refused, what was seen with it is taken to be there.

mod client;
pub(crate) mod history;
pub(crate) mod lists;
mod session;
pub(crate) mod told;
pub(crate) mod world;
