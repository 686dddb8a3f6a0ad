//! What is asked and answered where nothing is wrong, against the document that describes it.

use serde_json::{Value, json};

use super::node::{Answer, Node};
use super::schema::misfits;
use crate::openapi::DOCUMENT;
use crate::routes::ROUTES;
use crate::{Access, Server, ServerConfig, ServerError};

fn document() -> Value {
    serde_json::from_str(DOCUMENT).expect("the document is JSON")
}

/// Asserts that an answer is one that the document knows.
pub(super) fn fits(method: &str, path: &str, answer: &Answer) {
    let document = document();
    let responses = &document["paths"][path][method]["responses"];
    let response = match &responses[answer.status.to_string()] {
        Value::Null => &responses["default"],
        response => response,
    };
    let Some(contents) = response["content"].as_object() else {
        assert_eq!(answer.body, "", "{method} {path}");
        return;
    };
    let (kind, content) = contents.iter().next().expect("there is one");
    assert_eq!(
        answer.header("content-type").map(|given| given.split(';').next().unwrap()),
        Some(kind.as_str())
    );
    if kind.ends_with("json") {
        let found = misfits(&document, &content["schema"], &answer.json(), "answer");
        assert_eq!(found, [] as [String; 0], "{method} {path}: {answer:?}");
    }
}

#[test]
fn the_document_names_the_paths_and_methods_that_there_are() {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    let described: Vec<(String, Vec<String>)> = paths
        .iter()
        .map(|(path, item)| {
            let methods = item.as_object().unwrap().keys().filter(|key| *key != "parameters");
            (path.clone(), methods.map(|method| method.to_uppercase()).collect())
        })
        .collect();
    let mut laid: Vec<(String, Vec<String>)> = ROUTES
        .iter()
        .map(|(path, methods)| {
            let mut methods: Vec<String> =
                methods.split(", ").filter(|one| *one != "HEAD").map(str::to_owned).collect();
            methods.sort();
            ((*path).to_owned(), methods)
        })
        .collect();
    laid.sort();
    assert_eq!(described, laid);
    let node = Node::start();
    for (path, methods) in ROUTES {
        let path = path.replace("{job}", "none").replace("{state}", "none");
        for method in ["GET", "POST", "DELETE", "PUT", "PATCH"] {
            let answer = node.ask(method, &path, "Content-Type: application/json\r\n", "");
            let is_known = methods.split(", ").any(|known| known == method);
            assert_eq!(answer.status == 405, !is_known, "{method} {path}: {answer:?}");
            if !is_known {
                assert_eq!(answer.header("allow"), Some(methods));
                answer.problem(405);
            }
        }
    }
}

#[test]
fn a_job_is_submitted_looked_at_rescaled_saved_and_ended() {
    let node = Node::start();
    let body = json!({ "name": "slow", "pipeline": "counting", "parameters": { "count": 100_000_000, "pause_ms": 1 } });
    let submitted = node.post("/api/v1/jobs", &body.to_string());
    fits("post", "/api/v1/jobs", &submitted);
    assert_eq!((submitted.status, submitted.header("location")), (201, Some("/api/v1/jobs/slow")));
    let running = |answer: &Answer| {
        let job = answer.json();
        job["state"] == "running"
            && job["vertices"][0]["records_in"] != 0
            && !job["checkpoints"]["newest"].is_null()
    };
    let status = node.wait_for("/api/v1/jobs/slow", running);
    fits("get", "/api/v1/jobs/{job}", &status);
    assert_eq!(
        (&status.json()["parallelism"], &status.json()["parameters"]["count"]),
        (&json!(1), &json!("100000000"))
    );
    fits("get", "/api/v1/jobs", &node.get("/api/v1/jobs"));
    let nodes = node.get("/api/v1/nodes");
    fits("get", "/api/v1/nodes", &nodes);
    assert_eq!(
        (&nodes.json()["nodes"][0]["leader"], &nodes.json()["nodes"][0]["used"]),
        (&json!(true), &json!(1))
    );
    let taken = node.post("/api/v1/jobs/slow/savepoint", "");
    fits("post", "/api/v1/jobs/{job}/savepoint", &taken);
    let epoch = taken.json()["checkpoint"].as_u64().expect("it has a number");
    let kept = node.get("/api/v1/jobs/slow/checkpoints");
    fits("get", "/api/v1/jobs/{job}/checkpoints", &kept);
    let kept = kept.json();
    let saved =
        kept["checkpoints"].as_array().unwrap().iter().find(|one| one["checkpoint"] == epoch).unwrap();
    assert_eq!((&saved["savepoint"], &saved["certificate"]), (&json!(true), &json!("proved")), "{kept}");
    let rescaled = node.post("/api/v1/jobs/slow/rescale", r#"{"parallelism":2}"#);
    fits("post", "/api/v1/jobs/{job}/rescale", &rescaled);
    assert_eq!(rescaled.status, 204, "{rescaled:?}");
    node.wait_for("/api/v1/jobs/slow", |answer| {
        answer.json()["parallelism"] == 2 && answer.json()["slots"]["a"] == 2 && running(answer)
    });
    let samples =
        ["watershed_leader 1", "watershed_job_running{job=\"slow\"} 1", "watershed_slots_used{node=\"a\"} 2"];
    node.wait_for("/metrics", |metrics| {
        samples.iter().all(|sample| metrics.body.lines().any(|line| line == *sample))
            && metrics.body.contains("\nwatershed_records_in_total{job=\"slow\",vertex=\"0\"")
    });
    node.ask("DELETE", "/api/v1/jobs/slow", "", "").problem(409);
    let cancelled = node.post("/api/v1/jobs/slow/cancel", r#"{"how":"now"}"#);
    fits("post", "/api/v1/jobs/{job}/cancel", &cancelled);
    node.wait_for("/api/v1/jobs/slow", |answer| answer.json()["state"] == "cancelled");
    assert_eq!(node.ask("DELETE", "/api/v1/jobs/slow", "", "").status, 204);
    assert!(node.get("/api/v1/jobs/slow").problem(404).contains("there is no job \"slow\""));
}

#[test]
fn a_node_tells_that_it_lives_and_whether_it_takes_part() {
    let node = Node::start();
    fits("get", "/healthz", &node.get("/healthz"));
    fits("get", "/readyz", &node.get("/readyz"));
    fits("get", "/api/v1/openapi.json", &node.get("/api/v1/openapi.json"));
    let head = node.ask("HEAD", "/healthz", "", "");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let alone = Node::start_with(Access::Loopback, false);
    assert_eq!(alone.get("/healthz").status, 200);
    assert!(alone.get("/readyz").problem(503).starts_with("no node leads the cluster"));
    assert!(alone.get("/api/v1/jobs").problem(503).starts_with("no node leads the cluster"));
    assert!(alone.get("/metrics").body.contains("\nwatershed_leader_known 0\n"));
}

#[test]
fn what_a_cluster_refuses_is_a_problem_of_its_kind() {
    let node = Node::start();
    let status = |body: &str| node.post("/api/v1/jobs", body);
    assert!(status(r#"{"pipeline":"cuonting"}"#).problem(422).contains("there is no pipeline"));
    assert!(status(r#"{"pipeline":"counting","name":"No Name"}"#).problem(422).contains("is no name"));
    assert!(status(r#"{"pipeline":"counting","parallelism":0}"#).problem(422).contains("take 1 or more"));
    assert!(
        status(r#"{"pipeline":"counting","parameters":{"a":[1]}}"#).problem(422).contains("has to be a text")
    );
    assert!(
        status(r#"{"pipeline":"counting","paralelism":1}"#)
            .problem(422)
            .contains("unknown field `paralelism`")
    );
    let slow = r#"{"pipeline":"counting","parameters":{"count":100000000,"pause_ms":1}}"#;
    assert_eq!(status(slow).status, 201);
    assert!(status(slow).problem(409).contains("lives already"));
    assert!(
        node.post("/api/v1/jobs/counting/rescale", r#"{"parallelism":9}"#).problem(422).contains("has 2")
    );
    assert!(node.post("/api/v1/jobs/none/cancel", "").problem(404).contains("no job \"none\""));
}

#[test]
fn a_token_is_asked_for_where_there_is_one_and_needed_beyond_loopback() {
    let token = "0123456789abcdef";
    let node = Node::start_with(Access::Token(token.to_owned()), true);
    assert!(node.get("/api/v1/jobs").problem(401).contains("Authorization: Bearer"));
    assert_eq!(node.get("/metrics").header("www-authenticate"), Some("Bearer"));
    let with = |token: &str| {
        node.ask("GET", "/api/v1/jobs", &format!("Authorization: Bearer {token}\r\n"), "").status
    };
    assert_eq!((with(token), with("0123456789abcdeF"), with("")), (200, 401, 401));
    let anywhere = "0.0.0.0:0".parse().unwrap();
    let bound = |access| Server::bind(ServerConfig::new(anywhere, access));
    assert!(matches!(bound(Access::Loopback), Err(ServerError::NotLoopback { .. })));
    assert!(matches!(bound(Access::Token("short".to_owned())), Err(ServerError::Token { .. })));
    assert!(bound(Access::Open).is_ok() && bound(Access::Token(token.to_owned())).is_ok());
}
