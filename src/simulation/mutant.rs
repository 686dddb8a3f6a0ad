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
    /// Shared state: a task that hears frames of an epoch that it has not begun stays in its own.
    OwnEpochKept,
    /// Sessions: a token of an older run is taken for one of this run (B6, R4).
    NoTranslation,
    /// Sessions: a node answers before it has what the token names (B5).
    ReadDoesNotWait,
    /// Sessions: an update is called durable where a later epoch is complete, of whichever run (B6, R5).
    DurableByNumber,
    /// Sessions: a replica takes what a complete checkpoint has for applied when it hears of it (B5).
    CompletedTakenForApplied,
    /// Sessions: an update goes into the epoch of the node's tasks, though its writer has seen a later one (B3).
    ClientWritesBehind,
    /// Quarantine: a panic is taken for the fault of the first record of its batch.
    BatchBlamed,
    /// Quarantine: what is to be left out is told by its time alone.
    LeftOutByTime,
    /// Quarantine: a record is left out, and nobody gets its dead letter.
    LetterDropped,
    /// Other parallelism: a sink sweeps only what subtasks of its own number have prepared (FLINK-34554).
    OrphansLeft,
    /// Other parallelism: a subtask loads all that a snapshot has, not only its own key groups.
    WholeStateLoaded,
    /// Agreement: the meta store decides what it is asked to, and compares nothing.
    AgreementUnguarded,
    /// Agreement: a swap of which nobody has heard counts as not done.
    AgreementGuessed,
    /// Election: a node whose coordinator was deposed while it is elected makes no other one.
    DeposedStaysDown,
    /// Shared state: a replica hears what those of other runs say (R1).
    AnyRunHeard,
    /// A subtask works as soon as it is restored, and does not wait for the others.
    WorkBeforeBegin,
    /// What is said to be durable is written and not synced: it goes with its writer (K2).
    SyncForgotten,
    /// A run goes on from what was decided when its coordinator campaigned, though more has been since (R1').
    BaseOfReign,
    /// A source that is restored reads its splits from their beginnings.
    SplitsReadAgain,
    /// What the last checkpoint has staged is called committed, and is not (FLINK-2491).
    LastCommitSkipped,
    /// A source promises that the record is past which it reads next.
    PromisedTooMuch,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Mutant; 40] = [
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
        Mutant::OwnEpochKept,
        Mutant::NoTranslation,
        Mutant::ReadDoesNotWait,
        Mutant::DurableByNumber,
        Mutant::CompletedTakenForApplied,
        Mutant::ClientWritesBehind,
        Mutant::BatchBlamed,
        Mutant::LeftOutByTime,
        Mutant::LetterDropped,
        Mutant::OrphansLeft,
        Mutant::WholeStateLoaded,
        Mutant::AgreementUnguarded,
        Mutant::AgreementGuessed,
        Mutant::DeposedStaysDown,
        Mutant::AnyRunHeard,
        Mutant::WorkBeforeBegin,
        Mutant::SyncForgotten,
        Mutant::BaseOfReign,
        Mutant::SplitsReadAgain,
        Mutant::LastCommitSkipped,
        Mutant::PromisedTooMuch,
    ];

    /// Whether it is seen only where the job shares anything.
    pub(crate) fn needs_sharing(self) -> bool {
        self.is_of_clients() || matches!(self, Mutant::OwnEpochKept | Mutant::AnyRunHeard)
    }

    /// Whether it is a rule of sessions that is broken.
    pub(crate) fn is_of_clients(self) -> bool {
        matches!(
            self,
            Mutant::NoTranslation
                | Mutant::ReadDoesNotWait
                | Mutant::DurableByNumber
                | Mutant::CompletedTakenForApplied
                | Mutant::ClientWritesBehind
        )
    }

    /// Whether it is a rule of going on with other parallelism that is broken.
    pub(crate) fn is_of_shapes(self) -> bool {
        matches!(self, Mutant::OrphansLeft | Mutant::WholeStateLoaded)
    }

    /// Whether it is a rule of agreement that is broken.
    pub(crate) fn is_of_agreement(self) -> bool {
        matches!(self, Mutant::AgreementUnguarded | Mutant::AgreementGuessed)
    }

    /// Whether it is a rule of the quarantine that is broken.
    pub(crate) fn is_of_quarantine(self) -> bool {
        matches!(self, Mutant::BatchBlamed | Mutant::LeftOutByTime | Mutant::LetterDropped)
    }
}
