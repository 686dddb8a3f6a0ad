//! Side outputs: a second, named exit of a chain.

use std::any::Any;
use std::marker::PhantomData;

use crate::stage::{Outbox, TaskInfo};
use crate::{Batch, Data, DeadLetter, EventTime, Origin, SideOutput};

/// The side output of refused input, which every vertex has.
pub const DEAD_LETTERS: SideOutput<DeadLetter> = SideOutput::new("dead letters");

/// Makes the outlet of a side output on each subtask.
pub trait SideFactory: Send + Sync {
    /// Called once on the subtask; `edge` is the number of the output.
    fn open(&self, edge: usize, info: &TaskInfo) -> SideOutlet;
}

/// Makes outlets of one record type.
pub(crate) struct SideOf<T>(PhantomData<fn(T)>);

impl<T> SideOf<T> {
    pub(crate) fn new() -> Self {
        SideOf(PhantomData)
    }
}

impl<T: Data> SideFactory for SideOf<T> {
    fn open(&self, edge: usize, info: &TaskInfo) -> SideOutlet {
        let output = &info.outputs[edge];
        SideOutlet {
            name: output.name.clone(),
            buffer: Box::new(Buffer::<T> {
                open: Batch::default(),
                edge,
                // A side output is rare; dealing out whole batches in turn is even enough.
                receiver: if output.forward {
                    info.subtask.index
                } else {
                    info.subtask.index % output.receivers
                },
                receivers: if output.forward { None } else { Some(output.receivers) },
                batch_records: info.batch_records,
            }),
        }
    }
}

/// One side output of one subtask.
pub struct SideOutlet {
    name: String,
    buffer: Box<dyn AnyBuffer>,
}

impl SideOutlet {
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name == name
    }

    pub(crate) fn push<T: Data>(
        &mut self,
        value: T,
        time: EventTime,
        outbox: &mut Outbox,
        origin: Option<Origin>,
    ) {
        let any: &mut dyn Any = self.buffer.as_mut();
        let buffer: &mut Buffer<T> =
            any.downcast_mut().expect("a side output's name stands for one record type");
        buffer.open.push(value, time);
        if buffer.open.len() >= buffer.batch_records {
            buffer.flush(outbox, origin);
        }
    }

    pub(crate) fn flush(&mut self, outbox: &mut Outbox, origin: Option<Origin>) {
        self.buffer.flush(outbox, origin);
    }
}

trait AnyBuffer: Any + Send {
    fn flush(&mut self, outbox: &mut Outbox, origin: Option<Origin>);
}

struct Buffer<T> {
    open: Batch<T>,
    edge: usize,
    receiver: u32,
    receivers: Option<u32>,
    batch_records: usize,
}

impl<T: Data> AnyBuffer for Buffer<T> {
    fn flush(&mut self, outbox: &mut Outbox, origin: Option<Origin>) {
        if !self.open.is_empty() {
            outbox.hand_over(self.edge, self.receiver, &mut self.open, origin);
            if let Some(receivers) = self.receivers {
                self.receiver = (self.receiver + 1) % receivers;
            }
        }
    }
}
