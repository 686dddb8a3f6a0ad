//! What source and subtask actors have in common: a context, channels out, counters, a coordinator.

mod broken;

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::Recipient;
use watershed_core::causal::VectorClock;
use watershed_core::checkpoint::{ChannelCut, SplitCut};
use watershed_core::stage::{DEAD_LETTERS, Hold, TaskContext, TaskError};
use watershed_core::task::Task;
use watershed_core::{Epoch, ProcessingTime, Step, Watermark};
use watershed_protocol::checkpoint::{Authority, ParticipantEvent};

use crate::board::SubtaskBoard;
use crate::clock;
use crate::element::{Barrier, Element, Ending, GiveBack};
use crate::guard::guarded;
use crate::harm::{self, Point};
use crate::message::{Ended, Fetched, LeftOut, Report, Stop};
use crate::outbound::Outbounds;
use crate::participation::{Cut, Participation, Standing};
use crate::shared::Sharing;
use crate::wake::Bell;

#[cfg(test)]
mod tests;

pub(crate) use broken::{Broken, attempt};

/// One call that a task is owed. A step that says "again" stays at the head of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// The watermark has advanced.
    Watermark(Watermark),
    /// The wall clock has reached a deadline.
    ProcessingTime,
    /// Nothing comes for now: what is there goes out, and then the word.
    Idle,
    /// Something comes again.
    Active,
    /// The input is over: stages finish what they hold, at the watermark that they have.
    Drain,
}

/// How far a subtask has come in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Is being restored, or waits for the others to be.
    Waiting,
    /// Works.
    Running,
    /// Has nothing left to do; its last elements wait for credit.
    Ending,
    /// Has handed everything on.
    Finished,
    /// Has failed, or was told to stop: does nothing any more.
    Stopped,
}

/// What source and subtask actors have in common.
pub(crate) struct Station {
    pub(crate) cx: TaskContext,
    pub(crate) outbounds: Outbounds,
    pub(crate) phase: Phase,
    board: Arc<SubtaskBoard>,
    coordinator: Recipient<Report>,
    bell: Arc<Bell>,
    flush_after: Duration,
    flushed: Instant,
    /// Whether something has been done since the last flush.
    dirty: bool,
    woken: bool,
    /// How many barriers it has seen.
    barriers: u32,
    /// The newest complete checkpoint, as the newest barrier told.
    pub(crate) completed: Option<Epoch>,
    participation: Participation,
    /// Its side of shared state, where the job has any.
    sharing: Option<Sharing>,
}

impl Station {
    #[expect(clippy::too_many_arguments, reason = "it is made in one place, of what that place has")]
    pub(crate) fn new(
        cx: TaskContext,
        outbounds: Outbounds,
        board: Arc<SubtaskBoard>,
        coordinator: Recipient<Report>,
        bell: Arc<Bell>,
        flush_after: Duration,
        participation: Participation,
        sharing: Option<Sharing>,
    ) -> Self {
        Station {
            cx,
            outbounds,
            phase: Phase::Waiting,
            board,
            coordinator,
            bell,
            flush_after,
            flushed: Instant::now(),
            dirty: false,
            woken: false,
            barriers: 0,
            completed: None,
            participation,
            sharing,
        }
    }

    /// Whether the task may be called: it works, its output has credit, and what its input has seen of shared state is
    /// here.
    pub(crate) fn may_work(&self) -> bool {
        let waits = self.sharing.as_ref().is_some_and(Sharing::waits);
        self.phase == Phase::Running && !self.outbounds.is_blocked() && !waits
    }

    /// Whether a clock that came over a link can be one. Where nothing is shared, nobody sends any.
    pub(crate) fn believes(&self, clock: &VectorClock) -> bool {
        self.sharing.as_ref().is_some_and(|sharing| sharing.believes(clock))
    }

    /// Takes note of what the sender of whatever follows has seen of shared state.
    pub(crate) fn hear_seen(&mut self, clock: &VectorClock, epoch: Epoch) {
        if let Some(sharing) = &mut self.sharing {
            self.cx.epoch = sharing.hear(clock, epoch, self.cx.epoch);
            self.outbounds.tell_seen(sharing.seen());
        }
    }

    /// Whether a stage has stopped the input; a hold whose time has come is over.
    pub(crate) fn is_held(&mut self) -> bool {
        match self.cx.hold {
            Hold::Free => false,
            Hold::Woken | Hold::WokenAndUntil(_) => true,
            Hold::Until(until) if until <= self.cx.now() => {
                self.cx.hold = Hold::Free;
                false
            }
            Hold::Until(_) => true,
        }
    }

    /// Makes a call that the task is owed.
    pub(crate) fn call(&mut self, call: Call, task: &mut (impl Task + ?Sized)) -> Result<Step, TaskError> {
        let step = match call {
            Call::Watermark(watermark) => task.watermark(watermark, &mut self.cx),
            Call::ProcessingTime => task.processing_time(&mut self.cx),
            Call::Idle => {
                self.flush(task)?;
                self.outbounds.tell_last(self.cx.outbox.watermark, || Element::Idle);
                Step::Done
            }
            Call::Drain => task.watermark(self.cx.outbox.watermark, &mut self.cx),
            Call::Active => {
                self.outbounds.broadcast(|| Element::Active);
                Step::Done
            }
        };
        self.worked()?;
        Ok(step)
    }

    /// Lets a step wait at a call, for a wake-up: what the clock has reached and what is due to be flushed
    /// does not wait with it. Left undone, either would ring the alarm again at once, and again.
    pub(crate) fn wait_at(&mut self, call: Call, task: &mut (impl Task + ?Sized)) -> Result<(), TaskError> {
        let due = task.deadline().is_some_and(|deadline| deadline <= self.cx.now());
        if due && call != Call::ProcessingTime {
            // A step of this that says `Again` is still due, and is called with the next alarm.
            let _ = self.call(Call::ProcessingTime, task)?;
        }
        self.flush_if_due(task)
    }

    /// Hands over what a call has made ready. To be called after each.
    pub(crate) fn worked(&mut self) -> Result<(), TaskError> {
        self.dirty = true;
        if self.cx.take_touched_shared()
            && let Some(sharing) = &mut self.sharing
        {
            sharing.touched(self.cx.epoch);
            self.outbounds.tell_seen(sharing.seen());
        }
        self.outbounds.hand_over(&mut self.cx.outbox);
        self.cx.error.take().map_or(Ok(()), Err)
    }

    /// Reads the wall clock.
    pub(crate) fn look_at_clock(&mut self) {
        self.cx.set_now(clock::now());
    }

    /// Flushes if the last time is long enough ago.
    pub(crate) fn flush_if_due(&mut self, task: &mut (impl Task + ?Sized)) -> Result<(), TaskError> {
        if self.flush_due_in().is_some_and(|wait| wait.is_zero()) { self.flush(task) } else { Ok(()) }
    }

    /// Flushes if anything has been done since the last time.
    pub(crate) fn flush_if_dirty(&mut self, task: &mut (impl Task + ?Sized)) -> Result<(), TaskError> {
        if self.dirty { self.flush(task) } else { Ok(()) }
    }

    /// How long until a flush is due; `None` where there is nothing to flush.
    pub(crate) fn flush_due_in(&self) -> Option<Duration> {
        self.dirty.then(|| self.flush_after.saturating_sub(self.flushed.elapsed()))
    }

    /// Sends partial batches, tells the watermark, shows the counters.
    pub(crate) fn flush(&mut self, task: &mut (impl Task + ?Sized)) -> Result<(), TaskError> {
        task.flush(&mut self.cx);
        self.worked()?;
        self.outbounds.tell(self.cx.outbox.watermark);
        self.board.show(&self.cx.counters, self.cx.outbox.watermark);
        self.dirty = false;
        self.flushed = Instant::now();
        Ok(())
    }

    /// Takes credit back, or fails where there is more of it than was taken. Whether the channel had to be left out when the watermark was last told.
    pub(crate) fn give_back(&mut self, returned: GiveBack) -> bool {
        if self.phase == Phase::Stopped {
            return false;
        }
        // It comes as a message of its own, outside of the task's calls: what panics here would take the other subtasks
        // of the thread along, and tell nobody.
        let given = guarded(|| self.outbounds.give_back(returned, &mut self.cx.outbox));
        let behind = given.unwrap_or_else(|caught| {
            self.fail(Broken::Panicked(caught), None);
            false
        });
        self.dirty |= behind;
        behind
    }

    /// Ends the subtask's output: flushes, and says so downstream. Checkpoints still come, by trigger.
    pub(crate) fn end(&mut self, ending: Ending, task: &mut (impl Task + ?Sized)) -> Result<(), TaskError> {
        self.flush(task)?;
        self.phase = Phase::Ending;
        self.outbounds.tell_last(self.cx.outbox.watermark, || Element::End(ending));
        let (authority, subtask) = (self.participation.authority(), self.cx.info.subtask);
        self.coordinator.do_send(Report::Ended(Ended { authority, subtask, ending }));
        self.finish_if_sent();
        Ok(())
    }

    /// In whose name the subtask works.
    pub(crate) fn authority(&self) -> Authority {
        self.participation.authority()
    }

    /// Begins to restore what the subtask goes on from.
    pub(crate) fn restore(&mut self, task: &mut (impl Task + ?Sized)) -> Result<(), TaskError> {
        self.participation.restore(task, &self.cx)
    }

    /// Takes in what the subtask goes on from.
    pub(crate) fn fetched(
        &mut self,
        fetched: Fetched,
        task: &mut (impl Task + ?Sized),
    ) -> Result<(), TaskError> {
        let standing = self.participation.fetched(fetched, task, &self.cx)?;
        self.take_up(standing);
        Ok(())
    }

    /// Lets the subtask's participant hear an event other than a cut.
    pub(crate) fn attend(
        &mut self,
        event: ParticipantEvent,
        task: &mut (impl Task + ?Sized),
    ) -> Result<(), TaskError> {
        let standing = self.participation.hear(event, None, task, &self.cx)?;
        self.take_up(standing);
        Ok(())
    }

    /// Cuts the stream here: all that was worked on belongs to the checkpoint, what follows does not.
    pub(crate) fn cut(
        &mut self,
        epoch: Epoch,
        received: Vec<ChannelCut>,
        splits: Vec<SplitCut>,
        task: &mut (impl Task + ?Sized),
    ) -> Result<(), TaskError> {
        let begun = Instant::now();
        harm::reach_in(Point::BarrierSeen, &self.cx.info.uids);
        let finished = match self.phase {
            Phase::Running => {
                self.flush(task)?;
                let barrier = Barrier { epoch, completed: self.completed };
                self.outbounds.broadcast(|| Element::Barrier(barrier));
                false
            }
            // Nothing follows on its channels, not even a barrier.
            Phase::Ending | Phase::Finished => true,
            Phase::Waiting | Phase::Stopped => return Ok(()),
        };
        self.pass_barrier(epoch);
        let completed = self.completed;
        let shared = self.sharing.as_mut().map(|sharing| sharing.pass(epoch, completed));
        self.cx.epoch = Epoch(epoch.0 + 1);
        let cut = Cut { received, sent: self.outbounds.cuts(), splits, finished, completed, shared };
        let standing = self.participation.hear(ParticipantEvent::Cut { epoch }, Some(cut), task, &self.cx)?;
        self.participation.paused(begun.elapsed());
        self.take_up(standing);
        Ok(())
    }

    /// Tells of the records that were left out before a barrier, and takes care no longer than is asked for.
    fn pass_barrier(&mut self, epoch: Epoch) {
        self.barriers = self.barriers.saturating_add(1);
        let Some(care) = &mut self.cx.care else { return };
        let records = care.take_left_out();
        if !records.is_empty() {
            let authority = self.participation.authority();
            self.coordinator.do_send(Report::LeftOut(LeftOut { authority, epoch, records }));
        }
        if !care.pass_barrier() {
            self.cx.care = None;
        }
    }

    fn take_up(&mut self, standing: Standing) {
        match standing {
            Standing::Same => {}
            Standing::Begins => self.phase = Phase::Running,
            Standing::Over => self.phase = Phase::Stopped,
        }
    }

    /// Notices that the last element has found credit.
    pub(crate) fn finish_if_sent(&mut self) {
        if self.phase == Phase::Ending && !self.outbounds.is_blocked() {
            self.phase = Phase::Finished;
        }
    }

    /// How long until the subtask wants to be called by the clock, if at all: to flush, to fire timers, to
    /// end a hold.
    pub(crate) fn wait(&self, task: &(impl Task + ?Sized)) -> Option<Duration> {
        // While it is blocked, credit is what calls it.
        if self.phase != Phase::Running || self.outbounds.is_blocked() {
            return None;
        }
        let hold = match self.cx.hold {
            Hold::Until(until) => Some(until),
            Hold::Free | Hold::Woken | Hold::WokenAndUntil(_) => None,
        };
        let now = clock::now().as_millis();
        let until =
            |at: ProcessingTime| Duration::from_millis(at.as_millis().saturating_sub(now).max(0) as u64);
        let clock = task.deadline().into_iter().chain(hold).map(until);
        clock.chain(self.flush_due_in()).min()
    }

    /// Takes note of a wake-up. What it is about is looked at when the task may be called.
    pub(crate) fn hear(&mut self) {
        self.bell.heard();
        self.woken = true;
        if let Some(sharing) = &mut self.sharing {
            sharing.look();
        }
    }

    /// Whether somebody has woken the subtask since its stages were last told.
    pub(crate) fn is_woken(&self) -> bool {
        self.woken
    }

    /// Lets stages look at what woke them; a hold until a wake-up is over, unless they ask for another.
    pub(crate) fn wake(&mut self, task: &mut (impl Task + ?Sized)) -> Result<(), TaskError> {
        self.woken = false;
        self.cx.hold = self.cx.hold.woken();
        task.wake(&mut self.cx);
        self.worked()
    }

    /// Ends the subtask, whatever it was doing: the last dead letters are sent, and what will never be decided is
    /// taken back.
    pub(crate) fn stop(&mut self, stop: Stop, task: &mut (impl Task + ?Sized)) {
        let Stop { authority, take_back_after, flushes } = stop;
        let ran = self.phase == Phase::Running;
        self.phase = Phase::Stopped;
        let outputs = self.cx.info.clone();
        let is_letters = |edge: usize| outputs.outputs[edge].name == DEAD_LETTERS.name();
        let rest = guarded(|| {
            self.cx.flush_dead_letters();
            if flushes && ran {
                task.flush(&mut self.cx);
            }
            self.outbounds.send_rest(&mut self.cx.outbox, |edge| flushes || is_letters(edge));
        });
        if let Err(caught) = rest {
            tracing::warn!(subtask = %self.cx.info.subtask, message = caught.message, "the last dead letters are lost");
        }
        self.board.show(&self.cx.counters, self.cx.outbox.watermark);
        let event = ParticipantEvent::EndRun { authority, take_back_after };
        if let Err(caught) = guarded(|| self.participation.hear(event, None, task, &self.cx)) {
            tracing::warn!(subtask = %self.cx.info.subtask, message = caught.message, "taking back panicked");
        }
    }
}
