//! What the nodes of a cluster agree on, through any of them, while nodes are lost.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64};

use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};
use watershed_core::checkpoint::Agreement;

use super::super::agree::{LIMIT, proposal, question, register};
use super::*;
use crate::agree::Refused;
use crate::query::{Level, Query, Update};

const JOB: &str = "doubling";

/// How long a step may take.
const WITHIN: Duration = Duration::from_secs(60);

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn read(node: &NodeHandle, within: Duration) -> Result<Option<Agreement>, Refused> {
    runtime().block_on(node.agreed(JOB, register(0), within))
}

fn set(
    node: &NodeHandle,
    round: Option<u64>,
    votes: &[(&str, u8)],
    within: Duration,
) -> Result<Agreement, Refused> {
    runtime().block_on(node.agree(JOB, proposal(round, votes), within))
}

/// Has a job run whose numbers meet a limit that is agreed on.
fn started(world: &World) -> [Living; 3] {
    let nodes = world.start_all();
    submit_with(&nodes[0], &[(ENDLESS, "yes"), ("pause", "100"), ("agrees", "yes")], 6).unwrap();
    wait_for(&nodes[0], "a checkpoint", |report| report.checkpoints.completed.is_some());
    nodes
}

/// Waits until the tasks have met a limit.
fn wait_for_limit(world: &World, limit: u64) {
    let until = Instant::now() + PATIENCE;
    while !world.table.sorted().iter().any(|(_, met)| *met == limit) {
        assert!(Instant::now() < until, "no number meets {limit}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_linearizable_read_sees_the_newest_agreement_through_any_node_whoever_is_lost() {
    let world = World::new();
    let nodes = started(&world);
    for (limit, setter) in [(3, 0), (8, 1), (5, 2)] {
        let voter = ["a", "b", "c"][setter];
        let agreed = set(&nodes[setter].handle, None, &[(voter, limit)], WITHIN).unwrap();
        for node in &nodes {
            assert_eq!(read(&node.handle, WITHIN), Ok(Some(agreed.clone())));
            let asked = node.handle.query(JOB, question(LIMIT, Level::Linearizable));
            assert_eq!(runtime().block_on(asked).unwrap().value, Some(vec![limit]));
        }
        wait_for_limit(&world, limit.into());
    }
    // As clients do, through any node.
    for (delta, through, reader) in [(9, 0, 1), (6, 2, 0)] {
        let (state, key, delta) = (LIMIT.to_owned(), vec![0], vec![delta]);
        let update = Update { state, key, delta: delta.clone(), token: None, durable: false, wait: WITHIN };
        let made = runtime().block_on(nodes[through].handle.update(JOB, update)).unwrap();
        let asked = Query { token: Some(made.token), ..question(LIMIT, Level::Linearizable) };
        let found = runtime().block_on(nodes[reader].handle.query(JOB, asked)).unwrap();
        assert_eq!(found.value, Some(delta));
    }
    // By votes of several nodes; one who is no node has none.
    let summed = set(&nodes[0].handle, Some(6), &[("a", 20), ("b", 30), ("c", 11)], WITHIN).unwrap();
    assert_eq!((summed.value.as_slice(), summed.votes.len()), ([61].as_slice(), 3));
    let stranger = set(&nodes[1].handle, None, &[("a", 20), ("z", 1)], WITHIN);
    assert!(matches!(stranger, Err(Refused::Stranger { ref voter, .. }) if voter == "z"), "{stranger:?}");

    // Whoever leads is lost, and the tasks go back to a checkpoint.
    let leader = nodes[0].handle.leader().unwrap();
    let (lost, left): (Vec<_>, Vec<_>) = nodes.into_iter().partition(|node| node.handle.node() == leader);
    lost.into_iter().for_each(Living::stop);
    for node in &left {
        assert_eq!(read(&node.handle, WITHIN), Ok(Some(summed.clone())));
    }
    let voter = left[0].handle.node().to_owned();
    wait_for(&left[0], "another run", |report| report.run > Some(1) && report.state == JobState::Running);
    let next = set(&left[1].handle, None, &[(&voter, 44)], WITHIN).unwrap();
    assert_eq!(next.round.0, 7);
    wait_for_limit(&world, 44);
    left.into_iter().for_each(Living::stop);
}

#[test]
fn without_a_quorum_nothing_is_read_or_agreed_on_and_that_is_said_in_time() {
    let world = World::new();
    let [first, second, third] = started(&world);
    set(&first.handle, None, &[("a", 3)], WITHIN).unwrap();
    [second, third].into_iter().for_each(Living::stop);
    let within = Duration::from_secs(1);
    // Once in a while it is the machine that stands still.
    let (mut in_time, mut late) = (0, Vec::new());
    while in_time < 3 {
        let began = Instant::now();
        let refused = read(&first.handle, within).unwrap_err();
        assert!(matches!(refused, Refused::Unavailable(_)), "{refused}");
        let read_took = began.elapsed();
        let began = Instant::now();
        // Nobody else can have decided it; but what is under way may come with the quorum.
        let refused = set(&first.handle, None, &[("a", 4)], within).unwrap_err();
        assert!(matches!(refused, Refused::Unavailable(_) | Refused::Unknown(_)), "{refused}");
        let took = read_took.max(began.elapsed());
        if took < within + Duration::from_secs(1) {
            in_time += 1;
        } else {
            late.push(took);
        }
        assert!(late.len() < 10, "it took {late:?}");
    }
    let none = read(&first.handle, Duration::ZERO);
    assert!(matches!(none, Err(Refused::Unavailable(_))), "nothing is waited for: {none:?}");
    first.stop();
}

/// A register, as it should be: the round and what was set in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Spec(u64, u8);

#[derive(Clone, Copy, Debug)]
enum Op {
    Read,
    /// In the next round.
    Set(u8),
    /// In this round.
    Compare(u64, u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ret {
    Now(Spec),
    Closed,
}

impl SequentialSpec for Spec {
    type Op = Op;
    type Ret = Ret;

    fn invoke(&mut self, op: &Op) -> Ret {
        *self = match *op {
            Op::Read => *self,
            Op::Set(value) => Spec(self.0 + 1, value),
            Op::Compare(round, _) if round <= self.0 => return Ret::Closed,
            Op::Compare(round, value) => Spec(round, value),
        };
        Ret::Now(*self)
    }
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Began {
        id: u64,
        client: u32,
        op: Op,
    },
    Ended {
        id: u64,
        client: u32,
        ret: Ret,
    },
    /// It was certainly not done.
    Undone {
        id: u64,
    },
}

/// Operations of unknown end are those of clients of their own, which never hear of it.
const UNKNOWN: u32 = 1000;

fn judge(events: &[Event]) -> bool {
    let undone =
        |id: u64| events.iter().any(|event| matches!(event, Event::Undone { id: other } if *other == id));
    let ended =
        |id: u64| events.iter().any(|event| matches!(event, Event::Ended { id: other, .. } if *other == id));
    let mut tester = LinearizabilityTester::new(Spec::default());
    let mut unknown = UNKNOWN;
    for event in events {
        match *event {
            Event::Began { id, client, op } if ended(id) => {
                tester.on_invoke(client, op).unwrap();
            }
            Event::Began { id, op, .. } if !undone(id) => {
                unknown += 1;
                tester.on_invoke(unknown, op).unwrap();
            }
            Event::Ended { client, ret, .. } => {
                tester.on_return(client, ret).unwrap();
            }
            Event::Began { .. } | Event::Undone { .. } => {}
        }
    }
    tester.is_consistent()
}

/// How many operations a client has in one history, so that it can be judged.
const OPERATIONS: u32 = 20;

/// Sets and reads through one node until there is enough to be judged, or it is lost.
fn client(node: &NodeHandle, client: u32, events: &Mutex<Vec<Event>>, next: &AtomicU64, lost: &AtomicBool) {
    let (runtime, mut last) = (runtime(), 0);
    // A client that does not know whether it has set something reads next, as it is told to.
    let mut reads_next = false;
    for _ in 0..OPERATIONS {
        if lost.load(SeqCst) {
            return;
        }
        let id = next.fetch_add(1, SeqCst);
        let value = id as u8;
        let op = match (reads_next, id % 5) {
            (true, _) | (_, 0 | 1) => Op::Read,
            (false, 2 | 3) => Op::Set(value),
            (false, _) => Op::Compare(last + 1, value),
        };
        events.lock().unwrap().push(Event::Began { id, client, op });
        let within = Duration::from_secs(6);
        let voter = node.node();
        let answer = runtime.block_on(async {
            match op {
                Op::Read => node.agreed(JOB, register(0), within).await,
                Op::Set(_) => node.agree(JOB, proposal(None, &[(voter, value)]), within).await.map(Some),
                Op::Compare(round, _) => {
                    node.agree(JOB, proposal(Some(round), &[(voter, value)]), within).await.map(Some)
                }
            }
        });
        reads_next = false;
        let seen = |found: &Option<Agreement>| {
            found
                .as_ref()
                .map_or(Spec(0, 0), |found| Spec(found.round.0, found.value.last().copied().unwrap_or(0)))
        };
        let event = match answer {
            Ok(found) => {
                last = seen(&found).0;
                Some(Event::Ended { id, client, ret: Ret::Now(seen(&found)) })
            }
            Err(Refused::Closed { newest, .. }) => {
                last = newest.0;
                Some(Event::Ended { id, client, ret: Ret::Closed })
            }
            Err(refused) if refused.is_definite() => Some(Event::Undone { id }),
            Err(refused) => {
                println!("client {client}, operation {id}: {refused}");
                reads_next = true;
                None
            }
        };
        events.lock().unwrap().extend(event);
        std::thread::sleep(Duration::from_millis(20 + id % 7 * 30));
    }
}

#[test]
fn histories_of_sets_and_reads_are_linearizable_while_the_leader_is_lost() {
    let world = World::new();
    let nodes = started(&world);
    let leader = nodes[0].handle.leader().unwrap();
    let (events, next) = (Mutex::new(Vec::<Event>::new()), AtomicU64::new(0));
    let gone = [(); 3].map(|()| AtomicBool::new(false));
    let ended = || {
        let events = events.lock().unwrap();
        events.iter().filter(|event| matches!(event, Event::Ended { .. })).count()
    };
    let handles: Vec<NodeHandle> = nodes.iter().map(|node| node.handle.clone()).collect();
    let (lost, left): (Vec<_>, Vec<_>) = nodes.into_iter().partition(|node| node.handle.node() == leader);
    std::thread::scope(|scope| {
        let (events, next) = (&events, &next);
        for ((number, node), gone) in (0..).zip(&handles).zip(&gone) {
            scope.spawn(move || client(node, number, events, next, gone));
        }
        // In the midst of it, however long that takes.
        let until = Instant::now() + PATIENCE;
        while ended() < 15 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        lost.into_iter().for_each(Living::stop);
        let of_the_lost = handles.iter().position(|handle| handle.node() == leader);
        gone[of_the_lost.expect("it is one of them")].store(true, SeqCst);
    });
    left.into_iter().for_each(Living::stop);
    let events = events.into_inner().unwrap();
    let of = |wanted: fn(&Event) -> bool| events.iter().filter(|event| wanted(event)).count();
    let (began, ended) =
        (of(|event| matches!(event, Event::Began { .. })), of(|event| matches!(event, Event::Ended { .. })));
    let undone = of(|event| matches!(event, Event::Undone { .. }));
    println!("{began} operations: {ended} done, {undone} not done, {} unknown", began - ended - undone);
    assert!(ended >= 20, "the cluster does something: {events:#?}");
    assert!(judge(&events), "{events:#?}");
}

#[test]
fn the_judge_finds_an_old_read_and_a_round_decided_twice() {
    let began = |id, client, op| Event::Began { id, client, op };
    let ended = |id, client, ret| Event::Ended { id, client, ret };
    let (set, done) = (began(1, 0, Op::Set(7)), ended(1, 0, Ret::Now(Spec(1, 7))));
    let (read, saw) = (began(2, 1, Op::Read), |round, value| ended(2, 1, Ret::Now(Spec(round, value))));
    assert!(judge(&[set, done, read, saw(1, 7)]));
    assert!(!judge(&[set, done, read, saw(0, 0)]), "an old read");
    assert!(judge(&[set, read, saw(0, 0), done]), "meanwhile it may be either");
    assert!(judge(&[set, read, saw(1, 7)]), "nobody knows of its end, and it was done");
    assert!(!judge(&[set, Event::Undone { id: 1 }, read, saw(1, 7)]), "it was not done");
    let compare = |id, client| began(id, client, Op::Compare(1, 7));
    let both = [compare(1, 0), compare(2, 1), done];
    assert!(judge(&[&both[..], &[ended(2, 1, Ret::Closed)]].concat()));
    assert!(!judge(&[&both[..], &[saw(1, 7)]].concat()), "decided twice");
}
