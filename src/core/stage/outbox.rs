//! Batches on their way out of a subtask.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::stage::side::SideFactory;
use crate::{AnyBatch, Batch, Data, Origin, Watermark};

/// The name of a vertex's main output.
pub const MAIN: &str = "";

/// An edge that leaves a vertex, as its subtasks see it.
#[derive(Clone)]
pub struct OutputInfo {
    /// [`MAIN`], or the name of a side output.
    pub name: String,
    /// How many subtasks are at the other end.
    pub receivers: u32,
    /// Whether subtask i sends to subtask i only.
    pub forward: bool,
    /// Makes the outlet of a side output.
    pub side: Option<Arc<dyn SideFactory>>,
}

impl std::fmt::Debug for OutputInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "output {:?} to {} receivers", self.name, self.receivers)
    }
}

/// A batch that is ready to be handed over.
#[derive(Debug)]
pub struct Outgoing {
    /// Which of the vertex's outputs.
    pub edge: usize,
    /// Which subtask at its other end.
    pub receiver: u32,
    /// The records.
    pub batch: AnyBatch,
    /// The watermark behind which none of this subtask's records for the receiver is left.
    pub watermark: Watermark,
    /// How far the source of the last record had been read.
    pub origin: Option<Origin>,
}

/// Batches that are ready to be handed over, and empty ones that came back.
pub struct Outbox {
    /// Ready batches, first to last. The runtime takes them out after each call of the task.
    pub ready: VecDeque<Outgoing>,
    /// The watermark that has passed the whole chain.
    pub watermark: Watermark,
    edges: Vec<Edge>,
}

struct Edge {
    pool: Vec<AnyBatch>,
    queued: Vec<u32>,
    batch_records: usize,
}

/// How many empty batches an edge keeps per receiver.
const POOL_PER_RECEIVER: usize = 4;

impl Outbox {
    /// An empty outbox for these outputs, whose batches hold so many records.
    pub fn new(outputs: &[OutputInfo], batch_records: usize) -> Self {
        let edge = |output: &OutputInfo| Edge {
            pool: Vec::new(),
            queued: vec![0; output.receivers as usize],
            batch_records,
        };
        Outbox {
            ready: VecDeque::new(),
            watermark: Watermark::MIN,
            edges: outputs.iter().map(edge).collect(),
        }
    }

    /// Makes the records of `open` ready for a receiver, and leaves an empty batch in its place.
    pub fn hand_over<T: Data>(
        &mut self,
        edge: usize,
        receiver: u32,
        open: &mut Batch<T>,
        origin: Option<Origin>,
    ) {
        let mut batch = match self.edges[edge].pool.pop() {
            Some(empty) => empty.downcast::<T>(),
            None => Box::new(Batch::with_capacity(open.len())),
        };
        std::mem::swap(open, &mut batch);
        self.edges[edge].queued[receiver as usize] += 1;
        self.ready.push_back(Outgoing {
            edge,
            receiver,
            batch: AnyBatch::new(batch),
            watermark: self.watermark,
            origin,
        });
    }

    /// Takes note that a receiver has emptied a batch.
    pub fn came_back(&mut self, edge: usize, receiver: u32) {
        let queued = &mut self.edges[edge].queued[receiver as usize];
        *queued = queued.saturating_sub(1);
    }

    /// Keeps an emptied batch to be filled again.
    pub fn keep(&mut self, edge: usize, empty: AnyBatch) {
        let edge = &mut self.edges[edge];
        if edge.pool.len() < POOL_PER_RECEIVER * edge.queued.len() {
            edge.pool.push(empty);
        }
    }

    /// Takes the ready batches for a receiver out, first to last.
    pub fn take(&mut self, edge: usize, receiver: u32) -> Vec<AnyBatch> {
        let (taken, kept) = std::mem::take(&mut self.ready)
            .into_iter()
            .partition::<VecDeque<_>, _>(|ready| ready.edge == edge && ready.receiver == receiver);
        self.ready = kept;
        taken.into_iter().map(|ready| ready.batch).collect()
    }

    /// How many records make a batch of an output that is handed over at once.
    #[inline]
    pub fn batch_records(&self, edge: usize) -> usize {
        self.edges[edge].batch_records
    }

    /// Sets how many records make a batch of an output. Whoever fills batches looks at it with each that it hands
    /// over.
    pub fn set_batch_records(&mut self, edge: usize, records: usize) {
        self.edges[edge].batch_records = records;
    }

    /// How many batches each receiver of an output has been sent and not given back.
    #[inline]
    pub fn queued(&self, edge: usize) -> &[u32] {
        &self.edges[edge].queued
    }

    /// Whether a batch is ready to be handed over.
    #[inline]
    pub fn is_full(&self) -> bool {
        !self.ready.is_empty()
    }
}
