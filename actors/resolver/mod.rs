//! What becomes of concurrent updates of shared state: the last one wins, they add up, they are kept side by side, they
//! are voted on.
//!
//! | resolver | an update brings | read as | of two that know nothing of each other |
//! | --- | --- | --- | --- |
//! | [`LastWriter`] | a value, or its removal | `Option<V>` | the later one stays |
//! | [`Max`], [`Min`] | a value | `Option<V>` | the greatest, the least stays |
//! | [`GrowCounter`], [`Counter`] | a number | `u64`, `i64` | both count |
//! | [`AddSet`] | an element to add or to remove | `BTreeSet<V>` | who adds wins over who removes |
//! | [`FieldMap`] | a field's value, or its removal | `BTreeMap<F, V>` | the later one of each field stays |
//! | [`Siblings`] | a value, or its removal | `Vec<V>` | all are kept, until somebody decides |
//! | [`Merge`] | a value of the author's type | that type | they are merged as the author says |
//! | [`Consensus`] | what the nodes have agreed on, which no task updates | `Option<Agreed<V>>` | there are none: a round is decided once |
//! | [`Vote`] | a vote in a round, or its decision | [`Ballot`] | the votes are tallied: mean, median, majority |
//!
//! What all of them keep is a join-semilattice, as [`Resolver`](watershed_core::shared::Resolver) asks: deltas may come
//! in any order that respects causes, and twice, and all sites end with the same state. What only the past needed
//! (tombstones, sums of single lanes) goes when a checkpoint has settled it.
//!
//! ```
//! use watershed_actors::resolver::Counter;
//! use watershed_core::shared::Resolver;
//! use watershed_core::testing::Stamps;
//!
//! // Two sites count at once, before they have heard of each other.
//! let (mut here, mut there) = (Stamps::of(0), Stamps::of(1));
//! let mut state = Default::default();
//! let three_more = Counter.update(&state, 3, &here.at(10))?;
//! let one_less = Counter.update(&state, -1, &there.at(10))?;
//!
//! // Whoever hears of both, in whichever order and how often it may be, reads the same.
//! for delta in [&one_less, &three_more, &one_less] {
//!     Counter.join(&mut state, delta);
//! }
//! assert_eq!(Counter.value(&state), 2);
//! # Ok::<(), watershed_core::shared::Refusal>(())
//! ```

mod add_set;
mod consensus;
mod counter;
mod dotted;
mod extreme;
mod field_map;
mod grow_counter;
mod last_writer;
mod merge;
mod siblings;
mod vote;
mod write;

pub use add_set::{AddSet, SetUpdate};
pub use consensus::{Agreed, Consensus};
pub use counter::{Counter, CounterState};
pub use dotted::Dotted;
pub use extreme::{Max, Min};
pub use field_map::{FieldMap, FieldWrite};
pub use grow_counter::{GrowCounter, LaneTotals};
pub use last_writer::LastWriter;
pub use merge::{Merge, MergeState};
pub use siblings::Siblings;
pub use vote::{Ballot, Decision, Majority, Mean, Median, Poll, ROUNDS_KEPT, Round, Tally, Vote, VoteUpdate};
pub use write::{Write, Written};
