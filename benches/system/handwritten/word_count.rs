//! Counts words: each thread reads its half of the file.
//!
//! With `--combine` each thread counts all the words it reads and the two tables meet at the end; else each word
//! goes to the thread that its hash names, as 16 bytes in a column. Words of 16 bytes and more, of which the
//! benchmark's file has none, always meet at the end.
//!
//! Combining is no faster here: three quarters of the time is waiting for table slots that are not in the cache, and half
//! of the words each makes for smaller tables than all of them.

use std::thread;

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::link::{Idle, Link};
use super::table::{Key, Slot, Table};
use super::word::{Word, for_each_word};
use crate::error::Error;
use crate::system::Finished;
use crate::tally::Tally;
use crate::text::{self, BLOCK_BYTES_MAX, Blocks, key_of_word};
use crate::workload::{Parameters, SUBTASKS};

/// Words of one block for one thread.
struct Column {
    /// As many as any block may have; behind `len` is what was there before.
    words: Box<[Word]>,
    len: usize,
}

/// Words for the other thread; the last message says that none follow.
struct Message {
    column: Column,
    last: bool,
}

/// Runs the workload.
pub(super) fn run(parameters: &Parameters) -> Result<Finished, Error> {
    let path = text::path(parameters)?;
    let (combine, path) = (parameters.combine, path.as_path());
    let counts = thread::scope(|scope| {
        let start = |(subtask, link)| {
            scope.spawn(move || {
                let mut counts = Counts::new();
                let blocks = Blocks::open(path, subtask, SUBTASKS)?;
                if combine { counts.read_all(blocks) } else { counts.exchange(blocks, subtask, &link) }?;
                Ok(counts)
            })
        };
        let threads: Vec<_> = Link::pair(Column::new).into_iter().enumerate().map(start).collect();
        let counts =
            threads.into_iter().map(|thread| thread.join().expect("a thread that counts does not panic"));
        counts.collect::<Result<Vec<_>, Error>>()
    })?;
    let tally = counts.into_iter().reduce(Counts::merge).expect("two threads counted").tally();
    Ok(Finished { events: tally.sum, tally, latency: None, checkpoints: None, ..Finished::default() })
}

/// One thread's counts.
struct Counts {
    short: Table<Word>,
    long: HashMap<Vec<u8>, u64, FxBuildHasher>,
}

impl Column {
    fn new() -> Self {
        // Two bytes a word at least, and one place behind the last.
        Self { words: vec![Word::default(); BLOCK_BYTES_MAX / 2 + 2].into(), len: 0 }
    }

    fn words(&self) -> &[Word] {
        &self.words[..self.len]
    }
}

impl Counts {
    fn new() -> Self {
        Self { short: Table::new(10, 0), long: HashMap::default() }
    }

    fn add_long(&mut self, word: &[u8], count: u64) {
        *self.long.entry_ref(word).or_insert(0) += count;
    }

    /// Counts all words here.
    fn read_all(&mut self, mut blocks: Blocks) -> Result<(), Error> {
        while let Some(block) = blocks.next()? {
            let Self { short, long } = self;
            for_each_word(block, |word| short.add(word, 1), |word| *long.entry_ref(word).or_insert(0) += 1);
        }
        Ok(())
    }

    /// Counts the words of this thread's hashes: those that it reads, and those that the other sends.
    fn exchange(
        &mut self,
        mut blocks: Blocks,
        subtask: usize,
        link: &Link<Message, Column>,
    ) -> Result<(), Error> {
        let (mut own, mut read) = (Column::new(), Ok(()));
        let (mut own_last, mut other_last) = (false, false);
        let mut idle = Idle::default();
        while !(own_last && other_last) {
            while let Some(Message { column, last }) = link.receive() {
                idle.end();
                self.short.count_all(column.words());
                link.give_back(column);
                other_last = last;
            }
            if !own_last && let Some(mut other) = link.buffer() {
                idle.end();
                (own.len, other.len) = (0, 0);
                match blocks.next() {
                    Ok(Some(block)) => self.split(block, subtask, &mut own, &mut other),
                    // After an error, too, the other thread must learn that it is over.
                    end => (own_last, read) = (true, end.map(drop)),
                }
                link.send(Message { column: other, last: own_last });
                self.short.count_all(own.words());
            }
            idle.round();
        }
        read
    }

    /// Writes each short word to both columns and keeps it in that of its thread.
    fn split(&mut self, block: &[u8], subtask: usize, own: &mut Column, other: &mut Column) {
        let short = |word: Word| {
            // The table indexes with the highest bits; the thread is chosen by the lowest.
            let to_other = (word.hash() & 1) as usize ^ subtask;
            (own.words[own.len], other.words[other.len]) = (word, word);
            own.len += 1 - to_other;
            other.len += to_other;
        };
        for_each_word(block, short, |word| self.add_long(word, 1));
    }

    fn merge(mut self, mut other: Self) -> Self {
        let mut dense: Vec<Slot<Word>> = Vec::new();
        let words = other.short.drain_into(&mut dense);
        dense[..words].iter().for_each(|slot| self.short.add(slot.key, slot.count));
        other.long.iter().for_each(|(word, count)| self.add_long(word, *count));
        self
    }

    fn tally(mut self) -> Tally {
        let mut tally = Tally::default();
        let mut dense = Vec::new();
        let words = self.short.drain_into(&mut dense);
        for slot in &dense[..words] {
            let bytes = slot.key.padded();
            let length = bytes.iter().position(|byte| *byte == 0).expect("a short word has at most 15 bytes");
            tally.add(key_of_word(&bytes[..length]), 0, slot.count);
        }
        self.long.iter().for_each(|(word, count)| tally.add(key_of_word(word), 0, *count));
        tally
    }
}
