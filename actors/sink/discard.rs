//! Drops what comes: for pipelines that are run for their side outputs, their counters or their speed.

use std::marker::PhantomData;

use watershed_core::{Data, Epoch, EventTime, Sink, SinkError, SinkPlace, Writer};

/// Drops every record, in no instructions at all.
///
/// ```
/// use watershed_actors::sink::Discard;
/// use watershed_core::{KeyGroups, Pipeline, testing::Numbers};
///
/// let pipeline = Pipeline::new("numbers", KeyGroups::default());
/// pipeline.source(Numbers::up_to(10)).sink(Discard::new());
/// ```
#[derive(Debug)]
pub struct Discard<T>(PhantomData<fn(T)>);

impl<T> Discard<T> {
    /// A sink that drops every record.
    pub fn new() -> Self {
        Discard(PhantomData)
    }
}

impl<T> Default for Discard<T> {
    fn default() -> Self {
        Discard::new()
    }
}

impl<T> Clone for Discard<T> {
    fn clone(&self) -> Self {
        Discard::new()
    }
}

impl<T: Data> Sink for Discard<T> {
    type In = T;
    type Staged = ();
    type Writer = Discard<T>;

    fn open(&self, _place: &SinkPlace) -> Result<Discard<T>, SinkError> {
        Ok(Discard::new())
    }
}

impl<T: Data> Writer for Discard<T> {
    type In = T;
    type Staged = ();

    #[inline(always)]
    fn write(&mut self, _record: T, _time: EventTime) -> Result<(), SinkError> {
        Ok(())
    }

    fn prepare(&mut self, _epoch: Epoch) -> Result<Option<()>, SinkError> {
        Ok(None)
    }

    fn commit(&mut self, _staged: ()) -> Result<(), SinkError> {
        Ok(())
    }

    fn abort(&mut self, _staged: ()) -> Result<(), SinkError> {
        Ok(())
    }
}
