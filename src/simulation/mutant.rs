//! The rules, each broken once, in what drives the machines: the simulation has to see it.
//!
//! The machines themselves are those that run. A test lets each of these live and counts the seeds until it is found.

/// A rule that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutant {
    /// Sinks are told to commit when the manifest is written, before the decision (Iceberg 9694, as proposed).
    CommitBeforeDecision,
    /// The meta store takes a decision in the name of an older reign or run (R2'; FLINK-22494, FLINK-25486).
    UnguardedDecision,
    /// A restored sink takes back all that is prepared, also what the manifest lists (R3'; gpdb 9940).
    RecoveryTakesEverythingBack,
    /// A sink takes back what it staged for a checkpoint that was given up (R6').
    AbortTakesBack,
    /// A vote lists only what was staged for its own epoch (R7'; FLINK-10377).
    VoteListsOwnOnly,
    /// Epochs are handed out again after a fail-over, and names of transactions do not tell the run (R4';
    /// SeaTunnel 10459, FLINK-40626).
    EpochsReused,
    /// The new run goes on from the decision that was read before the fence (R1').
    ReadBeforeFence,
    /// The external system forgets prepared transactions (R8'; Kafka's transaction time-out).
    PreparedTimesOut,
    /// A commit that is repeated shows its records again (R5').
    CommitNotIdempotent,
    /// An unknown decision is taken for made (FLINK-22494).
    UnknownTakenForDone,
    /// A subtask votes before its state is synced (R9').
    VoteBeforeSync,
    /// A frame is left out, and nobody notices (K1).
    FrameLeftOut,
    /// A frame is worked on twice (K1).
    FrameTwice,
    /// A barrier goes ahead of the data that was sent before it (K1).
    BarrierOvertakes,
    /// A channel behind its barrier is read on while others have not come to theirs (FLINK-20654).
    AlignmentReleasedEarly,
    /// Shared state: a site counts its updates through all epochs, instead of anew in each (B2).
    NoLanes,
    /// Shared state: a task sees updates of epochs that it has not begun (B3).
    NoEpochFilter,
    /// Shared state: a recovery goes on with the counters, and the run, of before (B6, R1).
    CountersRestored,
    /// Shared state: a task does not wait for what the writer of its record had seen (B5).
    NoWaits,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Mutant; 19] = [
        Mutant::CommitBeforeDecision,
        Mutant::UnguardedDecision,
        Mutant::RecoveryTakesEverythingBack,
        Mutant::AbortTakesBack,
        Mutant::VoteListsOwnOnly,
        Mutant::EpochsReused,
        Mutant::ReadBeforeFence,
        Mutant::PreparedTimesOut,
        Mutant::CommitNotIdempotent,
        Mutant::UnknownTakenForDone,
        Mutant::VoteBeforeSync,
        Mutant::FrameLeftOut,
        Mutant::FrameTwice,
        Mutant::BarrierOvertakes,
        Mutant::AlignmentReleasedEarly,
        Mutant::NoLanes,
        Mutant::NoEpochFilter,
        Mutant::CountersRestored,
        Mutant::NoWaits,
    ];
}
