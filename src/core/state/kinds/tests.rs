//! Each kind does what a plain collection does, in memory and on disk, through saves in layers and restores as either.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use super::entry::Entry;
use super::*;
use crate::state::{LayerKind, Room, Saving, Sections, State, Tiny};
use crate::{EventTime, KeyGroups};

const NOW: Clock =
    Clock { time: EventTime::MIN, reached: EventTime::MIN, now: ProcessingTime::from_millis(0) };

fn on_disk<S: State>() -> S {
    let mut state = S::default();
    state.open(&Room { key_groups: KeyGroups::default(), backend: Some(Arc::new(Tiny)) }).unwrap();
    state
}

fn save(state: &mut impl State, kind: LayerKind) -> Sections {
    let mut saving = Saving::new(KeyGroups::default(), kind);
    state.save(&mut saving);
    saving.encode()
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Changes a state in memory and one on disk in the same ways as a model, saves both in layers, and exchanges them:
/// what goes on in memory is restored from the layers of the disk, and the other way round.
fn follows_its_model<S: KeyedState, M: Default>(
    change: impl Fn(&mut Dice, u64, &mut [&mut S; 2], &mut M),
    check: impl Fn(&mut S, &M, &str),
) {
    let (mut memory, mut disk, mut model) = (S::default(), on_disk::<S>(), M::default());
    let mut layers = [Sections::default(), Sections::default()];
    let mut dice = Dice(5);
    let mut changes = 0;
    for round in 0..36_u64 {
        for _ in 0..300 {
            change(&mut dice, round, &mut [&mut memory, &mut disk], &mut model);
        }
        check(&mut memory, &model, &format!("in memory, round {round}"));
        check(&mut disk, &model, &format!("on disk, round {round}"));
        let kind = if round % 6 == 0 { LayerKind::Full } else { LayerKind::Changes };
        let saved = [save(&mut memory, kind), save(&mut disk, kind)];
        changes += saved.iter().filter(|saved| saved.hold_changes()).count();
        layers.iter_mut().zip(saved).for_each(|(layers, saved)| layers.lay_over(saved));
        if round % 6 == 5 {
            (memory, disk) = (S::default(), on_disk());
            memory.load(&layers[1]).unwrap();
            disk.load(&layers[0]).unwrap();
            check(&mut memory, &model, &format!("from disk into memory, round {round}"));
            check(&mut disk, &model, &format!("from memory onto disk, round {round}"));
        }
    }
    assert!(changes > 40, "{changes} layers of changes");
}

#[test]
fn a_value_is_an_option() {
    follows_its_model::<ValueState<u64, u64>, BTreeMap<u64, u64>>(
        |dice, round, states, model| {
            let (key, what) = (dice.below(3000), dice.below(4));
            for state in states {
                let mut value = state.of(Current::new(&key, NOW));
                match what {
                    0 => value.clear(),
                    1 => value.set(round),
                    _ => value.update(|value| *value += round),
                }
            }
            match what {
                0 => drop(model.remove(&key)),
                1 => drop(model.insert(key, round)),
                _ => *model.entry(key).or_default() += round,
            }
        },
        |state, model, place| {
            for key in 0..3000 {
                assert_eq!(state.of(Current::new(&key, NOW)).get(), model.get(&key), "{place}, key {key}");
            }
        },
    );
}

#[test]
fn a_reduced_value_is_the_sum_of_what_was_added() {
    follows_its_model::<ReducingState<u64, u64>, BTreeMap<u64, u64>>(
        |dice, round, states, model| {
            let (key, what) = (dice.below(3000), dice.below(4));
            for state in states {
                let mut reduced = state.of(Current::new(&key, NOW));
                match what {
                    0 => reduced.clear(),
                    _ => reduced.add(round + 1, |most, value| *most = value.max(*most * 3 / 2)),
                }
            }
            match what {
                0 => drop(model.remove(&key)),
                _ => {
                    let reduced = |most: &mut u64| *most = (round + 1).max(*most * 3 / 2);
                    model.entry(key).and_modify(reduced).or_insert(round + 1);
                }
            }
        },
        |state, model, place| {
            for key in 0..3000 {
                assert_eq!(state.of(Current::new(&key, NOW)).get(), model.get(&key), "{place}, key {key}");
            }
        },
    );
}

/// In the order in which a map is walked: shorter names first.
type Names = BTreeMap<(usize, String), u64>;

fn walk(map: &MapOf<'_, u64, String, u64>) -> Vec<(String, u64)> {
    let mut walked = Vec::new();
    map.for_each(|name, value| walked.push((name.clone(), *value)));
    walked
}

#[test]
fn a_map_is_a_map_walked_in_one_order() {
    follows_its_model::<MapState<u64, String, u64>, BTreeMap<u64, Names>>(
        |dice, round, states, model| {
            let (key, name, what) = (dice.below(7), dice.below(1500).to_string(), dice.below(40));
            let of_model = model.entry(key).or_default();
            let place = (name.len(), name.clone());
            for state in states {
                let mut map = state.of(Current::new(&key, NOW));
                match what {
                    0 => map.retain(|name, _| !name.ends_with('7')),
                    1..10 => {
                        assert_eq!(map.remove(&name), of_model.get(&place).copied());
                        assert!(!map.contains(&name));
                    }
                    10..25 => map.insert(name.clone(), round),
                    _ => *map.get_or_insert_with(name.clone(), || 7) += round,
                }
            }
            match what {
                0 => of_model.retain(|(_, name), _| !name.ends_with('7')),
                1..10 => drop(of_model.remove(&place)),
                10..25 => drop(of_model.insert(place, round)),
                _ => *of_model.entry(place).or_insert(7) += round,
            }
        },
        |state, model, place| {
            let nothing = Names::new();
            for key in 0..8 {
                let of_model = model.get(&key).unwrap_or(&nothing);
                let mut map = state.of(Current::new(&key, NOW));
                let expected: Vec<_> =
                    of_model.iter().map(|((_, name), value)| (name.clone(), *value)).collect();
                assert_eq!(walk(&map), expected, "{place}, key {key}");
                assert_eq!(map.is_empty(), of_model.is_empty());
                for (name, value) in &expected {
                    assert_eq!(map.get(name), Some(value), "{place}, {name} of key {key}");
                }
                assert_eq!(map.get(&"none".to_owned()), None);
            }
        },
    );
}

#[test]
fn a_list_is_a_queue() {
    follows_its_model::<ListState<u64, u64>, BTreeMap<u64, VecDeque<u64>>>(
        |dice, _, states, model| {
            let (key, what, value) = (dice.below(7), dice.below(100), dice.below(1000));
            let of_model = model.entry(key).or_default();
            for state in states {
                let mut list = state.of(Current::new(&key, NOW));
                match what {
                    0 => list.clear(),
                    1..40 => assert_eq!(list.pop_front(), of_model.front().copied()),
                    _ => list.push(value),
                }
            }
            match what {
                0 => of_model.clear(),
                1..40 => drop(of_model.pop_front()),
                _ => of_model.push_back(value),
            }
        },
        |state, model, place| {
            let nothing = VecDeque::new();
            for key in 0..8 {
                let of_model = model.get(&key).unwrap_or(&nothing);
                let mut list = state.of(Current::new(&key, NOW));
                let mut walked = VecDeque::new();
                list.for_each(|value| walked.push_back(*value));
                assert_eq!(walked, *of_model, "{place}, key {key}");
                assert_eq!((list.len(), list.is_empty()), (of_model.len() as u64, of_model.is_empty()));
            }
        },
    );
}

#[test]
fn a_walk_ends_where_it_is_broken_off() {
    for mut state in [MapState::<u8, u64, ()>::default(), on_disk()] {
        let mut map = state.of(Current::new(&1, NOW));
        (0..1000).for_each(|n| map.insert(n * 3, ()));
        let mut seen = Vec::new();
        map.visit(|n, ()| {
            seen.push(*n);
            if seen.len() < 4 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        assert_eq!(seen, [0, 3, 6, 9]);
    }
}

#[test]
fn the_entries_of_a_key_move_together() {
    let groups = KeyGroups::default();
    let mut state = MapState::<u64, u64, u64>::default();
    for key in 0..50 {
        (0..20).for_each(|n| state.of(Current::new(&key, NOW)).insert(n, key * n));
    }
    let saved = save(&mut state, LayerKind::Full);
    for index in 0..3 {
        let range = groups.range(index, 3);
        for mut part in [MapState::<u64, u64, u64>::default(), on_disk()] {
            part.load(&saved.restrict(&range, true)).unwrap();
            for key in 0..50 {
                let mut walked = Vec::new();
                part.of(Current::new(&key, NOW)).for_each(|n, value| walked.push((*n, *value)));
                let expected: Vec<_> = (0..20).map(|n| (n, key * n)).collect();
                assert_eq!(walked, if range.contains(groups.of(&key)) { expected } else { Vec::new() });
            }
        }
    }
}

#[test]
fn one_changed_entry_of_a_large_map_is_saved_alone() {
    for mut state in [MapState::<u8, u64, String>::default(), on_disk()] {
        let mut map = state.of(Current::new(&1, NOW));
        (0..20_000).for_each(|n| map.insert(n, "a value of some length".to_owned()));
        save(&mut state, LayerKind::Full);
        state.of(Current::new(&1, NOW)).insert(777, "another".to_owned());
        let changes = save(&mut state, LayerKind::Changes);
        let bytes: usize = changes.get("entries").change_bytes().map(|(_, bytes)| bytes.len()).sum();
        assert!((10..1000).contains(&bytes), "{bytes} bytes of changes");
    }
}

#[test]
fn what_has_expired_is_hidden_at_once_and_removed_in_few_sweeps() {
    let at = |time, reached| Clock {
        time: EventTime::from_millis(time),
        reached: EventTime::from_millis(reached),
        ..NOW
    };
    let mut state = MapState::<u8, i64, ()>::default();
    state.expire_by(TimeToLive::after(Duration::from_millis(80)));
    (0..40).for_each(|n| state.of(Current::new(&1, at(n, -1))).insert(n, ()));
    let held = |state: &mut MapState<u8, i64, ()>| {
        let pieces: Vec<_> = save(state, LayerKind::Full)
            .get("entries")
            .pieces::<Vec<(Entry<u8, i64>, ((), Option<EventTime>))>>()
            .flat_map(Result::unwrap)
            .collect();
        pieces.len()
    };
    // The first falls due at 80, and the next sweep is an eighth of 80 milliseconds later.
    for (reached, seen, kept) in [(79, 40, 40), (80, 39, 39), (89, 30, 39), (90, 29, 29), (130, 0, 0)] {
        // What was saved and restored half way goes on expiring.
        let mut back = MapState::<u8, i64, ()>::default();
        back.expire_by(TimeToLive::after(Duration::from_millis(80)));
        back.load(&save(&mut state, LayerKind::Full)).unwrap();
        for state in [&mut state, &mut back] {
            state.expire(at(reached, reached));
            let mut walked = 0;
            state.of(Current::new(&1, at(reached, reached))).for_each(|_, ()| walked += 1);
            assert_eq!((walked, held(state)), (seen, kept), "at {reached}");
        }
    }
}
