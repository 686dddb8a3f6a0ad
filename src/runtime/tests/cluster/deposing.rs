//! A job whose reign is taken away from it by a word that comes late, while nobody else leads.

use watershed_cluster::ClusterChange;
use watershed_core::checkpoint::{Change, Guard};

use super::*;

#[test]
fn a_coordinator_that_is_deposed_while_its_node_leads_is_replaced() {
    let world = World::new();
    let nodes = world.start_all();
    submit_endless(&nodes[0], 20, 6);
    wait_for(&nodes[0], "a checkpoint", |report| report.checkpoints.completed.is_some());
    // As a coordinator of a reign before would, whose campaign was still under way when its node came to lead again.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let cluster = &nodes[0].handle.cluster;
        let job = &cluster.view().await.unwrap().state.jobs["doubling"];
        let (guard, change) = (Guard::of(&job.meta), Change::Lead);
        let lead = ClusterChange::Decide { name: "doubling".to_owned(), number: job.number, guard, change };
        cluster.propose(lead).await.unwrap();
    });
    wait_for(&nodes[0], "another run", |report| report.run > Some(1) && report.state == JobState::Running);
    let count = world.end();
    wait_for(&nodes[0], "the end", |report| report.state == JobState::Finished);
    assert_eq!(world.table.sorted(), expected(count));
    nodes.into_iter().for_each(Living::stop);
}
