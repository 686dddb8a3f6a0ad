//! A container engine, and what a rehearsal has there.
//!
//! A rehearsal that is killed cannot remove its containers. They carry the number of its process, and the next rehearsal
//! removes those whose process is gone.

use std::fs;
use std::path::Path;

use super::tool;
use crate::error::ChaosError;

/// The engine's command line.
pub(super) const ENGINE: &str = "docker";

/// What containers and networks of a rehearsal carry: whose they are.
pub(super) const LABEL: &str = "watershed.chaos";

/// How many networks are tried, since others may have taken their addresses.
const NETWORK_TRIES: u32 = 32;

/// Has the engine do something. What it prints, without the space around it.
pub(super) fn engine(arguments: &[&str]) -> Result<String, ChaosError> {
    tool::run(ENGINE, arguments)
}

/// A network of the engine, which is removed when this is dropped.
pub(super) struct Network {
    pub(super) name: String,
    /// The first three bytes of its addresses.
    pub(super) prefix: [u8; 3],
}

/// Whose containers they are: a process, and the namespace in which that is its number.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Owner {
    process: u32,
    namespace: String,
}

impl Owner {
    pub(super) fn this() -> Owner {
        let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        let digits = |c: &char| c.is_ascii_digit();
        let namespace = namespace.to_string_lossy().chars().filter(digits).collect();
        Owner { process: std::process::id(), namespace }
    }

    pub(super) fn label(&self) -> String {
        format!("{}@{}", self.process, self.namespace)
    }

    fn of(label: &str) -> Option<Owner> {
        let (process, namespace) = label.split_once('@')?;
        Some(Owner { process: process.parse().ok()?, namespace: namespace.to_owned() })
    }

    /// Whether another, which can be seen from here, is gone.
    fn sees_the_end_of(&self, other: &Owner) -> bool {
        other.namespace == self.namespace && !Path::new("/proc").join(other.process.to_string()).exists()
    }
}

/// Removes what was left by rehearsals that were killed.
pub(super) fn sweep(owner: &Owner) -> Result<(), ChaosError> {
    let filter = format!("label={LABEL}");
    let format = format!("{{{{.ID}}}} {{{{.Label \"{LABEL}\"}}}}");
    let left = |list: &[&str]| -> Result<Vec<String>, ChaosError> {
        let found = engine(&[list, &["--filter", &filter, "--format", &format]].concat())?;
        let lines = found.lines().filter_map(|line| line.split_once(' '));
        let gone = |label: &str| Owner::of(label).is_some_and(|other| owner.sees_the_end_of(&other));
        Ok(lines.filter(|(_, label)| gone(label)).map(|(id, _)| id.to_owned()).collect())
    };
    for id in left(&["ps", "--all"])? {
        remove(&id);
    }
    for id in left(&["network", "ls"])? {
        // Another rehearsal may have removed it just now.
        let _ = engine(&["network", "rm", &id]);
    }
    Ok(())
}

/// Removes a container, whatever it does. One that is not there is as one that was removed.
pub(super) fn remove(container: &str) {
    // What stands still cannot be removed.
    let _ = engine(&["unpause", container]);
    let _ = engine(&["rm", "--force", "--volumes", container]);
}

impl Network {
    /// Makes one whose addresses nobody else has.
    pub(super) fn make(owner: &Owner) -> Result<Network, ChaosError> {
        let name = format!("watershed-chaos-{}", owner.process);
        let label = format!("{LABEL}={}", owner.label());
        let mut tried = 0;
        loop {
            let prefix = [10, 213, (owner.process.wrapping_add(tried) % 256) as u8];
            let [a, b, c] = prefix;
            let subnet = format!("{a}.{b}.{c}.0/24");
            let made =
                engine(&["network", "create", "--internal", "--label", &label, "--subnet", &subnet, &name]);
            match made {
                Ok(_) => return Ok(Network { name, prefix }),
                Err(ChaosError::Tool { said, .. }) if said.contains("overlaps") && tried < NETWORK_TRIES => {
                    tried += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // One that is left over is removed by the next rehearsal.
        let _ = engine(&["network", "rm", &self.name]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_gone_only_for_those_who_could_see_it() {
        let this = Owner::this();
        assert_eq!(Owner::of(&this.label()), Some(Owner::this()));
        assert!(!this.sees_the_end_of(&Owner::this()), "it lives");
        let gone = || Owner { process: u32::MAX, namespace: this.namespace.clone() };
        assert!(this.sees_the_end_of(&gone()));
        assert!(!this.sees_the_end_of(&Owner { namespace: "elsewhere".to_owned(), ..gone() }));
        assert_eq!(Owner::of("somebody"), None);
    }
}
