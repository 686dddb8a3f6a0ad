//! The actor of a source's subtask: reads its splits, the one that lies furthest back in time first.
//!
//! Reading the hindmost split first keeps the splits of a subtask close together in event time, so that
//! windows hold little more than what is out of order within a split.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use actix::prelude::*;
use watershed_core::spi::Polled;
use watershed_core::stage::TaskError;
use watershed_core::task::{SourceTask, Split};
use watershed_core::{Origin, Position, ProcessingTime, SplitId, Step, Watermark};
use watershed_protocol::{Machine, WatermarkEffect, WatermarkEvent, WatermarkMerge};

use crate::clock::Stopwatch;
use crate::config::Config;
use crate::convoy::Place;
use crate::element::{Ending, GiveBack};
use crate::launch::{Launch, open};
use crate::message::{Alarm, Cancel, CaughtUp, Commit, Connect, Start, Stop, Turn, Woken};
use crate::pace::Portion;
use crate::station::{Call, Phase, Station, attempt};
use crate::vigil::{self, Post};

/// The actor of a source's subtask.
pub(crate) struct SourceActor {
    launch: Option<Launch<dyn SourceTask>>,
    place: Option<Place>,
    /// The first splits, opened before the job starts.
    splits: Vec<OpenSplit>,
    /// Splits that are not open yet.
    closed: VecDeque<(SplitId, Split)>,
    core: Option<SourceCore>,
    /// The alarm that is set. There is one at a time: a nearer one takes the place of a farther.
    alarm: Option<SpawnHandle>,
}

struct SourceCore {
    station: Station,
    task: Box<dyn SourceTask>,
    config: Config,
    place: Place,
    /// How many records are read at once.
    portion: Portion,
    splits: Vec<OpenSplit>,
    /// Splits that are not open yet.
    closed: VecDeque<(SplitId, Split)>,
    merge: WatermarkMerge,
    effects: Vec<WatermarkEffect>,
    stopwatch: Stopwatch,
    calls: VecDeque<Call>,
    /// Which split was read last; among equals the next one's turn comes.
    last: usize,
    ended: bool,
    ending: Ending,
    /// Whether a message to go on is under way.
    turning: bool,
    alarm: Option<Instant>,
    /// How long until the task wants to be called by the clock.
    wanted: Option<Duration>,
    /// The split that is being opened.
    opening: Option<String>,
}

/// A split that is being read. Its place in the list is its number within the subtask.
struct OpenSplit {
    id: SplitId,
    name: String,
    readiness: Readiness,
    watermark: Watermark,
}

impl OpenSplit {
    fn begin(id: SplitId, split: Split) -> Self {
        OpenSplit { id, name: split.name, readiness: Readiness::Ready, watermark: Watermark::MIN }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Readiness {
    Ready,
    /// Until a wake-up.
    Pending,
    Later(ProcessingTime),
    Ended,
}

impl SourceActor {
    pub(crate) fn new(launch: Launch<dyn SourceTask>, place: Place, splits: Vec<(SplitId, Split)>) -> Self {
        SourceActor {
            launch: Some(launch),
            place: Some(place),
            splits: Vec::new(),
            closed: splits.into(),
            core: None,
            alarm: None,
        }
    }

    /// Lets the source work for a turn; the next one comes by message, so that the other actors of the
    /// arbiter have theirs.
    fn work(&mut self, cx: &mut Context<Self>, prepare: impl FnOnce(&mut SourceCore)) {
        let Some(core) = &mut self.core else { return };
        prepare(core);
        let mut more = false;
        core.guard(|core| {
            more = core.turn()?;
            core.wanted = core.station.wait(core.task.chain());
            Ok(())
        });
        if more && !core.turning {
            core.turning = true;
            cx.notify(Turn);
        }
        if let Some(wait) = core.alarm_to_set()
            && let Some(farther) = self.alarm.replace(cx.notify_later(Alarm, wait))
        {
            cx.cancel_future(farther);
        }
    }
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
                self.station.end(self.ending, self.task.chain_mut())?;
            } else if self.task.chain().deadline().is_some_and(|deadline| deadline <= self.station.cx.now()) {
                self.calls.push_back(Call::ProcessingTime);
            } else if self.station.is_held() {
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
        self.last = split;
        let position = self.task.position(split);
        let vertex = self.station.cx.info.subtask.vertex;
        self.station.cx.origin = Some(Origin { vertex, split: self.splits[split].id, position });
        let before = self.station.cx.counters.records_in;
        let begun = Instant::now();
        let polled = self.task.poll(split, self.portion.records(), &mut self.station.cx)?;
        self.station.worked()?;
        let read = self.station.cx.counters.records_in - before;
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
        let Some((id, split)) = self.closed.pop_front() else { return Ok(()) };
        self.opening = Some(split.name.clone());
        self.task.open_split(&split, None)?;
        self.opening = None;
        self.splits.push(OpenSplit::begin(id, split));
        Ok(())
    }

    /// Ends all splits where they are.
    fn cancel(&mut self) {
        self.ending = Ending::Cancelled;
        self.place.leave();
        self.closed.clear();
        self.calls.push_back(Call::Drain);
        self.ended = true;
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
            (None, Some(split)) => Some(format!("reading {} near position {}", split.name, self.reached())),
            (None, None) => None,
        };
        self.station.fail(broken, origin);
    }

    /// How far the split that was read last had been read when that began.
    fn reached(&self) -> Position {
        self.station.cx.origin.map_or(Position(0), |origin| origin.position)
    }
}

impl Actor for SourceActor {
    type Context = Context<Self>;

    fn started(&mut self, cx: &mut Self::Context) {
        let launch = self.launch.as_mut().expect("an actor starts once");
        launch.bell.hang(cx.address().recipient());
        let (splits, closed, count) = (&mut self.splits, &mut self.closed, launch.config.open_splits);
        open(launch, |task, cx| {
            task.chain_mut().open(cx)?;
            while splits.len() < count
                && let Some((id, split)) = closed.pop_front()
            {
                task.open_split(&split, None)?;
                splits.push(OpenSplit::begin(id, split));
            }
            Ok(())
        });
    }
}

impl Handler<Connect> for SourceActor {
    type Result = ();

    fn handle(&mut self, message: Connect, cx: &mut Self::Context) {
        let launch = self.launch.take().expect("a source is connected once");
        let place = self.place.take().expect("a source is connected once");
        place.join(Post::here(cx.address()).expect("a source lives on an arbiter that keeps vigil"));
        let config = launch.config.clone();
        let (station, task) = launch.station(message.outbound);
        let (splits, closed) = (std::mem::take(&mut self.splits), std::mem::take(&mut self.closed));
        self.core = Some(SourceCore {
            station,
            portion: Portion::new(config.poll_records, config.turn_within),
            config,
            place,
            merge: WatermarkMerge::new(splits.len() + closed.len(), task.split_idle_after()),
            task,
            splits,
            closed,
            effects: Vec::new(),
            stopwatch: Stopwatch::start(),
            calls: VecDeque::new(),
            last: 0,
            ended: false,
            ending: Ending::Complete,
            turning: false,
            alarm: None,
            wanted: None,
            opening: None,
        });
    }
}

impl Handler<Start> for SourceActor {
    type Result = ();

    fn handle(&mut self, _: Start, cx: &mut Self::Context) {
        self.work(cx, |_| {});
    }
}

impl Handler<CaughtUp> for SourceActor {
    type Result = ();

    fn handle(&mut self, _: CaughtUp, cx: &mut Self::Context) {
        vigil::received();
        self.work(cx, |_| {});
    }
}

impl Handler<Turn> for SourceActor {
    type Result = ();

    fn handle(&mut self, _: Turn, cx: &mut Self::Context) {
        self.work(cx, |core| core.turning = false);
    }
}

impl Handler<GiveBack> for SourceActor {
    type Result = ();

    fn handle(&mut self, message: GiveBack, cx: &mut Self::Context) {
        vigil::received();
        let Some(core) = &mut self.core else { return };
        let blocked = core.station.outbounds.is_blocked();
        let behind = core.station.give_back(message);
        // A turn is under way already unless the source had to stop for want of credit, or is idle.
        if blocked || (behind && !core.turning) {
            self.work(cx, |_| {});
        }
    }
}

impl Handler<Woken> for SourceActor {
    type Result = ();

    fn handle(&mut self, _: Woken, cx: &mut Self::Context) {
        self.work(cx, |core| {
            core.station.hear();
            for split in &mut core.splits {
                if split.readiness == Readiness::Pending {
                    split.readiness = Readiness::Ready;
                }
            }
        });
    }
}

impl Handler<Alarm> for SourceActor {
    type Result = ();

    fn handle(&mut self, _: Alarm, cx: &mut Self::Context) {
        self.alarm = None;
        self.work(cx, |core| core.alarm = None);
    }
}

impl Handler<Cancel> for SourceActor {
    type Result = ();

    fn handle(&mut self, _: Cancel, cx: &mut Self::Context) {
        self.work(cx, SourceCore::cancel);
    }
}

impl Handler<Commit> for SourceActor {
    type Result = ();

    fn handle(&mut self, message: Commit, _: &mut Self::Context) {
        let Some(core) = &mut self.core else { return };
        core.guard(|core| core.station.commit(message.staged, core.task.chain_mut()));
    }
}

impl Handler<Stop> for SourceActor {
    type Result = ();

    fn handle(&mut self, message: Stop, cx: &mut Self::Context) {
        if let Some(core) = &mut self.core {
            core.station.stop(message, core.task.chain_mut());
        }
        // What was opened for a job that did not start is dropped here, before the answer.
        (self.core, self.launch) = (None, None);
        cx.stop();
    }
}
