//! Three nodes in processes of their own, over loopback, which take words on standard input.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::error::Error;

/// How many nodes there are.
pub(super) const NODES: usize = 3;

/// How long anything of a cluster may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(20);

/// Three nodes, and the directory that all have.
pub(super) struct Trio {
    nodes: [Option<Node>; NODES],
    ports: String,
    arguments: Vec<String>,
    directory: TempDir,
}

struct Node {
    process: Child,
    words: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Trio {
    /// Starts them, with these arguments beside their places, and submits the job when all are there.
    pub(super) fn start(arguments: &[String]) -> Result<Self, Error> {
        let listeners = [(); NODES].map(|()| TcpListener::bind("127.0.0.1:0"));
        let mut ports = Vec::new();
        for listener in listeners {
            ports.push(
                listener.and_then(|listener| listener.local_addr()).map_err(Error::Usage)?.port().to_string(),
            );
        }
        let place = env::current_exe().map_err(Error::Usage)?;
        let directory =
            place.parent().map_or_else(TempDir::new, tempfile::tempdir_in).map_err(Error::Usage)?;
        let (nodes, ports, arguments) = ([const { None }; NODES], ports.join(","), arguments.to_vec());
        let mut trio = Trio { nodes, ports, arguments, directory };
        (0..NODES).try_for_each(|index| trio.begin(index))?;
        trio.wait("three nodes", |trio| trio.ask(0, "nodes").is_some_and(|said| said == NODES))?;
        trio.ask(0, "submit").ok_or_else(|| Error::Wrong("the cluster does not take the job".to_owned()))?;
        Ok(trio)
    }

    /// Begins a life of a node.
    pub(super) fn begin(&mut self, index: usize) -> Result<(), Error> {
        let mut process = Command::new(env::current_exe().map_err(Error::Usage)?)
            .arg("shared-node")
            .args([format!("--index={index}"), format!("--ports={}", self.ports)])
            .arg(format!("--directory={}", self.directory.path().display()))
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Error::Usage)?;
        let words = process.stdin.take().expect("it was piped");
        let answers = BufReader::new(process.stdout.take().expect("it was piped"));
        self.nodes[index] = Some(Node { process, words, answers });
        Ok(())
    }

    /// Kills a node.
    pub(super) fn kill(&mut self, index: usize) -> Result<(), Error> {
        let Some(mut node) = self.nodes[index].take() else { return Ok(()) };
        node.process.kill().and_then(|()| node.process.wait()).map(drop).map_err(Error::Usage)
    }

    /// Asks a node to leave, and waits until it has.
    pub(super) fn leave(&mut self, index: usize) -> Result<(), Error> {
        let _ = self.ask(index, "leave");
        let Some(mut node) = self.nodes[index].take() else { return Ok(()) };
        node.process.wait().map(drop).map_err(Error::Usage)
    }

    /// What a node answers to a word; none where it cannot.
    pub(super) fn ask(&mut self, index: usize, word: &str) -> Option<Value> {
        let node = self.nodes[index].as_mut()?;
        writeln!(node.words, "{word}").ok()?;
        let mut line = String::new();
        node.answers.read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok().filter(|said: &Value| !said.is_null())
    }

    /// What the first node answers that can.
    pub(super) fn ask_any(&mut self, word: &str) -> Option<Value> {
        (0..NODES).find_map(|index| self.ask(index, word))
    }

    /// Looks until something is so.
    pub(super) fn wait(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) -> Result<(), Error> {
        let begun = Instant::now();
        while !is_so(self) {
            if begun.elapsed() > PATIENCE {
                return Err(Error::Wrong(format!("{what}: not within {PATIENCE:?}")));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

impl Drop for Trio {
    fn drop(&mut self) {
        for node in self.nodes.iter_mut().filter_map(Option::take) {
            let Node { mut process, words, .. } = node;
            drop(words);
            // It ends by itself when it hears nothing more; what does not is of no more use.
            std::thread::sleep(LOOK);
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
