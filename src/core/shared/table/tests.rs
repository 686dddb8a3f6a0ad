//! Tables that are read, written, exchanged, settled, saved and restored.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::Run;
use crate::causal::HybridTime;
use crate::shared::doubles::{Count, Counts, Most, Tag, Tagged, Tags, stamp};
use crate::shared::{DELTA_BYTES_MAX, KEY_BYTES_MAX, encode_key};

/// Later than what any test does.
const LAST: Epoch = Epoch(99);

fn most() -> Table<String, u64, Most> {
    Table::new("most", Most)
}

fn count() -> Table<u8, u64, Count> {
    Table::new("count", Count)
}

fn settled(epoch: u64) -> Settled {
    Settled { run: Run(1), epoch: Epoch(epoch), time: HybridTime(0) }
}

/// A key and a number as MessagePack.
fn bytes(key: &str, number: u64) -> (Vec<u8>, Vec<u8>) {
    (encode(&key.to_owned()), encode(&Some(number)))
}

#[test]
fn a_task_does_not_see_what_was_done_behind_a_barrier_that_it_has_not_passed() {
    let table = most();
    let key = "a".to_owned();
    table.update(&stamp(1, 0, 1), &key, 5).unwrap();
    table.update(&stamp(2, 0, 1), &key, 7).unwrap();
    assert_eq!([0, 1, 2, 3].map(|epoch| table.read(Epoch(epoch), &key)), [None, Some(5), Some(7), Some(7)]);
    let (key_bytes, delta) = bytes("a", 6);
    assert_eq!(table.apply(&stamp(1, 1, 1), &key_bytes, &delta), Ok(Applied::Joined));
    assert_eq!([1, 2].map(|epoch| table.read(Epoch(epoch), &key)), [Some(6), Some(7)]);
    assert_eq!(table.entries(Epoch(1)), BTreeMap::from([(key, Some(6))]));
    assert_eq!(table.entries(Epoch(0)), BTreeMap::new());
}

#[test]
fn a_key_that_nobody_has_updated_reads_as_the_default_and_takes_no_room() {
    let table = count();
    assert_eq!(table.read(LAST, &3), 0);
    assert!(table.with(LAST, &3, |state| *state == Counts::default()));
    assert_eq!(table.get(LAST, &[3]), Ok(None));
    assert!(table.is_empty());
}

/// The greatest number, and saving one waits for an update of another key.
#[derive(Clone)]
struct Waiting(Arc<std::sync::Barrier>);

impl Resolver<u64> for Waiting {
    type State = Slow;
    type Update = u64;
    type Value = u64;

    fn update(&self, _: &Slow, number: u64, _: &Stamp) -> Result<Slow, Refusal> {
        Ok(Slow { number, saving: Some(self.0.clone()) })
    }

    fn join(&self, state: &mut Slow, other: &Slow) {
        state.number = state.number.max(other.number);
    }

    fn value(&self, state: &Slow) -> u64 {
        state.number
    }
}

/// A number that is written when two have met who wait.
#[derive(Clone, Debug, Default)]
struct Slow {
    number: u64,
    saving: Option<Arc<std::sync::Barrier>>,
}

impl PartialEq for Slow {
    fn eq(&self, other: &Slow) -> bool {
        self.number == other.number
    }
}

impl Serialize for Slow {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(saving) = self.saving.as_ref().filter(|_| self.number == 1) {
            saving.wait();
            saving.wait();
        }
        serializer.serialize_u64(self.number)
    }
}

impl<'de> serde::Deserialize<'de> for Slow {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Slow, D::Error> {
        Ok(Slow { number: serde::Deserialize::deserialize(deserializer)?, saving: None })
    }
}

impl Data for Slow {}

#[test]
fn updates_go_on_while_a_table_is_saved() {
    let meeting = Arc::new(std::sync::Barrier::new(2));
    let table = Arc::new(Table::<u8, u64, Waiting>::new("slow", Waiting(meeting.clone())));
    // The update itself is told as bytes, which waits twice too.
    let update = |key: u8, number| table.update(&stamp(number, 0, 1), &key, number).map(drop);
    std::thread::scope(|scope| {
        scope.spawn(|| update(3, 1).unwrap());
        meeting.wait();
        meeting.wait();
    });
    std::thread::scope(|scope| {
        let saved = scope.spawn(|| table.save(Epoch(1)));
        meeting.wait();
        // It is in the middle of the only key, and nobody waits for it.
        update(3, 2).unwrap();
        assert_eq!(table.read(LAST, &3), 2);
        meeting.wait();
        assert!(!saved.join().unwrap().is_empty());
    });
}

#[test]
fn a_refused_update_changes_nothing() {
    let table = most();
    let refusal = table.update(&stamp(1, 0, 1), &"a".to_owned(), u64::MAX).unwrap_err();
    assert_eq!(refusal, Refusal::Update("too much".to_owned()));
    let tags = Table::<u8, String, Tags>::new("tags", Tags);
    let refusal = tags.update(&stamp(1, 0, 1), &1, Tag::Add("x".repeat(DELTA_BYTES_MAX))).unwrap_err();
    assert!(matches!(refusal, Refusal::Bytes { max: DELTA_BYTES_MAX, .. }), "{refusal}");
    assert!(table.is_empty() && tags.is_empty());
}

#[test]
fn an_update_that_no_correct_writer_makes_is_set_aside() {
    let table = most();
    let (key, delta) = bytes("a", 5);
    let said = |error: TableError| error.to_string();
    let apply = |key: &[u8], delta: &[u8]| said(table.apply(&stamp(1, 1, 1), key, delta).unwrap_err());
    assert_eq!(apply(&key, &[0xc0]), "an update of the shared state \"most\" is not taken: it says nothing");
    assert_eq!(
        apply(&key, &[5, 5]),
        "an update of the shared state \"most\" cannot be read: 1 bytes follow behind it"
    );
    assert!(apply(&[7], &delta).starts_with("a key of the shared state \"most\" cannot be read: "));
    assert!(apply(&vec![0; KEY_BYTES_MAX + 1], &delta).contains("65536 are taken"));
    assert!(apply(&key, &vec![0; DELTA_BYTES_MAX + 1]).contains("1048576 are taken"));
    assert!(table.is_empty());
}

#[test]
fn what_is_settled_is_folded_and_comes_no_second_time() {
    let table = count();
    let delta = table.update(&stamp(1, 0, 1), &3, 5).unwrap();
    table.update(&stamp(2, 0, 1), &3, 7).unwrap();
    let read = || [1, 2].map(|epoch| table.read(Epoch(epoch), &3));
    assert_eq!(read(), [5, 12]);
    table.settle(settled(1));
    assert_eq!(read(), [5, 12]);
    assert_eq!(table.apply(&stamp(1, 0, 1), &[3], &delta), Ok(Applied::Settled));
    assert_eq!(read(), [5, 12]);
    assert_eq!(table.with(LAST, &3, |state| (state.settled, state.lanes.len())), (5, 1));
    table.settle(settled(2));
    assert_eq!((table.read(LAST, &3), table.with(LAST, &3, |state| state.lanes.len())), (12, 0));
    assert_eq!(table.read(Epoch(0), &3), 12, "the base is seen by everybody");
}

#[test]
#[should_panic(expected = "nothing was to come any more of site 0 in epoch 1 of run 1")]
fn nothing_is_written_in_a_settled_lane() {
    let table = count();
    table.settle(settled(1));
    let _ = table.update(&stamp(1, 0, 1), &3, 5);
}

#[test]
fn a_key_that_is_the_default_again_is_forgotten() {
    let table = Table::<u8, String, Tags>::new("tags", Tags);
    let empty = table.save(LAST);
    table.update(&stamp(1, 0, 1), &1, Tag::Add("x".to_owned())).unwrap();
    table.update(&stamp(1, 0, 2), &1, Tag::Remove("x".to_owned())).unwrap();
    assert_eq!(table.len(), 1);
    table.settle(settled(1));
    assert_eq!((table.len(), table.save(LAST)), (0, empty));
}

#[test]
fn settling_looks_only_at_what_has_changed() {
    let table = count();
    table.update(&stamp(1, 0, 1), &1, 5).unwrap();
    table.update(&stamp(2, 0, 1), &2, 5).unwrap();
    table.settle(settled(1));
    assert_eq!(table.writing().unsettled.iter().collect::<Vec<_>>(), [&2]);
    table.settle(settled(2));
    assert!(table.writing().unsettled.is_empty());
    table.update(&stamp(3, 0, 1), &1, 5).unwrap();
    assert_eq!(table.writing().unsettled.iter().collect::<Vec<_>>(), [&1]);
}

#[test]
fn a_table_is_restored_from_what_it_has_saved_as_of_an_epoch() {
    let table = count();
    table.update(&stamp(1, 0, 1), &3, 5).unwrap();
    table.update(&stamp(2, 0, 1), &3, 7).unwrap();
    table.update(&stamp(2, 0, 2), &4, 1).unwrap();
    let restored = count();
    restored.load(&table.save(Epoch(1))).unwrap();
    assert_eq!((restored.len(), restored.read(Epoch(0), &3)), (1, 5));
    assert_eq!(restored.save(LAST), table.save(Epoch(1)));
    restored.settle(Settled { run: Run(2), ..settled(1) });
    assert_eq!(restored.with(LAST, &3, |state| (state.settled, state.lanes.len())), (5, 0));
}

#[test]
fn a_saved_table_is_golden() {
    let table = most();
    table.update(&stamp(1, 0, 1), &"b".to_owned(), 300).unwrap();
    table.update(&stamp(1, 0, 2), &"a".to_owned(), 7).unwrap();
    let golden = b"\x93\x01\xa4most\x92\x92\xc4\x02\xa1a\xc4\x01\x07\x92\xc4\x02\xa1b\xc4\x03\xcd\x01\x2c";
    assert_eq!(table.save(LAST), golden);
}

#[test]
fn queries_come_and_go_as_message_pack() {
    let table = most();
    table.update(&stamp(1, 0, 1), &"a".to_owned(), 7).unwrap();
    assert_eq!(table.get(LAST, b"\xa1a"), Ok(Some(vec![7])));
    assert_eq!(table.get(Epoch(0), b"\xa1a"), Ok(None));
    assert!(table.get(LAST, b"\xa1").is_err());
    assert_eq!(encode_key(&"a".to_owned()).unwrap(), b"\xa1a");
}

#[test]
fn readers_and_a_writer_do_not_wait_for_each_other_for_ever() {
    let table = count();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut before = 0;
                while before < 2000 {
                    let now = table.read(LAST, &3);
                    assert!(now >= before, "{now} is read after {before}");
                    before = now;
                }
            });
        }
        for counter in 1..=2000 {
            let epoch = counter / 100 + 1;
            table.update(&stamp(epoch, 0, counter), &3, 1).unwrap();
            if counter % 100 == 50 {
                table.settle(settled(epoch - 1));
            }
        }
    });
}

/// Updates of three sites, in the order in which they are made.
#[derive(Clone, Debug)]
struct Trace {
    /// The site, its epoch, the key, and which tag is added or removed.
    writes: Vec<(u16, u64, u8, u8)>,
    /// For each site, which of the updates it has not heard yet comes next.
    orders: [Vec<u8>; 3],
}

fn traces() -> impl Strategy<Value = Trace> {
    let writes = proptest::collection::vec((0_u16..3, 1_u64..3, 0_u8..3, 0_u8..6), 1..24);
    let orders = proptest::array::uniform3(proptest::collection::vec(any::<u8>(), 24));
    (writes, orders).prop_map(|(writes, orders)| Trace { writes, orders })
}

/// An update on its way.
struct Update {
    stamp: Stamp,
    key: Vec<u8>,
    delta: Vec<u8>,
}

/// Three sites that make updates of what they see and hear of the others' in orders of their own, in each lane first to
/// last. The first settles epoch 1 before it hears of epoch 2, the second after it, the third not at all.
fn exchanged(trace: &Trace) -> [Table<u8, String, Tags>; 3] {
    let tables = [0; 3].map(|_| Table::<u8, String, Tags>::new("tags", Tags));
    for epoch in [1, 2] {
        let mut lanes: [Vec<Update>; 3] = Default::default();
        for (site, _, key, tag) in trace.writes.iter().filter(|write| write.1 == epoch) {
            let lane = &mut lanes[usize::from(*site)];
            let stamp = stamp(epoch, *site, lane.len() as u64 + 1);
            let name = (tag % 3).to_string();
            let tag = if *tag < 3 { Tag::Add(name) } else { Tag::Remove(name) };
            let delta = tables[usize::from(*site)].update(&stamp, key, tag).unwrap();
            lane.push(Update { stamp, key: encode(key), delta });
        }
        for (site, table) in tables.iter().enumerate() {
            hear(table, &lanes, &trace.orders[site]);
            if (epoch, site) == (1, 0) {
                table.settle(settled(1));
            }
        }
    }
    tables[1].settle(settled(1));
    tables
}

/// Lets a table hear some lanes, its own for the second time, in an order.
fn hear(table: &Table<u8, String, Tags>, lanes: &[Vec<Update>; 3], order: &[u8]) {
    let mut lanes: Vec<_> = lanes.iter().map(|lane| lane.iter()).collect();
    for choice in order.iter().cycle() {
        lanes.retain(|lane| lane.len() > 0);
        if lanes.is_empty() {
            return;
        }
        let chosen = usize::from(*choice) % lanes.len();
        let Update { stamp, key, delta } = lanes[chosen].next().unwrap();
        assert_eq!(table.apply(stamp, key, delta), Ok(Applied::Joined));
    }
}

proptest! {
    #[test]
    fn sites_that_hear_the_same_in_any_order_save_the_same(trace in traces()) {
        let tables = exchanged(&trace);
        let [first, second, third] = &tables;
        prop_assert_eq!(first.save(LAST), second.save(LAST));
        for key in 0..3 {
            prop_assert_eq!(first.read(LAST, &key), third.read(LAST, &key));
        }
        third.settle(settled(1));
        prop_assert_eq!(first.save(LAST), third.save(LAST));
        for table in &tables {
            table.settle(settled(2));
            let forgotten = |state: &Tagged| state.removed.is_empty();
            prop_assert!(table.keys.iter().all(|kept| kept.value().at(LAST).is_some_and(forgotten)));
        }
        prop_assert_eq!(first.save(LAST), second.save(LAST));
        prop_assert_eq!(first.save(LAST), third.save(LAST));
    }

    #[test]
    fn damaged_bytes_are_refused_or_read_and_never_panic(place in any::<usize>(), byte in any::<u8>(), cut in any::<usize>()) {
        let table = count();
        for key in 0..5 {
            table.update(&stamp(1, 0, u64::from(key) + 1), &key, 70).unwrap();
        }
        let mut damaged = table.save(LAST);
        let place = place % damaged.len();
        damaged[place] = byte;
        let restored = count();
        let loaded = restored.load(&damaged);
        prop_assert!(loaded.is_ok() || restored.is_empty());
        let cut = cut % damaged.len();
        prop_assert!(count().load(&table.save(LAST)[..cut]).is_err(), "cut to {} bytes", cut);
    }
}
