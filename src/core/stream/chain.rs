//! A chain of operators while it is being put together, with all its types.

use crate::stage::{Identity, Pair, Stage, Tail};
use crate::task::{ChainTask, OnePort, Ports, SourceHead, SplitTask, TaskFactory};
use crate::{Data, Source};

/// A head and the stages behind it: what a [`Stream`](crate::Stream) is made of.
///
/// A function that takes or returns a stream names it so: `Stream<impl Chain<Out = Reading>>`.
pub trait Chain: Sized + 'static {
    /// What the last stage emits.
    type Out: 'static;

    /// The chain with one more stage.
    type Then<B: Stage<In = Self::Out>>: Chain<Out = B::Out>;

    /// Adds a stage.
    fn then<B: Stage<In = Self::Out>>(self, stage: B) -> Self::Then<B>;

    /// Ends the chain.
    fn factory<T: Tail<Self::Out>>(self, tail: T) -> Box<dyn TaskFactory>;
}

/// A head and the stages behind it.
pub struct Flow<H, S> {
    pub(super) head: H,
    pub(super) stage: S,
}

/// The head of a chain that takes batches from other subtasks.
pub struct Input<P>(pub(super) P);

/// The chain of a vertex that has just begun.
pub type Inlet<T> = Flow<Input<OnePort<T>>, Identity<T>>;

impl<T: Data> Inlet<T> {
    pub(super) fn begin() -> Self {
        Flow { head: Input(OnePort::new()), stage: Identity::new() }
    }
}

impl<P: Ports, S: Stage<In = P::Out>> Chain for Flow<Input<P>, S> {
    type Out = S::Out;
    type Then<B: Stage<In = S::Out>> = Flow<Input<P>, Pair<S, B>>;

    fn then<B: Stage<In = S::Out>>(self, stage: B) -> Self::Then<B> {
        Flow { head: self.head, stage: Pair(self.stage, stage) }
    }

    fn factory<T: Tail<S::Out>>(self, tail: T) -> Box<dyn TaskFactory> {
        Box::new(ChainTask::<P, S, T>::new(self.stage, tail))
    }
}

impl<X: Source, S: Stage<In = X::Out>> Chain for Flow<SourceHead<X>, S> {
    type Out = S::Out;
    type Then<B: Stage<In = S::Out>> = Flow<SourceHead<X>, Pair<S, B>>;

    fn then<B: Stage<In = S::Out>>(self, stage: B) -> Self::Then<B> {
        Flow { head: self.head, stage: Pair(self.stage, stage) }
    }

    fn factory<T: Tail<S::Out>>(self, tail: T) -> Box<dyn TaskFactory> {
        Box::new(SplitTask::new(self.head.0, self.stage, tail))
    }
}
