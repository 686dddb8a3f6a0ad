//! A cluster as people meet it: three processes, asked on the command line and by HTTP.

mod agreed;
mod cluster;
mod states;

use serde_json::{Value, json};

use cluster::Cluster;

/// Whether a job runs and has taken a checkpoint.
fn is_under_way(job: &Value) -> bool {
    job["state"] == "running" && job["checkpoints"]["newest"].as_u64() > Some(1)
}

fn words(command: &str) -> Vec<&str> {
    command.split(' ').collect()
}

/// Demands that a job of three subtasks is shown as it is by `status`, `jobs` and `nodes`.
fn expect_shown(job: &Value, [status, jobs, nodes]: &[String; 3]) {
    // Where a node has more to do than the others at the moment, it gets fewer.
    let slots = job["slots"].as_object().expect("it runs").clone();
    let of = |node: &str| slots.get(node).and_then(Value::as_u64).unwrap_or_default();
    assert_eq!(slots.values().filter_map(Value::as_u64).sum::<u64>(), 3, "{job}");
    assert_eq!(job["settings"], json!({ "checkpoint_interval": "200ms" }));
    assert!(status.starts_with("flights (number 1): running, run "), "{status}");
    let places: Vec<String> = slots.iter().map(|(node, slots)| format!("{node} {slots}")).collect();
    assert!(status.contains(&format!("\n  slots: {}\n", places.join(", "))), "{status}");
    assert!(
        jobs.starts_with("JOB      NUMBER  STATE    PARALLELISM  CHECKPOINT  RECORDS READ  WHY\nflights"),
        "{jobs}"
    );
    assert_eq!(nodes.matches(" leader ").count(), 1, "{nodes}");
    for node in ["n1", "n2", "n3"] {
        let line = nodes.lines().find(|line| line.starts_with(node)).expect("it is listed");
        assert!(line.contains(&format!("{} of 2", of(node))), "{nodes}");
    }
}

#[test]
fn a_job_is_followed_from_its_submission_to_its_end() {
    let cluster = Cluster::start();
    assert_eq!(cluster.told(&["jobs"]), "no jobs; `submit` makes one\n");
    let told = cluster.submit_slow("flights", &["--parallelism", "3"]);
    assert_eq!(told, "flights (number 1) is submitted; `status flights` shows how it gets on\n");
    // Where a busy machine begins another run meanwhile, it is looked again.
    let job = loop {
        let job = cluster.wait_for("the job", &["status", "flights"], is_under_way);
        let told = ["status flights", "jobs", "nodes"].map(|asked| cluster.told(&words(asked)));
        let after = cluster.wait_for("the job", &["status", "flights"], is_under_way);
        if job["run"] == after["run"] {
            expect_shown(&job, &told);
            break job;
        }
    };

    let taken = cluster.told(&["savepoint", "flights"]);
    let words: Vec<&str> = taken.split(' ').collect();
    assert!(words[0] == "checkpoint" && taken.ends_with("is kept until you delete it\n"), "{taken}");
    let listed = cluster.told(&["checkpoints", "flights"]);
    let line = listed.lines().find(|line| line.split_whitespace().next() == Some(words[1]));
    assert!(line.is_some_and(|line| line.contains("proved") && line.ends_with("savepoint")), "{listed}");

    let told = cluster.told(&["rescale", "flights", "--parallelism", "2"]);
    assert!(told.starts_with("flights goes on with a parallelism of 2"), "{told}");
    let rescaled = cluster.wait_for("the smaller job", &["status", "flights"], |job| {
        let slots = job["slots"].as_object().into_iter().flatten().filter_map(|(_, slots)| slots.as_u64());
        is_under_way(job) && job["parallelism"] == 2 && slots.sum::<u64>() == 2
    });
    assert!(rescaled["run"].as_u64() > job["run"].as_u64(), "{rescaled}");

    let told = cluster.told(&["cancel", "flights", "--with-savepoint"]);
    assert!(told.starts_with("flights is suspended at checkpoint "), "{told}");
    cluster.wait_for("its end", &["status", "flights"], |job| job["state"] == "suspended");
    let told = cluster.told(&["cancel", "flights"]);
    assert!(told.starts_with("flights is cancelled; its newest is checkpoint "), "{told}");
    cluster.wait_for("its end", &["status", "flights"], |job| job["state"] == "cancelled");
}

#[test]
fn what_is_asked_wrongly_is_told_with_what_to_do() {
    let mut cluster = Cluster::start();
    assert!(cluster.fails(2, &["status", "flights"]).starts_with("error: there is no job \"flights\""));
    assert!(cluster.fails(2, &["cancel", "flights"]).contains("no job \"flights\""));
    let told = cluster.fails(2, &["submit", "fligth-delays"]);
    assert!(
        told.contains("there is no pipeline \"fligth-delays\", did you mean \"flight-delays\"?"),
        "{told}"
    );
    let told = cluster.fails(2, &["submit", "hello", "--set", "tims=3"]);
    assert_eq!(told, "error: parameters: there is no \"tims\", did you mean \"times\"?\n");
    assert!(
        cluster
            .fails(2, &["submit", "hello", "--checkpoint-interval", "often"])
            .contains("--checkpoint-interval")
    );
    assert!(cluster.fails(2, &["jobs", "--node", "ftp://n1"]).contains("write http://HOST:PORT"));
    let told = cluster.fails(3, &["jobs", "--node", "http://127.0.0.1:1", "--within", "0s"]);
    assert!(told.starts_with("error: no node answers at http://127.0.0.1:1"), "{told}");
    // A busy machine may have no time for a second try.
    let asks_again = ["300ms", "3s", "30s"].into_iter().any(|within| {
        let told = cluster.fails(3, &["jobs", "--node", "http://127.0.0.1:1", "--within", within]);
        let again = format!("; it is asked again for up to {within}\nerror: no node answers");
        told.starts_with("no node answers at http://127.0.0.1:1") && told.contains(&again)
    });
    assert!(asks_again, "nothing is asked again");
    let ended = cluster.run(&["status", "flights", "--json"]);
    assert_eq!((ended.json()["exit_code"].clone(), ended.code), (json!(2), Some(2)));

    let (head, body) = cluster.http(2, "GET /api/v1/jobs/flights");
    assert!(head.starts_with("HTTP/1.1 404 ") && head.contains("application/problem+json"), "{head}");
    let problem: Value = serde_json::from_str(&body).expect("a problem is JSON");
    assert_eq!((&problem["status"], &problem["title"]), (&json!(404), &json!("Not Found")));
    assert!(cluster.http(1, "GET /..%2f..%2fetc/passwd").0.starts_with("HTTP/1.1 404 "));
    cluster.wait_for_http(3, "GET /readyz", "HTTP/1.1 200 ");

    cluster.kill(2);
    cluster.kill(3);
    // A leader that has lost its majority says so as soon as it has noticed.
    cluster.wait_to_fail(3, "leads the cluster", &["nodes", "--within", "0s"]);
    assert!(cluster.http(1, "GET /healthz").0.starts_with("HTTP/1.1 200 "));
}

#[test]
fn a_job_waits_for_room_and_is_waited_for() {
    let mut cluster = Cluster::start();
    cluster.submit_slow("wide", &["--parallelism", "9"]);
    let waiting = cluster.wait_for("what it waits for", &["status", "wide"], |job| job["reason"].is_string());
    assert_eq!(waiting["state"], "waiting", "{waiting}");
    let reason = waiting["reason"].as_str().expect("it says why");
    assert!(reason.contains("asks for 9 slots, and 6 are free on 3 nodes"), "{reason}");
    assert!(cluster.told(&["jobs"]).contains("9 slots"));
    let told = cluster.fails(3, &["wait", "wide", "--timeout", "300ms", "--quiet"]);
    assert_eq!(told, "error: wide has not ended within 300ms: it is waiting\n");
    assert!(cluster.fails(2, &["wait", "narrow"]).contains("there is no job \"narrow\""));

    let done = cluster.run(&["submit", "hello", "--wait"]);
    assert_eq!((done.code, done.out.as_str()), (Some(0), ""), "{done:?}");
    assert!(done.err.contains("hello (number 2): finished after "), "{done:?}");
    let ended = cluster.run(&["wait", "hello"]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), ""), "{ended:?}");
    assert!(ended.err.starts_with("hello (number 2): finished\n"), "{ended:?}");
    let lost = cluster.run(&["submit", "word-count", "--set", "input=not/there.txt", "--wait"]);
    assert_eq!((lost.code, lost.out.as_str()), (Some(1), ""), "{lost:?}");
    assert!(lost.err.contains("not/there.txt"), "{lost:?}");
    assert_eq!(cluster.terminate(3), Some(0), "a node that is told to end leaves in order");
}

#[test]
fn a_node_that_cannot_take_part_says_why() {
    let cluster = Cluster::start();
    let twin = cluster.run_twin(1, "data/n1");
    assert_eq!(twin.code, Some(2), "{twin:?}");
    assert!(twin.err.contains("data/n1 is in use by another process"), "{twin:?}");
    cluster.wait_for_twin(1, "data/n9", "a node of that name lives already");
    cluster.wait_for("the first of that name", &["nodes"], |told| {
        told["nodes"].as_array().is_some_and(|nodes| nodes.iter().all(|node| node["alive"] == true))
    });
    let wrong = |arguments: &[&str]| cluster.fails(2, arguments);
    let open = ["node", "--data", "data/n8", "--name", "n8"];
    let with = |more: &[&'static str]| open.iter().chain(more).copied().collect::<Vec<&str>>();
    assert!(wrong(&with(&["--http", "0.0.0.0:0"])).contains("--http-token-file FILE"));
    assert!(wrong(&with(&["--http", "none", "--listen", "0.0.0.0:0"])).contains("--plain"));
    assert!(
        wrong(&with(&["--http", "none", "--listen", "nowhere.invalid:1"]))
            .contains("--listen nowhere.invalid:1")
    );
    assert!(wrong(&with(&["--http", "none", "--coordinators", "n1"])).contains("write NAME=HOST:PORT"));
    assert!(wrong(&with(&["--http", "none", "--tls-ca", "ca.pem"])).contains("TLS needs three files"));
    let made = cluster.told(&["certs", "--out", "certs", "--cluster", "test", "n1", "n2"]);
    assert!(
        made.starts_with("n1: --tls-ca certs/ca.pem --tls-cert certs/n1.pem --tls-key certs/n1.key\n"),
        "{made}"
    );
    assert!(wrong(&["certs", "--out", "certs", "n1"]).contains("is it there already"));
}
