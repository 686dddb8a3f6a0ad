//! One of the three nodes: runs a job whose subtasks share state, and says on demand what came of it.

use std::cell::RefCell;
use std::io::BufRead;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use watershed_actors::resolver::{LastWriter, Written};
use watershed_actors::source::Generator;
use watershed_core::shared::{AnyShared, Refusal, Resolver, Settled, Shared, Stamp};
use watershed_core::{Context, Data, KeyGroups, Operator, Pipeline};
use watershed_link::{LinkConfig, Security};
use watershed_runtime::Config;
use watershed_runtime::cluster::{
    Answer, Depots, JobSpec, NodeError, NodeHandle, NodeSettings, Planned, Programs, Request, Timings,
    run_node,
};

use super::at_most;
use super::trio::NODES;
use crate::error::Error;

/// Arguments of one of three nodes.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Which of them.
    #[arg(long)]
    index: usize,
    /// The ports of all on loopback.
    #[arg(long, value_delimiter = ',')]
    ports: Vec<u16>,
    /// A directory that all have.
    #[arg(long)]
    directory: PathBuf,
    #[command(flatten)]
    work: Work,
}

/// What the job does.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Work {
    /// How many records there are; without an end where there is none.
    #[arg(long)]
    records: Option<u64>,
    /// How many a second.
    #[arg(long)]
    rate: u64,
    /// How many of them, the first ones, update shared state.
    #[arg(long)]
    updates: u64,
}

/// When an update was made, and by which process.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
struct Sent {
    nanos: u64,
    process: u32,
}

/// The last writer wins, and it is noted how long it took from another process here.
#[derive(Clone)]
struct Timed;

/// How long each update of another process took, in microseconds.
static TOOK: Mutex<Vec<u32>> = Mutex::new(Vec::new());
/// How many updates this process has made.
static MADE: AtomicU64 = AtomicU64::new(0);
/// The most entries that a vector has had here.
static ENTRIES: AtomicUsize = AtomicUsize::new(0);

fn nanos() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64)
}

impl Resolver<Sent> for Timed {
    type State = Option<Written<Sent>>;
    type Update = Sent;
    type Value = Option<Sent>;

    fn update(&self, state: &Self::State, sent: Sent, stamp: &Stamp) -> Result<Self::State, Refusal> {
        LastWriter.update(state, sent.into(), stamp)
    }

    fn join(&self, state: &mut Self::State, other: &Self::State) {
        LastWriter.join(state, other);
    }

    fn value(&self, state: &Self::State) -> Option<Sent> {
        LastWriter.value(state)
    }

    fn check(&self, state: &Self::State, delta: &Self::State, stamp: &Stamp) -> Result<(), Refusal> {
        let sent = delta.as_ref().and_then(Written::value);
        if let Some(sent) = sent.filter(|sent| sent.process != std::process::id()) {
            let took = nanos().saturating_sub(sent.nanos) / 1000;
            TOOK.lock().unwrap_or_else(PoisonError::into_inner).push(took as u32);
        }
        LastWriter.check(state, delta, stamp)
    }

    fn settle(&self, state: &mut Self::State, settled: Settled) -> bool {
        LastWriter.settle(state, settled)
    }
}

/// Updates a key for each of the first records, and looks how large vectors are.
#[derive(Clone)]
struct Updating {
    sent: Shared<u64, Sent, Timed>,
    updates: u64,
}

impl Operator for Updating {
    type Key = u64;
    type In = u64;
    type Out = u64;
    type State = ();

    fn shared(&self) -> Vec<AnyShared> {
        vec![self.sent.any()]
    }

    fn on_record(&self, i: u64, (): &mut (), cx: &mut impl Context<Self>) {
        if i < self.updates {
            let key = *cx.key();
            let sent = Sent { nanos: nanos(), process: std::process::id() };
            cx.update(&self.sent, &key, sent).expect("a time is small");
            MADE.fetch_add(1, Relaxed);
        }
        ENTRIES.fetch_max(cx.seen().len(), Relaxed);
        cx.emit(i);
    }
}

/// How many keys are updated.
const KEYS: u64 = 1000;

struct Sharing(Work);

impl Programs for Sharing {
    fn plan(&self, _: &JobSpec) -> Result<Planned, String> {
        let Work { records, rate, updates } = self.0;
        let pipeline = Pipeline::new("shared-state", KeyGroups::default());
        let mut source = Generator::new(0, |i, _| i).per_second(rate as f64);
        if let Some(records) = records {
            source = source.take(records);
        }
        let sent = pipeline.shared("sent", Timed);
        pipeline.source(source).key_by(|i| i % KEYS).process(Updating { sent, updates }).discard();
        let plan = pipeline.plan().map_err(|error| error.to_string())?;
        let mut config = Config { parallelism: NODES as u32, ..Config::default() };
        config.checkpoints.interval = Some(Duration::from_millis(200));
        Ok(Planned { plan, config, backend: None })
    }
}

/// Runs the node until nothing more is said to it.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Error> {
    let (settings, work) = (settings(arguments), arguments.work);
    let (up, is_up) = mpsc::channel();
    let node = std::thread::spawn(move || {
        run_node(settings, Rc::new(Sharing(work)), |handle| drop(up.send(handle)))
    });
    let handle = is_up.recv().map_err(|_| Error::Wrong("a node does not come up".to_owned()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Usage)?;
    let runtime = RefCell::new(runtime);
    let ask = |request| runtime.borrow().block_on(handle.request(request)).ok();
    for word in std::io::stdin().lock().lines().map_while(Result::ok) {
        let said = answer(&word, &handle, &ask);
        println!("{said}");
        if word == "leave" {
            return ended(node);
        }
    }
    handle.stop();
    ended(node)
}

fn ended(node: JoinHandle<Result<(), NodeError>>) -> Result<(), Error> {
    let ended = node.join().expect("the node does not panic");
    ended.map_err(|error| Error::Wrong(error.to_string()))
}

fn answer(word: &str, handle: &NodeHandle, ask: &impl Fn(Request) -> Option<Answer>) -> Value {
    match word {
        "nodes" => match ask(Request::Nodes) {
            Some(Answer::Nodes(nodes)) => {
                json!(nodes.iter().filter(|node| node.alive && node.slots > 0).count())
            }
            Some(_) | None => Value::Null,
        },
        "submit" => {
            let spec = JobSpec {
                pipeline: "shared-state".to_owned(),
                parallelism: NODES as u32,
                ..JobSpec::default()
            };
            ask(Request::Submit { name: "shared-state".to_owned(), spec })
                .map_or(Value::Null, |_| json!(true))
        }
        "status" => match ask(Request::Status { job: "shared-state".to_owned() }) {
            Some(Answer::Job(report)) => json!({
                "state": report.state,
                "run": report.run,
                "completed": report.checkpoints.completed,
                "reason": report.reason,
            }),
            Some(_) | None => Value::Null,
        },
        "leave" => {
            handle.leave();
            json!(true)
        }
        _ => told(handle),
    }
}

/// What came of the work so far.
fn told(handle: &NodeHandle) -> Value {
    let mut took = TOOK.lock().unwrap_or_else(PoisonError::into_inner).clone();
    took.sort_unstable();
    json!({
        "made": MADE.load(Relaxed),
        "applied": took.len(),
        "took": [at_most(&took, 0.5), at_most(&took, 0.99), at_most(&took, 1.0)],
        "bytes": handle.links().peers().iter().map(|peer| peer.bytes_out).sum::<u64>(),
        "entries": ENTRIES.load(Relaxed),
    })
}

fn settings(arguments: &Arguments) -> NodeSettings {
    let names = ["a", "b", "c"];
    let address = |index: usize| SocketAddr::from(([127, 0, 0, 1], arguments.ports[index]));
    let own = arguments.directory.join(names[arguments.index]);
    let shared = arguments.directory.join("checkpoints");
    NodeSettings {
        cluster: "benchmark".to_owned(),
        node: names[arguments.index].to_owned(),
        listen: address(arguments.index),
        advertise: None,
        coordinators: (0..NODES).map(|index| (names[index].to_owned(), address(index).to_string())).collect(),
        slots: NODES as u32,
        data: own.clone(),
        checkpoints: Depots { shared, address: None, own },
        security: Security::Plain,
        program: "benchmark".to_owned(),
        http: None,
        leave_within: Duration::from_secs(10),
        links: LinkConfig::default(),
        timings: Timings::default(),
    }
}
