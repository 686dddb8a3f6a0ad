//! Checks an operator against its contract, whatever it computes.

use std::sync::Arc;

use serde::Serialize;

use crate::shared::LocalReplica;
use crate::spi::{CoOperator, Operator, StatefulOperator, Transform};
use crate::stage::{CoProcess, Process, Snapshot, Stateful, Transformed};
use crate::state::Layer;
use crate::testing::{Harness, Input};
use crate::{Either, Epoch, Key, KeyGroup, KeyGroups, Keyed, Run};

/// Something that belongs to a key group: the input of a keyed transform.
pub trait Grouped: Clone {
    /// The group of its key.
    fn group(&self, groups: KeyGroups) -> KeyGroup;
}

impl<K: Key, T: Clone> Grouped for Keyed<K, T> {
    fn group(&self, groups: KeyGroups) -> KeyGroup {
        groups.of(&self.key)
    }
}

impl<L: Grouped, R: Grouped> Grouped for Either<L, R> {
    fn group(&self, groups: KeyGroups) -> KeyGroup {
        match self {
            Either::Left(left) => left.group(groups),
            Either::Right(right) => right.group(groups),
        }
    }
}

/// Checks an operator over some input of keys and values. See [`verify_transform`].
///
/// # Panics
///
/// Where the operator's output depends on what it must not depend on.
pub fn verify<O: Operator>(operator: &O, inputs: &[Input<(O::Key, O::In)>]) {
    let keyed: Vec<_> =
        inputs.iter().cloned().map(|input| input.map(|(key, value)| Keyed { key, value })).collect();
    verify_transform(&Process(operator.clone()), &keyed);
}

/// Checks an operator with several pieces of state. See [`verify_transform`].
///
/// # Panics
///
/// Where the operator's output depends on what it must not depend on.
pub fn verify_stateful<O: StatefulOperator>(operator: &O, inputs: &[Input<(O::Key, O::In)>]) {
    let keyed: Vec<_> =
        inputs.iter().cloned().map(|input| input.map(|(key, value)| Keyed { key, value })).collect();
    verify_transform(&Stateful(operator.clone()), &keyed);
}

/// Checks an operator of two inputs. See [`verify_transform`].
///
/// # Panics
///
/// Where the operator's output depends on what it must not depend on.
pub fn verify_co<O: CoOperator>(
    operator: &O,
    inputs: &[Input<Either<Keyed<O::Key, O::Left>, Keyed<O::Key, O::Right>>>],
) {
    verify_transform(&CoProcess(operator.clone()), inputs);
}

/// Checks a keyed transform over some input: its output must be the same
///
/// * when it is saved and restored between any two elements, and when it is restored twice over;
/// * when it is saved once and from then on in layers of changes, and restored from these;
/// * when its keys are dealt out to 2 and 3 subtasks, and when saved state moves to another parallelism
///   half way;
/// * when records of different key groups come in another order between two watermarks.
///
/// The output of each element (each stretch between watermarks, for the last rule) is compared as a
/// multiset of records with their times.
///
/// # Panics
///
/// Where one of these does not hold, naming it and the element.
pub fn verify_transform<X>(transform: &X, inputs: &[Input<X::In>])
where
    X: Transform<In: Grouped>,
{
    let plain = Trial::new(transform, 1).outputs(inputs);
    for cut in 0..=inputs.len() {
        let mut trial = Trial::new(transform, 1);
        let mut outputs = trial.outputs(&inputs[..cut]);
        trial = trial.moved_to(transform, 1).moved_to(transform, 1);
        outputs.extend(trial.outputs(&inputs[cut..]));
        compare(&plain, &outputs, &format!("restored twice before element {cut}"));
    }
    for parallelism in [2, 3] {
        let outputs = Trial::new(transform, parallelism).outputs(inputs);
        compare(&plain, &outputs, &format!("dealt out to {parallelism} subtasks"));
        let half = inputs.len() / 2;
        let mut trial = Trial::new(transform, parallelism);
        let mut outputs = trial.outputs(&inputs[..half]);
        outputs.extend(trial.moved_to(transform, 5 - parallelism).outputs(&inputs[half..]));
        compare(&plain, &outputs, &format!("moved from {parallelism} subtasks to {}", 5 - parallelism));
    }
    for cut in 0..=inputs.len() {
        let mut trial = Trial::new(transform, 2);
        let (mut outputs, moved) = trial.layered(transform, &inputs[..cut]);
        outputs.extend({ moved }.outputs(&inputs[cut..]));
        compare(&plain, &outputs, &format!("restored from layers before element {cut}"));
    }
    let mixed = mixed(inputs);
    let outputs = Trial::new(transform, 1).outputs(&mixed);
    compare(&stretches(inputs, plain), &stretches(&mixed, outputs), "key groups in another order");
}

/// Checks a transform of a stream without keys over some input: its output must be the same when it is saved
/// and restored between any two elements, and when it is restored twice over.
///
/// The output of each element is compared in the order in which it was emitted.
///
/// # Panics
///
/// Where that does not hold, naming the element before which it was restored.
pub fn verify_whole<X: Transform<In: Clone>>(transform: &X, inputs: &[Input<X::In>]) {
    let outputs = |harness: &mut Harness<Transformed<X>>, inputs: &[Input<X::In>]| -> Vec<Released> {
        let output = |input: &Input<X::In>| {
            harness.apply(input.clone());
            harness.records().iter().map(encode).collect()
        };
        inputs.iter().map(output).collect()
    };
    let plain = outputs(&mut Harness::transform(transform.clone()), inputs);
    for cut in 0..=inputs.len() {
        let mut harness = Harness::transform(transform.clone());
        let mut found = outputs(&mut harness, &inputs[..cut]);
        for _ in 0..2 {
            let (snapshot, now) = (harness.snapshot(), harness.now());
            let (replica, epoch) = (harness.replica(), harness.epoch());
            harness = Harness::transform(transform.clone());
            harness.share(next_run(transform, replica, epoch), Epoch(epoch.0 + 1));
            harness.set_clock(now);
            harness.restore(&snapshot).expect("what a state has saved, it can read");
        }
        found.extend(outputs(&mut harness, &inputs[cut..]));
        compare(&plain, &found, &format!("restored twice before element {cut}"));
    }
}

impl<T> Input<T> {
    /// The same happening with another record.
    fn map<U>(self, f: impl FnOnce(T) -> U) -> Input<U> {
        match self {
            Input::Record(value, time) => Input::Record(f(value), time),
            Input::Watermark(time) => Input::Watermark(time),
            Input::ProcessingTime(now) => Input::ProcessingTime(now),
        }
    }
}

/// The encoded records that one element released, sorted.
type Released = Vec<Vec<u8>>;

/// The shared state of the run that follows one that has ended with an epoch.
fn next_run<X: Transform>(
    transform: &X,
    before: Option<Arc<LocalReplica>>,
    epoch: Epoch,
) -> Option<Arc<LocalReplica>> {
    let before = before?;
    let next = LocalReplica::new(Run(before.run().0 + 1), &transform.shared());
    next.load(&before.save(epoch)).expect("what a table has saved, it can read");
    Some(Arc::new(next))
}

/// A transform in some number of subtasks.
struct Trial<X: Transform> {
    subtasks: Vec<Harness<Transformed<X>>>,
}

impl<X: Transform<In: Grouped>> Trial<X> {
    fn new(transform: &X, parallelism: u32) -> Self {
        let subtask = |index| Harness::transform_at(transform.clone(), index, parallelism);
        let mut trial = Trial { subtasks: (0..parallelism).map(subtask).collect() };
        let (replica, epoch) = (trial.subtasks[0].replica(), trial.subtasks[0].epoch());
        trial.share(replica, epoch);
        trial
    }

    /// Lets all subtasks use the shared state of one replica: they live on one node.
    fn share(&mut self, replica: Option<Arc<LocalReplica>>, epoch: Epoch) {
        self.subtasks.iter_mut().for_each(|subtask| subtask.share(replica.clone(), epoch));
    }

    /// Another trial, restored from this one's saved state.
    fn moved_to(&mut self, transform: &X, parallelism: u32) -> Self {
        let saved = self.subtasks.iter_mut().map(Harness::snapshot).collect();
        self.restored(transform, saved, parallelism)
    }

    /// Another trial, restored from what the subtasks have saved.
    fn restored(&self, transform: &X, of_subtasks: Vec<Snapshot>, parallelism: u32) -> Self {
        let mut saved = Snapshot::new();
        for (uid, sections) in of_subtasks.into_iter().flatten() {
            saved.entry(uid).or_default().merge(sections);
        }
        let mut moved = Trial::new(transform, parallelism);
        let epoch = self.subtasks[0].epoch();
        moved.share(next_run(transform, self.subtasks[0].replica(), epoch), Epoch(epoch.0 + 1));
        for (index, subtask) in moved.subtasks.iter_mut().enumerate() {
            let range = KeyGroups::default().range(index as u32, parallelism);
            let part = saved.iter().map(|(uid, all)| (uid.clone(), all.restrict(&range, true))).collect();
            subtask.restore(&part).expect("what a state has saved, it can read");
            subtask.set_clock(self.subtasks[0].now());
        }
        moved
    }

    /// Saves everything after a third of the inputs and changes after each following one, and goes on from
    /// these layers in another number of subtasks.
    fn layered(&mut self, transform: &X, inputs: &[Input<X::In>]) -> (Vec<Released>, Self) {
        let (early, late) = inputs.split_at(inputs.len() / 3);
        let mut outputs = self.outputs(early);

        let mut layers: Vec<Vec<Layer>> =
            self.subtasks.iter_mut().map(|subtask| vec![Layer::of(subtask.snapshot())]).collect();
        for input in late {
            outputs.push(self.output(input));
            for (subtask, layers) in self.subtasks.iter_mut().zip(&mut layers) {
                layers.push(Layer::of(subtask.changes()));
            }
        }
        let saved = layers.into_iter().map(Layer::settled).collect();
        let moved = self.restored(transform, saved, 3);
        (outputs, moved)
    }

    fn outputs(&mut self, inputs: &[Input<X::In>]) -> Vec<Released> {
        inputs.iter().map(|input| self.output(input)).collect()
    }

    fn output(&mut self, input: &Input<X::In>) -> Released {
        let parallelism = self.subtasks.len() as u32;
        let groups = KeyGroups::default();
        match input {
            Input::Record(value, _) => {
                let owner = groups.owner(value.group(groups), parallelism);
                self.subtasks[owner as usize].apply(input.clone());
            }
            Input::Watermark(_) | Input::ProcessingTime(_) => {
                self.subtasks.iter_mut().for_each(|subtask| subtask.apply(input.clone()));
            }
        }
        let records = self.subtasks.iter_mut().flat_map(Harness::records);
        let mut released: Released = records.map(|record| encode(&record)).collect();
        released.sort();
        released
    }
}

fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    rmp_serde::to_vec_named(record).expect("Data can be written by serde")
}

/// The inputs, with the records of each stretch between watermarks ordered by key group.
fn mixed<T: Grouped>(inputs: &[Input<T>]) -> Vec<Input<T>> {
    let mut mixed = Vec::with_capacity(inputs.len());
    for stretch in inputs.split_inclusive(|input| !matches!(input, Input::Record(..))) {
        let mut stretch = stretch.to_vec();
        // A stable sort keeps the order within a key; what ends the stretch stays at its end.
        stretch.sort_by_key(|input| match input {
            Input::Record(value, _) => value.group(KeyGroups::default()).0,
            Input::Watermark(_) | Input::ProcessingTime(_) => u16::MAX,
        });
        mixed.extend(stretch);
    }
    mixed
}

/// What each stretch between watermarks released, sorted.
fn stretches<T>(inputs: &[Input<T>], outputs: Vec<Released>) -> Vec<Released> {
    let mut stretches = vec![Released::new()];
    for (input, output) in inputs.iter().zip(outputs) {
        let stretch = stretches.last_mut().expect("there is a stretch from the start");
        stretch.extend(output);
        if !matches!(input, Input::Record(..)) {
            stretch.sort();
            stretches.push(Released::new());
        }
    }
    if let Some(last) = stretches.last_mut() {
        last.sort();
    }
    stretches
}

fn compare(expected: &[Released], found: &[Released], variant: &str) {
    for (element, (expected, found)) in expected.iter().zip(found).enumerate() {
        assert!(
            expected == found,
            "{variant}: element {element} released {} records, {} are expected or they differ",
            found.len(),
            expected.len()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, EventTime};

    /// Counts a key's records and emits the count ten milliseconds after the first.
    #[derive(Clone)]
    struct Burst;

    impl Operator for Burst {
        type Key = u8;
        type In = u32;
        type Out = (u8, u32);
        type State = u32;

        fn on_record(&self, record: u32, sum: &mut u32, cx: &mut impl Context<Self>) {
            if *sum == 0 {
                cx.set_timer(EventTime::from_millis(cx.time().as_millis() + 10));
            }
            *sum += record;
        }

        fn on_timer(&self, _at: EventTime, sum: &mut u32, cx: &mut impl Context<Self>) {
            cx.emit((*cx.key(), *sum));
            cx.forget();
        }
    }

    fn inputs() -> Vec<Input<(u8, u32)>> {
        let mut inputs: Vec<_> = (0..40_i64).map(|i| Input::at(i, ((i % 5) as u8, i as u32 + 1))).collect();
        for (place, watermark) in [(10, 5), (20, 14), (30, 25)] {
            inputs.insert(place, Input::watermark(watermark));
        }
        inputs.push(Input::end());
        inputs
    }

    #[test]
    fn an_operator_that_keeps_its_data_in_the_state_passes() {
        verify(&Burst, &inputs());
    }

    /// Hides a count outside the state.
    #[derive(Clone)]
    struct Hiding(std::sync::Arc<std::sync::atomic::AtomicU32>);

    impl Operator for Hiding {
        type Key = u8;
        type In = u32;
        type Out = u32;
        type State = ();

        fn on_record(&self, _: u32, _state: &mut (), cx: &mut impl Context<Self>) {
            cx.emit(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        }
    }

    #[test]
    #[should_panic(expected = "restored twice before element 0")]
    fn an_operator_that_hides_data_is_caught() {
        verify(&Hiding(std::sync::Arc::default()), &inputs());
    }
}
