//! The limits and intervals of a replica, and its place in a run.

use std::time::Duration;

use watershed_core::causal::HybridTime;
use watershed_core::{Epoch, Run, Site};

/// How much a replica keeps and how often it speaks. The same on all sites of a run: what one may send, the others take.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReplicaLimits {
    /// From one gossip to the next. Default: 1 s.
    pub gossip_interval: Duration,
    /// How long the answer to a pull is waited for before somebody else is asked. Default: 2 s.
    pub pull_retry: Duration,
    /// How many pulls may be unanswered, of one lane each. Default: 64.
    pub pulls_max: usize,
    /// How many updates one answer to a pull has at most. Default: 1024.
    pub piece_updates_max: usize,
    /// How many bytes one answer to a pull has, about; one update is always sent. Default: 1 MiB.
    pub piece_bytes_max: usize,
    /// How many updates may wait for what they depend on. Default: 65,536.
    pub held_updates_max: usize,
    /// How many bytes of updates may wait for what they depend on. Default: 64 MiB.
    pub held_bytes_max: usize,
    /// How many of its own updates a site may have that are not saved by a completed checkpoint, or not applied
    /// everywhere; and how many of the others' it keeps for those that lack them. Default: 1,000,000.
    pub log_updates_max: usize,
    /// The same in bytes. Default: 256 MiB.
    pub log_bytes_max: usize,
    /// How many lanes of one site may be open. Default: 1024, which is how many checkpoints may fail in a row.
    pub epochs_max: usize,
    /// How far a wall clock may be ahead of most others. Default: 500 ms.
    pub skew_max: Duration,
}

impl Default for ReplicaLimits {
    fn default() -> Self {
        ReplicaLimits {
            gossip_interval: Duration::from_secs(1),
            pull_retry: Duration::from_secs(2),
            pulls_max: 64,
            piece_updates_max: 1024,
            piece_bytes_max: 1 << 20,
            held_updates_max: 1 << 16,
            held_bytes_max: 64 << 20,
            log_updates_max: 1_000_000,
            log_bytes_max: 256 << 20,
            epochs_max: 1024,
            skew_max: Duration::from_millis(500),
        }
    }
}

/// Where a replica stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReplicaConfig {
    /// The run.
    pub run: Run,
    /// The replica's own site.
    pub own: Site,
    /// How many sites the run has, from 0.
    pub sites: u16,
    /// The newest epoch handed out before the run began: its own begin with the next.
    pub base: Epoch,
    /// The highest of all sites' high-water marks in the checkpoint that the run begins from. The same on all sites.
    pub high_water: HybridTime,
    /// The limits.
    pub limits: ReplicaLimits,
}
