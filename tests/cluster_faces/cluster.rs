//! A cluster of the built binary on loopback: three processes in a directory of their own.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

#[path = "../conditions/ports.rs"]
mod ports;

/// How long anything may take that has to come.
const PATIENCE: Duration = Duration::from_secs(180);

/// How long commands ask a cluster again that elects a leader, and how they say that they do.
const WITHIN: &str = "120s";
const AGAIN: &str = "; it is asked again for up to 120s";

/// What a command said, and its exit code.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: Option<i32>,
}

impl Ended {
    /// The object in the last line of standard output.
    pub(crate) fn json(&self) -> Value {
        let last = self.out.lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Three nodes, and where they are.
pub(crate) struct Cluster {
    place: TempDir,
    /// Where each listens for the others.
    links: Vec<SocketAddr>,
    /// Where each answers by HTTP.
    http: Vec<SocketAddr>,
    /// How many slots each has.
    slots: u32,
    nodes: Vec<Option<Child>>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in self.nodes.iter_mut().flatten() {
            // One that has ended needs not be killed.
            let _ = node.kill();
            let _ = node.wait();
        }
        if std::thread::panicking() {
            for number in 1..=self.nodes.len() {
                let log =
                    std::fs::read_to_string(self.path().join(format!("n{number}.log"))).unwrap_or_default();
                eprintln!("--- n{number}\n{log}");
            }
        }
    }
}

impl Cluster {
    /// Starts three nodes with two slots each, and waits until all take part.
    pub(crate) fn start() -> Cluster {
        Cluster::with_slots(2)
    }

    /// Starts three nodes with so many slots each, and waits until all take part. With one, a job of three subtasks has one
    /// on each, however busy one of them is.
    pub(crate) fn with_slots(slots: u32) -> Cluster {
        let three = || (0..3).map(|_| ports::free()).collect();
        let place = TempDir::new().expect("a temporary directory can be made");
        let nodes = vec![None, None, None];
        let mut cluster = Cluster { place, links: three(), http: three(), slots, nodes };
        for number in 1..=3 {
            cluster.nodes[number - 1] = Some(cluster.node(number, &format!("data/n{number}")));
        }
        cluster.wait_for("three nodes", &["nodes"], |told| {
            let nodes = told["nodes"].as_array().map_or(0, |nodes| {
                nodes.iter().filter(|node| node["alive"] == true && node["slots"] == slots).count()
            });
            nodes == 3
        });
        cluster
    }

    pub(crate) fn path(&self) -> &Path {
        self.place.path()
    }

    /// Where a node answers.
    pub(crate) fn url(&self, number: usize) -> String {
        format!("http://{}", self.http[number - 1])
    }

    /// The arguments of a node.
    fn arguments(&self, number: usize, data: &str) -> Vec<String> {
        let coordinators =
            self.links.iter().enumerate().map(|(index, link)| format!("n{}={link}", index + 1));
        let coordinators = coordinators.collect::<Vec<_>>().join(",");
        let (link, http) = (self.links[number - 1].to_string(), self.http[number - 1].to_string());
        let (name, slots) = (format!("n{number}"), self.slots.to_string());
        let flags = [
            ("--name", name.as_str()),
            ("--listen", &link),
            ("--http", &http),
            ("--coordinators", &coordinators),
            ("--checkpoints", "shared"),
            ("--data", data),
            ("--slots", &slots),
            ("--leave-within", "5s"),
        ];
        let flags = flags.iter().flat_map(|(flag, value)| [(*flag).to_owned(), (*value).to_owned()]);
        std::iter::once("node".to_owned()).chain(flags).collect()
    }

    /// The binary, in the cluster's directory and without settings from around it.
    fn command(&self, arguments: &[impl AsRef<str>]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_watershed"));
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("WATERSHED_") || name == "RUST_LOG") {
                command.env_remove(name);
            }
        }
        let urls: Vec<String> = self.http.iter().map(|http| format!("http://{http}")).collect();
        command.env("WATERSHED_NODE_URL", urls.join(",")).env("WATERSHED_NODE_WITHIN", WITHIN);
        command.current_dir(self.path()).args(arguments.iter().map(AsRef::as_ref));
        command
    }

    fn node(&self, number: usize, data: &str) -> Child {
        let log = File::create(self.path().join(format!("n{number}.log"))).expect("the directory is ours");
        let mut command = self.command(&self.arguments(number, data));
        command.stdout(Stdio::null()).stderr(log).spawn().expect("the binary starts")
    }

    /// The arguments of another node of a name, which listens elsewhere.
    fn twin(&self, number: usize, data: &str) -> Vec<String> {
        let mut arguments = self.arguments(number, data);
        let listen = arguments.iter().position(|one| one == "--listen").expect("a node listens");
        arguments[listen + 1] = ports::free().to_string();
        let http = arguments.iter().position(|one| one == "--http").expect("a node answers");
        arguments[http + 1] = "none".to_owned();
        arguments
    }

    /// Starts another node of a name, and returns how it ends by itself.
    pub(crate) fn run_twin(&self, number: usize, data: &str) -> Ended {
        let arguments = self.twin(number, data);
        self.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Starts another node of a name, and waits until it says what is wanted.
    pub(crate) fn wait_for_twin(&self, number: usize, data: &str, wanted: &str) {
        let log = self.path().join("twin.log");
        let out = File::create(&log).expect("the directory is ours");
        let mut command = self.command(&self.twin(number, data));
        let mut twin = command.stdout(Stdio::null()).stderr(out).spawn().expect("the binary starts");
        let until = Instant::now() + PATIENCE;
        let mut told = String::new();
        while !told.contains(wanted) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(100));
            told = std::fs::read_to_string(&log).expect("the log is there");
        }
        twin.kill().expect("it runs");
        twin.wait().expect("it was killed");
        assert!(told.contains(wanted), "{told}");
    }

    pub(crate) fn kill(&mut self, number: usize) {
        let mut node = self.nodes[number - 1].take().expect("it runs");
        node.kill().expect("it runs");
        node.wait().expect("it was killed");
    }

    /// Tells a node to end, and returns how it did.
    pub(crate) fn terminate(&mut self, number: usize) -> Option<i32> {
        let mut node = self.nodes[number - 1].take().expect("it runs");
        let told = Command::new("kill").args(["-TERM", &node.id().to_string()]).status();
        assert!(told.expect("there is a kill").success());
        node.wait().expect("it ends").code()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        let output = self.command(arguments).stdin(Stdio::null()).output().expect("the binary starts");
        let text = |bytes| String::from_utf8(bytes).expect("what it says is UTF-8");
        // Nothing is wrong where somebody has to be elected first.
        let err = text(output.stderr);
        let err: String =
            err.split_inclusive('\n').filter(|line| !line.trim_end().ends_with(AGAIN)).collect();
        Ended { out: text(output.stdout), err, code: output.status.code() }
    }

    /// Runs what has to succeed, and returns what it says on standard output.
    pub(crate) fn told(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{arguments:?}: {ended:?}");
        ended.out
    }

    /// Runs what has to fail, and returns what it says.
    pub(crate) fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!((ended.code, ended.out.as_str()), (Some(code), ""), "{arguments:?}: {ended:?}");
        ended.err
    }

    /// Asks until that fails with an exit code and a word.
    pub(crate) fn wait_to_fail(&self, code: i32, word: &str, arguments: &[&str]) {
        let until = Instant::now() + PATIENCE;
        loop {
            let ended = self.run(arguments);
            if ended.code == Some(code) && ended.err.contains(word) {
                return;
            }
            assert!(Instant::now() < until, "{arguments:?} do not fail so: {ended:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Asks until the answer is as is wanted.
    pub(crate) fn wait_for(&self, what: &str, arguments: &[&str], wanted: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        loop {
            let ended = self.run(&arguments);
            let told = ended.json();
            if ended.code == Some(0) && wanted(&told) {
                return told;
            }
            assert!(Instant::now() < until, "{what} never came: {told}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Asks a node by HTTP, and returns the head and the body of its answer.
    pub(crate) fn http(&self, number: usize, request: &str) -> (String, String) {
        self.http_with(number, request, "")
    }

    /// As [`http`](Cluster::http), with a body.
    pub(crate) fn http_with(&self, number: usize, request: &str, body: &str) -> (String, String) {
        let address = self.http[number - 1];
        let mut stream = TcpStream::connect(address).expect("the node listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("it can be set");
        let of_body = format!("Content-Type: application/json\r\nContent-Length: {}", body.len());
        let request =
            format!("{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{of_body}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).expect("the node reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the node answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        (head.to_owned(), body.to_owned())
    }

    /// Asks a node by HTTP until the answer begins as is wanted.
    pub(crate) fn wait_for_http(&self, number: usize, request: &str, begin: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            let (head, body) = self.http(number, request);
            if head.starts_with(begin) {
                return;
            }
            assert!(Instant::now() < until, "{request}: {head}: {body}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Submits a job that goes on for longer than any test takes.
    pub(crate) fn submit_slow(&self, name: &str, more: &[&str]) -> String {
        let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data");
        let input = format!("input={examples}/flights-2013-01.csv.gz");
        let weather = format!("weather={examples}/weather-2013-01.csv.gz");
        let output = format!("output={}/out", self.path().display());
        let slow = ["submit", "flight-delays", "--name", name, "--checkpoint-interval", "200ms"];
        let sets = ["--set", &input, "--set", &weather, "--set", &output, "--set", "rate=20"];
        self.told(&slow.iter().chain(&sets).chain(more).copied().collect::<Vec<_>>())
    }
}
