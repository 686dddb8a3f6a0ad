//! A cluster with a job, sessions that work with it, and what happens to it meanwhile.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use watershed::actors::source::Dice;

use crate::history::History;
use crate::nodes::Nodes;
use crate::session::Session;
use crate::verdict::Verdict;

/// How many lists each session appends to.
pub(crate) const LISTS: u64 = 3;

/// How long a node stands still: longer than it takes to give it up.
const STILL: Duration = Duration::from_secs(5);

/// How long all operations may take.
const PATIENCE: Duration = Duration::from_secs(900);

/// One cluster at a time.
static ONE: Mutex<()> = Mutex::new(());

/// What happens to a node that does not lead.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Harm {
    /// SIGKILL; it is started again.
    Kill,
    /// SIGSTOP, and SIGCONT when others have taken over.
    Pause,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) operations: usize,
    pub(crate) nodes: usize,
    pub(crate) sessions: u64,
    /// At which level lists are read.
    pub(crate) level: &'static str,
    /// How long appends are held back on their way from node to node.
    pub(crate) delay: Duration,
    pub(crate) seed: u64,
    /// What happens, evenly over the operations.
    pub(crate) harms: Vec<Harm>,
}

/// What all sessions know.
pub(crate) struct World {
    plan: Plan,
    nodes: Vec<SocketAddr>,
    histories: Mutex<BTreeMap<u64, Arc<History>>>,
    counted: AtomicUsize,
    ends_at: Instant,
}

impl World {
    /// A list of a session, in a run.
    pub(crate) fn list(run: u64, session: u64, own: u64) -> u64 {
        run * 1000 + session * LISTS + own + 1
    }

    /// What is written last of all that a history begins with.
    pub(crate) fn marker(run: u64) -> u64 {
        run * 1000 + 999
    }

    /// All lists of a run.
    pub(crate) fn lists(&self, run: u64) -> impl Iterator<Item = u64> {
        (0..self.plan.sessions)
            .flat_map(move |session| (0..LISTS).map(move |own| World::list(run, session, own)))
    }

    /// Any node: nobody knows which of them live.
    pub(crate) fn node(&self, dice: &mut Dice) -> SocketAddr {
        self.nodes[dice.below(self.nodes.len() as u64) as usize]
    }

    pub(crate) fn level(&self) -> &'static str {
        self.plan.level
    }

    pub(crate) fn sessions(&self) -> u64 {
        self.plan.sessions
    }

    /// The history of a run.
    pub(crate) fn history(&self, run: u64) -> Arc<History> {
        self.histories().entry(run).or_default().clone()
    }

    /// Whether nothing has been written in a run.
    pub(crate) fn is_new(&self, run: u64) -> bool {
        !self.histories().contains_key(&run)
    }

    fn histories(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<History>>> {
        self.histories.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an operation.
    pub(crate) fn count(&self) {
        self.counted.fetch_add(1, Relaxed);
    }

    pub(crate) fn wants_more(&self) -> bool {
        self.counted.load(Relaxed) < self.plan.operations && Instant::now() < self.ends_at
    }

    /// Waits a moment for what is not there.
    pub(crate) fn pause(&self) {
        std::thread::sleep(Duration::from_millis(20));
    }

    /// Waits until so many operations were tried.
    fn wait_for(&self, operations: usize) {
        while self.counted.load(Relaxed) < operations && self.wants_more() {
            self.pause();
        }
    }
}

/// Has sessions work on a cluster, and lets the checker look at what they were told.
pub(crate) fn drive(plan: &Plan) -> Verdict {
    let _alone = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut nodes = Nodes::start(plan.nodes, 4);
    let (parallelism, delay) = (plan.nodes.to_string(), format!("delay={}ms", plan.delay.as_millis()));
    let submit = ["submit", "sessions", "--parallelism", &parallelism, "--set", &delay];
    nodes.command(&[&submit[..], &["--checkpoint-interval", "200ms"]].concat());
    let names = nodes.names();
    let world = World {
        plan: plan.clone(),
        nodes: names.iter().map(|name| nodes.node(name).http).collect(),
        histories: Mutex::default(),
        counted: AtomicUsize::new(0),
        ends_at: Instant::now() + PATIENCE,
    };
    std::thread::scope(|scope| {
        for number in 0..plan.sessions {
            let world = &world;
            scope.spawn(move || Session::new(world, number, plan.seed).work());
        }
        for (place, harm) in plan.harms.iter().enumerate() {
            world.wait_for(plan.operations * (place + 1) / (plan.harms.len() + 1));
            let leader = nodes.leader();
            let others: Vec<&String> = names.iter().filter(|name| **name != leader).collect();
            let victim = others[place % others.len()].as_str();
            match harm {
                Harm::Kill => {
                    nodes.node(victim).kill();
                    std::thread::sleep(Duration::from_millis(500));
                    nodes.start_again(victim);
                }
                Harm::Pause => {
                    nodes.node(victim).stop();
                    std::thread::sleep(STILL);
                    nodes.node(victim).go_on();
                }
            }
            nodes.expect_alive(plan.nodes);
        }
    });
    assert!(world.counted.load(Relaxed) >= plan.operations, "the operations take too long: {}", nodes.said());
    let verdict = Verdict::of(world.histories().values());
    println!("{} nodes, {:?}: {verdict:?}", plan.nodes, plan.harms);
    verdict
}
