//! The limits and intervals of a job's checkpoints.

use std::time::Duration;

/// When checkpoints are taken, how long they may take, and what is borne before somebody is told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CheckpointConfig {
    /// From the start of one checkpoint to the start of the next; `None` takes only those that are asked for
    /// and the last one. Default: 1 s.
    pub interval: Option<Duration>,
    /// From the end of one checkpoint to the start of the next, at least. Default: 0.
    pub pause_min: Duration,
    /// How long a checkpoint may take from its trigger to its last vote. Default: 60 s.
    pub timeout: Duration,
    /// How long it is waited after a first failed checkpoint; doubled with each further one. Default: 1 s.
    pub back_off: Duration,
    /// How long it is waited after a failed checkpoint, at most. Default: 5 min.
    pub back_off_max: Duration,
    /// How many checkpoints may fail in a row before the job is reported degraded, and how many times an order
    /// to commit is repeated before that. Default: 3.
    pub failures_tolerated: u32,
    /// How many decided checkpoints may wait for their commits before no further one is triggered.
    /// Default: 3.
    pub pending_max: usize,
    /// How many decided checkpoints are kept besides savepoints; at least the newest is. Default: 3.
    pub retain: usize,
    /// How many epochs are burnt at a time, so that handing one out needs no write. Default: 64.
    pub block: u64,
    /// How long a run may take from its fence to its last restored subtask. Default: 10 min.
    pub restore_timeout: Duration,
    /// How long a job that is cancelled may take to commit what is decided, before it ends and names what it could
    /// not. Default: 60 s.
    pub cancel_timeout: Duration,
    /// How long it is waited before an order to commit is repeated; doubled up to `back_off_max`, and for ever.
    /// Default: 1 s.
    pub commit_retry: Duration,
    /// How long it is waited before the meta store is asked again where it did not answer. Default: 500 ms.
    pub store_retry: Duration,
    /// How many runs in a row may end without a checkpoint before the job is given up; 0 gives it up with its
    /// first run that fails before one. A run that has decided a checkpoint is always followed by another, which
    /// commits it if need be. Default: 10.
    pub restarts_max: u32,
    /// How long it is waited before the second such run, doubled with each up to `back_off_max`; the first
    /// follows at once. Default: 1 s.
    pub restart_pause: Duration,
    /// Whether the job ends where the votes of a checkpoint are no consistent cut, instead of trying another.
    /// Default: no, except in builds with debug assertions.
    pub halt_on_violation: bool,
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        CheckpointConfig {
            interval: Some(Duration::from_secs(1)),
            pause_min: Duration::ZERO,
            timeout: Duration::from_secs(60),
            back_off: Duration::from_secs(1),
            back_off_max: Duration::from_secs(300),
            failures_tolerated: 3,
            pending_max: 3,
            retain: 3,
            block: 64,
            restore_timeout: Duration::from_secs(600),
            cancel_timeout: Duration::from_secs(60),
            commit_retry: Duration::from_secs(1),
            store_retry: Duration::from_millis(500),
            restarts_max: 10,
            restart_pause: Duration::from_secs(1),
            halt_on_violation: cfg!(debug_assertions),
        }
    }
}

/// `first`, doubled `times` times, `max` at most.
pub(crate) fn doubled(first: Duration, times: u32, max: Duration) -> Duration {
    let factor = 1_u32.checked_shl(times).unwrap_or(u32::MAX);
    first.saturating_mul(factor).min(max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_doubles_up_to_its_bound() {
        let (second, max) = (Duration::from_secs(1), Duration::from_secs(300));
        let waits: Vec<u64> = [0, 1, 2, 8, 9, 31, 32, 1000]
            .into_iter()
            .map(|times| doubled(second, times, max).as_secs())
            .collect();
        assert_eq!(waits, [1, 2, 4, 256, 300, 300, 300, 300]);
    }
}
