//! A node: a process of the stock binary that keeps its name, its addresses and its directory from life to life.

#[path = "../conditions/ports.rs"]
mod ports;

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process::watershed;

/// The longest that a node may take to end, or to stand still.
const END_WITHIN: Duration = Duration::from_secs(180);

/// A node of a cluster.
pub(crate) struct Node {
    pub(crate) name: String,
    /// Where it answers other nodes.
    pub(crate) links: SocketAddr,
    /// Where the others reach it, where that is somebody who reads what they say: it has no certificate then.
    pub(crate) door: Option<SocketAddr>,
    /// What it is to do at which point, in the words of `FAILPOINTS`.
    pub(crate) failpoints: String,
    /// Where it answers people.
    pub(crate) http: SocketAddr,
    /// Where all nodes keep checkpoints and what they write; below it, each has a folder of its own.
    folder: PathBuf,
    process: Option<Child>,
    still: bool,
}

impl Node {
    pub(crate) fn new(name: &str, folder: &Path) -> Self {
        let (links, http, name, folder) = (ports::free(), ports::free(), name.to_owned(), folder.to_owned());
        let (door, failpoints) = (None, String::new());
        Node { name, links, door, failpoints, http, folder, process: None, still: false }
    }

    /// Where the others reach it.
    pub(crate) fn reached(&self) -> SocketAddr {
        self.door.unwrap_or(self.links)
    }

    /// Begins a life, among these coordinators.
    pub(crate) fn start(&mut self, coordinators: &str, slots: u32) {
        assert!(self.process.is_none(), "{} lives", self.name);
        let log = File::options().create(true).append(true).open(self.log()).unwrap();
        let mut command = watershed(&self.folder, &["node", "--compress", "--cluster", "harm"]);
        match self.door {
            Some(door) => {
                command.args(["--advertise", &door.to_string()]);
            }
            None => {
                let (certificate, key) =
                    (format!("certs/{}.pem", self.name), format!("certs/{}.key", self.name));
                command.args(["--tls-ca", "certs/ca.pem", "--tls-cert", &certificate, "--tls-key", &key]);
            }
        }
        command.args(["--name", &self.name, "--coordinators", coordinators, "--slots", &slots.to_string()]);
        command.args(["--listen", &self.links.to_string(), "--http", &self.http.to_string()]);
        command.args(["--data", &self.name, "--checkpoints", "checkpoints"]);
        // How long it takes to move a job is the machine's affair.
        command.args(["--leave-within", "120s"]);
        // What openraft says of nodes that are down is said by the cluster as well, and less often.
        command.env("RUST_LOG", "info,openraft=off");
        if !self.failpoints.is_empty() {
            command.env("FAILPOINTS", &self.failpoints);
        }
        // Where it finds what it has to do to itself, if anybody wants it to (`src/runtime/harm/order.rs`).
        command.env("HARM_ORDERS", self.folder.join("orders")).env("HARM_NAME", &self.name);
        // What keeps a job from its end, if anybody wants that (`src/runtime/harm/leash.rs`).
        command.env("HARM_LEASH", self.folder.join("leash"));
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.process = Some(command.spawn().expect("the program starts"));
    }

    /// Whether it can answer.
    pub(crate) fn answers(&self) -> bool {
        self.process.is_some() && !self.still
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.as_ref().expect("it lives").id()
    }

    /// Sends it SIGKILL.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().expect("it lives");
        process.kill().unwrap();
        process.wait().unwrap();
        self.still = false;
    }

    /// Waits until it stands still by an order: one that is let go on before would do so afterwards.
    pub(crate) fn has_stopped(&mut self) {
        let begun = Instant::now();
        while !self.stands_still() {
            assert!(begun.elapsed() < END_WITHIN, "{} goes on: {}", self.name, self.said());
            std::thread::sleep(Duration::from_millis(10));
        }
        self.still = true;
    }

    /// Whether the system says so. The state is behind the name, which may hold spaces.
    fn stands_still(&self) -> bool {
        let process = fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap_or_default();
        process.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T'))
    }

    /// Lets it stand still.
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::SIGSTOP);
        self.still = true;
    }

    /// Lets it go on.
    pub(crate) fn go_on(&mut self) {
        self.signal(Signal::SIGCONT);
        self.still = false;
    }

    /// Asks it to leave.
    pub(crate) fn leave(&mut self) {
        self.signal(Signal::SIGTERM);
    }

    /// Waits until it has ended by itself.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("it lives");
        let begun = Instant::now();
        loop {
            if let Some(status) = process.try_wait().unwrap() {
                return status;
            }
            if begun.elapsed() > END_WITHIN {
                process.kill().unwrap();
                process.wait().unwrap();
                panic!("{} has not ended within {END_WITHIN:?}: {}", self.name, self.said());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.id().cast_signed()), signal).unwrap();
    }

    fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.name))
    }

    /// All that it has said, in all its lives.
    pub(crate) fn all_said(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// The last that it has said.
    pub(crate) fn said(&self) -> String {
        let said = self.all_said();
        let lines: Vec<&str> = said.lines().rev().take(40).collect();
        format!("{} says:\n{}", self.name, lines.into_iter().rev().collect::<Vec<_>>().join("\n"))
    }

    /// How long it has been on a processor, in this life.
    pub(crate) fn worked(&self) -> Duration {
        let ticks = |process: &str| -> Option<u64> {
            // Behind the name, which may hold spaces: the state, ten numbers, and the ticks for itself and in the system.
            let (_, numbers) = process.rsplit_once(')')?;
            let mut numbers = numbers.split_whitespace().skip(11);
            Some(numbers.next()?.parse::<u64>().ok()? + numbers.next()?.parse::<u64>().ok()?)
        };
        let process = fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap_or_default();
        let second = Command::new("getconf").arg("CLK_TCK").output().ok();
        let second = second.and_then(|said| String::from_utf8(said.stdout).ok()?.trim().parse().ok());
        Duration::from_millis(ticks(&process).unwrap_or_default() * 1000 / second.unwrap_or(100))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.kill();
        }
    }
}
