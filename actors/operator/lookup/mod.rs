//! Asks a service about each record, many at a time.

mod call;
mod calls;
mod waker;

#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::marker::PhantomData;
use std::time::Duration;

use watershed_core::{
    Data, DeadLetter, EventTime, Output, ProcessingTime, SideOutput, Step, Transform, Watermark,
};

pub use call::Answer;
use call::{Call, Phase};
pub use calls::Calls;

/// Turns each record into what an asynchronous service answers about it.
///
/// So many calls are in flight at a time in each subtask ([`in_flight`](Lookup::in_flight)); when that is
/// full the subtask's input pauses. A try that takes longer than the [`timeout`](Lookup::timeout) or ends
/// in an error is repeated after a pause that doubles each time ([`retries`](Lookup::retries)). A record
/// whose last try fails becomes a dead letter, unless it is [sent elsewhere](Lookup::failed_to) or
/// [dropped](Lookup::drop_failed).
///
/// Answers have the times of their records. They leave in the records' order ([`Lookup::ordered`]), where a
/// slow one keeps those behind it waiting, or as they come ([`Lookup::unordered`]); either way the watermark
/// waits for the answers to all records before it.
///
/// A checkpoint holds the records that wait for their answer, and a restore asks again: the service may be
/// asked twice, the answer is emitted once.
///
/// ```
/// use std::time::Duration;
/// use watershed_actors::operator::Lookup;
/// use watershed_core::testing::{Harness, Input};
///
/// async fn city(airport: String) -> Result<String, std::io::Error> {
///     Ok(if airport == "EWR" { "Newark".to_owned() } else { "New York".to_owned() })
/// }
///
/// let lookup = Lookup::ordered(city).in_flight(100).timeout(Duration::from_secs(2));
/// let mut harness = Harness::transform(lookup);
/// harness.run([Input::at(1, "EWR".to_owned()), Input::at(2, "JFK".to_owned())]);
/// assert_eq!(harness.values(), ["Newark", "New York"]);
/// ```
///
/// The futures run on the thread of their subtask, which is a tokio runtime's. They must not block it.
#[derive(Debug)]
pub struct Lookup<T, O, S> {
    service: S,
    ordered: bool,
    in_flight: usize,
    timeout: Duration,
    retries: u32,
    pause: Duration,
    pause_max: Duration,
    failed: FailedTo<T>,
    of: PhantomData<fn(T) -> O>,
}

/// Where a record goes whose last try has failed.
#[derive(Debug)]
enum FailedTo<T> {
    DeadLetters,
    Side(SideOutput<T>),
    Nowhere,
}

impl<T> Clone for FailedTo<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for FailedTo<T> {}

/// How many calls are in flight unless told otherwise.
const IN_FLIGHT: usize = 64;
/// How long a try may take unless told otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often a try is repeated, after which pauses, unless told otherwise.
const RETRIES: (u32, Duration, Duration) = (3, Duration::from_millis(100), Duration::from_secs(10));

impl<T: Data, O: Data> Lookup<T, O, ()> {
    /// Answers leave in the order of their records.
    pub fn ordered<S, A, E>(service: S) -> Lookup<T, O, impl Fn(T) -> Answer<O> + Clone + Send + 'static>
    where
        S: Fn(T) -> A + Clone + Send + 'static,
        A: Future<Output = Result<O, E>> + Send + 'static,
        E: Display,
    {
        Lookup::new(service, true)
    }

    /// Answers leave as they come, but never across a watermark.
    pub fn unordered<S, A, E>(service: S) -> Lookup<T, O, impl Fn(T) -> Answer<O> + Clone + Send + 'static>
    where
        S: Fn(T) -> A + Clone + Send + 'static,
        A: Future<Output = Result<O, E>> + Send + 'static,
        E: Display,
    {
        Lookup::new(service, false)
    }

    fn new<S, A, E>(
        service: S,
        ordered: bool,
    ) -> Lookup<T, O, impl Fn(T) -> Answer<O> + Clone + Send + 'static>
    where
        S: Fn(T) -> A + Clone + Send + 'static,
        A: Future<Output = Result<O, E>> + Send + 'static,
        E: Display,
    {
        let service = move |record| -> Answer<O> {
            let answer = service(record);
            Box::pin(async move { answer.await.map_err(|error| error.to_string()) })
        };
        let (retries, pause, pause_max) = RETRIES;
        Lookup {
            service,
            ordered,
            in_flight: IN_FLIGHT,
            timeout: TIMEOUT,
            retries,
            pause,
            pause_max,
            failed: FailedTo::DeadLetters,
            of: PhantomData,
        }
    }
}

impl<T, O, S> Lookup<T, O, S> {
    /// Asks about so many records at a time, at least one; 64 unless told otherwise.
    ///
    /// A record counts from its first try until its answer is emitted, pauses before another try and, in
    /// order, the wait for those before it included.
    #[must_use]
    pub fn in_flight(mut self, records: usize) -> Self {
        self.in_flight = records.max(1);
        self
    }

    /// Gives a try up after so long; 10 seconds unless told otherwise.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Tries so many times more after a failure, first after `pause`, then after twice as long each time and
    /// at most `pause_max`; 3 times from 100 milliseconds to 10 seconds unless told otherwise.
    #[must_use]
    pub const fn retries(mut self, retries: u32, pause: Duration, pause_max: Duration) -> Self {
        (self.retries, self.pause, self.pause_max) = (retries, pause, pause_max);
        self
    }

    /// Sends records whose last try failed to a side output, instead of the dead letters.
    #[must_use]
    pub fn failed_to(mut self, side: SideOutput<T>) -> Self {
        self.failed = FailedTo::Side(side);
        self
    }

    /// Drops records whose last try failed.
    #[must_use]
    pub fn drop_failed(mut self) -> Self {
        self.failed = FailedTo::Nowhere;
        self
    }

    /// How long to wait after so many failed tries.
    fn pause_after(&self, tries: u32) -> Duration {
        let doubled = 1_u32.checked_shl(tries - 1).unwrap_or(u32::MAX);
        self.pause.saturating_mul(doubled).min(self.pause_max)
    }
}

impl<T, O, S: Clone> Clone for Lookup<T, O, S> {
    fn clone(&self) -> Self {
        Lookup { service: self.service.clone(), ..*self }
    }
}

impl<T: Data, O: Data, S: Fn(T) -> Answer<O>> Lookup<T, O, S> {
    /// Moves everything on that can move: looks at calls that were woken and at the clock, emits answers,
    /// and begins calls in the places that become free.
    fn advance(&self, calls: &mut Calls<T, O>, out: &mut impl Output<O>) {
        for number in calls.woken() {
            self.poll(number, calls, out);
        }
        while let Some(number) = calls.pop_alarm(out.now()) {
            match calls.phase(number) {
                Phase::Asking(_) => {
                    let reason = format!("no answer within {:?}", self.timeout);
                    self.fail(number, reason, calls, out);
                }
                Phase::Pausing => self.ask(number, calls, out),
                Phase::Queued | Phase::Answered(_) | Phase::Failed(_) => {
                    unreachable!("only calls that ask or pause have an alarm")
                }
            }
        }
        loop {
            while let Some(number) = calls.begin(self.in_flight) {
                self.ask(number, calls, out);
            }
            let Some(call) = calls.pop_ended(self.ordered) else { break };
            self.conclude(call, out);
        }
    }

    /// Begins a try.
    fn ask(&self, number: u64, calls: &mut Calls<T, O>, out: &mut impl Output<O>) {
        let answer = (self.service)(calls.record(number).clone());
        calls.ask(number, answer, out.now().after(self.timeout), out.waker());
        self.poll(number, calls, out);
    }

    /// Looks whether a try has ended.
    fn poll(&self, number: u64, calls: &mut Calls<T, O>, out: &mut impl Output<O>) {
        match calls.poll(number) {
            Some(Ok(answer)) => calls.end(number, Phase::Answered(answer)),
            Some(Err(reason)) => self.fail(number, reason, calls, out),
            None => {}
        }
    }

    /// Notes that a try has failed; another one follows after a pause, unless it was the last.
    fn fail(&self, number: u64, reason: String, calls: &mut Calls<T, O>, out: &mut impl Output<O>) {
        let tries = calls.count_try(number);
        if tries > self.retries {
            calls.end(number, Phase::Failed(reason));
        } else {
            calls.pause(number, out.now().after(self.pause_after(tries)));
        }
    }

    /// Emits an answer, or sends the record where those without one go.
    fn conclude(&self, call: Call<T, O>, out: &mut impl Output<O>) {
        match (call.phase, &self.failed) {
            (Phase::Answered(answer), _) => out.emit_at(answer, call.time),
            (Phase::Failed(reason), FailedTo::DeadLetters) => {
                let origin = format!("record at {}", call.time);
                let reason = format!("look-up failed {} times, at last: {reason}", call.tries);
                let bytes = serde_json::to_vec(&call.record).unwrap_or_default();
                out.dead_letter(DeadLetter::new(origin, reason, &bytes));
            }
            (Phase::Failed(_), FailedTo::Side(side)) => out.side(side, call.record),
            (Phase::Failed(_), FailedTo::Nowhere) => {}
            (Phase::Queued | Phase::Asking(_) | Phase::Pausing, _) => {
                unreachable!("only calls that have ended are concluded")
            }
        }
    }

    /// Holds the input while no further call may begin, and lets it come again when one may.
    fn hold_while_full(&self, calls: &mut Calls<T, O>, out: &mut impl Output<O>) {
        let full = calls.len() >= self.in_flight;
        if full {
            out.hold();
        } else if calls.held {
            // Places became free without a wake-up, by the clock: the hold ends by one.
            out.waker().wake_by_ref();
        }
        calls.held = full;
    }
}

impl<T, O, S> Transform for Lookup<T, O, S>
where
    T: Data,
    O: Data,
    S: Fn(T) -> Answer<O> + Clone + Send + 'static,
{
    type In = T;
    type Out = O;
    type State = Calls<T, O>;

    fn on_record(&self, record: T, time: EventTime, calls: &mut Calls<T, O>, out: &mut impl Output<O>) {
        calls.enqueue(record, time);
        self.advance(calls, out);
        self.hold_while_full(calls, out);
    }

    fn on_watermark(&self, _: Watermark, calls: &mut Calls<T, O>, out: &mut impl Output<O>) -> Step {
        self.advance(calls, out);
        if calls.len() == 0 {
            self.hold_while_full(calls, out);
            Step::Done
        } else {
            calls.held = true;
            out.hold();
            Step::Again
        }
    }

    fn on_processing_time(
        &self,
        _: ProcessingTime,
        calls: &mut Calls<T, O>,
        out: &mut impl Output<O>,
    ) -> Step {
        self.advance(calls, out);
        self.hold_while_full(calls, out);
        Step::Done
    }

    fn deadline(&self, calls: &Calls<T, O>) -> Option<ProcessingTime> {
        calls.deadline(self.in_flight)
    }

    fn on_wake(&self, calls: &mut Calls<T, O>, out: &mut impl Output<O>) {
        calls.held = false;
        self.advance(calls, out);
        self.hold_while_full(calls, out);
    }
}
