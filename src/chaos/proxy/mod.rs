//! Stands between the nodes, and harms what they send to each other.
//!
//! Every node tells the others to reach it at a [`Door`] of the proxy, which passes on what comes to where the node
//! listens. What passes is read as frames (`watershed_wire`), so that a harm can be done to exactly one of them, or to all
//! that one node sends to another:
//!
//! ```text
//!   n1 ──dials──► door of n2 ──► n2        the way from n1 to n2: Hello, frames
//!      ◄───────────────────────            the way from n2 to n1: Welcome
//!   n2 ──dials──► door of n1 ──► n1        the way from n2 to n1: Hello, frames
//! ```
//!
//! A way that is blocked is not read: what was on it arrives when it is open again, as TCP would bring it, unless the
//! nodes have given the connection up by then. Only links without TLS can be read so.
//!
//! Each connection has two threads. All of them end with the process; none is waited for.

mod door;
mod frames;
mod pump;
mod way;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

pub(crate) use door::Door;
pub(crate) use way::{Harmed, Once, Order};
pub use way::{Trouble, Way};

/// The doors of all nodes, and the ways between them.
#[derive(Debug)]
pub struct Proxy {
    ways: Arc<Ways>,
    doors: Vec<Door>,
}

/// The ways between any two nodes, by their names.
#[derive(Debug)]
pub(crate) struct Ways(BTreeMap<(String, String), Arc<Way>>);

impl Ways {
    fn new(names: &[String]) -> Self {
        let pairs = names.iter().flat_map(|from| names.iter().map(move |to| (from.clone(), to.clone())));
        Ways(pairs.filter(|(from, to)| from != to).map(|pair| (pair, Arc::default())).collect())
    }

    pub(crate) fn get(&self, from: &str, to: &str) -> Option<Arc<Way>> {
        self.0.get(&(from.to_owned(), to.to_owned())).cloned()
    }
}

impl Proxy {
    /// Opens a door on this machine's loopback for each node, by its name and where it will listen.
    ///
    /// # Errors
    ///
    /// Where there is no port left.
    pub fn open(nodes: &[(String, SocketAddr)]) -> io::Result<Proxy> {
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let nodes: Vec<_> = nodes.iter().map(|(name, listens)| (name.clone(), here, *listens)).collect();
        Proxy::open_at(&nodes)
    }

    /// Opens a door for each node, by its name, the address of the door, and where the node will listen.
    pub(crate) fn open_at(nodes: &[(String, IpAddr, SocketAddr)]) -> io::Result<Proxy> {
        let names: Vec<String> = nodes.iter().map(|(name, ..)| name.clone()).collect();
        let ways = Arc::new(Ways::new(&names));
        let doors = nodes.iter().map(|(name, at, listens)| Door::open(name, *at, *listens, ways.clone()));
        Ok(Proxy { doors: doors.collect::<io::Result<_>>()?, ways })
    }

    /// Where a node is reached, by its place among those that the proxy was opened for.
    ///
    /// # Panics
    ///
    /// When there were not so many.
    pub fn address(&self, node: usize) -> SocketAddr {
        self.doors[node].address()
    }

    /// The way from one node to another.
    pub fn way(&self, from: &str, to: &str) -> Option<Arc<Way>> {
        self.ways.get(from, to)
    }

    /// All ways that begin or end at a node.
    pub fn ways_of<'a>(&'a self, node: &'a str) -> impl Iterator<Item = &'a Arc<Way>> {
        self.ways.0.iter().filter(move |((from, to), _)| from == node || to == node).map(|(_, way)| way)
    }

    /// Opens all ways, and forgets what was still to be done on them.
    pub fn heal(&self) {
        self.ways.0.values().for_each(|way| way.heal());
    }
}

#[cfg(test)]
mod tests;
