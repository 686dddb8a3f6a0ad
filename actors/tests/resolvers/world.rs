//! An execution: sites write to one key, hear of each other's updates late and twice, pass barriers and settle.
//!
//! Random, and a function of its seed. Updates travel as the replicas carry them: after all that their writers had seen,
//! each lane in its order, otherwise in any; what has been heard may come again until it is settled. A task sees the
//! lanes up to its own epoch, and the two tasks of a site may be an epoch apart.
//!
//! All along, sites that have heard and settled the same must hold the same bytes, and settling must not show. In the end
//! what is read, as of each epoch, must be what the script makes of all updates at once.

use std::collections::BTreeMap;

use serde::Serialize;
use watershed_actors::source::Dice;
use watershed_core::Epoch;
use watershed_core::causal::VectorClock;
use watershed_core::shared::{Resolver, Stamp};

use crate::laws;
use crate::site::{EPOCHS, Site, TASKS, settled};

/// How many sites there are.
pub(crate) const SITES: u16 = 3;
/// How many things happen before the writers stop.
const STEPS: u64 = 150;

/// What authors do to a key, and what has to come of it.
pub(crate) trait Script: Default {
    /// What the resolver is one of.
    type Of;
    /// The resolver.
    type Resolver: Resolver<Self::Of, Update: Clone, Value: PartialEq + std::fmt::Debug>;

    fn resolver(&self) -> Self::Resolver;

    /// The next update of a writer who sees this state.
    fn next(&mut self, state: &State<Self>, dice: &mut Dice) -> Update<Self>;

    /// What is to be read after these updates, by the rules alone.
    fn expected(&self, told: &[&Told<Update<Self>>]) -> Value<Self>;
}

pub(crate) type State<S> = <<S as Script>::Resolver as Resolver<<S as Script>::Of>>::State;
pub(crate) type Update<S> = <<S as Script>::Resolver as Resolver<<S as Script>::Of>>::Update;
pub(crate) type Value<S> = <<S as Script>::Resolver as Resolver<<S as Script>::Of>>::Value;

/// An update as it was made.
pub(crate) struct Told<U> {
    pub(crate) stamp: Stamp,
    /// What its writer had seen.
    pub(crate) saw: VectorClock,
    pub(crate) update: U,
}

impl<U> Told<U> {
    /// Whether its writer had seen another update.
    pub(crate) fn saw(&self, other: &Told<U>) -> bool {
        self.saw.has_seen(other.stamp.dot)
    }
}

struct World<S: Script> {
    script: S,
    resolver: S::Resolver,
    dice: Dice,
    sites: Vec<Site<State<S>>>,
    told: Vec<Told<Update<S>>>,
    deltas: Vec<State<S>>,
    /// States that were seen on the way, to try the laws on.
    seen: Vec<State<S>>,
    millis: u64,
}

/// What all sites hold in the end, hashed.
pub(crate) type Hash = blake3::Hash;

/// Runs the execution of a seed, and returns what all sites hold behind the healing. Says what went wrong.
pub(crate) fn run<S: Script>(seed: u64) -> Result<Hash, String> {
    let script = S::default();
    let mut dice = Dice::new(seed, 0);
    let mut world = World {
        resolver: script.resolver(),
        script,
        sites: (0..SITES).map(|number| Site::new(number, &mut dice)).collect(),
        dice,
        told: Vec::new(),
        deltas: Vec::new(),
        seen: vec![State::<S>::default()],
        millis: 1_000,
    };
    for _ in 0..STEPS {
        world.step()?;
    }
    world.finish()
}

impl<S: Script> World<S> {
    fn step(&mut self) -> Result<(), String> {
        self.millis += self.dice.below(15);
        let site = self.dice.below(SITES.into()) as usize;
        let task = self.dice.below(TASKS.into()) as usize;
        match self.dice.below(24) {
            0..=5 => self.write(site, task),
            6..=14 => self.hear(site),
            15..=16 => self.hear_again(site),
            17..=20 => {
                self.sites[site].pass_barrier(task, self.millis);
                Ok(())
            }
            _ => self.settle(site),
        }
    }

    /// Lets all be heard and settled everywhere.
    fn finish(&mut self) -> Result<Hash, String> {
        for site in 0..self.sites.len() {
            for _ in 0..EPOCHS {
                (0..TASKS as usize).for_each(|task| self.sites[site].pass_barrier(task, self.millis));
            }
            assert!(self.sites[site].has_closed(Epoch(EPOCHS)), "tasks that take turns pass all barriers");
        }
        while self.sites.iter().any(|site| !self.told.iter().all(|one| site.applied.has_seen(one.stamp.dot)))
        {
            let site = self.dice.below(SITES.into()) as usize;
            self.hear(site)?;
        }
        self.healed()?;
        self.read_right()?;
        laws::hold(&self.resolver, &self.seen, &self.deltas, &mut self.dice)?;
        while self.sites.iter().any(|site| site.settled < Epoch(EPOCHS)) {
            let site = self.dice.below(SITES.into()) as usize;
            self.settle(site)?;
        }
        self.read_right()?;
        self.healed()
    }

    /// All sites have heard the same. Those that also began to count from the same settled epoch hold the same.
    fn healed(&self) -> Result<Hash, String> {
        let from = self.sites.iter().map(|site| site.settled.0 as usize).max().expect("there are sites");
        let first = &self.sites[0];
        assert!(self.sites.iter().all(|site| site.applied == first.applied), "all have heard everything");
        let mut bases = BTreeMap::new();
        for site in &self.sites {
            let hash = blake3::hash(&bytes(&site.states[from..]));
            if *bases.entry(site.settled).or_insert(hash) != hash {
                return Err(format!("equal clocks and one base, epoch {}, are two states", site.settled));
            }
        }
        Ok(*bases.values().next_back().expect("there are sites"))
    }

    fn write(&mut self, place: usize, task: usize) -> Result<(), String> {
        let site = &mut self.sites[place];
        let epoch = site.tasks[task];
        if epoch.0 > EPOCHS {
            return Ok(());
        }
        let update = self.script.next(site.state(epoch), &mut self.dice);
        let stamp = site.stamp(task, self.millis);
        let Ok(delta) = self.resolver.update(site.state(epoch), update.clone(), &stamp) else {
            return Ok(());
        };
        let saw = site.applied.up_to(epoch);
        self.told.push(Told { stamp, saw, update });
        self.deltas.push(delta);
        self.apply(place, self.told.len() - 1)
    }

    fn hear(&mut self, place: usize) -> Result<(), String> {
        let applied = &self.sites[place].applied;
        let next = |told: &Told<_>| {
            let counter = told.stamp.dot.counter.0;
            counter == applied.get(told.stamp.dot.lane).0 + 1 && applied.covers(&told.saw)
        };
        let ready: Vec<usize> = (0..self.told.len()).filter(|&index| next(&self.told[index])).collect();
        match self.dice.below(ready.len() as u64) as usize {
            chosen if chosen < ready.len() => self.apply(place, ready[chosen]),
            _ => Ok(()),
        }
    }

    /// An update that was heard comes a second time, which must change nothing.
    fn hear_again(&mut self, place: usize) -> Result<(), String> {
        let site = &self.sites[place];
        let again = |told: &Told<_>| {
            site.applied.has_seen(told.stamp.dot) && told.stamp.dot.lane.epoch > site.settled
        };
        let heard: Vec<usize> = (0..self.told.len()).filter(|&index| again(&self.told[index])).collect();
        if heard.is_empty() {
            return Ok(());
        }
        let index = heard[self.dice.below(heard.len() as u64) as usize];
        let before = bytes(&self.sites[place].states);
        self.apply(place, index)?;
        if bytes(&self.sites[place].states) != before {
            return Err(format!("{} counts again when it comes again", self.told[index].stamp.dot));
        }
        Ok(())
    }

    fn apply(&mut self, place: usize, index: usize) -> Result<(), String> {
        let (site, stamp, delta) = (&mut self.sites[place], &self.told[index].stamp, &self.deltas[index]);
        let epoch = stamp.dot.lane.epoch;
        self.resolver
            .check(site.state(epoch), delta, stamp)
            .map_err(|refusal| format!("a correct delta is refused: {refusal}"))?;
        site.states_from(epoch).iter_mut().for_each(|state| self.resolver.join(state, delta));
        site.take_note(stamp);
        if self.dice.chance(0.1) {
            self.seen.push(site.state(epoch).clone());
        }
        self.agree(place)
    }

    /// Settles as far as can be, or less far.
    fn settle(&mut self, place: usize) -> Result<(), String> {
        let site = &self.sites[place];
        let complete = |epoch: Epoch| {
            let mut up_to = self.told.iter().filter(|told| told.stamp.dot.lane.epoch <= epoch);
            self.sites.iter().all(|site| site.has_closed(epoch))
                && up_to.all(|told| site.applied.has_seen(told.stamp.dot))
        };
        let possible: Vec<Epoch> =
            (site.settled.0 + 1..=EPOCHS).map(Epoch).filter(|epoch| complete(*epoch)).collect();
        if possible.is_empty() {
            return Ok(());
        }
        let epoch = possible[self.dice.below(possible.len() as u64) as usize];
        let settled = settled(&self.sites, epoch);
        let site = &mut self.sites[place];
        site.settled = epoch;
        // As a table does: keys of which nothing has settled, and nothing is left to go, are not looked at.
        if !std::mem::take(&mut site.is_unsettled) {
            return self.agree(place);
        }
        site.is_unsettled = site.applied.dots().any(|dot| dot.lane.epoch > epoch);
        let base = site.state(epoch).clone();
        site.states[..epoch.0 as usize].fill(base);
        for state in &mut site.states {
            let before = self.resolver.value(state);
            site.is_unsettled |= self.resolver.settle(state, settled);
            let after = self.resolver.value(state);
            if before != after {
                return Err(format!("settling shows: {before:?} before, {after:?} after {settled:?}"));
            }
        }
        self.agree(place)
    }

    /// Whoever has heard and settled the same as a site holds the same, byte for byte.
    fn agree(&self, place: usize) -> Result<(), String> {
        let one = &self.sites[place];
        let from = one.settled.0 as usize;
        let others = self.sites.iter().enumerate().filter(|(other, _)| *other != place);
        for (_, other) in others {
            if one.settled == other.settled && one.applied == other.applied {
                let are_equal = one.states[from..] == other.states[from..];
                if !are_equal || bytes(&one.states[from..]) != bytes(&other.states[from..]) {
                    return Err("two sites that have heard and settled the same differ".to_owned());
                }
            }
        }
        Ok(())
    }

    /// As of each epoch that is not folded, what is read is what the script expects of the updates up to it.
    fn read_right(&self) -> Result<(), String> {
        for site in &self.sites {
            for epoch in (site.settled.0..=EPOCHS).map(Epoch) {
                let told: Vec<_> =
                    self.told.iter().filter(|told| told.stamp.dot.lane.epoch <= epoch).collect();
                let (read, expected) = (self.resolver.value(site.state(epoch)), self.script.expected(&told));
                if read != expected {
                    return Err(format!("as of epoch {epoch}, {read:?} is read instead of {expected:?}"));
                }
            }
        }
        Ok(())
    }
}

pub(crate) fn bytes<T: Serialize + ?Sized>(states: &T) -> Vec<u8> {
    rmp_serde::to_vec(states).unwrap()
}
