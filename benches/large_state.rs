//! `large-state`: a count per key for so many keys that memory is the question. What do checkpoints write, how much
//! memory does it take, and (`recovery`) how soon does it work again?
//!
//! One operator counts the records of each key. First every key comes once; then only a share of them comes again, so
//! that each checkpoint follows a change of that share. Watershed alone: a peer would need a state backend.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use watershed_actors::sink::Fold;
use watershed_actors::source::Generator;
use watershed_core::plan::Fingerprint;
use watershed_core::{Context, KeyGroups, Operator, Pipeline, Plan};
use watershed_runtime::{Config, JobEnd, JobHandle, Storage, Summary, run as run_plan};
use watershed_state::inspect::{Offline, Which};
use watershed_state::{Adopt, DiskBackend, Identity, StateDirectory};

use crate::error::Error;
use crate::measure::peak_bytes;
use crate::workload::{SUBTASKS, splitmix64};

/// How much state, and where it is kept.
#[derive(Clone, Debug, Args)]
pub(crate) struct Arguments {
    /// Number of different keys
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(100..))]
    keys: u64,
    /// Where their counts are kept
    #[arg(long, value_enum, default_value_t = Kept::Memory)]
    backend: Kept,
    /// With disk: how many MiB of a subtask's counts may be in memory
    #[arg(long, default_value_t = 64)]
    memory_mib: usize,
    /// How many records follow when every key has come once
    #[arg(long, default_value_t = 100_000_000)]
    updates: u64,
    /// Which share of the keys these have, in percent
    #[arg(long, default_value_t = 1.0)]
    changed_percent: f64,
    /// Milliseconds between checkpoints
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    interval_ms: u64,
    /// The state directory (default: beside the benchmark's binary, and gone afterwards)
    #[arg(long)]
    state_dir: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kept {
    Memory,
    Disk,
}

/// Counts the records of each key.
#[derive(Clone)]
struct Counting;

/// When the first record was counted in this process.
static FIRST: OnceLock<Instant> = OnceLock::new();

impl Operator for Counting {
    type Key = u64;
    type In = u64;
    type Out = u64;
    type State = u64;

    fn on_record(&self, _: u64, count: &mut u64, cx: &mut impl Context<Self>) {
        FIRST.get_or_init(Instant::now);
        *count += 1;
        cx.emit(*count);
    }
}

/// Counts, takes checkpoints all the while, and says what these wrote.
pub(crate) fn large_state(arguments: &Arguments) -> Result<(), Error> {
    let place = tempfile::tempdir_in(beside()?).map_err(Error::Usage)?;
    let directory = arguments.state_dir.as_deref().unwrap_or(place.path());
    let (keys, updates) = (arguments.keys, arguments.updates);
    let changed = ((keys as f64 * arguments.changed_percent / 100.0) as u64).max(1);
    let (sink, sums) = Fold::new(
        || (0_u64, 0_u64),
        |(records, sum), count: u64, _| {
            *records += 1;
            *sum = sum.wrapping_add(count);
        },
    );
    let pipeline = Pipeline::new("large-state", KeyGroups::default());
    let key = move |i: u64, _: &mut _| if i < keys { i } else { splitmix64(i) % changed };
    pipeline
        .source(Generator::new(0, key).take(keys + updates))
        .key_by(|key| *key)
        .process(Counting)
        .uid("counts")
        .sink(sink);
    let begun = Instant::now();
    let filled = Arc::new(OnceLock::new());
    let noted = filled.clone();
    let summary = job(&pipeline, arguments, directory, move |handle| {
        watch(handle, move |records, _| {
            if records >= keys {
                noted.get_or_init(Instant::now);
            }
            false
        });
    });
    let elapsed = begun.elapsed().as_secs_f64();
    let records: u64 = sums.take().iter().map(|(records, _)| records).sum();
    if records != keys + updates {
        return Err(Error::Wrong(format!("{records} records were counted of {}", keys + updates)));
    }
    let of_filling = filled.get().map_or(elapsed, |at| (*at - begun).as_secs_f64());
    let pauses = summary.checkpoints;
    println!("{:>12} keys filled at {:.2} M/s", keys, keys as f64 / of_filling / 1e6);
    println!("{:>12} updates at {:.2} M/s", updates, updates as f64 / (elapsed - of_filling) / 1e6);
    println!(
        "pause p50 {:.2} p99 {:.2} max {:.2} ms, peak memory {:.0} MB",
        pauses.pause_p50.as_secs_f64() * 1e3,
        pauses.pause_p99.as_secs_f64() * 1e3,
        pauses.pause_max.as_secs_f64() * 1e3,
        peak_bytes()? as f64 / 1e6
    );
    tell_sizes(directory)
}

/// Says what each checkpoint that is still there has written of the state.
fn tell_sizes(directory: &Path) -> Result<(), Error> {
    let io = |error: &dyn std::fmt::Display| Error::Usage(std::io::Error::other(error.to_string()));
    let offline = Offline::open(directory).map_err(|error| io(&error))?;
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Usage)?;
    let listing = tokio.block_on(offline.list()).map_err(|error| io(&error))?;
    let mut full = 0;
    for listed in &listing.checkpoints {
        let found = tokio.block_on(offline.manifest(Which::Epoch(listed.epoch)));
        let (_, manifest) = found.map_err(|error| io(&error))?;
        let layers = manifest.votes.iter().map(|vote| vote.snapshot.len()).max().unwrap_or_default();
        let newest = manifest.votes.iter().filter_map(|vote| vote.snapshot.last());
        let bytes: u64 = newest.map(|object| object.bytes).sum();
        full = full.max(bytes);
        println!(
            "checkpoint {:>4}: {bytes:>12} bytes in layer {layers}, {:.2} % of the largest before",
            listed.epoch.to_string(),
            bytes as f64 / full as f64 * 100.0
        );
    }
    Ok(())
}

/// Fills the state, stops at a checkpoint, and lets another process go on from it.
pub(crate) fn recovery(arguments: &Arguments) -> Result<(), Error> {
    let place = tempfile::tempdir_in(beside()?).map_err(Error::Usage)?;
    let directory = arguments.state_dir.clone().unwrap_or_else(|| place.path().to_owned());
    let life = |what: &str| {
        let mut command = Command::new(std::env::current_exe().map_err(Error::Usage)?);
        command.arg("recovery-life").arg("--state-dir").arg(&directory).stdin(Stdio::null());
        command
            .arg(format!("--keys={}", arguments.keys))
            .arg(format!("--memory-mib={}", arguments.memory_mib));
        command.arg(format!("--backend={}", if arguments.backend == Kept::Disk { "disk" } else { "memory" }));
        let status = command.status().map_err(Error::Usage)?;
        status.success().then_some(()).ok_or_else(|| Error::Wrong(format!("the process that {what} failed")))
    };
    life("fills the state")?;
    life("goes on from it")
}

/// One process of [`recovery`]: works until every key has come, or until it works again.
pub(crate) fn recovery_life(arguments: &Arguments) -> Result<(), Error> {
    let begun = Instant::now();
    let directory = arguments.state_dir.as_deref().expect("a life of recovery is told its directory");
    let resumes = directory.join("meta.log").exists();
    let keys = arguments.keys;
    let pipeline = Pipeline::new("recovery", KeyGroups::default());
    let key = move |i: u64, _: &mut _| if i < keys { i } else { splitmix64(i) % keys };
    let source = Generator::new(0, key);
    pipeline.source(source).key_by(|key| *key).process(Counting).uid("counts").discard();
    let arguments = Arguments { interval_ms: 3_600_000, ..arguments.clone() };
    let summary = job(&pipeline, &arguments, directory, move |handle| {
        let ended = handle.clone();
        watch(handle, move |records, _| {
            let over = if resumes { FIRST.get().is_some() } else { records >= keys };
            if over {
                ended.cancel();
            }
            over
        });
    });
    if !matches!(summary.end, JobEnd::Suspended(_)) {
        return Err(Error::Wrong(format!("the job ended as {:?}", summary.end)));
    }
    let first = FIRST.get().map_or(f64::NAN, |at| (*at - begun).as_secs_f64());
    let (what, peak) = (if resumes { "restored" } else { "filled" }, peak_bytes()? as f64 / 1e6);
    println!("{what}: {keys} keys, first record after {first:.2} s, peak memory {peak:.0} MB");
    Ok(())
}

/// Calls `look` now and then with how many records the counting operator has taken, until it says that is enough.
fn watch(handle: JobHandle, mut look: impl FnMut(u64, &JobHandle) -> bool + 'static) {
    actix_rt::spawn(async move {
        loop {
            let report = handle.report();
            let counted = report.iter().find(|vertex| !vertex.is_source);
            if look(counted.map_or(0, |vertex| vertex.counters.records_in), &handle) {
                return;
            }
            actix_rt::time::sleep(Duration::from_millis(5)).await;
        }
    });
}

fn job(
    pipeline: &Pipeline,
    arguments: &Arguments,
    directory: &Path,
    observe: impl FnOnce(JobHandle),
) -> Summary {
    let plan: Rc<Plan> = Rc::new(pipeline.plan().expect("the benchmark's pipelines are complete"));
    let mut config = Config { arbiters: SUBTASKS, parallelism: SUBTASKS as u32, ..Config::default() };
    config.checkpoints.interval = Some(Duration::from_millis(arguments.interval_ms));
    config.checkpoints.retain = 64;
    config.checkpoints.timeout = Duration::from_secs(600);
    config.checkpoints.restore_timeout = Duration::from_secs(600);
    let identity = Identity {
        job: plan.name.clone(),
        key_groups: plan.key_groups,
        plan: Fingerprint::of(&plan),
        store: None,
    };
    let state = StateDirectory::open(directory, identity, Adopt::SamePlan).expect("the directory is ours");
    let storage = Storage::directory(&state);
    let storage = match arguments.backend {
        Kept::Memory => storage,
        Kept::Disk => {
            let backend = DiskBackend::open(directory, arguments.memory_mib << 20);
            storage.with_backend(Arc::new(backend.expect("there is room beside the benchmark")))
        }
    };
    run_plan(&plan, &config, storage, observe).expect("the benchmark's pipelines do not fail")
}

/// Where the benchmark's binary lies, and so its files.
fn beside() -> Result<PathBuf, Error> {
    let program = std::env::current_exe().map_err(Error::Usage)?;
    Ok(program.parent().expect("a program lies in a folder").to_owned())
}
