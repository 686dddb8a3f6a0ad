//! Steps without windows: remembering, limiting, looking up.
//!
//! Those with state per key are reached through [`KeyedSteps`], the others through [`Steps`].

pub(crate) mod alarm;
mod deduplicate;
mod fluent;
mod lookup;
mod map_with_state;
mod mean;
mod rate_limit;
mod top_k;

pub use deduplicate::{Deduplicate, Seen};
pub use fluent::{KeyedSteps, Steps};
pub use lookup::{Answer, Calls, Lookup};
pub use map_with_state::MapWithState;
pub use mean::{ExponentialMean, Mean, RunningMean, Weighted};
pub use rate_limit::{Bucket, RateLimit};
pub use top_k::{Ranking, TopK};
