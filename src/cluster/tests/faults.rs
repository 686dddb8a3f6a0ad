//! Leaders die and are cut off, disks are lost, and nothing is decided twice.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use watershed_core::Epoch;
use watershed_core::checkpoint::{Change, Guard, Meta};
use watershed_state::{MetaError, MetaStore};

use super::group::submit;
use super::world::{IN_THE_END, World, agreed, until};
use crate::{Cluster, ClusterChange, ProposeError, Refusal};

/// The two that are not this one.
fn others(leader: &str) -> [&'static str; 2] {
    match leader {
        "a" => ["b", "c"],
        "b" => ["a", "c"],
        _ => ["a", "b"],
    }
}

/// Waits until the coordinators that have a vote are as wanted.
async fn voting(node: &Cluster, wanted: impl Fn(&BTreeMap<String, u64>) -> bool) -> BTreeMap<String, u64> {
    let wait = async {
        loop {
            if let Ok(view) = node.view().await
                && wanted(&view.voters)
            {
                return view.voters;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(IN_THE_END, wait).await.expect("they are taken in in the end")
}

#[tokio::test(start_paused = true)]
async fn a_killed_leader_is_replaced_and_follows_when_it_comes_back() {
    let world = World::started(&["a", "b", "c"]).await;
    let worker = world.start("w").await;
    worker.propose(submit("before")).await.unwrap();
    let mut killed = world.settled().await;
    for round in 0..3 {
        world.kill(&killed.node).await;
        let began = Instant::now();
        let [one, other] = others(&killed.node);
        let (one, other) = (world.node(one), world.node(other));
        let killed_term = killed.term;
        until(one.leader(), |leader| leader.as_ref().is_some_and(|leader| leader.term > killed_term)).await;
        let leader = agreed(&[&one, &other]).await;
        let took = began.elapsed();
        println!("round {round}: a new leader after {took:?}");
        assert!(leader.term > killed.term);
        worker.propose(submit(&format!("after-{round}"))).await.unwrap();
        world.start(&killed.node).await;
        killed = world.settled().await;
    }
    assert_eq!(worker.view().await.unwrap().state.jobs.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_cut_off_decides_nothing_says_so_and_follows_after_the_healing() {
    let world = World::started(&["a", "b", "c"]).await;
    world.node("a").propose(submit("job")).await.unwrap();
    let old = world.settled().await;
    let [one, other] = others(&old.node);
    let guard = Guard::of(&Meta::default());
    let (cut, reached) = (world.node(&old.node).job("job"), world.node(one).job("job"));
    cut.read().await.unwrap();

    world.cut(&[&old.node], &[one, other]);
    let began = Instant::now();
    let late = tokio::spawn(async move { cut.cas(guard, Change::Burn(Epoch(64))).await });
    let new = until(world.node(one).leader(), |leader| {
        leader.as_ref().is_some_and(|leader| leader.term > old.term)
    });
    assert_ne!(new.await.unwrap().node, old.node);
    assert_eq!(reached.cas(guard, Change::Burn(Epoch(32))).await.unwrap().burnt, Epoch(32));
    until(world.node(&old.node).leader(), Option::is_none).await;
    println!("the old leader says that it leads for {:?}", began.elapsed());
    let late = late.await.unwrap();
    assert!(matches!(late, Err(MetaError::Unknown { .. })), "{late:?}");
    assert!(world.node(&old.node).view().await.is_err());

    world.heal();
    world.settled().await;
    let decided = world.node(&old.node).job("job").read().await.unwrap();
    assert_eq!(decided.burnt, Epoch(32));
}

#[tokio::test(start_paused = true)]
async fn without_a_majority_nothing_is_decided_and_after_the_healing_it_is_again() {
    let world = World::started(&["a", "b", "c"]).await;
    world.cut(&["a"], &["b", "c"]);
    world.cut(&["b"], &["c"]);
    for node in ["a", "b", "c"] {
        until(world.node(node).leader(), Option::is_none).await;
    }
    let refused = world.node("a").propose(submit("job")).await.expect_err("there is no majority");
    assert!(matches!(refused, ProposeError::Failed { .. } | ProposeError::Unknown { .. }), "{refused}");
    world.heal();
    world.settled().await;
    match world.node("b").propose(submit("job")).await {
        Ok(_) => {}
        // The first one was kept by a leader that was cut off, and came through after all.
        Err(ProposeError::Refused { refusal: Refusal::InUse { .. }, .. }) => {}
        Err(other) => panic!("{other}"),
    }
    assert_eq!(world.node("c").view().await.unwrap().state.jobs["job"].number, 1);
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_with_a_lost_disk_is_taken_in_anew_and_founds_no_second_group() {
    // The new disk gets a snapshot, since the log of the others does not reach back to the beginning.
    let world = World::started_with(&["a", "b", "c"], |config| {
        config.bounds.snapshot_after = 10;
        config.bounds.decisions_kept = 2;
    })
    .await;
    for number in 0..40 {
        world.node("a").propose(submit(&format!("job-{number}"))).await.unwrap();
    }
    let mut before = voting(&world.node("c"), |voters| voters.len() == 3).await;
    // The first by name is the one that founds; its disk is lost, and then another one's.
    for lost in ["a", "b"] {
        world.kill(lost).await;
        fs::remove_dir_all(world.disk(lost)).unwrap();
        let fresh = world.start(lost).await;
        let leader = until(fresh.leader(), Option::is_some).await.unwrap();
        assert_ne!(leader.node, lost);
        world.settled().await;
        assert_eq!(fresh.view().await.unwrap().state.jobs.len(), 40);
        let taken_in = voting(&fresh, |voters| voters.len() == 3 && voters[lost] != before[lost]).await;
        before = taken_in;
    }
    // Both have a vote now: without the third there still is a majority.
    world.kill("c").await;
    world.settled().await;
    let view = world.node("a").propose(submit("more")).await.unwrap();
    assert_eq!(view.state.jobs.len(), 41);
}

#[tokio::test(start_paused = true)]
async fn no_group_is_founded_before_all_coordinators_have_met_unless_a_majority_is_to_do() {
    let world = World::new(&["a", "b", "c"]);
    let (a, b) = (world.start("a").await, world.start("b").await);
    sleep(Duration::from_secs(3)).await;
    assert_eq!((a.leader().borrow().clone(), b.leader().borrow().clone()), (None, None));
    world.start("c").await;
    world.settled().await;

    let world = World::new(&["a", "b", "c"]);
    for node in ["a", "b"] {
        let mut config = world.config(node);
        config.founding = crate::Founding::Majority;
        world.start_with(config).await;
    }
    world.settled().await;
    world.node("b").propose(submit("job")).await.unwrap();
    // The third is taken in when it comes, and then one of the first two can be missed.
    let late = world.start("c").await;
    until(late.leader(), Option::is_some).await;
    world.settled().await;
    voting(&late, |voters| voters.len() == 3).await;
    world.kill("a").await;
    world.settled().await;
    assert_eq!(late.view().await.unwrap().state.jobs.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_second_life_of_a_node_is_registered_only_where_it_is_newer() {
    let world = World::started(&["a", "b", "c"]).await;
    let register = |incarnation| ClusterChange::Register { node: "w".to_owned(), incarnation };
    world.node("a").propose(register(2)).await.unwrap();
    for copied in [1, 2] {
        let refused = world.node("b").propose(register(copied)).await.expect_err("it is a copy");
        assert!(matches!(refused, ProposeError::Refused { refusal: Refusal::Incarnation { .. }, .. }));
    }
    world.node("c").propose(register(3)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_whose_disk_fails_says_so_and_leads_no_more_and_the_others_go_on() {
    let world = World::started(&["a", "b", "c"]).await;
    let leader = world.settled().await;
    let [one, _] = others(&leader.node);
    let (broken, other) = (world.node(&leader.node), world.node(one));
    broken.break_disk();
    let lost = broken.propose(submit("lost")).await.expect_err("it cannot be kept");
    assert!(!matches!(lost, ProposeError::Refused { .. }), "{lost}");
    until(broken.broken(), Option::is_some).await;
    until(broken.leader(), Option::is_none).await;
    until(other.leader(), |new| new.as_ref().is_some_and(|new| new.term > leader.term)).await;
    other.propose(submit("job")).await.unwrap();
    assert_eq!(*other.broken().borrow(), None);
    // The next process finds what is really there.
    world.kill(&leader.node).await;
    let next = world.start(&leader.node).await;
    world.settled().await;
    assert!(next.view().await.unwrap().state.jobs.contains_key("job"));
}
