//! `flight-delays`, killed at random times, at changing parallelism, its state now in memory and now on disk: its five
//! files are those of an undisturbed run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use watershed::actors::source::Dice;
use watershed::core::Epoch;

use crate::cuts::restored;
use crate::need;
use crate::process::{Process, watershed};
use crate::state::{decided, prove};

const OUTPUTS: [&str; 5] = ["hourly", "carriers", "rotations", "weather", "top_routes"];

/// How often one job is killed at most; then it is left in peace.
const KILLS_MAX: u32 = 12;

/// How many jobs are tried until as often as is wanted has been killed.
const JOBS_MAX: u64 = 100;

/// The longest that a process lives before it is killed, unless that is too short to come to a checkpoint.
const LIFE_MAX: Duration = Duration::from_secs(3);

/// How many checkpoints a job keeps: all.
const RETAINED: u32 = 100_000;

/// Flights and weather.
struct Data {
    flights: PathBuf,
    /// How many flights there are.
    count: u32,
    weather: PathBuf,
    /// How long they are read at least, where that is said.
    lasts: Option<Duration>,
    /// From one checkpoint to the next.
    interval: &'static str,
}

impl Data {
    fn january() -> Data {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data");
        let file = |name| data.join(format!("{name}-2013-01.csv.gz"));
        let (flights, weather) = (file("flights"), file("weather"));
        Data { flights, count: 27_004, weather, lasts: None, interval: "30ms" }
    }

    /// The whole year, where it is there.
    fn year() -> Option<Data> {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/nycflights13");
        let file = |name| data.join(format!("{name}.csv.gz"));
        let (flights, weather) = (file("flights"), file("weather"));
        let year = Data { flights, count: 336_776, weather, lasts: None, interval: "200ms" };
        year.flights.exists().then_some(year)
    }

    /// The job, in a folder.
    fn command(&self, folder: &Path, parallelism: u32) -> Command {
        let of = |name, path: &Path| format!("{name}={}", path.display());
        let mut command = watershed(folder, &["run", "flight-delays", "--quiet", "--set", "output=out"]);
        command.args(["--set", &of("input", &self.flights), "--set", &of("weather", &self.weather)]);
        command.args(["--state-dir", "state", "--checkpoint-interval", self.interval]);
        command.args(["--parallelism", &parallelism.to_string()]);
        if let Some(lasts) = self.lasts {
            command.args(["--set", &format!("rate={}", f64::from(self.count) / lasts.as_secs_f64())]);
        }
        // So that what each life went on from can be looked at in the end.
        command.env("WATERSHED_CHECKPOINT_RETAIN", RETAINED.to_string());
        command
    }
}

/// The lines of each output, sorted.
fn outputs(folder: &Path) -> Vec<Vec<String>> {
    let lines = |output| {
        let path = folder.join("out").join(format!("{output}.csv"));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    OUTPUTS.map(lines).into()
}

/// An undisturbed run: what it puts out, and how long it takes.
fn undisturbed(data: &Data) -> (Vec<Vec<String>>, Duration) {
    let folder = TempDir::new().unwrap();
    let begun = Instant::now();
    Process::start(&mut data.command(folder.path(), 2)).end().expect_done("an undisturbed run");
    (outputs(folder.path()), begun.elapsed())
}

/// Kills a job at random times, within the first part of a span, until it is done or was killed so many times.
fn harm(data: &Data, expected: &[Vec<String>], span: Duration, kills_max: u32, seed: u64) -> Survived {
    let folder = TempDir::new().unwrap();
    let (mut dice, mut kills) = (Dice::new(seed, 0), 0);
    // What was decided when a life ended that had decided anything.
    let mut behind = BTreeSet::new();
    loop {
        let parallelism = [2, 1, 3][dice.below(3) as usize];
        let mut command = data.command(folder.path(), parallelism);
        if dice.below(2) == 0 {
            // As little as can be in memory.
            command.args(["--state-backend", "disk"]).env("WATERSHED_STATE_MEMORY_MIB", "0");
        }
        let process = Process::start(&mut command);
        if kills == kills_max {
            process.end().expect_done(&format!("seed {seed}, behind {kills} kills"));
            break;
        }
        std::thread::sleep(span.mul_f64(0.05 + 0.6 * dice.unit()));
        if !process.kill() {
            // It was done before; another one finds that, or does what is left.
            let process = Process::start(&mut data.command(folder.path(), parallelism));
            process.end().expect_done(&format!("seed {seed}, done after {kills} kills"));
            break;
        }
        kills += 1;
        behind.extend(decided(&folder.path().join("state")));
    }
    let actual = outputs(folder.path());
    for ((output, expected), actual) in OUTPUTS.iter().zip(expected).zip(&actual) {
        let (rows, found) = (expected.len(), actual.len());
        assert!(
            expected == actual,
            "seed {seed}, {kills} kills: {output} has {found} lines, of {rows}, or others"
        );
    }
    let checkpoints = prove(&folder.path().join("state"), &format!("seed {seed}"));
    assert!(!checkpoints.is_empty(), "seed {seed}: no checkpoint is left");
    // The same output would come of a job that began anew each time. A later life has to go on from where the one before it was.
    let restored: BTreeSet<Epoch> = restored(&checkpoints).iter().map(|(_, base)| base.epoch).collect();
    let elsewhere: Vec<&Epoch> = restored.difference(&behind).collect();
    assert!(elsewhere.is_empty(), "seed {seed}: gone on from {elsewhere:?}, and decided was {behind:?}");
    // Behind the last one there is nothing to go on with.
    let last = checkpoints.iter().find(|checkpoint| checkpoint.last).map(|checkpoint| checkpoint.epoch);
    let first = behind.first().filter(|first| Some(**first) != last);
    assert!(
        first.is_none_or(|first| restored.contains(first)),
        "seed {seed}: decided was {behind:?}, and gone on from {restored:?}"
    );
    let (proved, restored) = (checkpoints.len(), restored.len());
    println!("seed {seed}: {kills} kills, gone on from {restored} checkpoints, equal, {proved} proved");
    Survived { kills, restored }
}

/// What a job has survived.
struct Survived {
    kills: u32,
    /// How many different checkpoints it has gone on from.
    restored: usize,
}

/// Harms jobs until so many kills have been survived, and some of them behind a checkpoint.
fn survive(mut data: Data, kills: u32) {
    let (expected, takes) = undisturbed(&data);
    let mut span = takes.min(LIFE_MAX);
    let (mut survived, mut restored, mut seed) = (0, 0, 0);
    while survived < kills || restored == 0 {
        assert!(seed < JOBS_MAX, "{seed} jobs: {survived} kills, {restored} of them behind a checkpoint");
        let kills_max = kills.saturating_sub(survived).clamp(1, KILLS_MAX);
        let job = harm(&data, &expected, span, kills_max, seed);
        (survived, restored) = (survived + job.kills, restored + job.restored);
        // How long a job takes to come to a checkpoint, and to its end, is the machine's affair, and changes.
        match job {
            Survived { kills, restored: 0 } if kills == kills_max => {
                span *= 2;
                data.lasts = Some(span);
            }
            Survived { kills: 0, .. } => span /= 2,
            Survived { .. } => {}
        }
        seed += 1;
    }
    println!("{survived} kills of {seed} jobs survived, {restored} checkpoints gone on from");
}

#[test]
fn a_job_that_is_killed_at_random_puts_out_the_same() {
    survive(Data::january(), 5);
}

#[test]
#[ignore = "takes some minutes: 60 kills"]
fn a_month_that_is_killed_sixty_times_puts_out_the_same() {
    survive(Data::january(), 60);
}

#[test]
#[ignore = "takes many minutes: the whole year, 60 kills"]
fn a_year_that_is_killed_sixty_times_puts_out_the_same() {
    match Data::year() {
        Some(year) => survive(year, 60),
        None => need::pass_over(
            "a_year_that_is_killed_sixty_times_puts_out_the_same",
            "flights",
            "../shared/data/nycflights13 is not there",
        ),
    }
}
