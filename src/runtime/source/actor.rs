//! The mailbox of a source's subtask.

use std::collections::VecDeque;

use actix::prelude::*;
use watershed_core::task::SourceTask;
use watershed_protocol::WatermarkMerge;
use watershed_protocol::checkpoint::Intent;

use super::{SourceCore, open_split};
use crate::clock::Stopwatch;
use crate::convoy::Place;
use crate::element::{Ending, GiveBack};
use crate::harm::leash::Leash;
use crate::launch::{Launch, open};
use crate::message::{Alarm, CaughtUp, Connect, Drain, Fetched, Forget, Hear, Stop, Trigger, Turn, Woken};
use crate::pace::Portion;
use crate::participation::Own;
use crate::split::{Assigned, OpenSplit, Readiness};
use crate::vigil::{self, Post};

/// The actor of a source's subtask.
pub(crate) struct SourceActor {
    launch: Option<Launch<dyn SourceTask>>,
    place: Option<Place>,
    /// The first splits, opened before the job starts.
    splits: Vec<OpenSplit>,
    /// Splits that are not open yet.
    closed: VecDeque<Assigned>,
    /// Splits that an earlier run has read to their ends.
    done: Vec<Assigned>,
    core: Option<SourceCore>,
    /// The alarm that is set. There is one at a time: a nearer one takes the place of a farther.
    alarm: Option<SpawnHandle>,
}

impl SourceActor {
    pub(crate) fn new(launch: Launch<dyn SourceTask>, place: Place, splits: Vec<Assigned>) -> Self {
        let (done, closed): (Vec<_>, Vec<_>) = splits.into_iter().partition(|split| split.ended);
        SourceActor {
            launch: Some(launch),
            place: Some(place),
            splits: Vec::new(),
            closed: closed.into(),
            done,
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
            // Not by `notify`: what an actor notifies itself of it hears before its arbiter looks at anybody else, so
            // that a source that never waits for credit would have the thread for itself.
            let own = cx.address();
            actix::spawn(async move { own.do_send(Turn) });
        }
        if let Some(wait) = core.alarm_to_set()
            && let Some(farther) = self.alarm.replace(cx.notify_later(Alarm, wait))
        {
            cx.cancel_future(farther);
        }
    }
}

impl Actor for SourceActor {
    type Context = Context<Self>;

    fn started(&mut self, cx: &mut Self::Context) {
        let launch = self.launch.as_mut().expect("an actor starts once");
        launch.bell.hang(cx.address().recipient());
        let (splits, closed, count) = (&mut self.splits, &mut self.closed, launch.config.open_splits);
        let logs = launch.membership.depot.ingress.clone();
        open(launch, |task, cx| {
            task.chain_mut().open(cx)?;
            while splits.len() < count
                && let Some(assigned) = closed.pop_front()
            {
                open_split(task, &assigned, logs.as_ref(), cx)?;
                splits.push(OpenSplit::begin(assigned));
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
        let (config, logs) = (launch.config.clone(), launch.membership.depot.ingress.clone());
        let own = Own { hear: cx.address().recipient(), fetched: cx.address().recipient() };
        let uses_shared = launch.task.chain().uses_shared();
        let (station, task) = launch.station(message.outbound, own, uses_shared);
        let (splits, closed) = (std::mem::take(&mut self.splits), std::mem::take(&mut self.closed));
        let core = self.core.insert(SourceCore {
            station,
            portion: Portion::new(config.poll_records, config.turn_within),
            leash: Leash::default(),
            config,
            place,
            merge: WatermarkMerge::new(splits.len() + closed.len(), task.split_idle_after()),
            task,
            splits,
            closed,
            done: std::mem::take(&mut self.done),
            effects: Vec::new(),
            stopwatch: Stopwatch::start(),
            calls: VecDeque::new(),
            last: 0,
            ended: false,
            ending: Ending::Complete,
            paused: false,
            turning: false,
            alarm: None,
            wanted: None,
            opening: None,
            logs,
        });
        core.guard(|core| core.station.restore(core.task.chain_mut()));
    }
}

impl Handler<Fetched> for SourceActor {
    type Result = ();

    fn handle(&mut self, message: Fetched, _: &mut Self::Context) {
        let Some(core) = &mut self.core else { return };
        core.guard(|core| core.station.fetched(message, core.task.chain_mut()));
    }
}

impl Handler<Hear> for SourceActor {
    type Result = ();

    fn handle(&mut self, message: Hear, cx: &mut Self::Context) {
        self.work(cx, |core| core.guard(|core| core.station.attend(message.0, core.task.chain_mut())));
    }
}

impl Handler<Trigger> for SourceActor {
    type Result = ();

    fn handle(&mut self, message: Trigger, cx: &mut Self::Context) {
        self.work(cx, |core| {
            if message.authority == core.station.authority() {
                core.paused = message.intent == Intent::Suspend;
                core.station.completed = message.barrier.completed;
                core.guard(|core| core.cut(message.barrier.epoch));
            }
        });
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

impl Handler<Drain> for SourceActor {
    type Result = ();

    fn handle(&mut self, message: Drain, cx: &mut Self::Context) {
        self.work(cx, |core| core.drain(message.0));
    }
}

impl Handler<Forget> for SourceActor {
    type Result = ();

    fn handle(&mut self, Forget(before): Forget, _: &mut Self::Context) {
        let Some(core) = &mut self.core else { return };
        core.guard(|core| {
            core.forget(before);
            Ok(())
        });
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
