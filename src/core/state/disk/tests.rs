//! A map on disk does what one in memory does, whatever leaves memory when.

use super::double::Tiny;
use super::*;
use crate::state::{KeyedMap, Room, State, Values};

fn on_disk() -> Values<u64, String> {
    let mut values = Values::default();
    let room = Room { key_groups: KeyGroups::default(), backend: Some(Arc::new(Tiny)) };
    values.open(&room).unwrap();
    values
}

fn save(state: &mut impl State, kind: LayerKind) -> Sections {
    let mut saving = Saving::new(KeyGroups::default(), kind);
    state.save(&mut saving);
    saving.encode()
}

/// All entries, by way of saving them.
fn all(state: &mut impl State) -> Vec<(u64, String)> {
    let mut back = KeyedMap::<u64, String>::default();
    back.load(&save(state, LayerKind::Full)).unwrap();
    let mut all: Vec<_> = back.iter().map(|(key, value)| (*key, value.clone())).collect();
    all.sort_unstable();
    all
}

#[test]
fn a_map_on_disk_and_one_in_memory_are_the_same_saved_and_restored_as_either() {
    let mut dice = 1_u64;
    let (mut disk, mut memory) = (on_disk(), Values::default());
    let mut layers: Option<Sections> = None;
    let mut changes = 0;
    for round in 0..60_u64 {
        for _ in 0..1000 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let key = (dice >> 33) % 20_000;
            for values in [&mut disk, &mut memory] {
                match dice >> 61 {
                    0 => values.remove(&key),
                    1 => values.get_mut(&key).into_iter().for_each(|value| value.push('+')),
                    _ => *values.get_or_insert_ref(&key, || "new".to_owned()) = format!("round {round}"),
                }
            }
        }
        let saved = save(&mut disk, if round == 0 { LayerKind::Full } else { LayerKind::Changes });
        changes += usize::from(saved.hold_changes());
        let layers = layers.get_or_insert_default();
        layers.lay_over(saved);
        if round % 6 == 5 {
            let expected = all(&mut memory);
            let mut back = KeyedMap::<u64, String>::default();
            back.load(layers).unwrap();
            assert_eq!(all(&mut back), expected, "round {round}, from layers into memory");
            // What is on disk goes on from its own layers, restored on disk.
            disk = on_disk();
            disk.load(layers).unwrap();
            assert_eq!(all(&mut disk), expected, "round {round}, from layers onto disk");
            *layers = save(&mut disk, LayerKind::Full);
        }
    }
    assert_eq!(changes, 59, "all but the first are layers of changes");
}

#[test]
fn little_is_saved_of_little_change() {
    let mut disk = on_disk();
    for key in 0..20_000 {
        disk.get_or_insert_ref(&key, || "a value of some length".to_owned());
    }
    let size = |sections: &Sections| {
        let full = sections.group_bytes().map(|(_, bytes)| bytes.len()).sum::<usize>();
        full + sections.change_bytes().map(|(_, bytes)| bytes.len()).sum::<usize>()
    };
    let full = size(&save(&mut disk, LayerKind::Full));
    for key in (0..20_000).step_by(100) {
        disk.get_mut(&key).unwrap().push('!');
    }
    let changes = save(&mut disk, LayerKind::Changes);
    assert!(changes.hold_changes());
    assert!(size(&changes) * 100 < full * 3, "{} of {full} bytes", size(&changes));
}

#[test]
fn bytes_of_another_type_are_refused() {
    let mut numbers = KeyedMap::<u64, u64>::default();
    numbers.insert(1, 2);
    let saved = save(&mut numbers, LayerKind::Full);
    assert!(on_disk().load(&saved).is_err());
}
