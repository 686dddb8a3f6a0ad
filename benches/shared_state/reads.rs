//! What a read costs: a stream of which each record is compared with a limit, which lies in shared state or in the operator.

use std::env;
use std::process::{Command, Stdio};
use std::time::Instant;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use watershed_actors::resolver::LastWriter;
use watershed_actors::sink::Fold;
use watershed_actors::source::Generator;
use watershed_core::shared::{AnyShared, Shared};
use watershed_core::{Context, KeyGroups, Operator, Pipeline};
use watershed_runtime::{Config, Storage, run as run_plan};

use super::median;
use crate::error::Error;
use crate::workload::{SUBTASKS, splitmix64};

/// Arguments of one run.
#[derive(Clone, Debug, Args)]
pub(crate) struct Arguments {
    #[arg(long, value_enum)]
    from: From,
    #[arg(long)]
    records: u64,
}

/// Where limits lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum From {
    Shared,
    Constant,
}

/// What a run found.
#[derive(Debug, Serialize, Deserialize)]
struct Found {
    above: u64,
    seconds: f64,
}

/// How many limits there are.
const RULES: u64 = 16;

/// How many keys the records have.
const KEYS: u64 = 10_000;

fn limit(rule: u64) -> u64 {
    splitmix64(!rule) >> 1
}

/// Lets pass what lies above the limit of its rule, which is read for each record.
#[derive(Clone)]
struct FromShared {
    limits: Shared<u64, u64, LastWriter>,
}

impl Operator for FromShared {
    type Key = u64;
    type In = u64;
    type Out = u64;
    type State = ();

    fn shared(&self) -> Vec<AnyShared> {
        vec![self.limits.any()]
    }

    fn on_record(&self, i: u64, (): &mut (), cx: &mut impl Context<Self>) {
        let rule = i % RULES;
        let limit = cx.read(&self.limits, &rule).unwrap_or_else(|| {
            // Whoever comes first makes the rule; it is the same whoever it is.
            cx.update(&self.limits, &rule, limit(rule).into()).expect("a number is small");
            limit(rule)
        });
        if splitmix64(i) > limit {
            cx.emit(i);
        }
    }
}

/// The same with limits of its own.
#[derive(Clone)]
struct FromConstant {
    limits: [u64; RULES as usize],
}

impl Operator for FromConstant {
    type Key = u64;
    type In = u64;
    type Out = u64;
    type State = ();

    fn on_record(&self, i: u64, (): &mut (), cx: &mut impl Context<Self>) {
        if splitmix64(i) > self.limits[(i % RULES) as usize] {
            cx.emit(i);
        }
    }
}

/// One run, in this process.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Error> {
    let (sink, sums) = Fold::new(|| 0_u64, |above: &mut u64, _: u64, _| *above += 1);
    let pipeline = Pipeline::new("reads", KeyGroups::default());
    let keyed = pipeline.source(Generator::new(0, |i, _| i).take(arguments.records)).key_by(|i| i % KEYS);
    match arguments.from {
        From::Shared => {
            keyed.process(FromShared { limits: pipeline.shared("limits", LastWriter) }).sink(sink)
        }
        From::Constant => {
            keyed.process(FromConstant { limits: std::array::from_fn(|rule| limit(rule as u64)) }).sink(sink)
        }
    };
    let plan = std::rc::Rc::new(pipeline.plan().expect("the benchmark's pipelines are complete"));
    let config = Config { arbiters: SUBTASKS, parallelism: SUBTASKS as u32, ..Config::default() };
    let begun = Instant::now();
    run_plan(&plan, &config, Storage::none(), |_| {}).expect("the benchmark's pipelines do not fail");
    let found = Found { above: sums.take().iter().sum(), seconds: begun.elapsed().as_secs_f64() };
    println!("{}", serde_json::to_string(&found).expect("numbers can be written"));
    Ok(())
}

pub(super) fn measure(arguments: &super::Arguments) -> Result<(), Error> {
    let records = arguments.records;
    let expected = (0..records).filter(|i| splitmix64(*i) > limit(i % RULES)).count() as u64;
    let one = |from: &str| -> Result<f64, Error> {
        let output = Command::new(env::current_exe().map_err(Error::Usage)?)
            .args(["shared-reads", "--from", from, "--records", &records.to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(Error::Usage)?;
        let said = String::from_utf8_lossy(&output.stdout);
        let found: Found =
            serde_json::from_str(said.trim()).map_err(|_| Error::Wrong(format!("a run says {said:?}")))?;
        if found.above != expected {
            return Err(Error::Wrong(format!("{from}: {} are above, and {expected} should be", found.above)));
        }
        Ok(records as f64 / found.seconds / 1e6)
    };
    let (mut shared, mut constant) = (Vec::new(), Vec::new());
    for run in 1..=arguments.runs {
        constant.push(one("constant")?);
        shared.push(one("shared")?);
        let (constant, shared) = (constant[constant.len() - 1], shared[shared.len() - 1]);
        println!(
            "reads run {run}: {constant:.1} M records/s by a constant, {shared:.1} by shared state, {:.3}",
            shared / constant
        );
    }
    println!("reads: {:.3} of the rate of a constant, by medians", median(shared) / median(constant));
    Ok(())
}
