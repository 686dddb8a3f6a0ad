//! Where a pipeline begins: its sources, and its dead letters.

use std::cell::RefCell;
use std::rc::Rc;

use serde::Serialize;

use crate::plan::{Plan, PlanBuilder, PlanError};
use crate::shared::{Propagation, Resolver, Shared};
use crate::stage::Identity;
use crate::stream::{Flow, Inlet, Stream};
use crate::task::SourceHead;
use crate::{Data, DeadLetter, Key, KeyGroups, Source};

/// A pipeline while its function describes it.
///
/// ```
/// use watershed_core::testing::Numbers;
/// use watershed_core::{Pipeline, KeyGroups};
///
/// let pipeline = Pipeline::new("squares", KeyGroups::default());
/// pipeline.source(Numbers::up_to(10)).map(|n| n * n).filter(|n| n % 2 == 0).discard();
/// let plan = pipeline.plan().unwrap();
/// assert_eq!(plan.vertices.len(), 1, "source, map and filter run as one");
/// ```
#[derive(Clone)]
pub struct Pipeline {
    builder: Rc<RefCell<PlanBuilder>>,
}

impl Pipeline {
    /// An empty pipeline.
    pub fn new(name: &str, key_groups: KeyGroups) -> Self {
        Pipeline { builder: Rc::new(RefCell::new(PlanBuilder::new(name, key_groups))) }
    }

    /// Begins a stream at a source.
    ///
    /// A stream whose records need an event time of their own calls
    /// [`event_times`](Stream::event_times) before its first exchange; the others use the time that the
    /// source gives, or the wall clock.
    pub fn source<S: Source>(&self, source: S) -> Stream<Flow<SourceHead<S>, Identity<S::Out>>> {
        let vertex = self.edit(|plan| {
            let vertex = plan.source();
            plan.stage(vertex, "source", S::Out::shape());
            vertex
        });
        Stream::new(self, vertex, Flow { head: SourceHead(source), stage: Identity::new() })
    }

    /// The stream of all input that operators set aside. May be asked for once.
    pub fn dead_letters(&self) -> Stream<Inlet<DeadLetter>> {
        let vertex = self.edit(|plan| match plan.dead_letters() {
            Some(vertex) => vertex,
            None => {
                plan.fail(PlanError::Pipeline("the dead letters have a taker already".to_owned()));
                plan.vertex([])
            }
        });
        Stream::new(self, vertex, Inlet::begin()).parallelism(1)
    }

    /// Makes a shared state, which operators on all nodes of the job read and update by the handle. The name is for ever:
    /// checkpoints save the state under it.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// use watershed_core::shared::{AnyShared, Shared};
    /// # use watershed_core::shared::{Refusal, Resolver, Stamp};
    /// use watershed_core::testing::Harness;
    /// use watershed_core::{Context, KeyGroups, Operator, Pipeline};
    ///
    /// # #[derive(Clone)] struct Max;
    /// # impl Resolver<u64> for Max {
    /// #     type State = Option<u64>; type Update = u64; type Value = Option<u64>;
    /// #     fn update(&self, _: &Option<u64>, to: u64, _: &Stamp) -> Result<Option<u64>, Refusal> { Ok(Some(to)) }
    /// #     fn join(&self, state: &mut Option<u64>, other: &Option<u64>) { *state = (*state).max(*other); }
    /// #     fn value(&self, state: &Option<u64>) -> Option<u64> { *state }
    /// # }
    /// /// Lets pass what lies above the limit of its kind.
    /// #[derive(Clone)]
    /// struct Alarms {
    ///     limits: Shared<String, u64, Max>,
    /// }
    ///
    /// impl Operator for Alarms {
    ///     type Key = String;
    ///     type In = u64;
    ///     type Out = u64;
    ///     type State = ();
    ///
    ///     fn shared(&self) -> Vec<AnyShared> {
    ///         vec![self.limits.any()]
    ///     }
    ///
    ///     fn on_record(&self, value: u64, _: &mut (), cx: &mut impl Context<Self>) {
    ///         if cx.read(&self.limits, cx.key()).is_some_and(|limit| value > limit) {
    ///             cx.emit(value);
    ///         }
    ///     }
    /// }
    ///
    /// let pipeline = Pipeline::new("alarms", KeyGroups::default());
    /// let limits = pipeline.shared("limits", Max);
    ///
    /// let mut harness = Harness::operator(Alarms { limits: limits.clone() });
    /// harness.push("heat".to_owned(), 80, 0);
    /// harness.shared(&limits).update(&"heat".to_owned(), 70)?;
    /// harness.push("heat".to_owned(), 60, 1);
    /// harness.push("heat".to_owned(), 90, 2);
    /// assert_eq!(harness.values(), [90]);
    /// # Ok::<(), Refusal>(())
    /// ```
    pub fn shared<K, V, R>(&self, name: &str, resolver: R) -> Shared<K, V, R>
    where
        K: Key + Sync,
        V: Data,
        R: Resolver<V, State: Sync, Value: Serialize>,
    {
        self.edit(|plan| plan.shared(name, resolver))
    }

    /// Says how all that is shared comes from one site to the others, for an experiment: pipelines that do work leave it at the
    /// default. The newest word counts.
    pub fn propagate(&self, propagation: Propagation) {
        self.edit(|plan| plan.propagate(propagation));
    }

    /// Whether [`Pipeline::dead_letters`] was asked for.
    pub fn takes_dead_letters(&self) -> bool {
        self.edit(|plan| plan.takes_dead_letters())
    }

    /// Says that the pipeline cannot be run, for a reason that its function found.
    pub fn fail(&self, reason: impl Into<String>) {
        self.edit(|plan| plan.fail(PlanError::Pipeline(reason.into())));
    }

    /// The finished plan.
    ///
    /// # Errors
    ///
    /// Where the pipeline cannot be run as it was described.
    pub fn plan(&self) -> Result<Plan, PlanError> {
        let empty = PlanBuilder::new("", KeyGroups::default());
        self.builder.replace(empty).build()
    }

    pub(super) fn edit<R>(&self, edit: impl FnOnce(&mut PlanBuilder) -> R) -> R {
        edit(&mut self.builder.borrow_mut())
    }
}
