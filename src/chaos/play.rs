//! Plays the schedule on a cluster, while a job runs there.
//!
//! A fault is begun when it is due and the cluster is back from the one before. It is back when a checkpoint is complete
//! that began behind the fault: the second behind the one that was newest then, since the one between may have been
//! under way.

use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cluster::{Cluster, LOOK, Standing};
use crate::error::ChaosError;
use crate::harm::{Wound, heal, hurt};
use crate::report::Fault;
use crate::samples::{Sample, Samples};
use crate::schedule::{Act, Draw};

/// How long no checkpoint may be completed before the job is given up: longer than all that a cluster waits for by itself.
const STILL_MAX: Duration = Duration::from_secs(120);

/// How long a job may last in all, in spans of the rehearsal and beyond them: one that takes checkpoints for ever and comes
/// to no end is wrong, too.
const SPANS_MAX: u32 = 4;
const BEYOND_MAX: Duration = Duration::from_secs(300);

/// How long a frame is waited for that could be harmed.
const FRAME_WITHIN: Duration = Duration::from_secs(10);

/// What has been played.
pub(crate) struct Played {
    pub(crate) faults: Vec<Fault>,
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

/// What is being waited for behind a fault.
struct Open {
    wound: Option<(Wound, Instant)>,
    /// Whether it is known when it was done: an order to the proxy is carried out with the next frame.
    is_done: bool,
    at: Instant,
    /// The newest checkpoint at that time.
    newest: u64,
    is_back: bool,
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
    let (faults, jobs, deaths, wrong, samples) = Default::default();
    let mut play = Play {
        cluster,
        begun,
        span: draw.span,
        acts: draw.acts().into(),
        open: None,
        played: Played { faults, jobs, deaths, wrong, samples },
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
    play.close()?;
    let Play { mut played, samples, .. } = play;
    played.samples = samples.taken;
    Ok(played)
}

impl Play<'_> {
    /// Runs one job to its end.
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
                match standing.state.as_str() {
                    "finished" => {
                        self.close()?;
                        ran.is_finished = true;
                        return Ok(ran);
                    }
                    "failed" | "cancelled" => {
                        self.close()?;
                        ran.why = format!("the job {}: {}", standing.state, standing.reason);
                        return Ok(ran);
                    }
                    _ => {}
                }
            }
            self.look_back(standing.as_ref(), tell);
            if self.progress.elapsed() > STILL_MAX {
                self.close()?;
                let said = self.cluster.said();
                ran.why = format!(
                    "no checkpoint was completed for {} s; the nodes say:\n{said}",
                    STILL_MAX.as_secs()
                );
                return Ok(ran);
            }
            if begun.elapsed() > self.span * SPANS_MAX + BEYOND_MAX {
                self.close()?;
                ran.why =
                    format!("the job takes checkpoints and comes to no end within {:.0?}", begun.elapsed());
                return Ok(ran);
            }
            // A job that has not begun to take checkpoints has nothing to go back to.
            if self.newest > 0 {
                self.hurt_due()?;
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Begins the next fault, if it is time.
    fn hurt_due(&mut self) -> Result<(), ChaosError> {
        let is_due = |act: &Act| act.at <= self.begun.elapsed() && self.begun.elapsed() < self.span;
        if self.open.is_some() || !self.acts.front().is_some_and(is_due) {
            return Ok(());
        }
        let act = self.acts.pop_front().expect("there is one");
        let at = Instant::now();
        let (wound, detail) = hurt(self.cluster, &act)?;
        let is_done = !matches!(wound, Wound::Frame { .. });
        let wound = Some((wound, Instant::now() + act.lasts));
        self.open = Some(Open { wound, is_done, at, newest: self.newest, is_back: false });
        let at_seconds = at.duration_since(self.begun).as_secs_f64();
        self.played.faults.push(Fault { act, at_seconds, detail, recovery_seconds: None });
        Ok(())
    }

    /// Looks whether the cluster is back from the fault that was done last.
    fn look_back(&mut self, standing: Option<&Standing>, tell: &dyn Fn(&str)) {
        let (Some(open), Some(fault)) = (&mut self.open, self.played.faults.last_mut()) else { return };
        if !open.is_done {
            let Some((Wound::Frame { from, to }, _)) = &open.wound else { return };
            let way = self.cluster.proxy.way(from, to).expect("there is a way between any two nodes");
            if let Some(harmed) = way.harmed() {
                (open.is_done, open.at, open.newest) = (true, harmed.at, self.newest);
                fault.at_seconds = harmed.at.duration_since(self.begun).as_secs_f64();
                fault.detail = format!("a frame of kind {}", format!("{:?}", harmed.kind).to_lowercase());
            } else if open.at.elapsed() > FRAME_WITHIN {
                way.heal();
                fault.detail.push_str(", and none came");
                self.open = None;
            }
            return;
        }
        let Some(standing) = standing else { return };
        // What was written before the directory went away may still be decided while it is.
        let may_be_back = !matches!(&open.wound, Some((Wound::Away, _)));
        if may_be_back && !open.is_back && standing.newest >= open.newest + 2 {
            open.is_back = true;
            // A leader that has not completed it itself does not know when it was.
            let at = standing.completed_at.filter(|at| *at > open.at).unwrap_or_else(Instant::now);
            let recovery = at.duration_since(open.at).as_secs_f64();
            fault.recovery_seconds = Some(recovery);
            let Fault { act, at_seconds, detail, .. } = fault;
            let Act { kind, victim, number, .. } = act;
            tell(&format!(
                "{at_seconds:6.1} s  {number:>3}  {kind:<9}  {victim:<11}  back after {recovery:.2} s  {detail}"
            ));
        }
        let is_healed = open.wound.as_ref().is_none_or(|(wound, _)| matches!(wound, Wound::Frame { .. }));
        if open.is_back && is_healed {
            self.open = None;
        }
    }

    /// Heals what has lasted long enough.
    fn heal_due(&mut self) -> Result<(), ChaosError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let is_due = |(wound, until): &mut (Wound, Instant)| {
            !matches!(wound, Wound::Frame { .. }) && Instant::now() >= *until
        };
        if let Some((wound, _)) = open.wound.take_if(is_due) {
            heal(self.cluster, &wound)?;
            // What stood still for want of a cluster begins to count now.
            self.progress = Instant::now();
        }
        Ok(())
    }

    /// Heals everything.
    fn close(&mut self) -> Result<(), ChaosError> {
        self.cluster.proxy.heal();
        if let Some(Open { wound: Some((wound, _)), .. }) = self.open.take() {
            heal(self.cluster, &wound)?;
        }
        Ok(())
    }

    /// Starts nodes again that have ended by themselves, and takes note.
    fn revive(&mut self) -> Result<(), ChaosError> {
        for node in &mut self.cluster.nodes {
            let Some(how) = node.ended() else { continue };
            let at = self.begun.elapsed().as_secs_f64();
            self.played.deaths.push(format!("{} at {at:.1} s, {how}", node.name));
            // To give up and say so is a way to behave; to be ended by a signal, or by a panic, is none.
            if how.starts_with("signal") || how == "exit code 101" {
                self.played.wrong.push(format!("{} ended by itself at {at:.1} s: {how}", node.name));
            }
            node.start()?;
        }
        Ok(())
    }
}
