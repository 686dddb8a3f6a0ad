//! Which sites' wall clocks are ahead of most others, for certain.
//!
//! ```text
//!   own tick        t ---- Gossip{sent: t} ---->
//!                                               peer's wall clock shows w
//!     <---- Gossip{clocks: [(own site, w - t)]} ----
//!   so at the own tick 0 the peer's clock showed w - t at most: w was read after t, however long the way
//! ```
//!
//! A time that is far ahead poisons whatever takes the latest (everything written honestly looks old), so it must not
//! become part of any state. But a refusal has to be the same on all sites, or their states differ for ever. So:
//!
//! - **The writer refuses itself**, before the update has a name: what has no dot exists nowhere.
//! - A receiver that still gets a time too far ahead does not apply it, and says whom it does not trust. From then on its
//!   replica cannot keep up with that lane, so the run has to end; the next one begins from a checkpoint without it.
//!
//! Both ask one question, [`Clocks::lead`]: is this time ahead of the clocks of most sites, not counting the writer's?
//! Most, because a single clock that is *behind* makes all others look ahead: its site must neither be able to end the
//! run nor to stop the others' writes.
//!
//! SUBTLE: nothing here may depend on how fast messages are, for a slow machine would then refuse what is right. What is
//! known of another clock is an upper bound of what it shows (see the picture; a message that took long makes the bound
//! looser and the answer milder). A lead over an upper bound is a lead over the clock. The writer measures its own jumps
//! with its ticks, which no one sets, so it notices them at once and not only when somebody tells it. What is left are
//! leads between the limit and the limit plus the time of a message; those the receivers may find too far ahead, and the
//! run ends.
//!
//! SUBTLE: the high-water mark of the checkpoint that the run began from is a floor under all clocks. Times go on from it
//! even if all wall clocks were wrong when it was taken and have been set right since; all sites have the same floor, so
//! that none of them finds such a time too far ahead.
//!
//! After: Cristian, *Probabilistic Clock Synchronization* (1989), of which only the bound is taken.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use watershed_core::causal::HybridTime;
use watershed_core::{ProcessingTime, Site};

use crate::Tick;

/// What a wall clock shows, in milliseconds since 1970, when somebody's protocol time is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClockOffset(pub i64);

impl ClockOffset {
    fn between(wall: ProcessingTime, tick: Tick) -> Self {
        ClockOffset(wall.as_millis().saturating_sub_unsigned(tick.0))
    }

    fn at(self, now: Tick) -> i64 {
        self.0.saturating_add_unsigned(now.0)
    }
}

/// What is known of the wall clocks of all sites.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Clocks {
    own: Site,
    sites: u16,
    floor: i64,
    /// What each site's clock shows at our tick 0: exactly for our own, at most for the others.
    offsets: BTreeMap<Site, ClockOffset>,
    /// What our clock shows at each other site's tick 0, at most: what they want to know.
    bearings: BTreeMap<Site, ClockOffset>,
}

impl Clocks {
    /// Knows of no clock but its own. `high_water` is that of the checkpoint that the run begins from.
    pub fn new(own: Site, sites: u16, high_water: HybridTime, now: Tick, wall: ProcessingTime) -> Self {
        let floor = i64::try_from(high_water.millis()).expect("48 bits are less than 63");
        let offsets = BTreeMap::from([(own, ClockOffset::between(wall, now))]);
        Clocks { own, sites, floor, offsets, bearings: BTreeMap::new() }
    }

    /// Takes note of what our own wall clock shows.
    pub fn read(&mut self, now: Tick, wall: ProcessingTime) {
        self.offsets.insert(self.own, ClockOffset::between(wall, now));
    }

    /// Takes note of what a peer sent when its protocol time was `sent`. Whether it is the first time.
    pub fn hear(&mut self, now: Tick, from: Site, sent: Tick) -> bool {
        let wall = ProcessingTime::from_millis(self.offsets[&self.own].at(now));
        self.bearings.insert(from, ClockOffset::between(wall, sent)).is_none()
    }

    /// Takes note of what a peer says of its clock, relative to our protocol time. Whether it is news.
    pub fn learn(&mut self, from: Site, offset: ClockOffset) -> bool {
        self.offsets.insert(from, offset) != Some(offset)
    }

    /// What each site that was heard from wants to know of our clock.
    pub fn bearings(&self) -> Vec<(Site, ClockOffset)> {
        self.bearings.iter().map(|(&site, &offset)| (site, offset)).collect()
    }

    /// Whether enough is known to judge a time of ours.
    pub fn is_ready(&self) -> bool {
        self.offsets.len() > self.most_others()
    }

    /// How far a time is, for certain, ahead of the clocks of most sites other than its writer's; zero if it is not.
    pub fn lead(&self, now: Tick, writer: Site, time: HybridTime) -> Duration {
        let time = i64::try_from(time.millis()).expect("48 bits are less than 63");
        let others = self.offsets.iter().filter(|(site, _)| **site != writer);
        let mut leads: Vec<i64> =
            others.map(|(_, offset)| time.saturating_sub(offset.at(now).max(self.floor))).collect();
        leads.sort_unstable_by(|one, other| other.cmp(one));
        let over_most = self.most_others().checked_sub(1).and_then(|place| leads.get(place));
        Duration::from_millis(over_most.map_or(0, |lead| u64::try_from(*lead).unwrap_or(0)))
    }

    /// The least number of sites that is more than half of all but one.
    fn most_others(&self) -> usize {
        match usize::from(self.sites) - 1 {
            0 => 0,
            others => others / 2 + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    const NOON: i64 = 100 * HOUR;

    fn wall(millis: i64) -> ProcessingTime {
        ProcessingTime::from_millis(millis)
    }

    fn time(millis: i64) -> HybridTime {
        HybridTime::at(u64::try_from(millis).unwrap())
    }

    /// The clocks of sites whose wall clocks are so far ahead of noon, after each has sent to each twice, every message
    /// under way for `delay`. Each site's ticks began at another time.
    fn after_gossip(ahead: &[i64], delay: u64) -> Vec<Clocks> {
        let sites = u16::try_from(ahead.len()).unwrap();
        let tick = |site: u16, at: u64| Tick(1000 * u64::from(site) + at);
        let mut clocks: Vec<Clocks> = (0..sites)
            .map(|site| {
                let shows = wall(NOON + ahead[usize::from(site)]);
                Clocks::new(Site(site), sites, HybridTime::default(), tick(site, 0), shows)
            })
            .collect();
        for at in [0, delay] {
            let sent: Vec<_> = clocks.iter().map(Clocks::bearings).collect();
            for to in 0..sites {
                for from in (0..sites).filter(|from| *from != to) {
                    let own = &mut clocks[usize::from(to)];
                    own.hear(tick(to, at + delay), Site(from), tick(from, at));
                    for (site, offset) in &sent[usize::from(from)] {
                        if *site == Site(to) {
                            own.learn(Site(from), *offset);
                        }
                    }
                }
            }
        }
        clocks
    }

    /// How far the wall clock of each site is found ahead by each, `later` after noon.
    fn leads(ahead: &[i64], delay: u64, later: u64) -> Vec<Vec<u64>> {
        let found = |judge: u16, clocks: &Clocks| {
            let lead = |writer: usize| {
                let shows = time(NOON + ahead[writer] + i64::try_from(later).unwrap());
                let now = Tick(1000 * u64::from(judge) + later);
                clocks.lead(now, Site(u16::try_from(writer).unwrap()), shows).as_millis() as u64
            };
            (0..ahead.len()).map(lead).collect()
        };
        after_gossip(ahead, delay).iter().zip(0..).map(|(clocks, judge)| found(judge, clocks)).collect()
    }

    #[test]
    fn a_clock_that_is_ahead_is_found_by_all_and_by_its_own_site() {
        let hour = HOUR as u64;
        assert_eq!(leads(&[0, HOUR, 0], 0, 9), [[0, hour, 0], [0, hour, 0], [0, hour, 0]]);
        assert_eq!(leads(&[0, HOUR], 0, 9), [[0, hour], [0, hour]]);
    }

    #[test]
    fn a_site_whose_clock_is_behind_distrusts_nobody_and_stops_nobody() {
        assert_eq!(leads(&[0, -HOUR, 0], 0, 9), [[0, 0, 0], [0, 0, 0], [0, 0, 0]]);
    }

    #[test]
    fn slow_messages_make_no_clock_look_ahead() {
        for delay in [1, 700, 60_000] {
            assert_eq!(leads(&[0, 0, 0], delay, 2 * delay), [[0, 0, 0], [0, 0, 0], [0, 0, 0]]);
        }
        let found = leads(&[0, HOUR, 0], 700, 1400);
        assert!(found.iter().all(|found| found[1] >= HOUR as u64 - 700), "{found:?}");
    }

    #[test]
    fn a_writer_notices_at_once_that_its_own_clock_was_set_ahead() {
        let mut clocks = after_gossip(&[0, 0, 0], 5).remove(0);
        let later = Tick(20);
        assert_eq!(clocks.lead(later, Site(0), time(NOON + 20)), Duration::ZERO);
        clocks.read(later, wall(NOON + HOUR));
        assert!(clocks.lead(later, Site(0), time(NOON + HOUR)) > Duration::from_secs(3599));
    }

    #[test]
    fn nothing_is_certain_before_most_others_have_spoken() {
        let alone = Clocks::new(Site(0), 3, HybridTime::default(), Tick(0), wall(NOON));
        assert!(!alone.is_ready());
        assert_eq!(alone.lead(Tick(0), Site(0), time(NOON + HOUR)), Duration::ZERO);
        assert!(after_gossip(&[0, 0, 0], 0)[0].is_ready());
    }

    #[test]
    fn a_site_that_is_alone_is_right() {
        let alone = Clocks::new(Site(0), 1, HybridTime::default(), Tick(0), wall(NOON));
        assert!(alone.is_ready());
        assert_eq!(alone.lead(Tick(0), Site(0), time(NOON + HOUR)), Duration::ZERO);
    }

    #[test]
    fn times_may_go_on_from_a_checkpoint_that_was_taken_when_the_clocks_were_wrong() {
        let high_water = time(NOON + HOUR);
        let clocks = Clocks::new(Site(0), 2, high_water, Tick(0), wall(NOON));
        assert_eq!(clocks.lead(Tick(0), Site(1), high_water.next()), Duration::ZERO);
        assert_eq!(clocks.lead(Tick(0), Site(1), time(NOON + HOUR + 7)), Duration::from_millis(7));
    }
}
