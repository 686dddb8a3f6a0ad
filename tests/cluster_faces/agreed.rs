//! Values that the nodes of a cluster agree on, as people and programs meet them: set through one node, and read through
//! another at the level linearizable.

use std::time::Duration;

use serde_json::{Value, json};
use watershed::client::Client;

use crate::cluster::Cluster;

const OFFSETS: &str = "/api/v1/jobs/sensor-consensus/state/offsets";

/// Starts `sensor-consensus` for longer than a test takes, a sensor on each node.
fn sensors(cluster: &Cluster) {
    let output = format!("output={}/out", cluster.path().display());
    let submit = ["submit", "sensor-consensus", "--checkpoint-interval", "200ms", "--set", "voters=3"];
    cluster.told(&[&submit[..], &["--set", "rounds=10_000", "--set", "rate=20", "--set", &output]].concat());
    cluster.wait_for("the job", &["status", "sensor-consensus"], |job| job["state"] == "running");
}

/// What is agreed on for sensor 2, as a command says it that asks through a node.
fn agreed(cluster: &Cluster, node: usize) -> Value {
    let about = ["query", "sensor-consensus", "offsets", "2", "--level", "linearizable", "--wait", "30s"];
    let told = cluster.told(&[&about[..], &["--json", "--node", &cluster.url(node)]].concat());
    serde_json::from_str(told.trim()).expect("an answer is JSON")
}

/// The number of the node that leads.
fn leader(told: &Value) -> Option<usize> {
    let leads = told["nodes"].as_array()?.iter().find(|node| node["leader"] == true)?;
    leads["node"].as_str()?.strip_prefix('n')?.parse().ok()
}

fn of(body: &str) -> Value {
    serde_json::from_str(body).expect("an answer is JSON")
}

#[test]
fn a_value_that_is_agreed_on_is_the_newest_through_any_node_at_once() {
    let cluster = Cluster::with_slots(1);
    sensors(&cluster);
    assert_eq!(agreed(&cluster, 2)["value"], Value::Null, "nothing was agreed on yet");
    let mut round = 0;
    let mut expect = |value: i64, voter: &str| {
        round += 1;
        for node in [2, 3, 1] {
            let told = agreed(&cluster, node);
            let expected = json!({ "round": round, "votes": [[voter, value]], "value": value });
            assert_eq!((&told["value"], &told["level"]), (&expected, &json!("linearizable")), "{told}");
            let (head, body) =
                cluster.http(node, &format!("GET {OFFSETS}?key=2&level=linearizable&wait=30s"));
            assert!(head.starts_with("HTTP/1.1 200 "), "{head}: {body}");
            assert_eq!(of(&body)["value"], expected, "{body}");
        }
    };

    let about = ["sensor-consensus", "offsets", "2"];
    let update =
        |value: &str| cluster.told(&[&["update"], &about[..], &[value, "--node", &cluster.url(1)]].concat());
    let told = update("250");
    assert!(told.starts_with("2 of offsets is updated by node n1 in run "), "{told}");
    assert!(told.ends_with("; no failure undoes it\n"), "{told}");
    expect(250, "n1");

    let (head, body) =
        cluster.http_with(3, &format!("POST {OFFSETS}"), r#"{"key":2,"update":-40,"wait":"30s"}"#);
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}: {body}");
    let made = of(&body);
    assert_eq!((&made["durable"], &made["node"]), (&json!(true), &json!("n3")), "{made}");
    expect(-40, "n3");

    let client = Client::new([cluster.url(2)]).expect("it is an address");
    let mut session = client.session("sensor-consensus").waiting(Duration::from_secs(30));
    assert!(session.update("offsets", &2_u32, &7_i32).expect("it is agreed on").durable);
    expect(7, "n2");
    // As the tasks see it, some time later.
    cluster.wait_for("the agreement", &[&["query"], &about[..]].concat(), |told| told["value"]["round"] == 3);

    let told = cluster.fails(1, &[&["update"], &about[..], &["much"]].concat());
    assert!(told.contains("the update is not taken"), "{told}");
    let (head, body) =
        cluster.http(1, "GET /api/v1/jobs/sensor-consensus/state/latest?key=2&level=linearizable");
    assert!(head.starts_with("HTTP/1.1 422 "), "{head}");
    assert_eq!(of(&body)["code"], "unfit", "{body}");
}

#[test]
fn what_is_agreed_on_outlives_the_node_that_leads() {
    let mut cluster = Cluster::start();
    sensors(&cluster);
    let update = |cluster: &Cluster, value: &str, node: usize| {
        let about = ["update", "sensor-consensus", "offsets", "2", value, "--wait", "60s"];
        cluster.run(&[&about[..], &["--node", &cluster.url(node)]].concat())
    };
    assert_eq!(update(&cluster, "250", 1).code, Some(0));
    let nodes = cluster.wait_for("a leader", &["nodes"], |told| leader(told).is_some());
    let leader = leader(&nodes).expect("n1, n2 or n3");
    cluster.kill(leader);
    let left: Vec<usize> = (1..=3).filter(|node| *node != leader).collect();
    let url = cluster.url(left[0]);
    let about = ["query", "sensor-consensus", "offsets", "2", "--level", "linearizable", "--node", &url];
    let told = cluster.wait_for("an answer", &about, |told| told["value"].is_object());
    assert_eq!(told["value"]["value"], 250, "{told}");
    // Nobody has heard whether a proposal was agreed on whose leader was lost: whoever is told so looks, and proposes again.
    cluster.wait_for("the next run", &["status", "sensor-consensus"], |job| job["state"] == "running");
    let made = update(&cluster, "300", left[1]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let told = agreed(&cluster, left[0]);
    assert_eq!((&told["value"]["value"], &told["value"]["round"]), (&json!(300), &json!(2)), "{told}");
}
