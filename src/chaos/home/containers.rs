//! Nodes as containers, of an image that has the program, on a network of the engine that leads nowhere else.
//!
//! The directory of the rehearsal is mounted under its own name, so that paths are the same inside and outside. A container
//! is killed and started again as the same one; a partition takes its network away, as it is when a cable is drawn.

use std::fs::File;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use super::apart::Apart;
use super::engine::{ENGINE, LABEL, Network, Owner, engine, remove, sweep};
use super::rules::{HTTP_PORT, Rules, Stop};
use super::{Addresses, Cut, Dwelling, Home, Quarters, Wanted};
use crate::error::ChaosError;

/// Where a node listens for others.
const LINK_PORT: u16 = 7100;

/// How often a container is told to end that has not begun yet, and from one time to the next.
const KILL_TRIES: usize = 200;
const KILL_EVERY: Duration = Duration::from_millis(50);

/// Where one container lives.
struct Container {
    name: String,
    image: String,
    network: String,
    addresses: Addresses,
    directory: PathBuf,
    is_made: bool,
    is_still: bool,
    is_disconnected: bool,
    /// A thread in the container's network, where rules are set.
    inside: Option<Apart>,
    rules: Rules,
    process: OnceLock<u32>,
}

/// Why rules cannot be set within containers.
pub(super) fn rules_hindrance() -> Option<String> {
    if Rules::find().is_none() {
        return Some("there is neither `nft` nor `iptables`: install one of them".to_owned());
    }
    let error = Apart::in_new_network().err()?;
    Some(format!("the network of a container cannot be entered ({error}): run it as root"))
}

/// Makes the network.
pub(super) fn open(wanted: &Wanted<'_>) -> Result<Quarters, ChaosError> {
    let missing = |what: String, remedy: &str| ChaosError::Home {
        home: Home::Containers,
        what,
        remedy: remedy.to_owned(),
    };
    engine(&["version", "--format", "{{.Server.Version}}"]).map_err(|error| {
        missing(format!("no engine answers ({error})"), "start one, or leave it at --in processes")
    })?;
    engine(&["image", "inspect", "--format", "{{.Id}}", wanted.image]).map_err(|_| {
        let remedy = "make it with docker/build.sh or docker/build-local.sh, or name another with --image";
        missing(format!("there is no image {}", wanted.image), remedy)
    })?;
    let owner = Owner::this();
    sweep(&owner)?;
    let network = Network::make(&owner)?;
    let [a, b, c] = network.prefix;
    let dwelling = |(node, name): (usize, &String)| -> Box<dyn Dwelling> {
        // The first address is the engine's.
        let ip = IpAddr::from([a, b, c, node as u8 + 2]);
        let (listen, http) = (SocketAddr::new(ip, LINK_PORT), SocketAddr::new(ip, HTTP_PORT));
        Box::new(Container {
            name: format!("{}-{name}", network.name),
            image: wanted.image.to_owned(),
            network: network.name.clone(),
            addresses: Addresses { listen, http, advertise: listen },
            directory: wanted.directory.to_owned(),
            is_made: false,
            is_still: false,
            is_disconnected: false,
            inside: None,
            // Where there are none, no fault that needs them is taken.
            rules: Rules::find().unwrap_or(Rules::Nft),
            process: OnceLock::new(),
        })
    };
    let dwellings = wanted.names.iter().enumerate().map(dwelling).collect();
    Ok(Quarters { dwellings, proxy: None, window: None, behind: Some(Box::new(network)) })
}

impl Container {
    /// Makes the container, which is the same from life to life.
    fn make(&mut self, arguments: &[String]) -> Result<(), ChaosError> {
        let label = format!("{LABEL}={}", Owner::this().label());
        let user = format!("{}:{}", nix::unistd::getuid(), nix::unistd::getgid());
        let volume = format!("{0}:{0}", self.directory.display());
        let ip = self.addresses.listen.ip().to_string();
        let made = [
            ["create", "--no-healthcheck"],
            ["--name", &self.name],
            ["--label", &label],
            ["--network", &self.network],
            ["--ip", &ip],
            // What the node writes is to be ours.
            ["--user", &user],
            ["--volume", &volume],
            ["--env", "RUST_BACKTRACE=1"],
        ];
        let made: Vec<&str> = made.into_iter().flatten().chain([self.image.as_str()]).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        engine(&[made, arguments].concat())?;
        self.is_made = true;
        Ok(())
    }

    fn find_process(&self) -> Option<u32> {
        let said = engine(&["inspect", "--format", "{{.State.Pid}}", &self.name]).ok()?;
        said.parse().ok().filter(|process| *process != 0)
    }
}

impl Dwelling for Container {
    fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    fn start(&mut self, arguments: &[String], log: &Path) -> Result<Child, ChaosError> {
        if !self.is_made {
            self.make(arguments)?;
        }
        self.process = OnceLock::new();
        let said = File::options().create(true).append(true).open(log).map_err(ChaosError::at(log))?;
        let errors = said.try_clone().map_err(ChaosError::at(log))?;
        let mut command = Command::new(ENGINE);
        command.args(["start", "--attach", &self.name]);
        // A Ctrl-C on the terminal is for whoever started this.
        command.stdin(Stdio::null()).stdout(said).stderr(errors).process_group(0);
        command.spawn().map_err(|error| ChaosError::Process { what: self.name.clone(), error })
    }

    fn kill(&mut self, process: &mut Child) {
        if self.is_still {
            self.stand_still(process, false);
        }
        for _ in 0..KILL_TRIES {
            // One that has ended by itself in between is dead, too.
            let _ = engine(&["kill", &self.name]);
            if !matches!(process.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(KILL_EVERY);
        }
        let _ = process.kill();
        let _ = process.wait();
    }

    fn stand_still(&mut self, _: &Child, still: bool) -> bool {
        let done = engine(&[if still { "pause" } else { "unpause" }, &self.name]).is_ok();
        if done {
            self.is_still = still;
        }
        done
    }

    fn id(&self, _: &Child) -> Option<u32> {
        match self.process.get() {
            Some(process) => Some(*process),
            // One that has not begun yet has no number, and is asked again.
            None => self.find_process().map(|process| *self.process.get_or_init(|| process)),
        }
    }

    fn cut(&mut self, cut: Cut<'_>) -> Result<String, ChaosError> {
        match cut {
            Cut::All => {
                engine(&["network", "disconnect", &self.network, &self.name])?;
                self.is_disconnected = true;
                Ok("the engine takes its network away".to_owned())
            }
            Cut::Towards(..) => {
                // Whoever has ended by itself just now has nothing that could be cut.
                let Some(process) = self.find_process() else { return Ok("it had ended".to_owned()) };
                let inside = Apart::in_network_of(process).map_err(ChaosError::at("/proc"))?;
                let (rules, stop) = (self.rules, Stop::from(cut));
                inside.call(move || rules.set(stop))?;
                self.inside = Some(inside);
                Ok(format!("{} drops every packet", rules.name()))
            }
        }
    }

    fn mend(&mut self) -> Result<(), ChaosError> {
        if let Some(inside) = self.inside.take() {
            let rules = self.rules;
            inside.call(move || rules.clear())?;
        }
        if self.is_disconnected {
            let ip = self.addresses.listen.ip().to_string();
            engine(&["network", "connect", "--ip", &ip, &self.network, &self.name])?;
            self.is_disconnected = false;
        }
        Ok(())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if self.is_made {
            remove(&self.name);
        }
    }
}
