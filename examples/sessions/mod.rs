//! Lists to which clients append through any node, while the job that keeps them runs.
//!
//! ```sh
//! watershed submit sessions --parallelism 3
//! watershed update sessions lists 7 '{"Add": 1}' --token-file me
//! watershed query sessions lists 7 --token-file me --level causal     # [1], through whichever node
//! ```
//!
//! A client that shows the token that it was given is answered with nothing older than what it has seen: its own appends, what it has
//! read, and whatever came before these. `tests/histories` has many clients do so through nodes that are killed and stand
//! still, and lets a checker that is not ours look for an answer that was older.
//!
//! A list is an [`AddSet`] of numbers, read in their order: whoever appends counts up.
//!
//! The job has something to do too, so that there are epochs, checkpoints and updates of its own: it looks at the lists and
//! counts how often it has.
//!
//! [`AddSet`]: watershed::actors::resolver::AddSet

use watershed::prelude::*;

/// What can be set.
#[derive(Clone, Serialize, Deserialize)]
#[serde(default)]
struct Parameters {
    /// How often the job looks, in all; without an end where nothing is said.
    looks: Option<u64>,
    /// How often in a second.
    rate: f64,
    /// How long appends are held back on their way from node to node, for an experiment.
    delay: Duration,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters { looks: None, rate: 200.0, delay: Duration::ZERO }
    }
}

/// How many lists the job looks at.
const LISTS: u64 = 16;

/// Looks at a list, and counts that it has.
#[derive(Clone)]
struct Look {
    lists: Shared<u64, u64, resolver::AddSet>,
    looks: Shared<u64, u64, resolver::GrowCounter>,
}

impl Operator for Look {
    type Key = u64;
    type In = u64;
    type Out = (u64, u64);
    type State = ();

    fn shared(&self) -> Vec<AnyShared> {
        vec![self.lists.any(), self.looks.any()]
    }

    fn on_record(&self, _: u64, (): &mut (), cx: &mut impl Context<Self>) {
        let list = *cx.key();
        cx.update(&self.looks, &list, 1).expect("a count is small, and the clocks of a cluster agree");
        cx.emit((list, cx.read(&self.lists, &list).len() as u64));
    }
}

fn sessions(pipeline: &Pipeline, p: Parameters) -> Result<(), watershed::Error> {
    let Parameters { looks, rate, delay } = p;
    if !rate.is_finite() || rate <= 0.0 {
        return Err("the rate must be a number above 0".into());
    }
    pipeline.propagate(Propagation { delay, ..Propagation::default() });
    let mut source = Generator::new(0, |n, _| n).per_second(rate);
    if let Some(looks) = looks {
        source = source.take(looks);
    }
    let look = Look {
        lists: pipeline.shared("lists", resolver::AddSet),
        looks: pipeline.shared("looks", resolver::GrowCounter),
    };
    pipeline.source(source).uid("ticks").key_by(|n| n % LISTS).process(look).uid("look").discard();
    Ok(())
}

/// Registers the pipeline.
pub(crate) fn register(app: App) -> App {
    app.pipeline("sessions", "Keeps lists to which clients append through any node", sessions)
}

#[cfg(test)]
mod tests {
    use watershed::core::testing::Harness;

    use super::*;

    #[test]
    fn a_look_says_how_long_a_list_is_and_is_counted() {
        let pipeline = Pipeline::new("sessions", KeyGroups::default());
        let lists = pipeline.shared("lists", resolver::AddSet);
        let looks = pipeline.shared("looks", resolver::GrowCounter);
        let mut harness = Harness::operator(Look { lists: lists.clone(), looks: looks.clone() });
        harness.push(3, 0, 0);
        harness.shared(&lists).update(&3, resolver::SetUpdate::Add(1)).expect("it is small");
        harness.push(3, 0, 1);
        assert_eq!(harness.values(), [(3, 0), (3, 1)]);
        assert_eq!(harness.shared(&looks).read(&3), 2);
    }
}
