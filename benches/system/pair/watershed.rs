//! Watershed on two nodes with a slot each.

use std::cell::RefCell;
use std::io::Read;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use watershed_actors::aggregate::Count;
use watershed_actors::sink::{Fold, Folded};
use watershed_actors::source::Generator;
use watershed_actors::window::{Tumbling, Windowed, Windows};
use watershed_core::{EventTime, KeyGroups, Pipeline};
use watershed_link::{LinkConfig, Security};
use watershed_runtime::Config;
use watershed_runtime::cluster::{
    Answer, Depots, JobSpec, JobState, NodeHandle, NodeSettings, Planned, Programs, Request, Timings,
    run_node,
};

use super::Place;
use crate::tally::Tally;
use crate::workload::{Parameters, SUBTASKS, WINDOW_MS, event_time_ms, key_of};

/// How often the first process looks whether the job is over.
const LOOK: Duration = Duration::from_millis(5);

/// The benchmark's only pipeline.
struct KeyedCount {
    parameters: Parameters,
    /// What the sinks of every plan that was drawn have folded.
    found: Arc<Mutex<Vec<Folded<Tally>>>>,
}

impl Programs for KeyedCount {
    fn plan(&self, _: &JobSpec) -> Result<Planned, String> {
        let (events, keys) = (self.parameters.events, self.parameters.keys);
        let (sink, folded) = Fold::new(Tally::default, |tally: &mut Tally, result: Windowed<u64, u64>, _| {
            tally.add(result.key, result.window.start.as_millis(), result.value);
        });
        let pipeline = Pipeline::new("benchmark", KeyGroups::default());
        let keyed = Generator::new(0, move |i, _| key_of(i, keys)).take(events);
        pipeline
            .source(keyed.timed(|i, _| EventTime::from_millis(event_time_ms(i))))
            .key_by(|key| *key)
            .window(Tumbling::of(Duration::from_millis(WINDOW_MS as u64)))
            .aggregate(Count)
            .sink(sink);
        let plan = pipeline.plan().map_err(|error| error.to_string())?;
        self.found.lock().expect("nobody panics with it").push(folded);
        let mut config = Config { parallelism: SUBTASKS as u32, ..Config::default() };
        config.checkpoints.interval = None;
        Ok(Planned { plan, config, backend: None })
    }
}

/// Counts this half, with the other process.
pub(super) fn work(place: &Place, parameters: &Parameters) -> (f64, Tally) {
    let found: Arc<Mutex<Vec<Folded<Tally>>>> = Arc::default();
    let (settings, parameters, sinks) = (settings(place), parameters.clone(), found.clone());
    let (up, is_up) = mpsc::channel();
    let node = std::thread::spawn(move || {
        let programs = Rc::new(KeyedCount { parameters, found: sinks });
        run_node(settings, programs, |handle| drop(up.send(handle)))
    });
    let handle = is_up.recv().expect("the node comes up");
    let seconds = if place.index == 0 { lead(&handle) } else { follow() };
    handle.stop();
    node.join().expect("the node does not panic").expect("the node ends well");
    let folded = std::mem::take(&mut *found.lock().expect("nobody panics with it"));
    let tallies = folded.into_iter().flat_map(|folded| folded.take());
    (seconds, tallies.fold(Tally::default(), Tally::merge))
}

/// Submits the job once both nodes are there, and waits for its end.
fn lead(handle: &NodeHandle) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = RefCell::new(runtime.expect("the system gives a thread its event loop"));
    let ask = |request| runtime.borrow().block_on(handle.request(request));
    wait(|| match ask(Request::Nodes) {
        Ok(Answer::Nodes(nodes)) => nodes.iter().filter(|node| node.alive && node.slots > 0).count() == 2,
        _ => false,
    });
    let begun = Instant::now();
    let spec =
        JobSpec { pipeline: "benchmark".to_owned(), parallelism: SUBTASKS as u32, ..JobSpec::default() };
    ask(Request::Submit { name: "benchmark".to_owned(), spec }).expect("the cluster takes the job");
    wait(|| match ask(Request::Status { job: "benchmark".to_owned() }) {
        Ok(Answer::Job(report)) => {
            assert_ne!(report.state, JobState::Failed, "{:?}", report.reason);
            report.state == JobState::Finished
        }
        _ => false,
    });
    begun.elapsed().as_secs_f64()
}

fn wait(mut is_there: impl FnMut() -> bool) {
    while !is_there() {
        std::thread::sleep(LOOK);
    }
}

/// Works until the first process is done.
fn follow() -> f64 {
    // It says nothing; its end is the word.
    let _ = std::io::stdin().read(&mut [0]);
    0.0
}

fn settings(place: &Place) -> NodeSettings {
    let names = ["first", "second"];
    let address = |index: usize| SocketAddr::from(([127, 0, 0, 1], place.ports[index]));
    let own = place.directory.join(names[place.index]);
    NodeSettings {
        cluster: "benchmark".to_owned(),
        node: names[place.index].to_owned(),
        listen: address(place.index),
        advertise: None,
        coordinators: vec![(names[0].to_owned(), address(0).to_string())],
        slots: 1,
        data: own.clone(),
        checkpoints: Depots { shared: place.directory.join("checkpoints"), address: None, own },
        security: Security::Plain,
        program: "benchmark".to_owned(),
        http: None,
        leave_within: Duration::ZERO,
        links: LinkConfig::default(),
        timings: Timings::default(),
    }
}
