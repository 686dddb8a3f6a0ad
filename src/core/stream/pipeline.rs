//! Where a pipeline begins: its sources, and its dead letters.

use std::cell::RefCell;
use std::rc::Rc;

use crate::plan::{Plan, PlanBuilder, PlanError};
use crate::stage::Identity;
use crate::stream::{Flow, Inlet, Stream};
use crate::task::SourceHead;
use crate::{Data, DeadLetter, KeyGroups, Source};

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
