//! Jobs on several nodes, each on a thread of its own with links over loopback.

mod agreeing;
mod asking;
mod deposing;
mod doubling;
mod enlisting;
mod leading;
mod networks;
mod patience;
#[path = "../../../tests/conditions/ports.rs"]
mod ports;
mod wires;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc;
use std::thread::JoinHandle;

use watershed_link::{LinkConfig, NodeName, Security};

use super::poison::Table;
use super::reins::Reins;
use super::shared::expect_witnessed;
use super::*;
use crate::cluster::message::{Roll, WORKER};
use crate::cluster::{
    Answer, CancelHow, Depots, JobReport, JobSpec, JobState, NodeError, NodeHandle, NodeSettings, Problem,
    ProblemKind, Request, run_node,
};
use doubling::{Doubling, ENDLESS, PANICS, SLOW, Watch};
use patience::PATIENCE;

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

struct World {
    directory: tempfile::TempDir,
    ports: [SocketAddr; 3],
    table: Table<(u64, u64)>,
    reins: Arc<Reins>,
}

impl World {
    fn new() -> Self {
        World {
            directory: tempfile::tempdir().unwrap(),
            ports: [(); 3].map(|()| ports::free()),
            table: Table::new(),
            reins: Reins::endless(),
        }
    }

    /// Has the job that goes on for ever come to its end. How many numbers it has had then.
    fn end(&self) -> u64 {
        self.reins.end()
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
            leave_within: Duration::from_secs(120),
            // Nodes that compress and nodes that do not understand each other.
            links: LinkConfig { compress_records: index == 1, ..patience::links() },
            timings: patience::timings(),
        }
    }

    fn start(&self, index: usize) -> Living {
        self.start_as(self.settings(index), "heavy")
    }

    fn start_as(&self, settings: NodeSettings, uid: &'static str) -> Living {
        let (up, is_up) = mpsc::channel();
        let (table, reins) = (self.table.clone(), self.reins.clone());
        let thread = std::thread::spawn(move || {
            let programs = Doubling { table, uid, reins };
            run_node(settings, Rc::new(programs), |handle| up.send(handle).unwrap())
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

    /// Starts one node that is the whole cluster, and leads it.
    fn start_alone(&self) -> Living {
        let mut settings = self.settings(0);
        settings.coordinators.truncate(1);
        let node = self.start_as(settings, "heavy");
        wait_for_nodes(&node, 1);
        node
    }

    /// Settings of a node that may not lead.
    fn fourth(&self, name: &str) -> NodeSettings {
        let own = self.directory.path().join(name);
        let mut settings = self.settings(0);
        settings.checkpoints.own = own.clone();
        NodeSettings { node: name.to_owned(), listen: ports::free(), data: own, ..settings }
    }
}

/// Waits until so many nodes are known to the leader.
fn wait_for_nodes(node: &Living, count: usize) {
    let all_there = || match ask(node, Request::Nodes) {
        Ok(Answer::Nodes(nodes)) => nodes.iter().filter(|node| node.alive && node.slots > 0).count() == count,
        Ok(_) | Err(_) => false,
    };
    let until = Instant::now() + PATIENCE;
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
    let (count, pause) = (count.to_string(), pause.to_string());
    submit_with(node, &[("count", count.as_str()), ("pause", pause.as_str())], parallelism)
}

/// Has a job run that goes on until its world [ends](World::end) it, with so many milliseconds for each hundred numbers.
fn submit_endless(node: &Living, pause: u64, parallelism: u32) {
    submit_with(node, &[(ENDLESS, "yes"), ("pause", pause.to_string().as_str())], parallelism).unwrap();
}

fn parameters(of: &[(&str, &str)]) -> BTreeMap<String, String> {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn submit_with(node: &Living, of: &[(&str, &str)], parallelism: u32) -> Result<Answer, Problem> {
    let parameters = parameters(of);
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
    let until = Instant::now() + PATIENCE;
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
    let (table, count) = after_losses(&[(ENDLESS, "yes"), ("pause", "20")]);
    assert_eq!(table.sorted(), expected(count));
}

#[test]
fn what_a_job_shares_outlives_lost_nodes_and_is_seen_by_whoever_hears_of_it() {
    let (table, count) = after_losses(&[(ENDLESS, "yes"), ("pause", "50"), ("shared", "yes")]);
    expect_witnessed(&table.sorted(), count);
}

/// What a job has written of which a node was lost, and then another, and how many numbers it has read.
fn after_losses(parameters: &[(&str, &str)]) -> (Table<(u64, u64)>, u64) {
    let world = World::new();
    let [first, second, third] = world.start_all();
    submit_with(&first, parameters, 6).unwrap();
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
    let taken_up = |report: &JobReport| report.run > run && report.state == JobState::Running;
    wait_for(&nodes[0], "a run under another leader", taken_up);
    let count = world.end();
    wait_for(&nodes[0], "the end", |report| report.state == JobState::Finished);
    nodes.into_iter().for_each(Living::stop);
    (world.table, count)
}

#[test]
fn a_node_that_leaves_hands_its_part_on_first() {
    let world = World::new();
    let nodes = world.start_all();
    submit_endless(&nodes[0], 20, 6);
    wait_for(&nodes[0], "a checkpoint", |report| report.checkpoints.completed.is_some());
    let [first, second, third] = nodes;
    third.leave();
    let elsewhere = |report: &JobReport| report.run > Some(1) && !report.slots.contains_key("c");
    let report = wait_for(&first, "a run without it", elsewhere);
    assert_eq!(report.state, JobState::Running, "it is not over yet");
    assert_eq!(report.checkpoints.restarts, 0, "nothing failed: {report:#?}");
    let count = world.end();
    wait_for(&first, "the end", |report| report.state == JobState::Finished);
    assert_eq!(world.table.sorted(), expected(count));
    [first, second].into_iter().for_each(Living::stop);
}

#[test]
fn a_job_goes_on_with_more_and_with_fewer_subtasks_than_before() {
    let world = World::new();
    let nodes = world.start_all();
    submit_endless(&nodes[0], 20, 2);
    wait_for(&nodes[0], "a checkpoint", |report| report.checkpoints.completed.is_some());
    let too_many = ask(&nodes[0], Request::Rescale { job: "doubling".to_owned(), parallelism: 7 });
    assert!(too_many.is_err(), "there are six slots: {too_many:?}");
    ask(&nodes[1], Request::Rescale { job: "doubling".to_owned(), parallelism: 6 }).unwrap();
    let report = wait_for(&nodes[0], "six slots", |report| report.slots.values().sum::<u32>() == 6);
    assert_eq!(report.parallelism, 6);
    ask(&nodes[2], Request::Rescale { job: "doubling".to_owned(), parallelism: 2 }).unwrap();
    wait_for(&nodes[0], "two slots", |report| report.slots.values().sum::<u32>() == 2);
    let count = world.end();
    wait_for(&nodes[0], "the end", |report| report.state == JobState::Finished);
    assert_eq!(world.table.sorted(), expected(count));
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
    submit_endless(&nodes[0], 20, 6);
    wait_for(&nodes[0], "a checkpoint", |report| report.checkpoints.completed.is_some());
    nodes.into_iter().for_each(Living::stop);
    let nodes = world.start_all();
    wait_for(&nodes[0], "another run", |report| report.run > Some(1) && report.state == JobState::Running);
    let count = world.end();
    wait_for(&nodes[0], "the end", |report| report.state == JobState::Finished);
    assert_eq!(world.table.sorted(), expected(count));
    nodes.into_iter().for_each(Living::stop);
}

#[test]
fn a_job_that_was_suspended_goes_on_where_it_stopped() {
    let world = World::new();
    let nodes = world.start_all();
    submit_endless(&nodes[0], 20, 4);
    wait_for(&nodes[0], "a checkpoint", |report| report.checkpoints.completed.is_some());
    let job = || "doubling".to_owned();
    ask(&nodes[0], Request::Cancel { job: job(), how: CancelHow::WithSavepoint }).unwrap();
    wait_for(&nodes[0], "a rest", |report| report.state == JobState::Suspended);
    let before = world.table.sorted().len();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(world.table.sorted().len(), before, "nothing is written while it rests");
    assert!(submit(&nodes[0], 1, 0, 1).is_err(), "its name is its own");
    ask(&nodes[1], Request::Resume { job: job() }).unwrap();
    let count = world.end();
    wait_for(&nodes[0], "the end", |report| report.state == JobState::Finished);
    assert_eq!(world.table.sorted(), expected(count));
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
    nodes.into_iter().for_each(Living::stop);
}

/// Copies a directory while somebody works in it, but for files that go meanwhile.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let copied = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &copied);
        } else if let Err(error) = std::fs::copy(entry.path(), copied) {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}");
        }
    }
}

#[test]
fn a_node_whose_disk_was_copied_is_refused_as_long_as_the_other_lives() {
    let world = World::new();
    let nodes = world.start_all();
    submit_endless(&nodes[0], 20, 6);
    wait_for(&nodes[1], "a checkpoint", |report| report.checkpoints.completed.is_some());
    // Another process with the name, the directory and the votes of a node that lives.
    let own = world.directory.path().join("copied");
    copy(&world.directory.path().join("c"), &own);
    let mut settings = world.settings(2);
    (settings.listen, settings.data, settings.checkpoints.own) = (ports::free(), own.clone(), own);
    let twin = world.start_as(settings, "heavy");
    let refused = || {
        let troubles = twin.handle.links().peers().into_iter().filter_map(|peer| peer.trouble);
        troubles.filter(|trouble| trouble.contains("lives already, as incarnation")).count() == 2
    };
    let until = Instant::now() + PATIENCE;
    while !refused() {
        let peers = twin.handle.links().peers();
        assert!(Instant::now() < until, "the twin is refused by nobody: {peers:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    let count = world.end();
    let report = wait_for(&nodes[0], "the end", |report| report.state == JobState::Finished);
    assert_eq!(report.run, Some(1), "the twin has driven nobody out: {report:#?}");
    assert_eq!(world.table.sorted(), expected(count));
    nodes.into_iter().chain([twin]).for_each(Living::stop);
}

#[test]
fn batches_that_are_too_large_for_a_frame_travel_in_several() {
    let world = World::new();
    let nodes = world.start_all();
    // 64 records of 60,000 bytes make a batch of almost four times what a frame takes.
    submit_with(&nodes[0], &[("count", "2000"), ("bytes", "60000")], 6).unwrap();
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
    let until = Instant::now() + PATIENCE;
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
    submit_endless(&nodes[0], 10, 6);
    wait_for(&nodes[0], "a checkpoint", |report| report.checkpoints.completed.is_some());
    let stranger = world.start_as(NodeSettings { program: "other".to_owned(), ..world.fourth("x") }, "heavy");
    let worker = world.start_as(world.fourth("w"), "heavy");
    wait_for_nodes(&nodes[0], 4);
    // As if it led, in a reign to come: nobody has a part in anything any more.
    let order = || Roll::of((NodeName::new("a").unwrap(), 1_000), Vec::new(), []);
    let until = Instant::now() + PATIENCE;
    for node in ["a", "b", "c"] {
        let links = worker.handle.links();
        let told = || links.actor::<Roll>(&NodeName::new(node).unwrap(), WORKER).tell(order());
        // The leader knows it, and the others may not yet.
        while let Err(error) = told() {
            assert!(Instant::now() < until, "node {node} is not reached: {error}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    // By the second checkpoint from now on they have heard it.
    for _ in 0..2 {
        let before = wait_for(&nodes[0], "a report", |_| true).checkpoints.completed;
        wait_for(&nodes[0], "another checkpoint", |report| report.checkpoints.completed > before);
    }
    let troubles = || -> Vec<String> {
        stranger.handle.links().peers().into_iter().filter_map(|peer| peer.trouble).collect()
    };
    while !troubles().iter().any(|trouble| trouble.contains("program")) {
        assert!(Instant::now() < until, "{:?}", troubles());
        std::thread::sleep(Duration::from_millis(20));
    }
    let count = world.end();
    let report = wait_for(&nodes[0], "the end", |report| report.state == JobState::Finished);
    assert_eq!(report.run, Some(1), "nothing was stopped: {report:#?}");
    assert_eq!(world.table.sorted(), expected(count));
    nodes.into_iter().chain([stranger, worker]).for_each(Living::stop);
}

#[test]
fn a_coordinator_that_panics_is_replaced() {
    let world = World::new();
    let nodes = world.start_all();
    submit_with(&nodes[0], &[("count", "1000"), ("panics", "")], 2).unwrap();
    wait_for(&nodes[1], "the end", |report| report.state == JobState::Finished);
    assert_eq!(PANICS.load(SeqCst), 0, "it has panicked");
    assert_eq!(world.table.sorted(), expected(1000));
    nodes.into_iter().for_each(Living::stop);
}

#[test]
fn a_receiver_that_is_far_too_slow_bounds_what_is_under_way_to_it() {
    let world = World::new();
    let nodes = world.start_all();
    submit_with(&nodes[0], &[("count", "10000"), ("watched", SLOW)], 2).unwrap();
    wait_for(&nodes[1], "the end", |report| report.state == JobState::Finished);
    assert_eq!(world.table.sorted(), expected(10_000));
    // Two channels of two batches of 64, one that is open and one that is worked on each, and one poll.
    let worst = Watch::of(SLOW).worst.load(SeqCst);
    assert!(worst <= 2 * (2 + 2) * 64 + 100, "{worst} numbers were under way");
    assert!(worst >= 2 * 64, "{worst} numbers are less than a channel's credit: nobody had to wait");
    nodes.into_iter().for_each(Living::stop);
}
