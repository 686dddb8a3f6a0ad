//! Nodes as processes, each in a network of its own, on a [`Wire`] that leads nowhere else.
//!
//! A node that is cut off is cut off by rules of the kernel at its own end of the wire, so that what TCP has sent is lost
//! and sent again, which no proxy can show. The rehearsal asks the nodes from within the hub's network.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;

use super::apart::Apart;
use super::rules::{HTTP_PORT, Rules, Stop};
use super::wire::{Wire, address};
use super::{Addresses, Cut, Dwelling, Home, Quarters, Wanted, processes, tool};
use crate::error::ChaosError;

/// Where a node listens for others.
const LINK_PORT: u16 = 7100;

/// Where one process lives.
struct Namespace {
    name: String,
    binary: PathBuf,
    addresses: Addresses,
    /// The thread that is in the node's network, and starts the node.
    network: Arc<Apart>,
    rules: Rules,
}

/// Makes the networks, and the proxy between them where frames are to be harmed.
pub(super) fn open(wanted: &Wanted<'_>) -> Result<Quarters, ChaosError> {
    let missing = |what: &str, remedy: &str| ChaosError::Home {
        home: Home::Namespaces,
        what: what.to_owned(),
        remedy: remedy.to_owned(),
    };
    if !tool::is_there("ip", "-V") {
        return Err(missing("there is no `ip`", "install iproute2"));
    }
    let no_rules = || missing("there is neither `nft` nor `iptables`", "install one of them");
    let rules = Rules::find().ok_or_else(no_rules)?;
    let wire = Wire::lay(wanted.names.len(), |error| {
        missing(
            &format!("a network of one's own is not to be had ({error})"),
            "run it as root, or behind `unshare --map-root-user --net --mount`, or leave it at --in processes",
        )
    })?;
    let listens: Vec<_> =
        (0..wanted.names.len()).map(|node| SocketAddr::new(address(node), LINK_PORT)).collect();
    let needs_proxy = wanted.kinds.iter().any(|kind| kind.needs_proxy());
    let doors = || wanted.names.iter().cloned().zip(listens.iter().copied()).collect();
    let proxy = needs_proxy.then(|| wire.open_doors(doors())).transpose()?.map(Arc::new);
    let dwelling = |(node, network): (usize, Arc<Apart>)| -> Box<dyn Dwelling> {
        let (listen, http) = (listens[node], SocketAddr::new(address(node), HTTP_PORT));
        let advertise = proxy.as_ref().map_or(listen, |proxy| proxy.address(node));
        let addresses = Addresses { listen, http, advertise };
        let (name, binary) = (wanted.names[node].clone(), wanted.binary.to_owned());
        Box::new(Namespace { name, binary, addresses, network, rules })
    };
    let Wire { hub, networks } = wire;
    let dwellings = networks.into_iter().enumerate().map(dwelling).collect();
    Ok(Quarters { dwellings, proxy, window: Some(hub), behind: None })
}

impl Dwelling for Namespace {
    fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    fn start(&mut self, arguments: &[String], log: &Path) -> Result<Child, ChaosError> {
        let mut command = processes::command(&self.binary, arguments, log)?;
        let started = self.network.call(move || command.spawn());
        started.map_err(|error| ChaosError::Process { what: format!("node {}", self.name), error })
    }

    fn cut(&mut self, cut: Cut<'_>) -> Result<String, ChaosError> {
        let (rules, stop) = (self.rules, Stop::from(cut));
        self.network.call(move || rules.set(stop))?;
        Ok(format!("{} drops every packet", rules.name()))
    }

    fn mend(&mut self) -> Result<(), ChaosError> {
        let rules = self.rules;
        self.network.call(move || rules.clear())
    }
}
