//! Seeded inputs for the joins' tests: events of two sides, in many orders of arrival.

use serde::{Deserialize, Serialize};
use watershed_core::testing::{Harness, Input};
use watershed_core::{CoOperator, Data, Either, Keyed, hash_key};

/// Something that happened on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Data)]
pub(super) struct Event {
    pub(super) key: u8,
    pub(super) time: i64,
    pub(super) number: u32,
}

/// A key, a left event's number, and that of the right one it met.
pub(super) type Pair = (u8, u32, Option<u32>);

/// What a join under test calls for a result.
pub(super) type Result = fn(&u8, &Event, Option<&Event>) -> Pair;

/// The result of the joins under test.
pub(super) fn pair(key: &u8, left: &Event, right: Option<&Event>) -> Pair {
    (*key, left.number, right.map(|right| right.number))
}

/// A record of either side.
pub(super) type Side = Either<Keyed<u8, Event>, Keyed<u8, Event>>;

/// An input with a left event.
pub(super) fn left(key: u8, time: i64, number: u32) -> Input<Side> {
    Input::at(time, Either::Left(Keyed { key, value: Event { key, time, number } }))
}

/// An input with a right event.
pub(super) fn right(key: u8, time: i64, number: u32) -> Input<Side> {
    Input::at(time, Either::Right(Keyed { key, value: Event { key, time, number } }))
}

/// All that happened on both sides.
pub(super) struct Events {
    pub(super) left: Vec<Event>,
    pub(super) right: Vec<Event>,
}

/// How far an event may arrive behind a later one, in milliseconds.
const DISORDER: u64 = 25;

impl Events {
    /// Draws events over some keys within 120 ms: few enough for gaps, enough for ties and for
    /// events of the same key, time and side.
    pub(super) fn draw(seed: u64) -> Events {
        let side = |side: u8, count: u32| {
            let event = |number: u32| {
                let below = |bound: u64, what: u8| (hash_key(&(seed, side, number, what)) >> 16) % bound;
                Event { key: below(3, 0) as u8, time: below(120, 1) as i64, number: number / 2 }
            };
            (0..count).map(event).collect()
        };
        Events { left: side(0, 40), right: side(1, 30) }
    }

    /// The events as they may arrive, none of them late, with as much of a watermark now and then as can
    /// be promised, and the end.
    pub(super) fn arrivals(&self, seed: u64) -> Vec<Input<Side>> {
        let lefts = self.left.iter().map(|event| (0_u8, *event));
        let mut events: Vec<_> = lefts.chain(self.right.iter().map(|event| (1, *event))).collect();
        let delay = |place: usize| (hash_key(&(seed, place as u64)) >> 16) % DISORDER;
        let mut order: Vec<_> = (0..events.len()).collect();
        order.sort_by_key(|place| events[*place].1.time + delay(*place) as i64);
        events = order.into_iter().map(|place| events[place]).collect();

        let mut inputs = Vec::new();
        for (place, (side, event)) in events.iter().enumerate() {
            if hash_key(&(seed, place as u64, 'w')).is_multiple_of(4) {
                let rest = events[place..].iter().map(|(_, event)| event.time);
                let first = rest.min().expect("this event is still to come");
                inputs.push(Input::watermark(first - 1));
            }
            let input = if *side == 0 { left } else { right };
            inputs.push(input(event.key, event.time, event.number));
        }
        inputs.push(Input::end());
        inputs
    }
}

/// What a join emits over some input, sorted, with the times in milliseconds.
pub(super) fn run<J>(join: J, inputs: &[Input<Side>]) -> Vec<(i64, Pair)>
where
    J: CoOperator<Key = u8, Left = Event, Right = Event, Out = Pair>,
{
    let mut harness = Harness::co_operator(join);
    harness.run(inputs.iter().copied());
    assert_eq!(harness.counters().late, 0, "no event arrives late");
    let records = harness.records().into_iter();
    let mut pairs: Vec<_> = records.map(|record| (record.time.as_millis(), record.value)).collect();
    pairs.sort_unstable();
    pairs
}
