//! A pipeline whose subtasks share limits, which anybody may raise.

use std::time::Duration;

use watershed_core::shared::{AnyShared, Refusal, Resolver, Shared, Stamp};
use watershed_core::testing::Numbers;
use watershed_core::{Context, KeyGroups, Operator, Pipeline, Plan, PlanError};

/// Keeps the largest limit, and takes none above a thousand.
#[derive(Clone, Copy)]
struct Most;

impl Resolver<u64> for Most {
    type State = u64;
    type Update = u64;
    type Value = u64;

    fn update(&self, _: &u64, limit: u64, _: &Stamp) -> Result<u64, Refusal> {
        if limit > 1000 { Err(Refusal::Update("a thousand is enough".to_owned())) } else { Ok(limit) }
    }

    fn join(&self, state: &mut u64, other: &u64) {
        *state = (*state).max(*other);
    }

    fn value(&self, state: &u64) -> u64 {
        *state
    }
}

/// Passes on what is within the limit of its remainder.
#[derive(Clone)]
struct Limited(Shared<(String, u64), u64, Most>);

impl Operator for Limited {
    type Key = u64;
    type In = u64;
    type Out = u64;
    type State = ();

    fn shared(&self) -> Vec<AnyShared> {
        vec![self.0.any()]
    }

    fn on_record(&self, n: u64, (): &mut (), cx: &mut impl Context<Self>) {
        if n <= cx.read(&self.0, &("remainder".to_owned(), n % 4)) {
            cx.emit(n);
        }
    }
}

/// Counts slowly, for as long as a test takes.
pub(super) fn plan(pause: Duration) -> Result<Plan, PlanError> {
    let pipeline = Pipeline::new("sharing", KeyGroups::default());
    let limits = pipeline.shared("limits", Most);
    let numbers = pipeline.source(Numbers::up_to(1_000_000)).map(move |n| {
        std::thread::sleep(pause);
        n
    });
    numbers.key_by(|n| n % 4).process(Limited(limits)).uid("limited").discard();
    pipeline.plan()
}
