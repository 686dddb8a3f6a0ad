//! Crews that take their time, and those of other jobs beside them.

use watershed_core::checkpoint::{ContentHash, ObjectRef, SharedBase, SiteShare};
use watershed_core::plan::Fingerprint;
use watershed_core::{Lineage, Run, SubtaskId, Term, VertexId};
use watershed_protocol::checkpoint::{Authority, Part};

use super::doubling::GATE;
use super::leading::{block_on, depose, enthrone};
use super::*;
use crate::cluster::Programs;
use crate::cluster::message::{Enlist, Ticket, WORKER};
use crate::crew::{Assignment, Duty};

fn submit_as(node: &Living, name: &str, parameters: &[(&str, &str)]) {
    let parameters = super::parameters(parameters);
    let spec = JobSpec { pipeline: "doubling".to_owned(), parameters, parallelism: 1, ..JobSpec::default() };
    ask(node, Request::Submit { name: name.to_owned(), spec }).unwrap();
}

/// Waits until a job stands as is wanted.
fn until(node: &Living, job: &str, wanted: impl Fn(&JobReport) -> bool) {
    let until = Instant::now() + PATIENCE;
    loop {
        let report = ask(node, Request::Status { job: job.to_owned() });
        if matches!(&report, Ok(Answer::Job(report)) if wanted(report)) {
            return;
        }
        assert!(Instant::now() < until, "job {job} does not come so far: {report:#?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Opens the gate when a test ends, however it does.
struct Opens;

impl Drop for Opens {
    fn drop(&mut self) {
        GATE.store(false, SeqCst);
    }
}

#[test]
fn a_crew_that_is_waited_for_keeps_no_other_job_from_its_crew() {
    let world = World::new();
    let node = world.start_alone();
    submit_as(&node, "slow", &[("gated", "yes"), ("count", "100000000")]);
    let reads = |report: &JobReport| report.vertices.first().is_some_and(|one| one.counters.records_in > 0);
    until(&node, "slow", reads);
    GATE.store(true, SeqCst);
    let opens = Opens;
    // The next leader calls the job anew: its crew of before does not stop.
    depose(&node);
    enthrone(&node);
    submit_as(&node, "doubling", &[("count", "200")]);
    until(&node, "doubling", |report| report.state == JobState::Finished);
    assert_eq!(world.table.sorted(), expected(200));
    drop(opens);
    until(&node, "slow", |report| report.run > Some(1) && report.state == JobState::Running);
    node.stop();
}

#[test]
fn a_crew_is_there_before_it_has_restored_what_it_shares() {
    let world = World::new();
    let node = world.start_alone();
    let parameters = super::parameters(&[("shared", "yes")]);
    let spec = JobSpec { pipeline: "doubling".to_owned(), parameters, parallelism: 1, ..JobSpec::default() };
    let programs = Doubling { table: world.table.clone(), uid: "heavy", reins: world.reins.clone() };
    let plan = Fingerprint::of(&programs.plan(&spec).unwrap().plan);
    let ticket = Ticket { number: 99, name: "torn".to_owned(), spec, plan, token_keys: Vec::new() };
    // What is restored lies nowhere.
    let object = ObjectRef { path: "ck/gone".to_owned(), bytes: 1, hash: ContentHash([7; 32]) };
    let base = Some(SharedBase { epoch: Epoch(1), object });
    let share = SiteShare { base, finals: Default::default(), deps: Default::default(), logs: Vec::new() };
    let part = Part { shared: vec![share], ..Part::default() };
    let first = SubtaskId { vertex: VertexId(0), index: 0 };
    let assignment = Assignment {
        authority: Authority { term: Term(1), run: Run(1), lineage: Lineage(0) },
        after: Epoch(64),
        roll_backs: Vec::new(),
        base: Some(Epoch(1)),
        parallelism: 1,
        batch_records: 64,
        slots: vec![0],
        nodes: vec!["a".to_owned()],
        crew: 0,
        duties: BTreeMap::from([(first, Duty { part, splits: Vec::new() })]),
        care: BTreeMap::new(),
    };
    let leader = NodeName::new("a").unwrap();
    let enlist = Enlist { ticket, assignment, leader: leader.clone() };
    let worker = node.handle.links().actor::<Enlist>(&leader, WORKER);
    let answer = block_on(worker.ask_within(enlist, Duration::from_secs(120)));
    // That it is not to be had is found out by the crew, and told as a loss of the run.
    assert_eq!(answer.unwrap(), Ok(()));
    node.stop();
}
