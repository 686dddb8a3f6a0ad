//! Nodes that bear with a machine that stands still for seconds, since no test but those of networks is about that: the end of
//! a node is told, and waits for no silence.

use std::time::Duration;

use watershed_link::LinkConfig;

use crate::cluster::Timings;

/// How long anything may take that is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(300);

/// Links that bear with it.
pub(super) fn links() -> LinkConfig {
    let patience = Duration::from_secs(20);
    LinkConfig {
        silent_max: patience,
        handshake_within: patience,
        probe_within: patience,
        frame_within: patience,
        ..LinkConfig::default()
    }
}

/// The same of what is decided. Where a leader is lost, it takes the others some four seconds to have another one.
pub(super) fn timings() -> Timings {
    let mut timings = Timings::default();
    timings.election_min = Duration::from_millis(1200);
    timings.election_max = Duration::from_millis(2000);
    timings.lease = Duration::from_secs(10);
    timings.silence = Duration::from_secs(20);
    timings.propose = Duration::from_secs(20);
    timings.read = Duration::from_secs(20);
    timings
}
