//! `flight-delays`, killed at random times, at changing parallelism, its state now in memory and now on disk: its five
//! files are those of an undisturbed run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use watershed::actors::source::Dice;

use crate::process::{Process, watershed};
use crate::state::prove;

const OUTPUTS: [&str; 5] = ["hourly", "carriers", "rotations", "weather", "top_routes"];

/// How often one job is killed at most; then it is left in peace.
const KILLS_MAX: u32 = 12;

/// The longest that a process lives before it is killed.
const LIFE_MAX: Duration = Duration::from_secs(3);

/// Flights and weather.
struct Data {
    flights: PathBuf,
    weather: PathBuf,
    /// From one checkpoint to the next.
    interval: &'static str,
}

impl Data {
    fn january() -> Data {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data");
        let file = |name| data.join(format!("{name}-2013-01.csv.gz"));
        Data { flights: file("flights"), weather: file("weather"), interval: "30ms" }
    }

    /// The whole year, where it is there.
    fn year() -> Option<Data> {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/nycflights13");
        let file = |name| data.join(format!("{name}.csv.gz"));
        let year = Data { flights: file("flights"), weather: file("weather"), interval: "200ms" };
        year.flights.exists().then_some(year)
    }

    /// The job, in a folder.
    fn command(&self, folder: &Path, parallelism: u32) -> Command {
        let of = |name, path: &Path| format!("{name}={}", path.display());
        let mut command = watershed(folder, &["run", "flight-delays", "--quiet", "--set", "output=out"]);
        command.args(["--set", &of("input", &self.flights), "--set", &of("weather", &self.weather)]);
        command.args(["--state-dir", "state", "--checkpoint-interval", self.interval]);
        command.args(["--parallelism", &parallelism.to_string()]);
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

/// Kills a job at random times until it is done. How often it was killed.
fn harm(data: &Data, (expected, takes): &(Vec<Vec<String>>, Duration), seed: u64) -> u32 {
    let folder = TempDir::new().unwrap();
    let (mut dice, mut kills) = (Dice::new(seed, 0), 0);
    loop {
        let parallelism = [2, 1, 3][dice.below(3) as usize];
        let mut command = data.command(folder.path(), parallelism);
        if dice.below(2) == 0 {
            // As little as can be in memory.
            command.args(["--state-backend", "disk"]).env("WATERSHED_STATE_MEMORY_MIB", "0");
        }
        let process = Process::start(&mut command);
        if kills == KILLS_MAX {
            process.end().expect_done(&format!("seed {seed}, behind {kills} kills"));
            break;
        }
        std::thread::sleep((*takes).min(LIFE_MAX).mul_f64(0.05 + 0.6 * dice.unit()));
        if !process.kill() {
            // It was done before; another one finds that, or does what is left.
            let process = Process::start(&mut data.command(folder.path(), parallelism));
            process.end().expect_done(&format!("seed {seed}, done after {kills} kills"));
            break;
        }
        kills += 1;
    }
    let actual = outputs(folder.path());
    for ((output, expected), actual) in OUTPUTS.iter().zip(expected).zip(&actual) {
        let (rows, found) = (expected.len(), actual.len());
        assert!(
            expected == actual,
            "seed {seed}, {kills} kills: {output} has {found} lines, of {rows}, or others"
        );
    }
    let proved = prove(&folder.path().join("state"), &format!("seed {seed}"));
    println!("seed {seed}: {kills} kills, equal, {proved} checkpoints proved");
    kills
}

/// Harms jobs until so many kills have been survived.
fn survive(data: &Data, kills: u32) {
    let undisturbed = undisturbed(data);
    let (mut survived, mut seed) = (0, 0);
    while survived < kills {
        survived += harm(data, &undisturbed, seed);
        seed += 1;
    }
    println!("{survived} kills of {seed} jobs survived");
}

#[test]
fn a_job_that_is_killed_at_random_puts_out_the_same() {
    survive(&Data::january(), 5);
}

#[test]
#[ignore = "takes some minutes: 60 kills"]
fn a_month_that_is_killed_sixty_times_puts_out_the_same() {
    survive(&Data::january(), 60);
}

#[test]
#[ignore = "takes many minutes: the whole year, 60 kills"]
fn a_year_that_is_killed_sixty_times_puts_out_the_same() {
    match Data::year() {
        Some(year) => survive(&year, 60),
        None => println!("skipped: ../shared/data/nycflights13 is not there"),
    }
}
