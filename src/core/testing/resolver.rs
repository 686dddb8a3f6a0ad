//! Checks a resolver against its laws, whatever it resolves.

use std::fmt::Debug;

use serde::Serialize;

use crate::Data;
use crate::shared::Resolver;
use crate::shared::laws::{Effort, Telling, find_broken};

/// Executions of up to so many steps are tried, and so many of each length.
const EFFORT: Effort = Effort { steps_max: 12, seeds: 64 };

/// Checks a resolver with some updates: three sites make them at one key in two epochs, and hear of each other's in many
/// orders. Of the states that come of it,
///
/// * joining is commutative, associative and idempotent, and the default changes nothing;
/// * an update makes the same delta however often it is asked to, and the others' [`check`](Resolver::check) takes it;
/// * states that are equal have equal MessagePack, and are read as they were written;
/// * what settles reads as before, also where one site has settled and the other has not;
/// * sites that have heard the same read the same, and are the same once they have settled the same.
///
/// Give it updates that meet: of the same values, and of different ones. Those that the resolver refuses are left out.
///
/// ```
/// use watershed_core::shared::{Refusal, Resolver, Stamp};
/// use watershed_core::testing::verify_resolver;
///
/// /// Keeps the largest number.
/// #[derive(Clone)]
/// struct Max;
///
/// impl Resolver<u64> for Max {
///     type State = Option<u64>;
///     type Update = u64;
///     type Value = Option<u64>;
///
///     fn update(&self, _: &Option<u64>, update: u64, _: &Stamp) -> Result<Option<u64>, Refusal> {
///         Ok(Some(update))
///     }
///
///     fn join(&self, state: &mut Option<u64>, other: &Option<u64>) {
///         *state = (*state).max(*other);
///     }
///
///     fn value(&self, state: &Option<u64>) -> Option<u64> {
///         *state
///     }
/// }
///
/// verify_resolver::<u64, _>(&Max, &[1, 2, 5]);
/// ```
///
/// # Panics
///
/// Where one of these does not hold, telling the states that show it and the shortest way to them that was found.
pub fn verify_resolver<V, R>(resolver: &R, updates: &[R::Update])
where
    V: Data,
    R: Resolver<V, State: Sync + Debug, Update: Debug, Value: Serialize>,
{
    assert!(!updates.is_empty(), "a resolver is tried out with updates");
    let telling =
        Telling { state: &|state: &R::State| format!("{state:?}"), update: &|update| format!("{update:?}") };
    if let Some(broken) = find_broken::<V, R>(resolver, updates, EFFORT, &telling) {
        panic!("{broken}");
    }
}
