//! Steps that share state: alone, in a task with a replica, and over restores.

use std::sync::Arc;
use std::task::Waker;

use crate::shared::doubles::{Count, Most};
use crate::shared::{AnyShared, LocalReplica, Refusal, Replica, Shared};
use crate::stage::{TaskContext, TaskInfo};
use crate::task::{AnyTask, Task};
use crate::testing::{Harness, Input, Numbers, verify, verify_co, verify_stateful, verify_transform};
use crate::{
    AnyBatch, Batch, CoOperator, Context, Current, Either, Epoch, EventTime, KeyContext, KeyGroups, Keyed,
    Lineage, Operator, Output, Pipeline, Plan, PortId, Run, StatefulOperator, SubtaskId, Transform, VertexId,
    Watermark,
};

/// Counts the records of each key in shared state, and emits what that was before the watermark came.
#[derive(Clone)]
struct Counting {
    counts: Shared<u64, u64, Count>,
    most: Shared<u64, u64, Most>,
    declares: bool,
}

impl Counting {
    fn of(pipeline: &Pipeline) -> Self {
        let (most, counts) = (pipeline.shared("most", Most), pipeline.shared("counts", Count));
        Counting { counts, most, declares: true }
    }
}

impl Operator for Counting {
    type Key = u64;
    type In = u64;
    type Out = (u64, u64);
    type State = ();

    fn shared(&self) -> Vec<AnyShared> {
        if self.declares { vec![self.counts.any()] } else { vec![self.most.any()] }
    }

    fn on_record(&self, record: u64, (): &mut (), cx: &mut impl Context<Self>) {
        let key = *cx.key();
        cx.update(&self.counts, &key, record).expect("counting refuses nothing");
        cx.set_timer(cx.time());
    }

    fn on_timer(&self, _: EventTime, (): &mut (), cx: &mut impl Context<Self>) {
        cx.emit((*cx.key(), cx.read(&self.counts, cx.key())));
    }
}

fn pipeline() -> Pipeline {
    Pipeline::new("test", KeyGroups::default())
}

/// The task of the operator, and its context.
fn task(plan: &Plan, replica: Arc<dyn Replica>) -> (Box<dyn Task>, TaskContext) {
    let AnyTask::Chain(mut task) = plan.vertices[1].factory.task() else { panic!("it takes batches") };
    let info = TaskInfo {
        job: "test".to_owned(),
        lineage: Lineage(0),
        run: Run(1),
        subtask: SubtaskId { vertex: VertexId(1), index: 0 },
        parallelism: 1,
        key_groups: KeyGroups::default(),
        uids: vec!["counting".to_owned()],
        outputs: Vec::new(),
        batch_records: 1,
    };
    let mut cx = TaskContext::new(Arc::new(info), Waker::noop().clone());
    cx.shared = Some(replica);
    assert!(task.uses_shared());
    task.open(&mut cx).unwrap();
    (task, cx)
}

fn feed(task: &mut dyn Task, cx: &mut TaskContext, numbers: &[u64]) {
    let mut batch = Batch::default();
    numbers.iter().for_each(|number| batch.push(*number, EventTime::from_millis(0)));
    let _ = task.feed(PortId(0), &mut AnyBatch::new(Box::new(batch)), cx);
}

#[test]
fn a_subtask_sees_and_writes_its_own_epoch() {
    let pipeline = pipeline();
    let counting = Counting::of(&pipeline);
    let counts = counting.counts.clone();
    pipeline.source(Numbers::up_to(1)).key_by(|n| n % 2).process(counting).discard();
    let plan = pipeline.plan().unwrap();
    let replica = Arc::new(LocalReplica::new(Run(1), plan.shared.iter().map(|shared| &shared.state)));
    let shared: Arc<dyn Replica> = replica.clone();

    let (mut task, mut cx) = task(&plan, replica);
    assert!(!cx.take_touched_shared());
    feed(&mut *task, &mut cx, &[3, 5, 4]);
    assert!(cx.take_touched_shared() && !cx.take_touched_shared());
    cx.epoch = Epoch(2);
    feed(&mut *task, &mut cx, &[7]);
    let read = |epoch, key| shared.table_of(&counts).read(Epoch(epoch), &key);
    assert_eq!([read(1, 1), read(1, 0), read(2, 1)], [8, 4, 15]);
    assert_eq!(cx.seen_shared(), shared.applied(Epoch(2)));
    assert_eq!((cx.seen_shared().len(), shared.applied(Epoch(1)).len()), (2, 1));
    assert!(cx.take_touched_shared());
    let _ = task.watermark(Watermark::MAX, &mut cx);
    assert!(cx.take_touched_shared(), "a timer reads");
}

#[test]
#[should_panic(
    expected = "\"operator\" uses the shared state \"counts\" and does not declare it: let its fn shared(&self) \
                return the handle of \"counts\", as in vec![self.counts.any()]"
)]
fn a_state_that_is_not_declared_is_not_given() {
    let counting = Counting { declares: false, ..Counting::of(&pipeline()) };
    Harness::operator(counting).push(1, 1, 0);
}

#[test]
fn an_operator_that_keeps_its_data_in_shared_state_passes() {
    let mut inputs: Vec<_> = (0..12_i64).map(|i| Input::at(i, (i as u64 % 3, i as u64))).collect();
    inputs.insert(6, Input::watermark(4));
    inputs.push(Input::end());
    verify(&Counting::of(&pipeline()), &inputs);
}

#[test]
fn a_test_reads_and_updates_what_the_operator_does() {
    let counting = Counting::of(&pipeline());
    let counts = counting.counts.clone();
    let mut harness = Harness::operator(counting);
    harness.push(1, 5, 0);
    assert_eq!(harness.shared(&counts).read(&1), 5);
    harness.shared(&counts).update(&1, 10).unwrap();
    harness.watermark(0);
    assert_eq!(harness.values(), [(1, 15)]);
    assert_eq!(harness.shared(&counts).entries(), [(1, 15)].into_iter().collect());
}

/// Says whether what comes in is the most so far, for whatever kind of step.
#[derive(Clone)]
struct Record {
    most: Shared<u64, u64, Most>,
}

impl Record {
    fn of(pipeline: &Pipeline) -> Self {
        Record { most: pipeline.shared("most", Most) }
    }

    fn tell(&self, value: u64, cx: &mut impl KeyContext<u64, bool>) {
        let key = *cx.key();
        let is_most = cx.read(&self.most, &key).is_none_or(|most| value > most);
        if cx.update(&self.most, &key, value) == Err(Refusal::Update("too much".to_owned())) {
            cx.count_late();
        }
        assert!(!cx.seen().is_empty() || value == u64::MAX);
        cx.emit(is_most);
    }
}

impl StatefulOperator for Record {
    type Key = u64;
    type In = u64;
    type Out = bool;
    type States = crate::state::ValueState<u64, ()>;

    fn shared(&self) -> Vec<AnyShared> {
        vec![self.most.any()]
    }

    fn on_record(
        &self,
        record: u64,
        _: Current<'_, u64>,
        _: &mut Self::States,
        cx: &mut impl KeyContext<u64, bool>,
    ) {
        self.tell(record, cx);
    }
}

impl CoOperator for Record {
    type Key = u64;
    type Left = u64;
    type Right = u64;
    type Out = bool;
    type State = ();

    fn shared(&self) -> Vec<AnyShared> {
        vec![self.most.any()]
    }

    fn on_left(&self, record: u64, (): &mut (), cx: &mut impl KeyContext<u64, bool>) {
        self.tell(record, cx);
    }

    fn on_right(&self, record: u64, (): &mut (), cx: &mut impl KeyContext<u64, bool>) {
        self.tell(record + 1, cx);
    }
}

impl Transform for Record {
    type In = Keyed<u64, u64>;
    type Out = bool;
    type State = ();

    fn shared(&self) -> Vec<AnyShared> {
        vec![self.most.any()]
    }

    fn on_record(&self, record: Self::In, _: EventTime, (): &mut (), out: &mut impl Output<bool>) {
        let is_most = out.read(&self.most, &record.key).is_none_or(|most| record.value > most);
        out.update(&self.most, &record.key, record.value).expect("it is not too much");
        out.emit(is_most);
    }
}

#[test]
fn every_kind_of_step_shares_state() {
    let record = Record::of(&pipeline());
    let inputs: Vec<_> = [5, 3, 9, 8, 10].map(|value| Input::at(0, (value % 2, value))).into();
    verify_stateful(&record, &inputs);
    let keyed = |(key, value)| Keyed { key, value };
    let pairs = [(1, 5), (0, 5), (1, 7), (1, 6)];
    verify_transform(&record, &pairs.map(|pair| Input::at(0, keyed(pair))));
    let sides: Vec<_> = pairs
        .iter()
        .flat_map(|pair| [Either::Left(keyed(*pair)), Either::Right(keyed(*pair))])
        .map(|either| Input::at(0, either))
        .collect();
    verify_co(&record, &sides);

    let mut harness = Harness::co_operator(record);
    sides.into_iter().for_each(|input| harness.apply(input));
    assert_eq!(harness.values(), [true, true, true, true, true, true, false, false]);
}

#[test]
fn a_refused_update_is_the_operators_to_handle() {
    let mut harness = Harness::stateful(Record::of(&pipeline()));
    harness.push(1, u64::MAX, 0);
    assert_eq!((harness.counters().late, harness.values()), (1, vec![true]));
}
