//! The state of a job as people and programs meet it: asked for and changed through any node, kept and undone by failures.

use std::time::Duration;

use serde_json::{Value, json};
use watershed::client::{AsOf, Client, ClientError, Level, QueryError, Session};

use crate::cluster::Cluster;

/// An article that nobody orders, so that its stock is what the test makes of it.
const ARTICLE: u32 = 1_000_000;

/// Starts `inventory` for longer than a test takes, with a checkpoint each so often, on all nodes.
fn inventory(cluster: &Cluster, interval: &str) {
    let output = format!("output={}/out", cluster.path().display());
    let submit = ["submit", "inventory", "--parallelism", "3", "--checkpoint-interval", interval];
    let sets = ["--set", "orders=10_000_000", "--set", "rate=200", "--set", &output];
    cluster.told(&[&submit[..], &sets].concat());
    cluster.wait_for("the job", &["status", "inventory"], |job| {
        job["state"] == "running" && job["slots"] == json!({ "n1": 1, "n2": 1, "n3": 1 })
    });
    cluster.wait_for("its stock", &["query", "inventory", "stock", "7"], |told| told["state"] == "stock");
}

fn session(cluster: &Cluster, node: usize) -> Session {
    let client = Client::new([cluster.url(node)]).expect("it is an address");
    client.session("inventory").waiting(Duration::from_secs(30))
}

/// A session that has made an update which no failure undoes. A busy machine may lose its leader before: then the update
/// never happened, and is made again.
fn updated_durably(cluster: &Cluster, more: i64) -> Session {
    loop {
        let mut session = session(cluster, 1).waiting(Duration::from_secs(60));
        match session.update_durably("stock", &ARTICLE, &more) {
            Ok(made) => {
                assert!(made.durable, "{made:?}");
                return session;
            }
            Err(ClientError::Refused(error)) if matches!(*error, QueryError::RolledBack { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// What a command answers with `--json`, whether it succeeds or not.
fn json_of(cluster: &Cluster, arguments: &[&str]) -> Value {
    cluster.run(&[arguments, &["--json"]].concat()).json()
}

#[test]
fn c4_what_was_changed_through_one_node_is_read_through_any() {
    let cluster = Cluster::start();
    inventory(&cluster, "200ms");
    let via = |node: usize| cluster.url(node);
    let about = ["inventory", "stock", "1000000", "--token-file", "seen"];
    let told = cluster.told(&[&["update"], &about[..], &["25", "--node", &via(1)]].concat());
    assert!(told.starts_with("1000000 of stock is updated by node n1 in run "), "{told}");
    for (turn, node) in [2, 3, 1, 2, 3].into_iter().enumerate() {
        let read = cluster.told(&[&["query"], &about[..], &["--wait", "30s", "--node", &via(node)]].concat());
        assert_eq!(read, format!("{}\n", 25 + turn), "through node {node}");
        cluster.told(&[&["update"], &about[..], &["1", "--wait", "30s", "--node", &via(node)]].concat());
    }
    let read = json_of(&cluster, &[&["query"], &about[..]].concat());
    assert_eq!((&read["value"], &read["level"]), (&json!(30), &json!("causal")), "{read}");
    let kept = std::fs::read_to_string(cluster.path().join("seen")).expect("the token is kept");
    assert_eq!(read["token"], kept.trim());

    let mut token = None::<String>;
    for (turn, node) in [1, 2, 3, 1, 2, 3].into_iter().enumerate() {
        let session = session(&cluster, node);
        let mut now = match token.take() {
            Some(token) => session.seen(token),
            None => session,
        };
        now.update("stock", &(ARTICLE + 1), &1_i64).expect("it is made");
        let stock = now.get::<_, i64>("stock", &(ARTICLE + 1), Level::Causal).expect("it is there");
        assert_eq!(stock, Some(turn as i64 + 1));
        now.await_durable(Duration::from_secs(60)).expect("the next checkpoint has it");
        token = now.token().map(str::to_owned);
    }
    let reservations = session(&cluster, 2).get::<_, Vec<u64>>("reservations", &ARTICLE, Level::Eventual);
    assert_eq!(reservations.expect("it answers").unwrap_or_default(), [0; 0]);
}

#[test]
fn c7_c8_a_failure_undoes_what_no_checkpoint_has_and_nothing_else() {
    let mut cluster = Cluster::start();
    inventory(&cluster, "1s");
    let mut kept = updated_durably(&cluster, 7);
    let token = kept.token().map(str::to_owned);
    let latest = Level::AsOf(AsOf::Latest);
    let saved = kept.read::<_, i64>("stock", &ARTICLE, latest).expect("a checkpoint is complete");
    assert_eq!((saved.value, saved.durable), (Some(7), true));
    assert!(saved.checkpoint.is_some(), "{saved:?}");
    assert_eq!(kept.token(), token.as_deref(), "what the session has seen is not forgotten");
    // An update right behind a checkpoint is in none before the node is gone.
    let mut lost = updated_durably(&cluster, 1);
    let hasty = lost.update("stock", &ARTICLE, &100_i64).expect("it is made");
    cluster.kill(3);
    cluster.wait_for("the next run", &["status", "inventory"], |job| {
        job["state"] == "running" && job["run"].as_u64() > Some(hasty.run.0.into())
    });
    let stock =
        kept.get::<_, i64>("stock", &ARTICLE, Level::Causal).expect("what is durable is never refused");
    assert_eq!(stock, Some(8));
    let token = lost.token().expect("it has seen something").to_owned();
    let error = lost.get::<_, i64>("stock", &ARTICLE, Level::Causal).expect_err("it has seen what is undone");
    let ClientError::Refused(error) = error else { panic!("{error}") };
    assert!(matches!(*error, QueryError::RolledBack { .. }), "{error}");
    let about = ["query", "inventory", "stock", "1000000", "--token", &token];
    let told = cluster.run(&about);
    assert_eq!((told.code, told.out.as_str()), (Some(1), ""), "{told:?}");
    let told = json_of(&cluster, &about);
    assert_eq!((&told["code"], &told["exit_code"]), (&json!("rolled-back"), &json!(1)), "{told}");
    assert!(told["undone"].as_array().is_some_and(|undone| !undone.is_empty()), "{told}");
    let left = json_of(&cluster, &[&about[..], &["--rebase"]].concat());
    assert_eq!((&left["value"], &left["rebased"]), (&json!(8), &json!(true)), "{left}");
    let mut lost = lost.rebasing(true);
    let read = lost.read::<_, i64>("stock", &ARTICLE, Level::Causal).expect("it goes on");
    assert_eq!((read.value, read.rebased), (Some(8), true));
}

#[test]
fn what_cannot_be_answered_says_why() {
    let cluster = Cluster::start();
    let told = cluster.fails(2, &["query", "inventory", "stock", "7"]);
    assert!(told.starts_with("error: there is no job \"inventory\""), "{told}");
    inventory(&cluster, "200ms");
    let told = cluster.fails(2, &["query", "inventory", "stocks", "7"]);
    assert!(told.contains("no state \"stocks\"") && told.contains("reservations"), "{told}");
    assert!(
        cluster
            .fails(2, &["query", "inventory", "stock", "EWR"])
            .starts_with("error: the key cannot be read")
    );
    assert!(
        cluster.fails(2, &["query", "inventory", "stock", "[1,"]).contains("is no JSON that can be taken")
    );
    let told = cluster.fails(2, &["query", "inventory", "stock", "7", "--level", "linearizable"]);
    assert!(told.contains("cannot be asked for at the level linearizable"), "{told}");
    assert!(cluster.fails(2, &["query", "inventory", "stock", "7", "--token", "forged"]).contains("token"));
    assert!(
        cluster.fails(1, &["update", "inventory", "stock", "7", "many"]).contains("the update is not taken")
    );
    let told = cluster.fails(3, &["query", "inventory", "stock", "7", "--node", "http://127.0.0.1:1"]);
    assert!(told.starts_with("error: no node answers at http://127.0.0.1:1"), "{told}");
    let (head, body) = cluster.http(2, "GET /api/v1/jobs/inventory/state/stock?key=7&level=eventual");
    assert!(
        head.starts_with("HTTP/1.1 200 ") && head.to_lowercase().contains("\r\nwatershed-token: "),
        "{head}"
    );
    let answer: Value = serde_json::from_str(&body).expect("an answer is JSON");
    assert!(answer["value"].is_i64() && answer["key"] == 7, "{answer}");
}
