//! How what is shared comes from one site to the others.

use std::time::Duration;

/// How what is shared comes from one site to the others. The default is what this module promises; whatever differs from it is
/// for tests and experiments, which show what the promise is good for by taking it away.
///
/// [`Pipeline::propagate`](crate::Pipeline::propagate) sets it for all shared state of a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Propagation {
    /// Whether a subtask that uses shared state waits with a batch until its site has applied all that the batch's sender
    /// had seen. Without, what it reads is whatever has come so far: still the same for all sites in the end, but a
    /// record may overtake its causes.
    pub waits: bool,
    /// How long each site holds back what it has to say to the others, beside what the network takes.
    pub delay: Duration,
}

impl Default for Propagation {
    fn default() -> Self {
        Propagation { waits: true, delay: Duration::ZERO }
    }
}
