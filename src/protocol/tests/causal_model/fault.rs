//! The rules of the protocol, each broken once by the model's driver. The replicas themselves are those that run.

/// A rule that the driver breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Updates do not say what they depend on.
    NoDependencies,
    /// An update no longer names lanes that its own site has whole, though others may lack them.
    ForgottenEarly,
    /// A site comes back within its run and counts from the beginning.
    CountersRestored,
}
