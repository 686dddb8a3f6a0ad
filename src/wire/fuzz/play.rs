//! Plays fuzz targets without a fuzzer: on a corpus, and on what becomes of it by chance, which is always the same.
//!
//! The tests called `fuzz` of several crates include this file. They try a fixed number of inputs, and go on for as long
//! as `FUZZ_SECONDS` says; `FUZZ_SEED` is for another chance:
//!
//! ```text
//!   FUZZ_SECONDS=60 cargo test --workspace --test fuzz     all targets, a minute each and more
//! ```
//!
//! `fuzz/run` plays the same targets with a fuzzer, which finds what chance does not.

use std::fmt::Write;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::memory::Memory;

/// Targets are played one after the other: the memory of the whole process is measured.
static ALONE: Mutex<()> = Mutex::new(());

/// Longer inputs than this only take longer.
const INPUT_BYTES_MAX: usize = 4_096;

/// What is played, and how.
pub(crate) struct Game {
    /// What must hold for any bytes.
    pub(crate) target: fn(&[u8]),
    /// What is tried first, and then harmed.
    pub(crate) corpus: Vec<Vec<u8>>,
    /// Bytes that mean something to whoever reads them.
    pub(crate) telling: &'static [u8],
    /// How many inputs are tried beside the corpus.
    pub(crate) inputs: u64,
    /// The chance.
    pub(crate) seed: u64,
    /// How much memory it may take.
    pub(crate) memory: Memory,
}

/// What MessagePack is made of.
const MESSAGE_PACK: &[u8] = &[0, 1, 0x7f, 0x80, 0x90, 0xc0, 0xc4, 0xc6, 0xce, 0xdc, 0xdd, 0xdf, 0xff];

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

/// The files of some folders of a crate, by their names: those that are neither code nor text about them.
pub(crate) fn corpus(root: &str, folders: &[&str]) -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for folder in folders {
        let entries = fs::read_dir(Path::new(root).join(folder)).expect("the corpus is a folder");
        files.extend(
            entries.map(|entry| entry.expect("the corpus can be read").path()).filter(|path| {
                path.extension().is_some_and(|extension| extension != "md" && extension != "py")
            }),
        );
    }
    files.sort();
    assert!(files.len() > 3, "the corpus is there");
    files.iter().map(|path| fs::read(path).expect("the corpus can be read")).collect()
}

/// A number of the environment.
fn asked(name: &str) -> u64 {
    let text = std::env::var(name).unwrap_or_else(|_| "0".to_owned());
    text.parse().unwrap_or_else(|_| panic!("{name} is a number, and not {text:?}"))
}

impl Game {
    /// A game with MessagePack.
    pub(crate) fn of(target: fn(&[u8]), memory: Memory, corpus: Vec<Vec<u8>>, seed: u64) -> Game {
        Game { target, corpus, telling: MESSAGE_PACK, inputs: 20_000, seed, memory }
    }

    /// Plays the corpus, the inputs, and on for as long as was asked for.
    pub(crate) fn play(&self) {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        for (number, bytes) in self.corpus.iter().enumerate() {
            self.try_out(bytes, &format!("file {number} of the corpus"));
        }
        let (begun, within) = (Instant::now(), Duration::from_secs(asked("FUZZ_SECONDS")));
        let seed = self.seed.wrapping_add(asked("FUZZ_SEED") << 32);
        let mut chance = Chance(seed);
        let mut input = 0;
        while input < self.inputs || begun.elapsed() < within {
            let mut bytes = self.corpus[chance.below(self.corpus.len())].clone();
            for _ in 0..=chance.below(4) {
                self.harm(&mut bytes, &mut chance);
            }
            self.try_out(&bytes, &format!("input {input} of seed {seed}"));
            input += 1;
        }
        println!("{input} inputs in {:.1?}", begun.elapsed());
    }

    fn try_out(&self, bytes: &[u8], which: &str) {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.memory.keep(bytes, self.target)));
        assert!(outcome.is_ok(), "{which} does harm: {}", shown(bytes));
    }

    /// One of a few things that happen to bytes.
    fn harm(&self, bytes: &mut Vec<u8>, chance: &mut Chance) {
        let at = chance.below(bytes.len() + 1);
        let telling = self.telling[chance.below(self.telling.len())];
        match chance.below(8) {
            0 => bytes.truncate(at),
            1 => bytes[at..].iter_mut().take(1).for_each(|byte| *byte ^= 1 << chance.below(8)),
            2 => bytes[at..].iter_mut().take(1).for_each(|byte| *byte = telling),
            3 => bytes.insert(at, chance.next() as u8),
            4 => drop(bytes.drain(at..bytes.len().min(at + 1 + chance.below(8)))),
            5 => {
                let length = (chance.next() as u32) >> chance.below(32);
                let end = bytes.len().min(at + 4);
                let digits = if chance.below(2) == 0 { length.to_be_bytes() } else { length.to_le_bytes() };
                bytes.splice(at..end, digits);
            }
            6 => {
                let again = bytes[at..].to_vec();
                bytes.extend(again);
            }
            _ => {
                let other = &self.corpus[chance.below(self.corpus.len())];
                bytes.truncate(at);
                bytes.extend(&other[chance.below(other.len())..]);
            }
        }
        bytes.truncate(INPUT_BYTES_MAX);
    }
}

/// Bytes as digits.
fn shown(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("text takes all text");
        text
    })
}
