//! Networks of nodes, and the wire between them:
//!
//! ```text
//!    network of n1            the hub's network                      network of n2
//!   n1   eth0 .1 ═══════ v1 ─┐                          ┌─ v2 ═══════ eth0 .2   n2
//!                            ├── bridge `hub` .254 ─────┤
//!                            │    doors of the proxy .101, .102, ..  (only where frames are harmed)
//! ```
//!
//! None of it is in the network of the machine, nor has it a name there: see [`Apart`].

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use super::apart::Apart;
use super::rules::LINK;
use super::tool;
use crate::error::ChaosError;
use crate::proxy::Proxy;

/// The bridge, its address, and how many bits of an address say which wire it is on.
const HUB: &str = "hub";
const HUB_HOST: u8 = 254;
const PREFIX: u8 = 24;

/// How far the address of a node's door is from that of the node.
const DOORS: u8 = 100;

/// The networks of nodes, and that of the hub which connects them.
pub(super) struct Wire {
    pub(super) hub: Apart,
    pub(super) networks: Vec<Arc<Apart>>,
}

/// The address of a node, from 0.
pub(super) fn address(node: usize) -> IpAddr {
    host(u8::try_from(node + 1).expect("there are fewer nodes than addresses"))
}

fn host(host: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 213, 0, host))
}

impl Wire {
    /// Lays a wire between so many nodes. `why` says what it means that a network of its own is not to be had.
    pub(super) fn lay(nodes: usize, why: impl Fn(&io::Error) -> ChaosError) -> Result<Wire, ChaosError> {
        let apart = || Apart::in_new_network().map_err(|error| why(&error));
        let hub = apart()?;
        hub.call(build_hub)?;
        let mut networks = Vec::new();
        for node in 0..nodes {
            let network = apart()?;
            let path = network.path().to_owned();
            hub.call(move || plug_in(node, &path))?;
            network.call(move || address_link(node))?;
            networks.push(Arc::new(network));
        }
        Ok(Wire { hub, networks })
    }

    /// Opens a door at the hub for each node that listens there, or will, at an address of its own.
    pub(super) fn open_doors(&self, nodes: Vec<(String, SocketAddr)>) -> Result<Proxy, ChaosError> {
        // The doors' threads are begun there, and so they are there.
        self.hub.call(move || {
            let mut doors = Vec::new();
            for (node, (name, listens)) in nodes.into_iter().enumerate() {
                let at = address(node + usize::from(DOORS));
                ip(&format!("addr add {at}/{PREFIX} dev {HUB}"))?;
                doors.push((name, at, listens));
            }
            Proxy::open_at(&doors).map_err(ChaosError::Proxy)
        })
    }
}

fn ip(arguments: &str) -> Result<(), ChaosError> {
    tool::run("ip", &arguments.split(' ').collect::<Vec<_>>()).map(drop)
}

/// Called in the hub's network.
fn build_hub() -> Result<(), ChaosError> {
    ip("link set lo up")?;
    ip(&format!("link add {HUB} type bridge"))?;
    ip(&format!("addr add {}/{PREFIX} dev {HUB}", host(HUB_HOST)))?;
    ip(&format!("link set {HUB} up"))
}

/// Leads a link from the hub into a node's network. Called in the hub's network.
fn plug_in(node: usize, network: &Path) -> Result<(), ChaosError> {
    let port = format!("v{}", node + 1);
    ip(&format!("link add {port} type veth peer name {LINK} netns {}", network.display()))?;
    ip(&format!("link set {port} master {HUB} up"))
}

/// Called in a node's network.
fn address_link(node: usize) -> Result<(), ChaosError> {
    ip("link set lo up")?;
    ip(&format!("addr add {}/{PREFIX} dev {LINK}", address(node)))?;
    ip(&format!("link set {LINK} up"))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use super::super::rules::{HTTP_PORT, Rules, Stop};
    use super::*;

    /// How long a connection may take that has to come about.
    const COMES_WITHIN: Duration = Duration::from_secs(60);

    /// How long one is waited for that is stopped, and does not come about in any time.
    const STOPPED_FOR: Duration = Duration::from_millis(500);

    /// Whether one network is reached by the other on a port within a time.
    fn is_reached(wire: &Wire, from: usize, to: usize, port: u16, within: Duration) -> bool {
        let at = SocketAddr::new(address(to), port);
        let listener = wire.networks[to].call(move || TcpListener::bind(at)).expect("the address is there");
        let reached = wire.networks[from].call(move || TcpStream::connect_timeout(&at, within).is_ok());
        drop(listener);
        reached
    }

    fn reaches(wire: &Wire, from: usize, to: usize, port: u16) -> bool {
        is_reached(wire, from, to, port, COMES_WITHIN)
    }

    fn is_cut_off(wire: &Wire, from: usize, to: usize, port: u16) -> bool {
        !is_reached(wire, from, to, port, STOPPED_FOR)
    }

    #[test]
    fn a_wire_leads_from_node_to_node_until_rules_cut_it() {
        let no_rights = |error: &io::Error| ChaosError::Asked(error.to_string());
        let wire = match Wire::lay(3, no_rights) {
            Ok(wire) => wire,
            Err(error) => return println!("skipped: networks of one's own are not to be had: {error}"),
        };
        let all = [Rules::Nft, Rules::Iptables].into_iter();
        for rules in all.filter(|rules| tool::is_there(rules.name(), "--version")) {
            let set = |stop| wire.networks[0].call(move || rules.set(stop)).expect("rules can be set");
            let clear = || wire.networks[0].call(move || rules.clear()).expect("and cleared");
            clear();
            assert!(reaches(&wire, 0, 1, 7100) && reaches(&wire, 1, 0, 7100), "{rules:?}");
            set(Stop::All);
            assert!(is_cut_off(&wire, 0, 1, 7100) && is_cut_off(&wire, 1, 0, 7100), "{rules:?}");
            assert!(reaches(&wire, 1, 2, 7100), "{rules:?}: the others are not cut off");
            assert!(reaches(&wire, 1, 0, HTTP_PORT), "{rules:?}: people still reach it");
            clear();
            set(Stop::Towards(address(1)));
            assert!(is_cut_off(&wire, 0, 1, 7100) && reaches(&wire, 0, 2, 7100), "{rules:?}");
            clear();
            assert!(reaches(&wire, 0, 1, 7100) && reaches(&wire, 1, 0, 7100), "{rules:?}");
        }
    }
}
