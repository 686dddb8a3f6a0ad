//! The state of a job as people and programs meet it: asked for and changed through any node, kept and undone by failures.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use watershed::client::{AsOf, Client, ClientError, Level, Position, QueryError, Session, SplitId};

use crate::cluster::Cluster;

/// What is in force for a kind of shop.
#[derive(Debug, PartialEq, Deserialize)]
struct Rule {
    version: u64,
    limit: u64,
}

/// An article that nobody orders, so that its stock is what the test makes of it.
const ARTICLE: u32 = 1_000_000;

/// Whether a job has a slot on each of three nodes.
fn is_on_each(job: &Value) -> bool {
    job["slots"] == json!({ "n1": 1, "n2": 1, "n3": 1 })
}

/// Starts `inventory` for longer than a test takes, with a checkpoint each so often.
fn inventory(cluster: &Cluster, interval: &str, is_placed: impl Fn(&Value) -> bool) {
    let output = format!("output={}/out", cluster.path().display());
    let submit = ["submit", "inventory", "--parallelism", "3", "--checkpoint-interval", interval];
    let sets = ["--set", "orders=10_000_000", "--set", "rate=200", "--set", &output];
    cluster.told(&[&submit[..], &sets].concat());
    cluster.wait_for("the job", &["status", "inventory"], |job| job["state"] == "running" && is_placed(job));
    for node in 1..=3 {
        let url = cluster.url(node);
        let about = ["query", "inventory", "stock", "7", "--node", &url];
        cluster.wait_for("its stock", &about, |told| told["state"] == "stock" && told["value"].is_i64());
    }
}

/// Starts `live-rules` beside it, for longer than a test takes.
fn live_rules(cluster: &Cluster) {
    let output = format!("output={}/rules", cluster.path().display());
    let submit = ["submit", "live-rules", "--parallelism", "3", "--checkpoint-interval", "200ms"];
    let sets = ["--set", "records=10_000_000", "--set", "rate=200", "--set", &output];
    cluster.told(&[&submit[..], &sets].concat());
    cluster.wait_for("the second job", &["status", "live-rules"], |job| job["state"] == "running");
}

/// Does something that has to wait for checkpoints, of a job that takes none where nobody asks for one.
fn with_checkpoints<T>(cluster: &Cluster, work: impl FnOnce() -> T) -> T {
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
        }
    }
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Acquire) {
                // A run that fails takes none; the next one is asked again.
                cluster.run(&["savepoint", "inventory"]);
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        let _over = Over(&is_over);
        work()
    })
}

fn session(cluster: &Cluster, node: usize) -> Session {
    let client = Client::new([cluster.url(node)]).expect("it is an address");
    client.session("inventory").waiting(Duration::from_secs(30))
}

/// What was seen is undone by a failure that nobody has asked for: a busy machine may lose its leader.
struct Undone;

fn unless_undone<T>(answer: Result<T, ClientError>) -> Result<T, Undone> {
    match answer {
        Ok(answer) => Ok(answer),
        Err(ClientError::Refused(error)) if matches!(*error, QueryError::RolledBack { .. }) => Err(Undone),
        Err(error) => panic!("{error}"),
    }
}

/// What a command says that has to succeed.
fn told_unless_undone(cluster: &Cluster, arguments: &[&str]) -> Result<String, Undone> {
    let ended = cluster.run(arguments);
    let says_undone = |said: &String| said.contains("what never happened: ");
    if ended.code == Some(1) && [&ended.out, &ended.err].into_iter().any(says_undone) {
        return Err(Undone);
    }
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{arguments:?}: {ended:?}");
    Ok(ended.out)
}

/// Does something with one article after the other, until nothing of it is undone.
fn with_some_article(work: impl Fn(u32) -> Result<(), Undone>) {
    assert!((ARTICLE..ARTICLE + 10).any(|article| work(article).is_ok()), "one failure follows the other");
}

/// A session that has made an update which no failure undoes. One that never happened is made again.
fn updated_durably(cluster: &Cluster, more: i64) -> Session {
    loop {
        let mut session = session(cluster, 1).waiting(Duration::from_secs(60));
        let made = with_checkpoints(cluster, || session.update_durably("stock", &ARTICLE, &more));
        if let Ok(made) = unless_undone(made) {
            assert!(made.durable, "{made:?}");
            return session;
        }
    }
}

/// What a command answers with `--json`, whether it succeeds or not.
fn json_of(cluster: &Cluster, arguments: &[&str]) -> Value {
    cluster.run(&[arguments, &["--json"]].concat()).json()
}

fn by_commands(cluster: &Cluster, article: u32) -> Result<(), Undone> {
    let (key, seen) = (article.to_string(), format!("seen-{article}"));
    let about = ["inventory", "stock", &key, "--token-file", &seen, "--wait", "30s"];
    let ask = |verb: &str, more: &[&str], node: usize| {
        told_unless_undone(cluster, &[&[verb], &about[..], more, &["--node", &cluster.url(node)]].concat())
    };
    let told = ask("update", &["25"], 1)?;
    assert!(told.starts_with(&format!("{article} of stock is updated by node n1 in run ")), "{told}");
    for (turn, node) in [2, 3, 1, 2, 3].into_iter().enumerate() {
        let read = ask("query", &[], node)?;
        assert_eq!(read, format!("{}\n", 25 + turn), "through node {node}");
        ask("update", &["1"], node)?;
    }
    let read = told_unless_undone(cluster, &[&["query"], &about[..], &["--json"]].concat())?;
    let read: Value = serde_json::from_str(&read).expect("an answer is JSON");
    assert_eq!((&read["value"], &read["level"]), (&json!(30), &json!("causal")), "{read}");
    let kept = std::fs::read_to_string(cluster.path().join(&seen)).expect("the token is kept");
    assert_eq!(read["token"], kept.trim());
    Ok(())
}

fn by_sessions(cluster: &Cluster, article: u32) -> Result<(), Undone> {
    let mut token = None::<String>;
    for (turn, node) in [1, 2, 3, 1, 2, 3].into_iter().enumerate() {
        let session = session(cluster, node);
        let mut now = match token.take() {
            Some(token) => session.seen(token),
            None => session,
        };
        unless_undone(now.update("stock", &article, &1_i64))?;
        let stock = unless_undone(now.get::<_, i64>("stock", &article, Level::Causal))?;
        assert_eq!(stock, Some(turn as i64 + 1));
        unless_undone(now.await_durable(Duration::from_secs(60)))?;
        token = now.token().map(str::to_owned);
    }
    Ok(())
}

#[test]
fn c4_what_was_changed_through_one_node_is_read_through_any() {
    let cluster = Cluster::with_slots(1);
    inventory(&cluster, "200ms", is_on_each);
    with_some_article(|article| by_commands(&cluster, article));
    with_some_article(|article| by_sessions(&cluster, article + 10));
    let reservations = session(&cluster, 2).get::<_, Vec<u64>>("reservations", &ARTICLE, Level::Eventual);
    assert_eq!(reservations.expect("it answers").unwrap_or_default(), [0; 0]);
}

/// Goes from one job to the other and back with one token, each time through another node.
fn from_job_to_job(cluster: &Cluster, article: u32) -> Result<(), Undone> {
    let (key, seen) = (article.to_string(), format!("both-{article}"));
    let ask = |words: &[&str], node: usize| {
        let more = ["--token-file", &seen, "--wait", "30s", "--node", &cluster.url(node)];
        told_unless_undone(cluster, &[words, &more].concat())
    };
    let rule = |version: usize| format!(r#"{{"version":{version},"limit":40}}"#);
    for turn in 1..=4 {
        let node = |more: usize| (turn + more) % 3 + 1;
        ask(&["update", "inventory", "stock", &key, "1"], node(0))?;
        ask(&["update", "live-rules", "rules", &key, &format!(r#"{{"Put":{}}}"#, rule(turn))], node(1))?;
        assert_eq!(ask(&["query", "inventory", "stock", &key], node(2))?, format!("{turn}\n"));
        let read = ask(&["query", "live-rules", "rules", &key], node(0))?;
        let read: Value = serde_json::from_str(&read).expect("a value is JSON");
        assert_eq!(read, serde_json::from_str::<Value>(&rule(turn)).expect("it is JSON"));
    }
    let token = std::fs::read_to_string(cluster.path().join(&seen)).expect("the token is kept");
    let mut session = session(cluster, 2).seen(token.trim());
    assert_eq!(unless_undone(session.get::<_, i64>("stock", &article, Level::Causal))?, Some(4));
    let read = session.turn_to("live-rules").get::<_, Rule>("rules", &article, Level::Causal);
    assert_eq!(unless_undone(read)?, Some(Rule { version: 4, limit: 40 }));
    unless_undone(session.await_durable(Duration::from_secs(60)))
}

#[test]
fn c4_what_was_seen_of_one_job_is_not_forgotten_at_another() {
    let cluster = Cluster::start();
    inventory(&cluster, "200ms", |_| true);
    live_rules(&cluster);
    with_some_article(|article| from_job_to_job(&cluster, article));
}

#[test]
fn c7_c8_a_failure_undoes_what_no_checkpoint_has_and_nothing_else() {
    let mut cluster = Cluster::with_slots(1);
    // No checkpoint comes between what is not to be in any and the failure.
    inventory(&cluster, "1h", is_on_each);
    let mut kept = updated_durably(&cluster, 7);
    let token = kept.token().map(str::to_owned);
    let latest = Level::AsOf(AsOf::Latest);
    let saved = kept.read::<_, i64>("stock", &ARTICLE, latest).expect("a checkpoint is complete");
    assert_eq!((saved.value, saved.durable), (Some(7), true));
    assert!(saved.checkpoint.is_some(), "{saved:?}");
    assert_ne!(kept.token(), token.as_deref(), "the checkpoint is seen, too");
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
    let patient = [&about[..], &["--wait", "60s"]].concat();
    let told = cluster.run(&patient);
    assert_eq!((told.code, told.out.as_str()), (Some(1), ""), "{told:?}");
    let told = json_of(&cluster, &patient);
    assert_eq!((&told["code"], &told["exit_code"]), (&json!("rolled-back"), &json!(1)), "{told}");
    assert!(told["undone"].as_array().is_some_and(|undone| !undone.is_empty()), "{told}");
    let left = json_of(&cluster, &[&patient[..], &["--rebase"]].concat());
    assert_eq!((&left["value"], &left["rebased"]), (&json!(8), &json!(true)), "{left}");
    // What the pipeline has read from beyond a position, a checkpoint has worked on, whatever failed meanwhile.
    let awaits = ["--input", "orders:0:500", "--await-input"];
    let read = with_checkpoints(&cluster, || json_of(&cluster, &[&patient[..], &awaits].concat()));
    assert_eq!(
        (&read["value"], &read["level"], &read["rebased"]),
        (&json!(8), &json!("as-of"), &json!(true)),
        "{read}"
    );
    // It is waited for, and where nobody has had time to look until then, another time.
    let unknown = [&about[..], &["--input", "order:0:1", "--await-input", "--wait", "1s"]].concat();
    cluster.wait_to_fail(2, "it has read from: orders:0", &unknown);
    lost.put_in("orders", SplitId(0), Position(800));
    let read = with_checkpoints(&cluster, || lost.await_input::<_, i64>("stock", &ARTICLE));
    let read = read.expect("it is worked on");
    assert_eq!((read.value, read.rebased, read.durable), (Some(8), true, true));
    let stock = lost.get::<_, i64>("stock", &ARTICLE, Level::Causal).expect("it goes on from there");
    assert_eq!(stock, Some(8));
    let mut lost = lost.seen(token).rebasing(true);
    let read = lost.read::<_, i64>("stock", &ARTICLE, Level::Causal).expect("it goes on");
    assert_eq!((read.value, read.rebased), (Some(8), true));
}

#[test]
fn what_cannot_be_answered_says_why() {
    let cluster = Cluster::with_slots(1);
    let told = cluster.fails(2, &["query", "inventory", "stock", "7"]);
    assert!(told.starts_with("error: there is no job \"inventory\""), "{told}");
    inventory(&cluster, "200ms", is_on_each);
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
    let told = cluster
        .fails(3, &["query", "inventory", "stock", "7", "--node", "http://127.0.0.1:1", "--within", "0s"]);
    assert!(told.contains("error: no node answers at http://127.0.0.1:1"), "{told}");
    let (head, body) = cluster.http(2, "GET /api/v1/jobs/inventory/state/stock?key=7&level=eventual");
    assert!(
        head.starts_with("HTTP/1.1 200 ") && head.to_lowercase().contains("\r\nwatershed-token: "),
        "{head}"
    );
    let answer: Value = serde_json::from_str(&body).expect("an answer is JSON");
    assert!(answer["value"].is_i64() && answer["key"] == 7, "{answer}");
}
