//! Folds what comes into a value per subtask: for sums over a whole run, and for benchmarks.

use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use watershed_core::{Data, Epoch, EventTime, Sink, SinkError, SinkPlace, Writer};

/// Folds every record into an accumulator of its subtask, without a lock on the way.
///
/// The accumulator is handed over at each `prepare`, so once in a job without checkpoints, and begins anew.
/// What is handed over is not taken back by an abort: this sink measures, and promises nothing.
///
/// ```
/// use watershed_actors::sink::Fold;
/// use watershed_core::{KeyGroups, Pipeline, testing::Numbers};
///
/// let (sum, sums) = Fold::new(|| 0_u64, |sum, number, _time| *sum += number);
/// let pipeline = Pipeline::new("numbers", KeyGroups::default());
/// pipeline.source(Numbers::up_to(10)).sink(sum);
/// // .. and when the job is over:
/// let total: u64 = sums.take().into_iter().sum();
/// # assert_eq!(total, 0);
/// ```
pub struct Fold<T, A, I, F> {
    init: I,
    fold: F,
    folded: Folded<A>,
    of: PhantomData<fn(T)>,
}

/// The accumulators that the subtasks of a [`Fold`] have handed over.
pub struct Folded<A>(Arc<Mutex<Vec<A>>>);

impl<T, A, I, F> Fold<T, A, I, F>
where
    I: Fn() -> A,
    F: Fn(&mut A, T, EventTime),
{
    /// A sink that begins with `init()` and folds each record and its time into it; and where to find
    /// what came of it.
    pub fn new(init: I, fold: F) -> (Self, Folded<A>) {
        let folded = Folded(Arc::default());
        (Fold { init, fold, folded: folded.clone(), of: PhantomData }, folded)
    }
}

impl<A> Folded<A> {
    /// Takes what was handed over: one accumulator for each subtask and `prepare`, in no order.
    pub fn take(&self) -> Vec<A> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<A> Clone for Folded<A> {
    fn clone(&self) -> Self {
        Folded(Arc::clone(&self.0))
    }
}

impl<T, A, I: Clone, F: Clone> Clone for Fold<T, A, I, F> {
    fn clone(&self) -> Self {
        Fold {
            init: self.init.clone(),
            fold: self.fold.clone(),
            folded: self.folded.clone(),
            of: PhantomData,
        }
    }
}

impl<T, A, I, F> Sink for Fold<T, A, I, F>
where
    T: Data,
    A: Send + 'static,
    I: Fn() -> A + Clone + Send + 'static,
    F: Fn(&mut A, T, EventTime) + Clone + Send + 'static,
{
    type In = T;
    type Staged = ();
    type Writer = FoldWriter<T, A, I, F>;

    fn open(&self, _place: &SinkPlace) -> Result<Self::Writer, SinkError> {
        Ok(FoldWriter { accumulator: (self.init)(), sink: self.clone() })
    }
}

/// One subtask's accumulator.
pub struct FoldWriter<T, A, I, F> {
    accumulator: A,
    sink: Fold<T, A, I, F>,
}

impl<T, A, I, F> Writer for FoldWriter<T, A, I, F>
where
    T: Data,
    A: Send + 'static,
    I: Fn() -> A + Clone + Send + 'static,
    F: Fn(&mut A, T, EventTime) + Clone + Send + 'static,
{
    type In = T;
    type Staged = ();

    #[inline(always)]
    fn write(&mut self, record: T, time: EventTime) -> Result<(), SinkError> {
        (self.sink.fold)(&mut self.accumulator, record, time);
        Ok(())
    }

    fn prepare(&mut self, _epoch: Epoch) -> Result<Option<()>, SinkError> {
        let full = std::mem::replace(&mut self.accumulator, (self.sink.init)());
        self.sink.folded.0.lock().unwrap_or_else(PoisonError::into_inner).push(full);
        Ok(None)
    }

    fn commit(&mut self, _staged: ()) -> Result<(), SinkError> {
        Ok(())
    }

    fn abort(&mut self, _staged: ()) -> Result<(), SinkError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_subtask_hands_its_own_accumulator_over_at_prepare() {
        let (fold, folded) = Fold::new(|| 0, |sum: &mut u64, number: u64, _| *sum += number);
        for index in 0..2 {
            let mut writer = fold.open(&SinkPlace::alone("fold").of(index, 2)).unwrap();
            writer.write(10 + u64::from(index), EventTime::MIN).unwrap();
            writer.write(1, EventTime::MIN).unwrap();
            assert!(writer.prepare(Epoch(1)).unwrap().is_none());
        }
        assert_eq!(folded.take(), [11, 12]);
        assert_eq!(folded.take(), [0; 0]);
    }
}
