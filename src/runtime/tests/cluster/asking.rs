//! Questions put through any node of a cluster, also through one on which the job does not live, and over lost nodes.

use watershed_core::{Position, SplitId};

use super::*;
use crate::query::{AsOf, Found, Level, Query, QueryError, Submitted, Update};

const KEY: u8 = 9;

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn key() -> Vec<u8> {
    rmp_serde::to_vec(&KEY).unwrap()
}

fn add(node: &Living, more: u64, token: Option<&str>, durable: bool) -> Result<Found, QueryError> {
    let wait = Duration::from_secs(60);
    let delta = rmp_serde::to_vec(&more).unwrap();
    let update =
        Update { token: token.map(str::to_owned), durable, wait, ..Update::new("total", key(), delta) };
    block_on(node.handle.update("doubling", update))
}

fn causal(token: &str) -> Query {
    let (level, token, wait) = (Level::Causal, Some(token.to_owned()), Duration::from_secs(60));
    Query { level, token, wait, ..Query::new("total", key()) }
}

fn query(node: &Living, query: Query) -> Result<Found, QueryError> {
    block_on(node.handle.query("doubling", query))
}

fn count(found: &Found) -> Option<u64> {
    found.value.as_ref().map(|bytes| rmp_serde::from_slice(bytes).unwrap())
}

/// Has a job run that shares state, for as long as a test takes, on two of the three nodes.
fn share(node: &Living, interval_ms: &str) {
    let parameters = [(ENDLESS, "yes"), ("pause", "50"), ("shared", "yes"), ("interval", interval_ms)];
    submit_with(node, &parameters, 2).unwrap();
    wait_for(node, "a run", |report| report.state == JobState::Running);
}

fn cancel(node: &Living) {
    ask(node, Request::Cancel { job: "doubling".to_owned(), how: CancelHow::Now }).unwrap();
    wait_for(node, "the end", |report| report.state == JobState::Cancelled);
}

#[test]
fn c4_what_was_written_through_one_node_is_found_through_every_other() {
    let world = World::new();
    let nodes = world.start_all();
    share(&nodes[0], "100");
    let homes = wait_for(&nodes[0], "its nodes", |report| report.slots.len() == 2).slots;
    let mut token: Option<String> = None;
    for total in 1..=30_usize {
        let made = add(&nodes[total % 3], 1, token.as_deref(), false).unwrap();
        for node in &nodes {
            let found = query(node, causal(&made.token)).unwrap();
            assert_eq!(count(&found), Some(total as u64), "through {}", node.handle.node());
            let own = node.handle.node();
            let is_home = homes.contains_key(own);
            assert!(homes.contains_key(&found.node), "{} answers", found.node);
            assert!(!is_home || found.node == own, "a node on which the job lives answers by itself");
        }
        token = Some(made.token);
    }
    let unknown = block_on(nodes[1].handle.query("nothing", Query::new("total", key()))).unwrap_err();
    assert_eq!(unknown, QueryError::NoJob { job: "nothing".to_owned(), known: vec!["doubling".to_owned()] });
    cancel(&nodes[0]);
    let ended = Query { wait: Duration::ZERO, ..Query::new("total", key()) };
    let ended = query(&nodes[0], ended).unwrap_err();
    assert_eq!(ended, QueryError::NotRunning { job: "doubling".to_owned() });
    nodes.into_iter().for_each(Living::stop);
}

#[test]
fn c7_c8_over_a_lost_node_the_durable_update_stays_and_the_undone_one_is_told() {
    let world = World::new();
    let nodes = world.start_all();
    // Checkpoints are taken when somebody asks.
    share(&nodes[0], "3600000");
    let kept = std::thread::scope(|scope| {
        let kept = scope.spawn(|| add(&nodes[0], 5, None, true));
        while !kept.is_finished() {
            // One that is refused is asked for again.
            let _ = ask(&nodes[1], Request::Savepoint { job: "doubling".to_owned() });
        }
        kept.join().unwrap().unwrap()
    });
    assert!(kept.durable);
    let undone = add(&nodes[1], 2, Some(&kept.token), false).unwrap();
    assert_eq!(count(&query(&nodes[2], causal(&undone.token)).unwrap()), Some(7));

    let mut nodes: Vec<Living> = nodes.into();
    let report = status(&nodes[0]).unwrap();
    let leader = nodes[0].handle.leader().unwrap();
    let lost = nodes
        .iter()
        .position(|node| node.handle.node() != leader && report.slots.contains_key(node.handle.node()));
    nodes.remove(lost.expect("the job lives on two nodes, of which one leads at most")).stop();
    wait_for(&nodes[0], "another run", |report| {
        report.checkpoints.restarts > 0 && report.state == JobState::Running
    });
    for node in &nodes {
        let refused = query(node, causal(&undone.token)).unwrap_err();
        assert!(
            matches!(&refused, QueryError::RolledBack { base: Some(_), undone, .. } if undone.len() == 1),
            "through {}: {refused}",
            node.handle.node()
        );
        assert_eq!(count(&query(node, causal(&kept.token)).unwrap()), Some(5));
        let rebased = query(node, Query { rebase: true, ..causal(&undone.token) }).unwrap();
        assert_eq!((count(&rebased), rebased.rebased), (Some(5), true));

        // A checkpoint is read all the same; and what is undone is not passed over by that.
        let latest = Query { level: Level::AsOf(AsOf::Latest), ..causal(&undone.token) };
        let read = query(node, latest.clone()).unwrap();
        assert_eq!((count(&read), read.durable, read.rebased), (Some(5), false, false));
        let refused = query(node, causal(&read.token)).unwrap_err();
        assert!(matches!(refused, QueryError::RolledBack { .. }), "{refused}");
        // Who waits for what it has put in goes on without what is undone.
        let nowhere = Submitted { source: "none".to_owned(), split: SplitId(0), position: Position(0) };
        let inputs = vec![nowhere.clone()];
        let awaits = Query { await_input: true, inputs, ..latest };
        // It waits for the split for as long as it may, and has to have read a checkpoint by then.
        let refused = [1, 5, 30]
            .map(Duration::from_secs)
            .into_iter()
            .map(|wait| query(node, Query { wait, ..awaits.clone() }).unwrap_err())
            .find(|refused| !matches!(refused, QueryError::Unavailable { .. }))
            .expect("a checkpoint is read in time");
        let QueryError::NoInput { known, .. } = refused else { panic!("it is refused otherwise: {refused}") };
        let (source, _) = known[0].rsplit_once(':').expect("a uid and a split");
        let inputs = vec![Submitted { source: source.to_owned(), ..nowhere }];
        let read = query(node, Query { inputs, wait: Duration::from_secs(60), ..awaits }).unwrap();
        assert_eq!((count(&read), read.durable, read.rebased), (Some(5), true, true));
        assert_eq!(count(&query(node, causal(&read.token)).unwrap()), Some(5));
    }
    cancel(&nodes[0]);
    nodes.into_iter().for_each(Living::stop);
}

/// Asks until there is an answer, as long as what is missing may come.
fn ask_again(node: &Living, asked: &Query) -> Found {
    let until = Instant::now() + PATIENCE;
    loop {
        match query(node, asked.clone()) {
            Ok(found) => return found,
            Err(QueryError::Unavailable { .. } | QueryError::NoCheckpoint { .. }) => {
                assert!(Instant::now() < until, "it never came");
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(refused) => panic!("{refused}"),
        }
    }
}

#[test]
fn what_an_operator_has_of_a_key_is_found_at_its_owner_and_in_a_checkpoint_by_every_node() {
    let world = World::new();
    let nodes = world.start_all();
    share(&nodes[0], "100");
    let refused = query(&nodes[0], Query::new("nothing", vec![0])).unwrap_err();
    let QueryError::NoState { known, .. } = refused else { panic!("it is refused otherwise: {refused}") };
    let witness = known.last().expect("an operator keeps something by key");
    let mut came = 0;
    let mut owners = std::collections::BTreeSet::new();
    for node in nodes.iter().cycle().take(30) {
        let found = ask_again(node, &Query::new(witness, vec![0]));
        let now = count(&found).unwrap_or_default();
        assert!(now >= came, "{now} through {} are fewer than {came}", node.handle.node());
        came = now;
        owners.insert(found.node);
    }
    assert_eq!(owners.len(), 1, "a key has one owner: {owners:?}");
    for node in &nodes {
        let level = Level::AsOf(AsOf::Latest);
        let kept = ask_again(node, &Query { level, ..Query::new(witness, vec![0]) });
        assert_eq!((kept.node.as_str(), kept.durable), (node.handle.node(), true));
        assert!(kept.as_of.is_some());
    }
    cancel(&nodes[0]);
    // What its checkpoints have is there without it.
    let level = Level::AsOf(AsOf::Latest);
    let total = query(&nodes[2], Query { level, ..Query::new("total", vec![0]) }).unwrap();
    let last = query(&nodes[1], Query { level, ..Query::new(witness, vec![0]) }).unwrap();
    assert_eq!(total.as_of, last.as_of);
    assert!(count(&total) >= count(&last), "so many were counted, and so many had come");
    nodes.into_iter().for_each(Living::stop);
}
