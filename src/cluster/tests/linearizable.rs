//! What clients on all nodes see while the cluster is cut apart is what one store in one place could have shown them.
//!
//! Clients read and decide in jobs while leaders are cut off and killed. Each job is an object of its own, so its history
//! is judged alone, by `stateright`'s tester. An operation of which nobody knows whether it was done has no end in the
//! history: it may take effect at any time after its beginning, or never.
//!
//! That the tester would find a leader which answers from what it has, without making sure that it still leads, is shown by
//! one that does so while it is cut off.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};
use tokio::time::{Instant, sleep};
use watershed_core::checkpoint::{Change, Guard, Meta};
use watershed_core::{Epoch, Run, Term};
use watershed_state::{MetaError, MetaStore};

use super::group::submit;
use super::world::{World, agreed};
use crate::{ClusterConfig, JobMeta};

/// How long the harm goes on.
const HARM: Duration = Duration::from_secs(30);

/// How long the clients turn to one job: so long that it sees harm, so short that its history can be judged.
const TURN: Duration = Duration::from_millis(1500);

/// One job, as it should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Job {
    run: u32,
    burnt: u64,
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Read,
    Begin { run: u32 },
    Burn { run: u32, epoch: u64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ret {
    Now(Job),
    Refused(Job),
}

impl SequentialSpec for Job {
    type Op = Op;
    type Ret = Ret;

    fn invoke(&mut self, op: &Op) -> Ret {
        match *op {
            Op::Begin { run } if run == self.run => self.run += 1,
            Op::Burn { run, epoch } if run == self.run && epoch > self.burnt => self.burnt = epoch,
            Op::Begin { .. } | Op::Burn { .. } => return Ret::Refused(*self),
            Op::Read => {}
        }
        Ret::Now(*self)
    }
}

/// Something that happened in a job, in the order in which it did.
#[derive(Clone, Copy, Debug)]
enum Event {
    Began {
        id: u64,
        client: u32,
        op: Op,
    },
    Ended {
        id: u64,
        ret: Ret,
    },
    /// It was certainly not done.
    Undone {
        id: u64,
    },
}

/// Where operations of unknown end are counted from as clients of their own: a client goes on after them.
const UNKNOWN: u32 = 1000;

fn judge(events: &[Event]) -> bool {
    let mut ends: BTreeMap<u64, Option<Ret>> = BTreeMap::new();
    for event in events {
        match *event {
            Event::Began { .. } => {}
            Event::Ended { id, ret } => drop(ends.insert(id, Some(ret))),
            Event::Undone { id } => drop(ends.insert(id, None)),
        }
    }
    let mut tester = LinearizabilityTester::new(Job::default());
    let (mut unknown, mut clients) = (UNKNOWN, BTreeMap::new());
    for event in events {
        match *event {
            Event::Began { id, client, op } => match ends.get(&id) {
                None => {
                    tester.on_invoke(unknown, op).unwrap();
                    unknown += 1;
                }
                Some(None) => {}
                Some(Some(_)) => {
                    tester.on_invoke(client, op).unwrap();
                    clients.insert(id, client);
                }
            },
            Event::Ended { id, ret } => {
                tester.on_return(clients[&id], ret).unwrap();
            }
            Event::Undone { .. } => {}
        }
    }
    tester.is_consistent()
}

fn seen(meta: &Meta) -> Job {
    Job { run: meta.run.0, burnt: meta.burnt.0 }
}

/// Numbers that look random and come again with the seed (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[derive(Default)]
struct Histories {
    events: Mutex<BTreeMap<u64, Vec<Event>>>,
    next: Mutex<u64>,
    over: AtomicBool,
}

impl Histories {
    fn began(&self, job: u64, client: u32, op: Op) -> u64 {
        let id = {
            let mut next = self.next.lock().unwrap();
            *next += 1;
            *next
        };
        self.events.lock().unwrap().entry(job).or_default().push(Event::Began { id, client, op });
        id
    }

    fn happened(&self, job: u64, event: Event) {
        self.events.lock().unwrap().get_mut(&job).expect("the operation began").push(event);
    }
}

/// Reads and decides on one node until it is over.
async fn client(world: &World, node: &str, client: u32, histories: &Histories, seed: u64) {
    let mut random = Random(seed);
    let began = Instant::now();
    let mut last = (0, Job::default());
    // A job's store is kept as long as it answers, so that a decision is not asked for after a question.
    let mut store: Option<JobMeta> = None;
    while !histories.over.load(Relaxed) {
        sleep(Duration::from_millis(30 + random.below(120))).await;
        let Some(cluster) = world.wires.node(node) else { continue };
        let turn = (began.elapsed().as_millis() / TURN.as_millis()) as u64;
        if last.0 != turn {
            last = (turn, Job::default());
            store = None;
        }
        let run = last.1.run;
        let op = match random.below(5) {
            0 | 1 => Op::Read,
            2 | 3 => Op::Begin { run },
            _ => Op::Burn { run, epoch: last.1.burnt + 1 + random.below(2) },
        };
        let job = store.get_or_insert_with(|| cluster.job(&format!("job-{turn}")));
        let guard = Guard { term: Term(0), run: Run(run) };
        let id = histories.began(turn, client, op);
        let answer = match op {
            Op::Read => job.read().await,
            Op::Begin { .. } => job.cas(guard, Change::BeginRun).await,
            Op::Burn { epoch, .. } => job.cas(guard, Change::Burn(Epoch(epoch))).await,
        };
        let ret = match answer {
            Ok(meta) => Ret::Now(seen(&meta)),
            Err(MetaError::Refused { current, .. }) => Ret::Refused(seen(&current)),
            Err(MetaError::Failed { .. }) => {
                histories.happened(turn, Event::Undone { id });
                store = None;
                continue;
            }
            Err(MetaError::Unknown { .. }) => continue,
        };
        let (Ret::Now(job) | Ret::Refused(job)) = ret;
        last.1 = job;
        histories.happened(turn, Event::Ended { id, ret });
    }
}

/// Harms the cluster until the time is over, and heals it.
async fn harm(world: &World, seed: u64) {
    let mut random = Random(seed);
    let (began, nodes) = (Instant::now(), ["a", "b", "c"]);
    while began.elapsed() < HARM {
        sleep(Duration::from_millis(600 + random.below(900))).await;
        let known = world.node("w").leader().borrow().clone();
        let leader = known.map_or(nodes[random.below(3) as usize].to_owned(), |leader| leader.node);
        let victim = nodes[random.below(3) as usize];
        match random.below(5) {
            0 | 1 => world.cut(&[&leader], &nodes),
            2 => world.cut(&[victim], &nodes),
            3 => world.cut_one_way(&leader, victim),
            _ => {
                world.kill(&leader).await;
                sleep(Duration::from_millis(200 + random.below(1800))).await;
                world.start(&leader).await;
            }
        }
        sleep(Duration::from_millis(800 + random.below(2000))).await;
        world.heal();
    }
}

#[tokio::test(start_paused = true)]
async fn all_histories_are_linearizable_while_leaders_are_cut_off_and_killed() {
    let seed = std::env::var("WATERSHED_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_120);
    println!("to repeat: WATERSHED_SEED={seed}");
    let world = World::started_with(&["a", "b", "c"], |config| {
        config.timings.propose = Duration::from_secs(1);
        config.timings.read = Duration::from_secs(1);
        config.bounds.snapshot_after = 40;
        config.bounds.decisions_kept = 5;
    })
    .await;
    world.start("w").await;
    let turns = HARM.as_millis() / TURN.as_millis() + 5;
    for turn in 0..turns {
        world.node("w").propose(submit(&format!("job-{turn}"))).await.unwrap();
    }
    let (before, histories) = (world.settled().await, Histories::default());
    tokio::join!(
        async {
            harm(&world, seed).await;
            histories.over.store(true, Relaxed);
        },
        client(&world, "a", 0, &histories, seed + 1),
        client(&world, "b", 1, &histories, seed + 2),
        client(&world, "c", 2, &histories, seed + 3),
        client(&world, "w", 3, &histories, seed + 4),
    );
    let after = world.settled().await;
    let events = histories.events.into_inner().unwrap();
    let (mut began, mut ended, mut undone) = (0, 0, 0);
    for event in events.values().flatten() {
        match event {
            Event::Began { .. } => began += 1,
            Event::Ended { .. } => ended += 1,
            Event::Undone { .. } => undone += 1,
        }
    }
    let (unknown, terms) = (began - ended - undone, after.term - before.term);
    println!("{began} operations: {ended} done, {undone} not done, {unknown} unknown; {terms} terms");
    assert!(ended > 200 && unknown > 0 && terms > 2, "the harm is harm, and the cluster does something");
    for (job, history) in events {
        assert!(judge(&history), "seed {seed}, job {job}: {history:#?}");
    }
}

/// What clients are told while a leader is cut off: one begins a run where the majority is, another then asks the leader
/// that was.
async fn told_beside_a_leader_that_is_cut_off(settings: fn(&mut ClusterConfig)) -> Vec<Event> {
    let world = World::started_with(&["a", "b", "c"], settings).await;
    world.node("a").propose(submit("job-0")).await.unwrap();
    let (leader, nodes) = (world.settled().await.node, ["a", "b", "c"]);
    let cut_off = world.node(&leader).job("job-0");
    world.cut(&[&leader], &nodes);
    let rest: Vec<_> = nodes.iter().filter(|node| **node != leader).map(|node| world.node(node)).collect();
    agreed_on_another(&rest.iter().collect::<Vec<_>>(), &leader).await;
    let guard = Guard { term: Term(0), run: Run(0) };
    let begun = rest[0].job("job-0").cas(guard, Change::BeginRun).await.unwrap();
    let mut told = vec![
        Event::Began { id: 1, client: 0, op: Op::Begin { run: 0 } },
        Event::Ended { id: 1, ret: Ret::Now(seen(&begun)) },
        Event::Began { id: 2, client: 1, op: Op::Read },
    ];
    told.push(match cut_off.read().await {
        Ok(meta) => Event::Ended { id: 2, ret: Ret::Now(seen(&meta)) },
        Err(_) => Event::Undone { id: 2 },
    });
    told
}

/// Waits until these say that one of them leads, and not the one that did.
async fn agreed_on_another(nodes: &[&crate::Cluster], before: &str) {
    while agreed(nodes).await.node == before {
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_does_not_make_sure_that_it_leads_is_caught() {
    let told = told_beside_a_leader_that_is_cut_off(|config| {
        config.is_credulous = true;
        // However long the others take, it does not find out by itself.
        config.timings.lease = Duration::from_secs(600);
    });
    let told = told.await;
    assert!(!judge(&told), "the tester sees nothing: {told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_cut_off_tells_nothing_that_is_over() {
    let told = told_beside_a_leader_that_is_cut_off(|config| config.timings.read = Duration::from_secs(1));
    let told = told.await;
    assert!(judge(&told), "{told:?}");
}

#[test]
fn the_judge_finds_a_read_that_is_old_and_a_decision_made_twice() {
    let begin = Event::Began { id: 1, client: 0, op: Op::Begin { run: 0 } };
    let begun = Event::Ended { id: 1, ret: Ret::Now(Job { run: 1, burnt: 0 }) };
    let read = Event::Began { id: 2, client: 1, op: Op::Read };
    let saw = |run| Event::Ended { id: 2, ret: Ret::Now(Job { run, burnt: 0 }) };
    assert!(judge(&[begin, begun, read, saw(1)]));
    assert!(judge(&[begin, read, saw(0), begun]));
    assert!(!judge(&[begin, begun, read, saw(0)]));
    assert!(judge(&[begin, read, saw(1)]));
    assert!(!judge(&[begin, read, saw(2)]));
    assert!(!judge(&[begin, Event::Undone { id: 1 }, read, saw(1)]));
}
