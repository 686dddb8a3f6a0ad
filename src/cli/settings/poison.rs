//! `[poison]`: what is done with records by which operators panic.

use serde::{Deserialize, Serialize};
use watershed_runtime::{PoisonConfig, PoisonPolicy};

use crate::cli::failure::Failure;
use crate::parameters::Values;

/// The settings under the names by which they are set; see [`PoisonConfig`] for what they mean.
#[derive(Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Poison {
    policy: Policy,
    max_attempts: u32,
    quarantine_max: u32,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Policy {
    Fail,
    Quarantine,
}

impl Default for Poison {
    fn default() -> Self {
        let PoisonConfig { policy, max_attempts, quarantine_max } = PoisonConfig::default();
        let policy = match policy {
            PoisonPolicy::Fail => Policy::Fail,
            PoisonPolicy::Quarantine => Policy::Quarantine,
        };
        Poison { policy, max_attempts, quarantine_max }
    }
}

/// What is set, as the runtime takes it.
pub(super) fn config(values: &Values) -> Result<PoisonConfig, Failure> {
    let Poison { policy, max_attempts, quarantine_max } = values.read()?;
    if max_attempts == 0 {
        return Err(Failure::Usage("[poison] max_attempts is 0: it must be at least 1".to_owned()));
    }
    let policy = match policy {
        Policy::Fail => PoisonPolicy::Fail,
        Policy::Quarantine => PoisonPolicy::Quarantine,
    };
    Ok(PoisonConfig { policy, max_attempts, quarantine_max })
}
