//! When the next checkpoint is due.

use crate::Tick;
use crate::checkpoint::CheckpointConfig;
use crate::checkpoint::config::doubled;

/// The times between checkpoints: regular after one that was decided, ever longer after ones that failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Schedule {
    begun: Tick,
    /// When the next regular one is due; `None` where there are none.
    due: Option<Tick>,
    /// Before this, not even the last checkpoint is tried again.
    not_before: Tick,
    /// How many have failed in a row.
    failures: u32,
}

impl Schedule {
    pub(super) fn new(now: Tick, config: &CheckpointConfig) -> Schedule {
        let due = config.interval.map(|interval| now.after(interval));
        Schedule { begun: now, due, not_before: now, failures: 0 }
    }

    pub(super) fn due(&self) -> Option<Tick> {
        self.due
    }

    pub(super) fn not_before(&self) -> Tick {
        self.not_before
    }

    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) fn begin(&mut self, now: Tick) {
        self.begun = now;
    }

    pub(super) fn succeed(&mut self, now: Tick, config: &CheckpointConfig) {
        self.failures = 0;
        self.not_before = now.after(config.pause_min);
        self.due = config.interval.map(|interval| self.begun.after(interval).max(self.not_before));
    }

    pub(super) fn fail(&mut self, now: Tick, config: &CheckpointConfig) {
        let wait = doubled(config.back_off, self.failures, config.back_off_max);
        self.failures = self.failures.saturating_add(1);
        self.not_before = now.after(wait);
        self.due = config.interval.map(|_| self.not_before);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_decided_checkpoint_is_followed_by_one_an_interval_after_its_start() {
        let config =
            CheckpointConfig { pause_min: Duration::from_millis(200), ..CheckpointConfig::default() };
        let mut schedule = Schedule::new(Tick(0), &config);
        assert_eq!(schedule.due(), Some(Tick(1000)));
        schedule.begin(Tick(1000));
        schedule.succeed(Tick(1300), &config);
        assert_eq!(schedule.due(), Some(Tick(2000)));
        schedule.begin(Tick(2000));
        schedule.succeed(Tick(2900), &config);
        assert_eq!(schedule.due(), Some(Tick(3100)));
    }

    #[test]
    fn failures_put_the_next_one_off_ever_longer() {
        let config = CheckpointConfig::default();
        let mut schedule = Schedule::new(Tick(0), &config);
        let mut waits = Vec::new();
        for _ in 0..11 {
            schedule.fail(Tick(7), &config);
            waits.push(schedule.due().map(|due| due.0 - 7));
        }
        let seconds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300];
        assert_eq!(waits, seconds.map(|seconds| Some(seconds * 1000)));
        assert_eq!(schedule.failures(), 11);
        schedule.succeed(Tick(10), &config);
        assert_eq!((schedule.failures(), schedule.not_before()), (0, Tick(10)));
    }

    #[test]
    fn without_an_interval_only_the_pause_after_a_failure_is_kept() {
        let config = CheckpointConfig { interval: None, ..CheckpointConfig::default() };
        let mut schedule = Schedule::new(Tick(0), &config);
        schedule.fail(Tick(5), &config);
        assert_eq!((schedule.due(), schedule.not_before()), (None, Tick(1005)));
    }
}
