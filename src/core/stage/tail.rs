//! What ends a chain: an exchange to other subtasks, a sink, or a drain for tests.

use std::marker::PhantomData;

use crate::spi::{Loads, Partitioner, Sink, Writer};
use crate::stage::{Downstream, StageTrace, TaskContext, TaskError};
use crate::{Batch, Data, Epoch, EventTime};

/// The end of a chain.
pub trait Tail<T>: Downstream<T> + Clone + Send + 'static {
    /// Called once on the subtask, before the first record. `number` is the first that no stage took.
    ///
    /// # Errors
    ///
    /// Where the outside world cannot be reached.
    fn open(&mut self, number: u16, cx: &TaskContext) -> Result<(), TaskError>;

    /// Makes partial batches ready to be handed over, and flushes a sink.
    fn flush(&mut self, cx: &mut TaskContext);

    /// Called where the job goes on from a checkpoint, when what that one staged has been committed.
    ///
    /// # Errors
    ///
    /// As [`Writer::resume`].
    fn resume(&mut self) -> Result<(), TaskError> {
        Ok(())
    }

    /// Makes what was written durable; the staged value as MessagePack, where there is one.
    ///
    /// # Errors
    ///
    /// As [`Writer::prepare`].
    fn prepare(&mut self, epoch: Epoch) -> Result<Option<Vec<u8>>, TaskError> {
        let _ = epoch;
        Ok(None)
    }

    /// Makes a staged epoch visible.
    ///
    /// # Errors
    ///
    /// As [`Writer::commit`].
    fn commit(&mut self, staged: &[u8]) -> Result<(), TaskError> {
        let _ = staged;
        Ok(())
    }

    /// Takes a staged epoch back.
    ///
    /// # Errors
    ///
    /// As [`Writer::abort`].
    fn abort(&mut self, staged: &[u8]) -> Result<(), TaskError> {
        let _ = staged;
        Ok(())
    }
}

/// Routes records to the subtasks at the other end of the vertex's main output, in batches.
pub struct Exchange<T, P> {
    rule: P,
    /// The stage whose records are routed: a rule that panics is reported with it.
    number: u16,
    edge: usize,
    open: Vec<Batch<T>>,
    batch_records: usize,
}

impl<T, P> Exchange<T, P> {
    pub(crate) fn new(rule: P) -> Self {
        Exchange { rule, number: 0, edge: 0, open: Vec::new(), batch_records: 0 }
    }
}

impl<T, P: Clone> Clone for Exchange<T, P> {
    fn clone(&self) -> Self {
        Exchange::new(self.rule.clone())
    }
}

impl<T: Data, P: Partitioner<T>> Downstream<T> for Exchange<T, P> {
    #[inline(always)]
    fn record(&mut self, value: T, time: EventTime, cx: &mut TaskContext) {
        let trace = StageTrace::enter(self.number);
        let receiver = self.rule.route(&value, Loads::new(&cx.outbox, self.edge));
        trace.leave();
        let open = &mut self.open[receiver as usize];
        open.push(value, time);
        if open.len() >= self.batch_records {
            cx.counters.records_out += open.len() as u64;
            cx.outbox.hand_over(self.edge, receiver, open, cx.origin);
            self.batch_records = cx.outbox.batch_records(self.edge);
        }
    }
}

impl<T: Data, P: Partitioner<T>> Tail<T> for Exchange<T, P> {
    fn open(&mut self, number: u16, cx: &TaskContext) -> Result<(), TaskError> {
        self.number = number.saturating_sub(1);
        self.edge = cx.info.main_output();
        let receivers = cx.info.outputs[self.edge].receivers;
        self.rule.open(receivers, cx.info.key_groups, cx.info.subtask.index);
        self.open = (0..receivers).map(|_| Batch::default()).collect();
        self.batch_records = cx.outbox.batch_records(self.edge);
        Ok(())
    }

    fn flush(&mut self, cx: &mut TaskContext) {
        for (receiver, open) in self.open.iter_mut().enumerate() {
            if !open.is_empty() {
                cx.counters.records_out += open.len() as u64;
                cx.outbox.hand_over(self.edge, receiver as u32, open, cx.origin);
            }
        }
        self.batch_records = cx.outbox.batch_records(self.edge);
    }
}

/// Hands every record to every main output of its vertex, each of which goes on from there.
///
/// A forward output hands subtask i's records to subtask i; a broadcast one to every subtask; another one
/// deals whole batches out in turn. Records are cloned per receiver, a batch at a time.
pub struct Shared<T> {
    open: Batch<T>,
    outputs: Vec<SharedOutput>,
    batch_records: usize,
}

#[derive(Clone)]
struct SharedOutput {
    edge: usize,
    receivers: u32,
    next: u32,
    forward: bool,
}

impl<T> Shared<T> {
    pub(crate) fn new() -> Self {
        Shared { open: Batch::default(), outputs: Vec::new(), batch_records: 0 }
    }

    /// How many records make a batch: those that the slowest output takes at once.
    fn batch_records(&self, cx: &TaskContext) -> usize {
        let sizes = self.outputs.iter().map(|output| cx.outbox.batch_records(output.edge));
        sizes.min().unwrap_or(cx.info.batch_records)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Shared::new()
    }
}

impl<T: Data> Downstream<T> for Shared<T> {
    #[inline(always)]
    fn record(&mut self, value: T, time: EventTime, cx: &mut TaskContext) {
        self.open.push(value, time);
        if self.open.len() >= self.batch_records {
            self.flush(cx);
        }
    }
}

impl<T: Data> Tail<T> for Shared<T> {
    fn open(&mut self, _number: u16, cx: &TaskContext) -> Result<(), TaskError> {
        let index = cx.info.subtask.index;
        for (edge, output) in cx.info.outputs.iter().enumerate().filter(|(_, output)| output.side.is_none()) {
            let next = index % output.receivers;
            self.outputs.push(SharedOutput {
                edge,
                receivers: output.receivers,
                next,
                forward: output.forward,
            });
        }
        self.batch_records = self.batch_records(cx);
        Ok(())
    }

    fn flush(&mut self, cx: &mut TaskContext) {
        if self.open.is_empty() {
            return;
        }
        if self.outputs.is_empty() {
            return self.open.clear();
        }
        cx.counters.records_out += self.open.len() as u64;
        let last = self.outputs.len() - 1;
        for (place, output) in self.outputs.iter_mut().enumerate() {
            let receiver = output.next;
            if !output.forward {
                output.next = (output.next + 1) % output.receivers;
            }
            if place == last {
                cx.outbox.hand_over(output.edge, receiver, &mut self.open, cx.origin);
            } else {
                let mut copy = self.open.clone();
                cx.outbox.hand_over(output.edge, receiver, &mut copy, cx.origin);
            }
        }
        self.batch_records = self.batch_records(cx);
    }
}

/// Hands every record to every subtask at the other end.
pub struct Broadcast<T> {
    open: Batch<T>,
    edge: usize,
    receivers: u32,
    batch_records: usize,
}

impl<T> Broadcast<T> {
    pub(crate) fn new() -> Self {
        Broadcast { open: Batch::default(), edge: 0, receivers: 0, batch_records: 0 }
    }
}

impl<T> Clone for Broadcast<T> {
    fn clone(&self) -> Self {
        Broadcast::new()
    }
}

impl<T: Data> Downstream<T> for Broadcast<T> {
    #[inline]
    fn record(&mut self, value: T, time: EventTime, cx: &mut TaskContext) {
        self.open.push(value, time);
        if self.open.len() >= self.batch_records {
            self.flush(cx);
        }
    }
}

impl<T: Data> Tail<T> for Broadcast<T> {
    fn open(&mut self, _number: u16, cx: &TaskContext) -> Result<(), TaskError> {
        self.edge = cx.info.main_output();
        self.receivers = cx.info.outputs[self.edge].receivers;
        self.batch_records = cx.outbox.batch_records(self.edge);
        Ok(())
    }

    fn flush(&mut self, cx: &mut TaskContext) {
        if self.open.is_empty() {
            return;
        }
        cx.counters.records_out += self.open.len() as u64;
        for receiver in 1..self.receivers {
            let mut copy = self.open.clone();
            cx.outbox.hand_over(self.edge, receiver, &mut copy, cx.origin);
        }
        cx.outbox.hand_over(self.edge, 0, &mut self.open, cx.origin);
        self.batch_records = cx.outbox.batch_records(self.edge);
    }
}

/// Writes records to a sink.
pub struct SinkTail<S: Sink> {
    sink: S,
    writer: Option<S::Writer>,
    number: u16,
    written: u64,
}

impl<S: Sink> SinkTail<S> {
    pub(crate) fn new(sink: S) -> Self {
        SinkTail { sink, writer: None, number: 0, written: 0 }
    }

    fn writer(&mut self) -> &mut S::Writer {
        self.writer.as_mut().expect("a sink is opened before it is used")
    }
}

impl<S: Sink> Clone for SinkTail<S> {
    fn clone(&self) -> Self {
        SinkTail::new(self.sink.clone())
    }
}

impl<S: Sink> Downstream<S::In> for SinkTail<S> {
    #[inline(always)]
    fn record(&mut self, value: S::In, time: EventTime, cx: &mut TaskContext) {
        let trace = StageTrace::enter(self.number);
        let written = self.writer().write(value, time);
        self.written += 1;
        trace.leave();
        if let Err(error) = written {
            cx.fail(error);
        }
    }
}

impl<S: Sink> Tail<S::In> for SinkTail<S> {
    fn open(&mut self, number: u16, cx: &TaskContext) -> Result<(), TaskError> {
        self.number = number;
        let operator = cx.info.uids.get(number as usize).cloned().unwrap_or_default();
        self.writer = Some(self.sink.open(&cx.sink_place(operator))?);
        Ok(())
    }

    fn flush(&mut self, cx: &mut TaskContext) {
        cx.counters.records_out += std::mem::take(&mut self.written);
        let trace = StageTrace::enter(self.number);
        let flushed = self.writer().flush();
        trace.leave();
        if let Err(error) = flushed {
            cx.fail(error);
        }
    }

    fn resume(&mut self) -> Result<(), TaskError> {
        let trace = StageTrace::enter(self.number);
        let resumed = self.writer().resume();
        trace.leave();
        Ok(resumed?)
    }

    fn prepare(&mut self, epoch: Epoch) -> Result<Option<Vec<u8>>, TaskError> {
        let trace = StageTrace::enter(self.number);
        let staged = self.writer().prepare(epoch);
        trace.leave();
        Ok(staged?.map(|staged| rmp_serde::to_vec_named(&staged).expect("Data can be written by serde")))
    }

    fn commit(&mut self, staged: &[u8]) -> Result<(), TaskError> {
        let staged = rmp_serde::from_slice(staged).map_err(crate::StateError::from)?;
        let trace = StageTrace::enter(self.number);
        let committed = self.writer().commit(staged);
        trace.leave();
        Ok(committed?)
    }

    fn abort(&mut self, staged: &[u8]) -> Result<(), TaskError> {
        let staged = rmp_serde::from_slice(staged).map_err(crate::StateError::from)?;
        Ok(self.writer().abort(staged)?)
    }
}

/// Drops records: the end of a stream of which only the side outputs are wanted.
#[derive(Debug)]
pub struct Discard<T>(PhantomData<fn(T)>);

impl<T> Discard<T> {
    pub(crate) fn new() -> Self {
        Discard(PhantomData)
    }
}

impl<T> Clone for Discard<T> {
    fn clone(&self) -> Self {
        Discard::new()
    }
}

impl<T> Downstream<T> for Discard<T> {
    #[inline(always)]
    fn record(&mut self, _value: T, _time: EventTime, _cx: &mut TaskContext) {}
}

impl<T: 'static> Tail<T> for Discard<T> {
    fn open(&mut self, _number: u16, _cx: &TaskContext) -> Result<(), TaskError> {
        Ok(())
    }

    fn flush(&mut self, _cx: &mut TaskContext) {}
}
