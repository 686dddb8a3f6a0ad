//! Names for what happened to shared state, and how much of it somebody has seen.
//!
//! ```text
//! Lane   (run, epoch, site)   the updates that the tasks of one node make between two barriers
//! Dot    (lane, counter)      one update, for ever
//! VectorClock  lane -> counter   all updates of these lanes up to these counters
//! ```
//!
//! One counter for each node would not do: two tasks of a node pass the barrier of an epoch at different moments, so
//! that their updates of two epochs interleave. What belongs to an epoch would be no prefix of the one counter, and no
//! vector could name the cut. With a lane for each epoch a cut is a set of whole lanes.
//!
//! A dot is never given twice: a run has a number of its own, which the meta store gives by compare-and-swap, and
//! within a run a site has one life. A node that was lost comes back in a later run, under whatever number it has there.
//! So no counter has to survive anything, and none is ever restored (what becomes of systems that restore them: *Riak's
//! forgotten actors*, answered there by an epoch for each key and actor).
//!
//! After: Mattern, *Virtual Time and Global States of Distributed Systems* (1989); Preguiça et al., *Dotted Version
//! Vectors* (2010).

mod clock;
mod hybrid;
mod lane;

pub use clock::VectorClock;
pub use hybrid::HybridTime;
pub use lane::{Dot, Lane};
