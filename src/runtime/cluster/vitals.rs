//! The parts without which a node is none, watched over as long as it lives.
//!
//! An actor that panics is gone, and the process would live on without it: linked, alive to its peers, leading the cluster
//! perhaps, and deaf. So each of these parts keeps a lifeline. Where one is let go before the node ends, the node ends too:
//! whoever runs it starts it again, from what is decided.

use tokio::sync::mpsc;

/// Hands out lifelines.
pub(crate) struct Vitals {
    lost: mpsc::UnboundedSender<&'static str>,
}

/// Kept by a part as long as it lives.
pub(crate) struct Lifeline {
    part: &'static str,
    lost: mpsc::UnboundedSender<&'static str>,
}

impl Vitals {
    /// With where the name of each part comes that is gone, until the receiver is dropped.
    pub(super) fn new() -> (Vitals, mpsc::UnboundedReceiver<&'static str>) {
        let (lost, losses) = mpsc::unbounded_channel();
        (Vitals { lost }, losses)
    }

    /// The lifeline of a part.
    pub(super) fn lifeline(&self, part: &'static str) -> Lifeline {
        Lifeline { part, lost: self.lost.clone() }
    }
}

impl Drop for Lifeline {
    fn drop(&mut self) {
        // A node that has ended looks no more.
        let _ = self.lost.send(self.part);
    }
}
