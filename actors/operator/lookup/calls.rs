//! The records of a subtask that wait for their answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use watershed_core::state::{Saving, Sections, State};
use watershed_core::{Data, EventTime, ProcessingTime, Record, StateError};

use super::call::{Answer, Asking, Call, Phase};
use super::waker::Woken;

/// The records that wait for their answers, and how far each has come.
///
/// The records are saved, in their order; what was under way for them is not, and begins anew after a
/// restore.
pub struct Calls<T, O> {
    /// By number, that is in the order of the records.
    calls: BTreeMap<u64, Call<T, O>>,
    /// The number of the next record.
    next: u64,
    /// The number of the first record of which no try has begun. Calls begin in order.
    queued: u64,
    /// Calls that have ended and are not concluded.
    ended: BTreeSet<u64>,
    alarms: BTreeSet<(ProcessingTime, u64)>,
    woken: Arc<Woken>,
    /// Whether the input is held until a wake-up.
    pub(super) held: bool,
}

impl<T, O> Default for Calls<T, O> {
    fn default() -> Self {
        Calls {
            calls: BTreeMap::new(),
            next: 0,
            queued: 0,
            ended: BTreeSet::new(),
            alarms: BTreeSet::new(),
            woken: Arc::default(),
            held: false,
        }
    }
}

impl<T, O> Calls<T, O> {
    /// Adds a record at the end of the queue.
    pub(super) fn enqueue(&mut self, record: T, time: EventTime) {
        self.calls.insert(self.next, Call { record, time, tries: 0, alarm: None, phase: Phase::Queued });
        self.next += 1;
    }

    /// How many records wait, from the queue to those whose answer waits for others.
    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    /// Takes the first record out of the queue, if fewer than `in_flight` are out already; its number.
    pub(super) fn begin(&mut self, in_flight: usize) -> Option<u64> {
        if !self.may_begin(in_flight) {
            return None;
        }
        self.queued += 1;
        Some(self.queued - 1)
    }

    fn may_begin(&self, in_flight: usize) -> bool {
        let waiting = (self.next - self.queued) as usize;
        waiting > 0 && self.calls.len() - waiting < in_flight
    }

    pub(super) fn record(&self, number: u64) -> &T {
        &self.calls[&number].record
    }

    pub(super) fn phase(&self, number: u64) -> &Phase<O> {
        &self.calls[&number].phase
    }

    /// Notes that a try is under way.
    pub(super) fn ask(&mut self, number: u64, answer: Answer<O>, until: ProcessingTime, subtask: &Waker) {
        let waker = self.woken.waker(number, subtask);
        self.change(number, Phase::Asking(Asking { answer, waker }), Some(until));
    }

    /// Notes that another try follows after a pause.
    pub(super) fn pause(&mut self, number: u64, until: ProcessingTime) {
        self.change(number, Phase::Pausing, Some(until));
    }

    /// Notes how a call has ended.
    pub(super) fn end(&mut self, number: u64, phase: Phase<O>) {
        self.change(number, phase, None);
        self.ended.insert(number);
    }

    fn change(&mut self, number: u64, phase: Phase<O>, alarm: Option<ProcessingTime>) {
        let call = self.calls.get_mut(&number).expect("a call is there until it is concluded");
        if let Some(at) = call.alarm.take() {
            self.alarms.remove(&(at, number));
        }
        if let Some(at) = alarm {
            self.alarms.insert((at, number));
        }
        (call.phase, call.alarm) = (phase, alarm);
    }

    /// Looks whether the try of a call has ended. A wake-up may be for a try, or a call, that is gone.
    pub(super) fn poll(&mut self, number: u64) -> Option<Result<O, String>> {
        let Phase::Asking(asking) = &mut self.calls.get_mut(&number)?.phase else { return None };
        match asking.answer.as_mut().poll(&mut Context::from_waker(&asking.waker)) {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => None,
        }
    }

    /// Counts a try that failed; how many these are.
    pub(super) fn count_try(&mut self, number: u64) -> u32 {
        let call = self.calls.get_mut(&number).expect("a call is there until it is concluded");
        call.tries += 1;
        call.tries
    }

    /// Takes out the numbers of calls that were woken.
    pub(super) fn woken(&self) -> BTreeSet<u64> {
        self.woken.take()
    }

    /// Takes out the first call whose alarm the clock has reached.
    pub(super) fn pop_alarm(&mut self, now: ProcessingTime) -> Option<u64> {
        let (at, number) = *self.alarms.first()?;
        if at > now {
            return None;
        }
        self.alarms.pop_first();
        Some(number)
    }

    /// Takes out a call that has ended; where order is kept, only the first of all.
    pub(super) fn pop_ended(&mut self, ordered: bool) -> Option<Call<T, O>> {
        let first = *self.ended.first()?;
        if ordered && self.calls.first_key_value().is_none_or(|(number, _)| *number != first) {
            return None;
        }
        self.ended.pop_first();
        self.calls.remove(&first)
    }

    /// When the clock has something to say: at once where restored records wait to begin.
    pub(super) fn deadline(&self, in_flight: usize) -> Option<ProcessingTime> {
        if self.may_begin(in_flight) {
            return Some(ProcessingTime::from_millis(i64::MIN));
        }
        self.alarms.first().map(|(at, _)| *at)
    }
}

impl<T: Data, O: Data> State for Calls<T, O> {
    fn save(&mut self, saving: &mut Saving) {
        let records: Vec<_> =
            self.calls.values().map(|call| Record::new(call.record.clone(), call.time)).collect();
        saving.put_whole(records);
    }

    fn load(&mut self, sections: &Sections) -> Result<(), StateError> {
        for piece in sections.whole::<Vec<Record<T>>>() {
            for record in piece? {
                self.enqueue(record.value, record.time);
            }
        }
        Ok(())
    }
}
