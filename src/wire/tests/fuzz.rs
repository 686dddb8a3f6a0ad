//! The fuzz targets, on a corpus and on what becomes of it by chance: always the same chance.

#![expect(clippy::unwrap_used, reason = "a test that is surprised has failed")]

#[expect(unreachable_pub, reason = "it is a crate of its own to cargo-fuzz")]
#[path = "../fuzz/targets.rs"]
mod targets;

use std::fs;
use std::path::Path;

/// How many inputs are tried in each test, beside the corpus itself.
const INPUTS: usize = 100_000;
/// Longer inputs than this only take longer.
const INPUT_BYTES_MAX: usize = 4_096;

/// Chance that repeats itself: splitmix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// The files of some folders of the crate, by their names.
fn corpus(folders: &[&str]) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in folders {
        let entries = fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        files.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "bin")));
    }
    files.sort();
    assert!(files.len() > 10, "the corpus is there");
    files.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// One of a few things that happen to bytes.
fn harm(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], chance: &mut Chance) {
    let at = chance.below(bytes.len() + 1);
    let telling = [0, 1, 0x7f, 0x80, 0x90, 0xc0, 0xc4, 0xc6, 0xce, 0xdc, 0xdd, 0xdf, 0xff];
    match chance.below(8) {
        0 => bytes.truncate(at),
        1 => bytes[at..].iter_mut().take(1).for_each(|byte| *byte ^= 1 << chance.below(8)),
        2 => bytes[at..].iter_mut().take(1).for_each(|byte| *byte = telling[chance.below(telling.len())]),
        3 => bytes.insert(at, chance.next() as u8),
        4 => drop(bytes.drain(at..bytes.len().min(at + 1 + chance.below(8)))),
        5 => {
            let length = (chance.next() as u32) >> chance.below(32);
            let end = bytes.len().min(at + 4);
            bytes.splice(at..end, length.to_be_bytes());
        }
        6 => {
            let again = bytes[at..].to_vec();
            bytes.extend(again);
        }
        _ => {
            let other = &corpus[chance.below(corpus.len())];
            bytes.truncate(at);
            bytes.extend(&other[chance.below(other.len())..]);
        }
    }
    bytes.truncate(INPUT_BYTES_MAX);
}

fn run(target: fn(&[u8]), corpus: &[Vec<u8>], seed: u64) {
    corpus.iter().for_each(|bytes| target(bytes));
    let mut chance = Chance(seed);
    for input in 0..INPUTS {
        let mut bytes = corpus[chance.below(corpus.len())].clone();
        for _ in 0..=chance.below(4) {
            harm(&mut bytes, corpus, &mut chance);
        }
        let outcome = std::panic::catch_unwind(|| target(&bytes));
        assert!(outcome.is_ok(), "input {input} of seed {seed} does harm: {bytes:02x?}");
    }
}

#[test]
fn no_bytes_do_harm_as_frames() {
    run(targets::frames, &corpus(&["golden", "fuzz/corpus/frames"]), 1);
}

#[test]
fn no_bytes_do_harm_as_batches() {
    run(targets::batches, &corpus(&["golden", "fuzz/corpus/batches"]), 2);
}
