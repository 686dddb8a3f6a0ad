//! `[checkpoints]`: when checkpoints are taken, and what is borne.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use watershed_core::Guarantee;
use watershed_runtime::{CheckpointConfig, IngressLimits};
use watershed_state::CheckpointStore;

use crate::cli::failure::Failure;
use crate::parameters::Values;

/// The limits of checkpoints under the names by which they are set; see [`CheckpointConfig`] for what they mean.
#[derive(Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Checkpoints {
    /// 0 takes only those that are asked for and the last one.
    interval: Duration,
    pause_min: Duration,
    timeout: Duration,
    back_off: Duration,
    back_off_max: Duration,
    failures_tolerated: u32,
    pending_max: usize,
    retain: usize,
    block: u64,
    restore_timeout: Duration,
    cancel_timeout: Duration,
    commit_retry: Duration,
    store_retry: Duration,
    restarts_max: u32,
    restart_pause: Duration,
    halt_on_violation: bool,
    /// Where they are kept, if not in the state directory: `s3://bucket/prefix`.
    store: Option<String>,
    /// What is asked of every source.
    guarantee: Guarantee,
    /// How much the ingress log of a split may take up.
    ingress_bytes_max: u64,
}

/// The smallest ingress log: some batches of what arrives.
const INGRESS_BYTES_MIN: u64 = 16 << 20;

impl Default for Checkpoints {
    fn default() -> Self {
        let CheckpointConfig {
            interval,
            pause_min,
            timeout,
            back_off,
            back_off_max,
            failures_tolerated,
            pending_max,
            retain,
            block,
            restore_timeout,
            cancel_timeout,
            commit_retry,
            store_retry,
            restarts_max,
            restart_pause,
            halt_on_violation,
        } = CheckpointConfig::default();
        Checkpoints {
            interval: interval.unwrap_or_default(),
            pause_min,
            timeout,
            back_off,
            back_off_max,
            failures_tolerated,
            pending_max,
            retain,
            block,
            restore_timeout,
            cancel_timeout,
            commit_retry,
            store_retry,
            restarts_max,
            restart_pause,
            halt_on_violation,
            store: None,
            guarantee: Guarantee::default(),
            ingress_bytes_max: IngressLimits::default().log_bytes_max,
        }
    }
}

/// Where checkpoints are kept, if not in the state directory.
pub(super) fn store(values: &Values) -> Result<Option<String>, Failure> {
    let Checkpoints { store, .. } = values.read()?;
    let address = |text: String| CheckpointStore::address(&text);
    store.map(address).transpose().map_err(|error| Failure::Usage(format!("[checkpoints] store: {error}")))
}

/// What is asked of every source, and how much may be logged of what arrives.
pub(super) fn ingress(values: &Values) -> Result<(Guarantee, IngressLimits), Failure> {
    let Checkpoints { guarantee, ingress_bytes_max, .. } = values.read()?;
    if ingress_bytes_max < INGRESS_BYTES_MIN {
        return Err(Failure::Usage(format!(
            "[checkpoints] ingress_bytes_max is {ingress_bytes_max}: it must be at least {INGRESS_BYTES_MIN}"
        )));
    }
    Ok((guarantee, IngressLimits { log_bytes_max: ingress_bytes_max, ..IngressLimits::default() }))
}

/// The limits that are set, as the runtime takes them.
pub(super) fn config(values: &Values) -> Result<CheckpointConfig, Failure> {
    let set: Checkpoints = values.read()?;
    let counts =
        [("pending_max", set.pending_max as u64), ("retain", set.retain as u64), ("block", set.block)];
    if let Some((name, _)) = counts.iter().find(|(_, count)| *count == 0) {
        return Err(Failure::Usage(format!("[checkpoints] {name} is 0: it must be at least 1")));
    }
    let waits = [
        ("timeout", set.timeout),
        ("restore_timeout", set.restore_timeout),
        ("back_off", set.back_off),
        ("back_off_max", set.back_off_max),
        ("cancel_timeout", set.cancel_timeout),
        ("commit_retry", set.commit_retry),
        ("store_retry", set.store_retry),
    ];
    if let Some((name, _)) = waits.iter().find(|(_, wait)| wait.is_zero()) {
        return Err(Failure::Usage(format!("[checkpoints] {name} is 0: write a duration, as 1s")));
    }
    Ok(CheckpointConfig {
        interval: Some(set.interval).filter(|interval| !interval.is_zero()),
        pause_min: set.pause_min,
        timeout: set.timeout,
        back_off: set.back_off,
        back_off_max: set.back_off_max,
        failures_tolerated: set.failures_tolerated,
        pending_max: set.pending_max,
        retain: set.retain,
        block: set.block,
        restore_timeout: set.restore_timeout,
        cancel_timeout: set.cancel_timeout,
        commit_retry: set.commit_retry,
        store_retry: set.store_retry,
        restarts_max: set.restarts_max,
        restart_pause: set.restart_pause,
        halt_on_violation: set.halt_on_violation,
    })
}
