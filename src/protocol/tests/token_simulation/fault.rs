//! The rules, each broken once.

/// Which rule is broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    /// None: the protocol as it is.
    #[default]
    None,
    /// A job that was set back goes on in the same run, with the counters of the checkpoint.
    CountersRestored,
    /// A server waits for whatever a token names, also of runs that are over.
    NoTranslation,
    /// A lane of the base's own epoch is taken for undone: `<` for `<=`.
    BaseExclusive,
    /// A lane of the epoch behind the base is taken for kept.
    BaseTooFar,
    /// A token is called durable where its epochs are below the newest complete one, of whichever run.
    DurableByNumber,
    /// A replica takes the lanes of a checkpoint for applied as soon as it hears that it is complete.
    CompletedTakenForApplied,
    /// Tasks see updates of epochs that they have not begun.
    NoFilter,
    /// A replica applies what arrives from a run that is over.
    OldRunsHeard,
}

impl Fault {
    /// Whether the broken rule is one of the replica itself.
    pub(crate) fn is_of_replica(self) -> bool {
        match self {
            Fault::CountersRestored | Fault::NoFilter | Fault::OldRunsHeard => true,
            Fault::None
            | Fault::NoTranslation
            | Fault::BaseExclusive
            | Fault::BaseTooFar
            | Fault::DurableByNumber
            | Fault::CompletedTakenForApplied => false,
        }
    }
}
