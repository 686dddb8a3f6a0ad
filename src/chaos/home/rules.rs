//! Rules of the kernel that let nothing pass, set within the network of one node by `nft` or `iptables`.
//!
//! What a rule stops is gone, as on a wire that is cut: it is sent again by TCP until somebody gives up, and what has not
//! been acknowledged when the rule goes comes late. Only the HTTP port stays open, through which the rehearsal looks on.

use std::net::IpAddr;

use super::{Cut, tool};
use crate::error::ChaosError;

/// What sets rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rules {
    Nft,
    Iptables,
}

/// What is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// All that comes or goes by the link to the others, but HTTP.
    All,
    /// All that goes to an address.
    Towards(IpAddr),
}

/// The node's link to the others, and the port of its HTTP.
pub(super) const LINK: &str = "eth0";
pub(super) const HTTP_PORT: u16 = 7180;

impl From<Cut<'_>> for Stop {
    fn from(cut: Cut<'_>) -> Self {
        match cut {
            Cut::All => Stop::All,
            Cut::Towards(_, addresses) => Stop::Towards(addresses.advertise.ip()),
        }
    }
}

impl Rules {
    /// The tool of this machine; none where it has neither.
    pub(super) fn find() -> Option<Rules> {
        let all = [Rules::Nft, Rules::Iptables];
        all.into_iter().find(|rules| tool::is_there(rules.name(), "--version"))
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Rules::Nft => "nft",
            Rules::Iptables => "iptables",
        }
    }

    /// Sets rules. Called within the network that they are for.
    pub(super) fn set(self, stop: Stop) -> Result<(), ChaosError> {
        self.run(&self.setting(stop))
    }

    /// Removes all that [`Rules::set`] has set.
    pub(super) fn clear(self) -> Result<(), ChaosError> {
        self.run(&self.clearing())
    }

    fn run(self, commands: &[String]) -> Result<(), ChaosError> {
        commands.iter().try_for_each(|command| {
            let arguments: Vec<&str> = match self {
                // One argument is a script, which is carried out as a whole or not at all.
                Rules::Nft => vec![command],
                Rules::Iptables => command.split(' ').collect(),
            };
            tool::run(self.name(), &arguments).map(drop)
        })
    }

    fn setting(self, stop: Stop) -> Vec<String> {
        match (self, stop) {
            (Rules::Nft, Stop::All) => vec![format!(
                "add table ip chaos; \
                 add chain ip chaos in {{ type filter hook input priority 0; }}; \
                 add chain ip chaos out {{ type filter hook output priority 0; }}; \
                 add rule ip chaos in iifname {LINK} tcp dport != {HTTP_PORT} drop; \
                 add rule ip chaos out oifname {LINK} tcp sport != {HTTP_PORT} drop"
            )],
            (Rules::Nft, Stop::Towards(address)) => vec![format!(
                "add table ip chaos; \
                 add chain ip chaos out {{ type filter hook output priority 0; }}; \
                 add rule ip chaos out ip daddr {address} drop"
            )],
            (Rules::Iptables, Stop::All) => vec![
                format!("-w -A INPUT -i {LINK} -p tcp ! --dport {HTTP_PORT} -j DROP"),
                format!("-w -A OUTPUT -o {LINK} -p tcp ! --sport {HTTP_PORT} -j DROP"),
            ],
            (Rules::Iptables, Stop::Towards(address)) => {
                vec![format!("-w -A OUTPUT -d {address} -j DROP")]
            }
        }
    }

    fn clearing(self) -> Vec<String> {
        match self {
            // What is not there can be added and then deleted, but not deleted.
            Rules::Nft => vec!["add table ip chaos; delete table ip chaos".to_owned()],
            Rules::Iptables => vec!["-w -F INPUT".to_owned(), "-w -F OUTPUT".to_owned()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_is_cut_off_still_answers_people() {
        let rules = Rules::Iptables.setting(Stop::All);
        assert_eq!(
            rules,
            [
                "-w -A INPUT -i eth0 -p tcp ! --dport 7180 -j DROP",
                "-w -A OUTPUT -o eth0 -p tcp ! --sport 7180 -j DROP",
            ]
        );
        let script = Rules::Nft.setting(Stop::All).concat();
        assert!(script.contains("in iifname eth0 tcp dport != 7180 drop;"), "{script}");
        assert!(script.ends_with("out oifname eth0 tcp sport != 7180 drop"), "{script}");
    }

    #[test]
    fn one_direction_is_stopped_where_it_begins() {
        let stop = Stop::Towards(IpAddr::from([10, 0, 0, 2]));
        assert_eq!(Rules::Iptables.setting(stop), ["-w -A OUTPUT -d 10.0.0.2 -j DROP"]);
        let script = Rules::Nft.setting(stop).concat();
        assert!(script.contains("ip daddr 10.0.0.2 drop") && !script.contains("hook input"), "{script}");
    }
}
