//! One site: what it holds of the key, what it has heard, and how far its tasks are.

use watershed_actors::source::Dice;
use watershed_core::causal::{Dot, HybridTime, Lane, VectorClock};
use watershed_core::shared::{Settled, Stamp};
use watershed_core::{Counter, Epoch, Run, SubtaskId, VertexId};

/// The last epoch in which anything is written.
pub(crate) const EPOCHS: u64 = 4;
/// How many tasks write on each site.
pub(crate) const TASKS: u32 = 2;
/// The one run.
pub(crate) const RUN: Run = Run(1);
/// By how many milliseconds the clocks of two sites may differ.
const SKEW_MILLIS: u64 = 40;

/// A site, with its view of one key.
pub(crate) struct Site<S> {
    number: watershed_core::Site,
    /// The state as of each epoch: of all updates in lanes up to it. The place is the epoch's number.
    pub(crate) states: Vec<S>,
    pub(crate) applied: VectorClock,
    pub(crate) settled: Epoch,
    /// Whether settling has to look at the key.
    pub(crate) is_unsettled: bool,
    /// The epoch of each task.
    pub(crate) tasks: [Epoch; TASKS as usize],
    /// The time at which each barrier was passed first, from that of the first epoch: what is written in any lane behind
    /// it is later.
    opened: Vec<HybridTime>,
    newest: HybridTime,
    ahead_millis: u64,
}

impl<S: Default + Clone> Site<S> {
    pub(crate) fn new(number: u16, dice: &mut Dice) -> Self {
        Site {
            number: watershed_core::Site(number),
            states: vec![S::default(); EPOCHS as usize + 1],
            applied: VectorClock::new(),
            settled: Epoch(0),
            is_unsettled: false,
            tasks: [Epoch(1); TASKS as usize],
            opened: Vec::new(),
            newest: HybridTime::default(),
            ahead_millis: dice.below(SKEW_MILLIS),
        }
    }

    /// The stamp of the next update of a task.
    pub(crate) fn stamp(&mut self, task: usize, millis: u64) -> Stamp {
        let lane = Lane { run: RUN, epoch: self.tasks[task], site: self.number };
        let counter = Counter(self.applied.get(lane).0 + 1);
        let index = u32::from(self.number.0) * TASKS + task as u32;
        let writer = SubtaskId { vertex: VertexId(0), index };
        Stamp { dot: Dot { lane, counter }, time: self.tick(millis), writer }
    }

    /// A time later than all before.
    fn tick(&mut self, millis: u64) -> HybridTime {
        self.newest = self.newest.next().max(HybridTime::at(millis + self.ahead_millis));
        self.newest
    }

    /// What a task at an epoch sees.
    pub(crate) fn state(&self, epoch: Epoch) -> &S {
        &self.states[epoch.0 as usize]
    }

    /// The states as of an epoch and of all later ones.
    pub(crate) fn states_from(&mut self, epoch: Epoch) -> &mut [S] {
        &mut self.states[epoch.0 as usize..]
    }

    /// Takes note of an update that has been joined.
    pub(crate) fn take_note(&mut self, stamp: &Stamp) {
        self.applied.see(stamp.dot);
        self.newest = self.newest.max(stamp.time);
        self.is_unsettled = true;
    }

    /// Lets the task that is behind pass its next barrier; the last one closes the last lane.
    pub(crate) fn pass_barrier(&mut self, task: usize, millis: u64) {
        let passed = self.tasks[task];
        if passed.0 > EPOCHS || self.tasks.iter().any(|other| *other < passed) {
            return;
        }
        if self.opened.len() < passed.0 as usize {
            let time = self.tick(millis);
            self.opened.push(time);
        }
        self.tasks[task].0 += 1;
    }

    /// Whether none of its tasks writes in lanes up to an epoch any more.
    pub(crate) fn has_closed(&self, epoch: Epoch) -> bool {
        self.tasks.iter().all(|task| *task > epoch)
    }
}

/// What is settled when all sites have closed an epoch and everything has been heard.
pub(crate) fn settled<S>(sites: &[Site<S>], epoch: Epoch) -> Settled {
    let time = sites.iter().map(|site| site.opened[epoch.0 as usize - 1]).min();
    Settled { run: RUN, epoch, time: time.expect("a job has a site") }
}
