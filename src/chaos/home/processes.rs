//! Nodes as processes of this machine, which reach each other through the proxy on its loopback. It takes no rights at all.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use super::{Addresses, Cut, Dwelling, Quarters, Wanted, clean, ports};
use crate::error::ChaosError;
use crate::proxy::{Proxy, Trouble};

/// Where one process lives.
struct Process {
    name: String,
    binary: PathBuf,
    addresses: Addresses,
    proxy: Arc<Proxy>,
}

/// Opens a door of the proxy for each node.
pub(super) fn open(wanted: &Wanted<'_>) -> Result<Quarters, ChaosError> {
    let count = wanted.names.len();
    let ports = ports::free(2 * count).map_err(ChaosError::Proxy)?;
    let (links, http) = ports.split_at(count);
    let listens: Vec<_> = wanted.names.iter().cloned().zip(links.iter().copied()).collect();
    let proxy = Arc::new(Proxy::open(&listens).map_err(ChaosError::Proxy)?);
    let dwelling = |node: usize| -> Box<dyn Dwelling> {
        let (listen, http, advertise) = (links[node], http[node], proxy.address(node));
        Box::new(Process {
            name: wanted.names[node].clone(),
            binary: wanted.binary.to_owned(),
            addresses: Addresses { listen, http, advertise },
            proxy: proxy.clone(),
        })
    };
    let dwellings = (0..count).map(dwelling).collect();
    Ok(Quarters { dwellings, proxy: Some(proxy), window: None, behind: None })
}

impl Dwelling for Process {
    fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    fn start(&mut self, arguments: &[String], log: &Path) -> Result<Child, ChaosError> {
        let started = command(&self.binary, arguments, log)?.spawn();
        started.map_err(|error| ChaosError::Process { what: format!("node {}", self.name), error })
    }

    fn cut(&mut self, cut: Cut<'_>) -> Result<String, ChaosError> {
        match cut {
            Cut::All => self.proxy.ways_of(&self.name).for_each(|way| way.trouble(Trouble::Blocked)),
            Cut::Towards(other, _) => {
                let way = self.proxy.way(&self.name, other).expect("there is a way between any two nodes");
                way.trouble(Trouble::Blocked);
            }
        }
        Ok("the proxy passes nothing on".to_owned())
    }

    fn feels_cut(&self) -> bool {
        self.proxy.ways_of(&self.name).any(|way| way.is_felt())
    }

    fn mend(&mut self) -> Result<(), ChaosError> {
        self.proxy.ways_of(&self.name).for_each(|way| way.heal());
        Ok(())
    }
}

/// A life of a node as a process that ends with the thread that starts it.
pub(super) fn command(binary: &Path, arguments: &[String], log: &Path) -> Result<Command, ChaosError> {
    let said = File::options().create(true).append(true).open(log).map_err(ChaosError::at(log))?;
    let errors = said.try_clone().map_err(ChaosError::at(log))?;
    let mut command = clean(binary);
    command.args(arguments).args(["--dies-with", &std::process::id().to_string()]);
    command.env("RUST_BACKTRACE", "1");
    // A Ctrl-C on the terminal is for whoever started this.
    command.stdin(Stdio::null()).stdout(said).stderr(errors).process_group(0);
    Ok(command)
}
