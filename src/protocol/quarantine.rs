//! Decides what becomes of records that make their subtask panic.
//!
//! ```text
//!   a panic, and nobody looked closely
//!        └──▶ care: in the next runs the vertex lets records in one by one, for so many barriers
//!   a panic with one record at hand
//!        └──▶ a strike against it ──max_attempts──▶ quarantine: the next run leaves it out, as a dead letter
//!                                              └──▶ or the job fails and names it
//!   a checkpoint behind the letter completes
//!        └──▶ the record is passed for good, and forgotten
//! ```
//!
//! A batch passes a chain in one loop, so that the first panic names no record and is no strike: whose it was is not
//! known. It only makes the vertex careful, which costs the encoding of each record; a stream that does not panic pays
//! nothing. How long to be careful is told in barriers: a vertex that panicked behind `b` barriers of its run is
//! careful for more than twice as many in the next one. So a record that comes again after a like time is
//! met with care, and one that does not makes the care grow; each time by a factor of two.
//!
//! What was hard to get right:
//!
//! - **Which record it is** is told by vertex, bytes and event time. Not by subtask: behind an exchange a replay may
//!   bring it to another one. Where times do not come again (those of the wall clock do not), a record of
//!   equal bytes that is struck at another time is taken for the same, and from then on its time does not count: then
//!   records of equal bytes cannot be told apart, and the first that comes is left out.
//! - **Equal records** are left out as often as they were put in quarantine: once for each `max_attempts` strikes. Where
//!   a vertex has several subtasks and deals records out without a key, each may leave out so many.
//! - **Progress is no acquittal.** Checkpoints complete between two panics of one record, the nearer the later. So
//!   strikes are kept until the record is passed, or the vertex has worked for longer than its care without a panic.
//! - **Never an endless loop.** A strike is excused, which is to say that the run's end does not count among the
//!   fruitless ones, only under [`PoisonPolicy::Quarantine`], and only while all suspects and all records in quarantine
//!   together are at most `quarantine_max`. So without progress there are at most `quarantine_max * max_attempts`
//!   excused ends, and all others are counted as ever.
//!
//! Nothing of this is durable: a process that is killed begins to count anew. That costs tries, and no record.
//!
//! It takes no time and is asked in order, so it has methods of its own instead of
//! [`Machine::on`](crate::Machine::on).

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use watershed_core::{Epoch, EventTime, VertexId};

/// What is done with a record that has made its subtask panic too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PoisonPolicy {
    /// The job fails and names the record.
    Fail,
    /// The record becomes a dead letter, and the job goes on without it.
    Quarantine,
}

/// How records are treated that make their subtask panic.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PoisonConfig {
    /// What is done with them in the end. Default: the job fails.
    pub policy: PoisonPolicy,
    /// How often a record that is known to be the culprit is tried; the panic that called for a closer look does not
    /// count. At least 1. Default: 3.
    pub max_attempts: u32,
    /// How many records a job may put in quarantine while its process lives. Default: 100.
    pub quarantine_max: u32,
}

impl Default for PoisonConfig {
    fn default() -> Self {
        PoisonConfig { policy: PoisonPolicy::Fail, max_attempts: 3, quarantine_max: 100 }
    }
}

/// For how many barriers of a run a vertex is careful at least.
const CARE_BARRIERS_MIN: u32 = 16;

/// The panic of a subtask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Panicked {
    /// The vertex.
    pub vertex: VertexId,
    /// How many barriers its subtask had seen in this run.
    pub barriers: u32,
    /// The record at hand, where the subtask was careful and there was one.
    pub culprit: Option<Culprit>,
}

/// A record that a subtask had at hand when it panicked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Culprit {
    /// Its event time, unless the wall clock gave it.
    pub time: Option<EventTime>,
    /// The record.
    pub bytes: Arc<[u8]>,
    /// The number of the stage that panicked.
    pub stage: u16,
    /// What it said.
    pub reason: String,
}

/// What follows a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody knows whose fault it was. The run's end counts as any other.
    Unknown,
    /// The record has had so many strikes, and is tried again.
    Struck {
        /// How many strikes it has had.
        attempts: u32,
        /// Whether the end of the run counts against nothing.
        excused: bool,
    },
    /// The record has had so many strikes, and will be left out. The end of the run counts against nothing.
    SetAside {
        /// How many strikes it has had.
        attempts: u32,
    },
    /// The job fails.
    Fails {
        /// How many strikes the record has had.
        attempts: u32,
        /// Why it is not put in quarantine.
        why: Refusal,
    },
}

/// Why a record is not put in quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The policy says so.
    Policy,
    /// There are too many there already.
    Full,
    /// Nobody takes the dead letters of the vertex.
    NoTaker,
}

/// How careful the subtasks of a vertex have to be in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CareOrder {
    /// For how many barriers.
    pub barriers: u32,
    /// The records to leave out.
    pub leave_out: Vec<LeaveOut>,
}

/// A record to be left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaveOut {
    /// The number by which it is known here.
    pub number: u32,
    /// How often.
    pub times: u32,
    /// What it is, and why.
    pub culprit: Culprit,
}

/// Decides what becomes of the records of a job that make their subtasks panic.
#[derive(Clone, Debug)]
pub struct Quarantine {
    config: PoisonConfig,
    /// The vertices whose dead letters somebody takes.
    takers: BTreeSet<VertexId>,
    suspects: BTreeMap<u32, Suspect>,
    /// The number of the next suspect.
    next: u32,
    /// How many were put in quarantine so far.
    set_aside: u32,
    /// For how many barriers a vertex is careful.
    care: BTreeMap<VertexId, u32>,
    /// How many checkpoints this run has completed.
    completed: u32,
    /// What this run has left out, and the checkpoint that passes it: number, times.
    left_out: Vec<(Epoch, u32, u32)>,
}

/// A record that has been struck or put in quarantine.
#[derive(Clone, Debug)]
struct Suspect {
    vertex: VertexId,
    culprit: Culprit,
    strikes: u32,
    /// How often it is to be left out.
    times: u32,
}

impl Quarantine {
    /// Nobody is suspected yet. `takers` are the vertices whose dead letters somebody takes.
    pub fn new(config: PoisonConfig, takers: BTreeSet<VertexId>) -> Self {
        Quarantine {
            config,
            takers,
            suspects: BTreeMap::new(),
            next: 0,
            set_aside: 0,
            care: BTreeMap::new(),
            completed: 0,
            left_out: Vec::new(),
        }
    }

    /// A run begins: what the last one left out and no checkpoint has passed will come again.
    pub fn begin_run(&mut self) {
        self.completed = 0;
        self.left_out.clear();
    }

    /// How careful a vertex has to be in the run that begins.
    pub fn care(&self, vertex: VertexId) -> Option<CareOrder> {
        let barriers = *self.care.get(&vertex)?;
        let shunned =
            self.suspects.iter().filter(|(_, suspect)| suspect.vertex == vertex && suspect.times > 0);
        let leave_out = shunned.map(|(&number, suspect)| LeaveOut {
            number,
            times: suspect.times,
            culprit: suspect.culprit.clone(),
        });
        Some(CareOrder { barriers, leave_out: leave_out.collect() })
    }

    /// A subtask of the run has panicked.
    pub fn panicked(&mut self, Panicked { vertex, barriers, culprit }: Panicked) -> Verdict {
        let care = self.care.entry(vertex).or_default();
        *care = (*care).max(barriers.saturating_mul(2).saturating_add(CARE_BARRIERS_MIN));
        let Some(culprit) = culprit else { return Verdict::Unknown };
        let number = self.suspect(vertex, culprit);
        let suspect = self.suspects.get_mut(&number).expect("the record that was struck is a suspect");
        suspect.strikes += 1;
        let attempts = suspect.strikes;
        if attempts < self.config.max_attempts.max(1) {
            return Verdict::Struck { attempts, excused: self.excuses() };
        }
        let why = match self.config.policy {
            PoisonPolicy::Fail => Some(Refusal::Policy),
            PoisonPolicy::Quarantine if !self.takers.contains(&vertex) => Some(Refusal::NoTaker),
            PoisonPolicy::Quarantine => {
                (self.set_aside >= self.config.quarantine_max).then_some(Refusal::Full)
            }
        };
        if let Some(why) = why {
            return Verdict::Fails { attempts, why };
        }
        (suspect.strikes, suspect.times) = (0, suspect.times + 1);
        self.set_aside += 1;
        Verdict::SetAside { attempts }
    }

    /// A subtask has left a record out, so often; the checkpoint of this epoch passes it.
    pub fn left_out(&mut self, epoch: Epoch, number: u32, times: u32) {
        self.left_out.push((epoch, number, times));
    }

    /// A checkpoint of the run is complete: what it passes will not come again.
    pub fn completed(&mut self, epoch: Epoch) {
        self.completed = self.completed.saturating_add(1);
        let passed = self.left_out.extract_if(.., |(passing, ..)| *passing <= epoch);
        for (_, number, times) in passed {
            let Some(suspect) = self.suspects.get_mut(&number) else { continue };
            suspect.times = suspect.times.saturating_sub(times);
            if suspect.times == 0 {
                self.suspects.remove(&number);
            }
        }
        // Whoever has worked for longer than its care, has passed what it was careful about.
        let completed = self.completed;
        self.care.retain(|_, barriers| completed < *barriers);
        self.suspects.retain(|_, suspect| self.care.contains_key(&suspect.vertex));
    }

    /// The number of the suspect that this record is.
    fn suspect(&mut self, vertex: VertexId, culprit: Culprit) -> u32 {
        let (time, bytes) = (culprit.time, culprit.bytes.clone());
        let alike = |suspect: &Suspect| suspect.vertex == vertex && suspect.culprit.bytes == bytes;
        let mut moved = None;
        for (&number, suspect) in self.suspects.iter_mut().filter(|(_, suspect)| alike(suspect)) {
            let known = suspect.culprit.time;
            if known.is_none() || known == time {
                suspect.culprit = Culprit { time: known, ..culprit };
                return number;
            }
            // One that this run has left out already is another one.
            if moved.is_none() && !self.left_out.iter().any(|(_, left_out, _)| *left_out == number) {
                moved = Some((number, suspect));
            }
        }
        if let Some((number, suspect)) = moved {
            suspect.culprit = Culprit { time: None, ..culprit };
            if suspect.times > 0 {
                // It was to be left out at a time at which it did not come.
                self.set_aside -= suspect.times;
                (suspect.strikes, suspect.times) = (self.config.max_attempts, 0);
            }
            return number;
        }
        self.next += 1;
        self.suspects.insert(self.next, Suspect { vertex, culprit, strikes: 0, times: 0 });
        self.next
    }

    /// Whether a strike is excused: the last one that was given is among those that are counted.
    fn excuses(&self) -> bool {
        let suspects = self.suspects.values().filter(|suspect| suspect.times == 0).count();
        let all = u32::try_from(suspects).unwrap_or(u32::MAX).saturating_add(self.set_aside);
        self.config.policy == PoisonPolicy::Quarantine && all <= self.config.quarantine_max
    }
}
