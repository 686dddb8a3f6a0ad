//! A plain loop over batches on each thread.

use std::thread;

use crate::system::Finished;
use crate::tally::Tally;
use crate::workload::{Parameters, SUBTASKS};

const BATCH: usize = 1_024;

/// Runs the workload: each thread takes one half of the numbers.
pub(super) fn run(parameters: &Parameters) -> Finished {
    let events = parameters.events;
    let part = |subtask: usize| events * subtask as u64 / SUBTASKS as u64;
    let tally = thread::scope(|scope| {
        let threads: Vec<_> = (0..SUBTASKS)
            .map(|subtask| scope.spawn(move || keep_even(part(subtask), part(subtask + 1))))
            .collect();
        let tallies =
            threads.into_iter().map(|thread| thread.join().expect("a thread that counts does not panic"));
        tallies.fold(Tally::default(), Tally::merge)
    });
    Finished { events, tally, latency: None }
}

/// Maps the numbers from `next` to `end`, keeps the even ones in front of the batch and discards them there.
fn keep_even(mut next: u64, end: u64) -> Tally {
    let mut batch = [0; BATCH];
    let mut tally = Tally::default();
    while next < end {
        let filled = BATCH.min(usize::try_from(end - next).unwrap_or(BATCH));
        for (number, i) in batch[..filled].iter_mut().zip(next..) {
            *number = i;
        }
        next += filled as u64;
        for number in &mut batch[..filled] {
            *number = number.wrapping_mul(3).wrapping_add(1);
        }
        let mut kept = 0;
        for i in 0..filled {
            // Every number is written, and stays only if the place moves on: no branch to guess.
            let number = batch[i];
            batch[kept] = number;
            kept += usize::from(number % 2 == 0);
        }
        tally.sum += kept as u64;
        tally.checksum = batch[..kept].iter().fold(tally.checksum, |sum, number| sum.wrapping_add(*number));
    }
    tally.results = tally.sum;
    tally
}
