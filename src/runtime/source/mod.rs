//! The actor of a source's subtask: reads its splits, the one that lies furthest back in time first.
//!
//! Reading the hindmost split first keeps the splits of a subtask close together in event time, so that
//! windows hold little more than what is out of order within a split.

mod actor;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use watershed_core::checkpoint::SplitCut;
use watershed_core::spi::{Polled, SplitLog};
use watershed_core::stage::{TaskContext, TaskError};
use watershed_core::task::SourceTask;
use watershed_core::{Epoch, Origin, Position, Step, Watermark};
use watershed_protocol::{Machine, WatermarkEffect, WatermarkEvent, WatermarkMerge};
use watershed_state::IngressLogs;

use crate::clock::Stopwatch;
use crate::config::Config;
use crate::convoy::Place;
use crate::element::Ending;
use crate::harm::leash::{self, Leash};
use crate::pace::Portion;
use crate::split::{Assigned, OpenSplit, Readiness};
use crate::station::{Call, Phase, Station, attempt};

pub(crate) use actor::SourceActor;

/// All of a source's subtask but its mailbox.
struct SourceCore {
    station: Station,
    task: Box<dyn SourceTask>,
    config: Config,
    place: Place,
    /// How many records are read at once.
    portion: Portion,
    leash: Leash,
    splits: Vec<OpenSplit>,
    /// Splits that are not open yet.
    closed: VecDeque<Assigned>,
    /// Splits that an earlier run has read to their ends.
    done: Vec<Assigned>,
    merge: WatermarkMerge,
    effects: Vec<WatermarkEffect>,
    stopwatch: Stopwatch,
    calls: VecDeque<Call>,
    /// Which split was read last; among equals the next one's turn comes.
    last: usize,
    ended: bool,
    ending: Ending,
    /// Whether nothing is to be read for now: the job stops at a checkpoint.
    paused: bool,
    /// Whether a message to go on is under way.
    turning: bool,
    alarm: Option<Instant>,
    /// How long until the task wants to be called by the clock.
    wanted: Option<Duration>,
    /// The split that is being opened.
    opening: Option<String>,
    /// Where the logs are of sources that need one.
    logs: Option<IngressLogs>,
}

/// Opens a split, with its log where the job has logs.
fn open_split(
    task: &mut dyn SourceTask,
    assigned: &Assigned,
    logs: Option<&IngressLogs>,
    cx: &TaskContext,
) -> Result<(), TaskError> {
    let uid = cx.info.uids.first().expect("a source has a name");
    let log = logs.map(|logs| logs.log(uid, assigned.id));
    task.open_split(&assigned.split, assigned.start(), log.as_ref().map(|log| log as &dyn SplitLog))
}

impl SourceCore {
    /// Reads for a turn. Whether there is more to do at once.
    fn turn(&mut self) -> Result<bool, TaskError> {
        let (mut polls, begun) = (0, Instant::now());
        loop {
            self.station.look_at_clock();
            if !self.station.may_work() {
                // The time in which nothing could be read is not held against the splits.
                self.stopwatch.pause();
                self.station.finish_if_sent();
                return Ok(false);
            }
            self.stopwatch.resume();
            if self.station.is_woken() {
                self.station.wake(self.task.chain_mut())?;
            } else if let Some(call) = self.calls.front().copied() {
                if self.station.call(call, self.task.chain_mut())? == Step::Done {
                    self.calls.pop_front();
                } else if !self.station.outbounds.is_blocked() && self.station.is_held() {
                    self.station.wait_at(call, self.task.chain_mut())?;
                    return Ok(false);
                }
            } else if self.ended {
                // It comes no further, and others would wait for that.
                self.place.leave();
                self.station.end(self.ending, self.task.chain_mut())?;
            } else if self.task.chain().deadline().is_some_and(|deadline| deadline <= self.station.cx.now()) {
                self.calls.push_back(Call::ProcessingTime);
            } else if self.paused || self.station.is_held() {
                self.place.leave();
                return Ok(false);
            } else if self.place.is_ahead() {
                self.station.flush_if_due(self.task.chain_mut())?;
                return Ok(false);
            } else if polls == self.config.polls_per_turn
                || (polls > 0 && begun.elapsed() >= self.config.turn_within)
            {
                self.look_for_silence();
                self.station.flush_if_due(self.task.chain_mut())?;
                return Ok(true);
            } else if let Some(split) = self.next_split() {
                polls += 1;
                self.poll(split)?;
                self.station.flush_if_due(self.task.chain_mut())?;
            } else {
                self.idle()?;
                if self.calls.is_empty() && !self.ended && self.next_split().is_none() {
                    return Ok(false);
                }
            }
        }
    }

    /// The split to be read next: of those that are ready, the one furthest back in time.
    fn next_split(&mut self) -> Option<usize> {
        let now = self.station.cx.now();
        let count = self.splits.len();
        for split in &mut self.splits {
            if matches!(split.readiness, Readiness::Later(at) if at <= now) {
                split.readiness = Readiness::Ready;
            }
        }
        (1..=count)
            .map(|step| (self.last + step) % count)
            .filter(|split| self.splits[*split].readiness == Readiness::Ready)
            .min_by_key(|split| self.splits[*split].watermark)
    }

    fn poll(&mut self, split: usize) -> Result<(), TaskError> {
        let portion = self.leash.admits(self.portion.records());
        if portion == 0 {
            self.splits[split].readiness = Readiness::Later(self.station.cx.now().after(leash::AGAIN));
            return Ok(());
        }
        self.last = split;
        let position = self.task.position(split);
        let vertex = self.station.cx.info.subtask.vertex;
        self.station.cx.origin = Some(Origin { vertex, split: self.splits[split].id, position });
        let before = self.station.cx.counters.records_in;
        let begun = Instant::now();
        let polled = self.task.poll(split, portion, &mut self.station.cx)?;
        self.station.worked()?;
        let read = self.station.cx.counters.records_in - before;
        self.leash.has_read(read);
        self.portion.took(usize::try_from(read).unwrap_or(usize::MAX), begun.elapsed());
        if read > 0 {
            self.tell(WatermarkEvent::Active { input: split });
        }
        self.advance(split);
        self.place.report(self.merge.merged());
        self.splits[split].readiness = match polled {
            Polled::More => Readiness::Ready,
            Polled::Pending => Readiness::Pending,
            Polled::Later(at) => Readiness::Later(at),
            Polled::End => {
                self.tell(WatermarkEvent::Ended { input: split });
                Readiness::Ended
            }
        };
        if polled == Polled::End {
            self.open_next()?;
        }
        Ok(())
    }

    /// Nothing can be read now: what was read goes out, and time is looked at.
    fn idle(&mut self) -> Result<(), TaskError> {
        self.place.leave();
        for split in 0..self.splits.len() {
            if self.splits[split].readiness != Readiness::Ended {
                self.advance(split);
            }
        }
        self.look_for_silence();
        // Splits that wait for others must not keep those out that were never asked.
        if self.splits.iter().all(|split| matches!(split.readiness, Readiness::Pending | Readiness::Ended)) {
            self.open_next()?;
        }
        if self.calls.is_empty() && !self.ended {
            self.station.flush_if_dirty(self.task.chain_mut())?;
        }
        Ok(())
    }

    /// Leaves out of the watermark what has been silent for too long. A split that could be read, or
    /// is not open yet, was not asked, and has not been silent.
    fn look_for_silence(&mut self) {
        if self.merge.deadline().is_none_or(|deadline| deadline > self.stopwatch.tick()) {
            return;
        }
        for input in 0..self.splits.len() + self.closed.len() {
            if self.splits.get(input).is_none_or(|split| split.readiness == Readiness::Ready) {
                self.tell(WatermarkEvent::Active { input });
            }
        }
        self.tell(WatermarkEvent::Deadline);
    }

    /// Looks how far a split has come.
    fn advance(&mut self, split: usize) {
        let cap = Watermark(Watermark::MAX.0.previous());
        let watermark = self.task.split_watermark(split, &self.station.cx).min(cap);
        if watermark > self.splits[split].watermark {
            self.splits[split].watermark = watermark;
            self.tell(WatermarkEvent::Advanced { input: split, watermark });
        }
    }

    /// Tells the watermark merge, and takes note of the calls that follow.
    fn tell(&mut self, event: WatermarkEvent) {
        // What the merge makes of a repeated or a late word is its own business.
        let _ = self.merge.on(self.stopwatch.tick(), event, &mut self.effects);
        for effect in self.effects.drain(..) {
            match effect {
                // A cancelled stream stops where it is: its open windows stay open.
                WatermarkEffect::Emit(_) if self.ending == Ending::Cancelled => {}
                WatermarkEffect::Emit(watermark) => self.calls.push_back(Call::Watermark(watermark)),
                WatermarkEffect::EmitIdle => self.calls.push_back(Call::Idle),
                WatermarkEffect::EmitActive => self.calls.push_back(Call::Active),
                WatermarkEffect::EmitEnd => self.ended = true,
            }
        }
    }

    fn open_next(&mut self) -> Result<(), TaskError> {
        let Some(assigned) = self.closed.pop_front() else { return Ok(()) };
        self.opening = Some(assigned.split.name.clone());
        open_split(self.task.as_mut(), &assigned, self.logs.as_ref(), &self.station.cx)?;
        self.opening = None;
        self.splits.push(OpenSplit::begin(assigned));
        Ok(())
    }

    /// Ends all splits where they are.
    fn drain(&mut self, ending: Ending) {
        if self.ended || self.station.phase != Phase::Running {
            return;
        }
        self.place.leave();
        self.ending = ending;
        self.calls.push_back(match ending {
            Ending::Complete => Call::Watermark(Watermark::MAX),
            Ending::Cancelled => Call::Drain,
        });
        self.ended = true;
    }

    /// Cuts the stream where the splits stand.
    fn cut(&mut self, epoch: Epoch) -> Result<(), TaskError> {
        for (number, open) in self.splits.iter_mut().enumerate() {
            open.stands(epoch, self.task.position(number));
        }
        let open = self.splits.iter().enumerate().map(|(number, open)| SplitCut {
            split: open.id,
            description: open.split.bytes.clone(),
            position: self.task.position(number),
            ended: open.readiness == Readiness::Ended,
        });
        let rest = self.done.iter().chain(&self.closed).map(Assigned::cut);
        let splits = open.chain(rest).collect();
        self.station.cut(epoch, Vec::new(), splits, self.task.chain_mut())
    }

    /// Lets readers go of what only checkpoints before this one would need.
    fn forget(&mut self, before: Epoch) {
        for (number, open) in self.splits.iter_mut().enumerate() {
            if let Some(position) = open.needed_from(before) {
                self.task.forget(number, position);
            }
        }
    }

    /// How long until an alarm is wanted, if that is before the one that is set.
    fn alarm_to_set(&mut self) -> Option<Duration> {
        if self.station.phase != Phase::Running || self.turning || self.station.outbounds.is_blocked() {
            return None;
        }
        let now = self.station.cx.now().as_millis();
        let later = self.splits.iter().filter_map(|split| match split.readiness {
            Readiness::Later(at) => Some(at.as_millis().saturating_sub(now).max(0) as u64),
            Readiness::Ready | Readiness::Pending | Readiness::Ended => None,
        });
        let later = later.map(Duration::from_millis).min();
        let tick = if self.place.is_ahead() { self.config.convoy_tick } else { self.config.idle_tick };
        let wait = [later, self.wanted.take(), Some(tick)];
        let wait = wait.into_iter().flatten().min()?;
        let at = Instant::now() + wait;
        if self.alarm.is_some_and(|set| set <= at) {
            return None;
        }
        self.alarm = Some(at);
        Some(wait)
    }

    /// Turns panics and errors into the end of the subtask.
    fn guard(&mut self, work: impl FnOnce(&mut Self) -> Result<(), TaskError>) {
        if self.station.phase == Phase::Stopped {
            return;
        }
        let Err(broken) = attempt(|| work(self)) else { return };
        let reading = self.splits.get(self.last);
        let origin = match (self.opening.take(), reading) {
            (Some(opening), _) => Some(format!("opening {opening}")),
            (None, Some(split)) => {
                Some(format!("reading {} near position {}", split.split.name, self.reached()))
            }
            (None, None) => None,
        };
        self.station.fail(broken, origin);
    }

    /// How far the split that was read last had been read when that began.
    fn reached(&self) -> Position {
        self.station.cx.origin.map_or(Position(0), |origin| origin.position)
    }
}
