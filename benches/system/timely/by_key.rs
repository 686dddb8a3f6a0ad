//! Sends events to the worker of their key.
//!
//! timely's own `Exchange` puts records one by one into container builders, which is half of its time in
//! `keyed-count`; a distributor that knows its records writes them straight into the vectors that are sent.

use timely::communication::Push;
use timely::dataflow::channels::Message;
use timely::dataflow::channels::pact::DistributorPact;
use timely::dataflow::channels::pushers::exchange::Distributor;

use super::events::Event;

/// The pact of streams that are counted by key.
pub(super) fn by_key() -> DistributorPact<fn(usize) -> ByKey> {
    DistributorPact(ByKey::new)
}

/// Keeps a vector for each worker.
pub(super) struct ByKey {
    batches: Vec<Vec<Event>>,
}

impl ByKey {
    fn new(workers: usize) -> Self {
        assert!(workers.is_power_of_two(), "the lowest bits of a key choose the worker");
        Self { batches: vec![Vec::new(); workers] }
    }
}

impl Distributor<Vec<Event>> for ByKey {
    fn partition<T: Clone, P: Push<Message<T, Vec<Event>>>>(
        &mut self,
        events: &mut Vec<Event>,
        time: &T,
        workers: &mut [P],
    ) {
        let mask = self.batches.len() - 1;
        self.batches.iter_mut().for_each(|batch| batch.reserve(events.len()));
        for event in events.drain(..) {
            // Indexed, not branched on: the worker of the next event cannot be guessed.
            self.batches[event.0 as usize & mask].push(event);
        }
        self.flush(time, workers);
    }

    fn flush<T: Clone, P: Push<Message<T, Vec<Event>>>>(&mut self, time: &T, workers: &mut [P]) {
        for (batch, worker) in self.batches.iter_mut().zip(workers) {
            if !batch.is_empty() {
                Message::push_at(batch, time.clone(), worker);
                batch.clear();
            }
        }
    }
}
