//! What can be wrong with a pipeline before it runs.

use crate::shared::NAME_BYTES_MAX;

/// A pipeline that cannot be run as it was described.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// Two operators claim the same uid.
    #[error("two operators have the uid {uid:?}: give one of them another with .uid(\"..\")")]
    DuplicateUid {
        /// The uid.
        uid: String,
    },
    /// A stream leads nowhere.
    #[error("the stream after {operator:?} goes nowhere: end it with .sink(..) or .discard()")]
    Unfinished {
        /// The last operator.
        operator: String,
    },
    /// No source.
    #[error("the pipeline has no source: begin with .source(..)")]
    Empty,
    /// Parallelism 0, or above the number of key groups.
    #[error("{operator:?} has parallelism {parallelism}: it must lie between 1 and the {groups} key groups")]
    Parallelism {
        /// The operator.
        operator: String,
        /// What was asked for.
        parallelism: u32,
        /// The upper bound.
        groups: u16,
    },
    /// Event times assigned after an exchange.
    #[error(
        "{operator:?} assigns event times behind an exchange: do it in the source's own chain, before \
         key_by, rebalance or shared"
    )]
    LateEventTimes {
        /// The operator.
        operator: String,
    },
    /// Two side outputs of one vertex with one name but different record types.
    #[error("the side output {name:?} of one vertex is used with the record types {first} and {second}")]
    SideOutput {
        /// The name.
        name: String,
        /// One shape.
        first: String,
        /// The other.
        second: String,
    },
    /// Two shared states of one name.
    #[error("two shared states have the name {name:?}: make it once, and clone the handle")]
    DuplicateShared {
        /// The name.
        name: String,
    },
    /// A shared state of a name that cannot be one.
    #[error(
        "a shared state cannot have the name {name:?}: take 1 to {NAME_BYTES_MAX} letters, digits, '-', '_' and '.'"
    )]
    SharedName {
        /// The name.
        name: String,
    },
    /// A shared state whose resolver breaks a law with one of its own examples.
    #[error("the resolver of the shared state {name:?} breaks a law: {broken}")]
    Resolver {
        /// The name.
        name: String,
        /// The law, and where it does not hold.
        broken: String,
    },
    /// An operator uses a shared state that its pipeline did not make.
    #[error(
        "{operator:?} uses the shared state {name:?}, which another pipeline has made: make it with this pipeline's .shared(..)"
    )]
    ForeignShared {
        /// The operator.
        operator: String,
        /// The name of the state.
        name: String,
    },
    /// Something the pipeline's own function found wrong.
    #[error("{0}")]
    Pipeline(String),
}
