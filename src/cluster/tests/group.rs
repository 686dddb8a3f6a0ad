//! A group founds itself, decides, and has what it decided after all of it was down.

use watershed_core::checkpoint::{Change, Guard, Meta};
use watershed_core::{Run, Term};
use watershed_state::{MetaError, MetaStore};

use super::world::{World, until};
use crate::{ClusterChange, ClusterConfig, ClusterError, JobSpec, ProposeError, Refusal};

pub(super) fn submit(name: &str) -> ClusterChange {
    let spec = JobSpec { pipeline: "delays".to_owned(), parallelism: 1, ..JobSpec::default() };
    ClusterChange::Submit { name: name.to_owned(), spec }
}

#[tokio::test(start_paused = true)]
async fn one_coordinator_founds_a_group_alone_and_decides() {
    let world = World::started(&["a"]).await;
    let view = world.node("a").propose(submit("job")).await.unwrap();
    assert_eq!(view.state.jobs["job"].number, 1);
    assert_eq!(view.leader, "a");
}

#[tokio::test(start_paused = true)]
async fn three_coordinators_found_a_group_and_each_node_may_ask_for_a_decision() {
    let world = World::started(&["a", "b", "c"]).await;
    let worker = world.start("w").await;
    let leader = until(worker.leader(), Option::is_some).await.unwrap();
    assert_eq!(Some(leader), world.node("a").leader().borrow().clone());
    for (number, node) in ["a", "b", "c", "w"].into_iter().enumerate() {
        let view = world.node(node).propose(submit(&format!("of-{node}"))).await.unwrap();
        assert_eq!(view.state.jobs.len(), number + 1);
        assert_eq!(worker.view().await.unwrap().state, view.state);
    }
    let refused = worker.propose(submit("of-a")).await.expect_err("the name is taken");
    assert!(matches!(refused, ProposeError::Refused { refusal: Refusal::InUse { .. }, .. }));
}

#[tokio::test(start_paused = true)]
async fn a_job_decides_by_its_guard_from_any_node_and_a_later_job_of_its_name_is_another() {
    let world = World::started(&["a", "b", "c"]).await;
    let worker = world.start("w").await;
    worker.propose(submit("job")).await.unwrap();
    let (here, there) = (worker.job("job"), world.node("b").job("job"));
    let begun = here.cas(Guard::of(&Meta::default()), Change::Lead).await.unwrap();
    assert_eq!(begun.term, Term(1));
    assert_eq!(there.read().await.unwrap(), begun);
    match there.cas(Guard::of(&Meta::default()), Change::BeginRun).await {
        Err(MetaError::Refused { current, refusal }) => {
            assert_eq!(*current, begun);
            let expected = watershed_core::checkpoint::Refusal::Term { asked: Term(0), current: Term(1) };
            assert_eq!(refusal, expected);
        }
        other => panic!("the guard does not hold: {other:?}"),
    }
    assert_eq!(there.cas(Guard::of(&begun), Change::BeginRun).await.unwrap().run, Run(1));

    let end = ClusterChange::End { name: "job".to_owned(), number: 1, outcome: crate::Outcome::Cancelled };
    worker.propose(end).await.unwrap();
    worker.propose(submit("job")).await.unwrap();
    let late = there.cas(Guard::of(&Meta::default()), Change::BeginRun).await;
    assert!(matches!(late, Err(MetaError::Failed { .. })), "{late:?}");
    assert!(matches!(here.read().await, Err(MetaError::Failed { .. })));
    assert_eq!(worker.job("job").read().await.unwrap(), Meta::default());
}

#[tokio::test(start_paused = true)]
async fn what_was_decided_is_there_after_all_nodes_were_down() {
    let nodes = ["a", "b", "c"];
    // More decisions than a snapshot is made after, so that both log and snapshot are read again.
    let world = World::started_with(&nodes, |config| {
        config.bounds.snapshot_after = 20;
        config.bounds.decisions_kept = 5;
    })
    .await;
    for number in 0..50 {
        world.node("b").propose(submit(&format!("job-{number}"))).await.unwrap();
    }
    let before = world.node("c").view().await.unwrap();
    for node in nodes {
        world.kill(node).await;
    }
    for node in nodes {
        world.start(node).await;
    }
    let leader = world.settled().await;
    assert!(leader.term > before.term);
    assert_eq!(world.node("a").view().await.unwrap().state, before.state);
}

#[tokio::test]
async fn settings_that_do_not_fit_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    for coordinators in [vec![], vec!["a", "b"], vec!["a", "a", "b"], vec!["a", "b", ""]] {
        let config = ClusterConfig::new("test", "a", 1, coordinators, directory.path());
        assert!(matches!(config.check(), Err(ClusterError::Config { .. })));
    }
}
