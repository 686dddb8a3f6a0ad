//! A sensor's subtask: votes, and writes.

use watershed::actors::resolver::{Round, Tally, VoteUpdate};
use watershed::core::Loads;
use watershed::core::shared::AnyShared;
use watershed::prelude::*;

use super::{Latest, Offsets, Reading, Votes};

/// Sends each value to the subtask that has its number: a voter is a subtask, so each sensor needs its own.
#[derive(Clone)]
pub(crate) struct BySubtask<F> {
    number: F,
    receivers: u32,
}

impl<F> BySubtask<F> {
    pub(crate) fn new(number: F) -> Self {
        BySubtask { number, receivers: 1 }
    }
}

impl<T, F: Fn(&T) -> u32 + Clone + Send + 'static> Partitioner<T> for BySubtask<F> {
    fn open(&mut self, receivers: u32, _: KeyGroups, _: u32) {
        self.receivers = receivers;
    }

    fn route(&mut self, value: &T, _: Loads<'_>) -> u32 {
        (self.number)(value) % self.receivers
    }
}

/// Votes for what the sensor reads, set right, and writes it, and says so to those who decide.
#[derive(Clone)]
pub(crate) struct Observe<T: Tally<f64>> {
    pub(crate) votes: Votes<T>,
    pub(crate) latest: Latest,
    pub(crate) offsets: Offsets,
}

impl<T: Tally<f64>> Transform for Observe<T> {
    type In = Reading;
    type Out = Reading;
    type State = ();

    fn shared(&self) -> Vec<AnyShared> {
        vec![self.votes.any(), self.latest.any(), self.offsets.any()]
    }

    fn on_record(&self, reading: Reading, _: EventTime, (): &mut (), out: &mut impl Output<Reading>) {
        let Reading { round, sensor, celsius } = reading;
        let offset = out.read(&self.offsets, &sensor).map_or(0, |agreed| agreed.value);
        let celsius = celsius + f64::from(offset) / 1000.0;
        let cast = VoteUpdate::Cast { round: Round(round), value: celsius };
        let voted = out.update(&self.votes, &round, cast);
        let written = out.update(&self.latest, &round, (sensor, celsius).into());
        match voted.and(written) {
            Ok(()) => out.emit(Reading { round, sensor, celsius }),
            Err(refusal) => {
                let origin = format!("sensor {sensor} in round {round}");
                out.dead_letter(DeadLetter::new(origin, refusal.to_string(), &[]));
            }
        }
    }
}
