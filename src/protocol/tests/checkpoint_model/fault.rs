//! The rules of the protocol, each broken once by the model's driver. The machines themselves are those that run.

/// A rule that the driver breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
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
    CommitsNotIdempotent,
    /// An unknown decision is taken for made (A3, UNCERTAIN; FLINK-22494).
    UnknownTakenForDone,
    /// The end of a job takes back what is not known to be decided, while a decision may still come about.
    EndTakesBackInDoubt,
}
