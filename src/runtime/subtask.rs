//! The actor of a subtask that is fed by others.
//!
//! Elements arrive as messages, or are fed in place by a sender on the same arbiter. Each becomes one or
//! more calls of the task; between two calls ready batches are handed over, and while one of them waits
//! for credit no call is made. So a slow receiver stops its senders, and theirs, back to the sources.

mod sight;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use watershed_core::stage::TaskError;
use watershed_core::task::Task;
use watershed_core::{AnyBatch, ChannelId, Epoch, Sequence, Step, Watermark};
use watershed_protocol::checkpoint::ParticipantEvent;
use watershed_protocol::{AlignmentEvent, WatermarkEffect, WatermarkEvent};

use crate::element::{Barrier, Deliver, Element, Ending, GiveBack};
use crate::inbound::Inbounds;
use crate::launch::{Launch, open};
use crate::local;
use crate::message::{Alarm, Connect, Fetched, Hear, Stop, Trigger, Woken};
use crate::participation::Own;
use crate::shared::Seen;
use crate::station::{Call, Phase, Station, attempt};
use crate::vigil;

/// The actor of a subtask that is fed by others.
pub(crate) struct SubtaskActor {
    launch: Option<Launch<dyn Task>>,
    core: Option<Rc<RefCell<SubtaskCore>>>,
    /// The alarm that is set. There is one at a time: a nearer one takes the place of a farther.
    alarm: Option<SpawnHandle>,
}

/// All of a subtask but its mailbox, so that a sender on the same thread can reach it.
pub(crate) struct SubtaskCore {
    station: Station,
    task: Box<dyn Task>,
    inbounds: Inbounds,
    /// The batch that is being fed.
    feeding: Option<Feeding>,
    calls: VecDeque<Call>,
    /// How all input has ended, when it has.
    ended: Option<Ending>,
    /// When the actor's next alarm rings.
    alarm: Option<Instant>,
    /// How long until the subtask wants to be called by the clock.
    wanted: Option<Duration>,
    actor: Addr<SubtaskActor>,
}

struct Feeding {
    channel: ChannelId,
    batch: AnyBatch,
    watermark: Watermark,
    in_place: bool,
}

/// What became of an element that was fed in place.
pub(crate) enum Fed {
    /// The batch is empty and comes back.
    Emptied(AnyBatch),
    /// There was no batch.
    Taken,
    /// The batch is not empty yet, and comes back with a message.
    Kept,
}

impl SubtaskActor {
    pub(crate) fn new(launch: Launch<dyn Task>) -> Self {
        SubtaskActor { launch: Some(launch), core: None, alarm: None }
    }

    /// Lets the subtask work, and sets the alarm for what it wants next by the clock.
    fn work(&mut self, cx: &mut Context<Self>, prepare: impl FnOnce(&mut SubtaskCore)) {
        let Some(core) = &self.core else { return };
        let mut core = core.borrow_mut();
        prepare(&mut core);
        core.run();
        let wait = core.alarm_to_set();
        drop(core);
        if let Some(wait) = wait {
            self.set_alarm(wait, cx);
        }
    }

    fn set_alarm(&mut self, wait: Duration, cx: &mut Context<Self>) {
        if let Some(farther) = self.alarm.replace(cx.notify_later(Alarm, wait)) {
            cx.cancel_future(farther);
        }
    }
}

impl SubtaskCore {
    /// Whether an element fed in place would be worked on at once.
    pub(crate) fn is_free(&mut self, channel: ChannelId) -> bool {
        self.station.may_work()
            && !self.inbounds.is_held(channel)
            && self.feeding.is_none()
            && self.calls.is_empty()
            && self.inbounds.is_empty()
            && !self.station.is_held()
    }

    /// Works on an element at once.
    pub(crate) fn feed_in_place(&mut self, channel: ChannelId, sequence: Sequence, element: Element) -> Fed {
        self.inbounds.in_place(channel, sequence);
        let is_batch = matches!(element, Element::Batch { .. });
        let mut emptied = None;
        self.guard(|core| {
            core.station.look_at_clock();
            core.begin(channel, element, true)?;
            emptied = core.work()?;
            core.wanted = core.station.wait(core.task.as_ref());
            Ok(())
        });
        if let Some(wait) = self.alarm_to_set() {
            self.actor.do_send(SetAlarm(wait));
        }
        match emptied {
            Some(batch) => Fed::Emptied(batch),
            None if is_batch => {
                self.inbounds.keep(channel);
                if let Some(feeding) = &mut self.feeding {
                    feeding.in_place = false;
                }
                Fed::Kept
            }
            None => Fed::Taken,
        }
    }

    /// Works on what has arrived, until nothing is left or nothing more can be done.
    fn run(&mut self) {
        self.guard(|core| {
            core.station.look_at_clock();
            core.work()?;
            core.wanted = core.station.wait(core.task.as_ref());
            Ok(())
        });
    }

    /// How long until an alarm is wanted, if that is before the one that is set.
    fn alarm_to_set(&mut self) -> Option<Duration> {
        let wait = self.wanted.take()?;
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
        let origin = self.station.cx.origin.map(|origin| {
            format!(
                "when split {} of source vertex {} had been read to about position {}",
                origin.split, origin.vertex, origin.position
            )
        });
        self.station.fail(broken, origin);
    }

    /// The emptied batch of an element that came in place.
    fn work(&mut self) -> Result<Option<AnyBatch>, TaskError> {
        let mut emptied = None;
        loop {
            if !self.station.may_work() {
                self.station.finish_if_sent();
                return Ok(emptied);
            }
            if self.station.is_woken() {
                self.station.wake(self.task.as_mut())?;
            } else if self.feeding.is_some() {
                emptied = self.feed()?.or(emptied);
            } else if let Some(call) = self.calls.front().copied() {
                if self.station.call(call, self.task.as_mut())? == Step::Done {
                    self.calls.pop_front();
                } else if !self.station.outbounds.is_blocked() && self.station.is_held() {
                    self.station.wait_at(call, self.task.as_mut())?;
                    return Ok(emptied);
                }
            } else if let Some(ending) = self.ended {
                self.station.end(ending, self.task.as_mut())?;
            } else if self.task.deadline().is_some_and(|deadline| deadline <= self.station.cx.now()) {
                self.calls.push_back(Call::ProcessingTime);
            } else {
                self.station.flush_if_due(self.task.as_mut())?;
                if self.station.is_held() {
                    return Ok(emptied);
                }
                let Some((channel, element)) = self.inbounds.next() else { return Ok(emptied) };
                self.begin(channel, element, false)?;
            }
        }
    }

    /// Begins to work on an element.
    fn begin(&mut self, channel: ChannelId, element: Element, in_place: bool) -> Result<(), TaskError> {
        let input = channel.0 as usize;
        match element {
            Element::Batch { batch, watermark, origin } => {
                self.inbounds.count(channel, &batch);
                self.station.cx.counters.records_in += batch.records() as u64;
                self.station.cx.origin = origin.or(self.station.cx.origin);
                self.feeding = Some(Feeding { channel, batch, watermark, in_place });
                return Ok(());
            }
            Element::Packed(packed) => {
                let unpacked = self.inbounds.unpack(channel, &packed);
                let (batch, watermark, origin) = unpacked.map_err(|error| TaskError::Frame(error.into()))?;
                return self.begin(channel, Element::Batch { batch, watermark, origin }, in_place);
            }
            Element::Seen(Seen { clock, epoch, .. }) => {
                self.station.hear_seen(&clock, epoch);
                return Ok(());
            }
            Element::SeenFar { clock, epoch } => {
                let seen = self.inbounds.read_clock(channel, &clock);
                let seen = seen.map_err(|error| TaskError::Frame(error.into()))?;
                if !self.station.believes(seen) {
                    return Err(TaskError::Frame(
                        "its sender says that it has seen updates that nobody can have made".into(),
                    ));
                }
                self.station.hear_seen(seen, epoch);
                return Ok(());
            }
            Element::Rest(batch) => {
                self.station.cx.counters.records_in += batch.records() as u64;
                // It is no batch of the sender's any more, as one that is fed in place is not.
                let watermark = Watermark::MIN;
                self.feeding = Some(Feeding { channel, batch, watermark, in_place: true });
                return Ok(());
            }
            Element::Watermark(watermark) => self.merge(WatermarkEvent::Advanced { input, watermark }),
            Element::Idle => self.merge(WatermarkEvent::Idle { input }),
            Element::Active => self.merge(WatermarkEvent::Active { input }),
            Element::Barrier(Barrier { epoch, completed }) => {
                self.station.completed = completed;
                self.align(AlignmentEvent::Barrier { channel, epoch })?;
            }
            Element::End(ending) => {
                // An input that has stopped short keeps its place in the minimum: what it has not
                // promised, nobody else can. Open windows stay open.
                if ending == Ending::Complete {
                    self.merge(WatermarkEvent::Ended { input });
                }
                self.ended = self.inbounds.end(ending);
                if self.ended == Some(Ending::Cancelled) {
                    self.calls.push_back(Call::Drain);
                }
                // What the end calls for follows the cut, as the sender's end follows it after a restore.
                self.align(AlignmentEvent::Ended { channel })?;
            }
        }
        if !in_place {
            self.inbounds.give_back_control(channel);
        }
        Ok(())
    }

    /// Tells the alignment of an event, and cuts the stream where that completes a cut.
    fn align(&mut self, event: AlignmentEvent) -> Result<(), TaskError> {
        match self.inbounds.align(event) {
            Some(epoch) => self.cut(epoch),
            None => Ok(()),
        }
    }

    fn cut(&mut self, epoch: Epoch) -> Result<(), TaskError> {
        let received = self.inbounds.cuts(self.station.cx.info.subtask);
        self.station.cut(epoch, received, Vec::new(), self.task.as_mut())
    }

    /// Lets the participant hear a word, and the alignment where it concerns both.
    fn attend(&mut self, event: ParticipantEvent) -> Result<(), TaskError> {
        let given_up = match event {
            ParticipantEvent::AbortNote { authority, epoch } if authority == self.station.authority() => {
                Some(epoch)
            }
            _ => None,
        };
        self.station.attend(event, self.task.as_mut())?;
        given_up.map_or(Ok(()), |epoch| self.align(AlignmentEvent::AbortNote { epoch }))
    }

    /// Feeds some of the batch at hand, and gives it back when it is empty.
    fn feed(&mut self) -> Result<Option<AnyBatch>, TaskError> {
        let feeding = self.feeding.as_mut().expect("there is a batch at hand");
        let port = self.inbounds.port(feeding.channel);
        let step = self.task.feed(port, &mut feeding.batch, &mut self.station.cx);
        self.station.worked()?;
        if step == Step::Again {
            return Ok(None);
        }
        let Feeding { channel, batch, watermark, in_place } =
            self.feeding.take().expect("there is a batch at hand");
        let input = channel.0 as usize;
        self.merge(WatermarkEvent::Active { input });
        self.merge(WatermarkEvent::Advanced { input, watermark });
        if in_place {
            return Ok(Some(batch));
        }
        self.inbounds.give_back_batch(channel, batch);
        Ok(None)
    }

    /// Tells the watermark merge, and takes note of the calls that follow.
    fn merge(&mut self, event: WatermarkEvent) {
        for effect in self.inbounds.merge(event) {
            match effect {
                WatermarkEffect::Emit(watermark) => self.calls.push_back(Call::Watermark(watermark)),
                WatermarkEffect::EmitIdle => self.calls.push_back(Call::Idle),
                WatermarkEffect::EmitActive => self.calls.push_back(Call::Active),
                // The last channel says how all have ended.
                WatermarkEffect::EmitEnd => {}
            }
        }
    }
}

/// To a subtask that was fed in place: set an alarm.
#[derive(Message)]
#[rtype(result = "()")]
struct SetAlarm(Duration);

impl Actor for SubtaskActor {
    type Context = Context<Self>;

    fn started(&mut self, cx: &mut Self::Context) {
        let launch = self.launch.as_mut().expect("an actor starts once");
        launch.bell.hang(cx.address().recipient());
        open(launch, Task::open);
    }
}

impl Handler<Connect> for SubtaskActor {
    type Result = ();

    fn handle(&mut self, message: Connect, cx: &mut Self::Context) {
        let launch = self.launch.take().expect("a subtask is connected once");
        let subtask = launch.cx.info.subtask;
        let (after, clock) = (launch.membership.after, launch.membership.clock());
        let inbounds = Inbounds::new(message.inbound, &launch.config, after, &clock);
        let own = Own { hear: cx.address().recipient(), fetched: cx.address().recipient() };
        let uses_shared = launch.task.uses_shared();
        let (station, task) = launch.station(message.outbound, own, uses_shared);
        let core = Rc::new(RefCell::new(SubtaskCore {
            station,
            task,
            inbounds,
            feeding: None,
            calls: VecDeque::new(),
            ended: None,
            alarm: None,
            wanted: None,
            actor: cx.address(),
        }));
        local::register(subtask, &core);
        core.borrow_mut().guard(|core| core.station.restore(core.task.as_mut()));
        self.core = Some(core);
    }
}

impl Handler<Deliver> for SubtaskActor {
    type Result = ();

    fn handle(&mut self, message: Deliver, cx: &mut Self::Context) {
        vigil::received();
        let Deliver { channel, sequence, element } = message;
        self.work(cx, |core| {
            core.guard(|core| {
                core.inbounds.arrive(channel, sequence, element);
                Ok(())
            });
        });
    }
}

impl Handler<GiveBack> for SubtaskActor {
    type Result = ();

    fn handle(&mut self, message: GiveBack, cx: &mut Self::Context) {
        vigil::received();
        self.work(cx, |core| {
            core.station.give_back(message);
        });
    }
}

impl Handler<Woken> for SubtaskActor {
    type Result = ();

    fn handle(&mut self, _: Woken, cx: &mut Self::Context) {
        self.work(cx, |core| core.station.hear());
    }
}

impl Handler<Alarm> for SubtaskActor {
    type Result = ();

    fn handle(&mut self, _: Alarm, cx: &mut Self::Context) {
        self.alarm = None;
        self.work(cx, |core| core.alarm = None);
    }
}

impl Handler<SetAlarm> for SubtaskActor {
    type Result = ();

    fn handle(&mut self, message: SetAlarm, cx: &mut Self::Context) {
        self.set_alarm(message.0, cx);
    }
}

impl Handler<Fetched> for SubtaskActor {
    type Result = ();

    fn handle(&mut self, message: Fetched, _: &mut Self::Context) {
        let Some(core) = &self.core else { return };
        core.borrow_mut().guard(|core| core.station.fetched(message, core.task.as_mut()));
    }
}

impl Handler<Hear> for SubtaskActor {
    type Result = ();

    fn handle(&mut self, message: Hear, cx: &mut Self::Context) {
        self.work(cx, |core| core.guard(|core| core.attend(message.0)));
    }
}

impl Handler<Trigger> for SubtaskActor {
    type Result = ();

    /// A subtask whose input goes on is reached by a barrier.
    fn handle(&mut self, message: Trigger, cx: &mut Self::Context) {
        self.work(cx, |core| {
            let is_over = matches!(core.station.phase, Phase::Ending | Phase::Finished);
            if is_over && message.authority == core.station.authority() {
                core.station.completed = message.barrier.completed;
                core.guard(|core| core.cut(message.barrier.epoch));
            }
        });
    }
}

impl Handler<Stop> for SubtaskActor {
    type Result = ();

    fn handle(&mut self, message: Stop, cx: &mut Self::Context) {
        if let Some(core) = self.core.take() {
            let mut core = core.borrow_mut();
            let SubtaskCore { station, task, .. } = &mut *core;
            local::forget(station.cx.info.subtask);
            station.stop(message, task.as_mut());
        }
        // What was opened for a job that did not start is dropped here, before the answer.
        self.launch = None;
        cx.stop();
    }
}
