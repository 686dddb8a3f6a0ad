//! Points at which a process can be made to die, for tests of what must survive that.
//!
//! Compiled in by the feature `failpoints`; without it a call of [`reach`] is nothing. What happens at a point is
//! told by the variable `FAILPOINTS`, in the words of the crate `fail`:
//!
//! ```text
//! FAILPOINTS='sink::before_commit=2*off->return(kill)'     the third time, as by kill -9
//! FAILPOINTS='task::barrier_seen=panic'                    the first time, as an operator that panics
//! FAILPOINTS='coordinator::before_decision=sleep(500)'     each time, half a second late
//! ```
//!
//! `return(kill)` sends the process SIGKILL, so that nothing is flushed, unlocked or answered; `return(exit)` ends it
//! with code 70, without unwinding; and `return(stop)` sends it SIGSTOP, so that it stands still until somebody sends it
//! SIGCONT. What is not known when a process begins, who leads above all, is told it later by an [`order`](order::Order). A
//! job that is to be harmed is kept from its end by a [`leash`].
//!
//! The points follow a checkpoint from its trigger to its last commit:
//!
//! ```text
//!   coordinator              subtask, sink
//!   triggered ─────────────▶ barrier_seen
//!                            before_prepare, after_prepare
//!                            after_save
//!   after_vote ◀──────────── before_vote
//!   before_manifest, after_manifest
//!   before_decision, after_decision
//!         └────────────────▶ before_commit, after_commit
//!   after_commit ◀─────────────────┘
//! ```

pub(crate) mod leash;
#[cfg(feature = "failpoints")]
mod order;

/// A step of a checkpoint, or of a restore.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Point {
    /// A subtask has all barriers of an epoch (a source: its trigger) and has done nothing about it.
    BarrierSeen,
    /// A subtask's state is durable; nobody knows.
    AfterSave,
    /// All of a subtask is durable; its vote is not sent.
    BeforeVote,
    /// A subtask is about to stage what was written, if it has a sink.
    BeforePrepare,
    /// A sink has staged something; where it is staged in the checkpoint, that is not written yet.
    AfterPrepare,
    /// A sink is about to commit an epoch, in a run or while one is restored.
    BeforeCommit,
    /// A sink has committed; nobody knows.
    AfterCommit,
    /// A subtask that is restored has read what it goes on from, and has resolved nothing.
    BeforeResolve,
    /// A subtask is restored; nobody knows.
    AfterLoad,
    /// The coordinator has told the sources to begin a checkpoint.
    Triggered,
    /// The coordinator has taken in a vote; the k-th time at the k-th one.
    AfterVote,
    /// All have voted, and nothing is written.
    BeforeManifest,
    /// The manifest is durable, and not decided.
    AfterManifest,
    /// The decision is about to be asked for.
    BeforeDecision,
    /// The decision is made; nobody knows.
    AfterDecision,
    /// The coordinator has heard of a commit; the k-th time at the k-th one.
    CommitHeard,
}

#[cfg(feature = "failpoints")]
impl Point {
    /// The name in `FAILPOINTS`.
    fn name(self) -> &'static str {
        match self {
            Point::BarrierSeen => "task::barrier_seen",
            Point::AfterSave => "task::after_save",
            Point::BeforeVote => "task::before_vote",
            Point::BeforePrepare => "sink::before_prepare",
            Point::AfterPrepare => "sink::after_prepare",
            Point::BeforeCommit => "sink::before_commit",
            Point::AfterCommit => "sink::after_commit",
            Point::BeforeResolve => "task::before_resolve",
            Point::AfterLoad => "task::after_load",
            Point::Triggered => "coordinator::triggered",
            Point::AfterVote => "coordinator::after_vote",
            Point::BeforeManifest => "coordinator::before_manifest",
            Point::AfterManifest => "coordinator::after_manifest",
            Point::BeforeDecision => "coordinator::before_decision",
            Point::AfterDecision => "coordinator::after_decision",
            Point::CommitHeard => "coordinator::after_commit",
        }
    }
}

/// Does at a point what `FAILPOINTS` or an order says: nothing, as a rule.
pub(crate) fn reach(point: Point) {
    reach_in(point, &[]);
}

/// Does at a point of a subtask, whose chain has stages of these uids, what `FAILPOINTS` or an order says.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub(crate) fn reach_in(_: Point, _: &[String]) {}

/// Does at a point of a subtask, whose chain has stages of these uids, what `FAILPOINTS` or an order says.
#[cfg(feature = "failpoints")]
pub(crate) fn reach_in(point: Point, uids: &[String]) {
    arm();
    if let Some(action) = order::taken_at(point.name(), uids) {
        act(point, &action);
    }
    fail::fail_point!(point.name(), |action| act(point, action.as_deref().unwrap_or_default()));
}

/// Reads `FAILPOINTS`, once a process. Without the feature `failpoints` nothing is read.
pub(crate) fn arm() {
    #[cfg(feature = "failpoints")]
    {
        static ARMED: std::sync::Once = std::sync::Once::new();
        // The points stay set as long as the process lives.
        ARMED.call_once(|| std::mem::forget(fail::FailScenario::setup()));
    }
}

#[cfg(feature = "failpoints")]
fn act(point: Point, action: &str) {
    use nix::sys::signal::{Signal, kill, raise};
    use std::time::Duration;
    let name = point.name();
    match (action, action.strip_prefix("sleep ").map(str::parse)) {
        ("kill", _) => {
            eprintln!("harm: killed at {name}");
            raise(Signal::SIGKILL).expect("a process may kill itself");
        }
        ("exit", _) => {
            eprintln!("harm: exit at {name}");
            std::process::exit(70);
        }
        ("stop", _) => {
            eprintln!("harm: stopped at {name}");
            // Not this thread alone: all of the process.
            kill(nix::unistd::getpid(), Signal::SIGSTOP).expect("a process may stop itself");
            eprintln!("harm: went on at {name}");
        }
        (_, Some(Ok(milliseconds))) => {
            eprintln!("harm: {name} sleeps for {milliseconds} ms");
            std::thread::sleep(Duration::from_millis(milliseconds));
        }
        (unknown, _) => {
            eprintln!("harm: {name} knows kill, exit, stop and sleep MILLISECONDS, not {unknown:?}");
            std::process::abort();
        }
    }
}
