//! The state of a job over HTTP: read, changed, and refused where what is asked is wrong.

use serde_json::{Value, json};

use super::api::fits;
use super::node::{Answer, Node};

const PATH: &str = "/api/v1/jobs/{job}/state/{state}";
const LIMITS: &str = "/api/v1/jobs/sharing/state/limits";

/// The key `["remainder", 1]`, escaped.
const KEY: &str = "key=%5B%22remainder%22%2C1%5D";

/// A node on which the limits are shared.
fn sharing() -> Node {
    let node = Node::start();
    assert_eq!(node.post("/api/v1/jobs", r#"{"pipeline":"sharing"}"#).status, 201);
    node.wait_for("/api/v1/jobs/sharing", |answer| {
        let job = answer.json();
        job["state"] == "running" && !job["checkpoints"]["newest"].is_null()
    });
    node
}

fn raised(node: &Node, limit: u64, more: &Value) -> Answer {
    let mut body = json!({ "key": ["remainder", 1], "update": limit });
    let fields = more.as_object().expect("it is one").clone();
    body.as_object_mut().expect("it is one").extend(fields);
    node.post(LIMITS, &body.to_string())
}

/// The code of a problem, and what it says.
fn problem(answer: &Answer, status: u16) -> (Value, String) {
    fits("get", PATH, answer);
    (answer.json()["code"].clone(), answer.problem(status))
}

#[test]
fn whoever_has_changed_a_key_reads_it_by_the_token_that_came_with_the_answer() {
    let node = sharing();
    let before = node.get(&format!("{LIMITS}?{KEY}"));
    fits("get", PATH, &before);
    assert_eq!((before.status, &before.json()["level"]), (200, &json!("eventual")), "{before:?}");
    let made = raised(&node, 40, &json!({}));
    fits("post", PATH, &made);
    let told = made.json();
    assert_eq!((made.status, &told["value"], &told["node"]), (200, &Value::Null, &json!("a")), "{made:?}");
    let token = made.header("watershed-token").expect("an answer has one");
    assert_eq!(told["token"], token);
    let read =
        node.ask("GET", &format!("{LIMITS}?{KEY}&wait=60s"), &format!("Watershed-Token: {token}\r\n"), "");
    fits("get", PATH, &read);
    let told = read.json();
    assert_eq!((&told["value"], &told["level"]), (&json!(40), &json!("causal")), "{read:?}");
    assert_eq!((&told["key"], &told["state"]), (&json!(["remainder", 1]), &json!("limits")));
    assert_ne!(read.header("watershed-token"), None);
}

#[test]
fn a_durable_update_is_answered_when_a_checkpoint_has_it() {
    let node = sharing();
    let made = raised(&node, 50, &json!({ "durable": true, "wait": "60s" }));
    assert_eq!((made.status, &made.json()["durable"]), (200, &json!(true)), "{made:?}");
    // Once in a while a checkpoint has even one that does not wait before it is answered.
    let mut hasty = (60..1000).map(|limit| raised(&node, limit, &json!({ "durable": true, "wait": "0s" })));
    let hasty = hasty.find(|answer| answer.json()["durable"] != true).expect("some are told that it has not");
    assert_eq!((hasty.status, &hasty.json()["durable"]), (200, &json!(false)), "{hasty:?}");
    let token = hasty.header("watershed-token").expect("an answer has one");
    let path = "/api/v1/jobs/sharing/durable?wait=";
    let waited = |wait: &str, token: &str| {
        let answer = node.ask("GET", &format!("{path}{wait}"), &format!("Watershed-Token: {token}\r\n"), "");
        fits("get", "/api/v1/jobs/{job}/durable", &answer);
        answer
    };
    assert_eq!(waited("60s", token).json()["durable"], true);
    assert_eq!(waited("30s", "forged").json()["code"], "token-invalid");
    assert_eq!(waited("30", token).status, 422);
    assert_eq!(node.get(&format!("{path}1s")).json()["code"], "token-invalid");
}

#[test]
fn what_is_not_there_is_told_by_its_code() {
    let node = sharing();
    let none = problem(&node.get(&format!("/api/v1/jobs/none/state/limits?{KEY}")), 404);
    assert_eq!(none.0, "no-job");
    let answer = node.get(&format!("/api/v1/jobs/sharing/state/limit?{KEY}"));
    assert_eq!(problem(&answer, 404).0, "no-state");
    assert!(answer.json()["known"].as_array().is_some_and(|known| known.contains(&json!("limits"))));
    assert_eq!(problem(&node.get(&format!("{LIMITS}?key=7")), 422).0, "no-key");
    assert_eq!(problem(&node.get(&format!("{LIMITS}?{KEY}&level=linearizable")), 422).0, "unfit");
    let refused = raised(&node, 1001, &json!({}));
    assert_eq!((refused.status, &refused.json()["code"]), (422, &json!("refused")));
    assert!(refused.problem(422).contains("a thousand is enough"));
    for forged in ["x", "AAAA", "no token"] {
        let answer =
            node.ask("GET", &format!("{LIMITS}?{KEY}"), &format!("Watershed-Token: {forged}\r\n"), "");
        assert_eq!(problem(&answer, 422).0, "token-invalid", "{forged}");
    }
}

#[test]
fn what_is_put_wrongly_is_refused_before_the_job_is_asked() {
    let node = Node::start();
    let asked = |query: &str| problem(&node.get(&format!("{LIMITS}?{query}")), 422).1;
    assert!(asked("").contains("missing field `key`"));
    assert!(asked("key=1&kye=2").contains("unknown field `kye`"));
    assert!(asked("key=1&k%1b%5b31m%0a=2").contains(r"unknown field `k\u{1b}[31m\n`"));
    assert!(asked(&format!("key={}", "1".repeat(9000))).len() < 1000);
    assert!(asked("key=EWR").starts_with("the key is no JSON that can be taken: "));
    assert!(asked("key=18446744073709551616").ends_with("18446744073709551616 has more than 64 bits"));
    assert!(asked("key=%7B%22$float%22:%22NaN%22%7D").contains("NaN, which equals nothing"));
    assert!(asked("key=1&wait=2").contains("is no duration: write 500ms, 2s or 1m"));
    assert!(asked("key=1&level=newest").contains("unknown variant `newest`"));
    assert!(asked("key=1&level=causal&epoch=7").contains("as-of alone"));
    assert!(asked("key=1&epoch=last").contains("write its number, or latest"));
    let deep = "[".repeat(33) + &"]".repeat(33);
    assert_eq!(asked(&format!("key={deep}")), "the key is nested deeper than 32 levels");
    let long = node.get(&format!("{LIMITS}?key={}", "1".repeat(33 << 10)));
    assert_eq!(long.problem(413), "the key is larger than 32768 bytes");

    let changed = |body: &str| node.post(LIMITS, body).problem(422);
    assert!(changed("").contains("missing field `key`"));
    assert!(changed(r#"{"key":1,"update":2,"durably":true}"#).contains("unknown field `durably`"));
    assert!(changed(r#"{"key":1,"update":1e5,"update":2}"#).contains("duplicate field `update`"));
    assert!(changed(r#"{"key":1,"update":18446744073709551616}"#).ends_with("has more than 64 bits"));
    assert!(changed(r#"{"key":{"a":1,"a":2},"update":2}"#).contains("stands twice"));
    let deep = format!(r#"{{"key":1,"update":{}{}}}"#, "[".repeat(32), "]".repeat(32));
    assert_eq!(node.post(LIMITS, &deep).problem(400), "the JSON is nested deeper than 32 levels");
    let large = format!(r#"{{"key":1,"update":"{}"}}"#, "x".repeat(1 << 20));
    assert_eq!(node.post(LIMITS, &large).problem(413), "the body is larger than 1048576 bytes");
    node.ask("POST", LIMITS, "Content-Type: text/plain\r\n", r#"{"key":1,"update":2}"#).problem(415);
}

#[test]
fn names_that_climb_are_names_of_nothing() {
    let node = Node::start();
    for place in [
        "..%2f..%2fetc/state/passwd",
        "sharing/state/..%2f..%2fetc%2fpasswd",
        "sharing/state/%2e%2e%2fpasswd",
        "sharing/state/%2fetc%2fpasswd",
        "sharing/state/%00",
        "sharing/state/a%0ab",
        "Sharing/state/limits",
    ] {
        let answer = node.get(&format!("/api/v1/jobs/{place}?{KEY}"));
        assert_eq!(problem(&answer, 422).0, "no-name", "{place}");
    }
    // What was escaped twice is decoded once: a name like any other, of nothing that is there.
    let twice = node.get(&format!("/api/v1/jobs/sharing/state/%252e%252e%252fpasswd?{KEY}"));
    assert_eq!(problem(&twice, 404).0, "no-job");
    assert_eq!(node.get(&format!("/api/v1/jobs/sharing/state/a/b?{KEY}")).status, 404);
}
