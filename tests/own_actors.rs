//! An actor of one's own on the nodes of a cluster: this program is a stranger's binary, of which two nodes find one
//! actor. It has no harness, for it is both: with arguments it is that binary, without any it is the test.

#![expect(clippy::unwrap_used, reason = "a test that is surprised has failed")]

#[path = "conditions/ports.rs"]
mod ports;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use actix::prelude::{Actor, Arbiter, Handler, Message};
use serde::{Deserialize, Serialize};
use watershed::App;
use watershed::link::{Links, LookupError, RemoteMessage};

/// How long anything may take that has to come.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Message, Serialize, Deserialize)]
#[rtype(result = "u64")]
struct Add(u64);

impl RemoteMessage for Add {
    const NAME: &'static str = "add";
}

/// Adds up what it is told by whichever node.
struct Sum(u64);

impl Actor for Sum {
    type Context = actix::Context<Self>;
}

impl Handler<Add> for Sum {
    type Result = u64;

    fn handle(&mut self, Add(number): Add, _: &mut Self::Context) -> u64 {
        self.0 += number;
        self.0
    }
}

// README: actors
/// Node n1 has the actor; node n2 finds it, asks it, and prints what it hears.
fn on_node(links: &Links) {
    if links.local().node.as_str() == "n1" {
        let sum = Sum::start_in_arbiter(&links.arbiter(), |_| Sum(40));
        links.register("sum", sum.recipient::<Add>());
        return;
    }
    let links = links.clone();
    Arbiter::current().spawn(async move {
        let sum = loop {
            match links.lookup::<Add>("sum").await {
                Err(LookupError::Unknown { .. }) => {
                    actix_rt::time::sleep(Duration::from_millis(10)).await;
                }
                found => break found.unwrap(),
            }
        };
        println!("{} has {}", sum.node(), sum.ask(Add(2)).await.unwrap());
    });
}
// README: end

/// A node of this binary, which ends with the test.
struct Node(Child);

impl Node {
    fn start(name: &str, listen: &str, coordinators: &str, data: &str) -> Node {
        let mut command = Command::new(std::env::current_exe().unwrap());
        for (variable, _) in std::env::vars_os() {
            if variable.to_str().is_some_and(|variable| variable.starts_with("WATERSHED_")) {
                command.env_remove(variable);
            }
        }
        command.args(["node", "--name", name, "--listen", listen, "--http", "none", "--data", data]);
        command.args(["--coordinators", coordinators]);
        Node(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // One that has ended needs not be killed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn an_actor_of_one_node_is_asked_from_another() {
    let place = tempfile::tempdir().unwrap();
    let data = |name: &str| place.path().join(name).display().to_string();
    let [one, two] = [(); 2].map(|()| ports::free().to_string());
    let coordinators = format!("n1={one}");
    let _first = Node::start("n1", &one, &coordinators, &data("n1"));
    let mut second = Node::start("n2", &two, &coordinators, &data("n2"));

    let out = second.0.stdout.take().unwrap();
    let (tx, rx) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if tx.send(line).is_err() {
                return;
            }
        }
    });
    let begun = Instant::now();
    let told =
        rx.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("{error} after {:?}", begun.elapsed()));
    assert_eq!(told, "n1 has 42");
}

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("node") => watershed::main(App::new("sums").on_node(on_node)),
        // What asks for a list of tests gets none; any filter runs the one there is.
        Some("--list") => ExitCode::SUCCESS,
        Some(_) | None => {
            an_actor_of_one_node_is_asked_from_another();
            println!("an_actor_of_one_node_is_asked_from_another ... ok");
            ExitCode::SUCCESS
        }
    }
}
