//! What holds for any bytes that a disk or a bucket may give back: nothing panics, and whatever is read can be written
//! and read again.
//!
//! These are plain functions: a test of the crate calls them with a corpus and what becomes of it by chance, and
//! `cargo fuzz` (which needs a nightly compiler) with what it finds worth trying. Chance would never find what is behind a
//! check, so each input is tried as it is and with its checks put right.

use bytes::Bytes;
use tokio::runtime::Runtime;
use watershed_core::checkpoint::Pointer;
use watershed_core::{Epoch, KeyGroupRange, KeyGroups, Lineage, Run};
use watershed_state::snapshot::{self, Snapshot};
use watershed_state::{CheckpointStore, Object, ObjectKey, from_json, to_json};

use crate::memory::Memory;

/// What serde sets aside for a list before it has seen what is in it, at a few levels.
pub const MEMORY: Memory = Memory { base: 4 << 20, per_byte: 1 << 9 };

/// Magic and version of a snapshot.
const START_BYTES: usize = 12;
/// Kind, length and check of one of its frames.
const FRAME_HEAD_BYTES: usize = 9;
/// Magic, version and check of a manifest.
const MANIFEST_HEAD_BYTES: usize = 16;

/// Reads bytes as a snapshot.
pub fn snapshots(bytes: &[u8]) {
    for file in [bytes.to_vec(), with_frames_right(bytes.to_vec())] {
        let Ok(read) = Snapshot::open(Bytes::from(file)) else { continue };
        let layer = read.layer();
        // A part is all of it or less, and never more.
        let halves = [0..KeyGroups::MAX / 2, KeyGroups::MAX / 2..KeyGroups::MAX].map(KeyGroupRange);
        halves.iter().for_each(|half| drop(read.part(half, false)));
        assert_eq!(read.part(&KeyGroupRange(0..KeyGroups::MAX), true), layer);
        let mut written = Vec::new();
        snapshot::write(read.header(), &layer.stages, &mut written).expect("what was read can be written");
        let again = Snapshot::open(Bytes::from(written)).expect("it was just written");
        assert_eq!((again.header(), again.layer()), (read.header(), layer));
    }
}

/// Reads bytes as the manifest of checkpoint 7.
pub fn manifests(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts");
    manifest(bytes.to_vec(), &runtime);
    if let Some((head, body)) = bytes.split_first_chunk::<MANIFEST_HEAD_BYTES>() {
        let check = crc32c::crc32c_append(crc32c::crc32c(&head[8..12]), body);
        manifest([&head[..12], &check.to_le_bytes(), body].concat(), &runtime);
    }
}

fn manifest(bytes: Vec<u8>, runtime: &Runtime) {
    let store = CheckpointStore::memory();
    let (lineage, epoch) = (Lineage(0), Epoch(7));
    let key = ObjectKey { lineage, epoch, run: Run(2), object: Object::Manifest };
    let manifest = runtime.block_on(store.put(key, bytes)).expect("memory takes it");
    let Ok(read) = runtime.block_on(store.manifest(&Pointer { lineage, epoch, manifest })) else { return };
    let written = runtime.block_on(store.put_manifest(&read)).expect("what was read can be written");
    let again = runtime.block_on(store.manifest(&written));
    assert_eq!(again.expect("it was just written"), read);
}

/// Reads bytes as any MessagePack, to be shown as JSON, and as what somebody writes in JSON.
pub fn documents(bytes: &[u8]) {
    if let Ok(shown) = to_json(bytes) {
        let text = serde_json::to_string(&shown).expect("JSON is text");
        match from_json(&text) {
            Ok(packed) => {
                let again = to_json(&packed.bytes());
                assert_eq!(again.as_ref(), Ok(&shown), "{text}");
            }
            // A map of any keys takes more levels than it has.
            Err(why) => assert!(why.starts_with("recursion limit exceeded"), "{why}: {text}"),
        }
    }
    if let Ok(text) = str::from_utf8(bytes)
        && let Ok(written) = from_json(text)
        && let Ok(shown) = to_json(&written.bytes())
    {
        // As it is shown: of the fields of an object the order is not kept.
        let text = serde_json::to_string(&shown).expect("JSON is text");
        let again = from_json(&text).and_then(|again| to_json(&again.bytes()));
        assert_eq!(again.as_ref(), Ok(&shown), "{text}");
    }
}

/// Puts the checks of all frames right, as far as there are frames, and what the last one says of the file.
fn with_frames_right(mut file: Vec<u8>) -> Vec<u8> {
    let mut at = START_BYTES;
    let mut index_at = 0_u64;
    while let Some(&[kind, a, b, c, d]) = file.get(at..at + 5).and_then(|head| head.first_chunk::<5>()) {
        let length = [a, b, c, d];
        let body = at + FRAME_HEAD_BYTES;
        let Some(end) = body.checked_add(u32::from_le_bytes(length) as usize) else { break };
        if end > file.len() {
            break;
        }
        if kind == b'I' {
            index_at = at as u64;
        }
        if kind == b'E' && end - body == 16 {
            let whole = file.len() as u64;
            file[body..body + 8].copy_from_slice(&index_at.to_le_bytes());
            file[body + 8..end].copy_from_slice(&whole.to_le_bytes());
        }
        let check = crc32c::crc32c(&(at as u64).to_le_bytes());
        let check = crc32c::crc32c_append(check, &[kind, a, b, c, d]);
        let check = crc32c::crc32c_append(check, &file[body..end]);
        file[at + 5..body].copy_from_slice(&check.to_le_bytes());
        at = end;
    }
    file
}
