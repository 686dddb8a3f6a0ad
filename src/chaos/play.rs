//! Plays the schedule on a cluster, while a job runs there.
//!
//! A fault is begun when it is due and the cluster is back from the one before. It is back when a checkpoint is complete
//! that began behind the fault: one that was triggered after the fault was done.

use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cluster::{Cluster, LOOK, Standing};
use crate::error::ChaosError;
use crate::harm::{Hurt, heal, hurt};
use crate::open::Open;
use crate::report::Fault;
use crate::samples::{Sample, Samples};
use crate::schedule::{Act, Draw};

/// How long no checkpoint may be completed before the job is given up: longer than all that a cluster waits for by itself.
const STILL_MAX: Duration = Duration::from_secs(120);

/// How long a job may last in all, in spans of the rehearsal and beyond them: one that takes checkpoints for ever and comes
/// to no end is wrong, too.
const SPANS_MAX: u32 = 4;
const BEYOND_MAX: Duration = Duration::from_secs(300);

/// What has been played.
pub(crate) struct Played {
    pub(crate) faults: Vec<Fault>,
    /// How many the schedule has, those among them that the job's end came before.
    pub(crate) planned: usize,
    pub(crate) jobs: Vec<Ran>,
    pub(crate) deaths: Vec<String>,
    pub(crate) wrong: Vec<String>,
    pub(crate) samples: Vec<Sample>,
}

/// A job that has run.
pub(crate) struct Ran {
    pub(crate) name: String,
    pub(crate) number: u64,
    /// How many of its checkpoints were seen to be completed.
    pub(crate) completed: usize,
    pub(crate) is_finished: bool,
    /// Why it is not.
    pub(crate) why: String,
}

struct Play<'a> {
    cluster: &'a mut Cluster,
    begun: Instant,
    span: Duration,
    acts: VecDeque<Act>,
    open: Option<Open>,
    played: Played,
    samples: Samples,
    /// The newest checkpoint of the job, and when it was first seen.
    newest: u64,
    progress: Instant,
}

/// Plays a schedule, and runs one job after the other until it is over and the last of them has ended.
pub(crate) fn play(
    cluster: &mut Cluster,
    draw: &Draw,
    directory: &Path,
    submission: &dyn Fn(&str) -> Value,
    tell: &dyn Fn(&str),
) -> Result<Played, ChaosError> {
    let begun = Instant::now();
    let acts: VecDeque<Act> = draw.acts().into();
    let (planned, (faults, jobs, deaths, wrong, samples)) = (acts.len(), Default::default());
    let mut play = Play {
        cluster,
        begun,
        span: draw.span,
        acts,
        open: None,
        played: Played { faults, planned, jobs, deaths, wrong, samples },
        samples: Samples::new(begun, draw.span),
        newest: 0,
        progress: begun,
    };
    loop {
        let name = format!("chaos-{}", play.played.jobs.len() + 1);
        play.cluster.submit(&submission(&name))?;
        tell(&format!("{:6.1} s  job {name} runs", begun.elapsed().as_secs_f64()));
        let ran = play.run(name, directory, tell)?;
        let goes_on = ran.is_finished && begun.elapsed() < draw.span;
        play.played.jobs.push(ran);
        if !goes_on {
            break;
        }
    }
    let Play { mut played, samples, .. } = play;
    played.samples = samples.taken;
    Ok(played)
}

impl Play<'_> {
    /// Runs one job to its end, and heals whatever is hurt then.
    fn run(&mut self, name: String, directory: &Path, tell: &dyn Fn(&str)) -> Result<Ran, ChaosError> {
        let begun = Instant::now();
        (self.newest, self.progress) = (0, begun);
        let mut ran = Ran { name, number: 0, completed: 0, is_finished: false, why: String::new() };
        loop {
            self.cluster.expect_patience()?;
            self.samples.look(self.cluster, directory);
            self.revive()?;
            self.heal_due()?;
            let standing = self.cluster.standing(&ran.name);
            if let Some(standing) = &standing {
                ran.number = standing.number;
                if standing.newest > self.newest {
                    (self.newest, self.progress) = (standing.newest, Instant::now());
                    ran.completed += 1;
                }
            }
            self.look_back(standing.as_ref(), tell);
            if let Some(why) = self.end(standing.as_ref(), begun) {
                (ran.is_finished, ran.why) = (why.is_empty(), why);
                self.close()?;
                return Ok(ran);
            }
            // A job that has not begun to take checkpoints has nothing to go back to.
            if self.newest > 0 {
                self.hurt_due()?;
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Why the job is not waited for any more, if it is not: nothing where it has come to its end.
    fn end(&self, standing: Option<&Standing>, begun: Instant) -> Option<String> {
        if let Some(Standing { state, reason, .. }) = standing {
            match state.as_str() {
                "finished" => return Some(String::new()),
                "failed" | "cancelled" => return Some(format!("the job {state}: {reason}")),
                _ => {}
            }
        }
        if self.progress.elapsed() > STILL_MAX {
            let (seconds, said) = (STILL_MAX.as_secs(), self.cluster.said());
            return Some(format!("no checkpoint was completed for {seconds} s; the nodes say:\n{said}"));
        }
        let lasts = begun.elapsed();
        (lasts > self.span * SPANS_MAX + BEYOND_MAX)
            .then(|| format!("the job takes checkpoints and comes to no end within {lasts:.0?}"))
    }

    /// Begins the next fault, if it is time. One whose time came while the cluster was not back from another is done late.
    fn hurt_due(&mut self) -> Result<(), ChaosError> {
        let is_due = |act: &Act| act.at <= self.begun.elapsed();
        if self.open.is_some() || !self.acts.front().is_some_and(is_due) {
            return Ok(());
        }
        // A node that was just started may not be there yet, and would be right to end where its network is taken away
        // before it listens.
        if !self.cluster.listens() {
            return Ok(());
        }
        let act = self.acts.pop_front().expect("there is one");
        // Who has ended by itself until now is not killed by what follows.
        self.revive()?;
        let Hurt { wound, detail, has_struck } = hurt(self.cluster, &act)?;
        // Not before it is done: it takes a while to find a leader.
        let open = Open::new(act.kind, wound, act.lasts, has_struck);
        let at_seconds = open.since.duration_since(self.begun).as_secs_f64();
        if act.kind.kills() && !has_struck {
            self.played.wrong.push(format!("at {at_seconds:.1} s, a node was to be killed, and {detail}"));
        }
        self.open = Some(open);
        self.played.faults.push(Fault {
            act,
            at_seconds,
            detail,
            struck: has_struck,
            recovery_seconds: None,
        });
        Ok(())
    }

    /// Looks what has come of the fault that was done last, and whether the cluster is back from it.
    fn look_back(&mut self, standing: Option<&Standing>, tell: &dyn Fn(&str)) {
        let Some(open) = &mut self.open else { return };
        open.feel(self.cluster);
        if let Some(standing) = standing {
            open.look_back(standing);
        }
        self.note();
        if self.open.as_ref().is_some_and(|open| open.is_over() && open.is_healed()) {
            self.open = None;
            self.played.faults.last().into_iter().for_each(|fault| tell(&fault.to_string()));
        }
    }

    /// Takes note of what has come of the fault that was done last.
    fn note(&mut self) {
        let (Some(open), Some(fault)) = (&self.open, self.played.faults.last_mut()) else { return };
        if let Some(at) = open.done_at() {
            fault.at_seconds = at.duration_since(self.begun).as_secs_f64();
        }
        if let Some(detail) = open.detail() {
            fault.detail = detail;
        }
        fault.struck = open.has_struck;
        fault.recovery_seconds = open.recovery().map(|recovery| recovery.as_secs_f64());
    }

    /// Heals what has lasted long enough.
    fn heal_due(&mut self) -> Result<(), ChaosError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        open.feel(self.cluster);
        if let Some(wound) = open.take_due() {
            heal(self.cluster, &wound)?;
            // What stood still for want of a cluster begins to count now.
            self.progress = Instant::now();
        }
        Ok(())
    }

    /// Heals everything.
    fn close(&mut self) -> Result<(), ChaosError> {
        if let Some(open) = &mut self.open {
            open.feel(self.cluster);
            if let Some(wound) = open.take() {
                heal(self.cluster, &wound)?;
            }
            self.note();
            self.open = None;
        }
        if let Some(proxy) = self.cluster.proxy() {
            proxy.heal();
        }
        Ok(())
    }

    /// Starts nodes again that have ended by themselves, and takes note.
    fn revive(&mut self) -> Result<(), ChaosError> {
        let under_way = self.open.as_ref().map(|open| open.kind);
        for node in &mut self.cluster.nodes {
            let Some(how) = node.ended() else { continue };
            let at = self.begun.elapsed().as_secs_f64();
            self.played.deaths.push(format!("{} at {at:.1} s, {how}", node.name));
            if !under_way.is_some_and(|kind| kind.may_end_a_node(&how)) {
                let during =
                    under_way.map_or("while nothing was hurt".to_owned(), |kind| format!("behind `{kind}`"));
                self.played
                    .wrong
                    .push(format!("{} ended by itself at {at:.1} s, {during}: {how}", node.name));
            }
            node.start()?;
        }
        Ok(())
    }
}
