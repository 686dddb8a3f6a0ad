//! The sites, their tasks, the channels, and what happens next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use watershed_core::causal::{HybridTime, VectorClock};
use watershed_core::{Epoch, Run, Site};
use watershed_protocol::Tick;
use watershed_protocol::causal::{
    ClockReader, ClockWriter, Replica, ReplicaConfig, ReplicaLimits, Session, Size,
};

use crate::cut::Cut;
use crate::lots::Lots;
use crate::network::Letter;
use crate::task::{Element, Task};

const STEPS: usize = 700;
const RUN: Run = Run(1);

/// The rules of the protocol, each of which can be broken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// The counter of a site begins anew with each epoch.
    pub(crate) lanes: bool,
    /// A task sees only updates of epochs up to its own.
    pub(crate) filter: bool,
    /// A batch waits until the replica has what its clock names.
    pub(crate) wait: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Rules { lanes: true, filter: true, wait: true }
    }
}

/// What must not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Violation {
    /// C2: a task works on a record and does not find in shared state what the record's writer knew.
    FoundThePast,
    /// C3: an update was joined at a site that lacks something its writer knew.
    BeforeItsCause,
    /// C2: a frame's clock does not name something that its task knows.
    Untold,
    /// What a checkpoint has saved of shared state is not just what was written before its barriers.
    NotThePrefix,
    /// K2: what a task has seen when it was cut is not in the cut.
    Orphan,
    /// K2: the clock of a task names, when it is cut, what is not in the cut.
    ClockBeyond,
    /// K3: an update in the cut was caused by one that is not.
    NotClosed,
    /// A correct site was taken for a confused one.
    Mistrust,
}

/// The number of an update, by which the truth is told.
pub(crate) type Id = u32;

/// An update changes nothing but carries its number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delta(pub(crate) Id);

impl Size for Delta {
    fn bytes(&self) -> usize {
        4
    }
}

/// What is true of an update.
pub(crate) struct Made {
    /// The epoch of the task that made it.
    pub(crate) epoch: Epoch,
    pub(crate) dot: watershed_core::causal::Dot,
    /// All that the task knew.
    pub(crate) causes: BTreeSet<Id>,
}

/// A site's replica and its table: the updates joined, in order.
pub(crate) struct Home {
    pub(crate) replica: Replica<Delta>,
    pub(crate) table: Vec<Id>,
}

/// From a source to a worker.
pub(crate) struct Channel {
    pub(crate) elements: VecDeque<Element>,
    pub(crate) writer: ClockWriter,
    pub(crate) reader: ClockReader,
    /// Whether its barrier has come and others' have not.
    pub(crate) is_blocked: bool,
}

pub(crate) struct World {
    pub(crate) lots: Lots,
    pub(crate) rules: Rules,
    pub(crate) now: Tick,
    pub(crate) sites: u16,
    pub(crate) homes: Vec<Home>,
    /// The sources, one on each site, then the workers.
    pub(crate) tasks: Vec<Task>,
    /// By source and worker.
    pub(crate) channels: BTreeMap<(usize, usize), Channel>,
    pub(crate) mail: Vec<Letter>,
    pub(crate) is_harmed: bool,
    /// A site that stands still: it hears nothing and does nothing.
    pub(crate) still: Option<usize>,
    pub(crate) made: Vec<Made>,
    /// The checkpoint under way.
    pub(crate) cut: Option<Cut>,
    pub(crate) last_epoch: Epoch,
    pub(crate) newest_decided: Epoch,
    /// What the decided checkpoints have saved, and the last counters of its lanes.
    pub(crate) base: BTreeSet<Id>,
    pub(crate) finals: VectorClock,
    /// Sites that are still to hear of a decided checkpoint.
    pub(crate) orders: VecDeque<(usize, Epoch)>,
    pub(crate) violations: BTreeSet<Violation>,
    pub(crate) decided: usize,
    pub(crate) given_up: usize,
    pub(crate) waits: usize,
    pub(crate) settled: usize,
}

impl World {
    pub(crate) fn new(seed: u64, rules: Rules) -> World {
        let mut lots = Lots::new(seed);
        let sites = u16::try_from(2 + lots.below(3)).expect("sites are few");
        let places = usize::from(sites);
        let homes = (0..sites).map(|site| home(Site(site), sites)).collect();
        let tasks = (0..2 * places).map(|task| Task::new(task % places)).collect();
        let pairs = (0..places).flat_map(|source| (places..2 * places).map(move |worker| (source, worker)));
        let channels = pairs.map(|pair| (pair, channel(sites))).collect();
        let mut world = World {
            lots,
            rules,
            now: Tick(0),
            sites,
            homes,
            tasks,
            channels,
            mail: Vec::new(),
            is_harmed: false,
            still: None,
            made: Vec::new(),
            cut: None,
            last_epoch: Epoch(0),
            newest_decided: Epoch(0),
            base: BTreeSet::new(),
            finals: VectorClock::new(),
            orders: VecDeque::new(),
            violations: BTreeSet::new(),
            decided: 0,
            given_up: 0,
            waits: 0,
            settled: 0,
        };
        while !world.homes.iter().all(|home| home.replica.is_ready()) {
            world.pass_time(1);
            world.deliver_all();
        }
        world.is_harmed = true;
        world
    }

    /// Lets things happen. Returns what went wrong.
    pub(crate) fn run(&mut self) -> BTreeSet<Violation> {
        self.run_for(STEPS)
    }

    /// Lets so many things happen. Returns what went wrong up to there.
    pub(crate) fn run_for(&mut self, steps: usize) -> BTreeSet<Violation> {
        for _ in 0..steps {
            self.step();
        }
        self.violations.clone()
    }

    fn step(&mut self) {
        let task = self.lots.below(self.tasks.len());
        match self.lots.below(100) {
            0..45 => self.deliver_any(),
            45..85 => self.act(task),
            85..93 => {
                let millis = 1 + self.lots.below(400);
                self.pass_time(millis as u64);
            }
            93..97 => self.trigger(),
            _ => self.hear_of_decision(),
        }
    }

    fn deliver_all(&mut self) {
        while !self.mail.is_empty() {
            self.deliver_any();
        }
    }

    /// Stops the harm and the work. Whether all sites come together, and settle what is decided.
    pub(crate) fn heals(&mut self) -> bool {
        self.is_harmed = false;
        self.mail.clear();
        while !self.orders.is_empty() {
            self.hear_of_decision();
        }
        for _ in 0..20 {
            self.pass_time(2000);
            self.deliver_all();
        }
        let all: BTreeSet<Id> = (0..).take(self.made.len()).collect();
        let is_whole = |home: &Home| {
            home.table.len() == all.len() && home.table.iter().copied().collect::<BTreeSet<_>>() == all
        };
        let settled: BTreeSet<Epoch> =
            self.homes.iter().map(|home| home.replica.applied().settled()).collect();
        let is_kept = |home: &Home| home.replica.lag().others_log.updates == 0;
        self.homes.iter().all(|home| is_whole(home) && is_kept(home))
            && settled.into_iter().eq([self.newest_decided])
    }
}

fn home(own: Site, sites: u16) -> Home {
    let limits = ReplicaLimits {
        gossip_interval: Duration::from_millis(300),
        pull_retry: Duration::from_millis(500),
        piece_updates_max: 3,
        held_updates_max: 6,
        ..ReplicaLimits::default()
    };
    let (base, high_water) = (Epoch(0), HybridTime::default());
    let config = ReplicaConfig { run: RUN, own, sites, base, high_water, limits };
    Home { replica: Replica::new(config, Tick(0), crate::network::wall(Tick(0))), table: Vec::new() }
}

fn channel(sites: u16) -> Channel {
    let (writer, reader) = (ClockWriter::new(), ClockReader::new(RUN, sites, 1000));
    Channel { elements: VecDeque::new(), writer, reader, is_blocked: false }
}

impl Task {
    fn new(home: usize) -> Task {
        Task {
            home,
            epoch: Epoch(1),
            session: Session::new(),
            knows: BTreeSet::new(),
            in_hand: None,
            barrier: None,
        }
    }
}
