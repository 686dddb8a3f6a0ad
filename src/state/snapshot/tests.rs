//! Snapshot files: pinned, and found out at the first wrong bit.

use std::collections::BTreeMap;

use bytes::Bytes;
use watershed_core::state::{Changed, Sections};
use watershed_core::{Epoch, KeyGroup, KeyGroupRange, KeyGroups, Lineage, Run, SubtaskId, VertexId};

use super::format::{FRAME_HEAD_BYTES, START_BYTES, check};
use super::*;
use crate::error::Damage;
use crate::msgpack;

const FULL: &[u8] = include_bytes!("../golden/snapshot-1-full.bin");
const CHANGES: &[u8] = include_bytes!("../golden/snapshot-1-changes.bin");

fn header(kind: LayerKind) -> Header {
    Header {
        job: "flights".to_owned(),
        lineage: Lineage(1),
        epoch: Epoch(if kind == LayerKind::Full { 70 } else { 71 }),
        run: Run(3),
        subtask: SubtaskId { vertex: VertexId(2), index: 1 },
        key_groups: KeyGroups::default(),
        kind,
    }
}

fn open(file: &[u8]) -> Result<Snapshot, Damage> {
    Snapshot::open(Bytes::copy_from_slice(file))
}

fn file(layer: &Layer) -> Vec<u8> {
    let mut file = Vec::new();
    write(&header(layer.kind), &layer.stages, &mut file).unwrap();
    file
}

fn delay(n: u32) -> BTreeMap<&'static str, u32> {
    BTreeMap::from([("n", n)])
}

fn full() -> Layer {
    let mut delays = Sections::default();
    let keys = delays.part("state").part("keys");
    keys.put(KeyGroup(5), &[("EWR", delay(300))]);
    keys.put(KeyGroup(127), &[("JFK", delay(1)), ("LGA", delay(2))]);
    for watermark in [1000, 2000] {
        delays.part("watermark").add_whole_bytes(rmp_serde::to_vec_named(&watermark).unwrap());
    }
    Layer { kind: LayerKind::Full, stages: BTreeMap::from([("delays".to_owned(), delays)]) }
}

fn changes() -> Layer {
    let mut delays = Sections::default();
    let changed = Changed { put: vec![("JFK", delay(9))], removed: vec!["LGA"] };
    let keys = delays.part("state").part("keys");
    keys.begin_changes();
    keys.put_changes(KeyGroup(127), &changed);
    delays.part("watermark").put_whole(&3000);
    Layer { kind: LayerKind::Changes, stages: BTreeMap::from([("delays".to_owned(), delays)]) }
}

/// A layer whose pieces lie across blocks: 40 pieces of 10,000 bytes.
fn large() -> Layer {
    let mut stage = Sections::default();
    for group in 0..40_u16 {
        let text: String =
            (0..10_000).map(|n| char::from(b'a' + ((n + u32::from(group)) % 26) as u8)).collect();
        stage.part("state").put(KeyGroup(group), &text);
    }
    Layer { kind: LayerKind::Full, stages: BTreeMap::from([("large".to_owned(), stage)]) }
}

#[test]
fn version_1_is_golden() {
    // The files were written by an independent program from the description at the top of this module.
    assert_eq!(file(&full()), FULL);
    assert_eq!(file(&changes()), CHANGES);
    assert_eq!(open(FULL).unwrap().header(), &header(LayerKind::Full));
    assert_eq!(open(FULL).unwrap().layer(), full());
    assert_eq!(open(CHANGES).unwrap().layer(), changes());
}

#[test]
fn every_flipped_bit_is_found_without_knowing_the_hash() {
    for golden in [FULL, CHANGES] {
        for bit in 0..golden.len() * 8 {
            let mut file = golden.to_vec();
            file[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&file).is_err(), "bit {} of byte {}", bit % 8, bit / 8);
        }
    }
}

#[test]
fn a_flipped_bit_is_found_in_every_block_of_a_large_file() {
    let whole = file(&large());
    let frames = (0..whole.len()).step_by(FRAME_HEAD_BYTES + BLOCK_BYTES).flat_map(|at| at..at + 128);
    for byte in frames.chain((0..whole.len()).step_by(9_973)).filter(|byte| *byte < whole.len()) {
        let mut file = whole.clone();
        file[byte] ^= 1 << (byte % 8);
        assert!(open(&file).is_err(), "byte {byte}");
    }
}

#[test]
fn every_cut_is_found() {
    for length in 0..FULL.len() {
        assert!(open(&FULL[..length]).is_err(), "cut at {length}");
    }
    let whole = file(&large());
    for length in (0..whole.len()).step_by(4_099) {
        assert!(open(&whole[..length]).is_err(), "cut at {length}");
    }
}

#[test]
fn bytes_behind_the_end_are_found() {
    for more in [&b"\0"[..], b"more", FULL] {
        assert_eq!(
            open(&[FULL, more].concat()).map(drop),
            Err(Damage::Extent { bytes: (FULL.len() + more.len()) as u64 })
        );
    }
}

#[test]
fn blocks_that_have_changed_places_are_found() {
    let mut file = file(&large());
    let frame = FRAME_HEAD_BYTES + BLOCK_BYTES;
    let header_bytes =
        u32::from_le_bytes(file[START_BYTES + 1..START_BYTES + 5].try_into().unwrap()) as usize;
    let first = START_BYTES + FRAME_HEAD_BYTES + header_bytes;
    let (left, right) = file[first..].split_at_mut(frame);
    left.swap_with_slice(&mut right[..frame]);
    assert_eq!(open(&file).map(drop), Err(Damage::Checksum { part: "frame", offset: first as u64 }));
}

#[test]
fn pieces_that_lie_across_blocks_come_back() {
    let layer = large();
    assert_eq!(open(&file(&layer)).unwrap().layer(), layer);
}

#[test]
fn a_subtask_reads_its_key_groups_only() {
    let snapshot = open(FULL).unwrap();
    let whole = full().stages.remove("delays").unwrap();
    for (range, with_whole) in [(0..6, true), (6..128, false), (0..128, true), (6..7, false)] {
        let range = KeyGroupRange(range);
        let part = snapshot.part(&range, with_whole);
        assert_eq!(part.stages["delays"], whole.restrict(&range, with_whole));
    }
}

#[test]
fn a_key_of_a_mebibyte_comes_back() {
    let key = "k".repeat(1 << 20);
    let mut stage = Sections::default();
    stage.part("state").put(KeyGroup(9), &[(key.as_str(), delay(1)), ("EWR", delay(2))]);
    let layer = Layer { kind: LayerKind::Full, stages: BTreeMap::from([("long".to_owned(), stage)]) };
    assert_eq!(open(&file(&layer)).unwrap().layer(), layer);
}

#[test]
fn an_empty_layer_comes_back_empty() {
    let empty = Layer { kind: LayerKind::Full, stages: BTreeMap::new() };
    assert_eq!(open(&file(&empty)).unwrap().layer(), empty);
}

#[test]
fn another_version_and_another_file_are_told_apart() {
    let mut later = FULL.to_vec();
    later[8] = 2;
    assert_eq!(open(&later).map(drop), Err(Damage::Version { expected: 1, found: 2 }));
    let other = Damage::Kind { expected: "snapshot of Watershed" };
    assert_eq!(open(b"PK\x03\x04 and more").map(drop), Err(other.clone()));
    assert_eq!(open(b"").map(drop), Err(other));
}

/// A file whose checks all fit, around an index and data that someone made up.
fn forged(data: &[u8], index: &str) -> Vec<u8> {
    let index: serde_json::Value = serde_json::from_str(index).unwrap();
    forged_bytes(data, &msgpack::encode(&index))
}

fn forged_bytes(data: &[u8], index: &[u8]) -> Vec<u8> {
    let mut file = FULL[..START_BYTES].to_vec();
    let mut frame = |kind: u8, body: &[u8]| {
        let at = file.len() as u64;
        file.push(kind);
        file.extend((body.len() as u32).to_le_bytes());
        file.extend(check(at, kind, body).to_le_bytes());
        file.extend(body);
        at
    };
    frame(b'H', &msgpack::encode(&header(LayerKind::Full)));
    frame(b'B', data);
    let at = frame(b'I', index);
    let bytes = at + FRAME_HEAD_BYTES as u64 + index.len() as u64 + 25;
    frame(b'E', &[at.to_le_bytes(), bytes.to_le_bytes()].concat());
    file
}

#[test]
fn an_index_that_lies_is_refused_though_its_checks_fit() {
    let honest = r#"{"bytes":2,"sections":[{"path":["a"],"groups":[[0,1],[1,1]],"whole":[]}]}"#;
    assert!(open(&forged(&[1, 2], honest)).is_ok());
    let lies = [
        (
            "tells of another amount",
            r#"{"bytes":3,"sections":[{"path":["a"],"groups":[[0,1],[1,1]],"whole":[]}]}"#,
        ),
        ("points behind", r#"{"bytes":2,"sections":[{"path":["a"],"groups":[[0,1],[1,2]],"whole":[]}]}"#),
        (
            "points behind",
            r#"{"bytes":2,"sections":[{"path":["a"],"groups":[],"whole":[1,18446744073709551615]}]}"#,
        ),
        ("leaves data unnamed", r#"{"bytes":2,"sections":[{"path":["a"],"groups":[[0,1]],"whole":[]}]}"#),
        (
            "without a name, or too deep",
            r#"{"bytes":2,"sections":[{"path":[],"groups":[[0,1],[1,1]],"whole":[]}]}"#,
        ),
        ("not in order", r#"{"bytes":2,"sections":[{"path":["a"],"groups":[[1,1],[0,1]],"whole":[]}]}"#),
        ("not in order", r#"{"bytes":2,"sections":[{"path":["a"],"groups":[[1,1],[128,1]],"whole":[]}]}"#),
        (
            "does not go up",
            r#"{"bytes":2,"sections":[{"path":["b"],"groups":[[0,1]],"whole":[]},{"path":["a"],"groups":[[0,1]],"whole":[]}]}"#,
        ),
    ];
    for (expected, index) in lies {
        let damage = open(&forged(&[1, 2], index)).expect_err(index).to_string();
        assert!(damage.contains(expected), "{index}: {damage}");
    }
}

#[test]
fn a_piece_that_is_no_messagepack_is_refused() {
    let index = r#"{"bytes":2,"sections":[{"path":["a","b"],"groups":[[0,2]],"whole":[]}]}"#;
    let damage = |data: &[u8]| open(&forged(data, index)).map(drop).expect_err("refused").to_string();
    assert_eq!(damage(&[1, 2]), "a piece of a/b is bytes behind the end of the MessagePack value");
    assert_eq!(damage(&[0x91, 0xc1]), "a piece of a/b is a byte that is no MessagePack");
    assert_eq!(damage(&[0x92, 1]), "a piece of a/b is MessagePack that goes on behind its end");
}

#[test]
fn a_tree_of_parts_that_someone_made_endless_is_refused() {
    let names = vec!["\"a\""; 100_000].join(",");
    let index =
        format!(r#"{{"bytes":2,"sections":[{{"path":[{names}],"groups":[[0,1],[1,1]],"whole":[]}}]}}"#);
    let damage = open(&forged(&[1, 2], &index)).map(drop).expect_err("refused").to_string();
    assert_eq!(damage, "its index has a section without a name, or too deep");
}

#[test]
fn what_could_not_be_read_again_is_not_written() {
    let refused = |sections: Sections| {
        let stages = BTreeMap::from([("deep".to_owned(), sections)]);
        let error = write(&header(LayerKind::Full), &stages, Vec::new()).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        error.to_string()
    };
    let nested = |levels: usize| [vec![0x91; levels], vec![0xc0]].concat();
    let mut sections = Sections::default();
    sections.part("state").put_group_bytes(KeyGroup(0), nested(DEPTH_MAX + 1));
    assert_eq!(refused(sections), "MessagePack that nests deeper than is allowed, in the state deep/state");
    let mut parts = Sections::default();
    (0..DEPTH_MAX).fold(&mut parts, |part, _| part.part("a"));
    assert!(refused(parts).starts_with("parts nest deeper than is allowed"));

    let mut sections = Sections::default();
    sections.part("state").put_group_bytes(KeyGroup(0), nested(DEPTH_MAX));
    (1..DEPTH_MAX).fold(&mut sections, |part, _| part.part("a"));
    let layer = Layer { kind: LayerKind::Full, stages: BTreeMap::from([("deep".to_owned(), sections)]) };
    assert_eq!(open(&file(&layer)).unwrap().layer(), layer);
}

#[test]
fn no_index_that_someone_made_up_brings_the_process_down() {
    let honest: serde_json::Value = serde_json::from_str(
        r#"{"bytes":2,"sections":[{"path":["a","b"],"groups":[[0,1],[1,1]],"whole":[]},{"path":["c"],"groups":[],"whole":[]}]}"#,
    )
    .unwrap();
    let honest = msgpack::encode(&honest);
    for byte in 0..honest.len() {
        for other in 0..=u8::MAX {
            let mut index = honest.clone();
            index[byte] = other;
            // Refused or, where a name is another, read.
            if let Ok(snapshot) = open(&forged_bytes(&[1, 2], &index)) {
                snapshot.layer();
            }
        }
    }
}
