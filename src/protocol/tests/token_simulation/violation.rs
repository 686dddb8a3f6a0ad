//! What may never happen, by the names of the protocol's design.

/// An invariant that does not hold, and how that was noticed.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) invariant: Invariant,
    pub(crate) what: String,
}

/// What always holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Invariant {
    /// C1: a dot names one update, over all runs.
    DotsAreUnique,
    /// C4: whoever has read something reads it again.
    MonotonicReads,
    /// C4: whoever has written something reads it.
    ReadYourWrites,
    /// C6: every complete checkpoint is a consistent cut.
    ConsistentCut,
    /// C7: a durable token is never refused in its lineage.
    DurableTokensHold,
    /// C8: a token that has seen an undone update is never accepted silently.
    NothingUndoneIsAccepted,
    /// R8: nobody is shown what never happened.
    NothingUndoneIsShown,
    /// R4: a refusal names all that was undone and nothing else.
    RefusalsAreExact,
    /// R4: in the end everybody gets a definite answer.
    Answered,
}

impl Invariant {
    pub(crate) fn broken<T>(self, what: impl Into<String>) -> Result<T, Violation> {
        Err(Violation { invariant: self, what: what.into() })
    }
}
