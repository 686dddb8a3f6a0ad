//! Jobs on several nodes, each on a thread of its own with links over loopback.

mod agreeing;
mod asking;
mod deposing;
mod doubling;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc;
use std::thread::JoinHandle;

use watershed_link::{LinkConfig, NodeName, Security};

use super::poison::Table;
use super::shared::expect_witnessed;
use super::*;
use crate::cluster::message::{Roll, WORKER};
use crate::cluster::{
    Answer, CancelHow, Depots, JobReport, JobSpec, JobState, NodeError, NodeHandle, NodeSettings, Problem,
    ProblemKind, Request, run_node,
};
use doubling::{Doubling, PANICS, WORST};

/// A node on a thread of its own.
struct Living {
    handle: NodeHandle,
    thread: JoinHandle<Result<(), NodeError>>,
}

impl Living {
    fn stop(self) {
        self.handle.stop();
        self.thread.join().unwrap().unwrap();
    }

    fn leave(self) {
        self.handle.leave();
        self.thread.join().unwrap().unwrap();
    }
}

fn free_ports<const N: usize>() -> [SocketAddr; N] {
    let listeners = [(); N].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap())
}

struct World {
    directory: tempfile::TempDir,
    ports: [SocketAddr; 3],
    table: Table<(u64, u64)>,
}

impl World {
    fn new() -> Self {
        World { directory: tempfile::tempdir().unwrap(), ports: free_ports(), table: Table::new() }
    }

    fn settings(&self, index: usize) -> NodeSettings {
        let names = ["a", "b", "c"];
        let path = self.directory.path();
        let coordinators = names.iter().zip(self.ports);
        NodeSettings {
            cluster: "test".to_owned(),
            node: names[index].to_owned(),
            listen: self.ports[index],
            advertise: None,
            coordinators: coordinators.map(|(name, port)| ((*name).to_owned(), port.to_string())).collect(),
            slots: 2,
            data: path.join(names[index]),
            checkpoints: Depots { shared: path.join("shared"), address: None, own: path.join(names[index]) },
            security: Security::Plain,
            program: "test".to_owned(),
            http: None,
            leave_within: Duration::from_secs(10),
            // Nodes that compress and nodes that do not understand each other.
            links: LinkConfig { compress_records: index == 1, ..LinkConfig::default() },
        }
    }

    fn start(&self, index: usize) -> Living {
        self.start_as(self.settings(index), "heavy")
    }

    fn start_as(&self, settings: NodeSettings, uid: &'static str) -> Living {
        let (up, is_up) = mpsc::channel();
        let table = self.table.clone();
        let thread = std::thread::spawn(move || {
            run_node(settings, Rc::new(Doubling { table, uid }), |handle| up.send(handle).unwrap())
        });
        Living { handle: is_up.recv().expect("the node comes up"), thread }
    }
}

impl World {
    /// Starts all nodes, and waits until they know each other.
    fn start_all(&self) -> [Living; 3] {
        let nodes = [0, 1, 2].map(|index| self.start(index));
        wait_for_nodes(&nodes[0], 3);
        nodes
    }

    /// Settings of a node that may not lead.
    fn fourth(&self, name: &str) -> NodeSettings {
        let own = self.directory.path().join(name);
        let mut settings = self.settings(0);
        settings.checkpoints.own = own.clone();
        NodeSettings { node: name.to_owned(), listen: free_ports::<1>()[0], data: own, ..settings }
    }
}

/// Waits until so many nodes are known to the leader.
fn wait_for_nodes(node: &Living, count: usize) {
    let all_there = || match ask(node, Request::Nodes) {
        Ok(Answer::Nodes(nodes)) => nodes.iter().filter(|node| node.alive && node.slots > 0).count() == count,
        Ok(_) | Err(_) => false,
    };
    let until = Instant::now() + Duration::from_secs(120);
    while !all_there() {
        assert!(Instant::now() < until, "the nodes never met");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn ask(node: &Living, request: Request) -> Result<Answer, Problem> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(node.handle.request(request))
}

fn submit(node: &Living, count: u64, pause: u64, parallelism: u32) -> Result<Answer, Problem> {
    let parameters =
        BTreeMap::from([("count".to_owned(), count.to_string()), ("pause".to_owned(), pause.to_string())]);
    submit_with(node, parameters, parallelism)
}

fn submit_with(
    node: &Living,
    parameters: BTreeMap<String, String>,
    parallelism: u32,
) -> Result<Answer, Problem> {
    let spec = JobSpec { pipeline: "doubling".to_owned(), parameters, parallelism, ..JobSpec::default() };
    ask(node, Request::Submit { name: "doubling".to_owned(), spec })
}

fn status(node: &Living) -> Option<JobReport> {
    match ask(node, Request::Status { job: "doubling".to_owned() }) {
        Ok(Answer::Job(report)) => Some(*report),
        Ok(other) => panic!("another answer: {other:?}"),
        Err(problem) => {
            println!("no status: {problem}");
            None
        }
    }
}

/// Waits until the job stands as is wanted.
fn wait_for(node: &Living, what: &str, wanted: impl Fn(&JobReport) -> bool) -> JobReport {
    let until = Instant::now() + Duration::from_secs(120);
    let mut last = None;
    while Instant::now() < until {
        if let Some(report) = status(node) {
            assert_ne!(report.state, JobState::Failed, "{:?}", report.reason);
            if wanted(&report) {
                return report;
            }
            last = Some(report);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{what} never came: {last:#?}");
}

fn expected(count: u64) -> Vec<(u64, u64)> {
    (0..count).map(|n| (n, 2)).collect()
}

#[test]
fn a_job_runs_on_three_nodes_to_its_end() {
    let world = World::new();
    let nodes = world.start_all();
    submit(&nodes[1], 20_000, 0, 6).unwrap();
    let report = wait_for(&nodes[2], "the end", |report| report.state == JobState::Finished);
    assert_eq!(report.number, 1, "{report:#?}");
    // What its nodes have last told is shown after its end too.
    let read =
        |report: &JobReport| report.vertices.first().is_some_and(|one| one.counters.records_in == 20_000);
    wait_for(&nodes[0], "all that was read", read);
    assert_eq!(world.table.sorted(), expected(20_000));
    nodes.into_iter().for_each(Living::stop);
}

#[test]
fn a_node_that_is_lost_costs_a_job_nothing_but_time() {
    let table = after_losses([("count", "20000"), ("pause", "20")]);
    assert_eq!(table.sorted(), expected(20_000));
}

#[test]
fn what_a_job_shares_outlives_lost_nodes_and_is_seen_by_whoever_hears_of_it() {
    let table = after_losses([("count", "8000"), ("pause", "50"), ("shared", "yes")]);
    expect_witnessed(&table.sorted(), 8000);
}

/// What a job has written of which a node was lost, and then another.
fn after_losses<const N: usize>(parameters: [(&str, &str); N]) -> Table<(u64, u64)> {
    let world = World::new();
    let [first, second, third] = world.start_all();
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
    submit_with(&first, parameters.into(), 6).unwrap();
    wait_for(&first, "a checkpoint", |report| report.checkpoints.completed.is_some());
    // Whoever leads, one of the three is lost that leads and one that does not, one after the other.
    let leader = first.handle.leader().unwrap();
    let mut nodes: Vec<Living> = vec![first, second, third];
    let worker = nodes.iter().position(|node| node.handle.node() != leader).unwrap();
    let lost = nodes.remove(worker);
    let index = ["a", "b", "c"].iter().position(|name| *name == lost.handle.node()).unwrap();
    lost.stop();
    let run = wait_for(&nodes[0], "another run", |report| report.checkpoints.restarts > 0).run;
    println!("run {run:?} after a worker was lost");
    nodes.push(world.start(index));
    let leading = nodes.iter().position(|node| node.handle.node() == leader).unwrap();
    nodes.remove(leading).stop();
    wait_for(&nodes[0], "the end", |report| report.state == JobState::Finished);
    nodes.into_iter().for_each(Living::stop);
    world.table
}

#[test]
fn a_node_that_leaves_hands_its_part_on_first() {
    let world = World::new();
    let nodes = world.start_all();
    submit(&nodes[0], 20_000, 20, 6).unwrap();
    wait_for(&nodes[0], "a checkpoint", |report| report.checkpoints.completed.is_some());
    let [first, second, third] = nodes;
    third.leave();
    let elsewhere = |report: &JobReport| report.run > Some(1) && !report.slots.contains_key("c");
    let report = wait_for(&first, "a run without it", elsewhere);
    assert_eq!(report.state, JobState::Running, "it is not over yet");
    assert_eq!(report.checkpoints.restarts, 0, "nothing failed: {report:#?}");
    wait_for(&first, "the end", |report| report.state == JobState::Finished);
    assert_eq!(world.table.sorted(), expected(20_000));
    [first, second].into_iter().for_each(Living::stop);
}

#[test]
fn a_job_goes_on_with_more_and_with_fewer_subtasks_than_before() {
    let world = World::new();
    let nodes = world.start_all();
    submit(&nodes[0], 20_000, 20, 2).unwrap();
    wait_for(&nodes[0], "a checkpoint", |report| report.checkpoints.completed.is_some());
    let too_many = ask(&nodes[0], Request::Rescale { job: "doubling".to_owned(), parallelism: 7 });
    assert!(too_many.is_err(), "there are six slots: {too_many:?}");
    ask(&nodes[1], Request::Rescale { job: "doubling".to_owned(), parallelism: 6 }).unwrap();
    let report = wait_for(&nodes[0], "six slots", |report| report.slots.values().sum::<u32>() == 6);
    assert_eq!(report.parallelism, 6);
    ask(&nodes[2], Request::Rescale { job: "doubling".to_owned(), parallelism: 2 }).unwrap();
    wait_for(&nodes[0], "two slots", |report| report.slots.values().sum::<u32>() == 2);
    wait_for(&nodes[0], "the end", |report| report.state == JobState::Finished);
    assert_eq!(world.table.sorted(), expected(20_000));
    nodes.into_iter().for_each(Living::stop);
}

#[test]
fn a_job_that_asks_for_too_much_waits_and_says_so() {
    let world = World::new();
    let nodes = world.start_all();
    submit(&nodes[0], 100, 0, 8).unwrap();
    let report = wait_for(&nodes[0], "a reason", |report| report.reason.is_some());
    assert_eq!(report.state, JobState::Waiting);
    assert!(report.reason.unwrap().contains("asks for 8 slots, and"), "it says what it waits for");
    ask(&nodes[0], Request::Cancel { job: "doubling".to_owned(), how: CancelHow::Now }).unwrap();
    wait_for(&nodes[0], "the end", |report| report.state == JobState::Cancelled);
    nodes.into_iter().for_each(Living::stop);
}

#[test]
fn a_cluster_that_was_stopped_whole_goes_on_where_it_was() {
    let world = World::new();
    let nodes = world.start_all();
    submit(&nodes[0], 20_000, 20, 6).unwrap();
    wait_for(&nodes[0], "a checkpoint", |report| report.checkpoints.completed.is_some());
    nodes.into_iter().for_each(Living::stop);
    let nodes = world.start_all();
    wait_for(&nodes[0], "the end", |report| report.state == JobState::Finished);
    assert_eq!(world.table.sorted(), expected(20_000));
    nodes.into_iter().for_each(Living::stop);
}

#[test]
fn a_job_that_was_suspended_goes_on_where_it_stopped() {
    let world = World::new();
    let nodes = world.start_all();
    submit(&nodes[0], 20_000, 20, 4).unwrap();
    wait_for(&nodes[0], "a checkpoint", |report| report.checkpoints.completed.is_some());
    let job = || "doubling".to_owned();
    ask(&nodes[0], Request::Cancel { job: job(), how: CancelHow::WithSavepoint }).unwrap();
    wait_for(&nodes[0], "a rest", |report| report.state == JobState::Suspended);
    let before = world.table.sorted().len();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(world.table.sorted().len(), before, "nothing is written while it rests");
    assert!(submit(&nodes[0], 1, 0, 1).is_err(), "its name is its own");
    ask(&nodes[1], Request::Resume { job: job() }).unwrap();
    wait_for(&nodes[0], "the end", |report| report.state == JobState::Finished);
    assert_eq!(world.table.sorted(), expected(20_000));
    nodes.into_iter().for_each(Living::stop);
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason() {
    let world = World::new();
    let nodes = world.start_all();
    let unknown = ask(&nodes[1], Request::Status { job: "nothing".to_owned() }).unwrap_err();
    assert_eq!(unknown.kind, ProblemKind::NotFound, "{unknown}");
    let spec = JobSpec { pipeline: "doubling".to_owned(), ..JobSpec::default() };
    let named = |name: &str| Request::Submit { name: name.to_owned(), spec: spec.clone() };
    let invalid = ask(&nodes[2], named("../etc")).unwrap_err();
    assert_eq!(invalid.kind, ProblemKind::Invalid, "{invalid}");
    let rescale = Request::Rescale { job: "nothing".to_owned(), parallelism: 2 };
    assert_eq!(ask(&nodes[0], rescale).unwrap_err().kind, ProblemKind::NotFound);
    // Another process with a name that lives.
    let twin = World { directory: tempfile::tempdir().unwrap(), ports: world.ports, table: Table::new() };
    let mut settings = twin.settings(0);
    settings.listen = free_ports::<1>()[0];
    let refused = run_node(settings, Rc::new(Doubling { table: Table::new(), uid: "heavy" }), |handle| {
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(3));
            handle.stop();
        });
    });
    println!("a twin: {refused:?}");
    let report = ask(&nodes[0], Request::Nodes).unwrap();
    let Answer::Nodes(report) = report else { panic!("another answer: {report:?}") };
    assert!(report.iter().all(|node| node.alive), "the twin has driven nobody out: {report:#?}");
    nodes.into_iter().for_each(Living::stop);
}

#[test]
fn batches_that_are_too_large_for_a_frame_travel_in_several() {
    let world = World::new();
    let nodes = world.start_all();
    // 64 records of 60,000 bytes make a batch of almost four times what a frame takes.
    let parameters = [("count", "2000"), ("bytes", "60000")];
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
    submit_with(&nodes[0], BTreeMap::from(parameters), 6).unwrap();
    let report = wait_for(&nodes[0], "the end", |report| report.state == JobState::Finished);
    assert_eq!(report.checkpoints.restarts, 0);
    assert_eq!(world.table.sorted(), expected(2000));
    nodes.into_iter().for_each(Living::stop);
}

#[test]
fn a_node_with_another_plan_ends_the_job_with_the_difference() {
    let world = World::new();
    let nodes = [world.start(0), world.start(1), world.start_as(world.settings(2), "other")];
    wait_for_nodes(&nodes[0], 3);
    submit(&nodes[0], 20_000, 20, 6).unwrap();
    let until = Instant::now() + Duration::from_secs(120);
    let reason = loop {
        let report = status(&nodes[0]).filter(|report| report.state == JobState::Failed);
        if let Some(reason) = report.and_then(|report| report.reason) {
            break reason;
        }
        assert!(Instant::now() < until, "the job does not fail");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!(reason.contains("draws another plan"), "{reason}");
    assert!(reason.contains("heavy") && reason.contains("other"), "it shows the difference: {reason}");
    nodes.into_iter().for_each(Living::stop);
}

#[test]
fn neither_another_program_nor_the_orders_of_a_worker_do_anything() {
    let world = World::new();
    let nodes = world.start_all();
    submit(&nodes[0], 20_000, 10, 6).unwrap();
    wait_for(&nodes[0], "a checkpoint", |report| report.checkpoints.completed.is_some());
    let stranger = world.start_as(NodeSettings { program: "other".to_owned(), ..world.fourth("x") }, "heavy");
    let worker = world.start_as(world.fourth("w"), "heavy");
    wait_for_nodes(&nodes[0], 4);
    // As if it led, in a reign to come: nobody has a part in anything any more.
    let order = || Roll { leader: NodeName::new("a").unwrap(), term: 1_000, runs: BTreeMap::new() };
    for node in ["a", "b", "c"] {
        let links = worker.handle.links();
        links.actor::<Roll>(&NodeName::new(node).unwrap(), WORKER).tell(order()).unwrap();
    }
    let report = wait_for(&nodes[0], "the end", |report| report.state == JobState::Finished);
    assert_eq!(report.run, Some(1), "nothing was stopped: {report:#?}");
    assert_eq!(world.table.sorted(), expected(20_000));
    let troubles: Vec<_> =
        stranger.handle.links().peers().into_iter().filter_map(|peer| peer.trouble).collect();
    assert!(troubles.iter().any(|trouble| trouble.contains("program")), "{troubles:?}");
    nodes.into_iter().chain([stranger, worker]).for_each(Living::stop);
}

#[test]
fn a_coordinator_that_panics_is_replaced() {
    let world = World::new();
    let nodes = world.start_all();
    let parameters =
        BTreeMap::from([("count".to_owned(), "1000".to_owned()), ("panics".to_owned(), String::new())]);
    submit_with(&nodes[0], parameters, 2).unwrap();
    wait_for(&nodes[1], "the end", |report| report.state == JobState::Finished);
    assert_eq!(PANICS.load(SeqCst), 0, "it has panicked");
    assert_eq!(world.table.sorted(), expected(1000));
    nodes.into_iter().for_each(Living::stop);
}

#[test]
fn a_receiver_that_is_far_too_slow_bounds_what_is_under_way_to_it() {
    let world = World::new();
    let nodes = world.start_all();
    let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let parameters = BTreeMap::from([set("count", "10000"), set("watched", "yes")]);
    submit_with(&nodes[0], parameters, 2).unwrap();
    wait_for(&nodes[1], "the end", |report| report.state == JobState::Finished);
    assert_eq!(world.table.sorted(), expected(10_000));
    // Two channels of two batches of 64, one that is open and one that is worked on each, and one poll.
    let worst = WORST.load(SeqCst);
    assert!(worst <= 2 * (2 + 2) * 64 + 100, "{worst} numbers were under way");
    nodes.into_iter().for_each(Living::stop);
}
