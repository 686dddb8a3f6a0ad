//! Keeps the thread of the links awake a little longer than its work.
//!
//! To wake a sleeping thread of a virtual machine costs the waker some 90 microseconds, and the sleeper as many. So
//! after each event the thread looks out for the next one for [`LinkConfig::vigil`](crate::LinkConfig::vigil) before it
//! sleeps: it goes round its event loop without waiting, which sees both sockets and what other threads hand over. A
//! node on whose links nothing happens spends nothing on that.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// When something last happened on the thread of the links, which alone uses this.
#[derive(Debug)]
pub(crate) struct Lookout {
    begun: Instant,
    vigil: u64,
    /// When the last event was, in nanoseconds since `begun`.
    last: AtomicU64,
    sleeps: AtomicBool,
    event: Notify,
}

impl Lookout {
    pub(crate) fn new(vigil: Duration) -> Self {
        let vigil = u64::try_from(vigil.as_nanos()).unwrap_or(u64::MAX);
        let (last, sleeps) = (AtomicU64::new(0), AtomicBool::new(false));
        Lookout { begun: Instant::now(), vigil, last, sleeps, event: Notify::new() }
    }

    fn now(&self) -> u64 {
        self.begun.elapsed().as_nanos() as u64
    }

    /// Something has happened.
    pub(crate) fn event(&self) {
        self.last.store(self.now(), Relaxed);
        if self.sleeps.load(Relaxed) {
            self.sleeps.store(false, Relaxed);
            self.event.notify_one();
        }
    }

    /// Looks out for ever.
    pub(crate) async fn keep(&self) {
        loop {
            if self.now().saturating_sub(self.last.load(Relaxed)) < self.vigil {
                // Whoever else wants this core may be the one who is waited for.
                std::thread::yield_now();
                tokio::task::yield_now().await;
            } else {
                self.sleeps.store(true, Relaxed);
                self.event.notified().await;
            }
        }
    }
}
