//! A node that leads alone, and loses its reign at the worst moment.

use watershed_cluster::{ClusterChange, JobRecord, Leader as Leading, Wanted};

use super::*;
use crate::cluster::{Elected, Leader};
use crate::query::{Level, Query, QueryError};

pub(super) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// The node's leader hears that it leads no more.
pub(super) fn depose(node: &Living) {
    node.handle.leading.do_send(Elected(None));
}

/// And that it leads again.
pub(super) fn enthrone(node: &Living) {
    let term = block_on(node.handle.cluster.view()).unwrap().term;
    node.handle.leading.do_send(Elected(Some(Leading { node: "a".to_owned(), term })));
}

#[test]
fn a_request_that_outlives_the_reign_is_turned_away_and_the_leader_lives_on() {
    let world = World::new();
    let node = world.start_alone();
    submit_endless(&node, 20, 2);
    wait_for(&node, "a checkpoint", |report| report.checkpoints.completed.is_some());
    // The reign is over before it is decided what is wanted of the job: the leader hears of both in one breath.
    let (goes_on, stands) = mpsc::channel();
    node.handle.leading.do_send(Stand(stands));
    let cancel = Request::Cancel { job: "doubling".to_owned(), how: CancelHow::Now };
    let asked = node.handle.leading.send(cancel);
    depose(&node);
    drop(goes_on);
    let problem = block_on(asked).expect("the leader lives").unwrap_err();
    assert_eq!(problem.kind, ProblemKind::NotLeading, "{problem}");
    enthrone(&node);
    wait_for(&node, "the end", |report| report.state == JobState::Cancelled);
    node.stop();
}

/// To a part of a node: do nothing until somebody lets go of the other end.
#[derive(actix::Message)]
#[rtype(result = "()")]
struct Stand(mpsc::Receiver<()>);

impl actix::Handler<Stand> for Leader {
    type Result = ();

    fn handle(&mut self, Stand(stands): Stand, _: &mut Self::Context) {
        // Nothing ever comes.
        let _ = stands.recv();
    }
}

/// To a part of a node: fail.
#[derive(actix::Message)]
#[rtype(result = "()")]
struct Fail;

impl actix::Handler<Fail> for Leader {
    type Result = ();

    fn handle(&mut self, _: Fail, _: &mut Self::Context) {
        panic!("this is meant to be seen");
    }
}

#[test]
fn a_node_one_of_whose_parts_has_panicked_ends() {
    let world = World::new();
    let Living { handle, thread } = world.start_alone();
    handle.leading.do_send(Fail);
    let ended = thread.join().unwrap();
    assert!(matches!(ended, Err(NodeError::Crashed { part: "leader" })), "{ended:?}");
}

#[test]
fn a_pipeline_that_panics_when_it_is_drawn_is_refused_and_the_node_lives_on() {
    let world = World::new();
    let node = world.start_alone();
    let undrawable = [("undrawable", "yes")];
    let problem = submit_with(&node, &undrawable, 2).unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Invalid, "{problem}");
    assert!(problem.what.contains("this pipeline cannot be drawn"), "{problem}");
    // One that was decided all the same, by a leader whose program drew it.
    let parameters = parameters(&undrawable);
    let spec = JobSpec { pipeline: "doubling".to_owned(), parameters, parallelism: 2, ..JobSpec::default() };
    let change = ClusterChange::Submit { name: "doubling".to_owned(), spec };
    block_on(node.handle.cluster.propose(change)).unwrap();
    depose(&node);
    enthrone(&node);
    let until = Instant::now() + PATIENCE;
    let reason = loop {
        assert!(Instant::now() < until, "the job does not fail");
        if let Some(reason) = status(&node).and_then(|report| report.reason) {
            break reason;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(reason.contains("this pipeline cannot be drawn"), "{reason}");
    node.stop();
}

#[test]
fn r8_a_run_whose_leader_is_deposed_promises_nothing_more() {
    let world = World::new();
    let node = world.start_alone();
    submit_with(&node, &[(ENDLESS, "yes"), ("pause", "50"), ("shared", "yes")], 2).unwrap();
    wait_for(&node, "a run", |report| report.state == JobState::Running);
    let ask = |level, token, wait| {
        let wait = Duration::from_secs(wait);
        let query = Query { level, token, wait, ..Query::new("total", vec![9]) };
        block_on(node.handle.query("doubling", query))
    };
    let until = Instant::now() + PATIENCE;
    let token = loop {
        assert!(Instant::now() < until, "nobody answers");
        if let Ok(found) = ask(Level::Eventual, None, 1) {
            break found.token;
        }
    };
    ask(Level::Causal, Some(token.clone()), 60).expect("nobody has been deposed yet");
    depose(&node);
    let refused = loop {
        assert!(Instant::now() < until, "the run is trusted for ever");
        if let Err(refused) = ask(Level::Causal, Some(token.clone()), 1) {
            break refused;
        }
    };
    assert!(matches!(refused, QueryError::Unavailable { .. }), "{refused}");
    ask(Level::Eventual, None, 60).expect("whoever asks for no promise is answered");
    node.stop();
}

/// What is decided of the job.
fn record(node: &Living) -> JobRecord {
    block_on(node.handle.cluster.view()).unwrap().state.jobs["doubling"].clone()
}

#[test]
fn a_suspension_that_its_leader_did_not_live_to_see_is_brought_to_its_end_by_the_next() {
    let world = World::new();
    let node = world.start_alone();
    // No checkpoint is taken but for those that are asked for.
    submit_with(&node, &[(ENDLESS, "yes"), ("pause", "20"), ("interval", "3600000")], 2).unwrap();
    wait_for(&node, "a run", |report| report.state == JobState::Running);
    depose(&node);
    let suspend = ClusterChange::Want { name: "doubling".to_owned(), wanted: Wanted::Suspended };
    block_on(node.handle.cluster.propose(suspend)).unwrap();
    assert!(!record(&node).rests, "it has no savepoint yet");
    enthrone(&node);
    wait_for(&node, "a rest", |report| report.state == JobState::Suspended);
    let rests = record(&node);
    assert!(rests.rests && rests.meta.completed.is_some(), "it rests at a savepoint: {rests:?}");
    // Nobody takes it up before somebody wants that.
    depose(&node);
    enthrone(&node);
    assert!(submit(&node, 1, 0, 1).is_err(), "its name is its own");
    assert_eq!(record(&node).meta.run, rests.meta.run);
    ask(&node, Request::Resume { job: "doubling".to_owned() }).unwrap();
    let count = world.end();
    wait_for(&node, "the end", |report| report.state == JobState::Finished);
    assert_eq!(world.table.sorted(), expected(count));
    node.stop();
}
