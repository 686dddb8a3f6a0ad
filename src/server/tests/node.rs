//! A node of one, with pipelines that count, and the plainest of all HTTP clients.

#[path = "../../../tests/conditions/ports.rs"]
mod ports;
#[path = "sharing.rs"]
mod sharing;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use watershed_core::testing::Numbers;
use watershed_core::{KeyGroups, Pipeline};
use watershed_link::{LinkConfig, Security};
use watershed_runtime::cluster::{
    Depots, JobSpec, NodeError, NodeHandle, NodeSettings, Planned, Programs, Timings, run_node,
};
use watershed_runtime::{CheckpointConfig, Config};

use crate::{Access, Server, ServerConfig};

/// How many connections each of the two threads of the server holds: few, so that a test can take all of them.
pub(super) const CONNECTIONS_MAX: usize = 32;

/// Longer than any limit of a node: what takes so long takes for ever.
pub(super) const ENDLESS: Duration = Duration::from_secs(120);

/// Two pipelines: one counts up to a number, as slowly as is asked for, and one [shares](sharing) limits.
struct Counting;

impl Programs for Counting {
    fn plan(&self, spec: &JobSpec) -> Result<Planned, String> {
        let number = |name: &str| spec.parameters.get(name).and_then(|value| value.parse::<u64>().ok());
        let pause = number("pause_ms").unwrap_or(0);
        let plan = match spec.pipeline.as_str() {
            "counting" => {
                let pipeline = Pipeline::new("counting", KeyGroups::default());
                let numbers = pipeline.source(Numbers::up_to(number("count").unwrap_or(100))).map(move |n| {
                    std::thread::sleep(Duration::from_millis(pause));
                    n
                });
                numbers.discard();
                pipeline.plan()
            }
            "sharing" => sharing::plan(Duration::from_millis(1)),
            other => return Err(format!("there is no pipeline {other:?}")),
        };
        let checkpoints =
            CheckpointConfig { interval: Some(Duration::from_millis(100)), ..CheckpointConfig::default() };
        let plan = plan.map_err(|error| error.to_string())?;
        let config = Config { checkpoints, poll_records: 8, batch_records: 8, ..Config::default() };
        Ok(Planned { plan, config, backend: None })
    }
}

/// A node that is up.
pub(super) struct Node {
    pub(super) address: SocketAddr,
    handle: NodeHandle,
    thread: Option<JoinHandle<Result<(), NodeError>>>,
    _directory: tempfile::TempDir,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.handle.stop();
        let ended = self.thread.take().expect("it is taken once").join();
        if !std::thread::panicking() {
            ended.expect("the node does not panic").expect("the node ends as it was told to");
        }
    }
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    /// What is wrong, as a problem document says it.
    pub(super) fn problem(&self, status: u16) -> String {
        assert_eq!(
            (self.status, self.header("content-type")),
            (status, Some("application/problem+json")),
            "{self:?}"
        );
        let document = self.json();
        assert_eq!((&document["status"], &document["type"]), (&status.into(), &"about:blank".into()));
        document["detail"].as_str().expect("it says what is wrong").to_owned()
    }
}

impl Node {
    pub(super) fn start() -> Node {
        Node::start_with(Access::Loopback, true)
    }

    /// Starts a node that waits for nobody for long.
    pub(super) fn start_hasty() -> Node {
        let config = ServerConfig {
            head_within: Duration::from_secs(5),
            body_within: Duration::from_millis(500),
            ..Node::config(Access::Loopback)
        };
        Node::start_as(config, true)
    }

    /// Starts a node that is its own only coordinator, or that waits for another one for ever.
    pub(super) fn start_with(access: Access, leads: bool) -> Node {
        Node::start_as(Node::config(access), leads)
    }

    /// Limits that a client does not come upon whose machine stands still for seconds.
    fn config(access: Access) -> ServerConfig {
        ServerConfig {
            head_within: Duration::from_secs(30),
            body_within: Duration::from_secs(30),
            close_within: Duration::from_millis(500),
            taken_within: Duration::from_secs(1),
            connections_max: CONNECTIONS_MAX,
            ..ServerConfig::new(SocketAddr::from(([127, 0, 0, 1], 0)), access)
        }
    }

    fn start_as(config: ServerConfig, leads: bool) -> Node {
        let directory = tempfile::tempdir().unwrap();
        let listen = ports::free();
        let server = Server::bind(config).unwrap();
        let address = server.address();
        let leader = if leads { "a" } else { "gone" };
        let data = directory.path().join("a");
        let settings = NodeSettings {
            cluster: "test".to_owned(),
            node: "a".to_owned(),
            listen,
            advertise: None,
            coordinators: vec![(leader.to_owned(), listen.to_string())],
            slots: 2,
            checkpoints: Depots { shared: directory.path().join("shared"), address: None, own: data.clone() },
            data,
            security: Security::Plain,
            program: "test".to_owned(),
            http: Some(address.to_string()),
            leave_within: Duration::from_secs(1),
            links: LinkConfig::default(),
            timings: Timings::default(),
        };
        let (up, is_up) = mpsc::channel();
        let depots = settings.checkpoints.clone();
        let thread = std::thread::spawn(move || {
            run_node(settings, Rc::new(Counting), |handle| {
                server.serve(handle.clone(), depots).unwrap();
                up.send(handle).unwrap();
            })
        });
        let handle = is_up.recv().expect("the node comes up");
        let node = Node { address, handle, thread: Some(thread), _directory: directory };
        if leads {
            node.wait_for("/readyz", |answer| answer.status == 200);
            // What it says of itself takes a moment to come round.
            node.wait_for("/api/v1/nodes", |answer| {
                answer.status == 401 || (answer.status == 200 && answer.json()["nodes"][0]["slots"] == 2)
            });
        }
        node
    }

    /// Sends bytes, and reads what comes until the connection is closed.
    pub(super) fn say(&self, bytes: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(ENDLESS)).unwrap();
        // A node that has seen enough closes the connection while more is written.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        let is_open =
            read.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
        assert!(!is_open, "the connection is left open behind {:?}", String::from_utf8_lossy(&answer));
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        assert!(!chunked, "{head}");
        Answer { status: status.unwrap_or(0), head: head.to_owned(), body: body.to_owned() }
    }

    pub(super) fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let (host, length) = (self.address, body.len());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n"
        );
        self.say(format!("{head}{headers}\r\n{body}").as_bytes())
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", "")
    }

    pub(super) fn post(&self, path: &str, body: &str) -> Answer {
        self.ask("POST", path, "Content-Type: application/json\r\n", body)
    }

    /// Asks until the answer is as is wanted.
    pub(super) fn wait_for(&self, path: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
        let until = Instant::now() + ENDLESS;
        loop {
            let answer = self.get(path);
            if wanted(&answer) {
                return answer;
            }
            assert!(Instant::now() < until, "{path} never came: {answer:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
