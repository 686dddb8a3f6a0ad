//! A clock that never goes back and never tells a time before that of what it has seen.
//!
//! Whether a time that came from elsewhere is to be believed is asked of [`Clocks`](super::Clocks) before it is shown to
//! this clock: one that is a year ahead, once taken in, would win every comparison for a year.
//!
//! After: Kulkarni et al., *Logical Physical Clocks and Consistent Snapshots in Globally Distributed Databases* (2014).

use watershed_core::ProcessingTime;
use watershed_core::causal::HybridTime;

/// Gives times that strictly increase, stay close to the wall clock and lie behind all times observed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HybridClock {
    last: HybridTime,
}

impl HybridClock {
    /// Goes on from the high-water mark of a checkpoint, so that what is done after a roll-back has later times than
    /// what was rolled back, however the wall clock was set meanwhile.
    pub const fn restore(high_water: HybridTime) -> Self {
        HybridClock { last: high_water }
    }

    /// The time that [`HybridClock::now`] would give.
    pub fn next(&self, wall: ProcessingTime) -> HybridTime {
        let millis = u64::try_from(wall.as_millis()).unwrap_or(0);
        self.last.next().max(HybridTime::at(millis))
    }

    /// A time behind all that were given or observed.
    pub fn now(&mut self, wall: ProcessingTime) -> HybridTime {
        self.last = self.next(wall);
        self.last
    }

    /// Takes note of a time that came from elsewhere.
    pub fn observe(&mut self, time: HybridTime) {
        self.last = self.last.max(time);
    }

    /// The latest time given or observed, for the checkpoint.
    pub const fn high_water(&self) -> HybridTime {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(millis: i64) -> ProcessingTime {
        ProcessingTime::from_millis(millis)
    }

    #[test]
    fn times_strictly_increase_though_the_wall_clock_goes_back() {
        let mut clock = HybridClock::restore(HybridTime::default());
        let times = [5, 5, 3, 7, -9].map(|millis| clock.now(wall(millis)));
        let first = HybridTime::at(5);
        let last = HybridTime::at(7);
        assert_eq!(times, [first, first.next(), first.next().next(), last, last.next()]);
    }

    #[test]
    fn what_is_done_after_an_observation_is_later_than_it() {
        let mut clock = HybridClock::restore(HybridTime::at(5));
        clock.observe(HybridTime::at(9));
        clock.observe(HybridTime::at(8));
        assert_eq!(clock.now(wall(6)), HybridTime::at(9).next());
    }

    #[test]
    fn a_restart_goes_on_behind_the_high_water_mark() {
        let mut before = HybridClock::restore(HybridTime::default());
        before.now(wall(100));
        let mut after = HybridClock::restore(before.high_water());
        assert!(after.now(wall(40)) > before.high_water());
    }
}
