//! Sites with a table each, and one key.

use std::collections::BTreeSet;

use serde::Serialize;

use super::script::{SITES, Script, Step};
use super::{Broken, Telling};
use crate::causal::{Dot, HybridTime, Lane};
use crate::shared::msgpack::encode;
use crate::shared::{AGREED, AnyTable, Resolver, Settled, Stamp, Table};
use crate::{Counter, Data, Epoch, MESSAGE_BYTES_MAX, Run, SubtaskId, VertexId, excerpt};

/// The key that is updated.
const KEY: u8 = 0;

pub(super) const EPOCHS: [Epoch; 2] = [Epoch(1), Epoch(2)];

/// Sites that hear of each other.
pub(super) struct World<'a, V, R: Resolver<V>> {
    pub(super) resolver: &'a R,
    updates: &'a [R::Update],
    telling: &'a Telling<'a, R::State, R::Update>,
    sites: [Site<V, R>; SITES],
    pub(super) made: Vec<Made>,
    /// The epoch of the tasks that are furthest behind.
    open: u64,
    story: Vec<String>,
}

struct Site<V, R: Resolver<V>> {
    table: Table<u8, V, R>,
    /// The updates that it has made or heard, by their place among those that were made.
    applied: BTreeSet<usize>,
    time: HybridTime,
    /// When it made its first update of the second epoch.
    opened: Option<HybridTime>,
}

/// An update.
pub(super) struct Made {
    stamp: Stamp,
    pub(super) delta: Vec<u8>,
    /// What has to be applied before.
    deps: BTreeSet<usize>,
}

impl<'a, V, R> World<'a, V, R>
where
    V: Data,
    R: Resolver<V, State: Sync, Value: Serialize>,
{
    pub(super) fn new(
        resolver: &'a R,
        updates: &'a [R::Update],
        telling: &'a Telling<'a, R::State, R::Update>,
    ) -> Self {
        let sites = [0; SITES].map(|_| Site {
            table: Table::new("tried", resolver.clone()),
            applied: BTreeSet::new(),
            time: HybridTime(0),
            opened: None,
        });
        World { resolver, updates, telling, sites, made: Vec::new(), open: 1, story: Vec::new() }
    }

    /// Lets a script happen, and all hear of all in the end. One site settles the first epoch as soon as it is over, one
    /// after more has happened, one when nothing happens any more. How many updates were made.
    pub(super) fn run(mut self, script: &Script) -> Result<usize, Broken> {
        for (site, ahead) in self.sites.iter_mut().zip(script.ahead) {
            site.time = HybridTime(ahead);
        }
        script.before.iter().try_for_each(|step| self.step(*step))?;
        self.try_joins()?;
        self.hear_all(EPOCHS[0])?;
        self.open = 2;
        let settled = Settled { run: Run(1), epoch: EPOCHS[0], time: self.bound() };
        self.settle(0, settled)?;
        script.after.iter().try_for_each(|step| self.step(*step))?;
        self.settle(1, settled)?;
        self.hear_all(EPOCHS[1])?;
        self.expect_one_value()?;
        self.settle(2, settled)?;
        self.expect_one_value()?;
        self.expect_one_state()?;
        Ok(self.made.len())
    }

    fn step(&mut self, step: Step) -> Result<(), Broken> {
        match step {
            Step::Write { site, epoch, update } => {
                self.write(site, Epoch(epoch.max(self.open)), &self.updates[update % self.updates.len()])
            }
            Step::Hear { site, update } => {
                let hearable = self.hearable(site, EPOCHS[1]);
                if hearable.is_empty() { Ok(()) } else { self.hear(site, hearable[update % hearable.len()]) }
            }
        }
    }

    fn write(&mut self, number: usize, epoch: Epoch, update: &R::Update) -> Result<(), Broken> {
        let lane = Lane { run: Run(1), epoch, site: crate::Site(number as u16) };
        let earlier = self.made.iter().filter(|made| made.stamp.dot.lane == lane).count();
        let dot = Dot { lane, counter: Counter(earlier as u64 + 1) };
        let task = SubtaskId { vertex: VertexId(0), index: number as u32 };
        let writer = if self.resolver.agrees().is_some() { AGREED } else { task };
        let stamp = Stamp { dot, time: self.sites[number].time.next(), writer };
        let site = &self.sites[number];
        let again = site.table.with(epoch, &KEY, |state| self.resolver.update(state, update.clone(), &stamp));
        // An update that makes no sense changes nothing.
        let Ok(delta) = site.table.update(&stamp, &KEY, update.clone()) else { return Ok(()) };
        self.story.push(format!("{dot}: {}", quoted(&(self.telling.update)(update))));
        let again = again.map(|again| encode(&again)).unwrap_or_default();
        if again != delta {
            let seen = vec![("one delta", format!("{delta:02x?}")), ("another", format!("{again:02x?}"))];
            return Err(self.broken("one update makes one delta, however often it is asked", seen));
        }
        let deps = site.applied.iter().filter(|other| self.made[**other].stamp.dot.lane.epoch <= epoch);
        let deps = deps.copied().collect();
        let site = &mut self.sites[number];
        site.applied.insert(self.made.len());
        site.time = stamp.time;
        if epoch == EPOCHS[1] {
            site.opened.get_or_insert(stamp.time);
        }
        self.made.push(Made { stamp, delta, deps });
        Ok(())
    }

    /// The updates of lanes up to an epoch that a site can hear next.
    fn hearable(&self, site: usize, epoch: Epoch) -> Vec<usize> {
        let applied = &self.sites[site].applied;
        let is_next = |(place, made): &(usize, &Made)| {
            made.stamp.dot.lane.epoch <= epoch && !applied.contains(place) && made.deps.is_subset(applied)
        };
        self.made.iter().enumerate().filter(is_next).map(|(place, _)| place).collect()
    }

    fn hear(&mut self, number: usize, place: usize) -> Result<(), Broken> {
        let Made { stamp, delta, .. } = &self.made[place];
        self.story.push(format!("site {number} hears {}", stamp.dot));
        let site = &mut self.sites[number];
        if let Err(error) = site.table.apply(stamp, &[KEY], delta) {
            return Err(self.broken("what update makes is taken elsewhere", vec![("it", error.to_string())]));
        }
        site.applied.insert(place);
        site.time = site.time.max(stamp.time);
        Ok(())
    }

    /// Lets all sites hear all updates of lanes up to an epoch.
    fn hear_all(&mut self, epoch: Epoch) -> Result<(), Broken> {
        for site in 0..SITES {
            while let Some(place) = self.hearable(site, epoch).first() {
                self.hear(site, *place)?;
            }
        }
        Ok(())
    }

    /// What all updates to come are later than.
    fn bound(&self) -> HybridTime {
        let bound = |site: &Site<V, R>| site.opened.map_or(site.time, |opened| HybridTime(opened.0 - 1));
        self.sites.iter().map(bound).min().expect("there are sites")
    }

    fn settle(&mut self, number: usize, settled: Settled) -> Result<(), Broken> {
        let own = self.state(number, EPOCHS[1]);
        self.try_settling(&own, settled)?;
        for place in self.hearable(number, EPOCHS[1]) {
            self.try_settling_first(&own, &self.delta(place), settled)?;
        }
        self.story
            .push(format!("site {number} settles epoch {} and all before {}", settled.epoch, settled.time));
        self.sites[number].table.settle(settled);
        Ok(())
    }

    fn expect_one_value(&self) -> Result<(), Broken> {
        let states = [0, 1, 2].map(|site| self.state(site, EPOCHS[1]));
        let [first, rest @ ..] = &states;
        match rest.iter().find(|other| self.value(other) != self.value(first)) {
            None => Ok(()),
            Some(other) => {
                let seen = vec![("one site's state", self.told(first)), ("another's", self.told(other))];
                Err(self.broken("sites that have heard the same read the same", seen))
            }
        }
    }

    fn expect_one_state(&self) -> Result<(), Broken> {
        let saved = |site: &Site<V, R>| site.table.save(EPOCHS[1]);
        let first = saved(&self.sites[0]);
        match (1..SITES).find(|site| saved(&self.sites[*site]) != first) {
            None => Ok(()),
            Some(site) => {
                let [first, other] = [0, site].map(|site| self.told(&self.state(site, EPOCHS[1])));
                let seen = vec![("one site's state", first), ("another's", other)];
                Err(self.broken("sites that have heard and settled the same are the same", seen))
            }
        }
    }

    pub(super) fn state(&self, site: usize, epoch: Epoch) -> R::State {
        self.sites[site].table.with(epoch, &KEY, R::State::clone)
    }

    /// What a state is read as, to be compared.
    pub(super) fn value(&self, state: &R::State) -> Vec<u8> {
        rmp_serde::to_vec_named(&self.resolver.value(state)).expect("a value can be written by serde")
    }

    pub(super) fn told(&self, state: &R::State) -> String {
        quoted(&(self.telling.state)(state))
    }

    pub(super) fn broken(&self, law: &'static str, seen: Vec<(&'static str, String)>) -> Broken {
        Broken { law, seen, story: self.story.clone() }
    }
}

pub(super) fn quoted(text: &str) -> String {
    excerpt(text, MESSAGE_BYTES_MAX).into_owned()
}
