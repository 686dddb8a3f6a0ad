//! Where the nodes of a rehearsal live, and what that place does for them: the one seam between a rehearsal and how nodes
//! are started, killed, stopped and cut off.
//!
//! | home | a node is | nodes dial each other | it is cut off by |
//! | --- | --- | --- | --- |
//! | [`Home::Processes`] | a process | through the proxy | the proxy, which passes nothing on |
//! | [`Home::Namespaces`] | a process in a network of its own | directly, or through the proxy | rules of the kernel |
//! | [`Home::Containers`] | a container | directly | the engine, or rules of the kernel |
//!
//! A home is opened before anything runs, and everything that belongs to it goes when it is dropped.

mod apart;
mod containers;
mod engine;
mod namespaces;
mod ports;
mod processes;
mod rules;
mod tool;
mod wire;

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command};
use std::str::FromStr;
use std::sync::Arc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Serialize, Serializer};

use crate::disk;
use crate::error::ChaosError;
use crate::fault::Kind;
use crate::proxy::Proxy;
use apart::Apart;

/// Where the nodes of a rehearsal live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Home {
    /// Processes of this machine, on its loopback.
    #[default]
    Processes,
    /// Processes of this machine, each in a network namespace of its own.
    Namespaces,
    /// Containers, on a network that leads nowhere else.
    Containers,
}

/// A word that names no home.
#[derive(Debug, thiserror::Error)]
#[error("nodes cannot live in {found:?}: write processes, namespaces or containers")]
pub struct UnknownHome {
    /// What was written.
    found: String,
}

/// The addresses of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// Where it listens for other nodes.
    pub(crate) listen: SocketAddr,
    /// Where it answers people.
    pub(crate) http: SocketAddr,
    /// Where the others reach it: where it listens, or a door of the proxy.
    pub(crate) advertise: SocketAddr,
}

/// From whom a node is cut off.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut<'a> {
    /// From all other nodes, in both directions.
    All,
    /// It does not reach one other node, of this name and these addresses.
    Towards(&'a str, &'a Addresses),
}

/// Where one node lives, from life to life.
pub(crate) trait Dwelling {
    /// Its addresses, which it keeps.
    fn addresses(&self) -> &Addresses;

    /// Begins a life: the program with these arguments, of which no other of this node lasts. What it says goes into the
    /// file of that name. The process that is given back ends when the node does, and as it does.
    fn start(&mut self, arguments: &[String], log: &Path) -> Result<Child, ChaosError>;

    /// Ends a life with SIGKILL. It may have ended by itself. By default, the life is that of the process.
    fn kill(&mut self, process: &mut Child) {
        // One that has ended by itself in between is dead, too.
        let _ = process.kill();
        let _ = process.wait();
    }

    /// Lets the node stand still, or go on. Whether it could be done: a node that has ended is noticed elsewhere. By
    /// default, by a signal to the process.
    fn stand_still(&mut self, process: &Child, still: bool) -> bool {
        let signal = if still { Signal::SIGSTOP } else { Signal::SIGCONT };
        kill(Pid::from_raw(process.id().cast_signed()), signal).is_ok()
    }

    /// The number by which this machine knows the node's own process. By default, it is the process.
    fn id(&self, process: &Child) -> Option<u32> {
        Some(process.id())
    }

    /// Cuts the node off, until [`Dwelling::mend`]. How that was done, for people to read.
    fn cut(&mut self, cut: Cut<'_>) -> Result<String, ChaosError>;

    /// Whether a cut of this node is felt while it lasts. By default it is: what a kernel or an engine parts is parted,
    /// and nodes speak to each other all the time.
    fn feels_cut(&self) -> bool {
        true
    }

    /// Undoes all cuts of this node. Called also where there are none.
    fn mend(&mut self) -> Result<(), ChaosError>;
}

/// A home that is open: a dwelling for each node, and what stands between them.
pub(crate) struct Quarters {
    /// For each node, in their order.
    pub(crate) dwellings: Vec<Box<dyn Dwelling>>,
    /// What harms frames, where it stands between the nodes.
    pub(crate) proxy: Option<Arc<Proxy>>,
    /// From where the nodes' HTTP is reached, where that is not from here.
    window: Option<Apart>,
    /// What is to be done when all nodes are gone.
    #[expect(dead_code, reason = "it is held for what its end does")]
    behind: Option<Box<dyn std::any::Any>>,
}

/// What a home is opened for.
pub(crate) struct Wanted<'a> {
    /// The names of all nodes.
    pub(crate) names: &'a [String],
    /// The program.
    pub(crate) binary: &'a Path,
    /// Where everything is kept.
    pub(crate) directory: &'a Path,
    /// The image of containers.
    pub(crate) image: &'a str,
    /// What is to be done to the nodes.
    pub(crate) kinds: &'a [Kind],
}

impl Home {
    /// All homes.
    pub const ALL: [Home; 3] = [Home::Processes, Home::Namespaces, Home::Containers];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Home::Processes => "processes",
            Home::Namespaces => "namespaces",
            Home::Containers => "containers",
        }
    }

    /// Why a kind of harm cannot be done here to so many nodes, on this machine and with the rights that this process has.
    pub fn hindrance(self, kind: Kind, nodes: usize) -> Option<String> {
        if nodes == 1 && kind.needs_links() {
            return Some("it needs two nodes or more".to_owned());
        }
        match (self, kind) {
            (Home::Containers, Kind::FullDisk) => {
                Some("containers do not see a disk that is mounted for the rehearsal alone".to_owned())
            }
            (Home::Containers, kind) if kind.needs_proxy() => {
                Some("no proxy stands between containers: use --in processes or namespaces".to_owned())
            }
            (Home::Containers, Kind::OneWay) => containers::rules_hindrance(),
            (Home::Processes | Home::Namespaces, Kind::FullDisk) => disk::hindrance(),
            (Home::Processes | Home::Namespaces | Home::Containers, _) => None,
        }
    }

    /// Makes a place for each node.
    pub(crate) fn open(self, wanted: &Wanted<'_>) -> Result<Quarters, ChaosError> {
        match self {
            Home::Processes => processes::open(wanted),
            Home::Namespaces => namespaces::open(wanted),
            Home::Containers => containers::open(wanted),
        }
    }
}

impl Quarters {
    /// Does something where the nodes' HTTP is reached.
    pub(crate) fn at_window<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        match &self.window {
            Some(window) => window.call(job),
            None => job(),
        }
    }
}

impl fmt::Display for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Home {
    type Err = UnknownHome;

    fn from_str(name: &str) -> Result<Self, UnknownHome> {
        let found = || UnknownHome { found: name.to_owned() };
        Home::ALL.into_iter().find(|home| home.name() == name).ok_or_else(found)
    }
}

impl Serialize for Home {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

/// A program, to be run without settings from around it.
pub(crate) fn clean(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        let ours = |name: &str| name.starts_with("WATERSHED_") || name == "RUST_LOG" || name == "FAILPOINTS";
        if name.to_str().is_some_and(ours) {
            command.env_remove(name);
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_home_is_known_by_its_name_and_no_other_word() {
        for home in Home::ALL {
            assert_eq!(home.name().parse::<Home>().ok(), Some(home));
        }
        let error = "castles".parse::<Home>().expect_err("nobody lives there").to_string();
        assert!(error.contains("\"castles\"") && error.contains("namespaces"), "{error}");
    }

    #[test]
    fn what_needs_two_nodes_or_the_proxy_is_hindered_where_there_are_none() {
        assert_eq!(Home::Processes.hindrance(Kind::Slow, 2), None);
        assert!(Home::Processes.hindrance(Kind::Slow, 1).is_some_and(|why| why.contains("two nodes")));
        assert_eq!(Home::Processes.hindrance(Kind::Kill, 1), None);
        assert_eq!(Home::Namespaces.hindrance(Kind::Flip, 3), None);
        assert!(Home::Containers.hindrance(Kind::Flip, 3).is_some_and(|why| why.contains("proxy")));
    }

    #[test]
    fn ports_are_below_those_that_the_system_draws_and_nobody_gets_one_twice() {
        let found = ports::free(30).expect("there are thousands");
        let mut numbers: Vec<u16> = found.iter().map(SocketAddr::port).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 30);
        let end = ports::end(&ports::range());
        assert!(numbers.iter().all(|port| (ports::FIRST..end).contains(port)), "{numbers:?}");
        for address in &found {
            assert!(TcpListener::bind(address).is_ok(), "{address}");
        }
        let more = ports::free(30).expect("there are thousands");
        assert!(more.iter().all(|address| !found.contains(address)));
    }

    #[test]
    fn a_port_that_somebody_listens_on_is_passed_over() {
        let [one] = ports::free(1).expect("there are thousands")[..] else {
            unreachable!("one was asked for")
        };
        let next = SocketAddr::from(([127, 0, 0, 1], one.port() + 1));
        // Whether it is ours or somebody else's: it is taken.
        let _listener = TcpListener::bind(next);
        assert!(ports::free(5).expect("there are thousands").iter().all(|address| *address != next));
    }

    #[test]
    fn where_the_range_is_strange_or_unknown_the_usual_one_holds() {
        assert_eq!(ports::end("20000\t60999\n"), 20_000);
        assert_eq!(["", "1024\t65535\n", "all"].map(ports::end), [ports::END; 3]);
    }
}
