//! Keeps a thread awake a little longer than its work.
//!
//! To wake a sleeping thread of a virtual machine costs the waker some 90 microseconds and the sleeper as many:
//! as long as it takes to count ten thousand records. Two threads that feed each other, each asleep whenever
//! it has a moment's lead, spend a fifth of their time on it (measured on `keyed-count`, 1.6 of 2 cores in
//! use). So an arbiter that runs out of messages looks out for the next one before it lets its thread sleep, for
//! [`Config::vigil`](crate::Config::vigil) at most. What it spends on that it must have worked before: an arbiter with little to
//! do sleeps as ever, and none more than doubles its time (Karlin et al. 1990, competitive spinning).

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use std::time::{Duration, Instant};

use actix::dev::ToEnvelope;
use actix::prelude::*;

/// One arbiter's messages, counted from both sides.
#[derive(Debug)]
pub(crate) struct Vigil {
    sent: AtomicU64,
    received: AtomicU64,
    at_most: Duration,
    begun: Instant,
    /// When the thread last began to work, in nanoseconds since `begun`.
    resumed: AtomicU64,
    /// How long it may look out: what it has worked and not spent, in nanoseconds.
    allowance: AtomicU64,
}

thread_local! {
    static OWN: RefCell<Option<Arc<Vigil>>> = const { RefCell::new(None) };
}

/// How often the flag is looked at between two looks at the clock.
const LOOKS: u32 = 64;

/// How many whole vigils an arbiter can save up.
const SAVED_MAX: u32 = 16;

impl Vigil {
    pub(crate) fn new(at_most: Duration) -> Self {
        Vigil {
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            at_most,
            begun: Instant::now(),
            resumed: AtomicU64::new(0),
            allowance: AtomicU64::new(0),
        }
    }

    /// An arbiter that keeps this vigil.
    pub(crate) fn arbiter(self: &Arc<Self>) -> Arbiter {
        let vigil = self.clone();
        Arbiter::with_tokio_rt(move || {
            let (sleeper, riser) = (vigil.clone(), vigil.clone());
            OWN.set(Some(vigil));
            tokio::runtime::Builder::new_current_thread()
                .enable_io()
                .enable_time()
                .on_thread_park(move || sleeper.keep())
                .on_thread_unpark(move || riser.resume())
                .build()
                .expect("the system gives a thread its event loop")
        })
    }

    /// Forgets the messages that were sent to actors which stopped before they received them. To be called where
    /// none lives on the arbiter that could still receive one.
    pub(crate) fn settle(&self) {
        self.received.store(self.sent.load(Acquire), Relaxed);
    }

    /// Looks out for a message: called when nothing is left to do.
    fn keep(&self) {
        let from = self.begun.elapsed();
        let worked = from.saturating_sub(Duration::from_nanos(self.resumed.load(Relaxed)));
        let allowance =
            (Duration::from_nanos(self.allowance.load(Relaxed)) + worked).min(self.at_most * SAVED_MAX);
        let spent = self.look_out(from, from + allowance.min(self.at_most)).saturating_sub(from);
        self.allowance.store(allowance.saturating_sub(spent).as_nanos() as u64, Relaxed);
    }

    /// Returns with a message or at `until`; the time.
    fn look_out(&self, from: Duration, until: Duration) -> Duration {
        let mut now = from;
        while now < until {
            for _ in 0..LOOKS {
                if self.sent.load(Acquire) != self.received.load(Relaxed) {
                    return self.begun.elapsed();
                }
                std::hint::spin_loop();
            }
            now = self.begun.elapsed();
        }
        now
    }

    /// Notes that the thread works again.
    fn resume(&self) {
        self.resumed.store(self.begun.elapsed().as_nanos() as u64, Relaxed);
    }
}

/// Counts a message that came by [`Post`]. To be called by its handler.
pub(crate) fn received() {
    OWN.with_borrow(|own| {
        if let Some(vigil) = own {
            vigil.received.fetch_add(1, Relaxed);
        }
    });
}

/// The address of an actor on an arbiter that keeps vigil.
pub(crate) struct Post<M: Message + Send>
where
    M::Result: Send,
{
    to: Recipient<M>,
    vigil: Arc<Vigil>,
}

impl<M: Message + Send> Clone for Post<M>
where
    M::Result: Send,
{
    fn clone(&self) -> Self {
        Post { to: self.to.clone(), vigil: self.vigil.clone() }
    }
}

impl<M: Message<Result = ()> + Send + 'static> Post<M> {
    pub(crate) fn new<A>(to: Addr<A>, vigil: &Arc<Vigil>) -> Self
    where
        A: Actor<Context: ToEnvelope<A, M>> + Handler<M>,
    {
        Post { to: to.recipient(), vigil: vigil.clone() }
    }

    /// The address of an actor on this very thread, for others. `None` where the thread keeps no vigil.
    pub(crate) fn here<A>(to: Addr<A>) -> Option<Self>
    where
        A: Actor<Context: ToEnvelope<A, M>> + Handler<M>,
    {
        OWN.with_borrow(|own| own.as_ref().map(|vigil| Post::new(to, vigil)))
    }

    /// Sends a message. Counted before it is sent, so that it is never received first.
    pub(crate) fn send(&self, message: M) {
        self.vigil.sent.fetch_add(1, Release);
        self.to.do_send(message);
    }
}
