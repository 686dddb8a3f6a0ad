//! Clusters in one process, over a transport that can be cut.

mod cost;
mod faults;
mod group;
mod linearizable;
mod membership;
mod world;
