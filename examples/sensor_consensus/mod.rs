//! Sensors that disagree come to one value a round, and everybody sees the same history of it.
//!
//! ```text
//!                      ┌ subtask 0: vote, write ┐                        ┌ subtask 0 ─▶ history/part-0
//!  readings ─ by sensor┤ subtask 1: vote, write ├─ by round ─▶ decide ─▶ ┤ subtask 1 ─▶ history/part-1
//!                      └ ..                     ┘   once, of a quorum    └ ..
//!           shared state:  votes ◀──────────┴───────────────┴──────────────▶ read
//! ```
//!
//! Each sensor is observed by a subtask of its own, wherever that runs. In each round it has a vote, and what the job
//! takes for true is decided in two ways that are worth comparing:
//!
//! * **By vote.** A mean cannot be merged: the mean of means is another number. So what is shared are the votes, and
//!   what is decided is a function of one fixed set of them. [`Vote`] keeps them; whoever sees a quorum proposes a
//!   [`Decision`] that lists the votes it has counted, and every node tallies the listed votes again before it takes it. A
//!   vote that comes later changes nothing. The mean follows a sensor that has gone mad, the median does not: try
//!   `--set rule=mean` and `--set rule=median`.
//! * **By time.** Everybody writes the same key, and the [`LastWriter`] wins, on all nodes alike.
//!
//! A third way is for people: by how much a sensor is set right is agreed on by the nodes of the job themselves, when somebody
//! says so from outside (`watershed update sensor-consensus offsets 2 250`: 250 thousandths of a degree for sensor 2). No
//! failure undoes it, and `watershed query sensor-consensus offsets 2 --level linearizable` sees it at once, through any node.
//!
//! No step sends a value to another one: what travels on the stream is that something was decided. Yet all subtasks
//! that hear of it read the same, on whichever node they are, since a batch is worked on only when its node has all that
//! the batch's sender had seen. That is what `history` shows, one part a subtask: the parts differ in their first column
//! alone.

mod decide;
mod observe;
mod reading;
mod record;

use std::path::PathBuf;

use watershed::actors::resolver::{Consensus, LastWriter, Majority, Tally, Vote};
use watershed::core::shared::Shared;
use watershed::prelude::*;

use decide::Decide;
use observe::{BySubtask, Observe};
use reading::{Reading, Sensors};
use record::Record;

/// What can be set.
#[derive(Clone, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Parameters {
    /// How many sensors vote.
    voters: u32,
    /// How many votes decide; more than half of them where nothing is said.
    quorum: Option<u32>,
    /// What votes come to: `mean` or `median`.
    rule: Rule,
    /// How many rounds there are.
    rounds: u64,
    /// How many readings a second; as many as possible where there is none.
    rate: Option<f64>,
    /// How often a sensor is mad in a round, as a probability.
    faults: f64,
    /// What decides about noise and faults.
    seed: u64,
    /// The folder for what was observed and what was decided.
    output: PathBuf,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters {
            voters: 4,
            quorum: None,
            rule: Rule::Median,
            rounds: 200,
            rate: None,
            faults: 0.05,
            seed: 1,
            output: "out/sensor-consensus".into(),
        }
    }
}

/// What votes come to.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Rule {
    Mean,
    Median,
}

/// Each round is a key of shared state, and stays.
const ROUNDS_MAX: u64 = 10_000;

/// Each voter is a subtask.
const VOTERS_MAX: u32 = 64;

impl Parameters {
    fn check(&self) -> Result<(), watershed::Error> {
        if !(1..=VOTERS_MAX).contains(&self.voters) {
            return Err(format!("voters is {}: it must be 1 to {VOTERS_MAX}", self.voters).into());
        }
        if !(1..=self.voters).contains(&self.quorum()) {
            let (quorum, voters) = (self.quorum(), self.voters);
            return Err(format!("a quorum of {quorum} out of {voters} voters decides nothing").into());
        }
        if self.rounds > ROUNDS_MAX {
            return Err(format!("rounds is {}: at most {ROUNDS_MAX} are kept", self.rounds).into());
        }
        if !(0.0..=1.0).contains(&self.faults) {
            return Err("faults must be a probability".into());
        }
        if self.rate.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
            return Err("the rate must be a number above 0".into());
        }
        Ok(())
    }

    fn quorum(&self) -> u32 {
        self.quorum.unwrap_or(self.voters / 2 + 1)
    }
}

/// The votes of each round, by its number.
type Votes<T> = Shared<u64, f64, Vote<T>>;

/// What was written last in each round: the sensor and its value.
type Latest = Shared<u64, (u32, f64), LastWriter>;

/// What is added to a sensor's readings, in thousandths of a degree: agreed on, since people set it.
type Offsets = Shared<u32, i32, Consensus<Majority>>;

/// Registers the pipeline.
pub(crate) fn register(app: App) -> App {
    app.pipeline(
        "sensor-consensus",
        "Lets noisy sensors vote, round by round, and shows that all subtasks see the same history",
        sensor_consensus,
    )
}

fn sensor_consensus(pipeline: &Pipeline, p: Parameters) -> Result<(), watershed::Error> {
    p.check()?;
    match p.rule {
        Rule::Mean => by_vote(pipeline, &p, Vote::mean(p.voters, p.quorum())),
        Rule::Median => by_vote(pipeline, &p, Vote::median(p.voters, p.quorum())),
    }
    Ok(())
}

fn by_vote<T: Tally<f64>>(pipeline: &Pipeline, p: &Parameters, vote: Vote<T>) {
    let votes: Votes<T> = pipeline.shared("votes", vote);
    let latest: Latest = pipeline.shared("latest", LastWriter);
    let offsets: Offsets = pipeline.shared("offsets", Consensus::register());

    let sensors = Sensors { voters: p.voters, faults: p.faults };
    let readings = Generator::new(p.seed, move |n, dice| sensors.reading(n, dice));
    let readings = readings.take(p.rounds * u64::from(p.voters));
    let readings = match p.rate {
        Some(rate) => readings.per_second(rate),
        None => readings,
    };
    let observed = pipeline
        .source(readings)
        .uid("readings")
        .partition_by("sensor", BySubtask::new(|reading: &Reading| reading.sensor))
        .parallelism(p.voters)
        .transform("observe", Observe { votes: votes.clone(), latest: latest.clone(), offsets })
        .uid("observe")
        .shared();
    let observations = sink::Files::csv(p.output.join("observations.csv"));
    observed.branch().gather().sink(observations).named("observations").uid("observations");

    let voters = p.voters;
    let history = sink::Files::csv(p.output.join("history.csv")).in_parts();
    observed
        .branch()
        .key_by(|reading| reading.round)
        .process(Decide { votes: votes.clone(), voters })
        .uid("decide")
        .flat_map(move |round| (0..voters).map(move |replica| (replica, round)))
        .partition_by("replica", BySubtask::new(|(replica, _): &(u32, u64)| *replica))
        .parallelism(voters)
        .transform("record", Record { votes, latest })
        .uid("record")
        .sink(history)
        .named("history")
        .uid("history");
}
