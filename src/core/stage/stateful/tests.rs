//! An operator with one piece of each kind, restored, rescaled, on disk, with and without times to live.

use std::sync::Arc;
use std::time::Duration;

use crate::state::{
    By, Clock, LayerKind, ListState, MapState, ReducingState, Saving, Sections, Since, TimeToLive, Tiny,
    ValueState,
};
use crate::testing::{Harness, Input, verify_stateful};
use crate::{
    Current, Data, EventTime, KeyContext, KeyGroups, KeyedState, ProcessingTime, StateError, StatefulOperator,
};

/// Keeps what customers have done, and tells all of it at each of their orders and timers.
#[derive(Clone)]
struct Ledger {
    limits: [Option<TimeToLive>; 4],
}

#[derive(Default, KeyedState)]
struct Kept {
    articles: MapState<u8, String, u32>,
    orders: ListState<u8, u32>,
    most: ReducingState<u8, u32>,
    last: ValueState<u8, u32>,
}

/// All that is kept of a key.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, Data)]
struct Told {
    key: u8,
    articles: Vec<(String, u32)>,
    orders: Vec<u32>,
    most: Option<u32>,
    last: Option<u32>,
}

impl Ledger {
    fn tell(key: Current<'_, u8>, kept: &mut Kept, cx: &mut impl KeyContext<u8, Told>) {
        let mut told = Told { key: *key, ..Told::default() };
        kept.articles.of(key).for_each(|article, number| told.articles.push((article.clone(), *number)));
        kept.orders.of(key).for_each(|order| told.orders.push(*order));
        assert_eq!(kept.orders.of(key).len(), told.orders.len() as u64);
        told.most = kept.most.of(key).get().copied();
        told.last = kept.last.of(key).get().copied();
        cx.emit(told);
    }
}

impl StatefulOperator for Ledger {
    type Key = u8;
    type In = u32;
    type Out = Told;
    type States = Kept;

    fn open(&self, kept: &mut Kept) {
        let [articles, orders, most, last] = self.limits;
        articles.into_iter().for_each(|limit| kept.articles.expire_by(limit));
        orders.into_iter().for_each(|limit| kept.orders.expire_by(limit));
        most.into_iter().for_each(|limit| kept.most.expire_by(limit));
        last.into_iter().for_each(|limit| kept.last.expire_by(limit));
    }

    fn on_record(
        &self,
        order: u32,
        key: Current<'_, u8>,
        kept: &mut Kept,
        cx: &mut impl KeyContext<u8, Told>,
    ) {
        *kept.articles.of(key).get_or_insert_with("x".repeat(order as usize % 5), || 0) += order;
        kept.orders.of(key).push(order);
        kept.most.of(key).add(order, |most, order| *most = order.max(*most));
        kept.last.of(key).set(order);
        if order % 6 == 1 {
            kept.orders.of(key).pop_front();
            kept.articles.of(key).remove(&"xx".to_owned());
        }
        if order.is_multiple_of(4) {
            cx.set_timer(cx.time().after(Duration::from_millis(u64::from(order % 23))));
            cx.set_processing_timer(cx.now().after(Duration::from_millis(u64::from(order % 13))));
        }
        if order % 29 == 28 {
            cx.forget();
        }
        Ledger::tell(key, kept, cx);
    }

    fn on_timer(
        &self,
        _: EventTime,
        key: Current<'_, u8>,
        kept: &mut Kept,
        cx: &mut impl KeyContext<u8, Told>,
    ) {
        kept.articles.of(key).contains(&"xxx".to_owned());
        Ledger::tell(key, kept, cx);
    }

    fn on_processing_timer(
        &self,
        _: ProcessingTime,
        key: Current<'_, u8>,
        kept: &mut Kept,
        cx: &mut impl KeyContext<u8, Told>,
    ) {
        Ledger::tell(key, kept, cx);
    }
}

const NEVER: Ledger = Ledger { limits: [None; 4] };

fn ledgers() -> Vec<Ledger> {
    let limit = |millis, by, since| Some(TimeToLive { after: Duration::from_millis(millis), by, since });
    let (event, processing) = (By::EventTime, By::ProcessingTime);
    let all = |millis, by, since| Ledger { limits: [limit(millis, by, since); 4] };
    vec![
        NEVER,
        all(12, event, Since::Written),
        all(20, event, Since::Touched),
        all(15, processing, Since::Touched),
        Ledger {
            limits: [limit(30, event, Since::Touched), limit(9, processing, Since::Written), None, None],
        },
    ]
}

fn inputs() -> Vec<Input<(u8, u32)>> {
    let mut inputs = Vec::new();
    for n in 0..60_i64 {
        inputs.push(Input::at(n * 2 + n * 7 % 17, ((n * n % 5) as u8, n as u32 * 7 % 61)));
        if n % 6 == 5 {
            inputs.push(Input::watermark(n * 2 - 4));
            inputs.push(Input::clock(n));
        }
    }
    inputs.push(Input::at(5, (1, 3)));
    inputs.push(Input::end());
    inputs
}

#[test]
fn its_contract_holds() {
    for ledger in ledgers() {
        verify_stateful(&ledger, &inputs());
    }
}

#[test]
fn it_is_the_same_on_disk_and_forgets_what_has_expired() {
    for (number, ledger) in ledgers().into_iter().enumerate() {
        let mut memory = Harness::stateful(ledger.clone());
        let mut disk = Harness::stateful(ledger).kept_in(Arc::new(Tiny)).unwrap();
        for input in inputs() {
            let input = match input {
                Input::Record((key, value), time) => Input::Record(crate::Keyed { key, value }, time),
                Input::Watermark(time) => Input::Watermark(time),
                Input::ProcessingTime(now) => Input::ProcessingTime(now),
            };
            memory.apply(input);
            disk.apply(input);
            assert_eq!(memory.values(), disk.values(), "ledger {number}");
        }
        for harness in [&mut memory, &mut disk] {
            harness.clock(10_000);
            // In memory there is no group of which there is no entry.
            let mut back = Harness::stateful(NEVER);
            back.restore(&harness.snapshot()).unwrap();
            let kept: Sections = back.snapshot()["operator"].get("state").get("pieces").clone();
            let groups = |part: &str| kept.get(part).groups().len();
            let left = ["articles", "orders", "most", "last"].map(|part| groups(part) > 0);
            let expected = match number {
                0 => [true; 4],
                4 => [false, false, true, true],
                _ => [false; 4],
            };
            assert_eq!(left, expected, "ledger {number}");
        }
    }
}

fn told(harness: &mut Harness<impl crate::stage::Stage<Out = Told>>) -> Told {
    harness.values().pop().expect("something was told")
}

#[test]
fn each_element_expires_by_itself() {
    let limit = Some(TimeToLive::after(Duration::from_millis(10)));
    let mut harness = Harness::stateful(Ledger { limits: [limit, limit, limit, None] });
    for (time, order) in [(0, 9), (6, 2), (3, 3)] {
        harness.push(1, order, time);
    }
    harness.watermark(13);
    harness.push(1, 5, 14);
    let (articles, orders) = (vec![(String::new(), 5)], vec![2, 5]);
    let articles = articles.into_iter().chain([("xx".to_owned(), 2)]).collect();
    assert_eq!(told(&mut harness), Told { key: 1, articles, orders, most: Some(9), last: Some(5) });
    harness.watermark(16);
    harness.push(1, 2, 17);
    let articles = vec![(String::new(), 5), ("xx".to_owned(), 2)];
    assert_eq!(
        told(&mut harness),
        Told { key: 1, articles, orders: vec![5, 2], most: Some(9), last: Some(2) }
    );
}

#[test]
fn forgetting_drops_every_piece_of_the_key_and_no_other() {
    let mut harness = Harness::stateful(NEVER);
    harness.push(1, 5, 0);
    harness.push(2, 5, 0);
    harness.push(1, 28, 0);
    harness.push(1, 2, 1);
    harness.push(2, 2, 1);
    let told: Vec<_> = harness.values().into_iter().skip(3).map(|told| told.orders).collect();
    assert_eq!(told, [vec![2], vec![5, 2]]);
}

/// As [`Kept`], one piece renamed, two gone, one new.
#[derive(Default, KeyedState)]
#[state(dropped = "orders", dropped = "most")]
struct Renamed {
    #[state(alias = "things", alias = "articles")]
    stock: MapState<u8, String, u32>,
    last: ValueState<u8, u32>,
    new: ReducingState<u8, u32>,
}

/// As [`Renamed`], once more.
#[derive(Default, KeyedState)]
#[state(dropped = "orders", dropped = "most", dropped = "new")]
struct RenamedAgain {
    #[state(alias = "articles", alias = "stock")]
    all: MapState<u8, String, u32>,
    last: ValueState<u8, u32>,
}

/// Nobody says what has become of the orders.
#[derive(Default, KeyedState)]
#[state(dropped = "most")]
struct Lossy {
    articles: MapState<u8, String, u32>,
    last: ValueState<u8, u32>,
}

/// What two of the pieces hold when they are kept as an `S`, and what is saved of it then.
fn kept_as<S: KeyedState<Key = u8>>(saved: &Sections) -> Result<(S, Sections), StateError> {
    let mut state = S::default();
    state.load(saved)?;
    let mut saving = Saving::new(KeyGroups::default(), LayerKind::Full);
    state.save(&mut saving);
    Ok((state, saving.encode()))
}

#[test]
fn a_piece_is_found_under_its_former_names_and_none_is_lost_unsaid() {
    let mut harness = Harness::stateful(NEVER);
    harness.push(1, 6, 0);
    let saved = harness.snapshot()["operator"].get("state").get("pieces").clone();
    let clock = Clock { time: EventTime::MIN, reached: EventTime::MIN, now: ProcessingTime::default() };
    let key = Current::new(&1, clock);
    let (mut renamed, saved_again) = kept_as::<Renamed>(&saved).unwrap();
    assert_eq!(renamed.stock.of(key).get(&"x".to_owned()), Some(&6));
    assert_eq!(renamed.last.of(key).get(), Some(&6));
    assert_eq!(renamed.new.of(key).get(), None);
    let (mut renamed, _) = kept_as::<RenamedAgain>(&saved_again).unwrap();
    assert_eq!(renamed.all.of(key).get(&"x".to_owned()), Some(&6));
    assert_eq!(renamed.last.of(key).get(), Some(&6));

    let refused = kept_as::<Lossy>(&saved).err().unwrap().to_string();
    assert!(refused.contains("a piece \"orders\" was saved"), "{refused}");
}
